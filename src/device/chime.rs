//! Short tones that inform the person at the box, besides the tones of the call.
//!
//! | tone | when |
//! | --- | --- |
//! | muted, unmuted | privacy was set or ended here |
//! | joined, left | another participant entered or left the room, in a call or if the room hears the box without one |
//! | lost | the server has been out of reach for two seconds, in a call |
//!
//! Participants who are already there when we enter, or when we come back after an outage, cause no tone: there would
//! be one for each of them, at the same time.

use std::time::{Duration, Instant};

use crate::command::Tone;
use crate::event::Event;

/// A resumed session is back within two seconds, with little loss.
const PATIENCE: Duration = Duration::from_secs(2);

/// The other participants are reported directly after the connection: in the same turn, or in one of the next.
const ARRIVAL: Duration = Duration::from_secs(1);

/// Takes events, and decides which tone each one causes.
#[derive(Debug, Default)]
pub struct Chime {
    /// When we entered the room.
    arrived_at: Option<Instant>,
    /// When the tone for the loss of the server is due.
    lost_at: Option<Instant>,
}

impl Chime {
    /// The tone for `event`. `is_audience`: participants in the room may hear the box.
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

    /// The tone that is due by time. `is_call`: a call is in progress.
    pub fn handle_timeout(&mut self, is_call: bool, now: Instant) -> Option<Tone> {
        self.lost_at.take_if(|at| *at <= now)?;
        is_call.then_some(Tone::Lost)
    }

    fn is_settled(&self, now: Instant) -> bool {
        self.arrived_at.is_some_and(|at| now.saturating_duration_since(at) >= ARRIVAL)
    }
}
