//! A volume that moves without clicks.
//!
//! A step in gain is a step in the wave, and that is heard as a click. So each change is spread
//! over one [`Block`]: 10 ms, short enough for a talk key and longer than the ear takes for a click.

use crate::media::block::Block;

/// A factor that each block is multiplied by; changes are ramped over the next block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gain {
    current: f32,
    target: f32,
}

impl Gain {
    /// A gain that starts at `factor` (1 is unity, 0 silence).
    pub fn new(factor: f32) -> Self {
        let factor = sane(factor);
        Gain { current: factor, target: factor }
    }

    /// Where to move with the next block. A factor that is not a number counts as silence.
    pub fn set(&mut self, factor: f32) {
        self.target = sane(factor);
    }

    /// Whether the next block is multiplied by one factor from end to end.
    pub fn is_settled(&self) -> bool {
        self.current == self.target
    }

    /// Whether nothing is heard, neither now nor in the next block.
    pub fn is_silent(&self) -> bool {
        self.current == 0.0 && self.target == 0.0
    }

    /// Multiplies `block`. At unity the block stays as it is, bit for bit; at zero it is exact zeros.
    pub fn apply(&mut self, block: &mut Block) {
        if self.is_silent() {
            *block = Block::SILENCE;
        } else if !self.is_settled() {
            ramp(&mut block.0, self.current, self.target);
            self.current = self.target;
        } else if self.current != 1.0 {
            for sample in &mut block.0 {
                *sample *= self.current;
            }
        }
    }
}

/// Multiplies `samples` by a line from `from` (before the first sample) to `to` (at the last one).
pub(crate) fn ramp(samples: &mut [f32], from: f32, to: f32) {
    let count = samples.len().max(1) as f32;
    for (i, sample) in samples.iter_mut().enumerate() {
        *sample *= from + (to - from) * ((i + 1) as f32 / count);
    }
}

fn sane(factor: f32) -> f32 {
    if factor.is_finite() { factor.max(0.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::block::BLOCK_FRAMES;

    #[test]
    fn unity_is_transparent_and_zero_is_exact() {
        let sound = Block([0.123; BLOCK_FRAMES]);
        let mut block = sound;
        Gain::new(1.0).apply(&mut block);
        assert_eq!(block, sound);
        Gain::new(0.0).apply(&mut block);
        assert!(block.is_silent());
    }

    #[test]
    fn a_change_takes_one_block_and_no_step() {
        let mut gain = Gain::new(1.0);
        gain.set(0.0);
        let mut block = Block([1.0; BLOCK_FRAMES]);
        gain.apply(&mut block);
        assert!(gain.is_settled() && gain.is_silent());
        assert_eq!(block.0[BLOCK_FRAMES - 1], 0.0);
        let mut before = 1.0;
        for sample in block.0 {
            assert!((before - sample).abs() < 1.5 / BLOCK_FRAMES as f32);
            before = sample;
        }
    }

    #[test]
    fn factors_that_are_no_numbers_are_silence() {
        for factor in [f32::NAN, f32::INFINITY, -1.0] {
            let mut block = Block([1.0; BLOCK_FRAMES]);
            Gain::new(factor).apply(&mut block);
            assert!(block.is_silent());
        }
    }
}
