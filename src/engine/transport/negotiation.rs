//! The time that the server has to answer our offers, and the connection to come up: [`Negotiation`].
//!
//! ```text
//!   first offer ─► connected within 12 s       each offer ─► answered within 10 s       else the connection is dead
//! ```

use std::time::{Duration, Instant};

use crate::time::deadline::Reason;

/// From the first offer to the connection. The server answers in milliseconds, or never (an offer
/// that it cannot parse is dropped without a word); DTLS at 10 % loss takes up to 7 s.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(12);

/// From an offer to its answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

/// The deadlines of the offers of one peer connection.
#[derive(Debug, Default)]
pub(super) struct Negotiation {
    connected_until: Option<Instant>,
    answered_until: Option<Instant>,
}

impl Negotiation {
    /// An offer is sent.
    pub(super) fn offered(&mut self, is_connected: bool, now: Instant) {
        if !is_connected {
            self.connected_until = Some(now + CONNECTION_PATIENCE);
        }
        self.answered_until = Some(now + ANSWER_PATIENCE);
    }

    /// An offer that restarts ICE is sent.
    pub(super) fn restarted(&mut self, now: Instant) {
        self.answered_until = Some(now + ANSWER_PATIENCE);
    }

    /// The last offer is answered, or its answer is lost with the signal connection.
    pub(super) fn answered(&mut self) {
        self.answered_until = None;
    }

    /// The connection is up.
    pub(super) fn connected(&mut self) {
        self.connected_until = None;
    }

    /// Whether the connection was offered and has not come up.
    pub(super) fn awaits_connection(&self) -> bool {
        self.connected_until.is_some()
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        let connected = self.connected_until.map(|at| (at, Reason::PublisherConnection));
        let answered = self.answered_until.map(|at| (at, Reason::PublisherAnswer));
        connected.into_iter().chain(answered).min_by_key(|&(at, _)| at)
    }

    /// Why the connection is dead now, where a deadline has passed.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<&'static str> {
        let (at, reason) = self.poll_timeout()?;
        if at > now {
            return None;
        }
        if reason == Reason::PublisherAnswer {
            self.answered_until = None;
            return Some("the server does not answer our offer");
        }
        self.connected_until = None;
        Some("it did not come up: no answer to our offer, or no way by UDP or TCP")
    }
}
