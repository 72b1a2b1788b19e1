//! What the application asks to be told of the way that sound takes: `paths`, as JSON.
//!
//! For each peer connection: the addresses that the server has told, and the one that is used. Where they do not fit
//! how the server is reached otherwise, its configuration is wrong, which `kinglet doctor` says.

use serde_json::{Value, json};

use crate::engine::Engine;
use crate::rtc::{Carrier, Peer, Protocol};

impl Engine {
    pub(in crate::engine) fn list_paths(&mut self) -> Value {
        json!({
            "publisher": self.list_paths_of(Peer::Publisher),
            "subscriber": self.list_paths_of(Peer::Subscriber),
        })
    }

    fn list_paths_of(&mut self, peer: Peer) -> Value {
        let relayed = self.transports.relays[peer as usize].relayed();
        let Some(ice) = self.ice(peer) else { return Value::Null };
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
}
