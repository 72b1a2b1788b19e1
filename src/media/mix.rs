//! The sum of all talkers, ten milliseconds at a time.
//!
//! `start`, one `add` for each talker that is heard, `finish`. The sum is limited, not averaged: a talker is as loud
//! alone as among others. Without an `add` the block is exact zeros.

use crate::media::block::Block;
use crate::media::gain::Gain;
use crate::media::limiter::Limiter;
use sonora_simd::detect_backend;

/// Adds blocks up and limits the sum.
#[derive(Debug, Clone)]
pub struct Mixer {
    sum: Block,
    limiter: Limiter,
}

impl Mixer {
    /// A mixer with an empty sum.
    pub fn new() -> Self {
        Mixer { sum: Block::SILENCE, limiter: Limiter::new() }
    }

    /// Begins the next block.
    pub fn start(&mut self) {
        self.sum = Block::SILENCE;
    }

    /// Adds the block of one talker.
    pub fn add(&mut self, block: &Block) {
        detect_backend().elementwise_accumulate(&block.0, &mut self.sum.0);
    }

    /// The sum at this volume, limited, into `out`. One talker below the ceiling comes out bit for bit
    /// at volume 1.
    pub fn finish(&mut self, volume: &mut Gain, out: &mut Block) {
        *out = self.sum;
        volume.apply(out);
        self.limiter.apply(out);
    }
}

impl Default for Mixer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::block::BLOCK_FRAMES;
    use crate::media::limiter::CEILING;
    use crate::media::tests::voice::sine;

    #[test]
    fn nobody_is_exact_zeros_even_after_a_loud_block() {
        let (mut mixer, mut out) = (Mixer::new(), Block::SILENCE);
        mixer.start();
        mixer.add(&Block([1.5; BLOCK_FRAMES]));
        mixer.finish(&mut Gain::new(1.0), &mut out);
        assert!(!out.is_silent());
        mixer.start();
        mixer.finish(&mut Gain::new(1.0), &mut out);
        assert!(out.is_silent());
    }

    #[test]
    fn one_talker_passes_bit_for_bit_and_two_are_summed() {
        let (mut mixer, mut out, mut one) = (Mixer::new(), Block::SILENCE, Block::SILENCE);
        sine(440.0, 0.3, 0, &mut one);
        mixer.start();
        mixer.add(&one);
        mixer.finish(&mut Gain::new(1.0), &mut out);
        assert_eq!(out, one);
        mixer.start();
        mixer.add(&one);
        mixer.add(&one);
        mixer.finish(&mut Gain::new(1.0), &mut out);
        assert!(out.0.iter().zip(&one.0).all(|(sum, sample)| *sum == 2.0 * sample));
    }

    /// Blocks of numbered samples: two talkers come and go, and each sample of their sum is known.
    #[test]
    fn numbered_samples_are_summed_in_their_places() {
        // In steps of 2⁻¹⁵, so that sums are exact.
        let numbered = |block: usize, every: f32| -> Block {
            Block(std::array::from_fn(|i| (block * BLOCK_FRAMES + i) as f32 % 1024.0 * every / 32_768.0))
        };
        let (mut mixer, mut out, mut volume) = (Mixer::new(), Block::SILENCE, Gain::new(1.0));
        for index in 0..12 {
            let (first_speaks, second_speaks) = (index % 4 != 3, index >= 5);
            mixer.start();
            if first_speaks {
                mixer.add(&numbered(index, 1.0));
            }
            if second_speaks {
                mixer.add(&numbered(index, 3.0));
            }
            mixer.finish(&mut volume, &mut out);
            let times = f32::from(u8::from(first_speaks)) + 3.0 * f32::from(u8::from(second_speaks));
            assert_eq!(out, numbered(index, times), "block {index}");
        }
    }

    #[test]
    fn a_full_table_of_shouting_talkers_stays_within_full_scale() {
        let (mut mixer, mut out) = (Mixer::new(), Block::SILENCE);
        mixer.start();
        for _ in 0..crate::limits::TALKERS_MAX {
            mixer.add(&Block([-1.0; BLOCK_FRAMES]));
        }
        mixer.finish(&mut Gain::new(1.0), &mut out);
        assert!(out.0.iter().all(|sample| sample.abs() <= CEILING));
    }
}
