//! What goes over the data channels: packets ⇄ bounded types, and what reliable delivery, calls and
//! streams make of them. No socket, no clock, no peer connection.
//!
//! ```text
//!               ┌─ user data, chat, DTMF ─────────────────────────► events
//!               ├─ transcription ─► captions (each once) ─────────► events
//!  bytes ─► codec ─► reliable::Received (each packet once)
//!               ├─ invocations, rpc::Calls ───────────────────────► events, answers
//!               └─ stream_rx: header, chunks, trailer ────────────► text, files
//!
//!  commands, stream_tx ─► codec ─► reliable::ReliableOutbox (numbers, until confirmed) ─► bytes
//! ```
//!
//! Reference: github.com/livekit/protocol, `livekit_models.proto`, `DataPacket`.

#![forbid(unsafe_code)]

pub mod captions;
pub mod chat_ids;
mod codec;
mod fair;
pub mod invocations;
pub mod packet;
pub mod reliable;
pub mod rpc;
pub mod stream;
pub mod stream_rx;
pub mod stream_tx;

#[cfg(test)]
mod tests;
