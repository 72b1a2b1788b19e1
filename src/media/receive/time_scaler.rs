//! Time-scaling: makes sound shorter or longer by one period of the voice, where it is inaudible.
//!
//! ```text
//!   shorter   ╱╲╱╲╱╲│╱╲│╱╲│╱╲…   ─►   ╱╲╱╲╱╲│╱╲│…       two periods become one, by a crossfade
//!   longer    ╱╲╱╲╱╲│╱╲│╱╲…      ─►   ╱╲╱╲╱╲│╱╲│╱╲│…    the last one comes again
//! ```
//!
//! A voice repeats itself each 2.5 to 12.5 ms (80 to 400 Hz). Where what follows is nearly the same as what went
//! one period before, leaving one out or playing it twice changes neither pitch nor timbre; at most every
//! twentieth period, so the tempo changes by 5 %. In silence any period will do. The longer nothing suitable comes, the
//! less alike the periods need be: in steady noise, too, a delay must not stay.

use super::pcm_queue::PcmQueue;
use crate::limits::PCM_HISTORY_SAMPLES;
use crate::media::block::{BLOCK_FRAMES, SAMPLE_RATE_HZ};
use crate::media::level::samples_dbfs;

/// The shortest period: 2.5 ms.
const PERIOD_SAMPLES_MIN: usize = SAMPLE_RATE_HZ as usize * 5 / 2000;

/// The longest: 12.5 ms.
const PERIOD_SAMPLES_MAX: usize = PCM_HISTORY_SAMPLES;

/// Periods are compared over this at least: a short stretch is like many others.
const COMPARED_SAMPLES_MIN: usize = SAMPLE_RATE_HZ as usize / 200;

/// The search looks at every fourth sample first (averages of four): a voice lives below 6 kHz.
const COARSE: usize = 4;

/// So alike must periods be (normalised correlation), and so much less for each attempt that failed, 0.1 in a
/// quarter of a second, down to what is found in noise.
const LIKENESS: f32 = 0.9;
const LIKENESS_LOSS: f32 = 0.004;
const LIKENESS_MIN: f32 = 0.1;

/// Below this level nothing is audible.
const QUIET_DBFS: f32 = -50.0;

/// Sound between two changes, in periods: the tempo changes by 5 %; in silence by half.
const SPACING: usize = 20;
const QUIET_SPACING: usize = 2;

/// Which way to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TempoChange {
    /// One period less.
    Shorter,
    /// One period more.
    Longer,
}

/// The time-scaler of one talker.
#[derive(Debug, Clone)]
pub struct TimeScaler {
    /// Samples to play before the next change.
    wait: usize,
    /// Attempts since the last change.
    attempts: u32,
    coarse: [f32; 2 * PERIOD_SAMPLES_MAX / COARSE],
}

impl TimeScaler {
    /// Nothing was changed yet.
    pub fn new() -> Self {
        TimeScaler { wait: 0, attempts: 0, coarse: [0.0; 2 * PERIOD_SAMPLES_MAX / COARSE] }
    }

    /// So many samples were played.
    pub fn played(&mut self, samples: usize) {
        self.wait = self.wait.saturating_sub(samples);
    }

    /// Whether enough was played since the last change.
    pub fn is_ready(&self) -> bool {
        self.wait == 0
    }

    /// Changes what waits by one period, if there is a suitable one; returns its length. For
    /// [`TempoChange::Shorter`] twice a period must wait, for [`TempoChange::Longer`] one.
    pub fn apply(&mut self, change: TempoChange, queue: &mut PcmQueue) -> Option<usize> {
        if !self.is_ready() {
            return None;
        }
        // The samples to be compared, and how many of them are the first of the two periods at most.
        let samples = match change {
            TempoChange::Shorter => queue.peek(0),
            TempoChange::Longer => queue.peek(PERIOD_SAMPLES_MAX),
        };
        let samples = &samples[..samples.len().min(2 * PERIOD_SAMPLES_MAX)];
        let (period, spacing) = if samples_dbfs(samples) < QUIET_DBFS {
            (BLOCK_FRAMES.min(samples.len() / 2), QUIET_SPACING)
        } else {
            let (period, likeness) = self.search(change, samples)?;
            let needed = LIKENESS - LIKENESS_LOSS * self.attempts as f32;
            self.attempts = self.attempts.saturating_add(1);
            if likeness < needed.max(LIKENESS_MIN) {
                return None;
            }
            (period, SPACING)
        };
        let is_done = match change {
            TempoChange::Shorter => queue.shorten(period),
            TempoChange::Longer => queue.lengthen(period),
        };
        if !is_done {
            return None;
        }
        (self.wait, self.attempts) = (period * spacing, 0);
        Some(period)
    }

    /// The period at which the sound is most like itself, and how much: coarsely, then exactly.
    fn search(&mut self, change: TempoChange, samples: &[f32]) -> Option<(usize, f32)> {
        let coarse_len = samples.len() / COARSE;
        for (coarse, group) in self.coarse.iter_mut().zip(samples.chunks_exact(COARSE)) {
            *coarse = group.iter().sum();
        }
        let coarse = self.coarse.get(..coarse_len)?;
        let (least, most) = (PERIOD_SAMPLES_MIN / COARSE, PERIOD_SAMPLES_MAX / COARSE);
        let (rough, _) = best(change, coarse, COMPARED_SAMPLES_MIN / COARSE, most, least..=most)?;
        let near = (rough * COARSE).saturating_sub(COARSE).max(PERIOD_SAMPLES_MIN)
            ..=(rough * COARSE + COARSE).min(PERIOD_SAMPLES_MAX);
        best(change, samples, COMPARED_SAMPLES_MIN, PERIOD_SAMPLES_MAX, near)
    }
}

impl Default for TimeScaler {
    fn default() -> Self {
        Self::new()
    }
}

/// The best of `periods`, and its likeness. To make it shorter, what comes is compared with what comes a period
/// later; to make it longer, what went (up to `middle`) with what comes.
fn best(
    change: TempoChange,
    samples: &[f32],
    compared_min: usize,
    middle: usize,
    periods: std::ops::RangeInclusive<usize>,
) -> Option<(usize, f32)> {
    let likeness_at = |period: usize| {
        let start = if change == TempoChange::Shorter { 0 } else { middle.checked_sub(period)? };
        let compared = period.max(compared_min);
        let first = samples.get(start..start + compared)?;
        let second = samples.get(start + period..start + period + compared)?;
        Some((period, likeness(first, second)))
    };
    periods.filter_map(likeness_at).max_by(|a, b| a.1.total_cmp(&b.1))
}

/// Normalised correlation: 1 is the same up to loudness.
fn likeness(first: &[f32], second: &[f32]) -> f32 {
    let (mut product, mut first_square, mut second_square) = (0.0, 0.0, 0.0);
    for (a, b) in first.iter().zip(second) {
        product += a * b;
        first_square += a * a;
        second_square += b * b;
    }
    let scale = (first_square * second_square).sqrt();
    if scale > 0.0 { product / scale } else { 0.0 }
}

const _: () = assert!(PERIOD_SAMPLES_MAX.is_multiple_of(COARSE) && PERIOD_SAMPLES_MIN.is_multiple_of(COARSE));
const _: () = assert!(BLOCK_FRAMES <= PERIOD_SAMPLES_MAX && COMPARED_SAMPLES_MIN <= PERIOD_SAMPLES_MAX);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::block::Block;
    use crate::media::tests::voice::{noise, voice};

    /// Plays `blocks` of `source` and scales whenever it is allowed; returns the output, and the number of changes.
    fn play(change: TempoChange, blocks: u64, mut source: impl FnMut(u64, &mut Block)) -> (Vec<f32>, usize) {
        let (mut scaler, mut queue) = (TimeScaler::new(), PcmQueue::new());
        let (mut out, mut changes, mut next) = (Vec::new(), 0, 0);
        while next < blocks {
            while queue.len() < 2 * PERIOD_SAMPLES_MAX {
                let mut block = Block::SILENCE;
                source(next, &mut block);
                next += 1;
                let write = |room: &mut [f32]| {
                    room[..BLOCK_FRAMES].copy_from_slice(&block.0);
                    Ok::<_, ()>(BLOCK_FRAMES)
                };
                queue.fill(write).unwrap();
            }
            changes += usize::from(scaler.apply(change, &mut queue).is_some());
            out.extend(&queue.peek(0)[..BLOCK_FRAMES]);
            queue.pass(BLOCK_FRAMES);
            scaler.played(BLOCK_FRAMES);
        }
        (out, changes)
    }

    #[test]
    fn a_voice_changes_its_tempo_by_up_to_five_percent_and_not_its_pitch() {
        for (change, least, most) in
            [(TempoChange::Shorter, 0.945, 0.985), (TempoChange::Longer, 1.015, 1.055)]
        {
            let (out, changes) = play(change, 1000, voice);
            let tempo = out.len() as f64 / (1000.0 * BLOCK_FRAMES as f64);
            assert!((least..most).contains(&tempo) && changes > 50, "{change:?}: {tempo} {changes}");
            // No step that the voice itself does not make.
            let mut original = vec![0.0; 0];
            for index in 0..1000 {
                let mut block = Block::SILENCE;
                voice(index, &mut block);
                original.extend(block.0);
            }
            let step = |samples: &[f32]| {
                samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
            };
            assert!(step(&out) < 1.2 * step(&original), "{} {}", step(&out), step(&original));
        }
    }

    #[test]
    fn silence_goes_fast_and_noise_goes_slowly() {
        let (silent, _) = play(TempoChange::Shorter, 1000, |_, _| {});
        assert!(silent.len() < 700 * BLOCK_FRAMES, "{}", silent.len());
        let mut random = 3;
        let (_, changes) = play(TempoChange::Shorter, 1000, |_, block| noise(0.1, &mut random, block));
        assert!((3..20).contains(&changes), "{changes} in ten seconds");
    }

    #[test]
    fn a_tone_is_joined_at_its_own_period() {
        // 200 Hz: the period is 240 samples, and so is each multiple of it.
        let tone =
            |index: u64, block: &mut Block| crate::media::tests::voice::sine(200.0, 0.3, index * 480, block);
        for change in [TempoChange::Shorter, TempoChange::Longer] {
            let (out, changes) = play(change, 200, tone);
            assert!(changes > 7);
            for (i, sample) in out.iter().enumerate() {
                let expected = 0.3 * (std::f64::consts::TAU * 200.0 * i as f64 / 48_000.0).sin() as f32;
                assert!((sample - expected).abs() < 0.01, "{change:?} at {i}: {sample} {expected}");
            }
        }
    }
}
