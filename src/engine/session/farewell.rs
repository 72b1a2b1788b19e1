//! Leaving with messages under way: they go first, for a bounded time: [`Farewell`].
//!
//! ```text
//!   leave ─► is anything unconfirmed, or just confirmed? ─ no ──────► hang up
//!                     │ yes                                             ▲
//!                     └─► microphone closed, new messages refused,      │
//!                         the session goes on ─┬─ all confirmed ─ SETTLING
//!                                              └─ FLUSH_PATIENCE over ──┘  the answer lists what is left
//! ```
//!
//! The server must still forward what it has confirmed, over data channels, which its report of our leave would
//! overtake: official clients end the streams of a participant that has left. A listener connects its publisher for its
//! first message, which takes six round trips; reliable packets are confirmed by SCTP, whose acknowledgement may be
//! delayed by 200 ms (RFC 9260 §6.2).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::command::{Answer, Ticket};
use crate::session::recovery::Outcome;

/// Messages that were given before `leave` have this long to reach the server.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);

/// The server passes on what it has confirmed within this: two round trips of a mobile receiver.
const SETTLING: Duration = Duration::from_millis(250);

/// Unsent and unconfirmed messages of ours.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::engine) struct Pending {
    /// Some are not confirmed yet.
    pub is_unconfirmed: bool,
    /// When one was last given to SCTP, or confirmed.
    pub moved_at: Option<Instant>,
}

impl Pending {
    /// When the last of them has arrived, as far as is known; `None` if that is over.
    fn ends_at(self, now: Instant) -> Option<Ends> {
        if self.is_unconfirmed {
            return Some(Ends::Unknown);
        }
        self.moved_at.map(|at| at + SETTLING).filter(|at| *at > now).map(Ends::At)
    }
}

enum Ends {
    Unknown,
    At(Instant),
}

/// A departure that waits for messages.
#[derive(Debug)]
pub(super) struct Farewell {
    /// How the program ends; `None` if it only stands by outside of the room afterwards.
    outcome: Option<Outcome>,
    /// The command that is answered when the messages have arrived.
    ticket: Option<Ticket>,
    /// They have their time until then.
    until: Instant,
    /// When to look again.
    at: Instant,
}

impl Farewell {
    /// Waits for the messages, where any are under way.
    pub(super) fn begin(
        outcome: Option<Outcome>,
        pending: Pending,
        now: Instant,
    ) -> Result<Farewell, Option<Outcome>> {
        if pending.ends_at(now).is_none() {
            return Err(outcome);
        }
        let until = now + FLUSH_PATIENCE;
        let mut farewell = Farewell { outcome, ticket: None, until, at: until };
        farewell.moves(pending, now);
        Ok(farewell)
    }

    /// Messages have moved: whether those were the last ones.
    pub(super) fn moves(&mut self, pending: Pending, now: Instant) -> bool {
        self.at = match pending.ends_at(now) {
            Some(Ends::Unknown) => self.until,
            Some(Ends::At(at)) => at.min(self.until),
            None => now,
        };
        self.at <= now
    }

    /// When [`Farewell::end`] is due.
    pub(super) fn poll_timeout(&self) -> Instant {
        self.at
    }

    /// Asked again to leave: how it ends is the last word, but an end is not taken back.
    pub(super) fn ask(&mut self, outcome: Option<Outcome>) {
        self.outcome = outcome.or(self.outcome.take());
    }

    /// Whether we only stand by afterwards.
    pub(super) fn is_to_stand_by(&self) -> bool {
        self.outcome.is_none()
    }

    /// Whether no command waits for it yet.
    pub(super) fn has_no_ticket(&self) -> bool {
        self.ticket.is_none()
    }

    /// The command `ticket` is answered at its end.
    pub(super) fn set_ticket(&mut self, ticket: Ticket) {
        self.ticket = Some(ticket);
    }

    /// It is over: how the program ends, and the answer for the command that waits. `unsent`: topics of messages that have
    /// not arrived, with counts.
    pub(super) fn end(self, unsent: Vec<(String, u32)>) -> (Option<Outcome>, Option<(Ticket, Answer)>) {
        (self.outcome, self.ticket.map(|ticket| (ticket, unsent_answer(unsent))))
    }
}

/// Nothing where all has arrived, else the topics of what has not, with counts.
fn unsent_answer(unsent: Vec<(String, u32)>) -> Answer {
    if unsent.is_empty() {
        return Ok(Value::Null);
    }
    let unsent: Vec<Value> =
        unsent.into_iter().map(|(topic, count)| json!({ "topic": topic, "count": count })).collect();
    Ok(json!({ "unsent": unsent }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
    fn base() -> Instant {
        Instant::now()
    }

    #[test]
    fn the_answer_names_what_is_left() {
        assert_eq!(unsent_answer(Vec::new()), Ok(Value::Null));
        let unsent = vec![("hello".to_owned(), 2), ("files".to_owned(), 1)];
        let answer =
            json!({ "unsent": [{ "topic": "hello", "count": 2 }, { "topic": "files", "count": 1 }] });
        assert_eq!(unsent_answer(unsent), Ok(answer));
    }

    #[test]
    fn messages_have_their_time_and_no_more() {
        let now = base();
        let nothing = Pending::default();
        assert!(Farewell::begin(None, nothing, now).is_err(), "nothing is under way");
        let settled = Pending { moved_at: Some(now), ..nothing };
        assert!(Farewell::begin(None, settled, now + SETTLING).is_err());
        let unconfirmed = Pending { is_unconfirmed: true, moved_at: Some(now) };
        let mut farewell = Farewell::begin(None, unconfirmed, now).expect("something is under way");
        assert_eq!(farewell.poll_timeout(), now + FLUSH_PATIENCE);
        // Confirmed: the server gets the time to pass it on.
        assert!(!farewell.moves(settled, now + SETTLING / 2));
        assert_eq!(farewell.poll_timeout(), now + SETTLING);
        assert!(farewell.moves(settled, now + SETTLING));
    }
}
