//! How well a card works: its xruns, its descriptors, and the time without it.
//!
//! - [`Xruns`]: a single one is normal; with many, the period is too short for this machine.
//! - [`Readiness`]: descriptors that stay ready without data would take all of the CPU. After three such wake-ups
//!   they are ignored, and the period is counted by our clock.
//! - [`Absence`]: nothing is recorded in the time without a card, but RTP time continues.

use std::time::{Duration, Instant};

use crate::limits::CAPTURE_GAP_MS_MAX;
use crate::media::block::BLOCK_MS;

/// This many xruns…
const XRUNS_MAX: usize = 3;

/// …within this time, and the period is too short for this machine.
const XRUNS_WITHIN: Duration = Duration::from_secs(10);

/// Wakes without a frame, in a row, after which descriptors are left alone.
const EMPTY_WAKES_MAX: u32 = 3;

/// The times of the last xruns, the newest at the end.
#[derive(Debug, Default)]
pub struct Xruns(heapless::Deque<Instant, XRUNS_MAX>);

impl Xruns {
    /// Counts one. Returns whether they are too frequent; the count then starts again.
    pub fn add(&mut self, now: Instant) -> bool {
        if self.0.is_full() {
            self.0.pop_front();
        }
        let _ = self.0.push_back(now);
        let is_often = self.0.is_full()
            && self.0.front().is_some_and(|&first| now.saturating_duration_since(first) <= XRUNS_WITHIN);
        if is_often {
            self.0.clear();
        }
        is_often
    }
}

/// Whether the descriptors of a card are believed.
#[derive(Debug, Default)]
pub struct Readiness {
    /// Wakes in a row that brought nothing.
    empty_wakes: u32,
    is_lie: bool,
}

impl Readiness {
    /// Whether to wait for them.
    pub fn is_believed(&self) -> bool {
        !self.is_lie
    }

    /// A wake brought something.
    pub fn was_true(&mut self) {
        self.empty_wakes = 0;
    }

    /// A wake-up brought nothing. Returns whether the descriptors are ignored from now on.
    pub fn was_false(&mut self) -> bool {
        self.empty_wakes = self.empty_wakes.saturating_add(1);
        let is_lie = self.empty_wakes >= EMPTY_WAKES_MAX;
        is_lie && !std::mem::replace(&mut self.is_lie, is_lie)
    }
}

/// The time without the card, counted in blocks.
#[derive(Debug, Default)]
pub struct Absence {
    /// Counted up to here.
    since: Option<Instant>,
    blocks: u32,
    has_returned: bool,
}

impl Absence {
    /// The card is gone, as was found out `now`; it gave its last frame at `last`.
    pub fn begin(&mut self, last: Instant, now: Instant) {
        let gap_max = Duration::from_millis(u64::from(CAPTURE_GAP_MS_MAX));
        self.since = Some(last.max(now.checked_sub(gap_max).unwrap_or(now)));
    }

    /// The card is back.
    pub fn end(&mut self, now: Instant) {
        self.count(now);
        self.since = None;
        self.has_returned = true;
    }

    /// Blocks of time that passed without the card, each counted once.
    pub fn take_missed(&mut self, now: Instant) -> u32 {
        self.count(now);
        std::mem::take(&mut self.blocks)
    }

    /// Whether it came back since the last call.
    pub fn take_return(&mut self) -> bool {
        std::mem::take(&mut self.has_returned)
    }

    fn count(&mut self, now: Instant) {
        let Some(since) = &mut self.since else { return };
        let blocks = now.saturating_duration_since(*since).as_millis() / u128::from(BLOCK_MS);
        let blocks = u32::try_from(blocks).unwrap_or(u32::MAX);
        self.blocks = self.blocks.saturating_add(blocks);
        *since += Duration::from_millis(u64::from(blocks) * u64::from(BLOCK_MS));
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // a test needs some instant to start from
mod tests {
    use super::*;

    #[test]
    fn every_block_once_and_none_of_a_time_that_nobody_waits_for() {
        let start = Instant::now();
        let at_ms = |ms| start + Duration::from_millis(ms);
        let mut absence = Absence::default();
        assert_eq!((absence.take_missed(at_ms(99)), absence.take_return()), (0, false));
        absence.begin(at_ms(100), at_ms(600));
        assert_eq!([605, 609, 610, 1000].map(|ms| absence.take_missed(at_ms(ms))), [50, 0, 1, 39]);
        absence.end(at_ms(2_005));
        assert_eq!((absence.take_missed(at_ms(9_000)), absence.take_return()), (100, true));
        absence.begin(at_ms(0), at_ms(60_000));
        assert_eq!(absence.take_missed(at_ms(60_000)), 100, "of a long stall, a second");
    }
}
