//! The io ring.
pub mod sound;
