//! The client on one thread: a loop that runs tasks, takes one turn of the engine, and waits.
//!
//! ```text
//!   client.rs run(options, program)
//!       │
//!   driver.rs  loop { tasks ─► engine::turn over ports.rs ─► events ─► wait in reactor.rs }
//!       │                                   │
//!   client_queue.rs                     async_requests.rs
//!   events and commands between         look-ups, tokens, regions:
//!   driver and program                  tasks and threads
//!       │                                   │
//!   handlers.rs                         blocking.rs
//!   commands that answer RPC            a thread for what can only block
//! ```
//!
//! `mailbox.rs` is the bounded queue between the driver and a task, `clock.rs` the one reader of the clocks.

mod async_requests;
pub(crate) mod blocking;
pub mod client;
mod client_queue;
pub mod clock;
mod driver;
pub mod handlers;
pub(crate) mod mailbox;
pub(crate) mod options;
mod ports;
pub mod reactor;
