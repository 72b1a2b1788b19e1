//! Sound: blocks and packets in, packets and blocks out. No device, no clock.
//!
//! ```text
//! capture ─► block ─► send::packetizer (gain, level) ─► send::encode ─► SentPacket ─► engine
//! engine ─► ArrivedPacket ─► receive::packet_buffer ─► receive::decode ─► receive::playout ─► mix ─► limiter ─► block
//! ```

#![expect(
    clippy::indexing_slicing,
    reason = "sample loops: bounds follow from block and packet sizes of our own; payloads are taken apart with checked access"
)]
#![forbid(unsafe_code)]

pub mod activity;
pub mod block;
pub mod channel_input;
pub mod chirp;
pub mod drift;
pub mod gain;
pub mod level;
pub mod limiter;
pub mod mix;
pub mod prompt;
pub mod rate_converter;
pub mod receive;
pub mod recent;
pub mod resample;
pub mod sample_format;
pub mod send;
#[cfg(test)]
pub(crate) mod tests;
