//! What goes over the data channels: packets ⇄ bounded types, and what reliable delivery, calls and
//! streams make of them. No socket, no clock, no peer connection.
//!
//! ```text
//!               ┌─ user data, chat, DTMF, transcription ──────────► events
//!  bytes ─► codec ─► reliable::Received (each packet once)
//!               ├─ invocations, rpc::Calls ───────────────────────► events, answers
//!               └─ stream_rx: header, chunks, trailer ────────────► text, files
//!
//!  commands, stream_tx ─► codec ─► reliable::Outbox (numbers, until confirmed) ─► bytes
//! ```
//!
//! Reference: github.com/livekit/protocol, `livekit_models.proto`, `DataPacket`.

#![forbid(unsafe_code)]

mod codec;
pub mod invocations;
pub mod packet;
pub mod reliable;
pub mod rpc;
pub mod stream_rx;
pub mod stream_tx;

#[cfg(test)]
mod conformance;
