//! A router between a client and the world, and the STUN server that tells what it makes of an address.
//!
//! ```text
//!   10.0.1.2:40001 ─► Nat ─► 203.0.113.2:61001 ─► anybody            the same outside port towards everybody
//!   10.0.1.2:40001 ◄─ Nat ◄─ who was written to from that port       everybody else is dropped (RFC 4787 §5)
//! ```

use crate::link::Datagram;
use kinglet::rtc::Protocol;
use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

/// Where the STUN server listens.
pub const STUN_SERVER: ([u8; 4], u16) = ([10, 0, 0, 9], 3478);

/// What every name is looked up to.
pub fn look_up(port: u16) -> Vec<SocketAddr> {
    vec![SocketAddr::from((STUN_SERVER.0, port))]
}

/// A home's router.
#[derive(Debug)]
pub struct Nat {
    outside: IpAddr,
    next_port: u16,
    mappings: Vec<(SocketAddr, SocketAddr)>,
    contacted: HashSet<(SocketAddr, SocketAddr)>,
}

impl Nat {
    /// With this address towards the world.
    pub fn new(outside: IpAddr) -> Nat {
        Nat { outside, next_port: 61_000, mappings: Vec::new(), contacted: HashSet::new() }
    }

    /// Whether the world finds it there.
    pub fn is_at(&self, address: SocketAddr) -> bool {
        address.ip() == self.outside
    }

    /// It forgets all mappings, as after a restart or when its table is full: the next datagrams get other ports.
    pub fn rebind(&mut self) {
        self.mappings.clear();
        self.contacted.clear();
    }

    /// A datagram leaves.
    pub fn outbound(&mut self, datagram: &mut Datagram) {
        let inside = datagram.source;
        let known = self.mappings.iter().find(|(other, _)| *other == inside).map(|(_, outside)| *outside);
        datagram.source = known.unwrap_or_else(|| {
            self.next_port += 1;
            let outside = SocketAddr::new(self.outside, self.next_port);
            self.mappings.push((inside, outside));
            outside
        });
        self.contacted.insert((datagram.source, datagram.destination));
    }

    /// A datagram arrives; whether it may come in.
    pub fn inbound(&self, datagram: &mut Datagram) -> bool {
        let outside = datagram.destination;
        let Some((inside, _)) = self.mappings.iter().find(|(_, other)| *other == outside) else {
            return false;
        };
        datagram.destination = *inside;
        self.contacted.contains(&(outside, datagram.source))
    }
}

/// Whether it is a request for a relayed address (RFC 8656 §7.1), to the same server.
pub fn asks_for_allocation(request: &Datagram) -> bool {
    matches!(request.bytes[..], [0, 3, ..]) && request.destination == SocketAddr::from(STUN_SERVER)
}

/// What the STUN server answers to a binding request (RFC 8489 §14.2); `None` if it is none, or not for it.
pub fn stun_answer(request: &Datagram) -> Option<Datagram> {
    let [0, 1, 0, 0, id @ ..] = &request.bytes[..] else { return None };
    let IpAddr::V4(ip) = request.source.ip() else { return None };
    if request.destination != SocketAddr::from(STUN_SERVER) || id.len() != 16 {
        return None;
    }
    let mut bytes = vec![1, 1, 0, 12];
    bytes.extend(id);
    bytes.extend([0, 0x20, 0, 8, 0, 1]);
    bytes.extend(request.source.port().to_be_bytes().iter().zip(id).map(|(byte, pad)| byte ^ pad));
    bytes.extend(ip.octets().iter().zip(id).map(|(byte, pad)| byte ^ pad));
    let (source, destination) = (request.destination, request.source);
    Some(Datagram { protocol: Protocol::Udp, source, destination, bytes })
}
