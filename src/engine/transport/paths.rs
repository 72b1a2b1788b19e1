//! The paths of sound: the answer to `paths`, as JSON.
//!
//! For each peer connection: the addresses that the server has named, and the one that is used. If they do not match
//! the address by which the server is reached otherwise, its configuration is wrong, which `kinglet doctor` reports.

use serde_json::{Value, json};

use super::Transports;
use super::peer::PeerTransport;
use crate::rtc::{Carrier, Peer, Protocol};

impl Transports {
    /// The paths of both peer connections.
    pub(in crate::engine) fn paths(&mut self) -> Value {
        json!({
            "publisher": self.peer_mut(Peer::Publisher).map(paths_of),
            "subscriber": self.peer_mut(Peer::Subscriber).map(paths_of),
        })
    }
}

fn paths_of(transport: &mut PeerTransport) -> Value {
    let relayed = transport.relayed();
    let ice = transport.ice();
    let path = ice.carrier().map(|Carrier { protocol, ours, server }| {
        let by = match protocol {
            _ if relayed == Some(ours) => "turn",
            Protocol::Udp => "udp",
            Protocol::Tcp => "tcp",
            Protocol::Turn => "turn",
        };
        json!({ "by": by, "ours": ours, "server": server })
    });
    json!({
        "udp": ice.addresses(),
        "tcp": ice.stream_addresses().collect::<Vec<_>>(),
        "path": path,
    })
}
