//! Another network: the device's addresses change, or it has a network again.
//!
//! ```text
//!   handle_network ─► settle 50 ms ─┬─ the address that reached the server is gone ──► NetworkChanged
//!                                   ├─ nothing reaches the server, and we wait ──────► NetworkChanged: try now
//!                                   └─ else: sound flows; one address more is no reason to disturb it
//!
//!   the server is reached again ─► OpenSockets ─► new addresses in, vanished ones out ─► ICE restart
//! ```

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::engine::Engine;
use crate::engine::port::Action;
use crate::limits::LOCAL_ADDRESSES_MAX;
use crate::rtc::Peer;

/// Where we are reached.
#[derive(Debug, Default)]
pub(in crate::engine) struct Whereabouts {
    /// The UDP sockets of publisher and subscriber.
    sockets: [heapless::Vec<SocketAddr, LOCAL_ADDRESSES_MAX>; 2],
    /// Our address that reached the server.
    home: Option<IpAddr>,
    is_home_gone: bool,
}

impl Whereabouts {
    /// Whether our address that reached the server is gone.
    pub(in crate::engine) fn is_home_gone(&self) -> bool {
        self.is_home_gone
    }

    /// The UDP sockets of a peer connection.
    pub(in crate::engine) fn sockets(&self, peer: Peer) -> heapless::Vec<SocketAddr, LOCAL_ADDRESSES_MAX> {
        self.sockets[peer as usize].clone()
    }
}

impl Engine {
    /// Something about this device's networks has changed; `addresses` are those that it has now.
    pub fn handle_network(&mut self, addresses: &[IpAddr], now: Instant) {
        let whereabouts = &mut self.transports.whereabouts;
        whereabouts.is_home_gone = whereabouts.home.is_some_and(|home| !addresses.contains(&home));
        self.session.network_changed(now);
    }

    /// The io ring opened sockets for `peer`; call it for each [`Action::OpenSockets`]. Addresses told after
    /// the first description has left are trickled to the server.
    pub fn handle_sockets(&mut self, peer: Peer, addresses: &[SocketAddr], now: Instant) {
        self.transports.whereabouts.home = addresses.first().map(SocketAddr::ip);
        self.transports.whereabouts.is_home_gone = false;
        // More addresses than are ever opened: the rest is reached through the first ones.
        let new = addresses.iter().copied().take(LOCAL_ADDRESSES_MAX).collect();
        let old = std::mem::replace(&mut self.transports.whereabouts.sockets[peer as usize], new);
        for gone in old.into_iter().filter(|address| !addresses.contains(address)) {
            self.forget_mapping(peer, gone);
            self.relay_lost_with(peer, gone, now);
            if let Some(mut ice) = self.ice(peer) {
                ice.remove_address(gone);
            }
        }
        let told = if self.transports.is_relay_only { &[] } else { addresses };
        for &address in told {
            if let Some(line) = self.ice(peer).and_then(|mut ice| ice.add_address(address)) {
                self.trickle(peer, line);
            }
        }
        self.ask_for_mappings(peer, now);
        self.advance(peer, now);
    }

    /// The server is reached in a resume: from now on by which addresses?
    pub(in crate::engine) fn open_sockets_again(&mut self) {
        for peer in [Peer::Publisher, Peer::Subscriber] {
            if self.ice(peer).is_some() {
                self.out.act(Action::OpenSockets(peer));
            }
        }
    }
}
