//! The datagrams of the peer connections, and the device's networks.
//!
//! ```text
//!   udp.rs ──────────┐
//!                    ├─ sockets.rs ◄─► engine     netlink.rs   addresses and links that come and go
//!   media_stream.rs ─┘  both peer connections     wireless.rs  Wi-Fi that sleeps
//!   ICE-TCP, TURN
//! ```

mod media_stream;
pub(super) mod netlink;
pub(super) mod sockets;
pub(super) mod udp;
pub mod wireless;
