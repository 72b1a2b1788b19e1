//! Brings quiet talkers up: WebRTC's second automatic gain control, as ported by `sonora`.
//!
//! ```text
//! block ─► voice detector ─► speech level ─┐
//!      └─► peak, noise ────────────────────┴─► gain, at most 6 dB a second ─► limiter ─► block
//! ```
//!
//! Only a voice, as a recurrent network detects it, moves the gain, and the noise may not be raised above −50 dBFS. The
//! bounds are for an intercom: a person at arm's length from a small microphone needs 10 to 20 dB, and each dB leaves
//! one more dB of echo.

use sonora_agc2::adaptive_digital_gain_controller::{AdaptiveDigitalGainController, FrameInfo};
use sonora_agc2::common::{
    ADJACENT_SPEECH_FRAMES_THRESHOLD, SATURATION_PROTECTOR_INITIAL_HEADROOM_DB, VAD_RESET_PERIOD_MS,
    float_s16_to_dbfs,
};
use sonora_agc2::limiter::Limiter;
use sonora_agc2::noise_level_estimator::NoiseLevelEstimator;
use sonora_agc2::saturation_protector::SaturationProtector;
use sonora_agc2::speech_level_estimator::{AdaptiveDigitalConfig, SpeechLevelEstimator};
use sonora_agc2::vad_wrapper::VoiceActivityDetectorWrapper;
use sonora_simd::detect_backend;

use crate::media::block::{BLOCK_FRAMES, Block, SAMPLE_RATE_HZ};
use crate::media::send::bands::BAND_FULL_SCALE;

/// Nothing is known of a talker at the start, so it begins without gain.
const BOUNDS: AdaptiveDigitalConfig = AdaptiveDigitalConfig {
    headroom_db: 5.0,
    max_gain_db: 20.0,
    initial_gain_db: 0.0,
    max_gain_change_db_per_second: 6.0,
    max_output_noise_level_dbfs: -50.0,
};

/// An automatic gain.
pub struct GainControl {
    voice: VoiceActivityDetectorWrapper,
    speech: SpeechLevelEstimator,
    noise: NoiseLevelEstimator,
    headroom: SaturationProtector,
    gain: AdaptiveDigitalGainController,
    limiter: Limiter,
}

impl GainControl {
    /// A gain of one.
    pub fn new() -> Self {
        Self {
            voice: VoiceActivityDetectorWrapper::with_reset_period(
                VAD_RESET_PERIOD_MS,
                detect_backend(),
                SAMPLE_RATE_HZ as i32,
            ),
            speech: SpeechLevelEstimator::new(&BOUNDS, ADJACENT_SPEECH_FRAMES_THRESHOLD),
            noise: NoiseLevelEstimator::default(),
            headroom: SaturationProtector::new(
                SATURATION_PROTECTOR_INITIAL_HEADROOM_DB,
                ADJACENT_SPEECH_FRAMES_THRESHOLD,
            ),
            gain: AdaptiveDigitalGainController::new(BOUNDS, ADJACENT_SPEECH_FRAMES_THRESHOLD),
            limiter: Limiter::new(BLOCK_FRAMES),
        }
    }

    /// Brings a block to its level.
    pub fn process(&mut self, block: &mut Block) {
        for sample in &mut block.0 {
            *sample *= BAND_FULL_SCALE;
        }
        let speech_probability = self.voice.analyze(&block.0);
        let peak = block.0.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        let square: f32 = block.0.iter().map(|sample| sample * sample).sum();
        let rms_dbfs = float_s16_to_dbfs((square / BLOCK_FRAMES as f32).sqrt());
        let noise_rms_dbfs = self.noise.analyze(&[&block.0]);
        self.speech.update(rms_dbfs, speech_probability);
        let speech_level_dbfs = self.speech.level_dbfs();
        self.headroom.analyze(speech_probability, float_s16_to_dbfs(peak), speech_level_dbfs);
        let frame = FrameInfo {
            speech_probability,
            speech_level_dbfs,
            speech_level_reliable: self.speech.is_confident(),
            noise_rms_dbfs,
            headroom_db: self.headroom.headroom_db(),
            limiter_envelope_dbfs: float_s16_to_dbfs(self.limiter.last_audio_level()),
        };
        self.gain.process(&frame, &mut [&mut block.0]);
        self.limiter.process(&mut [&mut block.0]);
        for sample in &mut block.0 {
            *sample /= BAND_FULL_SCALE;
        }
    }
}

impl Default for GainControl {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::tests::voice::voice;

    /// Level of the last two seconds of ten, in dBFS, of a voice at `gain`.
    fn levelled(gain: f32) -> (f32, f32) {
        let mut gain_control = GainControl::new();
        let (mut before, mut after) = (0.0, 0.0);
        for index in 0..1000 {
            let mut block = Block::SILENCE;
            voice(index, &mut block);
            block.0.iter_mut().for_each(|sample| *sample *= gain);
            let loud: f32 = block.0.iter().map(|s| s * s).sum();
            gain_control.process(&mut block);
            if index >= 800 {
                before += loud;
                after += block.0.iter().map(|s| s * s).sum::<f32>();
            }
            assert!(block.0.iter().all(|sample| sample.abs() <= 1.0));
        }
        let level = |sum: f32| 10.0 * (sum / (200 * BLOCK_FRAMES) as f32).log10();
        (level(before), level(after))
    }

    #[test]
    fn a_quiet_voice_is_brought_up_and_a_loud_one_left() {
        let (before, after) = levelled(0.1);
        assert!(after - before > 6.0, "{before} became {after} dBFS");
        let (before, after) = levelled(2.0);
        assert!((after - before).abs() < 3.0, "{before} became {after} dBFS");
    }

    #[test]
    fn silence_stays_silence() {
        let mut gain_control = GainControl::new();
        for _ in 0..500 {
            let mut block = Block::SILENCE;
            gain_control.process(&mut block);
            assert!(block.is_silent());
        }
    }
}
