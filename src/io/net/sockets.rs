//! The sockets of both peer connections: UDP on each of our addresses, one TCP connection each to the server and
//! one to a TURN server where that is asked for.
//!
//! ```text
//!   udp.rs ──────────┐
//!                    ├─► Arrived ─► engine ─► Transmit ─► the socket that has its source address
//!   media_stream.rs ─┘
//! ```

#![expect(
    clippy::indexing_slicing,
    reason = "places come from a search of the same table, or number its fixed entries"
)]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;
use std::rc::Rc;
use std::sync::Arc;

use rustls::ClientConfig;

use super::media_stream::{MediaStream, StreamState};
use super::udp::{UdpPort, local_addresses};
use crate::engine::StreamNotice;
use crate::engine::turn::Arrived;
use crate::io::runtime::clock;
use crate::io::runtime::reactor::{Interest, Reactor};
use crate::limits::{LOCAL_ADDRESSES_MAX, STREAMS_MAX};
use crate::rtc::{Peer, Protocol, Transmit};

/// All of them.
pub struct Sockets {
    reactor: Rc<Reactor>,
    ports: heapless::Vec<UdpPort, { 2 * LOCAL_ADDRESSES_MAX }>,
    next_port: usize,
    /// For each peer connection one to the server, then one for each to a TURN server.
    streams: [Option<Watched>; STREAMS_MAX],
}

/// A TCP connection, its interest, and its reported state.
struct Watched {
    stream: MediaStream,
    interest: Interest,
    is_open: bool,
}

impl Sockets {
    /// A set without sockets.
    pub fn new(reactor: &Rc<Reactor>) -> Self {
        let reactor = reactor.clone();
        Self { reactor, ports: heapless::Vec::new(), next_port: 0, streams: [const { None }; STREAMS_MAX] }
    }

    /// Whether one of them has this descriptor.
    pub fn holds(&self, fd: RawFd) -> bool {
        self.ports.iter().any(|port| port.raw_fd() == fd)
            || self.streams.iter().flatten().any(|watched| watched.stream.raw_fd() == fd)
    }

    /// Opens UDP sockets for `peer` on each of our addresses; those that are open already stay, those of
    /// vanished addresses are closed. All their addresses, that of the signal connection first.
    pub fn open(
        &mut self,
        peer: Peer,
        signal: Option<IpAddr>,
    ) -> heapless::Vec<SocketAddr, LOCAL_ADDRESSES_MAX> {
        let wanted = signal.map(local_addresses).unwrap_or_default();
        self.close_ports(|port| port.peer == peer && !wanted.contains(&port.address.ip()));
        let mut addresses = heapless::Vec::new();
        for ip in wanted {
            let is_there = |port: &&UdpPort| port.peer == peer && port.address.ip() == ip;
            if let Some(port) = self.ports.iter().find(is_there) {
                let _ = addresses.push(port.address);
                continue;
            }
            // An address that vanished meanwhile is simply not offered.
            let Ok(port) = UdpPort::bind(peer, ip) else { continue };
            if self.reactor.watch(port.raw_fd(), Interest::Read).is_ok() {
                let _ = addresses.push(port.address);
                let _ = self.ports.push(port);
            }
        }
        addresses
    }

    /// Closes everything of `peer`.
    pub fn close(&mut self, peer: Peer) {
        self.close_ports(|port| port.peer == peer);
        self.close_stream(peer, Protocol::Tcp);
        self.close_stream(peer, Protocol::Turn);
    }

    /// Begins a TCP connection.
    pub fn dial_stream(&mut self, peer: Peer, remote: SocketAddr) {
        self.close_stream(peer, Protocol::Tcp);
        self.keep_stream(MediaStream::dial(peer, remote));
    }

    /// Begins a connection to a TURN server, with TLS where a name is given.
    pub fn dial_relay(&mut self, peer: Peer, remote: SocketAddr, tls: Option<(&str, Arc<ClientConfig>)>) {
        self.close_stream(peer, Protocol::Turn);
        self.keep_stream(MediaStream::dial_relay(peer, remote, tls));
    }

    fn keep_stream(&mut self, stream: io::Result<MediaStream>) {
        // Without a route, the next address is tried when the time of this one is over.
        let Ok(stream) = stream else { return };
        let interest = stream.interest();
        if self.reactor.watch(stream.raw_fd(), interest).is_ok() {
            let place = place_of(stream.peer, stream.protocol);
            self.streams[place] = Some(Watched { stream, interest, is_open: false });
        }
    }

    /// Closes the connection of `peer` that carries this.
    pub fn close_stream(&mut self, peer: Peer, protocol: Protocol) {
        if let Some(watched) = self.streams[place_of(peer, protocol)].take() {
            self.reactor.unwatch(watched.stream.raw_fd());
        }
    }

    /// After a wait: which UDP sockets have something. A turn is taken for each block of sound too, and most of those
    /// find no datagram.
    pub fn note_ready(&mut self) {
        for port in &mut self.ports {
            port.is_ready |= self.reactor.was_ready(port.raw_fd());
        }
    }

    /// Next datagram, if there is one.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Option<Arrived> {
        // Each call begins behind the socket that had the last word: a flood on one starves none.
        for turn in 0..self.ports.len() {
            let index = (self.next_port + turn) % self.ports.len();
            let port = &mut self.ports[index];
            if let Some((len, source, age)) = port.receive(buffer) {
                self.next_port = index + 1;
                let now = clock::now();
                let (peer, protocol, destination) = (port.peer, Protocol::Udp, port.address);
                let arrival = now.checked_sub(age).unwrap_or(now);
                return Some(Arrived { peer, protocol, source, destination, len, arrival });
            }
        }
        for Watched { stream, .. } in self.streams.iter_mut().flatten() {
            let StreamState::Open(destination) = stream.poll_state() else { continue };
            if let Some(len) = stream.receive(buffer) {
                let (peer, protocol, source) = (stream.peer, stream.protocol, stream.remote);
                return Some(Arrived { peer, protocol, source, destination, len, arrival: clock::now() });
            }
        }
        None
    }

    /// Next change of a TCP connection, if there is one.
    pub fn stream_changed(&mut self) -> Option<StreamNotice> {
        for place in 0..self.streams.len() {
            let Some(watched) = &mut self.streams[place] else { continue };
            let (peer, protocol) = (watched.stream.peer, watched.stream.protocol);
            match watched.stream.poll_state() {
                StreamState::Connecting => self.rewatch(place),
                StreamState::Open(local) if !watched.is_open => {
                    watched.is_open = true;
                    self.rewatch(place);
                    return Some(StreamNotice::Opened { peer, protocol, local });
                }
                StreamState::Open(_) => self.rewatch(place),
                StreamState::Ended => {
                    self.close_stream(peer, protocol);
                    return Some(StreamNotice::Closed { peer, protocol });
                }
            }
        }
        None
    }

    /// Sends a datagram. What the kernel or the queue does not take is lost as on any network.
    pub fn transmit(&mut self, peer: Peer, transmit: &Transmit) {
        match transmit.protocol {
            Protocol::Udp => {
                let is_source = |port: &&UdpPort| port.peer == peer && port.address == transmit.source;
                if let Some(port) = self.ports.iter().find(is_source) {
                    port.send(transmit.destination, transmit.bytes());
                }
            }
            Protocol::Tcp | Protocol::Turn => {
                let place = place_of(peer, transmit.protocol);
                let Some(watched) = &mut self.streams[place] else { return };
                if watched.stream.poll_state() == StreamState::Open(transmit.source) {
                    watched.stream.send(transmit.bytes());
                    self.rewatch(place);
                }
            }
        }
    }

    /// Discards the sound that waits in connections of `peer`; datagrams wait nowhere.
    pub fn discard_sound(&mut self, peer: Peer) {
        for watched in self.streams.iter_mut().flatten().filter(|watched| watched.stream.peer == peer) {
            watched.stream.discard_sound();
        }
    }

    /// Ends all watches; descriptors close by themselves.
    pub fn finish(&mut self) {
        for peer in [Peer::Publisher, Peer::Subscriber] {
            self.close(peer);
        }
    }

    fn close_ports(&mut self, is_over: impl Fn(&UdpPort) -> bool) {
        for port in self.ports.iter().filter(|port| is_over(port)) {
            self.reactor.unwatch(port.raw_fd());
        }
        self.ports.retain(|port| !is_over(port));
    }

    fn rewatch(&mut self, place: usize) {
        let Some(watched) = &mut self.streams[place] else { return };
        let (fd, interest) = (watched.stream.raw_fd(), watched.stream.interest());
        if std::mem::replace(&mut watched.interest, interest) != interest {
            self.reactor.unwatch(fd);
            // What cannot be watched is looked at in each turn anyway.
            let _ = self.reactor.watch(fd, interest);
        }
    }
}

fn place_of(peer: Peer, protocol: Protocol) -> usize {
    peer as usize + if protocol == Protocol::Turn { 2 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn only_sockets_that_were_ready_are_read() {
        let reactor = Reactor::new().expect("a poller");
        let mut sockets = Sockets::new(&reactor);
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let ours = sockets.open(Peer::Publisher, Some(loopback))[0];
        let other = sockets.open(Peer::Subscriber, Some(loopback))[0];
        let mut buffer = [0; 64];
        assert!(sockets.receive(&mut buffer).is_none());
        let friend = std::net::UdpSocket::bind((loopback, 0)).expect("a socket");
        friend.send_to(b"hello", ours).expect("sent");
        assert!(sockets.receive(&mut buffer).is_none(), "the reactor has not waited yet");
        let now = clock::now();
        reactor.wait(Some(now + Duration::from_secs(20)), now).expect("waits");
        sockets.note_ready();
        let ready = |sockets: &Sockets, address| {
            sockets.ports.iter().find(|port| port.address == address).is_some_and(|port| port.is_ready)
        };
        assert!(ready(&sockets, ours) && !ready(&sockets, other));
        let arrived = sockets.receive(&mut buffer).expect("arrived");
        assert_eq!((&buffer[..arrived.len], arrived.destination), (&b"hello"[..], ours));
        assert!(sockets.receive(&mut buffer).is_none() && !ready(&sockets, ours));
    }
}
