//! A short sweep that can be found again in a recording: in noise, filtered, with the echoes of a room behind it.
//!
//! A sweep has one sharp peak of its correlation with itself, which a tone has not. Found is what is alike enough that
//! noise is not: over half a second of windows white noise reaches 0.18.

use super::block::SAMPLE_RATE_HZ;

/// A tenth of a second.
pub const CHIRP_FRAMES: usize = SAMPLE_RATE_HZ as usize / 10;

/// What small loudspeakers and telephones both have.
const SWEEP_HZ: (f64, f64) = (400.0, 3_400.0);

/// −12 dBFS: loud enough, and no loudspeaker distorts.
const AMPLITUDE: f64 = 0.25;

/// It begins and ends softly: a hundredth of a second.
const FADE_FRAMES: usize = CHIRP_FRAMES / 10;

/// How much alike it must be, where 1 is the same.
const ALIKE_MIN: f64 = 0.3;

/// Where the chirp was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// Behind the begin of the window, in milliseconds.
    pub late_ms: f32,
    /// How loud, against the chirp itself, in decibels.
    pub level_db: f32,
}

/// The samples of one chirp.
pub fn chirp() -> [f32; CHIRP_FRAMES] {
    let seconds = CHIRP_FRAMES as f64 / f64::from(SAMPLE_RATE_HZ);
    let slope = (SWEEP_HZ.1 - SWEEP_HZ.0) / seconds;
    std::array::from_fn(|frame| {
        let at_s = frame as f64 / f64::from(SAMPLE_RATE_HZ);
        let phase = std::f64::consts::TAU * (SWEEP_HZ.0 + slope * at_s / 2.0) * at_s;
        let from_edge = frame.min(CHIRP_FRAMES - 1 - frame).min(FADE_FRAMES) as f64 / FADE_FRAMES as f64;
        let fade = (std::f64::consts::FRAC_PI_2 * from_edge).sin().powi(2);
        (AMPLITUDE * fade * phase.sin()) as f32
    })
}

/// Looks for the chirp in a stretch of sound.
pub fn find(chirp: &[f32; CHIRP_FRAMES], sound: &[f32]) -> Option<Match> {
    let energy = |samples: &[f32]| samples.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>();
    let own = energy(chirp);
    let best = sound
        .windows(CHIRP_FRAMES)
        .enumerate()
        .map(|(place, window)| {
            let product: f32 = window.iter().zip(chirp).map(|(heard, played)| heard * played).sum();
            (place, f64::from(product).abs())
        })
        .max_by(|(_, one), (_, other)| one.total_cmp(other))?;
    let (place, product) = best;
    let heard = energy(&sound[place..place + CHIRP_FRAMES]);
    let is_alike = product > ALIKE_MIN * (own * heard).sqrt();
    // What of it is the chirp, and not the noise around it.
    is_alike.then(|| Match {
        late_ms: place as f32 * 1000.0 / SAMPLE_RATE_HZ as f32,
        level_db: 20.0 * (product / own).log10() as f32,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(random: &mut fastrand::Rng, level: f32) -> Vec<f32> {
        (0..10_200).map(|_| level * (2.0 * random.f32() - 1.0)).collect()
    }

    #[test]
    fn found_in_noise_as_loud_as_itself_and_after_a_room() {
        let mut random = fastrand::Rng::with_seed(5);
        let chirp = chirp();
        for place in [0, 1, 4_321, 5_400] {
            let mut sound = noise(&mut random, 0.03);
            for (at, sample) in chirp.iter().enumerate() {
                sound[place + at] += 0.1 * sample;
                // The wall opposite, 1 m away, which answers with the other sign.
                if let Some(later) = sound.get_mut(place + at + 280) {
                    *later -= 0.05 * sample;
                }
            }
            let found = find(&chirp, &sound).expect("heard");
            assert_eq!(found.late_ms, place as f32 / 48.0);
            assert!((found.level_db + 20.0).abs() < 2.0, "{found:?}");
        }
    }

    #[test]
    fn noise_and_silence_are_not_it() {
        let mut random = fastrand::Rng::with_seed(6);
        let chirp = chirp();
        for _ in 0..4 {
            assert_eq!(find(&chirp, &noise(&mut random, 0.5)), None);
        }
        let tone: Vec<f32> =
            (0..10_200).map(|n| 0.5 * (n as f32 * 1000.0 * std::f32::consts::TAU / 48_000.0).sin()).collect();
        assert_eq!(find(&chirp, &tone), None);
        assert_eq!(find(&chirp, &[0.0; 10_200]), None);
        assert_eq!(find(&chirp, &[0.0; 10]), None);
    }
}
