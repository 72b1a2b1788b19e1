//! The signal connection's messages ⇄ bounded types of our own. No socket, no clock, no policy.
//!
//! ```text
//! WebSocket message ─► limit ─► prost ─► response::Response        request::Request ─► prost ─► message
//!   ≤ 4 MiB             leaves out what   SIDs, identities, tracks   offer, answer, trickle, add_track, …
//!                       is past a limit   within limits
//! ```
//!
//! Reference: github.com/livekit/protocol, `livekit_rtc.proto` and `livekit_models.proto`, at the
//! version in `proto/VERSION`.

#![forbid(unsafe_code)]

pub mod argument;
pub mod description;
pub mod endpoint;
pub mod ice_url;
pub mod join;
pub mod leave;
mod limit;
pub mod parameters;
pub mod participant;
pub mod ping;
pub mod refusal;
pub mod regions;
pub mod request;
mod request_response;
pub mod response;
pub mod scenario;
pub mod secret;
pub mod sid;
pub mod text;
pub mod token;
pub mod token_details;
pub mod truncated;
pub mod url;
pub(crate) mod wire;

#[cfg(test)]
pub(crate) mod tests;
