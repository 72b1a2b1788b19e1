//! Calls between participants: ours, and those that our application answers.
//!
//! A method that nobody registered is refused at once; so is what is too large or of another version. The
//! application hears of the others (`rpc_invoked`) and answers with a command. A call of ours is answered
//! twice: to whoever gave the command, and as an event (`rpc_answered`).

use std::time::Instant;

use serde_json::json;

use crate::command::message::{RpcAnswer, RpcCommand};
use crate::command::{Answer, CommandError, Reply, Ticket};
use crate::data::invocations::{Invocations, Invoked, too_many};
use crate::data::packet::{Content, Outgoing, RpcFault, RpcRequest};
use crate::data::rpc::{Answered, Calls, RESPONSE_TIMEOUT, RpcCode, VERSION, is_known_to};
use crate::engine::Engine;
use crate::event::{Event, RpcAnswerFacts, RpcCallFacts};
use crate::limits::{DATA_NAME_BYTES_MAX, RPC_PAYLOAD_BYTES_MAX};
use crate::time::deadline::Reason;

/// Calls under way, in both directions.
#[derive(Default)]
pub(in crate::engine) struct Rpc {
    calls: Calls<Ticket>,
    invocations: Invocations,
}

impl Engine {
    /// Calls a method of somebody else. What cannot even be sent is answered like everything else that fails.
    pub(in crate::engine) fn call(&mut self, command: RpcCommand, now: Instant) -> Reply {
        let ticket = match self.may_send_data().and_then(|()| self.out.take_ticket()) {
            Ok(ticket) => ticket,
            Err(error) => return Err(error).into(),
        };
        let RpcCommand { to, method, payload } = command;
        let failed = |callee: String, method: String, code: RpcCode| Answered {
            callee,
            method,
            kept: ticket,
            result: Err(code.fault()),
        };
        if let Some(code) = self.cannot_call(&to, &method, &payload) {
            self.call_answered(failed(to, method, code));
            return Reply::Later(ticket);
        }
        let id = self.new_id();
        let request = RpcRequest {
            id: id.clone(),
            method: method.clone(),
            payload,
            response_timeout_ms: RESPONSE_TIMEOUT.as_millis() as u32,
            version: VERSION,
        };
        let outgoing = Outgoing { destinations: vec![to.clone()], content: Content::RpcRequest(request) };
        if self.send_reliable(None, &outgoing, now).is_err() {
            self.call_answered(failed(to, method, RpcCode::SendFailed));
            return Reply::Later(ticket);
        }
        self.data.rpc.calls.begin(id, &to, &method, ticket, now);
        self.await_calls();
        Reply::Later(ticket)
    }

    fn cannot_call(&self, to: &str, method: &str, payload: &str) -> Option<RpcCode> {
        if !is_known_to(self.session.server()) {
            Some(RpcCode::UnsupportedServer)
        } else if payload.len() > RPC_PAYLOAD_BYTES_MAX {
            Some(RpcCode::RequestPayloadTooLarge)
        } else if !self.room.participants().any(|participant| participant.identity == to) {
            Some(RpcCode::RecipientNotFound)
        } else if method.len() > DATA_NAME_BYTES_MAX || !self.data.rpc.calls.has_room() {
            Some(RpcCode::SendFailed)
        } else {
            None
        }
    }

    /// The application answers a call of somebody else.
    pub(in crate::engine) fn answer_call(&mut self, answer: RpcAnswer, now: Instant) -> Answer {
        let RpcAnswer { id, result } = answer;
        let result = result.map_err(|refusal| RpcFault {
            code: refusal.code.unwrap_or(RpcCode::ApplicationError as u32),
            message: refusal.message,
            data: refusal.data,
        });
        let Some((caller, result)) = self.data.rpc.invocations.answer(&id, result) else {
            return Err(CommandError::refused("nobody waits for the answer of this call (any more)"));
        };
        self.await_calls();
        self.respond(caller, id, result, now)?;
        Ok(serde_json::Value::Null)
    }

    pub(in crate::engine) fn rpc_packet(&mut self, sender: &str, content: Content, now: Instant) {
        match content {
            Content::RpcRequest(request) => self.called(sender, request, now),
            Content::RpcAck { id } => self.data.rpc.calls.acknowledged(sender, &id),
            Content::RpcResponse { id, result } => {
                if let Some(answered) = self.data.rpc.calls.responded(sender, &id, result) {
                    self.call_answered(answered);
                }
            }
            _ => {}
        }
        self.await_calls();
    }

    fn called(&mut self, caller: &str, request: RpcRequest, now: Instant) {
        let invoked = self.data.rpc.invocations.begin(caller, &request, &self.settings.rpc_methods, now);
        if invoked == Invoked::Repeated {
            return;
        }
        let RpcRequest { id, method, payload, .. } = request;
        let ack =
            Outgoing { destinations: vec![caller.to_owned()], content: Content::RpcAck { id: id.clone() } };
        // A caller that hears nothing knows by its own time that something is wrong with the path.
        let _ = self.send_reliable(None, &ack, now);
        match invoked {
            Invoked::Refused(fault) => _ = self.respond(caller.to_owned(), id, Err(fault), now),
            Invoked::Accepted { displaced } => {
                if let Some((caller, id)) = displaced {
                    let _ = self.respond(caller, id, Err(too_many()), now);
                }
                let identity = caller.to_owned();
                self.out.emit(Event::RpcInvoked(RpcCallFacts { identity, id, method, payload }));
            }
            Invoked::Repeated => {}
        }
    }

    fn respond(
        &mut self,
        caller: String,
        id: String,
        result: Result<String, RpcFault>,
        now: Instant,
    ) -> Result<(), CommandError> {
        let content = Content::RpcResponse { id, result };
        self.send_reliable(None, &Outgoing { destinations: vec![caller], content }, now)
    }

    fn call_answered(&mut self, answered: Answered<Ticket>) {
        let Answered { callee, method, kept, result } = answered;
        let (payload, fault) = match result {
            Ok(payload) => (Some(payload), None),
            Err(fault) => (None, Some(fault)),
        };
        let answer = match (&payload, &fault) {
            (_, Some(fault)) => {
                Err(CommandError { code: "rpc", message: format!("{} {}", fault.code, fault.message) })
            }
            (payload, None) => Ok(json!({ "payload": payload })),
        };
        self.out.answer(kept, answer);
        self.out.emit(Event::RpcAnswered(RpcAnswerFacts {
            identity: callee,
            method,
            payload,
            code: fault.as_ref().map(|fault| fault.code),
            message: fault.map(|fault| fault.message),
        }));
    }

    /// Calls whose time is over.
    pub(in crate::engine) fn calls_overdue(&mut self, now: Instant) {
        while let Some(answered) = self.data.rpc.calls.take_overdue(now) {
            self.call_answered(answered);
        }
        while let Some((caller, id)) = self.data.rpc.invocations.take_overdue(now) {
            self.out.warn(format!("a call of {caller} was not answered in time"));
            let _ = self.respond(caller, id, Err(RpcCode::ResponseTimeout.fault()), now);
        }
        self.await_calls();
    }

    /// Somebody left, with the answers that we wait for, and with the wish for ours.
    pub(in crate::engine) fn calls_of_gone(&mut self, identity: &str) {
        while let Some(answered) =
            self.data.rpc.calls.take_lost(Some(identity), RpcCode::RecipientDisconnected)
        {
            self.call_answered(answered);
        }
        self.data.rpc.invocations.caller_left(Some(identity));
        self.await_calls();
    }

    /// The session is lost: whether anybody heard our calls nobody knows.
    pub(in crate::engine) fn calls_lost(&mut self) {
        while let Some(answered) = self.data.rpc.calls.take_lost(None, RpcCode::ConnectionTimeout) {
            self.call_answered(answered);
        }
        self.data.rpc.invocations.caller_left(None);
    }

    fn await_calls(&mut self) {
        let Rpc { calls, invocations } = &self.data.rpc;
        match [calls.poll_timeout(), invocations.poll_timeout()].into_iter().flatten().min() {
            Some(at) => self.deadlines.set(Reason::Call, at),
            None => self.deadlines.clear(Reason::Call),
        }
    }
}
