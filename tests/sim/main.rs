//! The whole client on a virtual clock, against a small LiveKit server, over simulated links and sound cards.
//!
//! Nothing here has a socket, a thread or a clock of its own. Every story runs in a [`clock`] that jumps from one event to
//! the next, so hours pass in seconds and the same seed gives the same story.

mod acoustics;
#[path = "../alloc/mod.rs"]
mod alloc;
mod card;
mod client;
mod clock;
mod cloud;
mod disk;
mod jitter {
    pub mod replay;
    pub mod trace;
}
mod link;
mod nat;
mod ports;
mod random;
mod server;
mod stories {
    mod allocations;
    mod announce;
    mod congestion;
    mod coupled;
    mod cuts;
    mod data;
    mod drift;
    mod early;
    mod echo;
    mod eight_talkers;
    mod farewell;
    mod figures;
    mod hearing;
    mod hostile;
    mod hostile_data;
    mod join;
    mod latency;
    mod loss;
    mod many_cuts;
    mod mute;
    mod outage;
    mod paths;
    mod portals;
    mod privacy;
    mod quality;
    mod rebinding;
    mod reflexive;
    mod regions;
    mod resume;
    mod returns;
    mod roaming;
    mod room;
    mod round_trips;
    mod rpc;
    mod service;
    mod siege;
    mod strangers;
    mod streams;
    mod turn;
}
mod turn;
mod world;

/// Counts only on the thread of a story that asks for it.
#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;
