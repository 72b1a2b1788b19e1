//! Mapped addresses of our sockets: requested from the first STUN servers, sent to the LiveKit server:
//! [`StunMappings`].
//!
//! ```text
//!   servers known, sockets open ─► each socket asks ≤ 2 servers ─► mapping ─┬─► str0m
//!                                        │                                  └─► trickled, if it is new
//!                                        └── a path is found: the mappings are of no more use
//! ```
//!
//! Behind a NAT the server does not see our addresses as we name them. Without their mappings it waits a
//! second before it nominates them, with them half of that.

use std::net::SocketAddr;
use std::time::Instant;

use super::ice_servers::IceServers;
use crate::engine::outbox::Outbox;
use crate::limits::LOCAL_ADDRESSES_MAX;
use crate::rtc::{BindingResult, Bindings, Datagram, Ice, Mapping, Peer};

/// What is asked and known of one peer connection's sockets.
#[derive(Debug, Default)]
pub(super) struct StunMappings {
    bindings: Bindings,
    known: heapless::Vec<Mapping, LOCAL_ADDRESSES_MAX>,
}

/// What a datagram means for the mappings.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MappingChange {
    /// The datagram is not an answer to a request of ours.
    NotOurs,
    /// An answer without a new mapping.
    Nothing,
    /// A socket has this mapping now; the candidate must be trickled if the server does not have it.
    New(Option<String>),
}

impl StunMappings {
    /// Sends a request for each socket: sockets may be new, or behind another NAT than before.
    pub(super) fn ask(&mut self, sockets: &[SocketAddr], servers: &IceServers, now: Instant) {
        for server in servers.stun() {
            for &local in sockets {
                if let Some(address) = server.address_for(local) {
                    self.bindings.ask(local, address, now);
                }
            }
        }
    }

    /// Takes a datagram, where it is an answer.
    pub(super) fn handle(&mut self, datagram: &Datagram<'_>, ice: &mut Ice<'_>) -> MappingChange {
        let mapping = match self.bindings.handle(datagram) {
            BindingResult::Nothing => return MappingChange::NotOurs,
            BindingResult::Useless => return MappingChange::Nothing,
            BindingResult::Mapping(mapping) => mapping,
        };
        let old = self.take(mapping.local);
        let _ = self.known.push(mapping);
        if old == Some(mapping) {
            return MappingChange::Nothing;
        }
        if let Some(old) = old {
            ice.remove_mapping(old);
        }
        MappingChange::New(ice.add_mapping(mapping))
    }

    /// Whether a STUN server has answered.
    pub(super) fn hears_udp(&self) -> bool {
        !self.known.is_empty()
    }

    /// ICE has a path: nothing more is asked.
    pub(super) fn path_found(&mut self) {
        self.bindings.clear();
    }

    /// A socket is closed, or its address must not be known.
    pub(super) fn forget(&mut self, local: SocketAddr, ice: &mut Ice<'_>) {
        if let Some(gone) = self.take(local) {
            ice.remove_mapping(gone);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.bindings.poll_timeout()
    }

    /// Sends what is due.
    pub(super) fn send_due(&mut self, peer: Peer, now: Instant, out: &mut Outbox) {
        while let Some(request) = self.bindings.poll_transmit(now) {
            out.transmit(peer, request);
        }
    }

    fn take(&mut self, local: SocketAddr) -> Option<Mapping> {
        let place = self.known.iter().position(|mapping| mapping.local == local)?;
        Some(self.known.remove(place))
    }
}
