//! What both peer connections have in common: our addresses, the server's, and the path between them.
//!
//! ```text
//!   our sockets ──────────► host candidates ─┐
//!     as others see them ─► stun.rs: server-reflexive ones ─┤
//!   the server's candidates ─► candidates.rs ┼─► str0m's ICE agent ─► path.rs
//!   TCP connections, once they are there ────┘
//! ```
//!
//! A TCP connection is a pair of candidates of its own (RFC 6544): ours is the address that it left from, the server's
//! the one that it listens on. Both are given to str0m only when the connection is established, and ours is removed
//! when it is gone, so that no check is sent without a connection.

use std::net::SocketAddr;

use str0m::Candidate;
use str0m::net::TcpType;

use super::candidates::Candidates;
use super::drain::{Carrier, Connection};
use super::path::Path;
use super::stun::Mapping;

/// A TCP connection to the server, for datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IceTcpStream {
    /// Our address of it.
    pub local: SocketAddr,
    /// The server's, as its candidate names it.
    pub remote: SocketAddr,
}

/// The ICE side of a peer connection, borrowed from it. `advance` must follow each change.
pub struct Ice<'p> {
    pub(super) connection: &'p mut Connection,
    pub(super) candidates: &'p mut Candidates,
    pub(super) path: &'p mut Path,
    /// The server has a description of ours: later candidates are trickled.
    pub(super) is_described: bool,
}

impl Ice<'_> {
    /// Adds the address of a UDP socket. The first description carries those known before it; for a later
    /// one the candidate line is returned, to be trickled. An address that makes no candidate
    /// (unspecified, multicast) or is known already is passed over.
    pub fn add_address(&mut self, address: SocketAddr) -> Option<String> {
        let candidate = Candidate::host(address, "udp").ok()?;
        self.add(candidate)
    }

    /// Takes the address of a UDP socket back.
    pub fn remove_address(&mut self, address: SocketAddr) {
        if let Ok(candidate) = Candidate::host(address, "udp") {
            self.connection.rtc().direct_api().invalidate_candidate(&candidate);
        }
    }

    /// Adds the mapped address of one of those sockets (RFC 8445 §5.1.1.2). As with `add_address`, a returned line must
    /// be trickled; an address that is already known returns none.
    pub fn add_mapping(&mut self, mapping: Mapping) -> Option<String> {
        let Mapping { local, mapped } = mapping;
        self.add(Candidate::server_reflexive(mapped, local, "udp").ok().filter(|_| mapped != local)?)
    }

    /// Takes that back.
    pub fn remove_mapping(&mut self, mapping: Mapping) {
        if let Ok(candidate) = Candidate::server_reflexive(mapping.mapped, mapping.local, "udp") {
            self.connection.rtc().direct_api().invalidate_candidate(&candidate);
        }
    }

    /// Adds an address on a TURN server that is reached from `local`. As with `add_address`, a line that is
    /// returned is to be trickled.
    pub fn add_relayed(&mut self, relayed: SocketAddr, local: SocketAddr) -> Option<String> {
        self.add(Candidate::relayed(relayed, local, "udp").ok()?)
    }

    /// Takes that back.
    pub fn remove_relayed(&mut self, relayed: SocketAddr, local: SocketAddr) {
        if let Ok(candidate) = Candidate::relayed(relayed, local, "udp") {
            self.connection.rtc().direct_api().invalidate_candidate(&candidate);
        }
    }

    /// Takes one of the server's candidate lines; `false` if it is unreadable, or one too many.
    pub fn add_candidate(&mut self, line: &str) -> bool {
        self.candidates.push(line)
    }

    /// Where the server takes TCP connections for this peer connection.
    pub fn stream_addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.candidates.streams()
    }

    /// Where the server takes datagrams for it.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.candidates.addresses()
    }

    /// The path that datagrams take.
    pub fn carrier(&self) -> Option<Carrier> {
        self.connection.carrier().filter(|_| self.path.is_up())
    }

    /// Whether the server has named a UDP address.
    pub fn has_udp(&self) -> bool {
        self.candidates.has_udp()
    }

    /// Whether ICE has started, or restarted, since the last call: the server's credentials are new.
    pub fn take_begun(&mut self) -> bool {
        self.candidates.take_begun()
    }

    /// A TCP connection is there.
    pub fn stream_opened(&mut self, stream: IceTcpStream) {
        let server = Candidate::builder().tcp().host(stream.remote).tcptype(TcpType::Passive).build();
        let (Ok(ours), Ok(server)) = (active(stream.local), server) else { return };
        // Not trickled: an active address cannot be dialled (RFC 6544 §4.5).
        let _ = self.add(ours);
        self.connection.rtc().add_remote_candidate(server);
    }

    /// It is gone.
    pub fn stream_closed(&mut self, stream: IceTcpStream) {
        if let Ok(ours) = active(stream.local) {
            self.connection.rtc().direct_api().invalidate_candidate(&ours);
        }
    }

    /// Whether sound can flow, or could as soon as the path is back: DTLS is up.
    pub fn is_connected(&self) -> bool {
        self.connection.is_connected()
    }

    /// Whether ICE has a path.
    pub fn has_path(&self) -> bool {
        self.path.is_up()
    }

    fn add(&mut self, candidate: Candidate) -> Option<String> {
        let line = self.connection.rtc().add_local_candidate(candidate).map(Candidate::to_sdp_string)?;
        self.is_described.then_some(line)
    }
}

fn active(local: SocketAddr) -> Result<Candidate, str0m::error::IceError> {
    Candidate::builder().tcp().host(local).tcptype(TcpType::Active).build()
}
