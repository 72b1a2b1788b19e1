//! Takes out what sounds the same all the time: fans, traffic, hiss. WebRTC's noise suppressor, as
//! ported by `sonora`.
//!
//! It listens to the lowest band before the echo is taken out, since the canceller fills holes with
//! noise of its own, and works on it afterwards. The two upper bands only follow its gain. It looks
//! ahead by 6 ms; while it rests, the sound is delayed by as much, so that leaving it out and taking
//! it back neither clicks nor moves the echo.

use sonora_ns::config::{NsConfig, SuppressionLevel};
use sonora_ns::noise_suppressor::NoiseSuppressor as Suppressor;

use crate::media::send::bands::{BAND_SAMPLES, BANDS, Bands};

/// What the suppressor looks ahead, in samples of a band: the overlap of its windows (256 − 160).
const LOOKAHEAD: usize = 96;

/// Whether it works. It forgets nothing at rest, but what it kept of the sound is old by then: so it
/// hears one block before it is heard, and both ways it fades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SuppressorState {
    Working,
    FallingAsleep,
    Resting,
    Listening,
    Waking,
}

/// A noise suppressor.
pub struct NoiseSuppressor {
    suppressor: Suppressor,
    state: SuppressorState,
    /// The end of the lowest band's last block, for the blocks in which it rests.
    tail: [f32; LOOKAHEAD],
}

impl NoiseSuppressor {
    /// A suppressor of about 12 dB: the rest of the noise shows the far end that the line is open.
    pub fn new() -> Self {
        let suppressor =
            Suppressor::new_with_bands(NsConfig { target_level: SuppressionLevel::K12dB }, BANDS);
        Self { suppressor, state: SuppressorState::Working, tail: [0.0; LOOKAHEAD] }
    }

    /// Leaves the noise in, at the same delay, and costs next to nothing.
    pub fn rest(&mut self, is_resting: bool) {
        self.state = match (is_resting, self.state) {
            (true, SuppressorState::Working | SuppressorState::Waking) => SuppressorState::FallingAsleep,
            (true, SuppressorState::Listening) => SuppressorState::Resting,
            (false, SuppressorState::Resting | SuppressorState::FallingAsleep) => SuppressorState::Listening,
            (_, state) => state,
        };
    }

    /// Looks at a block before the echo is taken out.
    pub fn analyse(&mut self, bands: &Bands) {
        if self.state != SuppressorState::Resting {
            self.suppressor.analyze(&bands[0]);
        }
    }

    /// Takes the noise out.
    pub fn process(&mut self, bands: &mut Bands) {
        let [low, upper @ ..] = bands;
        let mut delayed = [0.0; BAND_SAMPLES];
        delayed[..LOOKAHEAD].copy_from_slice(&self.tail);
        delayed[LOOKAHEAD..].copy_from_slice(&low[..BAND_SAMPLES - LOOKAHEAD]);
        self.tail.copy_from_slice(&low[BAND_SAMPLES - LOOKAHEAD..]);
        if self.state != SuppressorState::Resting {
            self.suppressor.process(low);
        }
        let gain = match self.state {
            SuppressorState::Working | SuppressorState::Waking => self.suppressor.upper_band_gain(),
            SuppressorState::FallingAsleep | SuppressorState::Resting | SuppressorState::Listening => 1.0,
        };
        let fade = |i: usize| (i + 1) as f32 / BAND_SAMPLES as f32;
        match self.state {
            SuppressorState::Working => {}
            SuppressorState::Resting | SuppressorState::Listening => *low = delayed,
            SuppressorState::FallingAsleep => mix(low, fade, &delayed),
            SuppressorState::Waking => mix(low, |i| 1.0 - fade(i), &delayed),
        }
        self.state = match self.state {
            SuppressorState::FallingAsleep => SuppressorState::Resting,
            SuppressorState::Listening => SuppressorState::Waking,
            SuppressorState::Waking => SuppressorState::Working,
            state => state,
        };
        for (index, band) in upper.iter_mut().enumerate() {
            self.suppressor.process_upper_band(band, index, gain);
        }
    }
}

impl Default for NoiseSuppressor {
    fn default() -> Self {
        Self::new()
    }
}

/// Replaces the part `share` of `samples` by `other`.
fn mix(samples: &mut [f32; BAND_SAMPLES], share: impl Fn(usize) -> f32, other: &[f32; BAND_SAMPLES]) {
    for (i, (sample, other)) in samples.iter_mut().zip(other).enumerate() {
        *sample += (other - *sample) * share(i);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::block::Block;
    use crate::media::send::bands::{SILENT_BANDS, Splitter};
    use crate::media::tests::voice::{noise, voice};

    fn energy(samples: &[f32]) -> f64 {
        samples.iter().map(|s| f64::from(s * s)).sum()
    }

    /// Energy of the lowest band before and after, in the last second of three.
    fn through(mut make: impl FnMut(u64, &mut Block)) -> (f64, f64) {
        let (mut suppressor, mut splitter) = (NoiseSuppressor::new(), Splitter::default());
        let (mut before, mut after) = (0.0, 0.0);
        for index in 0..300 {
            let (mut block, mut bands) = (Block::SILENCE, SILENT_BANDS);
            make(index, &mut block);
            splitter.split(&block, &mut bands);
            suppressor.analyse(&bands);
            let loud = energy(&bands[0]);
            suppressor.process(&mut bands);
            if index >= 200 {
                before += loud;
                after += energy(&bands[0]);
            }
        }
        (before, after)
    }

    #[test]
    fn hiss_goes_and_a_voice_stays() {
        let mut state = 9;
        let (before, after) = through(|_, block| noise(0.01, &mut state, block));
        assert!(10.0 * (before / after).log10() > 9.0, "{} dB of hiss", 10.0 * (before / after).log10());
        let (before, after) = through(voice);
        assert!(10.0 * (before / after).log10() < 3.0, "{} dB of voice", 10.0 * (before / after).log10());
    }

    #[test]
    fn at_rest_it_only_delays_and_by_as_much() {
        let mut suppressor = NoiseSuppressor::new();
        suppressor.rest(true);
        suppressor.process(&mut SILENT_BANDS.clone());
        let mut sent = Vec::new();
        for index in 0..4 {
            let band = std::array::from_fn(|i| (index * BAND_SAMPLES + i) as f32);
            let mut bands = [band; BANDS];
            suppressor.analyse(&bands);
            suppressor.process(&mut bands);
            assert_eq!(bands[0], bands[1], "all bands stay together");
            sent.extend(bands[0]);
        }
        assert_eq!(sent[LOOKAHEAD..], (0..640 - LOOKAHEAD).map(|i| i as f32).collect::<Vec<_>>());
    }
}
