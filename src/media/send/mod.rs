//! Captured blocks in, packets out.
//!
//! ```text
//! Block ─► chain (echo, noise, level) ─► capture (talk gate) ─► encode ─► SentPacket
//! ```

pub mod adapt;
pub mod bands;
pub mod capture;
pub mod chain;
pub mod early;
pub mod echo;
pub mod encode;
pub mod half_duplex;
pub mod levelling;
pub mod load;
pub mod noise;
pub mod profile;
pub mod queue;
pub mod red;
pub mod reference;
pub mod relief;
