//! What we publish and subscribe to: our side of the room.

#![forbid(unsafe_code)]

pub mod gates;
pub mod mute;
pub mod overrides;
pub mod policy;
pub mod profile;
pub mod publication;
pub mod subscription;
