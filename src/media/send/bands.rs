//! A block as three bands of 8 kHz, which is how echo and noise are taken out of it.
//!
//! ```text
//! Block (48 kHz) ─► split ─► 0–8 kHz  ─► echo, noise: most of what a voice is
//!                            8–16 kHz ─► only a gain that follows the lowest band   ─► join ─► Block
//!                            16–24 kHz ─►               "
//! ```
//!
//! Each band has 160 samples every 10 ms. Splitting and joining together cost 1 ms of delay and a
//! fiftieth of what the canceller costs. Inside the bands full scale is ±32 768, as the signal
//! processing was written for 16-bit samples and has its thresholds in that scale.

use sonora::three_band_filter_bank::{NUM_BANDS, SPLIT_BAND_SIZE, ThreeBandFilterBank};

use crate::media::block::Block;

/// Bands of a block.
pub const BANDS: usize = NUM_BANDS;

/// Samples of one band of a block.
pub const BAND_SAMPLES: usize = SPLIT_BAND_SIZE;

/// Full scale inside the bands.
pub(crate) const BAND_FULL_SCALE: f32 = 32_768.0;

/// One block in three bands, the lowest first.
pub type Bands = [[f32; BAND_SAMPLES]; BANDS];

/// The bands of a block of silence.
pub const SILENT_BANDS: Bands = [[0.0; BAND_SAMPLES]; BANDS];

/// Splits one stream of blocks.
#[derive(Debug, Default)]
pub struct Splitter {
    bank: ThreeBandFilterBank,
    high_pass: HighPass,
}

impl Splitter {
    /// The block in bands, without what lies below a voice.
    pub fn split(&mut self, block: &Block, bands: &mut Bands) {
        let scaled = block.0.map(|sample| sample * BAND_FULL_SCALE);
        self.bank.analysis(&scaled, bands);
        self.high_pass.apply(&mut bands[0]);
    }
}

/// Puts bands together again.
#[derive(Debug, Default)]
pub struct Joiner {
    bank: ThreeBandFilterBank,
}

impl Joiner {
    /// The block of these bands.
    pub fn join(&mut self, bands: &Bands, block: &mut Block) {
        self.bank.synthesis(bands, &mut block.0);
        for sample in &mut block.0 {
            *sample /= BAND_FULL_SCALE;
        }
    }
}

/// A Butterworth high-pass of second order at 80 Hz, for the lowest band. Mains hum and the direct current of MEMS
/// microphones are louder than a voice and useless for the adaptive filters.
#[derive(Debug, Default)]
struct HighPass {
    first: f32,
    second: f32,
}

impl HighPass {
    // tan(π · 80 / 16 000) through the bilinear transform (Butterworth, Q = 1/√2).
    const B0: f32 = 0.978_030_5;
    const A1: f32 = -1.955_578_2;
    const A2: f32 = 0.956_543_7;

    fn apply(&mut self, samples: &mut [f32]) {
        for sample in samples {
            let input = *sample;
            // Transposed direct form II; the numerator is B0 · (1 − 2z⁻¹ + z⁻²).
            let output = Self::B0 * input + self.first;
            self.first = -2.0 * Self::B0 * input - Self::A1 * output + self.second;
            self.second = Self::B0 * input - Self::A2 * output;
            *sample = output;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::block::BLOCK_FRAMES;
    use crate::media::tests::voice::{correlate, sine, voice};

    /// Splits and joins `blocks` blocks that `make` fills.
    fn round_trip(blocks: u64, mut make: impl FnMut(u64, &mut Block)) -> (Vec<f32>, Vec<f32>) {
        let (mut splitter, mut joiner) = (Splitter::default(), Joiner::default());
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for index in 0..blocks {
            let (mut block, mut bands) = (Block::SILENCE, SILENT_BANDS);
            make(index, &mut block);
            before.extend(block.0);
            splitter.split(&block, &mut bands);
            joiner.join(&bands, &mut block);
            after.extend(block.0);
        }
        (before, after)
    }

    #[test]
    fn a_voice_comes_out_as_it_went_in_a_millisecond_later() {
        let (before, after) = round_trip(100, voice);
        let (lag, alike) = correlate(&before[..40_000], &after, 480);
        assert!(lag <= 48 && alike > 0.98, "{lag} samples, {alike}");
    }

    #[test]
    fn tones_keep_their_loudness_and_hum_and_direct_current_do_not_pass() {
        let energy = |samples: &[f32]| samples.iter().map(|s| f64::from(s * s)).sum::<f64>();
        let gain_db = |hz: f64| {
            let (before, after) =
                round_trip(50, |index, block| sine(hz, 0.3, index * BLOCK_FRAMES as u64, block));
            10.0 * (energy(&after[12_000..]) / energy(&before[12_000..])).log10()
        };
        for hz in [300.0, 1000.0, 3000.0, 6000.0, 10_000.0, 14_000.0, 19_000.0] {
            assert!(gain_db(hz).abs() < 1.0, "{hz} Hz: {} dB", gain_db(hz));
        }
        assert!(gain_db(30.0) < -14.0, "{}", gain_db(30.0));
        let (_, after) = round_trip(100, |_, block| *block = Block([0.2; BLOCK_FRAMES]));
        assert!(after[40_000..].iter().all(|s| s.abs() < 1e-3));
    }
}
