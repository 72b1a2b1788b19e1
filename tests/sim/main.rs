//! The whole client on a virtual clock, against a small LiveKit server, over simulated links and sound cards.
//!
//! Nothing here has a socket, a thread or a clock of its own. Every story runs in a [`clock`] that jumps from one event to
//! the next, so hours pass in seconds and the same seed gives the same story.

// The stories use what the parts offer; a part may offer more than today's stories use.
#![allow(dead_code, reason = "a toolbox: parts are used by stories, and not each by every one")]

mod card;
mod clock;
mod link;
mod random;
mod server;
