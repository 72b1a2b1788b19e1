//! The io ring: descriptors, the clock, `unsafe`. Thin on purpose; it decides nothing.
//!
//! ```text
//!   client.rs   the async face: run(options, program)
//!   driver.rs   the loop          ports.rs    what the engine sees of the outside
//!   reactor.rs  the one wait      mailbox.rs  between driver and tasks
//!   websocket.rs ─ tcp.rs ─ tls.rs ─ dns.rs   the signal connection, a task
//!   sockets.rs ─ udp.rs ─ stream.rs           datagrams of the peer connections, by UDP and TCP
//!   netlink.rs  addresses and networks that come and go
//!   gpio.rs     lines ─ kept_lines.rs   keys.rs   input devices      systemd.rs  the service manager
//!   command.rs  programs beside us ─ handlers.rs   those that answer calls      files.rs
//!   probe.rs    the way to the server, a step at a time          wireless.rs  Wi-Fi that sleeps
//!   sound/      cards, files, pipes          realtime.rs  a turn in time, memory that stays
//! ```

#![allow(clippy::disallowed_types, reason = "sockets and files live in this ring")]

pub(crate) mod blocking;
pub mod client;
pub mod clock;
pub(crate) mod command;
pub mod credentials;
mod desk;
mod dial;
mod dns;
mod driver;
pub mod endpoint;
pub mod environment;
mod files;
pub(crate) mod fingerprint;
pub mod gpio;
pub mod handlers;
mod http;
pub mod kept_lines;
pub mod keys;
pub mod lines;
pub(crate) mod mailbox;
mod netlink;
pub(crate) mod options;
mod ports;
pub mod probe;
pub mod process;
pub mod proxy;
mod questions;
pub mod reactor;
pub mod realtime;
pub(crate) mod signals;
mod sockets;
pub mod sound;
pub mod stdin;
mod stream;
pub mod systemd;
mod tcp;
pub mod tls;
mod token_command;
mod udp;
mod validate;
mod websocket;
pub mod wireless;
