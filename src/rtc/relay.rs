//! An address on a TURN server (RFC 8656): datagrams pass through it if there is no other path.
//!
//! ```text
//!   str0m ─ from the relayed address ─► send ─► Send indication, or 4 bytes of a channel ─► TURN server ─► LiveKit
//!   str0m ◄─ to the relayed address ── receive ◄────────────────────────────────────────── TURN server ◄─ LiveKit
//! ```
//!
//! `turn-client-proto` speaks the protocol: allocation, credentials, refreshes, permissions. A permission
//! is asked for with the first datagram to an address, which waits for it; a channel with the first one that is no
//! check, since only the nominated pair gets those. To a server that is reached by TCP or TLS the same
//! messages go, in the frames of `framing.rs`: the client's own buffer for streams knows no padding behind
//! the data of a channel, and so loses its place.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use turn_client_proto::api::{
    Transmit as TurnTransmit, TurnClientApi, TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet,
};
use turn_client_proto::types::prelude::DelayedTransmitBuild;
use turn_client_proto::types::{AddressFamily, Instant as TurnInstant, TransportType, TurnCredentials};
use turn_client_proto::udp::TurnClientUdp;

use super::{Datagram, Protocol, Transmit};
use crate::limits::{RELAY_CHANNELS_MAX, RELAY_PEERS_MAX, RELAY_WAITING_MAX};
use crate::signal::secret::Secret;

/// Over UDP a request is repeated after 0.5, 1.5 and 3.5 s; another server is tried before that is over.
const RTO: Duration = Duration::from_millis(500);
const RTO_MAX: Duration = Duration::from_secs(2);
const REQUESTS_MAX: u32 = 5;

/// What the last request, and over TCP the only one, is given.
const LAST_WAIT: Duration = Duration::from_secs(8);

/// The server to ask, and how it knows us.
#[derive(Debug, Clone)]
pub struct RelayServer {
    /// Address of the TURN server.
    pub address: SocketAddr,
    /// What carries the messages: UDP, or a connection in TURN's frames.
    pub carrier: Protocol,
    /// User name of the long-term credential.
    pub username: String,
    /// Password of the long-term credential.
    pub credential: Secret,
}

/// What has become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayEvent {
    /// Datagrams from and to this address go through the server.
    Allocated(SocketAddr),
    /// There is no such address, or not any more.
    Failed,
}

/// One allocation, or the attempt to get one.
pub struct Relay {
    client: TurnClientUdp,
    carrier: Protocol,
    epoch: Instant,
    relayed: Option<SocketAddr>,
    has_failed: bool,
    /// Addresses that may send to us, or were asked to be.
    peers: heapless::Vec<IpAddr, RELAY_PEERS_MAX>,
    channels: heapless::Vec<SocketAddr, RELAY_CHANNELS_MAX>,
    /// What waits for its permission.
    waiting: heapless::Deque<(SocketAddr, Vec<u8>), RELAY_WAITING_MAX>,
    transmits: heapless::Deque<Transmit, RELAY_WAITING_MAX>,
    next_at: Instant,
}

impl Relay {
    /// Requests an allocation, from our address `local`. `pump` must follow.
    pub fn new(local: SocketAddr, server: &RelayServer, now: Instant) -> Self {
        let credentials = TurnCredentials::new(&server.username, server.credential.reveal());
        let mut config = TurnConfig::new(credentials);
        // The LiveKit server has the family that the TURN server's own address has, as a rule.
        let is_v4 = server.address.is_ipv4();
        config.set_address_family(if is_v4 { AddressFamily::IPV4 } else { AddressFamily::IPV6 });
        let (rto, requests) = match server.carrier {
            Protocol::Udp => (RTO, REQUESTS_MAX),
            Protocol::Tcp | Protocol::Turn => (Duration::ZERO, 1),
        };
        config.set_request_retransmits(rto, RTO_MAX, requests, LAST_WAIT);
        Self {
            client: TurnClientUdp::allocate(local, server.address, config),
            carrier: server.carrier,
            epoch: now,
            relayed: None,
            has_failed: false,
            peers: heapless::Vec::new(),
            channels: heapless::Vec::new(),
            waiting: heapless::Deque::new(),
            transmits: heapless::Deque::new(),
            next_at: now,
        }
    }

    /// The relayed address, while there is one.
    pub fn relayed(&self) -> Option<SocketAddr> {
        self.relayed.filter(|_| !self.has_failed)
    }

    /// Our address towards the TURN server.
    pub fn local(&self) -> SocketAddr {
        self.client.local_addr()
    }

    /// Whether it carries more than checks.
    pub fn carries_media(&self) -> bool {
        !self.channels.is_empty()
    }

    /// Whether a datagram comes from the TURN server.
    pub fn is_for(&self, datagram: &Datagram<'_>) -> bool {
        (datagram.protocol, datagram.source, datagram.destination)
            == (self.carrier, self.client.remote_addr(), self.client.local_addr())
    }

    /// Takes a message of the TURN server; what a peer has sent is given to `sink`, with its sender. `pump` must follow.
    pub fn receive(&mut self, bytes: &[u8], now: Instant, sink: impl FnOnce(SocketAddr, &[u8])) {
        let (remote, local) = (self.client.remote_addr(), self.client.local_addr());
        let message = TurnTransmit::new(bytes, TransportType::Udp, remote, local);
        if let TurnRecvRet::PeerData(data) = self.client.recv(message, self.turn_time(now)) {
            sink(data.peer, data.data());
        }
    }

    /// Sends a datagram to a peer. `pump` must follow.
    pub fn send(&mut self, to: SocketAddr, bytes: &[u8], now: Instant) {
        let time = self.turn_time(now);
        if !self.client.have_permission(TransportType::Udp, to.ip()) {
            let is_asked = self.peers.contains(&to.ip());
            if is_asked || self.peers.push(to.ip()).is_ok() {
                // Past the table the oldest is lost, as it would be on a network that is slow.
                if self.waiting.is_full() {
                    self.waiting.pop_front();
                }
                let _ = self.waiting.push_back((to, bytes.to_vec()));
            }
            if !is_asked {
                // An existing one is not an error.
                let _ = self.client.create_permission(TransportType::Udp, to.ip(), time);
            }
            return;
        }
        // RFC 7983: the first byte of STUN is 0 to 3.
        let is_check = matches!(bytes, [0..=3, ..]);
        if !is_check && !self.channels.contains(&to) && self.channels.push(to).is_ok() {
            let _ = self.client.bind_channel(TransportType::Udp, to, time);
        }
        if let Ok(Some(built)) = self.client.send_to(TransportType::Udp, to, bytes, time) {
            self.queue(built.data.build());
        }
    }

    /// Gives the address back. What it takes is in `poll_transmit`.
    pub fn close(&mut self, now: Instant) {
        if self.client.delete(self.turn_time(now)).is_ok() {
            self.pump(now, |_| {});
        }
        self.has_failed = true;
    }

    /// Does what is due, and reports what has happened.
    pub fn pump(&mut self, now: Instant, mut tell: impl FnMut(RelayEvent)) {
        let time = self.turn_time(now);
        let is_closed = match self.client.poll(time) {
            TurnPollRet::WaitUntil(_) => false,
            TurnPollRet::Closed => true,
            // TCP to the peer is never asked for.
            TurnPollRet::AllocateTcpSocket { .. } | TurnPollRet::TcpClose { .. } => false,
        };
        while let Some(event) = self.client.poll_event() {
            match event {
                TurnEvent::AllocationCreated(_, relayed) => {
                    self.relayed = Some(relayed);
                    tell(RelayEvent::Allocated(relayed));
                }
                TurnEvent::AllocationCreateFailed(_) => self.fail(&mut tell),
                TurnEvent::PermissionCreated(_, ip) => self.send_waiting(ip, now),
                // A server may forbid some addresses: their pairs fail.
                TurnEvent::PermissionCreateFailed(..) => {}
                TurnEvent::ChannelCreated(..) | TurnEvent::ChannelCreateFailed(..) => {}
                TurnEvent::TcpConnected(_) | TurnEvent::TcpConnectFailed(_) => {}
            }
        }
        // An allocation that has run out is gone without an event.
        if is_closed || self.relayed.is_some() && self.client.relayed_addresses().next().is_none() {
            self.fail(&mut tell);
        }
        while !self.transmits.is_full()
            && let Some(transmit) = self.client.poll_transmit(time)
        {
            self.queue(transmit.data.to_vec());
        }
        self.next_at = match self.client.poll(time) {
            TurnPollRet::WaitUntil(at) => {
                // At once is soon: what cannot go on at this instant is asked again in a millisecond.
                let wait = at.saturating_duration_since(time).max(Duration::from_millis(1));
                now + wait
            }
            _ => now + LAST_WAIT,
        };
    }

    /// The next datagram to the TURN server.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// When `pump` is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        (!self.has_failed).then_some(self.next_at)
    }

    fn fail(&mut self, tell: &mut impl FnMut(RelayEvent)) {
        if !std::mem::replace(&mut self.has_failed, true) {
            tell(RelayEvent::Failed);
        }
    }

    fn send_waiting(&mut self, ip: IpAddr, now: Instant) {
        for _ in 0..self.waiting.len() {
            match self.waiting.pop_front() {
                Some((to, bytes)) if to.ip() == ip => self.send(to, &bytes, now),
                Some(other) => _ = self.waiting.push_back(other),
                None => {}
            }
        }
    }

    fn queue(&mut self, bytes: Vec<u8>) {
        let (source, destination) = (self.client.local_addr(), self.client.remote_addr());
        // A full queue is a full network.
        let _ = self.transmits.push_back(Transmit::new(self.carrier, source, destination, bytes));
    }

    fn turn_time(&self, now: Instant) -> TurnInstant {
        let elapsed = now.saturating_duration_since(self.epoch);
        // 292 years of nanoseconds.
        TurnInstant::from_nanos(i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX))
    }
}
