//! Keeps the ends that are `auto` on the cards that `auto` means.
//!
//! ```text
//!   cards came or went ─┐
//!   the call is over ───┼─► what does `auto` mean now? ─► other cards than those in use ─► move there
//!   one was refused ────┘        (not in a call, unless one in use was lost in it)
//! ```
//!
//! Both ends are decided together, so a mixed state does not last: a microphone that was taken because its rival was
//! not there yet moves to the rival when that comes. In a call nothing moves as long as both ends work. Once one was
//! lost, both follow until they are where `auto` wants them, so a pair that comes back is a pair again.

use std::time::{Duration, Instant};

use crate::io::sound::auto::{self, Why};
use crate::io::sound::card_end::CardEnd;
use crate::io::sound::pcm_settings::PcmRequest;
use crate::io::sound::sizes::StreamDirection;

/// Moves both directions to the cards that `auto` selects.
#[derive(Debug, Default)]
pub struct Follower {
    was_in_call: bool,
    /// An end was lost in this call, and not both are where they should be.
    is_displaced: bool,
    /// The chosen card could not be opened.
    retry_at: Option<Instant>,
}

/// An end, its direction, and the request for the card that it moves to.
pub type Followed<'a> = (Option<&'a mut dyn CardEnd>, StreamDirection, PcmRequest);

impl Follower {
    /// Moves the ends that are to be moved; why they are where they are now, where that was found out. `is_settled`: the cards
    /// have changed, and stay so for now.
    pub fn attend(
        &mut self,
        ends: [Followed<'_>; 2],
        is_settled: bool,
        in_call: bool,
        now: Instant,
    ) -> Option<Why> {
        let is_over = std::mem::replace(&mut self.was_in_call, in_call) && !in_call;
        let mut ends = ends.map(|(end, direction, request)| {
            Some((end.filter(|end| end.card().is_auto())?, direction, request))
        });
        if ends.iter().all(Option::is_none) {
            return None;
        }
        let is_lost = ends.iter().flatten().any(|(end, ..)| end.card().settings().is_none());
        self.is_displaced = in_call && (self.is_displaced || is_lost);
        let is_due = is_settled || is_over || self.retry_at.is_some_and(|at| at <= now);
        if !is_due || in_call && !self.is_displaced {
            return None;
        }
        let choice = auto::auto_choice();
        let (mut is_settled, mut is_refused) = (true, false);
        for (end, direction, request) in ends.iter_mut().flatten() {
            let is_there = choice.of(*direction).is_some_and(|pcm| end.move_to(pcm, *request, now));
            is_settled &= is_there;
            // A lost one looks for its card itself.
            is_refused |= !is_there && choice.of(*direction).is_some() && end.card().settings().is_some();
        }
        self.is_displaced &= !is_settled;
        self.retry_at = is_refused.then_some(now + RETRY_EVERY);
        Some(choice.why)
    }

    /// When to attend even if nothing has changed.
    pub fn next_due(&self) -> Option<Instant> {
        self.retry_at
    }
}

/// Between two attempts to open a chosen card that another program has, or that is not ours yet.
const RETRY_EVERY: Duration = Duration::from_secs(1);
