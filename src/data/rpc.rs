//! Calls between participants (RPC version 1), and the side that makes them ([`Calls`]). The side that
//! answers is `invocations.rs`.
//!
//! ```text
//!   caller                                   callee
//!   request ───────────────────────────────► known before? ignored
//!      │ ◄──────────────────────────── ack     │ at once
//!      │  none in 7 s: 1501                    ▼ the application works
//!      ◄─────────────────────── response ──────┘ nothing by the caller's time: 1502
//!         none in 15 s: 1502
//! ```
//!
//! Only the called participant can answer. Codes are LiveKit's; those of an application pass through.

#![expect(
    clippy::indexing_slicing,
    reason = "places come from a search of the same table, or number its fixed entries"
)]

use std::time::{Duration, Instant};

use super::packet::RpcFault;
use crate::limits::{RPC_MESSAGE_BYTES_MAX, RPC_PAYLOAD_BYTES_MAX, RPC_PENDING_MAX};

/// Time in which the callee must acknowledge the call.
const ACK_PATIENCE: Duration = Duration::from_secs(7);

/// Timeout of a call that does not set one.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(15);

/// The version of the protocol that we speak.
pub const VERSION: u32 = 1;

/// Why a call failed, as LiveKit numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
#[allow(missing_docs, reason = "the names are the protocol's")]
pub enum RpcCode {
    UnsupportedMethod = 1400,
    RecipientNotFound = 1401,
    RequestPayloadTooLarge = 1402,
    UnsupportedServer = 1403,
    UnsupportedVersion = 1404,
    ApplicationError = 1500,
    ConnectionTimeout = 1501,
    ResponseTimeout = 1502,
    RecipientDisconnected = 1503,
    ResponsePayloadTooLarge = 1504,
    SendFailed = 1505,
}

impl RpcCode {
    /// The failure with the usual words.
    pub fn fault(self) -> RpcFault {
        let message = match self {
            RpcCode::UnsupportedMethod => "Method not supported at destination",
            RpcCode::RecipientNotFound => "Recipient not found",
            RpcCode::RequestPayloadTooLarge => "Request payload too large",
            RpcCode::UnsupportedServer => "RPC not supported by server",
            RpcCode::UnsupportedVersion => "Unsupported RPC version",
            RpcCode::ApplicationError => "Application error in method handler",
            RpcCode::ConnectionTimeout => "Connection timeout",
            RpcCode::ResponseTimeout => "Response timeout",
            RpcCode::RecipientDisconnected => "Recipient disconnected",
            RpcCode::ResponsePayloadTooLarge => "Response payload too large",
            RpcCode::SendFailed => "Failed to send",
        };
        RpcFault { code: self as u32, message: message.to_owned(), data: String::new() }
    }
}

/// Whether a server of this name and version (`LiveKit 1.13.5`) passes calls on: from 1.8.0 on. One whose
/// version cannot be read is believed to.
pub fn is_known_to(server: &str) -> bool {
    let version = server.rsplit(' ').next().unwrap_or_default();
    let mut numbers = version.split('.').map(|part| part.parse::<u32>());
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (1, 8),
        _ => true,
    }
}

/// The result of a call of ours. `T` is what the engine keeps with the call.
#[derive(Debug, PartialEq)]
pub struct Answered<T> {
    /// Identity of the callee.
    pub callee: String,
    /// The method that was called.
    pub method: String,
    /// What is kept with it.
    pub kept: T,
    /// The answer, or why there is none.
    pub result: Result<String, RpcFault>,
}

/// The calls that we made and that are not answered yet.
#[derive(Debug)]
pub struct Calls<T> {
    pending: heapless::Vec<Call<T>, RPC_PENDING_MAX>,
}

#[derive(Debug)]
struct Call<T> {
    id: String,
    callee: String,
    method: String,
    kept: T,
    /// Until when it must be heard of; `None` once it was.
    ack_by: Option<Instant>,
    response_by: Instant,
}

impl<T> Default for Calls<T> {
    fn default() -> Self {
        Self { pending: heapless::Vec::new() }
    }
}

impl<T> Calls<T> {
    /// Whether another call can be made.
    pub fn has_room(&self) -> bool {
        !self.pending.is_full()
    }

    /// A call is made; [`Calls::has_room`] was asked before.
    pub fn begin(&mut self, id: String, callee: &str, method: &str, kept: T, now: Instant) -> RpcCall {
        let call = Call {
            id: id.clone(),
            callee: callee.to_owned(),
            method: method.to_owned(),
            kept,
            ack_by: Some(now + ACK_PATIENCE),
            response_by: now + RESPONSE_TIMEOUT,
        };
        let is_kept = self.pending.push(call).is_ok();
        RpcCall { id, is_kept }
    }

    /// `callee` acknowledges the call.
    pub fn acknowledged(&mut self, callee: &str, id: &str) {
        if let Some(call) = self.pending.iter_mut().find(|call| call.id == id && call.callee == callee) {
            call.ack_by = None;
        }
    }

    /// `callee` answers.
    pub fn responded(
        &mut self,
        callee: &str,
        id: &str,
        result: Result<String, RpcFault>,
    ) -> Option<Answered<T>> {
        let place = self.pending.iter().position(|call| call.id == id && call.callee == callee)?;
        let result = match result {
            Ok(payload) if payload.len() > RPC_PAYLOAD_BYTES_MAX => {
                Err(RpcCode::ResponsePayloadTooLarge.fault())
            }
            Err(fault) => Err(bounded(fault)),
            result => result,
        };
        Some(self.end(place, result))
    }

    /// The next call whose time is over.
    pub fn take_overdue(&mut self, now: Instant) -> Option<Answered<T>> {
        let place = self.pending.iter().position(|call| call.due() <= now)?;
        let is_unheard = self.pending[place].ack_by.is_some_and(|by| by <= now);
        let code = if is_unheard { RpcCode::ConnectionTimeout } else { RpcCode::ResponseTimeout };
        Some(self.end(place, Err(code.fault())))
    }

    /// The next call to a participant that is gone (`None`: to any), which fails with `code`.
    pub fn take_lost(&mut self, callee: Option<&str>, code: RpcCode) -> Option<Answered<T>> {
        let place = self.pending.iter().position(|call| callee.is_none_or(|callee| call.callee == callee))?;
        Some(self.end(place, Err(code.fault())))
    }

    /// When [`Calls::take_overdue`] has something.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.pending.iter().map(Call::due).min()
    }

    fn end(&mut self, place: usize, result: Result<String, RpcFault>) -> Answered<T> {
        let Call { callee, method, kept, .. } = self.pending.remove(place);
        Answered { callee, method, kept, result }
    }
}

impl<T> Call<T> {
    fn due(&self) -> Instant {
        self.ack_by.map_or(self.response_by, |by| by.min(self.response_by))
    }
}

/// A call that was begun.
#[derive(Debug, PartialEq, Eq)]
pub struct RpcCall {
    /// Id of the call.
    pub id: String,
    /// Whether there was room for it.
    pub is_kept: bool,
}

/// Texts past a limit are cut: a failure must be reported all the same.
pub(super) fn bounded(fault: RpcFault) -> RpcFault {
    let cut = |mut text: String, bytes_max: usize| {
        let end = (0..=bytes_max.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text
    };
    let RpcFault { code, message, data } = fault;
    RpcFault { code, message: cut(message, RPC_MESSAGE_BYTES_MAX), data: cut(data, RPC_PAYLOAD_BYTES_MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
    fn base() -> Instant {
        Instant::now()
    }

    fn code<T>(answered: Option<Answered<T>>) -> Option<u32> {
        answered.and_then(|answered| answered.result.err()).map(|fault| fault.code)
    }

    #[test]
    fn a_call_ends_once_by_whoever_was_called_or_by_time() {
        let now = base();
        let mut calls = Calls::default();
        for id in ["a", "b", "c", "d"] {
            calls.begin(id.to_owned(), "door", "open", (), now);
        }
        assert!(calls.responded("window", "a", Ok("forged".into())).is_none());
        let answered = calls.responded("door", "a", Ok("done".into())).expect("answered");
        assert_eq!(answered.result, Ok("done".to_owned()));
        assert!(calls.responded("door", "a", Ok("again".into())).is_none());
        calls.acknowledged("window", "b");
        calls.acknowledged("door", "c");
        let large = "x".repeat(RPC_PAYLOAD_BYTES_MAX + 1);
        assert_eq!(code(calls.responded("door", "d", Ok(large))), Some(1504));
        assert!(calls.take_overdue(now + Duration::from_millis(6_999)).is_none());
        assert_eq!(calls.poll_timeout(), Some(now + ACK_PATIENCE));
        assert_eq!(code(calls.take_overdue(now + ACK_PATIENCE)), Some(1501), "b has not acknowledged");
        assert!(calls.take_overdue(now + ACK_PATIENCE).is_none());
        assert_eq!(code(calls.take_overdue(now + RESPONSE_TIMEOUT)), Some(1502));
        calls.begin("e".into(), "door", "open", (), now);
        assert!(calls.take_lost(Some("window"), RpcCode::RecipientDisconnected).is_none());
        assert_eq!(code(calls.take_lost(Some("door"), RpcCode::RecipientDisconnected)), Some(1503));
        assert_eq!(calls.poll_timeout(), None);
    }

    #[test]
    fn the_seventeenth_call_has_to_wait() {
        let now = base();
        let mut calls = Calls::default();
        let kept = (0..100).filter(|n| calls.begin(n.to_string(), "door", "open", (), now).is_kept).count();
        assert_eq!((kept, calls.has_room()), (RPC_PENDING_MAX, false));
    }

    #[test]
    fn old_servers_are_known_by_their_version() {
        for (server, expected) in [
            ("LiveKit 1.13.5", true),
            ("LiveKit 1.8.0", true),
            ("LiveKit 1.7.9", false),
            ("LiveKit Cloud 0.9", false),
            ("LiveKit ", true),
            ("", true),
        ] {
            assert_eq!(is_known_to(server), expected, "{server}");
        }
    }

    #[test]
    fn long_words_of_a_failure_are_cut_between_characters() {
        let fault = bounded(RpcFault { code: 7, message: "€".repeat(200), data: "x".repeat(20_000) });
        assert_eq!((fault.message.len(), fault.data.len()), (255, RPC_PAYLOAD_BYTES_MAX));
    }
}
