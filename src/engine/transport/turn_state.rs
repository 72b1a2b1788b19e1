//! Datagrams over a TURN server (RFC 8656), if all direct paths are blocked: [`TurnState`].
//!
//! ```text
//!   ICE begins ─► UDP and TCP have 3 s (2 s in a restart) ─► the first TURN server ─► the next each 2 s, round and round
//!       │         (none if only relays are allowed, or one worked before)               │
//!       │                                          name ─► connection (TCP, TLS) ─► allocation ─► candidate, trickled
//!       └──────────────────────── a path is found ◄────────────────────────────────────────┘
//!   3 s later: a relay that carries nothing is given back
//! ```
//!
//! Each peer connection has one relay at most. It stays over ICE restarts: its address remains valid. If the server
//! allows relays only (`force_relay`), our own addresses are not sent to anybody.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::ice_servers::IceServers;
use crate::engine::outbox::Outbox;
use crate::engine::port::Action;
use crate::limits::{DATAGRAM_BYTES_MAX, RELAY_WAITING_MAX};
use crate::rtc::{Datagram, Ice, Peer, Protocol, Relay, RelayEvent, Transmit};
use crate::signal::ice_url::{IceProtocol, IceUrl};

/// What UDP and TCP are given: UDP's 2 s, and one more for a TCP connection.
const DIRECT_PATIENCE: Duration = Duration::from_secs(3);

/// The same in an ICE restart.
const DIRECT_PATIENCE_RESTART: Duration = Duration::from_secs(2);

/// Time for one TURN server until there is an allocation: TCP, TLS, a challenge and its answer are four round trips.
const ALLOCATION_PATIENCE: Duration = Duration::from_secs(2);

/// What a relayed address is given until there is a path: a permission, a check and its repetitions.
const PATH_PATIENCE: Duration = Duration::from_secs(3);

/// After a connection to a TURN server was lost, before the next attempt.
const PAUSE: Duration = Duration::from_millis(300);

/// After a path is found DTLS and sound show in less than this whether it goes through the relay.
const VERDICT: Duration = Duration::from_secs(3);

/// The address on a TURN server of one peer connection, there, asked for, or due.
#[derive(Default)]
pub(super) struct TurnState {
    /// Without a path: when the next TURN server is tried.
    try_at: Option<Instant>,
    /// There is one: when it is looked whether it goes through the relay.
    judge_at: Option<Instant>,
    /// TURN servers tried since ICE began.
    tried: usize,
    /// The server whose address or connection is waited for.
    awaited: Option<Awaited>,
    relay: Option<Box<Relay>>,
    /// Where that is.
    url: Option<IceUrl>,
}

#[derive(Clone, Copy)]
struct Awaited {
    place: usize,
    is_dialled: bool,
}

/// The bytes of a datagram that came through a relay.
pub(super) type Inner = heapless::Vec<u8, DATAGRAM_BYTES_MAX>;

/// What a datagram means for the relay.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Relayed {
    /// It does not come from a TURN server.
    NotOurs,
    /// It is a message of the TURN server. [`TurnState::pump`] follows.
    Message,
    /// The same, with a datagram for our address on it.
    Datagram {
        /// Address of the sender.
        source: SocketAddr,
        /// Our address on the TURN server.
        destination: SocketAddr,
    },
}

impl TurnState {
    /// Our address on the TURN server.
    pub(super) fn relayed(&self) -> Option<SocketAddr> {
        self.relay.as_ref().and_then(|relay| relay.relayed())
    }

    /// ICE starts, or restarts.
    pub(super) fn begin(&mut self, is_first_choice: bool, was_connected: bool, now: Instant) {
        let patience = match (self.relayed().is_some(), is_first_choice, was_connected) {
            (true, _, _) => PATH_PATIENCE,
            (_, true, _) => Duration::ZERO,
            (_, _, true) => DIRECT_PATIENCE_RESTART,
            _ => DIRECT_PATIENCE,
        };
        (self.try_at, self.judge_at, self.tried) = (Some(now + patience), None, 0);
    }

    /// ICE has a path, through a relay or not.
    pub(super) fn path_found(&mut self, peer: Peer, ice: &mut Ice<'_>, now: Instant, out: &mut Outbox) {
        let is_allocated = self.relayed().is_some();
        self.try_at = None;
        self.judge_at = is_allocated.then_some(now + VERDICT);
        if !is_allocated {
            self.give_back(peer, ice, now, out);
        }
    }

    /// The connection to a TURN server is there. [`TurnState::pump`] must follow.
    pub(super) fn connected(&mut self, local: SocketAddr, servers: &IceServers, now: Instant) {
        if let Some(awaited) = self.awaited.take() {
            self.allocate(awaited.place, local, servers, now);
        }
    }

    /// The address or the connection to its server is gone.
    pub(super) fn lost(&mut self, peer: Peer, ice: &mut Ice<'_>, now: Instant, out: &mut Outbox) {
        let had_use = self.relay.as_ref().is_some_and(|relay| relay.carries_media());
        self.give_back(peer, ice, now, out);
        if self.try_at.is_some() || had_use {
            self.try_at = Some(now + PAUSE);
        }
    }

    /// A socket is closed: a relay that was reached by it is gone.
    pub(super) fn socket_closed(
        &mut self,
        local: SocketAddr,
        peer: Peer,
        ice: &mut Ice<'_>,
        now: Instant,
        out: &mut Outbox,
    ) {
        if self.relay.as_ref().is_some_and(|relay| relay.local().ip() == local.ip()) {
            self.give_back(peer, ice, now, out);
        }
    }

    /// Takes a datagram, where it comes from a TURN server; what it brings is put into `inner`.
    pub(super) fn handle(&mut self, datagram: &Datagram<'_>, inner: &mut Inner, now: Instant) -> Relayed {
        let Some(relay) = self.relay.as_mut().filter(|relay| relay.is_for(datagram)) else {
            return match datagram.protocol {
                Protocol::Turn => Relayed::Message,
                Protocol::Udp | Protocol::Tcp => Relayed::NotOurs,
            };
        };
        let mut sender = None;
        relay.receive(datagram.bytes, now, |source, bytes| {
            sender = inner.extend_from_slice(bytes).is_ok().then_some(source);
        });
        match (sender, relay.relayed()) {
            (Some(source), Some(destination)) => Relayed::Datagram { source, destination },
            _ => Relayed::Message,
        }
    }

    /// Sends a datagram of str0m's, through the relay where its source is an address there.
    pub(super) fn transmit(&mut self, peer: Peer, transmit: Transmit, now: Instant, out: &mut Outbox) {
        let relay = self.relay.as_deref_mut().filter(|relay| relay.relayed() == Some(transmit.source));
        let Some(relay) = relay else { return out.transmit(peer, transmit) };
        relay.send(transmit.destination, transmit.bytes(), now);
        while let Some(wrapped) = relay.poll_transmit() {
            out.transmit(peer, wrapped);
        }
    }

    /// Sends what the TURN client has to send. The candidate of a new address is returned, to be trickled.
    pub(super) fn pump(
        &mut self,
        peer: Peer,
        ice: &mut Ice<'_>,
        now: Instant,
        out: &mut Outbox,
    ) -> Option<Allocated> {
        let relay = self.relay.as_mut()?;
        let mut change = None;
        // An allocation that fails at once has no address worth a candidate.
        relay.pump(now, |event| change = Some(event));
        let local = relay.local();
        let mut sent = heapless::Vec::<_, { RELAY_WAITING_MAX }>::new();
        sent.extend(std::iter::from_fn(|| relay.poll_transmit()));
        for transmit in sent {
            out.transmit(peer, transmit);
        }
        match change? {
            RelayEvent::Allocated(relayed) => {
                self.try_at = self.try_at.map(|_| now + PATH_PATIENCE);
                Some(Allocated { candidate: ice.add_relayed(relayed, local) })
            }
            RelayEvent::Failed => {
                self.lost(peer, ice, now, out);
                None
            }
        }
    }

    /// When the TURN client, or the next server, is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let relay = self.relay.as_ref().and_then(|relay| relay.poll_timeout());
        [self.try_at, self.judge_at, relay].into_iter().flatten().min()
    }

    /// Whether [`TurnState::pump`] is due.
    pub(super) fn is_relay_due(&self, now: Instant) -> bool {
        let due = self.relay.as_ref().and_then(|relay| relay.poll_timeout());
        due.is_some_and(|at| at <= now)
    }

    /// Keeps a relay that the sound goes through, and gives another one back, where that is to be decided now.
    pub(super) fn judge(
        &mut self,
        peer: Peer,
        servers: &mut IceServers,
        ice: &mut Ice<'_>,
        now: Instant,
        out: &mut Outbox,
    ) {
        if self.judge_at.take_if(|at| *at <= now).is_none() {
            return;
        }
        if self.relay.as_ref().is_some_and(|relay| relay.carries_media()) {
            servers.set_worked(self.url.clone());
        } else {
            self.give_back(peer, ice, now, out);
        }
    }

    /// Whether [`TurnState::try_next`] is due.
    pub(super) fn is_next_due(&self, now: Instant) -> bool {
        self.try_at.is_some_and(|at| at <= now)
    }

    /// Selects the next TURN server of those at `places`; returns its place. Its name must be looked up, and
    /// [`TurnState::reach`] must follow.
    pub(super) fn try_next(
        &mut self,
        peer: Peer,
        places: &[usize],
        ice: &mut Ice<'_>,
        now: Instant,
        out: &mut Outbox,
    ) -> Option<usize> {
        self.try_at = None;
        self.give_back(peer, ice, now, out);
        // Round and round: what gives up is the join, or the resume.
        let &place = places.get(self.tried % places.len().max(1))?;
        self.tried += 1;
        self.try_at = Some(now + ALLOCATION_PATIENCE);
        self.awaited = Some(Awaited { place, is_dialled: false });
        Some(place)
    }

    /// Continues if the address of the server is known. [`TurnState::pump`] must follow.
    pub(super) fn reach(
        &mut self,
        peer: Peer,
        sockets: &[SocketAddr],
        servers: &IceServers,
        now: Instant,
        out: &mut Outbox,
    ) {
        let Some(awaited) = self.awaited.filter(|awaited| !awaited.is_dialled) else { return };
        let Some(server) = servers.get(awaited.place) else { return };
        let Some((address, local)) = server.reach(sockets) else { return };
        let IceUrl { protocol, host, .. } = server.url();
        if *protocol == IceProtocol::TurnUdp {
            self.awaited = None;
            self.allocate(awaited.place, local, servers, now);
        } else {
            self.awaited = Some(Awaited { is_dialled: true, ..awaited });
            let tls_name = (*protocol == IceProtocol::TurnTls).then(|| host.clone());
            out.act(Action::DialRelay { peer, address, tls_name });
        }
    }

    /// The session is over: the address is given back. What it takes is sent to the TURN server.
    pub(super) fn close(&mut self, peer: Peer, now: Instant, out: &mut Outbox) {
        if self.relay.is_none() && self.awaited.is_none() {
            return;
        }
        if let Some(relay) = &mut self.relay {
            relay.close(now);
            while let Some(transmit) = relay.poll_transmit() {
                out.transmit(peer, transmit);
            }
        }
        (self.relay, self.awaited) = (None, None);
        out.act(Action::CloseStream(peer, Protocol::Turn));
    }

    fn give_back(&mut self, peer: Peer, ice: &mut Ice<'_>, now: Instant, out: &mut Outbox) {
        let candidate = self.relay.as_ref().and_then(|relay| Some((relay.relayed()?, relay.local())));
        self.close(peer, now, out);
        if let Some((relayed, local)) = candidate {
            ice.remove_relayed(relayed, local);
        }
    }

    fn allocate(&mut self, place: usize, local: SocketAddr, servers: &IceServers, now: Instant) {
        let Some(server) = servers.get(place) else { return };
        let Some(address) = server.address_for(local) else { return };
        self.url = Some(server.url().clone());
        self.relay = Some(Box::new(Relay::new(local, &server.relay_server(address), now)));
    }
}

/// There is an address on the TURN server.
pub(super) struct Allocated {
    /// The relay's candidate, to be trickled if the server does not have it.
    pub candidate: Option<String>,
}
