//! Questions about a session: how it stands.

use super::Session;
use super::state::State;
use crate::command::CommandError;
use crate::session::recovery::Outcome;
use crate::signal::url::ServerUrl;

impl Session {
    /// Whether a message to the server reaches it.
    pub(in crate::engine) fn has_signal(&self) -> bool {
        match &self.state {
            State::Joined { .. } | State::Active => true,
            State::Resuming(resume) => resume.has_signal(),
            _ => false,
        }
    }

    /// Whether messages to others may be given, which go out now or when the session is resumed.
    ///
    /// # Errors
    /// We are outside of the room, or leaving it.
    pub(in crate::engine) fn may_send(&self) -> Result<(), CommandError> {
        if !self.state.is_in_session() {
            return Err(CommandError::refused("not in the room at the moment"));
        }
        if self.farewell.is_some() {
            return Err(CommandError::refused("we are leaving the room"));
        }
        Ok(())
    }

    /// Whether the session is whole: messages are sent, not kept for a resume.
    pub(in crate::engine) fn is_whole(&self) -> bool {
        matches!(self.state, State::Joined { .. } | State::Active)
    }

    /// Whether we are in the room, as far as `metrics` is concerned.
    pub(in crate::engine) fn is_in_room(&self) -> bool {
        matches!(self.state, State::Active | State::Resuming(_))
    }

    /// Whether we are on our way out.
    pub(in crate::engine) fn is_leaving(&self) -> bool {
        self.is_hanging_up() || self.farewell.is_some()
    }

    /// Whether the hang-up is on its way.
    pub(in crate::engine) fn is_hanging_up(&self) -> bool {
        matches!(self.state, State::Leaving { .. })
    }

    /// How the program ends, once it has ended.
    pub(in crate::engine) fn outcome(&self) -> Option<&Outcome> {
        match &self.state {
            State::Ended(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Whether `connected` was reported in this visit.
    pub(in crate::engine) fn was_connected(&self) -> bool {
        self.visit.was_connected()
    }

    /// Edition and version of the server; empty before the first `join`.
    pub(in crate::engine) fn server(&self) -> &str {
        &self.server
    }

    /// The URL of the last dial.
    pub(in crate::engine) fn server_url(&self) -> Option<&ServerUrl> {
        self.regions.dialled()
    }

    /// The state, in the word of `status`.
    pub(in crate::engine) fn words(&self) -> &'static str {
        self.state.words()
    }

    /// Round trip of the signal connection in ms, 0 if it is not known.
    pub(in crate::engine) fn round_trip_ms(&self) -> u32 {
        self.health.round_trip_ms()
    }

    /// Whether we are on our way out of the room, and stand by then.
    pub(super) fn is_leaving_to_stand_by(&self) -> bool {
        match (&self.farewell, &self.state) {
            (Some(farewell), _) => farewell.is_to_stand_by(),
            (None, State::Leaving { outcome, .. }) => outcome.is_none(),
            (None, _) => false,
        }
    }
}
