//! What a person at the box is told by a short tone besides how the call goes.
//!
//! | tone | when |
//! | --- | --- |
//! | muted, unmuted | privacy was set or ended here |
//! | joined, left | somebody else entered or left the room, in a call or where we are heard without one |
//! | lost | the server has been out of reach for two seconds, in a call |
//!
//! Who is there already when we enter, or come back after an outage, is not told: that would be a tone for each
//! of them, at once.

use std::time::{Duration, Instant};

use crate::command::Tone;
use crate::event::Event;

/// A resumed session is back within two seconds, and nobody has missed much.
const PATIENCE: Duration = Duration::from_secs(2);

/// The others are told right behind the connection: in the same turn, or in one of the next.
const ARRIVAL: Duration = Duration::from_secs(1);

/// Listens to what happens, and says which tone that is worth.
#[derive(Debug, Default)]
pub struct Chime {
    /// When we entered the room.
    arrived_at: Option<Instant>,
    /// When the loss of the server is told.
    lost_at: Option<Instant>,
}

impl Chime {
    /// The tone for `event`. `is_audience`: whoever is in the room may hear what is said here.
    pub fn handle_event(&mut self, event: &Event, is_audience: bool, now: Instant) -> Option<Tone> {
        match event {
            Event::Connected { .. } | Event::Reconnected { .. } => {
                (self.arrived_at, self.lost_at) = (Some(now), None);
                None
            }
            Event::Resumed { .. } => {
                self.lost_at = None;
                None
            }
            Event::Reconnecting { .. } | Event::Disconnected { .. } => {
                self.lost_at = self.lost_at.or(Some(now + PATIENCE));
                None
            }
            Event::ParticipantJoined(_) if is_audience && self.is_settled(now) => Some(Tone::Joined),
            Event::ParticipantLeft(_) if is_audience && self.is_settled(now) => Some(Tone::Left),
            _ => None,
        }
    }

    /// When [`Chime::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.lost_at
    }

    /// The tone for what did not happen in time. `is_call`: somebody is being talked to.
    pub fn handle_timeout(&mut self, is_call: bool, now: Instant) -> Option<Tone> {
        self.lost_at.take_if(|at| *at <= now)?;
        is_call.then_some(Tone::Lost)
    }

    fn is_settled(&self, now: Instant) -> bool {
        self.arrived_at.is_some_and(|at| now.saturating_duration_since(at) >= ARRIVAL)
    }
}
