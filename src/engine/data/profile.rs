//! What others see of us: requests to the server, and their answers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command::{CommandError, Reply, Ticket};
use crate::engine::Engine;
use crate::limits::ANSWERS_MAX;
use crate::local::profile::Profile;
use crate::signal::request::{ProfileChange, Request};
use crate::signal::response::RequestReason;
use crate::time::deadline::Reason;

/// The server answers within a round trip, or not at all (before protocol 14).
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

/// What others see of us.
pub(in crate::engine) struct OwnProfile {
    pub(in crate::engine) profile: Profile,
    pub(in crate::engine) profile_requests: ProfileRequests,
}

impl OwnProfile {
    /// With the attributes of the settings.
    pub(in crate::engine) fn new(attributes: BTreeMap<String, String>) -> OwnProfile {
        OwnProfile {
            profile: Profile::with_attributes(attributes),
            profile_requests: ProfileRequests::default(),
        }
    }
}

/// Requests that the server has not answered yet.
#[derive(Debug, Default)]
pub(in crate::engine) struct ProfileRequests {
    last_id: u32,
    open: heapless::Vec<OpenRequest, ANSWERS_MAX>,
}

#[derive(Debug)]
struct OpenRequest {
    id: u32,
    /// `None` where nobody waits: what a new session had to be told again.
    ticket: Option<Ticket>,
    change: ProfileChange,
    until: Instant,
}

impl Engine {
    /// Changes name, metadata or attributes; the server may refuse it.
    pub(in crate::engine) fn update_profile(&mut self, change: ProfileChange, now: Instant) -> Reply {
        if let Err(error) = Profile::check(&change) {
            return Err(CommandError::usage(error.to_string())).into();
        }
        if !self.session.has_signal() {
            return Err(CommandError::refused("not connected to the server at the moment")).into();
        }
        let ticket = match self.out.take_ticket() {
            Ok(ticket) => ticket,
            Err(error) => return Err(error).into(),
        };
        self.ask(change, Some(ticket), now);
        Reply::Later(ticket)
    }

    /// After a join: what was set before, and the server does not know.
    pub(in crate::engine) fn restore_profile(&mut self, now: Instant) {
        let missing = self
            .room
            .own()
            .and_then(|own| self.own.profile.missing(&own.name, &own.metadata, &own.attributes));
        if let Some(change) = missing {
            self.ask(change, None, now);
        }
    }

    /// `RequestResponse`; `false` if it is about something else.
    pub(in crate::engine) fn answered_profile(
        &mut self,
        id: u32,
        reason: RequestReason,
        message: &str,
    ) -> bool {
        let Some(place) = self.own.profile_requests.open.iter().position(|open| open.id == id) else {
            return false;
        };
        let OpenRequest { ticket, change, .. } = self.own.profile_requests.open.remove(place);
        self.await_answers();
        let answer = match reason {
            RequestReason::Ok => {
                self.own.profile.accepted(change);
                Ok(Value::Null)
            }
            reason => Err(CommandError::refused(format!("{}: {message}", reason.words()))),
        };
        match (ticket, answer) {
            (Some(ticket), answer) => self.out.answer(ticket, answer),
            (None, Err(error)) => {
                self.out.warn(format!("the server does not take our name or attributes: {error}"))
            }
            (None, Ok(_)) => {}
        }
        true
    }

    /// Time has run out for some.
    pub(in crate::engine) fn requests_unanswered(&mut self, now: Instant) {
        self.close_requests(
            |open| open.until <= now,
            CommandError { code: "timeout", message: "the server has not answered".to_owned() },
        );
        self.await_answers();
    }

    /// The session is gone, and with it whoever could have answered.
    pub(in crate::engine) fn requests_lost(&mut self) {
        self.close_requests(|_| true, CommandError::refused("the connection was lost; say it again"));
    }

    fn ask(&mut self, change: ProfileChange, ticket: Option<Ticket>, now: Instant) {
        let requests = &mut self.own.profile_requests;
        // 0 stands for no number.
        requests.last_id = requests.last_id.wrapping_add(1).max(1);
        let (id, until) = (requests.last_id, now + ANSWER_PATIENCE);
        let open = OpenRequest { id, ticket, change: change.clone(), until };
        // As many places as tickets; one more of ours is asked without listening for the answer.
        let _ = requests.open.push(open);
        self.out.request(&Request::UpdateMetadata { change, request_id: id });
        self.await_answers();
    }

    fn await_answers(&mut self) {
        match self.own.profile_requests.open.iter().map(|open| open.until).min() {
            Some(until) => self.deadlines.set(Reason::Answer, until),
            None => self.deadlines.clear(Reason::Answer),
        }
    }

    fn close_requests(&mut self, is_over: impl Fn(&OpenRequest) -> bool, error: CommandError) {
        while let Some(place) = self.own.profile_requests.open.iter().position(&is_over) {
            let closed = self.own.profile_requests.open.remove(place);
            if let Some(ticket) = closed.ticket {
                self.out.answer(ticket, Err(error.clone()));
            }
        }
    }
}
