//! UDP sockets: one for each peer connection and local address.
//!
//! ICE wants concrete addresses, and both peer connections may sit behind one port of the server,
//! so nothing is shared and nothing is bound to a wildcard.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use crate::io::runtime::clock;
use crate::limits::LOCAL_ADDRESSES_MAX;
use crate::rtc::Peer;

/// Expedited forwarding (RFC 8837 §5: audio), in the upper six bits of the traffic class.
const TRAFFIC_CLASS: libc::c_int = 46 << 2;

/// A datagram that seems to have waited longer is a sign of a wall clock that was set.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// One bound socket.
pub struct UdpPort {
    /// The peer connection that it serves.
    pub peer: Peer,
    /// Its concrete address.
    pub address: SocketAddr,
    /// Whether something may have arrived that was not read yet.
    pub is_ready: bool,
    socket: UdpSocket,
}

impl UdpPort {
    /// Binds a free port of `address`.
    ///
    /// # Errors
    /// The address is not ours any more, or no port is free.
    pub fn bind(peer: Peer, address: IpAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind((address, 0))?;
        socket.set_nonblocking(true)?;
        mark_expedited(&socket, address);
        set_option(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1);
        Ok(Self { peer, address: socket.local_addr()?, is_ready: true, socket })
    }

    /// The descriptor to watch.
    pub fn raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// One datagram, if there is one: its length, its sender, and how long it has waited here. Errors
    /// of the network (an ICMP unreachable) are noise.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Option<(usize, SocketAddr, Duration)> {
        while self.is_ready {
            match receive_stamped(&self.socket, buffer) {
                Ok((len, source, age)) => return Some((len, source, age.unwrap_or_default().min(WAIT_MAX))),
                // An earlier send was refused; what has arrived is still there.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(_) => self.is_ready = false,
            }
        }
        None
    }

    /// Sends one datagram; `false` if it was lost here (full queue, no route).
    pub fn send(&self, destination: SocketAddr, bytes: &[u8]) -> bool {
        self.socket.send_to(bytes, destination).is_ok()
    }
}

/// Our addresses that the server may reach: those of real interfaces, IPv4 first, and the loopback
/// ones only where the signal connection itself is on loopback.
///
/// What the whole device has is [`all_addresses`].
pub fn local_addresses(signal_address: IpAddr) -> heapless::Vec<IpAddr, LOCAL_ADDRESSES_MAX> {
    let mut addresses = heapless::Vec::new();
    // The address that reaches the server for the signal connection is the likeliest to work.
    let _ = addresses.push(signal_address);
    let mut others: Vec<IpAddr> = all_addresses()
        .into_iter()
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

/// Every address that this device has now.
pub fn all_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.iter().map(if_addrs::Interface::ip).collect()
}

/// Link-local addresses need a scope that candidates cannot carry.
fn is_usable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_unspecified() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_unicast_link_local(),
    }
}

/// Best effort: some containers forbid it, and sound works without.
pub(super) fn mark_expedited(socket: &impl AsRawFd, address: IpAddr) {
    let (level, name) = match address {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_TOS),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
    };
    set_option(socket, level, name, TRAFFIC_CLASS);
}

pub(super) fn set_option(socket: &impl AsRawFd, level: libc::c_int, name: libc::c_int, value: libc::c_int) {
    // SAFETY: the option value is a live int of the size given.
    unsafe {
        let size = size_of::<libc::c_int>() as libc::socklen_t;
        libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), size);
    }
}

/// Room for one timestamp among the control messages, aligned as their headers want it.
#[repr(C, align(8))]
struct Control([u8; 64]);

/// `recvmsg` with the kernel's arrival time (socket(7), `SO_TIMESTAMP`), so that our own lateness is
/// not taken for the network's.
fn receive_stamped(
    socket: &UdpSocket,
    buffer: &mut [u8],
) -> io::Result<(usize, SocketAddr, Option<Duration>)> {
    let mut control = Control([0; 64]);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: every pointer in the header is to a local or to `buffer`, with its true length, and all
    // of them outlive the call; the kernel fills in no more than those lengths. The control messages
    // are walked by libc's own macros, and a stamp is read unaligned after its length was checked.
    unsafe {
        let mut name = std::mem::zeroed::<libc::sockaddr_storage>();
        let mut header = std::mem::zeroed::<libc::msghdr>();
        header.msg_name = (&raw mut name).cast();
        header.msg_namelen = size_of_val(&name) as libc::socklen_t;
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = control.0.len() as _;
        let len = libc::recvmsg(socket.as_raw_fd(), &raw mut header, 0);
        if len < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut age = None;
        let mut message = libc::CMSG_FIRSTHDR(&raw const header);
        while let Some(current) = message.as_ref() {
            let holds_stamp = current.cmsg_len >= libc::CMSG_LEN(size_of::<libc::timespec>() as u32) as _;
            if current.cmsg_level == libc::SOL_SOCKET
                && current.cmsg_type == libc::SCM_TIMESTAMPNS
                && holds_stamp
            {
                let stamp = libc::CMSG_DATA(message).cast::<libc::timespec>().read_unaligned();
                age = Some(clock::age_of(stamp.tv_sec as u64, stamp.tv_nsec as u32));
            }
            message = libc::CMSG_NXTHDR(&raw const header, message);
        }
        Ok((len as usize, socket_address(&name).ok_or(io::ErrorKind::InvalidData)?, age))
    }
}

fn socket_address(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match libc::c_int::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family shows that the kernel wrote this type; the storage is large and aligned enough.
            let v4 = unsafe { &*(&raw const *name).cast::<libc::sockaddr_in>() };
            Some((Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr)), u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { &*(&raw const *name).cast::<libc::sockaddr_in6>() };
            Some((Ipv6Addr::from(v6.sin6_addr.s6_addr), u16::from_be(v6.sin6_port)).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ports_exchange_a_datagram() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let one = UdpPort::bind(Peer::Publisher, loopback).expect("bound");
        let mut other = UdpPort::bind(Peer::Subscriber, loopback).expect("bound");
        let mut buffer = [0; 16];
        assert_eq!(other.receive(&mut buffer), None);
        assert!(!other.is_ready, "not read again until the reactor reports it ready");
        other.is_ready = true;
        assert!(one.send(other.address, b"hello"));
        std::thread::yield_now();
        let (len, source, age) = other.receive(&mut buffer).expect("arrived");
        assert_eq!((&buffer[..len], source), (&b"hello"[..], one.address));
        assert!(age > Duration::ZERO && age < WAIT_MAX, "stamped by the kernel: {age:?}");
    }

    #[test]
    fn loopback_is_only_for_loopback() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert!(local_addresses(loopback).iter().all(IpAddr::is_loopback));
        let elsewhere: IpAddr = "192.0.2.1".parse().expect("an address");
        assert!(!local_addresses(elsewhere).iter().any(IpAddr::is_loopback));
    }
}
