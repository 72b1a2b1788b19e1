//! Calls of others that our application works on (RPC version 1).
//!
//! A call is never carried out twice: the numbers of the last ones are remembered. A call that the application cannot
//! answer is answered at once, with LiveKit's codes. One caller may have all places only as long as no other caller
//! needs one: then its oldest call is refused.

#![expect(
    clippy::indexing_slicing,
    reason = "places come from a search of the same table, or number its fixed entries"
)]

use std::time::{Duration, Instant};

use super::fair;
use super::packet::{RpcFault, RpcRequest};
use super::rpc::{RESPONSE_TIMEOUT, RpcCode, VERSION, bounded};
use crate::limits::{RPC_PAYLOAD_BYTES_MAX, RPC_PENDING_MAX, RPC_REMEMBERED_MAX};

/// The longest time that a call is kept open, even if the caller requests more.
const RESPONSE_TIMEOUT_MAX: Duration = Duration::from_secs(120);

/// What follows from a call of another participant.
#[derive(Debug, PartialEq, Eq)]
pub enum Invoked {
    /// Nothing: it was here before.
    Repeated,
    /// This answer, at once.
    Refused(RpcFault),
    /// The application. Where there was no place, the call of this caller and id made room, and is refused.
    Accepted {
        /// Caller and id.
        displaced: Option<(String, String)>,
    },
}

/// The calls of others that our application works on.
#[derive(Debug, Default)]
pub struct Invocations {
    pending: heapless::Vec<Invocation, RPC_PENDING_MAX>,
    /// Caller and number of the last calls, the oldest first.
    remembered: heapless::Vec<(String, String), RPC_REMEMBERED_MAX>,
}

#[derive(Debug)]
struct Invocation {
    caller: String,
    id: String,
    answer_by: Instant,
}

impl Invocations {
    /// A participant calls; `methods` are those of the application.
    pub fn begin(&mut self, caller: &str, request: &RpcRequest, methods: &[String], now: Instant) -> Invoked {
        if self.remembered.iter().any(|(who, id)| *id == request.id && who == caller) {
            return Invoked::Repeated;
        }
        if self.remembered.is_full() {
            // A flood of one caller makes room for itself: calls of the others are still known.
            let callers = self.remembered.iter().map(|(caller, _)| caller);
            if let Some(place) = fair::first_of_largest(callers) {
                self.remembered.remove(place);
            }
        }
        // There is room for one now.
        let _ = self.remembered.push((caller.to_owned(), request.id.clone()));
        if request.version != VERSION {
            return Invoked::Refused(RpcCode::UnsupportedVersion.fault());
        }
        if request.payload.len() > RPC_PAYLOAD_BYTES_MAX {
            return Invoked::Refused(RpcCode::RequestPayloadTooLarge.fault());
        }
        if !methods.contains(&request.method) {
            return Invoked::Refused(RpcCode::UnsupportedMethod.fault());
        }
        let patience = match request.response_timeout_ms {
            0 => RESPONSE_TIMEOUT,
            ms => Duration::from_millis(u64::from(ms)).min(RESPONSE_TIMEOUT_MAX),
        };
        let invocation =
            Invocation { caller: caller.to_owned(), id: request.id.clone(), answer_by: now + patience };
        let mut displaced = None;
        if self.pending.is_full() {
            let callers = || self.pending.iter().map(|pending| &pending.caller);
            let own = fair::share(callers(), &invocation.caller);
            let place = fair::first_of_largest(callers());
            let place = place.filter(|place| fair::share(callers(), &self.pending[*place].caller) >= own + 2);
            let Some(place) = place else { return Invoked::Refused(too_many()) };
            let Invocation { caller, id, .. } = self.pending.remove(place);
            displaced = Some((caller, id));
        }
        // There is room, see above.
        let _ = self.pending.push(invocation);
        Invoked::Accepted { displaced }
    }

    /// The application answers the call of this number. Returns the caller, and the packet to send; `None` if no caller
    /// waits for it any more.
    pub fn answer(
        &mut self,
        id: &str,
        result: Result<String, RpcFault>,
    ) -> Option<(String, Result<String, RpcFault>)> {
        let place = self.pending.iter().position(|invocation| invocation.id == id)?;
        let caller = self.pending.remove(place).caller;
        let result = match result {
            Ok(payload) if payload.len() > RPC_PAYLOAD_BYTES_MAX => {
                Err(RpcCode::ResponsePayloadTooLarge.fault())
            }
            Err(fault) => Err(bounded(fault)),
            result => result,
        };
        Some((caller, result))
    }

    /// The next call that the application did not answer in time: the caller and its number.
    pub fn take_overdue(&mut self, now: Instant) -> Option<(String, String)> {
        let place = self.pending.iter().position(|invocation| invocation.answer_by <= now)?;
        let Invocation { caller, id, .. } = self.pending.remove(place);
        Some((caller, id))
    }

    /// Drops the calls of participants that are gone (`None`: of all).
    pub fn caller_left(&mut self, caller: Option<&str>) {
        self.pending.retain(|invocation| caller.is_some_and(|caller| invocation.caller != caller));
    }

    /// When [`Invocations::take_overdue`] has something.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.pending.iter().map(|invocation| invocation.answer_by).min()
    }
}

/// What a caller hears whose call has no place.
pub fn too_many() -> RpcFault {
    RpcFault { message: "too many calls at once".to_owned(), ..RpcCode::ApplicationError.fault() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCEPTED: Invoked = Invoked::Accepted { displaced: None };

    #[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
    fn base() -> Instant {
        Instant::now()
    }

    fn request(id: &str, method: &str) -> RpcRequest {
        let (id, method) = (id.to_owned(), method.to_owned());
        RpcRequest { id, method, payload: String::new(), response_timeout_ms: 0, version: 1 }
    }

    #[test]
    fn an_invocation_runs_once_and_is_answered_once() {
        let now = base();
        let methods = ["open".to_owned()];
        let mut invocations = Invocations::default();
        assert_eq!(invocations.begin("anna", &request("1", "open"), &methods, now), ACCEPTED);
        assert_eq!(invocations.begin("anna", &request("1", "open"), &methods, now), Invoked::Repeated);
        assert_eq!(invocations.answer("1", Ok("done".into())), Some(("anna".into(), Ok("done".into()))));
        assert_eq!(invocations.answer("1", Ok("again".into())), None);
        assert_eq!(invocations.begin("anna", &request("1", "open"), &methods, now), Invoked::Repeated);
        let refused = |invoked| match invoked {
            Invoked::Refused(fault) => fault.code,
            other => panic!("{other:?}"),
        };
        let newer = RpcRequest { version: 2, ..request("2", "open") };
        assert_eq!(refused(invocations.begin("anna", &newer, &methods, now)), 1404);
        assert_eq!(refused(invocations.begin("anna", &request("3", "close"), &methods, now)), 1400);
        let payload = "x".repeat(RPC_PAYLOAD_BYTES_MAX + 1);
        let large = RpcRequest { payload, ..request("4", "open") };
        assert_eq!(refused(invocations.begin("anna", &large, &methods, now)), 1402);
    }

    #[test]
    fn a_flood_of_one_caller_forgets_no_call_of_another() {
        let now = base();
        let methods = ["open".to_owned()];
        let mut invocations = Invocations::default();
        assert_eq!(invocations.begin("anna", &request("1", "open"), &methods, now), ACCEPTED);
        for number in 0..10 * RPC_REMEMBERED_MAX {
            invocations.begin("bert", &request(&number.to_string(), "open"), &methods, now);
        }
        assert_eq!(invocations.begin("anna", &request("1", "open"), &methods, now), Invoked::Repeated);
    }

    #[test]
    fn a_flood_of_calls_is_bounded_and_late_ones_are_let_go() {
        let now = base();
        let methods = ["open".to_owned()];
        let mut invocations = Invocations::default();
        let accepted = (0..1000).filter(|number| {
            let request = request(&number.to_string(), "open");
            invocations.begin("anna", &request, &methods, now) == ACCEPTED
        });
        assert_eq!(accepted.count(), RPC_PENDING_MAX, "one caller, while there is no other");
        for number in 0..RPC_PENDING_MAX - 1 {
            let request = request(&number.to_string(), "open");
            let displaced = Some(("anna".to_owned(), number.to_string()));
            let invoked = invocations.begin(&format!("caller-{number}"), &request, &methods, now);
            assert_eq!(invoked, Invoked::Accepted { displaced }, "the oldest of hers makes room");
        }
        let last = invocations.begin("last", &request("last", "open"), &methods, now);
        assert_eq!(last, Invoked::Refused(too_many()), "each has one");
        let mut late = 0;
        while invocations.take_overdue(now + RESPONSE_TIMEOUT).is_some() {
            late += 1;
        }
        assert_eq!(late, RPC_PENDING_MAX);
        let large = Ok("x".repeat(RPC_PAYLOAD_BYTES_MAX + 1));
        invocations.begin("anna", &request("last", "open"), &methods, now);
        assert_eq!(invocations.answer("last", large).and_then(|(_, r)| r.err()).map(|f| f.code), Some(1504));
    }
}
