//! The datagrams of the peer connections, and the device's networks.
//!
//! ```text
//!   udp.rs ────┐
//!              ├─ sockets.rs ◄─► engine        netlink.rs   addresses and links that come and go
//!   stream.rs ─┘  both peer connections        wireless.rs  Wi-Fi that sleeps
//!   ICE-TCP, TURN
//! ```

pub(super) mod netlink;
pub(super) mod sockets;
mod stream;
pub(super) mod udp;
pub mod wireless;
