//! The two peer connections: everything that touches str0m.
//!
//! LiveKit uses one connection for what we send and one for what we hear. We offer on the
//! *publisher*, the server offers on the *subscriber*; each has its own ICE, DTLS and SCTP.
//!
//! ```text
//!   Opus packets ─► publisher.rs ─┐                ┌─► datagrams out
//!                                 ├─ drain.rs ─────┤
//!   RTP packets ◄─ subscriber.rs ─┘                └◄─ datagrams in
//!                    ▲   admission.rs: who may send us anything but checks
//!                    │   candidates.rs: when each of the server's addresses may be used
//!                    │   path.rs: whether there is a path · checks.rs: what answers to our checks say of it
//!                    │   ice.rs: our addresses, and TCP connections · framing.rs: datagrams on those
//!                    │   stun.rs: how others see our addresses · relay.rs: an address on a TURN server
//!                    └── sdp.rs: which m-line carries which track      channels.rs: data, on both
//! ```
//!
//! str0m's types do not leave this folder, so that a new version of it touches nothing else.

#![forbid(unsafe_code)]

mod admission;
mod candidates;
mod channels;
mod checks;
mod drain;
mod event;
pub mod framing;
mod ice;
mod line;
mod path;
mod publisher;
mod relay;
mod sdp;
mod stun;
mod subscriber;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

/// One of the two peer connections, as the protocol names them.
pub use crate::signal::description::Target as Peer;
pub use channels::{Channel, Written};
pub use drain::{Carrier, Failure, Output, Transmit};
pub use event::PeerEvent;
pub use ice::{Ice, IceTcpStream};
pub use line::{Line, OutgoingPacket};
pub use path::SILENCE_MAX;
pub use publisher::Publisher;
pub use relay::{Relay, RelayEvent, RelayServer};
pub use stun::{BindingResult, Bindings, Mapping};
pub use subscriber::{RtpArrival, Subscriber};

/// What carries a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A UDP socket.
    Udp,
    /// A TCP connection, framed (RFC 4571).
    Tcp,
    /// A connection to a TURN server, by TCP or TLS, framed as TURN frames itself (RFC 8656 §12.5).
    Turn,
}

/// One datagram that arrived, with the addresses of both ends.
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    /// What carried it.
    pub protocol: Protocol,
    /// Address of the sender.
    pub source: SocketAddr,
    /// Our concrete address that it came to; never a wildcard, or ICE cannot match it.
    pub destination: SocketAddr,
    /// The datagram without its headers.
    pub bytes: &'a [u8],
}
