//! The rate at which a talker must be read, so that its clock and the loudspeaker's agree.
//!
//! Two crystals are up to 300 ppm apart, for hours. Uncorrected, that is a gap or an overflow each minute. The
//! loop sees only the error of the playout delay, which is measured against the fastest packets, so that jitter
//! is not in it:
//!
//! ```text
//!   delay − target ─► ×P ─────────────┬─► clamp ─► rate
//!                  └► ×I, summed up ──┘
//!                     the clocks' difference: what is left when the error is zero
//! ```
//!
//! P and I make a critically damped loop of natural frequency ω = 0.05 ÷ s (P = 2ω, I = ω²): a difference that
//! appears at once moves the delay by difference ÷ eω, 2.2 ms at 300 ppm, and is gone after a minute. Errors that
//! are greater come from a target that moved or a burst; they are not summed up (anti-windup).

use crate::media::block::{BLOCK_MS, SAMPLE_RATE_HZ};

/// Natural frequency of the loop, per second.
const OMEGA: f64 = 0.05;

/// Rate in ppm for an error of one sample.
const PROPORTIONAL_PPM: f64 = 2.0 * OMEGA * 1e6 / SAMPLE_RATE_HZ as f64;

/// What one block of an error of one sample adds to the sum, in ppm.
const INTEGRAL_PPM: f64 = OMEGA * OMEGA * 1e6 / SAMPLE_RATE_HZ as f64 * (BLOCK_MS as f64 / 1000.0);

/// The error alone moves the rate by this at most: 1 ms a second. Higher is heard as a wrong pitch before it
/// is of use; what is left, time-scaling does.
const PROPORTIONAL_PPM_MAX: f64 = 1000.0;

/// Clocks are not further apart than this: crystals have 100 ppm, what survives of bad ones 1000.
const DIFFERENCE_PPM_MAX: f64 = 1200.0;

/// Errors beyond this are not drift: 10 ms. A difference of 1000 ppm that appears suddenly stays below.
const WINDUP_SAMPLES: f64 = SAMPLE_RATE_HZ as f64 / 100.0;

/// The loop, with what it knows of the clocks.
#[derive(Debug, Clone, Copy)]
pub struct Drift {
    difference_ppm: f64,
}

impl Drift {
    /// Two clocks that are taken to agree.
    pub fn new() -> Self {
        Drift { difference_ppm: 0.0 }
    }

    /// The rate for the next block: input samples for each output sample. The delay is `error_samples`
    /// above where it should be.
    pub fn rate(&mut self, error_samples: f64) -> f64 {
        if error_samples.abs() <= WINDUP_SAMPLES {
            let difference_ppm = self.difference_ppm + error_samples * INTEGRAL_PPM;
            self.difference_ppm = difference_ppm.clamp(-DIFFERENCE_PPM_MAX, DIFFERENCE_PPM_MAX);
        }
        let correction_ppm =
            (error_samples * PROPORTIONAL_PPM).clamp(-PROPORTIONAL_PPM_MAX, PROPORTIONAL_PPM_MAX);
        1.0 + (self.difference_ppm + correction_ppm) * 1e-6
    }

    /// The rate while there is no error.
    pub fn steady_rate(&self) -> f64 {
        1.0 + self.difference_ppm * 1e-6
    }

    /// How much faster the talker's clock is, as far as is known.
    pub fn difference_ppm(&self) -> f64 {
        self.difference_ppm
    }
}

impl Default for Drift {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::tests::voice::uniform;

    /// Runs the loop against a talker `ppm` faster for `seconds`; greatest and last error in samples.
    fn settle(drift: &mut Drift, ppm: f64, seconds: u32, noise_samples: f64) -> (f64, f64) {
        let (mut error, mut greatest, mut random) = (0.0_f64, 0.0_f64, 5);
        for _ in 0..seconds * 100 {
            let noise = noise_samples * (2.0 * uniform(&mut random) - 1.0);
            let rate = drift.rate(error + noise);
            error += 480.0 * ((1.0 + ppm * 1e-6) - rate);
            greatest = greatest.max(error.abs());
        }
        (greatest, error)
    }

    #[test]
    fn a_difference_is_found_and_the_delay_hardly_moves() {
        for (ppm, moves_ms) in [(-1000.0, 8.0), (-300.0, 2.3), (20.0, 0.2), (300.0, 2.3), (1000.0, 8.0)] {
            let mut drift = Drift::new();
            let (greatest, last) = settle(&mut drift, ppm, 300, 0.0);
            assert!(greatest < moves_ms * 48.0, "{ppm}: {greatest}");
            assert!(last.abs() < 1.0 && (drift.difference_ppm() - ppm).abs() < 1.0, "{ppm}: {last}");
        }
    }

    #[test]
    fn noise_of_the_measure_is_not_followed() {
        let mut drift = Drift::new();
        settle(&mut drift, 300.0, 300, 96.0);
        assert!((drift.difference_ppm() - 300.0).abs() < 5.0, "{}", drift.difference_ppm());
    }

    #[test]
    fn a_great_error_is_no_drift() {
        let mut drift = Drift::new();
        for _ in 0..10_000 {
            assert!((drift.rate(48_000.0) - 1.001).abs() < 1e-9);
            assert!((drift.rate(-48_000.0) - 0.999).abs() < 1e-9);
        }
        assert_eq!(drift.difference_ppm(), 0.0);
    }

    #[test]
    fn what_it_knows_stays_bounded() {
        let mut drift = Drift::new();
        for _ in 0..1_000_000 {
            assert!(drift.rate(480.0) < 1.0023);
        }
        assert_eq!(drift.difference_ppm(), DIFFERENCE_PPM_MAX);
    }
}
