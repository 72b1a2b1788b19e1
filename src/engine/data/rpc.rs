//! Calls between participants: ours, and those that our application answers: [`Rpc`].
//!
//! ```text
//!   begin ─► request ─► … ack, response ─► event, answer of the command
//!   request of others ─► ack, event ─► … answer ─► response          what is refused: ack, response at once
//! ```
//!
//! A call of an unknown method is refused at once, and so is one that is too large or of another version. The
//! application gets the others (`rpc_invoked`) and answers with a command. A call of ours is answered twice: to the
//! command, and as an event (`rpc_answered`). Packets to send are returned.

use std::time::Instant;

use serde_json::json;

use crate::command::message::{RpcAnswer, RpcCommand};
use crate::command::{CommandError, Ticket};
use crate::data::invocations::{Invocations, Invoked, too_many};
use crate::data::packet::{Content, Outgoing, RpcFault, RpcRequest};
use crate::data::rpc::{Answered, Calls, RESPONSE_TIMEOUT, RpcCode, VERSION, is_known_to};
use crate::engine::outbox::Outbox;
use crate::event::{Event, RpcAnswerFacts, RpcCallFacts};
use crate::limits::{DATA_NAME_BYTES_MAX, RPC_PAYLOAD_BYTES_MAX};
use crate::room::Room;

/// Packets that one packet of others is answered with: the ack, and a response.
const REPLIES_MAX: usize = 2;

/// Calls under way, in both directions.
pub(super) struct Rpc {
    calls: Calls<Ticket>,
    invocations: Invocations,
    /// Those that the application answers.
    methods: Vec<String>,
}

impl Rpc {
    /// No calls yet; `methods` are those that the application answers.
    pub(super) fn new(methods: Vec<String>) -> Rpc {
        Rpc { calls: Calls::default(), invocations: Invocations::default(), methods }
    }

    /// Why a call cannot be made, if it cannot.
    pub(super) fn check(&self, command: &RpcCommand, server: &str, room: &Room) -> Result<(), RpcCode> {
        let RpcCommand { to, method, payload } = command;
        if !is_known_to(server) {
            Err(RpcCode::UnsupportedServer)
        } else if payload.len() > RPC_PAYLOAD_BYTES_MAX {
            Err(RpcCode::RequestPayloadTooLarge)
        } else if !room.participants().any(|participant| participant.identity == *to) {
            Err(RpcCode::RecipientNotFound)
        } else if method.len() > DATA_NAME_BYTES_MAX || !self.calls.has_room() {
            Err(RpcCode::SendFailed)
        } else {
            Ok(())
        }
    }

    /// The call that was checked begins, with the request that was sent; its answer comes under `ticket`.
    pub(super) fn begin(&mut self, id: String, command: &RpcCommand, ticket: Ticket, now: Instant) {
        self.calls.begin(id, &command.to, &command.method, ticket, now);
    }

    /// A call that cannot be made: answered like every call that fails.
    pub(super) fn refuse(command: RpcCommand, code: RpcCode, ticket: Ticket, out: &mut Outbox) {
        let RpcCommand { to, method, .. } = command;
        call_answered(Answered { callee: to, method, kept: ticket, result: Err(code.fault()) }, out);
    }

    /// The application answers a call of another participant. Returns the response to send.
    ///
    /// # Errors
    /// No caller waits for it.
    pub(super) fn answer(&mut self, answer: RpcAnswer) -> Result<Outgoing, CommandError> {
        let RpcAnswer { id, result } = answer;
        let result = result.map_err(|refusal| RpcFault {
            code: refusal.code.unwrap_or(RpcCode::ApplicationError as u32),
            message: refusal.message,
            data: refusal.data,
        });
        let (caller, result) = self
            .invocations
            .answer(&id, result)
            .ok_or_else(|| CommandError::refused("no caller waits for this answer (any more)"))?;
        Ok(response(caller, id, result))
    }

    /// A packet of a call; what it is answered with.
    pub(super) fn handle_packet(
        &mut self,
        sender: &str,
        content: Content,
        now: Instant,
        out: &mut Outbox,
    ) -> heapless::Vec<Outgoing, REPLIES_MAX> {
        match content {
            Content::RpcRequest(request) => return self.called(sender, request, now, out),
            Content::RpcAck { id } => self.calls.acknowledged(sender, &id),
            Content::RpcResponse { id, result } => {
                if let Some(answered) = self.calls.responded(sender, &id, result) {
                    call_answered(answered, out);
                }
            }
            _ => {}
        }
        heapless::Vec::new()
    }

    /// A participant has left: its answers will not come, and it does not wait for ours.
    pub(super) fn participant_left(&mut self, identity: &str, out: &mut Outbox) {
        while let Some(answered) = self.calls.take_lost(Some(identity), RpcCode::RecipientDisconnected) {
            call_answered(answered, out);
        }
        self.invocations.caller_left(Some(identity));
    }

    /// The session is lost: it is unknown whether our calls have arrived.
    pub(super) fn session_lost(&mut self, out: &mut Outbox) {
        while let Some(answered) = self.calls.take_lost(None, RpcCode::ConnectionTimeout) {
            call_answered(answered, out);
        }
        self.invocations.caller_left(None);
    }

    /// When the time of a call is over.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        [self.calls.poll_timeout(), self.invocations.poll_timeout()].into_iter().flatten().min()
    }

    /// Ends calls whose time is over. The response for the next one of others; call it until it gives `None`.
    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) -> Option<Outgoing> {
        while let Some(answered) = self.calls.take_overdue(now) {
            call_answered(answered, out);
        }
        let (caller, id) = self.invocations.take_overdue(now)?;
        out.warn(format!("a call of {caller} was not answered in time"));
        Some(response(caller, id, Err(RpcCode::ResponseTimeout.fault())))
    }

    fn called(
        &mut self,
        caller: &str,
        request: RpcRequest,
        now: Instant,
        out: &mut Outbox,
    ) -> heapless::Vec<Outgoing, REPLIES_MAX> {
        let mut replies = heapless::Vec::new();
        let invoked = self.invocations.begin(caller, &request, &self.methods, now);
        if invoked == Invoked::Repeated {
            return replies;
        }
        let RpcRequest { id, method, payload, .. } = request;
        let ack = Content::RpcAck { id: id.clone() };
        // The ack and one response: there is room for both.
        let _ = replies.push(Outgoing { destinations: vec![caller.to_owned()], content: ack });
        match invoked {
            Invoked::Refused(fault) => _ = replies.push(response(caller.to_owned(), id, Err(fault))),
            Invoked::Accepted { displaced } => {
                if let Some((caller, id)) = displaced {
                    let _ = replies.push(response(caller, id, Err(too_many())));
                }
                let identity = caller.to_owned();
                out.emit(Event::RpcInvoked(RpcCallFacts { identity, id, method, payload }));
            }
            Invoked::Repeated => {}
        }
        replies
    }
}

/// The packet of a call to `command.to`.
pub(super) fn request(id: String, command: &RpcCommand) -> Outgoing {
    let RpcCommand { to, method, payload } = command;
    let request = RpcRequest {
        id,
        method: method.clone(),
        payload: payload.clone(),
        response_timeout_ms: RESPONSE_TIMEOUT.as_millis() as u32,
        version: VERSION,
    };
    Outgoing { destinations: vec![to.clone()], content: Content::RpcRequest(request) }
}

fn response(caller: String, id: String, result: Result<String, RpcFault>) -> Outgoing {
    Outgoing { destinations: vec![caller], content: Content::RpcResponse { id, result } }
}

fn call_answered(answered: Answered<Ticket>, out: &mut Outbox) {
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
    out.answer(kept, answer);
    out.emit(Event::RpcAnswered(RpcAnswerFacts {
        identity: callee,
        method,
        payload,
        code: fault.as_ref().map(|fault| fault.code),
        message: fault.map(|fault| fault.message),
    }));
}
