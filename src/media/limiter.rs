//! Keeps the sum of many talkers within full scale without distorting it.
//!
//! The gain is 1 until a block would exceed [`CEILING`]; then it falls, on a line that ends at the
//! first sample that needs it (a block is seen whole, so this costs no delay), and comes back
//! slowly, so that speech does not pump. Below the ceiling the sound passes bit for bit.

use crate::media::block::{BLOCK_FRAMES, Block};
use crate::media::gain::ramp;
use sonora_simd::detect_backend;

/// The largest sample that leaves: −0.1 dB, so that rounding in a card's converter does not clip.
pub const CEILING: f32 = 0.989;

/// The gain comes back by this factor each block: 0.1 dB per 10 ms, so 6 dB in 600 ms. Faster is
/// heard as pumping between syllables.
const RELEASE_FACTOR: f32 = 1.0116;

/// A peak limiter with the gain it last left with.
#[derive(Debug, Clone, Copy)]
pub struct Limiter {
    gain: f32,
}

impl Limiter {
    /// A limiter at unity.
    pub fn new() -> Self {
        Limiter { gain: 1.0 }
    }

    /// Limits `block`. No sample above [`CEILING`] leaves; samples that are not finite become zero.
    pub fn apply(&mut self, block: &mut Block) {
        let peak = block.0.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        let sum = detect_backend().sum(&block.0);
        if !peak.is_finite() || !sum.is_finite() {
            block.0.iter_mut().filter(|sample| !sample.is_finite()).for_each(|sample| *sample = 0.0);
            return self.apply_finite(block);
        }
        if self.gain == 1.0 && peak <= CEILING {
            return;
        }
        self.apply_finite(block);
    }

    /// The gain of the last sample: 1 where nothing is limited.
    pub fn gain(&self) -> f32 {
        self.gain
    }

    fn apply_finite(&mut self, block: &mut Block) {
        let peak = block.0.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        let allowed = if peak > CEILING { CEILING / peak } else { 1.0 };
        if allowed < self.gain {
            let gain = self.gain;
            let first_over = block.0.iter().position(|sample| sample.abs() * gain > CEILING).unwrap_or(0);
            ramp(&mut block.0[..first_over], gain, allowed);
            block.0[first_over..].iter_mut().for_each(|sample| *sample *= allowed);
            self.gain = allowed;
        } else {
            let next = (self.gain * RELEASE_FACTOR).min(allowed);
            ramp(&mut block.0, self.gain, next);
            self.gain = next;
        }
        // Rounding of the products may pass the ceiling by a bit or two.
        block.0.iter_mut().for_each(|sample| *sample = sample.clamp(-CEILING, CEILING));
    }
}

impl Default for Limiter {
    fn default() -> Self {
        Self::new()
    }
}

const _: () = assert!(BLOCK_FRAMES > 0 && CEILING < 1.0 && RELEASE_FACTOR > 1.0);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::tests::voice::sine;

    #[test]
    fn below_the_ceiling_it_is_transparent_bit_for_bit() {
        let mut limiter = Limiter::new();
        for i in 0..100 {
            let mut block = Block::SILENCE;
            sine(997.0, CEILING, i * BLOCK_FRAMES as u64, &mut block);
            let before = block;
            limiter.apply(&mut block);
            assert_eq!(before, block);
        }
    }

    #[test]
    fn nothing_above_the_ceiling_leaves_and_the_wave_keeps_its_shape() {
        let mut limiter = Limiter::new();
        for i in 0..200 {
            let mut block = Block::SILENCE;
            let amplitude = if i % 40 < 10 { 3.0 } else { 0.5 };
            sine(200.0, amplitude, i * BLOCK_FRAMES as u64, &mut block);
            limiter.apply(&mut block);
            assert!(block.0.iter().all(|sample| sample.abs() <= CEILING));
            if i == 5 {
                let at_ceiling = block.0.iter().filter(|s| s.abs() == CEILING).count();
                assert!(at_ceiling < 10, "turned down, not clipped: {at_ceiling}");
            }
        }
    }

    #[test]
    fn the_gain_comes_back_slowly_and_all_the_way() {
        let mut limiter = Limiter::new();
        limiter.apply(&mut Block([2.0; BLOCK_FRAMES]));
        assert!((limiter.gain() - CEILING / 2.0).abs() < 1e-6);
        let mut blocks = 0;
        while limiter.gain() < 1.0 {
            let before = limiter.gain();
            limiter.apply(&mut Block::SILENCE.clone());
            assert!(limiter.gain() <= before * 1.02);
            blocks += 1;
        }
        assert!((50..80).contains(&blocks), "{blocks}");
        assert_eq!(limiter.gain(), 1.0);
    }

    #[test]
    fn broken_samples_do_not_stay() {
        let mut limiter = Limiter::new();
        for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut block = Block([0.25; BLOCK_FRAMES]);
            block.0[7] = broken;
            limiter.apply(&mut block);
            assert_eq!(block.0[7], 0.0);
            assert_eq!(block.0[8], 0.25);
            assert_eq!(limiter.gain(), 1.0);
        }
    }
}
