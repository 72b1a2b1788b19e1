//! How others see our sockets: asked of the first STUN servers, told to the LiveKit server.
//!
//! ```text
//!   servers known, sockets open ─► each socket asks ≤ 2 servers ─► mapping ─┬─► str0m
//!                                        │                                  └─► trickled, if it is new
//!                                        └── a path is found: nobody wants to know any more
//! ```
//!
//! Behind a NAT the server does not see our addresses as we name them. Without their mappings it waits a
//! second before it nominates them, with them half of that.

use std::time::Instant;

use super::Transports;
use crate::engine::Engine;
use crate::limits::{LOCAL_ADDRESSES_MAX, STUN_SERVERS_MAX};
use crate::rtc::{BindingResult, Bindings, Datagram, Mapping, Peer};

/// What is asked and known of one peer connection's sockets.
#[derive(Debug, Default)]
pub(in crate::engine) struct Reflexive {
    bindings: Bindings,
    known: heapless::Vec<Mapping, LOCAL_ADDRESSES_MAX>,
}

impl Engine {
    /// Asks for each socket whose peer connection has no path yet.
    pub(in crate::engine) fn look_for_mappings(&mut self, now: Instant) {
        for place in self.stun_servers() {
            self.resolve(place);
        }
        for peer in [Peer::Publisher, Peer::Subscriber] {
            if self.ice(peer).is_some_and(|ice| !ice.has_path()) {
                self.ask_for_mappings(peer, now);
            }
        }
    }

    /// Asks for each socket of `peer`: those may be new, or behind another NAT than before.
    pub(in crate::engine) fn ask_for_mappings(&mut self, peer: Peer, now: Instant) {
        if self.transports.is_relay_only {
            return;
        }
        let sockets = self.transports.whereabouts.sockets(peer);
        let Transports { ice_servers, reflexive, .. } = &mut self.transports;
        let reflexive = &mut reflexive[peer as usize];
        let servers = ice_servers.iter().filter(|server| server.url.protocol.answers_stun());
        for server in servers.take(STUN_SERVERS_MAX) {
            for &local in &sockets {
                let same_family = |address: &&_| local.is_ipv4() == std::net::SocketAddr::is_ipv4(address);
                if let Some(&address) = server.addresses.iter().find(same_family) {
                    reflexive.bindings.ask(local, address, now);
                }
            }
        }
        self.send_bindings(peer, now);
    }

    /// Whether a datagram was for us rather than for str0m.
    pub(in crate::engine) fn heard_of_mapping(
        &mut self,
        peer: Peer,
        datagram: &Datagram<'_>,
        now: Instant,
    ) -> bool {
        let mapping = match self.transports.reflexive[peer as usize].bindings.handle(datagram) {
            BindingResult::Nothing => return false,
            BindingResult::Useless => return true,
            BindingResult::Mapping(mapping) => mapping,
        };
        let known = &mut self.transports.reflexive[peer as usize].known;
        let old = known.iter().position(|old| old.local == mapping.local).map(|place| known.remove(place));
        let _ = known.push(mapping);
        if old == Some(mapping) {
            return true;
        }
        let Some(mut ice) = self.ice(peer) else { return true };
        if let Some(old) = old {
            ice.remove_mapping(old);
        }
        let line = ice.add_mapping(mapping);
        if let Some(candidate) = line {
            self.trickle(peer, candidate);
        }
        self.advance(peer, now);
        true
    }

    /// Whether a STUN server has answered.
    pub(in crate::engine) fn hears_udp(&self, peer: Peer) -> bool {
        !self.transports.reflexive[peer as usize].known.is_empty()
    }

    /// ICE has a path.
    pub(in crate::engine) fn forget_bindings(&mut self, peer: Peer) {
        self.transports.reflexive[peer as usize].bindings.clear();
    }

    /// A socket is closed, or its whole peer connection.
    pub(in crate::engine) fn forget_mapping(&mut self, peer: Peer, local: std::net::SocketAddr) {
        let known = &mut self.transports.reflexive[peer as usize].known;
        let Some(place) = known.iter().position(|mapping| mapping.local == local) else { return };
        let gone = known.remove(place);
        if let Some(mut ice) = self.ice(peer) {
            ice.remove_mapping(gone);
        }
    }

    pub(in crate::engine) fn bindings_timeout(&self) -> Option<Instant> {
        self.transports.reflexive.iter().filter_map(|reflexive| reflexive.bindings.poll_timeout()).min()
    }

    /// Sends what is due.
    pub(in crate::engine) fn send_bindings(&mut self, peer: Peer, now: Instant) {
        while let Some(request) = self.transports.reflexive[peer as usize].bindings.poll_transmit(now) {
            self.out.transmit(peer, request);
        }
    }

    /// The places of those that are asked.
    fn stun_servers(&self) -> heapless::Vec<usize, STUN_SERVERS_MAX> {
        let servers = self.transports.ice_servers.iter().enumerate();
        let stun = servers.filter(|(_, server)| server.url.protocol.answers_stun());
        stun.map(|(place, _)| place).take(STUN_SERVERS_MAX).collect()
    }
}
