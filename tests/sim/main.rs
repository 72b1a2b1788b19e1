//! The whole client on a virtual clock, against a small LiveKit server, over simulated links and sound cards.
//!
//! Nothing here has a socket, a thread or a clock of its own. Every story runs in a [`clock`] that jumps from one event to
//! the next, so hours pass in seconds and the same seed gives the same story.

#![allow(
    dead_code,
    reason = "the stories use these parts; they are declared with the engine that they drive"
)]

mod card;
mod clock;
mod link;
mod random;
mod server;
