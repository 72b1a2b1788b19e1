//! The state of a session, with the data of each state. [`session::recovery`](crate::session::recovery) has the drawing
//! of the transitions.

use std::time::Instant;

use super::resume::Resume;
use crate::session::cause::Cause;
use crate::session::recovery::{Outcome, SessionStage};

/// The state of a session. Each deadline lies with the state that it belongs to.
#[derive(Debug)]
pub(super) enum State {
    /// Outside of the room, until the application enters.
    Idle,
    /// Until the next attempt.
    Waiting {
        /// When the attempt, or the wait for an answer, is over.
        until: Instant,
        /// What is waited for.
        next: Next,
    },
    /// The signal connection is being made, or its `join` is awaited.
    Dialing {
        /// The attempt has failed by then.
        until: Instant,
        /// When the upgrade was sent: the `join` comes a round trip later.
        reached_at: Option<Instant>,
    },
    /// The server has joined us; the primary peer connection is not up yet.
    Joined {
        /// The attempt has failed by then.
        until: Instant,
    },
    /// In the room, with the signal connection.
    Active,
    /// The session is being resumed; sound flows where it can.
    Resuming(Resume),
    /// The hang-up is on its way.
    Leaving {
        /// It has left by then, or the connection is not worth waiting for.
        until: Instant,
        /// How the program ends; `None` if it stands by outside of the room.
        outcome: Option<Outcome>,
    },
    /// It is over.
    Ended(Outcome),
}

/// What a waiting session waits for.
#[derive(Debug)]
pub(super) enum Next {
    /// The next attempt, or first a token.
    Attempt,
    /// The list of regions, before the table is asked about this cause.
    Regions(Cause),
}

impl State {
    /// The word of `status`.
    pub(super) fn words(&self) -> &'static str {
        match self {
            State::Idle => "outside",
            State::Dialing { .. } | State::Joined { .. } => "joining",
            State::Active => "connected",
            State::Resuming(_) => "resuming",
            State::Waiting { .. } => "waiting",
            State::Leaving { .. } | State::Ended(_) => "ended",
        }
    }

    /// Whether the server has joined us, and sound or messages may pass as soon as they can.
    pub(super) fn is_in_session(&self) -> bool {
        matches!(self, State::Joined { .. } | State::Active | State::Resuming(_))
    }

    /// How far the session has come, where there is one to lose.
    pub(super) fn stage(&self) -> Option<SessionStage> {
        match self {
            State::Dialing { .. } | State::Joined { .. } => Some(SessionStage::Joining),
            State::Active => Some(SessionStage::Active),
            State::Resuming(_) => Some(SessionStage::Resuming),
            State::Idle | State::Waiting { .. } | State::Leaving { .. } | State::Ended(_) => None,
        }
    }
}
