//! Ten milliseconds of sound: the unit in which everything in this ring moves.
//!
//! A [`Block`] is 480 mono samples at 48 kHz, `f32`, full scale at ±1. Cards of other rates, channels and formats are
//! converted at the border (`io::sound`); all code inside relies on that.

/// Samples per second, everywhere inside; also Opus's RTP clock (RFC 7587 §4.1).
pub const SAMPLE_RATE_HZ: u32 = 48_000;

/// Samples of one block.
pub const BLOCK_FRAMES: usize = 480;

/// Length of one block.
pub const BLOCK_MS: u32 = 10;

/// Ten milliseconds of mono sound at 48 kHz, full scale at ±1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Block(pub [f32; BLOCK_FRAMES]);

impl Block {
    /// A block of silence.
    pub const SILENCE: Block = Block([0.0; BLOCK_FRAMES]);

    /// Whether every sample is exactly zero.
    pub fn is_silent(&self) -> bool {
        self.0.iter().all(|&s| s == 0.0)
    }
}

const _: () = assert!(BLOCK_FRAMES as u32 * 1000 == SAMPLE_RATE_HZ * BLOCK_MS);
