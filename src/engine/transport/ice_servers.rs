//! The STUN and TURN servers that the server names, their addresses, and whether only relays may be used: [`IceServers`].
//!
//! ```text
//!   join, reconnect ─► URLs that we can use, ≤ 8 ─┬─ a number ────────────────────────────► address
//!                                                 └─ a name ─► Resolve ─► handle_resolved ─► addresses, ≤ 4
//! ```
//!
//! Names are looked up when an address is needed, and once in a session.

#![expect(
    clippy::indexing_slicing,
    reason = "places come from a search of the same table, or number its fixed entries"
)]

use std::net::SocketAddr;

use crate::engine::outbox::Outbox;
use crate::engine::port::Action;
use crate::limits::{ICE_SERVER_ADDRESSES_MAX, ICE_SERVERS_MAX, STUN_SERVERS_MAX};
use crate::rtc::{Protocol, RelayServer};
use crate::signal::ice_url::{IceProtocol, IceUrl};
use crate::signal::join::IceServer;
use crate::signal::secret::Secret;

/// Places of servers in the list.
pub(super) type Places = heapless::Vec<usize, ICE_SERVERS_MAX>;

/// The servers of this session, in the server's order, and the TURN server that has worked.
#[derive(Debug, Default)]
pub(super) struct IceServers {
    servers: heapless::Vec<KnownServer, ICE_SERVERS_MAX>,
    /// The server allows no other paths than through relays.
    is_relay_only: bool,
    /// The TURN server through which sound has gone, in this session or an earlier one.
    worked: Option<IceUrl>,
}

/// One URL, with what belongs to it.
#[derive(Debug)]
pub(super) struct KnownServer {
    url: IceUrl,
    username: String,
    credential: Secret,
    addresses: heapless::Vec<SocketAddr, ICE_SERVER_ADDRESSES_MAX>,
    is_asked_for: bool,
}

impl IceServers {
    /// Takes the list of the server, perhaps again, with new credentials.
    pub(super) fn set(&mut self, named: &[IceServer]) {
        let mut servers = heapless::Vec::new();
        for server in named {
            for url in server.urls.iter().filter_map(|url| url.parse::<IceUrl>().ok()) {
                let mut addresses = heapless::Vec::new();
                addresses.extend(url.address());
                let before = self.servers.iter().find(|before| before.url == url);
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
        self.servers = servers;
    }

    /// Sets whether only relays may be used; `true` if that is new.
    pub(super) fn set_relay_only(&mut self, is_relay_only: bool) -> bool {
        std::mem::replace(&mut self.is_relay_only, is_relay_only) != is_relay_only
    }

    /// Forgets the servers of a session that has ended.
    pub(super) fn session_ended(&mut self) {
        self.servers.clear();
        self.is_relay_only = false;
    }

    /// Whether only relays may be used.
    pub(super) fn is_relay_only(&self) -> bool {
        self.is_relay_only
    }

    /// Whether a relay is tried first, and not only where nothing else gives a path.
    pub(super) fn prefers_relay(&self) -> bool {
        self.is_relay_only || self.worked.is_some()
    }

    /// Sound has gone through the TURN server of this URL.
    pub(super) fn set_worked(&mut self, url: Option<IceUrl>) {
        self.worked = url;
    }

    /// The server at a place.
    pub(super) fn get(&self, place: usize) -> Option<&KnownServer> {
        self.servers.get(place)
    }

    /// The servers that are asked how they see our sockets.
    pub(super) fn stun(&self) -> impl Iterator<Item = &KnownServer> {
        self.servers.iter().filter(|server| server.url.protocol.answers_stun()).take(STUN_SERVERS_MAX)
    }

    /// Has the names of those looked up.
    pub(super) fn resolve_stun(&mut self, out: &mut Outbox) {
        let stun = self.servers.iter_mut().filter(|server| server.url.protocol.answers_stun());
        for server in stun.take(STUN_SERVERS_MAX) {
            server.resolve(out);
        }
    }

    /// Has the addresses of a name looked up, unless that was done already.
    pub(super) fn resolve(&mut self, place: usize, out: &mut Outbox) {
        if let Some(server) = self.servers.get_mut(place) {
            server.resolve(out);
        }
    }

    /// The answer to [`Action::Resolve`]; without addresses where the name has none.
    pub(super) fn resolved(&mut self, host: &str, port: u16, addresses: &[SocketAddr]) {
        let is_meant = |server: &&mut KnownServer| server.url.host == host && server.url.port == port;
        for server in self.servers.iter_mut().filter(is_meant) {
            server.addresses.clear();
            // One of each family first: which of them works is not known before.
            let v4 = addresses.iter().filter(|address| address.is_ipv4()).take(ICE_SERVER_ADDRESSES_MAX / 2);
            let v6 = addresses.iter().filter(|address| address.is_ipv6()).take(ICE_SERVER_ADDRESSES_MAX / 2);
            server.addresses.extend(v4.chain(v6).copied());
        }
    }

    /// The places of the TURN servers: the one that has worked comes first, then the others in the server's order,
    /// those over UDP last where no STUN server has answered by UDP.
    pub(super) fn turn_places(&self, hears_udp: bool) -> Places {
        let rank = |url: &IceUrl| match url.protocol {
            _ if self.worked.as_ref() == Some(url) => 0,
            IceProtocol::TurnUdp if !hears_udp => 2,
            _ => 1,
        };
        let servers = self.servers.iter().enumerate();
        let turn = servers.filter(|(_, server)| server.url.protocol != IceProtocol::Stun);
        let mut places: Places = turn.map(|(place, _)| place).collect();
        places.sort_by_key(|&place| rank(&self.servers[place].url));
        places
    }
}

impl KnownServer {
    /// Where it is.
    pub(super) fn url(&self) -> &IceUrl {
        &self.url
    }

    /// Its first address of the family of `local`.
    pub(super) fn address_for(&self, local: SocketAddr) -> Option<SocketAddr> {
        self.addresses.iter().copied().find(|address| address.is_ipv4() == local.is_ipv4())
    }

    /// Its first address that one of our sockets reaches, and that socket.
    pub(super) fn reach(&self, sockets: &[SocketAddr]) -> Option<(SocketAddr, SocketAddr)> {
        self.addresses.iter().find_map(|address| {
            let local = sockets.iter().find(|socket| socket.is_ipv4() == address.is_ipv4())?;
            Some((*address, *local))
        })
    }

    /// What the TURN client has to know to ask it for an address.
    pub(super) fn relay_server(&self, address: SocketAddr) -> RelayServer {
        let is_udp = self.url.protocol == IceProtocol::TurnUdp;
        RelayServer {
            address,
            carrier: if is_udp { Protocol::Udp } else { Protocol::Turn },
            username: self.username.clone(),
            credential: self.credential.clone(),
        }
    }

    fn resolve(&mut self, out: &mut Outbox) {
        if self.addresses.is_empty() && !std::mem::replace(&mut self.is_asked_for, true) {
            out.act(Action::Resolve { host: self.url.host.clone(), port: self.url.port });
        }
    }
}
