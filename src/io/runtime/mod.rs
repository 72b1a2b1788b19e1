//! The client on one thread: a loop that runs tasks, takes one turn of the engine, and waits.
//!
//! ```text
//!   client.rs run(options, program)
//!       │
//!   driver.rs  loop { tasks ─► engine::turn over ports.rs ─► events ─► wait in reactor.rs }
//!       │                                  │
//!   desk.rs    commands and events         questions.rs   look-ups, tokens, regions: tasks and threads
//!       │      between driver and program      │
//!   handlers.rs  commands that answer RPC      blocking.rs  a thread for what can only block
//! ```
//!
//! `mailbox.rs` is the bounded queue between the driver and a task, `clock.rs` the one reader of the clocks.

pub(crate) mod blocking;
pub mod client;
pub mod clock;
mod desk;
mod driver;
pub mod handlers;
pub(crate) mod mailbox;
pub(crate) mod options;
mod ports;
mod questions;
pub mod reactor;
