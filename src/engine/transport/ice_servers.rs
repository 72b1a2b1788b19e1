//! The STUN and TURN servers that the server names, and their addresses.
//!
//! ```text
//!   join, reconnect ─► URLs that we can use, ≤ 8 ─┬─ a number ────────────────────────────► address
//!                                                 └─ a name ─► Resolve ─► handle_resolved ─► addresses, ≤ 4
//! ```
//!
//! Names are looked up when somebody wants them, and once in a session.

use std::net::SocketAddr;
use std::time::Instant;

use crate::engine::Engine;
use crate::engine::port::Action;
use crate::limits::{ICE_SERVER_ADDRESSES_MAX, ICE_SERVERS_MAX};
use crate::signal::ice_url::IceUrl;
use crate::signal::join::IceServer;
use crate::signal::secret::Secret;

/// Those of this session, in the order of the server.
pub(in crate::engine) type IceServers = heapless::Vec<KnownServer, ICE_SERVERS_MAX>;

/// One URL, with what belongs to it.
#[derive(Debug)]
pub(in crate::engine) struct KnownServer {
    pub(in crate::engine) url: IceUrl,
    pub(in crate::engine) username: String,
    pub(in crate::engine) credential: Secret,
    pub(in crate::engine) addresses: heapless::Vec<SocketAddr, ICE_SERVER_ADDRESSES_MAX>,
    is_asked_for: bool,
}

impl Engine {
    /// The server has named STUN and TURN servers, perhaps again, with new credentials.
    pub(in crate::engine) fn ice_servers_told(&mut self, told: &[IceServer], now: Instant) {
        let mut servers = IceServers::new();
        for server in told {
            for url in server.urls.iter().filter_map(|url| url.parse::<IceUrl>().ok()) {
                let mut addresses = heapless::Vec::new();
                addresses.extend(url.address());
                let before = self.transports.ice_servers.iter().find(|before| before.url == url);
                if let Some(before) = before {
                    addresses.clone_from(&before.addresses);
                }
                let known = KnownServer {
                    is_asked_for: before.is_some_and(|before| before.is_asked_for),
                    url,
                    username: server.username.clone(),
                    credential: server.credential.clone(),
                    addresses,
                };
                // Those beyond the table are spares of spares.
                let _ = servers.push(known);
            }
        }
        self.transports.ice_servers = servers;
        self.look_for_mappings(now);
    }

    /// Has the addresses of a name looked up, unless that was done already.
    pub(in crate::engine) fn resolve(&mut self, place: usize) {
        let Some(server) = self.transports.ice_servers.get_mut(place) else { return };
        if server.addresses.is_empty() && !std::mem::replace(&mut server.is_asked_for, true) {
            let (host, port) = (server.url.host.clone(), server.url.port);
            self.out.act(Action::Resolve { host, port });
        }
    }

    /// The answer to [`Action::Resolve`]; without addresses where the name has none.
    pub fn handle_resolved(&mut self, host: &str, port: u16, addresses: &[SocketAddr], now: Instant) {
        let is_meant = |server: &&mut KnownServer| server.url.host == host && server.url.port == port;
        for server in self.transports.ice_servers.iter_mut().filter(is_meant) {
            server.addresses.clear();
            // One of each family first: which of them works is not known before.
            let v4 = addresses.iter().filter(|address| address.is_ipv4()).take(ICE_SERVER_ADDRESSES_MAX / 2);
            let v6 = addresses.iter().filter(|address| address.is_ipv6()).take(ICE_SERVER_ADDRESSES_MAX / 2);
            server.addresses.extend(v4.chain(v6).copied());
        }
        self.look_for_mappings(now);
        self.relay_resolved(now);
    }
}
