//! Which datagrams reach str0m: checks of ICE, and what comes from an address that such a check has validated.
//!
//! ```text
//!   STUN ──► str0m's agent: user name, password, transaction ─┬─► good ─► the sender is validated
//!                                                             └─► bad ──► refused
//!   DTLS, RTP, RTCP ──► is the sender validated? ─────────────┬─► yes ──► str0m
//!                                                             └─► no ───► refused
//! ```
//!
//! DTLS accepts a plaintext alert until the handshake is over, and str0m passes every DTLS record to it, from any
//! source: one datagram from anywhere would end a connection that is being made. Legitimate peers have always sent a
//! valid check first: a server that checks does it before it nominates, and one that only answers (ICE-lite) sends the
//! answer to ours before anything else. Datagrams that overtake it are sent again by DTLS.
//!
//! A valid check is a request with our user name and password, or the answer to a request of ours with the server's
//! password. No other sender can put an address into the table, so it has room for all addresses that a server may
//! name.

use std::net::SocketAddr;

use super::Protocol;
use crate::limits::VALIDATED_ADDRESSES_MAX;

/// First bytes of STUN messages (RFC 7983 §7).
const STUN: std::ops::RangeInclusive<u8> = 0..=3;

/// Whether a datagram is a STUN message, or nothing at all.
pub(super) fn is_stun(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(|first| STUN.contains(first))
}

/// The addresses that a good check came from, the latest at the end.
#[derive(Debug, Default)]
pub(super) struct Admission {
    validated: heapless::Vec<(Protocol, SocketAddr), VALIDATED_ADDRESSES_MAX>,
}

impl Admission {
    /// A valid check came from this address. If there is no room, the address that was silent longest is removed.
    pub(super) fn validate(&mut self, protocol: Protocol, source: SocketAddr) {
        if self.validated.last() == Some(&(protocol, source)) {
            return;
        }
        self.validated.retain(|known| *known != (protocol, source));
        if self.validated.is_full() {
            self.validated.remove(0);
        }
        // There is room, see above.
        let _ = self.validated.push((protocol, source));
    }

    /// Whether one did.
    pub(super) fn is_validated(&self, protocol: Protocol, source: SocketAddr) -> bool {
        self.validated.contains(&(protocol, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: usize) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], number as u16))
    }

    #[test]
    fn an_address_is_good_for_the_protocol_that_its_check_came_by() {
        let mut admission = Admission::default();
        admission.validate(Protocol::Udp, at(1));
        assert!(admission.is_validated(Protocol::Udp, at(1)));
        assert!(!admission.is_validated(Protocol::Tcp, at(1)));
        assert!(!admission.is_validated(Protocol::Udp, at(2)));
    }

    #[test]
    fn who_was_silent_longest_is_forgotten_first() {
        let mut admission = Admission::default();
        for number in 1..=VALIDATED_ADDRESSES_MAX {
            admission.validate(Protocol::Udp, at(number));
        }
        admission.validate(Protocol::Udp, at(1));
        admission.validate(Protocol::Udp, at(1));
        admission.validate(Protocol::Udp, at(60_000));
        assert!(admission.is_validated(Protocol::Udp, at(1)), "heard again meanwhile");
        assert!(!admission.is_validated(Protocol::Udp, at(2)));
        assert!(admission.is_validated(Protocol::Udp, at(60_000)));
        assert_eq!(admission.validated.len(), VALIDATED_ADDRESSES_MAX);
    }

    #[test]
    fn stun_by_its_first_byte() {
        for (bytes, expected) in
            [(&[][..], true), (&[0, 1], true), (&[1, 1], true), (&[20, 254], false), (&[128], false)]
        {
            assert_eq!(is_stun(bytes), expected, "{bytes:?}");
        }
    }
}
