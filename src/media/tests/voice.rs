//! Sounds for tests: made by formula, so that a test needs no file and knows every sample.

use crate::media::block::{BLOCK_FRAMES, Block, SAMPLE_RATE_HZ};
use std::f64::consts::TAU;

/// A sine of `hz`, the first sample being number `start` of it.
pub fn sine(hz: f64, amplitude: f32, start: u64, block: &mut Block) {
    for (i, sample) in block.0.iter_mut().enumerate() {
        let time_s = (start + i as u64) as f64 / f64::from(SAMPLE_RATE_HZ);
        *sample = ((TAU * hz * time_s).sin() as f32) * amplitude;
    }
}

/// White noise. `state` is the generator's, any number but zero.
pub fn noise(amplitude: f32, state: &mut u64, block: &mut Block) {
    for sample in &mut block.0 {
        *sample = amplitude * (2.0 * uniform(state) as f32 - 1.0);
    }
}

/// The next number of a xorshift generator (Marsaglia 2003).
pub fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// The next number in `0.0..1.0`.
pub fn uniform(state: &mut u64) -> f64 {
    (next(state) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A voice that never repeats: harmonics of a gliding pitch, in syllables of 250 ms. Returns block `index` of it.
pub fn voice(index: u64, block: &mut Block) {
    for (i, sample) in block.0.iter_mut().enumerate() {
        let time_s = (index * BLOCK_FRAMES as u64 + i as u64) as f64 / f64::from(SAMPLE_RATE_HZ);
        // A pitch of 130 ± 25 Hz whose glide does not repeat within a minute.
        let phase = TAU * (130.0 * time_s + 4.0 * (0.9 * time_s).sin() + 3.0 * (2.3 * time_s).sin());
        let syllable = (TAU * 2.0 * time_s).sin().abs() * (0.6 + 0.4 * (TAU * 0.37 * time_s).sin());
        let formant = 3.0 + 2.0 * (TAU * 0.7 * time_s).sin();
        // sin((n+1)φ) = 2 cos φ sin(nφ) − sin((n−1)φ): one sine for all harmonics.
        let (mut before, mut harmonic, double_cos) = (0.0, phase.sin(), 2.0 * phase.cos());
        let mut tone = 0.0;
        for n in 1..16 {
            let distance = f64::from(n) - formant;
            tone += harmonic / (1.0 + distance * distance);
            (before, harmonic) = (harmonic, double_cos * harmonic - before);
        }
        *sample = (0.12 * syllable * tone) as f32;
    }
}

/// The delay of `heard` after `said` within `lag_max` samples with the highest similarity, and that similarity (1 is
/// the same up to loudness). The search is coarse first: a voice changes little within 8 samples.
pub fn correlate(said: &[f32], heard: &[f32], lag_max: usize) -> (usize, f64) {
    let best = |lags: &mut dyn Iterator<Item = usize>, stride: usize| {
        let alike = lags.map(|lag| (lag, likeness(said, heard.get(lag..).unwrap_or(&[]), stride)));
        alike.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0))
    };
    let (coarse, _) = best(&mut (0..=lag_max).step_by(8), 13);
    best(&mut (coarse.saturating_sub(8)..=lag_max.min(coarse + 8)), 1)
}

fn likeness(said: &[f32], heard: &[f32], stride: usize) -> f64 {
    let (mut product, mut said_square, mut heard_square) = (0.0_f64, 1e-12_f64, 1e-12_f64);
    for (a, b) in said.iter().zip(heard).step_by(stride) {
        product += f64::from(a * b);
        said_square += f64::from(a * a);
        heard_square += f64::from(b * b);
    }
    product / (said_square * heard_square).sqrt()
}
