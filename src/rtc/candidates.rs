//! When each of the server's addresses may be used.
//!
//! Candidates arrive with the offer, after it, and before it. Two rules decide when str0m sees one:
//!
//! 1. Not before the remote description is set: a description that changes the credentials (the
//!    first one, or an ICE restart) clears what came before.
//! 2. On the subscriber of a full-ICE server, on the first connection, not before a round trip and
//!    [`HOLD`] have passed since the description. The server nominates a pair at once only when our check on it comes
//!    *after* its own has succeeded; when ours comes first it waits for its 200 ms tick. While they
//!    are held, str0m learns each pair from the server's check and answers with one of its own
//!    (RFC 8445 §7.3.1.4), which comes second: ICE completes 1–2 ms after the first datagram. Letting
//!    them go at that first datagram is not enough: with IPv4 and IPv6 the best pair is often
//!    another one. Where the server's checks cannot reach us it costs the hold.
//!
//! 3. On the subscriber, after an offer that restarts ICE, not before [`RESTART_HOLD`]. The server knows our new
//!    credentials by our answer, and ignores a check that overtakes it; the next one would come 40 ms later.
//!
//! ```text
//! trickle ─► [ held, ≤ 32 ] ──described──► (subscriber: round trip + 60 ms) ──► str0m
//!       └──► [ TCP addresses, ≤ 8 ] ──► `IceTcp` dials them (`engine::transport`)
//! ```
//!
//! TCP candidates are handled separately: str0m gets one when its connection is established, since a pair without one
//! never answers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::Candidate;
use str0m::net::{Protocol, TcpType};

use super::sdp::Description;
use crate::limits::{CANDIDATE_BYTES_MAX, CANDIDATES_MAX, STREAM_ADDRESSES_MAX};

/// How long after the round trip that our answer and its check take candidates are held for the server.
const HOLD: Duration = Duration::from_millis(60);

/// How long an answer may take more than a datagram that is sent with it: TCP, and the server's own queue.
const RESTART_HOLD: Duration = Duration::from_millis(20);

/// A server that was slow to let us in must not be taken for one that is far away.
const ROUND_TRIP_MAX: Duration = Duration::from_millis(400);

/// The gate that the server's candidates pass.
#[derive(Debug)]
pub(super) struct Candidates {
    held: heapless::Vec<Candidate, CANDIDATES_MAX>,
    gate: CandidateGate,
    round_trip: Duration,
    /// How many came in this generation of ICE: str0m keeps all that it is given.
    taken: usize,
    /// The server's user name, which each of its descriptions with new credentials changes.
    ufrag: String,
    /// The address is new to the caller.
    has_begun: bool,
    /// Where the server takes TCP connections, and under which user name.
    streams: heapless::Vec<(SocketAddr, String), STREAM_ADDRESSES_MAX>,
    /// The user name of its last UDP candidate.
    udp: Option<String>,
    /// Its UDP addresses so far.
    told: heapless::Vec<SocketAddr, CANDIDATES_MAX>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CandidateGate {
    /// No description yet.
    Undescribed,
    /// Described; the server checks first.
    Holding {
        until: Instant,
    },
    Open,
}

impl Candidates {
    pub(super) fn new() -> Self {
        Self {
            held: heapless::Vec::new(),
            gate: CandidateGate::Undescribed,
            ufrag: String::new(),
            has_begun: false,
            streams: heapless::Vec::new(),
            udp: None,
            told: heapless::Vec::new(),
            round_trip: Duration::ZERO,
            taken: 0,
        }
    }

    /// Takes a candidate line of the server (`candidate:…`); `false` if it is unreadable, or one too many.
    pub(super) fn push(&mut self, line: &str) -> bool {
        let candidate = (line.len() <= CANDIDATE_BYTES_MAX).then(|| Candidate::from_sdp_string(line));
        match candidate {
            Some(Ok(candidate)) if candidate.proto() == Protocol::Udp => {
                if self.taken >= CANDIDATES_MAX {
                    return false;
                }
                self.taken += 1;
                self.udp = Some(self.ufrag_of(&candidate));
                self.add_told(&candidate);
                self.held.push(candidate).is_ok()
            }
            Some(Ok(candidate)) => {
                self.add_stream(&candidate);
                true
            }
            _ => false,
        }
    }

    /// What a message to the server and its answer take.
    pub(super) fn set_round_trip(&mut self, round_trip: Duration) {
        self.round_trip = round_trip.min(ROUND_TRIP_MAX);
    }

    /// Only a listening address can be dialled (RFC 6544 §4.5); more addresses than are ever tried may be dropped.
    fn add_stream(&mut self, candidate: &Candidate) {
        let stream = (candidate.addr(), self.ufrag_of(candidate));
        if candidate.tcptype() == Some(TcpType::Passive) && !self.streams.contains(&stream) {
            let _ = self.streams.push(stream);
        }
    }

    /// More addresses than can be reported may be dropped.
    fn add_told(&mut self, candidate: &Candidate) {
        if !self.told.contains(&candidate.addr()) {
            let _ = self.told.push(candidate.addr());
        }
    }

    /// A candidate that names no user is the present one's.
    fn ufrag_of(&self, candidate: &Candidate) -> String {
        candidate.ufrag().unwrap_or(&self.ufrag).to_owned()
    }

    /// Where the server takes TCP connections.
    pub(super) fn streams(&self) -> impl Iterator<Item = SocketAddr> {
        self.streams.iter().filter(|(_, ufrag)| *ufrag == self.ufrag).map(|&(address, _)| address)
    }

    /// The server's addresses for datagrams that it has named so far.
    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.told
    }

    /// Whether the server has named a UDP candidate.
    pub(super) fn has_udp(&self) -> bool {
        self.udp.as_ref() == Some(&self.ufrag)
    }

    /// Whether the credentials were renewed since the last call.
    pub(super) fn take_begun(&mut self) -> bool {
        std::mem::take(&mut self.has_begun)
    }

    /// The server's description: its credentials, and candidates in it, of which str0m has taken those for
    /// UDP. `true` if the credentials are new.
    pub(super) fn read(&mut self, description: &Description<'_>) -> bool {
        let is_new = description.ufrag != self.ufrag;
        if is_new {
            self.ufrag = description.ufrag.to_owned();
            self.has_begun = true;
            // str0m forgets the candidates so far.
            self.taken = 0;
            // Candidates may come before their description.
            self.streams.retain(|(_, ufrag)| *ufrag == self.ufrag);
        }
        for line in &description.candidates {
            match Candidate::from_sdp_string(line) {
                Ok(candidate) if candidate.proto() == Protocol::Udp => {
                    self.udp = Some(self.ufrag.clone());
                    self.add_told(&candidate);
                }
                Ok(candidate) => self.add_stream(&candidate),
                Err(_) => {}
            }
        }
        is_new
    }

    /// The remote description is set. `hold` is whether the server must check first.
    pub(super) fn described(&mut self, hold: bool, now: Instant) {
        if self.gate == CandidateGate::Undescribed {
            self.gate = if hold {
                CandidateGate::Holding { until: now + self.round_trip + HOLD }
            } else {
                CandidateGate::Open
            };
        }
    }

    /// An offer of the server restarts ICE: its answer is given a start over our first check.
    pub(super) fn restarted_by_server(&mut self, now: Instant) {
        if self.gate != CandidateGate::Undescribed {
            self.gate = CandidateGate::Holding { until: now + RESTART_HOLD };
        }
    }

    /// An offer of ours restarts ICE: candidates before its answer are held, or the answer would clear them.
    pub(super) fn restarted(&mut self) {
        self.gate = CandidateGate::Undescribed;
        self.taken = 0;
    }

    /// Next candidate that may be used now.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Candidate> {
        if let CandidateGate::Holding { until } = self.gate
            && until <= now
        {
            self.gate = CandidateGate::Open;
        }
        if self.gate == CandidateGate::Open { self.held.pop() } else { None }
    }

    /// When `poll` is due without any other cause.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.gate {
            CandidateGate::Holding { until } => Some(until),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "candidate:2878742611 1 udp 2130706431 127.0.0.1 7882 typ host ufrag X";
    const TCP: &str = "candidate:1 1 tcp 2130706430 127.0.0.1 7881 typ host tcptype passive ufrag X";

    #[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
    fn base() -> Instant {
        Instant::now()
    }

    #[test]
    fn nothing_passes_before_the_description() {
        let now = base();
        let mut candidates = Candidates::new();
        assert!(candidates.push(LINE) && candidates.push(TCP));
        assert!(candidates.poll(now).is_none());
        candidates.described(false, now);
        assert!(candidates.poll(now).is_some());
        assert!(candidates.poll(now).is_none(), "the TCP one goes another way");
        assert_eq!(candidates.streams().count(), 0, "of a user that is not known yet");
        candidates.read(&Description { ufrag: "X", ..Description::default() });
        assert_eq!(candidates.streams().next(), Some(SocketAddr::from(([127, 0, 0, 1], 7881))));
        assert!(candidates.has_udp());
    }

    #[test]
    fn only_addresses_that_listen_are_dialled_and_only_the_newest() {
        let mut candidates = Candidates::new();
        let description = |ufrag, lines: &[&'static str]| Description {
            ufrag,
            candidates: lines.iter().copied().collect(),
            ..Description::default()
        };
        candidates.read(&description("X", &[TCP]));
        assert!(candidates.take_begun() && !candidates.take_begun());
        for line in [TCP, &TCP.replace("passive", "active"), &TCP.replace("passive", "so")] {
            assert!(candidates.push(line));
        }
        assert_eq!((candidates.streams().count(), candidates.has_udp()), (1, false));
        for port in 1..100 {
            candidates.push(&TCP.replace("7881", &port.to_string()));
        }
        assert_eq!(candidates.streams().count(), STREAM_ADDRESSES_MAX);
        candidates.read(&description("Y", &[]));
        assert!(candidates.take_begun());
        assert_eq!(candidates.streams().count(), 0);
        assert!(candidates.push(&TCP.replace(" ufrag X", "")), "of the present user");
        assert_eq!(candidates.streams().count(), 1);
    }

    #[test]
    fn held_for_the_servers_own_checks() {
        let now = base();
        let mut candidates = Candidates::new();
        let round_trip = Duration::from_millis(100);
        candidates.set_round_trip(round_trip);
        candidates.described(true, now);
        candidates.push(LINE);
        assert!(candidates.poll(now).is_none());
        assert_eq!(candidates.poll_timeout(), Some(now + round_trip + HOLD));
        assert!(candidates.poll(now + round_trip + HOLD).is_some());
        assert_eq!(candidates.poll_timeout(), None);
    }

    #[test]
    fn an_answer_to_a_restart_gets_a_start() {
        let now = base();
        let mut candidates = Candidates::new();
        candidates.restarted_by_server(now);
        assert_eq!(candidates.poll_timeout(), None, "the first description has its own rule");
        candidates.described(false, now);
        candidates.restarted_by_server(now);
        candidates.push(LINE);
        assert!(candidates.poll(now).is_none());
        assert_eq!(candidates.poll_timeout(), Some(now + RESTART_HOLD));
        assert!(candidates.poll(now + RESTART_HOLD).is_some());
    }

    #[test]
    fn what_cannot_be_read_or_held_is_refused() {
        let mut candidates = Candidates::new();
        let mut random = fastrand::Rng::with_seed(11);
        let mut refused = 0;
        assert!(!candidates.push("") && !candidates.push(&"x".repeat(CANDIDATE_BYTES_MAX + 1)));
        for _ in 0..10_000 {
            let mut bytes = LINE.as_bytes().to_vec();
            let at = random.usize(0..bytes.len());
            bytes[at] = random.u8(..);
            refused += u32::from(!candidates.push(&String::from_utf8_lossy(&bytes)));
        }
        assert!(candidates.held.is_full());
        assert!(refused > 9_000);
    }

    #[test]
    fn a_flood_ends_with_the_limit_until_ice_begins_anew() {
        let now = base();
        let mut candidates = Candidates::new();
        candidates.described(false, now);
        for ufrag in ["X", "Y"] {
            candidates.read(&Description { ufrag, ..Description::default() });
            let taken =
                (0..10_000).filter(|_| candidates.push(LINE) && candidates.poll(now).is_some()).count();
            assert_eq!(taken, CANDIDATES_MAX);
        }
    }
}
