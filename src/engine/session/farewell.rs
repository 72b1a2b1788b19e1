//! Leaving with messages under way: they go first, for a bounded time.
//!
//! ```text
//!   leave ─► is anything unconfirmed, or just confirmed? ─ no ──────► hang up
//!                     │ yes                                             ▲
//!                     └─► microphone closed, new messages refused,      │
//!                         the session goes on ─┬─ all confirmed ─ SETTLING
//!                                              └─ FLUSH_PATIENCE over ──┘  the answer lists what is left
//! ```
//!
//! What the server has confirmed it has still to pass on, over data channels, which its news of our leave would overtake:
//! official clients end the streams of somebody who has left. A listener connects its publisher for its first message, which takes six round trips; reliable packets are
//! confirmed by SCTP, whose acknowledgement may be delayed by 200 ms (RFC 9260 §6.2).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::state::Phase;
use crate::command::{Answer, Reply, Ticket};
use crate::engine::Engine;
use crate::engine::port::Action;
use crate::error::ExitStatus;
use crate::session::recovery::Outcome;
use crate::signal::request::Request;
use crate::time::deadline::Reason;

/// Messages that were given before `leave` have this long to reach the server.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);

/// The server passes on what it has confirmed within this: two round trips of a mobile receiver.
const SETTLING: Duration = Duration::from_millis(250);

/// The hang-up itself is flushed within this, or the connection is not worth waiting for.
const LEAVE_PATIENCE: Duration = Duration::from_secs(1);

/// A departure that waits for messages.
#[derive(Debug)]
pub(in crate::engine) struct Farewell {
    /// How all ends; `None` where we only stand by outside of the room afterwards.
    outcome: Option<Outcome>,
    /// The command that is answered when they have arrived.
    ticket: Option<Ticket>,
    /// They have their time until then.
    until: Instant,
}

impl Engine {
    /// Leaves and ends, as asked; messages that are under way go first. It may be asked for any number of times.
    pub fn end(&mut self, now: Instant) {
        self.leave(Some(Outcome { status: ExitStatus::AsAsked, text: String::new() }), now);
    }

    /// The same, or only out of the room, by a command. It is answered when all messages have arrived, or with those
    /// that have not.
    pub(in crate::engine) fn leave_by_command(&mut self, outcome: Option<Outcome>, now: Instant) -> Reply {
        self.leave(outcome, now);
        let awaits = self.session.farewell.as_ref().is_some_and(|farewell| farewell.ticket.is_none());
        match awaits.then(|| self.out.take_ticket()) {
            Some(Ok(ticket)) => {
                self.session.farewell.as_mut().expect("looked at above").ticket = Some(ticket);
                Reply::Later(ticket)
            }
            // Too many commands wait for their answers: this one does not.
            Some(Err(_)) | None => Ok(Value::Null).into(),
        }
    }

    /// Leaves the room, and ends with `outcome`; without one we are only outside of the room then.
    pub(in crate::engine) fn leave(&mut self, outcome: Option<Outcome>, now: Instant) {
        self.session.enters_again = false;
        if let Some(farewell) = &mut self.session.farewell {
            farewell.outcome = outcome.or(farewell.outcome.take());
            return;
        }
        let is_in_session = matches!(self.session.phase, Phase::Joined | Phase::Active | Phase::Resuming);
        // The end of a file is no secret: what waits of it is sent.
        if self.session.phase != Phase::Leaving
            && !self.settings.publish.as_ref().is_some_and(|publish| publish.is_required)
        {
            self.microphone_closes(now);
        }
        if is_in_session && (self.has_unsent() || self.settles_at().is_some_and(|at| at > now)) {
            self.session.farewell = Some(Farewell { outcome, ticket: None, until: now + FLUSH_PATIENCE });
            return self.farewell_moves(now);
        }
        self.hang_up(outcome, now);
    }

    /// Whether we are on our way out.
    pub(in crate::engine) fn is_leaving(&self) -> bool {
        self.session.phase == Phase::Leaving || self.session.farewell.is_some()
    }

    /// Whether we are on our way out of the room, and stand by then.
    pub(in crate::engine) fn is_leaving_to_stand_by(&self) -> bool {
        match &self.session.farewell {
            Some(farewell) => farewell.outcome.is_none(),
            None => self.session.phase == Phase::Leaving && self.session.outcome.is_none(),
        }
    }

    /// Messages have moved: perhaps they were the last.
    pub(in crate::engine) fn farewell_moves(&mut self, now: Instant) {
        let Some(until) = self.session.farewell.as_ref().map(|farewell| farewell.until) else { return };
        let at = if self.has_unsent() { until } else { self.settles_at().map_or(now, |at| at.min(until)) };
        if at <= now {
            self.farewell_is_over(now);
        } else {
            self.deadlines.set(Reason::Farewell, at);
        }
    }

    /// All messages have arrived, or had their time.
    pub(in crate::engine) fn farewell_is_over(&mut self, now: Instant) {
        if let Some(outcome) = self.answer_farewell() {
            self.hang_up(outcome, now);
        }
    }

    /// The session is lost meanwhile: there is nobody to say good-bye to. `false` where we are not leaving.
    pub(in crate::engine) fn farewell_is_lost(&mut self, now: Instant) -> bool {
        let Some(outcome) = self.answer_farewell() else { return false };
        self.session.outcome = outcome;
        self.hung_up(now);
        true
    }

    fn answer_farewell(&mut self) -> Option<Option<Outcome>> {
        let farewell = self.session.farewell.take()?;
        self.deadlines.clear(Reason::Farewell);
        if let Some(ticket) = farewell.ticket {
            let answer = unsent_answer(self.data.unsent());
            self.out.answer(ticket, answer);
        }
        Some(farewell.outcome)
    }

    fn settles_at(&self) -> Option<Instant> {
        self.data.moved_at().map(|at| at + SETTLING)
    }

    fn has_unsent(&mut self) -> bool {
        let lossy =
            self.transports.publisher.as_mut().map_or(0, |publisher| publisher.buffered_lossy_bytes());
        self.data.has_unsent() || lossy > 0
    }

    fn hang_up(&mut self, outcome: Option<Outcome>, now: Instant) {
        match self.session.phase {
            Phase::Joined | Phase::Active | Phase::Resuming => {
                self.out.request(&Request::Leave);
                self.out.act(Action::HangUp);
                self.session.phase = Phase::Leaving;
                self.session.outcome = outcome;
                self.deadlines.set(Reason::Recovery, now + LEAVE_PATIENCE);
            }
            Phase::Idle if outcome.is_none() => {}
            Phase::Idle | Phase::Dialing | Phase::Waiting => {
                self.session.outcome = outcome;
                self.hung_up(now);
            }
            Phase::Leaving if outcome.is_some() => self.session.outcome = outcome,
            Phase::Leaving | Phase::Ended => {}
        }
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

    #[test]
    fn the_answer_names_what_is_left() {
        assert_eq!(unsent_answer(Vec::new()), Ok(Value::Null));
        let unsent = vec![("hello".to_owned(), 2), ("files".to_owned(), 1)];
        let answer =
            json!({ "unsent": [{ "topic": "hello", "count": 2 }, { "topic": "files", "count": 1 }] });
        assert_eq!(unsent_answer(unsent), Ok(answer));
    }
}
