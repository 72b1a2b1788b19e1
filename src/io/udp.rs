//! UDP sockets: one for each peer connection and local address.
//!
//! ICE wants concrete addresses, and both peer connections may sit behind one port of the server,
//! so nothing is shared and nothing is bound to a wildcard.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};

use crate::limits::LOCAL_ADDRESSES_MAX;
use crate::rtc::Peer;

/// Expedited forwarding (RFC 8837 §5: audio), in the upper six bits of the traffic class.
const TRAFFIC_CLASS: libc::c_int = 46 << 2;

/// One bound socket.
pub struct Port {
    /// The peer connection that it serves.
    pub peer: Peer,
    /// Its concrete address.
    pub address: SocketAddr,
    socket: UdpSocket,
}

impl Port {
    /// Binds a free port of `address`.
    ///
    /// # Errors
    /// The address is not ours any more, or no port is free.
    pub fn bind(peer: Peer, address: IpAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind((address, 0))?;
        socket.set_nonblocking(true)?;
        mark_expedited(&socket, address);
        Ok(Self { peer, address: socket.local_addr()?, socket })
    }

    /// The descriptor to watch.
    pub fn raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// One datagram, if there is one. Errors of the network (an ICMP unreachable) are noise here.
    pub fn receive(&self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        loop {
            match self.socket.recv_from(buffer) {
                Ok(received) => return Some(received),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // An earlier send was refused; what has arrived is still there.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(_) => return None,
            }
        }
    }

    /// Sends one datagram; `false` if it was lost here (full queue, no route).
    pub fn send(&self, destination: SocketAddr, bytes: &[u8]) -> bool {
        self.socket.send_to(bytes, destination).is_ok()
    }
}

/// Our addresses that the server may reach: those of real interfaces, IPv4 first, and the loopback
/// ones only where the signal connection itself is on loopback.
pub fn local_addresses(signal_address: IpAddr) -> heapless::Vec<IpAddr, LOCAL_ADDRESSES_MAX> {
    let mut addresses = heapless::Vec::new();
    // The address that reaches the server for the signal connection is the likeliest to work.
    let _ = addresses.push(signal_address);
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut others: Vec<IpAddr> = interfaces
        .iter()
        .map(if_addrs::Interface::ip)
        .filter(|ip| ip.is_loopback() == signal_address.is_loopback() && is_usable(*ip))
        .filter(|ip| *ip != signal_address)
        .collect();
    others.sort_by_key(IpAddr::is_ipv6);
    for ip in others {
        if addresses.push(ip).is_err() {
            break;
        }
    }
    addresses
}

/// Link-local addresses need a scope that candidates cannot carry.
fn is_usable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_unspecified() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_unicast_link_local(),
    }
}

/// Best effort: some containers forbid it, and sound works without.
fn mark_expedited(socket: &UdpSocket, address: IpAddr) {
    let (level, name) = match address {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_TOS),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
    };
    let class = TRAFFIC_CLASS;
    // SAFETY: the option value is a live int of the size given.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const class).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn two_ports_exchange_a_datagram() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let one = Port::bind(Peer::Publisher, loopback).expect("bound");
        let other = Port::bind(Peer::Subscriber, loopback).expect("bound");
        let mut buffer = [0; 16];
        assert_eq!(other.receive(&mut buffer), None);
        assert!(one.send(other.address, b"hello"));
        assert_eq!(other.receive(&mut buffer), Some((5, one.address)));
    }

    #[test]
    fn loopback_is_only_for_loopback() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert!(local_addresses(loopback).iter().all(IpAddr::is_loopback));
        let elsewhere: IpAddr = "192.0.2.1".parse().expect("an address");
        assert!(!local_addresses(elsewhere).iter().any(IpAddr::is_loopback));
    }
}
