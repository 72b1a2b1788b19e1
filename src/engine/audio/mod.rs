//! The sound of a session: our tracks, and the tracks that we hear.

pub(in crate::engine) mod admission;
pub(in crate::engine) mod hearing;
pub(in crate::engine) mod local;
pub(in crate::engine) mod prompts;
