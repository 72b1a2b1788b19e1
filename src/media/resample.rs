//! Reads sound at a rate that is not quite its own, for clocks that do not quite agree.
//!
//! Each output sample is a windowed sinc of [`TAPS`] input samples around its place. The filter is tabulated at
//! `PHASES` places between two samples and interpolated on a line between those:
//!
//! ```text
//!   input   ·   ·   ·   ·   ·   ·   ·   │·   ·   ·   ·   ·   ·   ·   ·
//!           └───── 7 before ────────┘   place   └──── 8 from here on ──┘
//! ```
//!
//! 16 × 64 with a Kaiser window keeps tones up to 16 kHz more than 80 dB above what it adds, at a delay of nothing:
//! the taps behind the place are sound that was played already, those in front are 0.17 ms that must be there.
//! At rate 1 on whole places the output is the input, bit for bit.
//!
//! Clocks differ so little that the place creeps: at 100 ppm a block of 480 moves it by three of the `PHASES`. Outputs
//! between the same two of them are made in one run, four at a time, which is what a vector holds.

use sonora_simd::{SimdBackend, detect_backend};
use std::f64::consts::PI;
use std::sync::LazyLock;

/// Input samples that one output sample is made of.
pub const TAPS: usize = 16;

/// Of those, how many lie before the place.
pub const TAPS_BEFORE: usize = TAPS / 2 - 1;

/// Places between two samples for which the filter is tabulated.
const PHASES: usize = 64;

/// Outputs made at a time: the samples of a 128-bit vector.
const LANES: usize = 4;

/// Shape of the Kaiser window: side lobes below −80 dB, as wide a pass band as 16 taps give with that.
const KAISER_BETA: f64 = 8.0;

type Filter = [f32; TAPS];

/// One filter for each place, and one more, so that there is a next one to interpolate with.
static FILTERS: LazyLock<Box<[Filter; PHASES + 1]>> = LazyLock::new(|| {
    let mut filters = Box::new([[0.0; TAPS]; PHASES + 1]);
    for (phase, filter) in filters.iter_mut().enumerate() {
        let place = phase as f64 / PHASES as f64;
        for (tap, weight) in filter.iter_mut().enumerate() {
            let distance = tap as f64 - TAPS_BEFORE as f64 - place;
            *weight = (sinc(distance) * kaiser(distance / (TAPS / 2) as f64)) as f32;
        }
    }
    filters
});

/// A reader with its place between two input samples.
#[derive(Debug, Clone, Copy)]
pub struct Resampler {
    /// From 0 to 1.
    place: f64,
    /// What the processor has for two sums of products: for the outputs of a run that fill no vector.
    simd: SimdBackend,
}

impl Resampler {
    /// A reader that stands on a sample.
    pub fn new() -> Self {
        // Made here, so that no memory is taken while sound flows.
        LazyLock::force(&FILTERS);
        Resampler { place: 0.0, simd: detect_backend() }
    }

    /// How far it stands behind the next input sample to be consumed, 0 to 1.
    pub fn place(&self) -> f64 {
        self.place
    }

    /// Input samples, from the next one to be consumed on, that `outputs` outputs need at `rate`.
    pub fn needed(&self, outputs: usize, rate: f64) -> usize {
        (self.place + outputs as f64 * rate) as usize + TAPS - TAPS_BEFORE
    }

    /// Fills `out`, moving `rate` input samples for each; returns how many were consumed. `input` begins
    /// [`TAPS_BEFORE`] samples before the next one to be consumed and holds as many as [`Resampler::needed`] returns;
    /// with fewer, the rest of `out` is silent.
    pub fn read(&mut self, input: &[f32], rate: f64, out: &mut [f32]) -> usize {
        if rate == 1.0 && self.place == 0.0 {
            let input = input.get(TAPS_BEFORE..).unwrap_or(&[]);
            let len = out.len().min(input.len());
            out[..len].copy_from_slice(&input[..len]);
            out[len..].fill(0.0);
            return out.len();
        }
        let start = self.place;
        let mut made = 0;
        while made < out.len() {
            let at = start + made as f64 * rate;
            let whole = at as usize;
            let Some(window) = input.get(whole..).filter(|window| window.len() >= TAPS) else {
                out[made..].fill(0.0);
                break;
            };
            let run = Run::at(at - whole as f64, rate);
            let count = run.outputs.min(window.len() - (TAPS - 1)).min(out.len() - made);
            run.read(window, &mut out[made..made + count], self.simd);
            made += count;
        }
        let end = start + out.len() as f64 * rate;
        self.place = end.fract();
        end as usize
    }
}

/// Outputs between the same two tabulated filters; for each, the window moves on by one sample.
struct Run {
    before: &'static Filter,
    after: &'static Filter,
    /// Where the first output is between the two, 0 to 1, and by how much more each next one.
    share: f32,
    step: f32,
    outputs: usize,
}

impl Run {
    /// What begins at `place` (0 to 1) behind the middle of a window.
    fn at(place: f64, rate: f64) -> Self {
        let scaled = place * PHASES as f64;
        let phase = (scaled as usize).min(PHASES - 1);
        let share = scaled - phase as f64;
        let step = (rate - 1.0) * PHASES as f64;
        let room = if step < 0.0 { share } else { 1.0 - share };
        // Endless at rate 1, where the conversion saturates.
        let outputs = ((room / step.abs()) as usize).saturating_add(1);
        let filters = &**FILTERS;
        Run {
            before: &filters[phase],
            after: &filters[phase + 1],
            share: share as f32,
            step: step as f32,
            outputs,
        }
    }

    /// Fills `out`; `window` holds as many samples and `TAPS - 1` more.
    fn read(&self, window: &[f32], out: &mut [f32], simd: SimdBackend) {
        let (vectors, rest) = out.as_chunks_mut::<LANES>();
        for (i, vector) in vectors.iter_mut().enumerate() {
            let Some(around) = window[i * LANES..].first_chunk() else { return };
            *vector = self.vector(around, i * LANES);
        }
        let first = vectors.len() * LANES;
        for (i, sample) in (first..).zip(rest) {
            let (before, after) = simd.dual_dot_product(&window[i..i + TAPS], self.before, self.after);
            *sample = before + (after - before) * (self.share + i as f32 * self.step);
        }
    }

    #[inline(always)]
    fn vector(&self, around: &[f32; LANES + TAPS - 1], first: usize) -> [f32; LANES] {
        let (mut before, mut after) = ([0.0; LANES], [0.0; LANES]);
        let mut add = |tap: usize| {
            for lane in 0..LANES {
                before[lane] += around[tap + lane] * self.before[tap];
                after[lane] += around[tap + lane] * self.after[tap];
            }
        };
        // Four in one turn: a compiler that is to make a small program leaves loops as they are written.
        for tap in (0..TAPS).step_by(4) {
            add(tap);
            add(tap + 1);
            add(tap + 2);
            add(tap + 3);
        }
        let share = self.share + first as f32 * self.step;
        std::array::from_fn(|lane| {
            before[lane] + (after[lane] - before[lane]) * (share + lane as f32 * self.step)
        })
    }
}

impl Default for Resampler {
    fn default() -> Self {
        Self::new()
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else if x.fract() == 0.0 {
        // Exactly, or sound would not pass unchanged on whole places.
        0.0
    } else {
        (PI * x).sin() / (PI * x)
    }
}

/// The Kaiser window at `x`, −1 to 1.
fn kaiser(x: f64) -> f64 {
    bessel_i0(KAISER_BETA * (1.0 - x * x).max(0.0).sqrt()) / bessel_i0(KAISER_BETA)
}

/// The modified Bessel function of order 0, by its series (Abramowitz and Stegun 9.6.12).
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..40 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    /// Reads `blocks` blocks of 480 of an input made by formula.
    fn read(rate: f64, blocks: usize, input: impl Fn(f64) -> f64) -> Vec<f32> {
        let (mut resampler, mut next, mut out) = (Resampler::new(), 0_i64, Vec::new());
        for _ in 0..blocks {
            let needed = resampler.needed(480, rate) as i64;
            let samples: Vec<f32> =
                (next - TAPS_BEFORE as i64..next + needed).map(|i| input(i as f64) as f32).collect();
            let mut block = [0.0; 480];
            next += resampler.read(&samples, rate, &mut block) as i64;
            out.extend(block);
        }
        out
    }

    #[test]
    fn at_rate_one_nothing_changes() {
        let out = read(1.0, 5, |i| i);
        assert!(out.iter().enumerate().all(|(i, &sample)| sample == i as f32));
    }

    #[test]
    fn tones_keep_their_shape_at_another_rate() {
        // Signal to noise in dB at least, by frequency: edges of the pass band are the worst.
        for (hz, decibels) in [(100.0, 80.0), (1000.0, 80.0), (4000.0, 80.0), (10_000.0, 75.0)] {
            for rate in [1.0 + 1e-4, 1.0 - 3e-4, 1.002] {
                let out = read(rate, 20, |i| (TAU * hz * i / 48_000.0).sin());
                let error: f64 = out
                    .iter()
                    .enumerate()
                    .map(|(i, &sample)| {
                        (f64::from(sample) - (TAU * hz * rate * i as f64 / 48_000.0).sin()).powi(2)
                    })
                    .sum();
                let noise = 10.0 * (0.5 * out.len() as f64 / error).log10();
                assert!(noise > decibels, "{hz} Hz at {rate}: {noise} dB");
            }
        }
    }

    #[test]
    fn it_consumes_what_the_rate_says() {
        for rate in [0.998, 1.0, 1.0 + 1e-7, 1.002] {
            let mut resampler = Resampler::new();
            let (mut consumed, mut block) = (0, [0.0; 480]);
            let input = vec![0.25; 480 + 2 * TAPS];
            for _ in 0..10_000 {
                assert!(resampler.needed(480, rate) + TAPS_BEFORE <= input.len());
                consumed += resampler.read(&input, rate, &mut block);
            }
            let expected = 4_800_000.0 * rate;
            assert!((consumed as f64 + resampler.place() - expected).abs() < 0.01, "{rate}: {consumed}");
        }
    }

    #[test]
    fn too_little_input_is_silence_and_no_panic() {
        let mut resampler = Resampler::new();
        let mut block = [1.0; 480];
        for rate in [1.0, 1.001, 1.0] {
            for len in [0, 3, 20] {
                resampler.read(&vec![0.5; len], rate, &mut block);
                assert_eq!(block[479], 0.0);
            }
        }
    }
}
