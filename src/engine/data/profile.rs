//! What others see of us: [`OwnProfile`]; requests to the server, and their answers.
//!
//! ```text
//!   update ─► UpdateMetadata ─► … answered ─► Profile, answer of the command      no answer in 5 s: timeout
//!   restore (after a join) ─► what the server does not know yet ─► UpdateMetadata
//! ```
//!
//! Functions: `update`, `restore`, `answered`, `session_lost`, `poll_timeout`, `handle_timeout`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command::{CommandError, Reply, Ticket};
use crate::engine::outbox::Outbox;
use crate::limits::ANSWERS_MAX;
use crate::local::profile::Profile;
use crate::room::Room;
use crate::signal::request::{ProfileChange, Request};
use crate::signal::response::RequestReason;
use crate::time::deadline::Reason;

/// The server answers within a round trip, or not at all (before protocol 14).
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

/// Name, metadata and attributes that were set, and the requests that the server has not answered yet.
pub(in crate::engine) struct OwnProfile {
    profile: Profile,
    last_id: u32,
    open: heapless::Vec<OpenRequest, ANSWERS_MAX>,
}

#[derive(Debug)]
struct OpenRequest {
    id: u32,
    /// `None` if no command waits: the values were sent again to a new session.
    ticket: Option<Ticket>,
    change: ProfileChange,
    until: Instant,
}

impl OwnProfile {
    /// With the attributes of the settings.
    pub(in crate::engine) fn new(attributes: BTreeMap<String, String>) -> OwnProfile {
        OwnProfile { profile: Profile::with_attributes(attributes), last_id: 0, open: heapless::Vec::new() }
    }

    /// Changes name, metadata or attributes; the server may refuse it.
    pub(in crate::engine) fn update(
        &mut self,
        change: ProfileChange,
        has_signal: bool,
        now: Instant,
        out: &mut Outbox,
    ) -> Reply {
        if let Err(error) = Profile::check(&change) {
            return Err(CommandError::usage(error.to_string())).into();
        }
        if !has_signal {
            return Err(CommandError::refused("not connected to the server at the moment")).into();
        }
        let ticket = match out.take_ticket() {
            Ok(ticket) => ticket,
            Err(error) => return Err(error).into(),
        };
        self.ask(change, Some(ticket), now, out);
        Reply::Later(ticket)
    }

    /// After a join: what was set before, and the server does not know.
    pub(in crate::engine) fn restore(&mut self, room: &Room, now: Instant, out: &mut Outbox) {
        let missing =
            room.own().and_then(|own| self.profile.missing(&own.name, &own.metadata, &own.attributes));
        if let Some(change) = missing {
            self.ask(change, None, now, out);
        }
    }

    /// `RequestResponse`; `false` if it is about something else.
    pub(in crate::engine) fn answered(
        &mut self,
        id: u32,
        reason: RequestReason,
        message: &str,
        out: &mut Outbox,
    ) -> bool {
        let Some(place) = self.open.iter().position(|open| open.id == id) else { return false };
        let OpenRequest { ticket, change, .. } = self.open.remove(place);
        let answer = match reason {
            RequestReason::Ok => {
                self.profile.accepted(change);
                Ok(Value::Null)
            }
            reason => Err(CommandError::refused(format!("{}: {message}", reason.words()))),
        };
        match (ticket, answer) {
            (Some(ticket), answer) => out.answer(ticket, answer),
            (None, Err(error)) => {
                out.warn(format!("the server does not take our name or attributes: {error}"))
            }
            (None, Ok(_)) => {}
        }
        true
    }

    /// The session is lost, and with it the answers.
    pub(in crate::engine) fn session_lost(&mut self, out: &mut Outbox) {
        self.close(|_| true, &CommandError::refused("the connection was lost; try again"), out);
    }

    /// When [`OwnProfile::handle_timeout`] is due, and why.
    pub(in crate::engine) fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        self.open.iter().map(|open| open.until).min().map(|at| (at, Reason::Answer))
    }

    /// Ends the requests that were not answered in time.
    pub(in crate::engine) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) {
        if self.poll_timeout().is_some_and(|(at, _)| at <= now) {
            let error = CommandError { code: "timeout", message: "the server has not answered".to_owned() };
            self.close(|open| open.until <= now, &error, out);
        }
    }

    fn ask(&mut self, change: ProfileChange, ticket: Option<Ticket>, now: Instant, out: &mut Outbox) {
        // 0 means that there is no number.
        self.last_id = self.last_id.wrapping_add(1).max(1);
        let (id, until) = (self.last_id, now + ANSWER_PATIENCE);
        // As many places as tickets; the answer to one more request of ours is not awaited.
        let _ = self.open.push(OpenRequest { id, ticket, change: change.clone(), until });
        out.request(&Request::UpdateMetadata { change, request_id: id });
    }

    fn close(&mut self, is_over: impl Fn(&OpenRequest) -> bool, error: &CommandError, out: &mut Outbox) {
        while let Some(place) = self.open.iter().position(&is_over) {
            if let Some(ticket) = self.open.remove(place).ticket {
                out.answer(ticket, Err(error.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::port::Action;

    #[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
    fn base() -> Instant {
        Instant::now()
    }

    fn named(name: &str) -> ProfileChange {
        ProfileChange { name: Some(name.to_owned()), ..ProfileChange::default() }
    }

    #[test]
    fn each_request_is_answered_once_by_the_server_or_by_time() {
        let (now, mut out) = (base(), Outbox::default());
        let mut own = OwnProfile::new(BTreeMap::new());
        assert!(matches!(own.update(named("Door"), false, now, &mut out), Reply::Now(Err(_))));
        assert!(matches!(own.update(named(""), true, now, &mut out), Reply::Now(Err(_))));
        let tickets = ["Door", "Gate", "Hall"].map(|name| {
            let reply = own.update(named(name), true, now, &mut out);
            let Reply::Later(ticket) = reply else { panic!("{reply:?}") };
            assert!(matches!(out.poll_action(), Some(Action::Send(_))));
            ticket
        });
        assert_eq!(own.poll_timeout(), Some((now + ANSWER_PATIENCE, Reason::Answer)));
        assert!(own.answered(1, RequestReason::Ok, "", &mut out));
        assert!(own.answered(2, RequestReason::NotAllowed, "no", &mut out));
        assert!(!own.answered(2, RequestReason::Ok, "", &mut out), "answered before");
        own.handle_timeout(now, &mut out);
        assert_eq!(out.poll_answer(), Some((tickets[0], Ok(Value::Null))));
        assert!(out.poll_answer().is_some_and(|(ticket, answer)| ticket == tickets[1] && answer.is_err()));
        assert_eq!(out.poll_answer(), None);
        own.handle_timeout(now + ANSWER_PATIENCE, &mut out);
        let (ticket, answer) = out.poll_answer().expect("an answer");
        assert!(ticket == tickets[2] && answer.is_err_and(|error| error.code == "timeout"));
        assert_eq!(own.poll_timeout(), None);
        own.update(named("Door"), true, now, &mut out);
        own.session_lost(&mut out);
        assert!(out.poll_answer().is_some_and(|(_, answer)| answer.is_err()));
    }
}
