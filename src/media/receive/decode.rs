//! The Opus decoder as used here: mono output for any packet, and a fading voice without one.
//!
//! Opus invents what is missing from what it heard last. That is good for one or two packets and
//! becomes a buzz later, so the invention fades from [`FADE_START_SAMPLES`] on and is silence after
//! [`FADE_END_SAMPLES`]; the next real packet comes in on a short ramp. After a packet that announces a pause
//! (DTX: no more than two bytes) what Opus invents is the noise of the far end's room: it is played on until
//! the next sign of life, or the pauses would be black holes. Packets may be 2.5 to 120 ms
//! and stereo (RFC 6716 §3.1); Opus mixes them down itself.

use crate::limits::OPUS_PACKET_SAMPLES_MAX;
use crate::media::block::SAMPLE_RATE_HZ;
use crate::media::gain::ramp;
use sonora_simd::detect_backend;
use std::fmt;

/// The shortest Opus frame, 2.5 ms: concealment works in multiples of it.
pub const FRAME_SAMPLES_MIN: usize = SAMPLE_RATE_HZ as usize * 5 / 2000;

/// Concealment is played as it is this long: 40 ms, two packets.
pub const FADE_START_SAMPLES: usize = SAMPLE_RATE_HZ as usize * 40 / 1000;

/// After this much of it concealment is silence: 100 ms.
pub const FADE_END_SAMPLES: usize = SAMPLE_RATE_HZ as usize * 100 / 1000;

/// A packet of at most so many bytes has no sound in it: the sender pauses (RFC 6716 §3.2.1, DTX).
const PAUSE_BYTES_MAX: usize = 2;

/// Comfort noise is played this long: two signs of life of a pausing sender (400 ms each) and some jitter.
const COMFORT_SAMPLES: usize = SAMPLE_RATE_HZ as usize;

/// Length of the ramp on which sound comes back after a fade: 5 ms.
const RETURN_SAMPLES: usize = SAMPLE_RATE_HZ as usize * 5 / 1000;

/// Concealment is made in steps of this, so that its fade is smooth.
const STEP_SAMPLES: usize = SAMPLE_RATE_HZ as usize / 100;

/// A decoder that is fed noise can put out anything; voice stays below this.
const SAMPLE_MAX: f32 = 2.0;

/// Samples that are looked at together: so few that loud speech (−9 dBFS) passes, too.
const SANE_SAMPLES: usize = 32;

/// Why a packet gave no sound.
#[derive(Debug)]
pub enum DecoderError {
    /// The decoder cannot be made: no memory.
    Create(opus::Error),
    /// The bytes are not an Opus packet.
    Packet(opus::Error),
}

impl fmt::Display for DecoderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecoderError::Create(error) => write!(f, "no Opus decoder: {error}"),
            DecoderError::Packet(error) => write!(f, "not an Opus packet: {error}"),
        }
    }
}

impl std::error::Error for DecoderError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            DecoderError::Create(error) | DecoderError::Packet(error) => Some(error),
        }
    }
}

/// Samples that a packet decodes to, from its first bytes (RFC 6716 §3.1). `None` if it is not Opus.
pub fn packet_samples(payload: &[u8]) -> Option<usize> {
    let samples = opus::packet::get_nb_samples(payload, SAMPLE_RATE_HZ).ok()?;
    (1..=OPUS_PACKET_SAMPLES_MAX).contains(&samples).then_some(samples)
}

/// Samples of the first frame of a packet: what its in-band FEC can bring back of the one before.
pub fn frame_samples(payload: &[u8]) -> Option<usize> {
    opus::packet::get_samples_per_frame(payload, SAMPLE_RATE_HZ).ok()
}

/// Whether a packet carries in-band FEC for the one before.
///
/// RFC 6716 §4.2.3 and §4.2.4: a SILK frame begins with one VAD bit for each 20 ms and then one LBRR bit, for
/// stereo the same again for the side channel. Packets of many frames with a count byte (code 3)
/// count as without; voice senders do not make them.
pub fn has_fec(payload: &[u8]) -> bool {
    let Some(&toc) = payload.first() else { return false };
    let frame = match toc & 0b11 {
        0 | 1 => payload.get(1),
        2 if payload.get(1).is_some_and(|&len| len < 252) => payload.get(2),
        2 => payload.get(3),
        _ => None,
    };
    let (is_celt, is_stereo) = (toc & 0x80 != 0, toc & 0b100 != 0);
    let (Some(&bits), Some(samples), false) = (frame, frame_samples(payload), is_celt) else { return false };
    let vad_bits = (samples / (SAMPLE_RATE_HZ as usize / 50)).max(1);
    let mid = bits >> (7 - vad_bits) & 1 != 0;
    let side = is_stereo && bits >> (6 - 2 * vad_bits) & 1 != 0;
    mid || side
}

/// One Opus decoder. All memory is taken at construction.
pub struct Decoder {
    opus: opus::Decoder,
    /// Samples invented since the last real ones.
    concealed: usize,
    /// Samples of comfort noise that are played before the fade.
    comfort: usize,
}

impl Decoder {
    /// A decoder to mono at 48 kHz.
    pub fn new() -> Result<Self, DecoderError> {
        let opus = opus::Decoder::new(SAMPLE_RATE_HZ, opus::Channels::Mono).map_err(DecoderError::Create)?;
        // As after a fade: there is nothing to invent from yet.
        Ok(Decoder { opus, concealed: FADE_END_SAMPLES, comfort: 0 })
    }

    /// Decodes a packet to the beginning of `out`, which has room for [`OPUS_PACKET_SAMPLES_MAX`]; returns the number
    /// of samples.
    pub fn decode(&mut self, payload: &[u8], out: &mut [f32]) -> Result<usize, DecoderError> {
        let samples = self.decode_real(payload, out, false)?;
        self.comfort = if payload.len() <= PAUSE_BYTES_MAX { COMFORT_SAMPLES } else { 0 };
        Ok(samples)
    }

    /// Decodes the in-band FEC of `next`, the following packet, to fill `out` in the place of the lost one.
    pub fn recover(&mut self, next: &[u8], out: &mut [f32]) -> Result<usize, DecoderError> {
        self.decode_real(next, out, true)
    }

    /// Invents sound to fill `out`, a multiple of [`FRAME_SAMPLES_MIN`]. After
    /// [`FADE_END_SAMPLES`] of it without a packet between it is exact zeros.
    pub fn conceal(&mut self, out: &mut [f32]) {
        for step in out.chunks_mut(STEP_SAMPLES) {
            let from = self.fade();
            self.concealed = self.concealed.saturating_add(step.len());
            if from == 0.0 || self.opus.decode_float(&[], step, false).is_err() {
                step.fill(0.0);
                continue;
            }
            self.sanitize(step);
            ramp(step, from, self.fade());
        }
    }

    /// Forgets the sound so far. Whether Opus agreed does not matter: the next packet is decoded anyway.
    pub fn reset(&mut self) {
        let _ = self.opus.reset_state();
        self.interrupt();
    }

    /// What comes next does not follow on what went: it comes in on a ramp.
    pub fn interrupt(&mut self) {
        (self.concealed, self.comfort) = (FADE_END_SAMPLES, 0);
    }

    /// How much concealment there is until it is silence, after what was decoded last.
    pub fn fade_samples(&self) -> usize {
        self.comfort + FADE_END_SAMPLES
    }

    fn decode_real(&mut self, payload: &[u8], out: &mut [f32], fec: bool) -> Result<usize, DecoderError> {
        let samples = self.opus.decode_float(payload, out, fec).map_err(DecoderError::Packet)?;
        let samples = samples.min(out.len());
        let decoded = &mut out[..samples];
        self.sanitize(decoded);
        let from = self.fade();
        self.concealed = 0;
        if from < 1.0 {
            let returning = samples.min(RETURN_SAMPLES);
            ramp(&mut decoded[..returning], from, 1.0);
        }
        Ok(samples)
    }

    /// Loudness of concealment now.
    fn fade(&self) -> f32 {
        let left = self.fade_samples().saturating_sub(self.concealed) as f32;
        (left / (FADE_END_SAMPLES - FADE_START_SAMPLES) as f32).min(1.0)
    }

    fn sanitize(&mut self, samples: &mut [f32]) {
        // Samples are not larger than the root of the sum of their squares, and one that is not finite makes the sum
        // not finite.
        let simd = detect_backend();
        let is_sane = |piece: &[f32]| simd.dot_product(piece, piece) <= SAMPLE_MAX * SAMPLE_MAX;
        if samples.chunks(SANE_SAMPLES).all(is_sane) {
            return;
        }
        if samples.iter().any(|sample| !sample.is_finite()) {
            // The state is spoilt too and would stay so.
            let _ = self.opus.reset_state();
            samples.fill(0.0);
        }
        samples.iter_mut().for_each(|sample| *sample = sample.clamp(-SAMPLE_MAX, SAMPLE_MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::level::samples_dbfs;
    use crate::media::send::encode::{Encoder, EncoderSettings};
    use crate::media::tests::voice::{next, sine};

    fn tone_packet(encoder: &mut Encoder, index: u64) -> Vec<u8> {
        let mut samples = [0.0; 960];
        for (i, half) in samples.chunks_exact_mut(480).enumerate() {
            let mut block = crate::media::block::Block::SILENCE;
            sine(220.0, 0.3, index * 960 + i as u64 * 480, &mut block);
            half.copy_from_slice(&block.0);
        }
        encoder.encode(&samples).unwrap().to_vec()
    }

    #[test]
    fn too_loud_a_sample_is_found_wherever_it_is_and_no_number_silences_all() {
        let mut decoder = Decoder::new().unwrap();
        let mut sanitized = |at: usize, sample: f32| {
            let mut samples = [0.1; 2 * SANE_SAMPLES + 5];
            samples[at] = sample;
            decoder.sanitize(&mut samples);
            samples
        };
        for at in [0, SANE_SAMPLES - 1, SANE_SAMPLES, 2 * SANE_SAMPLES + 4] {
            for (sample, expected) in [(2.1, 2.0), (-9.0, -2.0), (1.9, 1.9), (f32::MAX, 2.0)] {
                let samples = sanitized(at, sample);
                assert_eq!(
                    (samples[at], samples[(at + 1) % samples.len()]),
                    (expected, 0.1),
                    "{at} {sample}"
                );
            }
            for sample in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                assert!(sanitized(at, sample).iter().all(|&sample| sample == 0.0), "{at} {sample}");
            }
        }
    }

    #[test]
    fn concealment_fades_to_exact_silence() {
        let mut encoder = Encoder::new(EncoderSettings::default()).unwrap();
        let mut decoder = Decoder::new().unwrap();
        let mut out = [0.0; OPUS_PACKET_SAMPLES_MAX];
        for index in 0..20 {
            assert_eq!(decoder.decode(&tone_packet(&mut encoder, index), &mut out).unwrap(), 960);
        }
        let levels: Vec<f32> = (0..12)
            .map(|_| {
                decoder.conceal(&mut out[..480]);
                samples_dbfs(&out[..480])
            })
            .collect();
        assert!(levels[0] > -20.0, "{levels:?}");
        assert!(levels[9] < levels[3] - 6.0, "{levels:?}");
        assert!(out[..480].iter().all(|&sample| sample == 0.0));
        decoder.decode(&tone_packet(&mut encoder, 20), &mut out).unwrap();
        assert!(out[0].abs() < 0.01, "it comes back on a ramp");
    }

    #[test]
    fn durations_are_read_from_the_first_byte() {
        // RFC 6716 table 2 and §3.2: configuration, stereo bit, frame count code.
        let cases: [(&[u8], Option<usize>); 8] = [
            (&[], None),
            (&[0xf8, 0xff, 0xfe], Some(960)), // LiveKit's silence: CELT full band 20 ms
            (&[0b1110_0000], Some(120)),      // CELT 2.5 ms
            (&[0b0001_1000], Some(2880)),     // SILK 60 ms
            (&[0b0001_1001, 0], Some(5760)),  // two of them
            (&[0b0001_1011, 3], None),        // three are more than 120 ms
            (&[0b0001_1011], None),           // a count that is not there
            (&[0b1110_0011, 48], Some(5760)), // 48 frames of 2.5 ms
        ];
        for (payload, samples) in cases {
            assert_eq!(packet_samples(payload), samples, "{payload:?}");
        }
    }

    #[test]
    fn random_bytes_are_refused_or_decoded_to_finite_samples() {
        let mut decoder = Decoder::new().unwrap();
        let mut out = [0.0; OPUS_PACKET_SAMPLES_MAX];
        let mut state = 99;
        for _ in 0..3000 {
            let len = (next(&mut state) % 200) as usize;
            let payload: Vec<u8> = (0..len).map(|_| next(&mut state) as u8).collect();
            let (_, _) = (has_fec(&payload), packet_samples(&payload));
            if let Ok(samples) = decoder.decode(&payload, &mut out) {
                assert!(out[..samples].iter().all(|sample| sample.abs() <= SAMPLE_MAX));
            }
            let _ = decoder.recover(&payload, &mut out[..960]);
            decoder.conceal(&mut out[..480]);
            assert!(out.iter().all(|sample| sample.is_finite()));
        }
    }
}
