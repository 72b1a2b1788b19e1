//! The io ring: descriptors, the clock, `unsafe`. Thin on purpose; it decides nothing.
//!
//! ```text
//!                 ┌─ runtime ─ one thread, one wait: client, driver, ports, reactor ─┐
//!                 │        │            │              │               │             │
//!   program ◄────►│     signal         net           sound           token          host
//!                 │   WebSocket     UDP, TCP,     microphone,     credentials     GPIO, keys,
//!                 │   to server      rtnetlink    loudspeaker     and sources     processes, files
//!                 └──────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Each folder has its own drawing. Other modules see its public modules here: `io::client`, not `io::runtime::client`.

#![allow(clippy::disallowed_types, reason = "sockets and files live in this ring")]

mod host;
mod net;
mod runtime;
mod signal;
pub mod sound;
#[cfg(test)]
pub(crate) mod tests;
mod token;

pub use host::{environment, gpio, kept_lines, keys, lines, process, realtime, stdin, systemd};
pub(crate) use host::{fingerprint, program, signals};
pub use net::wireless;
pub(crate) use runtime::{blocking, mailbox, options};
pub use runtime::{client, clock, handlers, reactor};
pub use signal::{probe, proxy, tls};
pub use token::{credentials, endpoint};
