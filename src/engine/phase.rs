//! The phases of a session; the drawing of [`session::recovery`](crate::session::recovery) joins them.

/// Where the session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
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
