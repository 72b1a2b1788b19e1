//! Name look-up. The resolver of libc knows what the device's owner has configured (hosts file, mDNS,
//! resolved), which is why it is asked; it has no other way than to block.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::rc::Rc;

use crate::io::runtime::blocking::unblock;
use crate::io::runtime::reactor::Reactor;

/// Addresses tried for one name.
const ADDRESSES_MAX: usize = 8;

/// Looks `host` up. Numbers are answered without a thread.
///
/// # Errors
/// The resolver's error, or that it found no address.
pub async fn resolve(reactor: &Rc<Reactor>, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let name = host.to_owned();
    let question = move || -> io::Result<Vec<SocketAddr>> {
        Ok((name.as_str(), port).to_socket_addrs()?.take(ADDRESSES_MAX).collect())
    };
    let addresses = unblock(reactor, "kinglet-dns", question).await??;
    if addresses.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(addresses) }
}
