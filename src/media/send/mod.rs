//! Captured blocks in, packets out.
//!
//! ```text
//! Block ─► chain (echo, noise, level) ─► capture (talk gate) ─► encode ─► SentPacket
//! ```

pub mod adapt;
pub mod audio_processor;
pub mod bands;
pub mod congestion;
pub mod echo;
pub mod encode;
pub mod gain_control;
pub mod half_duplex;
pub mod noise;
pub mod overload;
pub mod packetizer;
pub mod preconnect;
pub mod profile;
pub mod queueing_delay;
pub mod red;
pub mod reference;
