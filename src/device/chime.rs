//! Short tones for the person at the box, in addition to the tones of a call.
//!
//! | tone | when |
//! | --- | --- |
//! | muted, unmuted | privacy was turned on or off at the box |
//! | joined, left | another participant joined or left, during a call or if the room hears the box without one |
//! | lost | the server has been unreachable for two seconds, during a call |
//!
//! Participants that are already in the room when the box joins, or returns after an outage, cause no tone: otherwise
//! there would be one tone for each of them, at the same time.

use std::time::{Duration, Instant};

use crate::command::Tone;
use crate::event::Event;

/// Delay before the tone for a lost server: a session is usually resumed within this time, with little loss.
const PATIENCE: Duration = Duration::from_secs(2);

/// Time in which participants that were already in the room are reported after the connection.
const ARRIVAL: Duration = Duration::from_secs(1);

/// Decides which tone an event causes.
#[derive(Debug, Default)]
pub struct Chime {
    /// When the box joined the room.
    arrived_at: Option<Instant>,
    /// When the tone for a lost server is due.
    lost_at: Option<Instant>,
}

impl Chime {
    /// Returns the tone for `event`. `is_audience`: whether participants in the room may hear the box.
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

    /// Returns when [`Chime::handle_timeout`] must be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.lost_at
    }

    /// Returns the tone that is due at `now`. `is_call`: whether a call is in progress.
    pub fn handle_timeout(&mut self, is_call: bool, now: Instant) -> Option<Tone> {
        self.lost_at.take_if(|at| *at <= now)?;
        is_call.then_some(Tone::Lost)
    }

    fn is_settled(&self, now: Instant) -> bool {
        self.arrived_at.is_some_and(|at| now.saturating_duration_since(at) >= ARRIVAL)
    }
}
