//! How long the server takes to nominate, laid over an ICE agent that would nominate at once.
//!
//! On the subscriber peer connection the server offers and is therefore controlling. pion (ice 4.4.0) nominates
//!
//! - at once, if a check of the client arrives *after* the server's own check has succeeded;
//! - else at its next tick, 200 ms after its checks began and every 200 ms after that;
//! - never before 500 ms to an address that the client named as server-reflexive, and never before 1000 ms to one that
//!   the client did not name at all (peer-reflexive), nor 2000 ms to a relay's;
//! - once only: where the client is heard from another address later (a NAT has moved it), pion answers its checks there,
//!   and sends its own and all media to the pair that it has nominated, until ICE is restarted;
//! - and between an ICE restart and the first pair that is valid again it drops what it is given to write.
//!
//! str0m sends USE-CANDIDATE as soon as its check has succeeded. The [`Gate`] stands between it and the network, holds
//! those requests back until pion would have sent them, and with them the DTLS handshake, which pion starts after the
//! nomination. Only datagrams that leave are ever held; what comes in is only looked at.

use crate::link::Datagram;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// pion's `defaultCheckInterval`.
pub const TICK: Duration = Duration::from_millis(200);
/// pion's `defaultSrflxAcceptanceMinWait`.
pub const REFLEXIVE_WAIT: Duration = Duration::from_millis(500);
/// pion's `defaultPrflxAcceptanceMinWait`.
pub const UNKNOWN_WAIT: Duration = Duration::from_millis(1000);
/// pion's `defaultRelayAcceptanceMinWait`.
pub const RELAY_WAIT: Duration = Duration::from_millis(2000);

/// A DTLS flight is five datagrams; more than this before the nomination is noise.
const HELD_MAX: usize = 64;

/// Holds back what pion would not have sent yet.
#[derive(Debug)]
pub struct Gate {
    state: State,
    /// The first nomination has happened: from then on media need a valid pair only.
    was_open: bool,
    nomination: Option<Datagram>,
    /// Where the nominated pair leads.
    selected: Option<SocketAddr>,
    media: VecDeque<Datagram>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// We are controlled, or nominated: all passes.
    Open,
    /// No check has left yet.
    Waiting,
    /// Our checks run. `valid`: one has succeeded.
    Checking { since: Instant, valid: bool },
    /// The nomination has left and was not answered yet.
    Nominating { transactions: Vec<Vec<u8>> },
    /// An ICE restart was offered and is not answered: the old pairs are gone.
    Restarting,
}

impl Gate {
    /// For a peer connection where the client is controlling: everything passes.
    pub fn open() -> Gate {
        Gate { state: State::Open, was_open: true, nomination: None, selected: None, media: VecDeque::new() }
    }

    /// For a peer connection where we are controlling, before its first check.
    pub fn closed() -> Gate {
        Gate { state: State::Waiting, was_open: false, ..Gate::open() }
    }

    /// We offer an ICE restart.
    pub fn restart(&mut self) {
        self.state = State::Restarting;
        self.nomination = None;
        self.selected = None;
    }

    /// The restart is answered.
    pub fn restarted(&mut self) {
        if self.state == State::Restarting {
            self.state = State::Waiting;
        }
    }

    /// Whether the nomination is done.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// A datagram that our ICE agent, DTLS or SRTP wishes to send; what may leave goes to `out`.
    pub fn outgoing(&mut self, mut datagram: Datagram, now: Instant, out: &mut VecDeque<Datagram>) {
        let stun = Stun::of(&datagram.bytes);
        if stun == Some(Stun::Request { nominates: false }) && self.state == State::Waiting {
            self.state = State::Checking { since: now, valid: false };
        }
        if let (State::Open, Some(selected)) = (&self.state, self.selected)
            && selected != datagram.destination
        {
            match stun {
                Some(Stun::Request { .. }) => return,
                Some(Stun::Response) => {}
                // str0m has nominated the new address.
                None => datagram.destination = selected,
            }
        }
        match (&mut self.state, stun) {
            (State::Open, _) | (_, Some(Stun::Response)) => out.push_back(datagram),
            (State::Restarting, _) => {}
            (State::Nominating { transactions }, Some(Stun::Request { nominates: true })) => {
                transactions.push(transaction_of(&datagram.bytes));
                out.push_back(datagram);
            }
            (_, Some(Stun::Request { nominates: true })) => self.nomination = Some(datagram),
            (_, Some(Stun::Request { nominates: false })) => out.push_back(datagram),
            (State::Checking { valid: true, .. } | State::Nominating { .. }, None) if self.was_open => {
                out.push_back(datagram);
            }
            (_, None) if !self.was_open && self.media.len() < HELD_MAX => self.media.push_back(datagram),
            (_, None) => {}
        }
    }

    /// A datagram that arrived from `source`, after our agent has seen it. `wait` is what its kind of address costs.
    pub fn incoming(
        &mut self,
        bytes: &[u8],
        source: SocketAddr,
        wait: Duration,
        now: Instant,
        out: &mut VecDeque<Datagram>,
    ) {
        match (Stun::of(bytes), &mut self.state) {
            (Some(Stun::Response), State::Checking { valid, .. }) => *valid = true,
            (Some(Stun::Response), State::Nominating { transactions })
                if transactions.contains(&transaction_of(bytes)) =>
            {
                self.state = State::Open;
                self.was_open = true;
                out.append(&mut self.media);
            }
            (Some(Stun::Request { .. }), &mut State::Checking { since, valid: true }) => {
                let same =
                    self.nomination.as_ref().is_some_and(|nomination| nomination.destination == source);
                if same && now >= since + wait {
                    self.nominate(out);
                }
            }
            _ => {}
        }
    }

    /// When the next tick could nominate. `wait` as for [`Gate::incoming`], by the address to be nominated.
    pub fn poll_timeout(&self, wait: impl Fn(SocketAddr) -> Duration) -> Option<Instant> {
        let State::Checking { since, .. } = self.state else { return None };
        let nomination = self.nomination.as_ref()?;
        let earliest = wait(nomination.destination).max(TICK);
        let ticks = earliest.as_millis().div_ceil(TICK.as_millis()) as u32;
        Some(since + TICK * ticks)
    }

    /// Nominates if the tick is due.
    pub fn handle_timeout(
        &mut self,
        wait: impl Fn(SocketAddr) -> Duration,
        now: Instant,
        out: &mut VecDeque<Datagram>,
    ) {
        if self.poll_timeout(wait).is_some_and(|due| due <= now) {
            self.nominate(out);
        }
    }

    fn nominate(&mut self, out: &mut VecDeque<Datagram>) {
        if let Some(nomination) = self.nomination.take() {
            self.state = State::Nominating { transactions: vec![transaction_of(&nomination.bytes)] };
            self.selected = Some(nomination.destination);
            out.push_back(nomination);
        }
    }
}

/// What a datagram is to ICE; `None` is DTLS, SRTP or SRTCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stun {
    Request { nominates: bool },
    Response,
}

impl Stun {
    pub(super) fn of(bytes: &[u8]) -> Option<Stun> {
        match bytes {
            // RFC 7983: the first byte of STUN is 0 to 3; RFC 8489 §5: 0x0001 is a binding request.
            [0, 1, ..] => Some(Stun::Request { nominates: has_attribute(bytes, USE_CANDIDATE) }),
            [0..=3, ..] => Some(Stun::Response),
            _ => None,
        }
    }
}

/// RFC 8445 §16.1.
const USE_CANDIDATE: u16 = 0x0025;

fn has_attribute(bytes: &[u8], wanted: u16) -> bool {
    let mut rest = bytes.get(20..).unwrap_or_default();
    while let [t0, t1, l0, l1, value @ ..] = rest {
        if u16::from_be_bytes([*t0, *t1]) == wanted {
            return true;
        }
        let padded = (u16::from_be_bytes([*l0, *l1]) as usize).next_multiple_of(4);
        rest = value.get(padded..).unwrap_or_default();
    }
    false
}

fn transaction_of(bytes: &[u8]) -> Vec<u8> {
    bytes.get(8..20).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use kinglet::rtc::Protocol;

    const HOST: Duration = Duration::ZERO;

    fn client() -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 2], 5000))
    }

    fn stun(first: [u8; 2], transaction: u8, nominates: bool) -> Datagram {
        let mut bytes = vec![first[0], first[1], 0, 0, 0x21, 0x12, 0xa4, 0x42];
        bytes.extend([transaction; 12]);
        if nominates {
            bytes.extend([0, 0x25, 0, 0]);
        }
        Datagram { protocol: Protocol::Udp, source: client(), destination: client(), bytes }
    }

    fn dtls() -> Datagram {
        Datagram {
            protocol: Protocol::Udp,
            source: client(),
            destination: client(),
            bytes: vec![22, 254, 253],
        }
    }

    #[test]
    fn a_client_that_checks_first_waits_for_the_tick() {
        let clock = Clock::new();
        let (mut gate, mut out) = (Gate::closed(), VecDeque::new());
        gate.incoming(&stun([0, 1], 9, false).bytes, client(), HOST, clock.at_ms(0), &mut out);
        gate.outgoing(stun([0, 1], 1, false), clock.at_ms(1), &mut out);
        gate.incoming(&stun([1, 1], 1, false).bytes, client(), HOST, clock.at_ms(2), &mut out);
        gate.outgoing(stun([0, 1], 2, true), clock.at_ms(2), &mut out);
        gate.outgoing(dtls(), clock.at_ms(2), &mut out);
        assert_eq!(out.len(), 1, "only the first check has left");
        assert_eq!(gate.poll_timeout(|_| HOST), Some(clock.at_ms(201)));
        gate.handle_timeout(|_| HOST, clock.at_ms(201), &mut out);
        assert_eq!(out.len(), 2, "the nomination, but no DTLS");
        gate.incoming(&stun([1, 1], 2, false).bytes, client(), HOST, clock.at_ms(203), &mut out);
        assert!(gate.is_open());
        assert_eq!(out.len(), 3);
    }

    #[test]
    fn a_client_that_checks_second_is_nominated_at_once() {
        let clock = Clock::new();
        let (mut gate, mut out) = (Gate::closed(), VecDeque::new());
        gate.outgoing(stun([0, 1], 1, false), clock.at_ms(1), &mut out);
        gate.incoming(&stun([1, 1], 1, false).bytes, client(), HOST, clock.at_ms(2), &mut out);
        gate.outgoing(stun([0, 1], 2, true), clock.at_ms(2), &mut out);
        gate.incoming(&stun([0, 1], 9, false).bytes, client(), HOST, clock.at_ms(3), &mut out);
        assert_eq!(out.len(), 2);
    }

    #[test]
    fn an_address_that_nobody_named_waits_for_a_second() {
        let clock = Clock::new();
        let (mut gate, mut out) = (Gate::closed(), VecDeque::new());
        gate.outgoing(stun([0, 1], 1, false), clock.at_ms(0), &mut out);
        gate.outgoing(stun([0, 1], 2, true), clock.at_ms(2), &mut out);
        assert_eq!(gate.poll_timeout(|_| UNKNOWN_WAIT), Some(clock.at_ms(1000)));
        assert_eq!(gate.poll_timeout(|_| REFLEXIVE_WAIT), Some(clock.at_ms(600)));
    }

    #[test]
    fn a_pair_is_nominated_once() {
        let clock = Clock::new();
        let (mut gate, mut out) = (Gate::closed(), VecDeque::new());
        gate.outgoing(stun([0, 1], 1, false), clock.at_ms(0), &mut out);
        gate.incoming(&stun([1, 1], 1, false).bytes, client(), HOST, clock.at_ms(1), &mut out);
        gate.outgoing(stun([0, 1], 2, true), clock.at_ms(1), &mut out);
        gate.handle_timeout(|_| HOST, clock.at_ms(200), &mut out);
        gate.incoming(&stun([1, 1], 2, false).bytes, client(), HOST, clock.at_ms(202), &mut out);
        assert!(gate.is_open());
        out.clear();
        let moved = SocketAddr::from(([10, 0, 0, 2], 5001));
        for datagram in [stun([1, 1], 9, false), stun([0, 1], 3, true), dtls()] {
            gate.outgoing(Datagram { destination: moved, ..datagram }, clock.at_ms(300), &mut out);
        }
        let sent: Vec<_> = out.iter().map(|datagram| (datagram.bytes[0], datagram.destination)).collect();
        assert_eq!(sent, [(1, moved), (22, client())], "the answer, and media to where it went before");
    }

    #[test]
    fn a_restart_drops_media_until_a_pair_is_valid() {
        let clock = Clock::new();
        let (mut gate, mut out) = (Gate::open(), VecDeque::new());
        gate.outgoing(dtls(), clock.at_ms(0), &mut out);
        gate.restart();
        gate.outgoing(dtls(), clock.at_ms(1), &mut out);
        gate.restarted();
        gate.outgoing(stun([0, 1], 1, false), clock.at_ms(2), &mut out);
        gate.outgoing(dtls(), clock.at_ms(3), &mut out);
        assert_eq!(out.len(), 2, "one before the restart and one check");
        gate.incoming(&stun([1, 1], 1, false).bytes, client(), HOST, clock.at_ms(4), &mut out);
        gate.outgoing(dtls(), clock.at_ms(5), &mut out);
        assert_eq!(out.len(), 3, "a valid pair is enough, it need not be nominated");
    }
}
