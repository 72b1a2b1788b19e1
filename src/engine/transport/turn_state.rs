//! When nothing gets through by itself: datagrams over a TURN server.
//!
//! ```text
//!   ICE begins ─► UDP and TCP have 3 s (2 s in a restart) ─► the first TURN server ─► the next each 2 s, round and round
//!       │         (none where only relays are allowed, or one worked before)               │
//!       │                                          name ─► connection (TCP, TLS) ─► allocation ─► candidate, trickled
//!       └──────────────────────── a path is found ◄────────────────────────────────────────┘
//!   3 s later: a relay that carries nothing is given back
//! ```
//!
//! Each peer connection has one relay at most. It stays over ICE restarts: its address is as good as before.
//! Where the server allows relays only (`force_relay`), our own addresses are not told to anybody.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::engine::port::{Action, StreamNotice};
use crate::limits::{DATAGRAM_BYTES_MAX, ICE_SERVERS_MAX, RELAY_WAITING_MAX};
use crate::rtc::{Datagram, Peer, Protocol, Relay, RelayEvent, RelayServer};
use crate::signal::ice_url::{IceProtocol, IceUrl};

/// What UDP and TCP are given: UDP's 2 s, and one more for a TCP connection.
const DIRECT_PATIENCE: Duration = Duration::from_secs(3);

/// The same in an ICE restart.
const DIRECT_PATIENCE_RESTART: Duration = Duration::from_secs(2);

/// What one TURN server is given until there is an allocation: TCP, TLS, a challenge and its answer are four
/// round trips.
const ALLOCATION_PATIENCE: Duration = Duration::from_secs(2);

/// What a relayed address is given until there is a path: a permission, a check and its repetitions.
const PATH_PATIENCE: Duration = Duration::from_secs(3);

/// After a connection to a TURN server was lost, before the next attempt.
const PAUSE: Duration = Duration::from_millis(300);

/// After a path is found DTLS and sound show in less than this whether it goes through the relay.
const VERDICT: Duration = Duration::from_secs(3);

/// How it stands with one peer connection.
#[derive(Default)]
pub(in crate::engine) struct Relaying {
    /// There is no path: when the next TURN server is tried.
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

impl Relaying {
    /// Whether there is an address on a TURN server.
    fn is_allocated(&self) -> bool {
        self.relay.as_ref().is_some_and(|relay| relay.relayed().is_some())
    }

    /// The address on the TURN server that is ours.
    pub(in crate::engine) fn relayed(&self) -> Option<SocketAddr> {
        self.relay.as_ref().and_then(|relay| relay.relayed())
    }

    /// The relay, where a datagram of str0m's has its address as the source.
    pub(in crate::engine) fn carrying(&mut self, source: SocketAddr) -> Option<&mut Relay> {
        self.relay.as_deref_mut().filter(|relay| relay.relayed() == Some(source))
    }
}

impl Engine {
    /// ICE begins, or begins anew.
    pub(in crate::engine) fn relay_begins(&mut self, peer: Peer, was_connected: bool, now: Instant) {
        let is_first_choice = self.transports.is_relay_only || self.transports.relay_worked.is_some();
        let relaying = &mut self.transports.relays[peer as usize];
        let patience = match (relaying.is_allocated(), is_first_choice, was_connected) {
            (true, _, _) => PATH_PATIENCE,
            (_, true, _) => Duration::ZERO,
            (_, _, true) => DIRECT_PATIENCE_RESTART,
            _ => DIRECT_PATIENCE,
        };
        (relaying.try_at, relaying.judge_at, relaying.tried) = (Some(now + patience), None, 0);
    }

    /// ICE has a path, through a relay or not.
    pub(in crate::engine) fn relay_not_needed(&mut self, peer: Peer, now: Instant) {
        let relaying = &mut self.transports.relays[peer as usize];
        relaying.try_at = None;
        relaying.judge_at = relaying.is_allocated().then_some(now + VERDICT);
        if !relaying.is_allocated() {
            self.drop_relay(peer, now);
        }
    }

    /// The server allows relays only, or no longer.
    pub(in crate::engine) fn relay_only_told(&mut self, is_relay_only: bool) {
        if std::mem::replace(&mut self.transports.is_relay_only, is_relay_only) == is_relay_only {
            return;
        }
        for peer in [Peer::Publisher, Peer::Subscriber] {
            for address in self.transports.whereabouts.sockets(peer) {
                self.forget_mapping(peer, address);
                let Some(mut ice) = self.ice(peer) else { continue };
                if is_relay_only {
                    ice.remove_address(address);
                } else if let Some(line) = ice.add_address(address) {
                    self.trickle(peer, line);
                }
            }
        }
    }

    /// Addresses of a TURN server may be known now.
    pub(in crate::engine) fn relay_resolved(&mut self, now: Instant) {
        for peer in [Peer::Publisher, Peer::Subscriber] {
            self.reach_relay(peer, now);
        }
    }

    /// What happened to the connection to a TURN server.
    pub(in crate::engine) fn relay_stream_changed(&mut self, notice: StreamNotice, now: Instant) {
        match notice {
            StreamNotice::Opened { peer, local, .. } => {
                let Some(awaited) = self.transports.relays[peer as usize].awaited.take() else { return };
                self.allocate(peer, awaited.place, local, now);
            }
            StreamNotice::Closed { peer, .. } => self.relay_lost(peer, now),
        }
    }

    /// Whether a datagram came from a TURN server. What it brings goes on to str0m.
    pub(in crate::engine) fn heard_on_relay(
        &mut self,
        peer: Peer,
        datagram: &Datagram<'_>,
        now: Instant,
    ) -> bool {
        let relay =
            self.transports.relays[peer as usize].relay.as_mut().filter(|relay| relay.is_for(datagram));
        let Some(relay) = relay else { return datagram.protocol == Protocol::Turn };
        let mut inner = heapless::Vec::<u8, DATAGRAM_BYTES_MAX>::new();
        let mut sender = None;
        relay.receive(datagram.bytes, now, |source, bytes| {
            sender = inner.extend_from_slice(bytes).is_ok().then_some(source);
        });
        let relayed = relay.relayed();
        self.pump_relay(peer, now);
        if let (Some(source), Some(destination)) = (sender, relayed) {
            let datagram = Datagram { protocol: Protocol::Udp, source, destination, bytes: &inner };
            self.drive(peer, now, Some(datagram));
        }
        true
    }

    /// Sends what the TURN client has to send, and carries out what it tells.
    pub(in crate::engine) fn pump_relay(&mut self, peer: Peer, now: Instant) {
        let Some(relay) = &mut self.transports.relays[peer as usize].relay else { return };
        let mut told = None;
        // An allocation that fails at once has no address worth telling.
        relay.pump(now, |event| told = Some(event));
        let local = relay.local();
        let mut sent = heapless::Vec::<_, { RELAY_WAITING_MAX }>::new();
        sent.extend(std::iter::from_fn(|| relay.poll_transmit()));
        for transmit in sent {
            self.out.transmit(peer, transmit);
        }
        match told {
            Some(RelayEvent::Allocated(relayed)) => {
                let relaying = &mut self.transports.relays[peer as usize];
                relaying.try_at = relaying.try_at.map(|_| now + PATH_PATIENCE);
                if let Some(line) = self.ice(peer).and_then(|mut ice| ice.add_relayed(relayed, local)) {
                    self.trickle(peer, line);
                }
                self.advance(peer, now);
            }
            Some(RelayEvent::Failed) => self.relay_lost(peer, now),
            None => {}
        }
    }

    /// A socket is closed: a relay that was reached by it is gone.
    pub(in crate::engine) fn relay_lost_with(&mut self, peer: Peer, local: SocketAddr, now: Instant) {
        let relay = self.transports.relays[peer as usize].relay.as_ref();
        if relay.is_some_and(|relay| relay.local().ip() == local.ip()) {
            self.drop_relay(peer, now);
        }
    }

    pub(in crate::engine) fn relay_timeout(&self) -> Option<Instant> {
        let due = |relaying: &Relaying| {
            let relay = relaying.relay.as_ref().and_then(|relay| relay.poll_timeout());
            [relaying.try_at, relaying.judge_at, relay].into_iter().flatten().min()
        };
        self.transports.relays.iter().filter_map(due).min()
    }

    /// Does what is due.
    pub(in crate::engine) fn attend_relays(&mut self, now: Instant) {
        for peer in [Peer::Publisher, Peer::Subscriber] {
            let is_due = |at: &mut Instant| *at <= now;
            let relaying = &mut self.transports.relays[peer as usize];
            let relay_is_due = relaying.relay.as_ref().and_then(|relay| relay.poll_timeout());
            if relaying.judge_at.take_if(is_due).is_some() {
                self.judge_relay(peer, now);
            }
            if relay_is_due.is_some_and(|at| at <= now) {
                self.pump_relay(peer, now);
            }
            if self.transports.relays[peer as usize].try_at.take_if(is_due).is_some() {
                self.try_relay(peer, now);
            }
        }
    }

    /// The session is over: addresses on TURN servers are given back.
    pub(in crate::engine) fn drop_relays(&mut self, now: Instant) {
        for peer in [Peer::Publisher, Peer::Subscriber] {
            self.drop_relay(peer, now);
        }
        self.transports.relays = Default::default();
        self.transports.is_relay_only = false;
    }

    fn judge_relay(&mut self, peer: Peer, now: Instant) {
        let relaying = &self.transports.relays[peer as usize];
        if relaying.relay.as_ref().is_some_and(|relay| relay.carries_media()) {
            self.transports.relay_worked.clone_from(&relaying.url);
        } else {
            self.drop_relay(peer, now);
        }
    }

    fn relay_lost(&mut self, peer: Peer, now: Instant) {
        let had_use =
            self.transports.relays[peer as usize].relay.as_ref().is_some_and(|relay| relay.carries_media());
        self.drop_relay(peer, now);
        let relaying = &mut self.transports.relays[peer as usize];
        if relaying.try_at.is_some() || had_use {
            relaying.try_at = Some(now + PAUSE);
        }
    }

    fn try_relay(&mut self, peer: Peer, now: Instant) {
        self.drop_relay(peer, now);
        let places = self.turn_servers(peer);
        let relaying = &mut self.transports.relays[peer as usize];
        // Round and round: what gives up is the join, or the resume.
        let Some(&place) = places.get(relaying.tried % places.len().max(1)) else { return };
        relaying.tried += 1;
        relaying.try_at = Some(now + ALLOCATION_PATIENCE);
        relaying.awaited = Some(Awaited { place, is_dialled: false });
        self.resolve(place);
        self.reach_relay(peer, now);
    }

    /// Goes on where the server's address is known.
    fn reach_relay(&mut self, peer: Peer, now: Instant) {
        let Some(awaited) =
            self.transports.relays[peer as usize].awaited.filter(|awaited| !awaited.is_dialled)
        else {
            return;
        };
        let sockets = self.transports.whereabouts.sockets(peer);
        let Some(server) = self.transports.ice_servers.get(awaited.place) else { return };
        let reach = |address: &SocketAddr| {
            let local = sockets.iter().find(|socket| socket.is_ipv4() == address.is_ipv4())?;
            Some((*address, *local))
        };
        let Some((address, local)) = server.addresses.iter().find_map(reach) else { return };
        let tls_name = (server.url.protocol == IceProtocol::TurnTls).then(|| server.url.host.clone());
        if server.url.protocol == IceProtocol::TurnUdp {
            self.transports.relays[peer as usize].awaited = None;
            self.allocate(peer, awaited.place, local, now);
        } else {
            self.transports.relays[peer as usize].awaited = Some(Awaited { is_dialled: true, ..awaited });
            self.out.act(Action::DialRelay { peer, address, tls_name });
        }
    }

    fn allocate(&mut self, peer: Peer, place: usize, local: SocketAddr, now: Instant) {
        let Some(server) = self.transports.ice_servers.get(place) else { return };
        let is_reachable = |address: &&SocketAddr| address.is_ipv4() == local.is_ipv4();
        let Some(&address) = server.addresses.iter().find(is_reachable) else { return };
        let is_udp = server.url.protocol == IceProtocol::TurnUdp;
        self.transports.relays[peer as usize].url = Some(server.url.clone());
        let server = RelayServer {
            address,
            carrier: if is_udp { Protocol::Udp } else { Protocol::Turn },
            username: server.username.clone(),
            credential: server.credential.clone(),
        };
        self.transports.relays[peer as usize].relay = Some(Box::new(Relay::new(local, &server, now)));
        self.pump_relay(peer, now);
    }

    fn drop_relay(&mut self, peer: Peer, now: Instant) {
        let relaying = &mut self.transports.relays[peer as usize];
        let awaited = relaying.awaited.take();
        let relay = relaying.relay.take();
        if let Some(mut relay) = relay {
            let (relayed, local) = (relay.relayed(), relay.local());
            relay.close(now);
            while let Some(transmit) = relay.poll_transmit() {
                self.out.transmit(peer, transmit);
            }
            if let (Some(relayed), Some(mut ice)) = (relayed, self.ice(peer)) {
                ice.remove_relayed(relayed, local);
            }
        } else if awaited.is_none() {
            return;
        }
        self.out.act(Action::CloseStream(peer, Protocol::Turn));
    }

    /// The places of the TURN servers: the one that has worked comes first, then the others in the server's order,
    /// those over UDP last where no STUN server has answered by UDP.
    fn turn_servers(&self, peer: Peer) -> heapless::Vec<usize, ICE_SERVERS_MAX> {
        let hears_udp = self.hears_udp(peer);
        let rank = |url: &IceUrl| match url.protocol {
            _ if self.transports.relay_worked.as_ref() == Some(url) => 0,
            IceProtocol::TurnUdp if !hears_udp => 2,
            _ => 1,
        };
        let servers = self.transports.ice_servers.iter().enumerate();
        let turn = servers.filter(|(_, server)| server.url.protocol != IceProtocol::Stun);
        let mut places: heapless::Vec<usize, ICE_SERVERS_MAX> = turn.map(|(place, _)| place).collect();
        places.sort_by_key(|&place| rank(&self.transports.ice_servers[place].url));
        places
    }
}
