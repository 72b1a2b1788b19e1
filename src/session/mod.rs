//! How we stay in the room: why a session is lost, and what follows from it.

#![forbid(unsafe_code)]

pub mod cause;
pub mod recovery;
