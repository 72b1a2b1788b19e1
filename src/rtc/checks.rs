//! Our ICE checks that wait for their answers, and the information that an answer holds about the path.
//!
//! ```text
//!   str0m's check leaves ─► [ waiting, ≤ 16 ] ─► its answer ─┬─► the round trip
//!   media leaves: the pair in use                            └─► XOR-MAPPED-ADDRESS of the pair in use: as before, or moved
//! ```
//!
//! A NAT that forgets a mapping gives our next datagram another address. The answer comes back through the new mapping,
//! while the server still sends media to the old one, which nothing passes any more. The address in the answer is the
//! only sign of it. An answer is matched by the 96 random bits of its check and by both addresses, as in `stun.rs`;
//! str0m, which has the key, also verifies it before it uses it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::drain::Transmit;
use super::stun::{self, TransactionId};
use super::{Datagram, Protocol};
use crate::limits::CHECKS_MAX;

/// The checks of one peer connection.
#[derive(Debug, Default)]
pub(super) struct Checks {
    /// The oldest first.
    waiting: heapless::Vec<Check, CHECKS_MAX>,
    /// What media leaves on.
    in_use: Option<Pair>,
    /// How the server saw us on it first, since ICE began.
    mapped: Option<SocketAddr>,
    round_trip: Option<Duration>,
}

/// The result of an answer to a check on the pair in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    /// From the check to its answer.
    pub(super) round_trip: Duration,
    /// Whether the server sees us at another address than when ICE began.
    pub(super) is_moved: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pair {
    ours: SocketAddr,
    server: SocketAddr,
}

#[derive(Debug)]
struct Check {
    id: TransactionId,
    pair: Pair,
    sent_at: Instant,
}

impl Checks {
    /// A datagram leaves.
    pub(super) fn sent(&mut self, transmit: &Transmit, now: Instant) {
        let pair = Pair { ours: transmit.source, server: transmit.destination };
        if let Some(id) = stun::request_id(transmit.bytes()) {
            if self.waiting.is_full() {
                self.waiting.remove(0);
            }
            // There is room now.
            let _ = self.waiting.push(Check { id, pair, sent_at: now });
        } else if !stun::is_stun(transmit.bytes()) && self.in_use != Some(pair) {
            (self.in_use, self.mapped) = (Some(pair), None);
        }
    }

    /// Takes a datagram. Returns the result if it answers a check on the pair in use.
    pub(super) fn answered(&mut self, datagram: &Datagram<'_>, now: Instant) -> Option<Answer> {
        let (id, mapped) = stun::success(datagram.bytes)?;
        let pair = Pair { ours: datagram.destination, server: datagram.source };
        let place = self.waiting.iter().position(|check| check.id == id && check.pair == pair)?;
        let Check { sent_at, .. } = self.waiting.remove(place);
        if self.in_use != Some(pair) {
            return None;
        }
        // The address of a TCP connection lasts as long as the connection.
        let is_moved = datagram.protocol == Protocol::Udp && mapped != *self.mapped.get_or_insert(mapped);
        let round_trip = now.saturating_duration_since(sent_at);
        self.round_trip = Some(self.round_trip.map_or(round_trip, |before| (3 * before + round_trip) / 4));
        Some(Answer { round_trip, is_moved })
    }

    /// Round trips on the pair in use, smoothed.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// ICE restarts: the next answer gives our mapped address from now on.
    pub(super) fn restart(&mut self) {
        self.waiting.clear();
        (self.mapped, self.round_trip) = (None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "10.0.1.2:40000";
    const SERVER: &str = "192.0.2.9:7882";
    const OTHER: &str = "192.0.2.8:7882";

    #[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
    fn base() -> Instant {
        Instant::now()
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn transmit(protocol: Protocol, to: &str, bytes: Vec<u8>) -> Transmit {
        Transmit::new(protocol, at(OURS), at(to), bytes)
    }

    /// A check that is answered by `to` after 20 ms, seen at `port` of 203.0.113.2.
    fn check(checks: &mut Checks, protocol: Protocol, to: &str, port: u16, now: Instant) -> Option<Answer> {
        let id = [checks.waiting.len() as u8; 12];
        checks.sent(&transmit(protocol, to, stun::tests::request(id)), now);
        let bytes = stun::tests::success(id, SocketAddr::from(([203, 0, 113, 2], port)));
        let datagram = Datagram { protocol, source: at(to), destination: at(OURS), bytes: &bytes };
        checks.answered(&datagram, now + Duration::from_millis(20))
    }

    fn with_media(protocol: Protocol, now: Instant) -> Checks {
        let mut checks = Checks::default();
        checks.sent(&transmit(protocol, SERVER, vec![0x80, 111]), now);
        checks
    }

    #[test]
    fn another_address_is_seen_on_the_pair_in_use_only() {
        let now = base();
        let mut checks = with_media(Protocol::Udp, now);
        let moved = |answer: Option<Answer>| answer.map(|answer| answer.is_moved);
        assert_eq!(moved(check(&mut checks, Protocol::Udp, SERVER, 1000, now)), Some(false));
        assert_eq!(moved(check(&mut checks, Protocol::Udp, OTHER, 2000, now)), None);
        assert_eq!(moved(check(&mut checks, Protocol::Udp, SERVER, 1000, now)), Some(false));
        assert_eq!(moved(check(&mut checks, Protocol::Udp, SERVER, 3000, now)), Some(true));
        assert_eq!(moved(check(&mut checks, Protocol::Udp, SERVER, 1000, now)), Some(false), "as before");
        checks.restart();
        assert_eq!(moved(check(&mut checks, Protocol::Udp, SERVER, 3000, now)), Some(false), "begun anew");
    }

    #[test]
    fn a_tcp_connection_does_not_move() {
        let now = base();
        let mut checks = with_media(Protocol::Tcp, now);
        for port in [1000, 2000] {
            let answer = check(&mut checks, Protocol::Tcp, SERVER, port, now).expect("an answer");
            assert_eq!(answer, Answer { round_trip: Duration::from_millis(20), is_moved: false });
        }
    }

    #[test]
    fn nobody_answers_what_was_not_asked() {
        let now = base();
        let mut checks = with_media(Protocol::Udp, now);
        checks.sent(&transmit(Protocol::Udp, SERVER, stun::tests::request([7; 12])), now);
        let bytes = stun::tests::success([7; 12], at("203.0.113.2:1000"));
        let answered = |checks: &mut Checks, source: &str, bytes: &[u8]| {
            let (source, destination) = (at(source), at(OURS));
            checks.answered(&Datagram { protocol: Protocol::Udp, source, destination, bytes }, now)
        };
        assert_eq!(answered(&mut checks, OTHER, &bytes), None, "from another address");
        let stranger = stun::tests::success([8; 12], at("203.0.113.2:1000"));
        assert_eq!(answered(&mut checks, SERVER, &stranger), None, "another number");
        for len in 0..bytes.len() {
            assert_eq!(answered(&mut checks, SERVER, &bytes[..len]), None, "cut off at {len}");
        }
        assert!(answered(&mut checks, SERVER, &bytes).is_some());
        assert_eq!(answered(&mut checks, SERVER, &bytes), None, "answered already");
    }

    #[test]
    fn checks_that_nobody_answers_are_forgotten() {
        let now = base();
        let mut checks = with_media(Protocol::Udp, now);
        for number in 0..100 {
            checks.sent(&transmit(Protocol::Udp, SERVER, stun::tests::request([number; 12])), now);
        }
        assert_eq!(checks.waiting.len(), CHECKS_MAX);
    }
}
