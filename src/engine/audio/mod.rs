//! The sound of a session: our tracks, and what we hear.

pub(in crate::engine) mod admission;
pub(in crate::engine) mod hearing;
pub(in crate::engine) mod local;
pub(in crate::engine) mod output_volume;
pub(in crate::engine) mod prompts;
pub(in crate::engine) mod receiver_slots;
pub(in crate::engine) mod subscribed_tracks;
