//! The phases of a session; the drawing of [`session::recovery`](crate::session::recovery) joins them.

use std::time::{Duration, Instant};

use super::farewell::Farewell;
use super::regions::Detour;
use super::resume::Resuming;
use crate::session::recovery::Outcome;
use crate::signal::leave::DisconnectReason;
use crate::signal::ping::Pinger;
use crate::signal::secret::Secret;
use crate::time::backoff::Backoff;

/// Where the session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Phase {
    /// Outside of the room, until told to enter.
    Idle,
    /// The signal connection is being made, or its `join` is awaited.
    Dialing,
    /// The server has joined us; the primary peer connection is not up yet.
    Joined,
    /// Sound flows.
    Active,
    /// The session is being mended; sound flows where it can.
    Resuming,
    /// Until the next attempt.
    Waiting,
    /// The hang-up is on its way.
    Leaving,
    /// It is over; the outcome says how.
    Ended,
}

/// The state of the session.
pub(in crate::engine) struct Session {
    pub(in crate::engine) phase: Phase,
    pub(in crate::engine) backoff: Backoff,
    pub(in crate::engine) token: Secret,
    pub(in crate::engine) detour: Detour,
    pub(in crate::engine) pinger: Option<Pinger>,
    pub(in crate::engine) ping_interval: Duration,
    pub(in crate::engine) ping_timeout: Duration,
    pub(in crate::engine) is_resume_disabled: bool,
    pub(in crate::engine) resuming: Option<Resuming>,
    pub(in crate::engine) resumed_at: Option<Instant>,
    pub(in crate::engine) brief_resumes: u32,
    /// Edition and version of the server, for people.
    pub(in crate::engine) server: String,
    pub(in crate::engine) session_began: Option<Instant>,
    /// When the last dial began: waits count from there.
    pub(in crate::engine) attempt_began: Instant,
    /// When the last new session was dialled.
    pub(in crate::engine) join_began: Instant,
    /// When the upgrade was asked for: the `join` comes a round trip later.
    pub(in crate::engine) reached_at: Option<Instant>,
    pub(in crate::engine) lost_at: Option<Instant>,
    pub(in crate::engine) told_cause: String,
    pub(in crate::engine) told_reason: Option<DisconnectReason>,
    /// It is to be asked for before the next dial.
    pub(in crate::engine) token_is_refused: bool,
    /// When its source has last said where the server is, or was asked again.
    pub(in crate::engine) server_named_at: Option<Instant>,
    pub(in crate::engine) token_came_at: Option<Instant>,
    /// Told to enter the room while the hang-up is on its way.
    pub(in crate::engine) enters_again: bool,
    pub(in crate::engine) was_connected: bool,
    pub(in crate::engine) outcome: Option<Outcome>,
    pub(in crate::engine) farewell: Option<Farewell>,
}

impl Session {
    /// Outside of the room.
    pub(in crate::engine) fn new(token: Secret, seed: u64, now: Instant) -> Session {
        Session {
            phase: Phase::Idle,
            backoff: Backoff::new(seed),
            token,
            detour: Detour::default(),
            pinger: None,
            ping_interval: Duration::ZERO,
            ping_timeout: Duration::ZERO,
            is_resume_disabled: false,
            resuming: None,
            resumed_at: None,
            brief_resumes: 0,
            server: String::new(),
            session_began: None,
            attempt_began: now,
            join_began: now,
            reached_at: None,
            lost_at: None,
            told_cause: String::new(),
            told_reason: None,
            token_is_refused: false,
            server_named_at: None,
            token_came_at: None,
            enters_again: false,
            was_connected: false,
            outcome: None,
            farewell: None,
        }
    }
}
