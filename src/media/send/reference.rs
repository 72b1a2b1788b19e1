//! The sound of the loudspeaker, aligned with the sound of the microphone.
//!
//! A block that is given to the loudspeaker waits in its card before it is heard, and a block from the microphone
//! waited in its card after it was heard. Both delays change with every xrun, and if the cards have clocks of their own
//! they diverge: 300 ppm are a millisecond in three seconds. An echo canceller that is fed blocks as they come must
//! adapt its path again each time. Here it need not: both cards report how much waits in them, so the position of each
//! captured block among the played samples is known.
//!
//! ```text
//! played   ├───────────── history ─────────────┤◄── lag: waits in both cards ──►│ given to the card
//!                              ▲ position: read here, 1 ± some ppm samples for each of the microphone's
//! captured ├───────────────────┤
//! ```
//!
//! Small errors of the position are the clocks' difference and the cards' rounding: a slow loop of second order turns
//! them into a rate. Large errors that last are an xrun: the position is set again.

use crate::limits::REFERENCE_SAMPLES;
use crate::media::block::{BLOCK_FRAMES, Block};

/// How far ahead of the reported position we read, in samples: 4 ms. Sound in the reference before its echo is in the
/// microphone can be cancelled, sound after it cannot; cards are wrong by a millisecond or two.
const LEAD: f64 = 192.0;

/// An error of the position beyond this, in samples, is not rounding (2.5 ms). It is three times what a new difference
/// of 1000 ppm makes before the loop has followed it.
const JUMP: f64 = 120.0;

/// Blocks in a row that an error must last, so that one late turn of the loop does not count.
const JUMP_BLOCKS: u32 = 3;

/// Share of an error that is corrected with each block: a time constant of 1 s.
const CORRECTION: f64 = 0.01;

/// The loop's integral, critically damped: CORRECTION² ÷ 4.
const INTEGRAL: f64 = CORRECTION * CORRECTION / 4.0;

/// Weight of each reported lag: cards round it to periods, some to 5 ms.
const SMOOTHING: f64 = 1.0 / 16.0;

/// Difference of two cards that is followed, in samples a block: 2000 ppm.
const SLOPE_MAX: f64 = 0.002 * BLOCK_FRAMES as f64;

/// The played samples, and the place in them.
#[derive(Debug)]
pub struct Reference {
    history: Box<[f32; REFERENCE_SAMPLES]>,
    /// Samples given to the loudspeaker.
    written: u64,
    /// The next one to read, and its fraction.
    position: f64,
    /// Smoothed error of the place, in samples.
    error: f64,
    /// The clocks' difference, in samples a block.
    slope: f64,
    strayed: u32,
    jumps: u64,
    is_placed: bool,
}

impl Reference {
    /// Nothing was played.
    pub fn new() -> Self {
        Self {
            history: Box::new([0.0; REFERENCE_SAMPLES]),
            written: 0,
            position: 0.0,
            error: 0.0,
            slope: 0.0,
            strayed: 0,
            jumps: 0,
            is_placed: false,
        }
    }

    /// Takes the block that the loudspeaker gets.
    pub fn push(&mut self, block: &Block) {
        for (index, &sample) in (self.written..).zip(&block.0) {
            self.history[(index % REFERENCE_SAMPLES as u64) as usize] = sample;
        }
        self.written += BLOCK_FRAMES as u64;
    }

    /// The played sound that belongs to the microphone's next block. `lag`: samples that wait in the loudspeaker's
    /// card, and in the microphone's behind that block; `None` if the cards do not report it, and blocks are taken as
    /// they come.
    pub fn pull(&mut self, lag: Option<f32>, block: &mut Block) {
        let lag = lag.filter(|lag| lag.is_finite()).map_or(0.0, f64::from);
        let due = self.written as f64 - lag + LEAD - BLOCK_FRAMES as f64;
        self.follow(due);
        // What is not given to the card yet cannot be read, what is forgotten neither.
        let newest = self.written as f64 - BLOCK_FRAMES as f64 - 3.0;
        let oldest = newest - (REFERENCE_SAMPLES - 2 * BLOCK_FRAMES) as f64;
        let start = self.position.min(newest).max(oldest).max(1.0);
        let step = 1.0 + (self.slope + CORRECTION * self.error) / BLOCK_FRAMES as f64;
        for (i, sample) in block.0.iter_mut().enumerate() {
            *sample = self.at(start + i as f64 * step);
        }
        self.position += step * BLOCK_FRAMES as f64;
    }

    /// Times that the position was set again.
    pub fn jumps(&self) -> u64 {
        self.jumps
    }

    /// How much faster the loudspeaker's clock is than the microphone's, in millionths.
    pub fn skew_ppm(&self) -> f32 {
        (self.slope * 1e6 / BLOCK_FRAMES as f64) as f32
    }

    fn follow(&mut self, due: f64) {
        let error = due - self.position;
        let has_strayed = (error - self.error).abs() > JUMP;
        self.strayed = if has_strayed { self.strayed + 1 } else { 0 };
        if !self.is_placed || self.strayed >= JUMP_BLOCKS {
            self.jumps += u64::from(self.is_placed);
            self.is_placed = true;
            self.strayed = 0;
            // A whole sample, so that cards with one clock get the played samples themselves.
            self.position = due.round();
            self.error = 0.0;
        } else if !has_strayed {
            self.error += (error - self.error) * SMOOTHING;
            self.slope = (self.slope + INTEGRAL * self.error).clamp(-SLOPE_MAX, SLOPE_MAX);
        }
    }

    /// The sample at a fractional place: a cubic through four (Catmull-Rom). Its error at 4 kHz is −55 dB,
    /// below what an adaptive filter takes out.
    fn at(&self, place: f64) -> f32 {
        let whole = place.floor();
        let t = (place - whole) as f32;
        let index = whole as u64;
        let [a, b, c, d] = [index.wrapping_sub(1), index, index + 1, index + 2]
            .map(|index| self.history[(index % REFERENCE_SAMPLES as u64) as usize]);
        if t == 0.0 {
            return b;
        }
        let (linear, square) = (0.5 * (c - a), a - 2.5 * b + 2.0 * c - 0.5 * d);
        let cube = 0.5 * (d - a) + 1.5 * (b - c);
        b + t * (linear + t * (square + t * cube))
    }
}

impl Default for Reference {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::tests::voice::sine;

    const LAG: f32 = 1200.0;

    /// A ramp whose values are the sample numbers.
    fn numbered(block: u64) -> Block {
        Block(std::array::from_fn(|i| (block * BLOCK_FRAMES as u64 + i as u64) as f32))
    }

    /// The place that `count` blocks of numbered samples lead to, the lag of block `n` being `lag(n)`.
    fn last(reference: &mut Reference, count: u64, lag: impl Fn(u64) -> f32) -> f32 {
        let mut block = Block::SILENCE;
        let already = reference.written / BLOCK_FRAMES as u64;
        for n in already..already + count {
            reference.push(&numbered(n));
            reference.pull(Some(lag(n)), &mut block);
        }
        block.0[0]
    }

    #[test]
    fn one_clock_gives_the_played_samples_themselves() {
        let mut reference = Reference::new();
        let place = last(&mut reference, 100, |_| LAG);
        assert_eq!(place, 100.0 * 480.0 - LAG + LEAD as f32 - 480.0);
        assert_eq!((reference.jumps(), reference.skew_ppm()), (0, 0.0));
    }

    #[test]
    fn two_clocks_are_followed_without_a_jump() {
        for ppm in [-1000.0_f32, -300.0, 100.0, 300.0, 1000.0] {
            let mut reference = Reference::new();
            // A loudspeaker that is too fast requests more; in blocks of the microphone its lag shrinks.
            let lag = |n: u64| 6000.0 - n as f32 * 480.0 * ppm * 1e-6;
            let blocks = if ppm.abs() > 500.0 { 1_000 } else { 3_000 };
            let place = last(&mut reference, blocks, lag);
            let due = (blocks * 480) as f32 - lag(blocks - 1) + LEAD as f32 - 480.0;
            assert!((place - due).abs() < 24.0, "{ppm} ppm: {place}, not {due}");
            assert!((reference.skew_ppm() - ppm).abs() < 60.0, "{ppm}: {}", reference.skew_ppm());
            assert_eq!(reference.jumps(), 0, "{ppm} ppm");
        }
    }

    #[test]
    fn rounding_to_five_milliseconds_and_one_late_turn_move_nothing() {
        let mut reference = Reference::new();
        let lag = |n: u64| {
            let late = if n == 500 { 900.0 } else { 0.0 };
            LAG + (n * 7 % 5) as f32 * 48.0 - 96.0 + late
        };
        last(&mut reference, 2_000, lag);
        assert_eq!(reference.jumps(), 0);
        assert!(reference.skew_ppm().abs() < 30.0, "{}", reference.skew_ppm());
    }

    #[test]
    fn after_an_xrun_the_place_is_right_again_within_three_blocks() {
        let mut reference = Reference::new();
        last(&mut reference, 300, |_| LAG);
        let place = last(&mut reference, 4, |_| LAG + 960.0);
        assert_eq!(place, 304.0 * 480.0 - LAG - 960.0 + LEAD as f32 - 480.0);
        assert_eq!(reference.jumps(), 1);
    }

    #[test]
    fn a_card_that_tells_nonsense_reads_nothing_outside() {
        for lag in [Some(f32::MAX), Some(f32::NAN), Some(-1e9), Some(0.0), None] {
            let mut reference = Reference::new();
            let mut block = Block::SILENCE;
            for n in 0..200 {
                if n % 3 != 0 {
                    sine(1000.0, 0.5, n * 480, &mut block);
                    reference.push(&block);
                }
                reference.pull(lag, &mut block);
                assert!(block.0.iter().all(|sample| sample.abs() <= 0.6), "{lag:?}");
            }
        }
    }
}
