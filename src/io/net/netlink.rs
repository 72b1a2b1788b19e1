//! Changes of this device's networks, as the kernel reports them (rtnetlink(7)): addresses that come and go, links that
//! come up, default routes.
//!
//! ```text
//!   RTM_NEWADDR, RTM_DELADDR ───────────┐
//!   RTM_NEWLINK: carrier, not before ───┼─► Netlink::take ─► the engine looks at our addresses
//!   RTM_NEWROUTE: a default route ──────┘
//! ```
//!
//! All other messages are noise: Wi-Fi reports each scan, and an IPv6 address is reported again at each renewal.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::limits::{LINKS_MAX, NETLINK_BYTES};

/// `struct nlmsghdr`: length, type, flags, sequence, port.
const HEADER_BYTES: usize = 16;

/// `struct ifinfomsg` and `struct rtmsg`: what is looked at lies in the first twelve bytes.
const BODY_BYTES: usize = 12;

/// The subscription to rtnetlink.
pub struct Netlink {
    fd: OwnedFd,
    links: Links,
}

impl Netlink {
    /// Subscribes to rtnetlink.
    ///
    /// # Errors
    /// The kernel refuses it; then losses are noticed by their silence only.
    pub fn new() -> io::Result<Self> {
        let flags = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        let groups = libc::RTMGRP_LINK
            | libc::RTMGRP_IPV4_IFADDR
            | libc::RTMGRP_IPV6_IFADDR
            | libc::RTMGRP_IPV4_ROUTE
            | libc::RTMGRP_IPV6_ROUTE;
        // SAFETY: plain libc calls; the descriptor is owned as soon as it is known to be one, and the address
        // is a live local of the size given.
        unsafe {
            let fd = libc::socket(libc::AF_NETLINK, flags, libc::NETLINK_ROUTE);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            let fd = OwnedFd::from_raw_fd(fd);
            let mut address = std::mem::zeroed::<libc::sockaddr_nl>();
            address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
            address.nl_groups = groups as u32;
            let size = size_of_val(&address) as libc::socklen_t;
            if libc::bind(fd.as_raw_fd(), (&raw const address).cast(), size) != 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(Self { fd, links: Links::default() })
        }
    }

    /// The descriptor to watch.
    pub fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Whether a relevant change was reported since the last call.
    pub fn take(&mut self) -> bool {
        let mut buffer = [0; NETLINK_BYTES];
        let mut is_changed = false;
        loop {
            match rustix::io::read(&self.fd, &mut buffer) {
                Ok(0) => return is_changed,
                Ok(count) => is_changed |= self.links.read(buffer.get(..count).unwrap_or_default()),
                Err(rustix::io::Errno::INTR) => {}
                // The kernel dropped messages: a relevant one may have been among them.
                Err(rustix::io::Errno::NOBUFS) => is_changed = true,
                Err(_) => return is_changed,
            }
        }
    }
}

/// Which links have a carrier.
#[derive(Debug, Default)]
struct Links(heapless::Vec<(u32, bool), LINKS_MAX>);

impl Links {
    /// Reads the messages of one datagram; whether one is of interest.
    fn read(&mut self, mut bytes: &[u8]) -> bool {
        let mut is_changed = false;
        while let Some(header) = bytes.get(..HEADER_BYTES) {
            let len = u32_at(header, 0) as usize;
            let kind =
                header.get(4..6).and_then(<[u8]>::first_chunk).map_or(0, |kind| u16::from_ne_bytes(*kind));
            let Some(body) = bytes.get(HEADER_BYTES..len) else { return is_changed };
            is_changed |= self.is_of_interest(kind, body);
            // Each message begins at a multiple of four.
            bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        }
        is_changed
    }

    fn is_of_interest(&mut self, kind: u16, body: &[u8]) -> bool {
        match kind {
            libc::RTM_NEWADDR | libc::RTM_DELADDR => true,
            // The second byte of `struct rtmsg`: how many bits of the destination count.
            libc::RTM_NEWROUTE => body.len() >= BODY_BYTES && body.get(1) == Some(&0),
            libc::RTM_NEWLINK if body.len() >= BODY_BYTES => {
                let has_carrier = u32_at(body, 8) & libc::IFF_LOWER_UP as u32 != 0;
                self.is_new_carrier(u32_at(body, 4), has_carrier)
            }
            _ => false,
        }
    }

    /// A link that is heard of for the first time with a carrier may just have got it.
    fn is_new_carrier(&mut self, index: u32, has_carrier: bool) -> bool {
        if let Some((_, known)) = self.0.iter_mut().find(|(other, _)| *other == index) {
            let had_carrier = std::mem::replace(known, has_carrier);
            return has_carrier && !had_carrier;
        }
        // More links than are remembered: those are noticed by their addresses.
        let _ = self.0.push((index, has_carrier));
        has_carrier
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = ((HEADER_BYTES + body.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn link(index: u32, has_carrier: bool) -> Vec<u8> {
        let flags = if has_carrier { libc::IFF_LOWER_UP as u32 } else { 0 };
        let body = [[0; 4], index.to_ne_bytes(), flags.to_ne_bytes(), [0; 4]].concat();
        message(libc::RTM_NEWLINK, &body)
    }

    #[test]
    fn what_is_of_interest_and_what_is_not() {
        let mut links = Links::default();
        assert!(links.read(&message(libc::RTM_NEWADDR, &[0; 8])));
        assert!(links.read(&message(libc::RTM_DELADDR, &[0; 8])));
        assert!(links.read(&message(libc::RTM_NEWROUTE, &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])), "default");
        assert!(!links.read(&message(libc::RTM_NEWROUTE, &[2, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])));
        assert!(!links.read(&message(libc::RTM_DELROUTE, &[0; 12])));
        let told: Vec<bool> =
            [true, true, false, false, true].iter().map(|&up| links.read(&link(3, up))).collect();
        assert_eq!(told, [true, false, false, false, true], "only a carrier that was not there before");
        let several = [link(3, true), message(libc::RTM_NEWADDR, &[0; 7]), link(4, false)].concat();
        assert!(links.read(&several));
    }

    #[test]
    fn any_bytes_are_survived() {
        let mut random = fastrand::Rng::with_seed(8);
        let mut links = Links::default();
        for _ in 0..20_000 {
            let mut bytes = [link(random.u32(..40), random.bool()), link(1, true)].concat();
            let at = random.usize(0..bytes.len());
            bytes[at] = random.u8(..);
            bytes.truncate(random.usize(0..=bytes.len()));
            links.read(&bytes);
        }
        assert!(links.0.is_full());
    }

    #[test]
    fn the_kernel_lets_us_subscribe() {
        assert!(!Netlink::new().expect("a netlink socket").take(), "nothing has changed yet");
    }
}
