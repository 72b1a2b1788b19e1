//! When each of the server's addresses may be used.
//!
//! Candidates arrive with the offer, after it, and before it. Two rules decide when str0m sees one:
//!
//! 1. Not before the remote description is set: a description that changes the credentials (the
//!    first one, or an ICE restart) clears what came before.
//! 2. On the subscriber of a full-ICE server, on the first connection, not before [`HOLD`] has passed
//!    since the description. The server nominates a pair at once only when our check on it comes
//!    *after* its own has succeeded; when ours comes first it waits for its 200 ms tick. While they
//!    are held, str0m learns each pair from the server's check and answers with one of its own
//!    (RFC 8445 §7.3.1.4), which comes second: ICE completes 1–2 ms after the first datagram. Letting
//!    them go at that first datagram is not enough: with IPv4 and IPv6 the best pair is often
//!    another one. Where the server's checks cannot reach us it costs the hold.
//!
//! ```text
//! trickle ─► [ held, ≤ 32 ] ──described──► (subscriber: 60 ms) ──► str0m
//! ```

use std::time::{Duration, Instant};

use str0m::Candidate;

use crate::limits::{CANDIDATE_BYTES_MAX, CANDIDATES_HELD_MAX};

/// How long candidates are held for the server's own checks.
pub(super) const HOLD: Duration = Duration::from_millis(60);

/// The gate that the server's candidates pass.
#[derive(Debug)]
pub(super) struct Candidates {
    held: heapless::Vec<Candidate, CANDIDATES_HELD_MAX>,
    gate: Gate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
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
        Self { held: heapless::Vec::new(), gate: Gate::Undescribed }
    }

    /// Takes a candidate line of the server (`candidate:…`); `false` if it is unreadable, or one too many.
    pub(super) fn push(&mut self, line: &str) -> bool {
        let candidate = (line.len() <= CANDIDATE_BYTES_MAX).then(|| Candidate::from_sdp_string(line));
        match candidate {
            // Only UDP has a socket here; ICE-TCP candidates would make pairs that never answer.
            Some(Ok(candidate)) if candidate.proto() != str0m::net::Protocol::Udp => true,
            Some(Ok(candidate)) => self.held.push(candidate).is_ok(),
            _ => false,
        }
    }

    /// The remote description is set. `hold` says whether the server shall check first.
    pub(super) fn described(&mut self, hold: bool, now: Instant) {
        if self.gate == Gate::Undescribed {
            self.gate = if hold { Gate::Holding { until: now + HOLD } } else { Gate::Open };
        }
    }

    /// An offer of ours restarts ICE: what comes before its answer is held, or the answer would clear it.
    pub(super) fn restarted(&mut self) {
        self.gate = Gate::Undescribed;
    }

    /// Next candidate that may be used now.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Candidate> {
        if let Gate::Holding { until } = self.gate
            && until <= now
        {
            self.gate = Gate::Open;
        }
        if self.gate == Gate::Open { self.held.pop() } else { None }
    }

    /// When `poll` is due without any other cause.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.gate {
            Gate::Holding { until } => Some(until),
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
        assert!(candidates.poll(now).is_none(), "the TCP one is not for us");
    }

    #[test]
    fn held_for_the_servers_own_checks() {
        let now = base();
        let mut candidates = Candidates::new();
        candidates.described(true, now);
        candidates.push(LINE);
        assert!(candidates.poll(now).is_none());
        assert_eq!(candidates.poll_timeout(), Some(now + HOLD));
        assert!(candidates.poll(now + HOLD).is_some());
        assert_eq!(candidates.poll_timeout(), None);
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
}
