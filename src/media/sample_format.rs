//! Sample formats, and their conversion from and to `f32`.
//!
//! All are little-endian, as WAV files and the cards of every Linux device that we run on have them.
//! Full scale is ±1: an integer of n bits is divided by 2^(n-1). Back, samples are rounded and saturated.

/// How one sample lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleFormat {
    /// Unsigned, 128 is silence (WAV files only).
    U8,
    /// Signed 16 bits.
    S16,
    /// 24 bits in three bytes.
    S24Packed,
    /// 24 bits in the low part of four bytes; the fourth is undefined.
    S24,
    /// Signed 32 bits.
    S32,
    /// 32-bit float, full scale ±1.
    Float,
}

impl SampleFormat {
    /// What a card may speak, the first that it does is taken. S16 first: every card has it, and
    /// cards that are better than it (I2S microphones) mostly have nothing else.
    pub const OF_CARDS: [SampleFormat; 5] = [
        SampleFormat::S16,
        SampleFormat::S32,
        SampleFormat::S24Packed,
        SampleFormat::S24,
        SampleFormat::Float,
    ];

    /// Bytes of one sample.
    pub fn bytes(self) -> usize {
        match self {
            SampleFormat::U8 => 1,
            SampleFormat::S16 => 2,
            SampleFormat::S24Packed => 3,
            SampleFormat::S24 | SampleFormat::S32 | SampleFormat::Float => 4,
        }
    }

    /// The sample at the beginning of `bytes`, within ±1; zero if there are too few bytes or the number is not finite.
    pub fn decode(self, bytes: &[u8]) -> f32 {
        match (self, bytes) {
            (SampleFormat::U8, &[a, ..]) => (f32::from(a) - 128.0) / 128.0,
            (SampleFormat::S16, &[a, b, ..]) => f32::from(i16::from_le_bytes([a, b])) / 32_768.0,
            (SampleFormat::S24Packed | SampleFormat::S24, &[a, b, c, ..]) => {
                (i32::from_le_bytes([0, a, b, c]) >> 8) as f32 / 8_388_608.0
            }
            (SampleFormat::S32, &[a, b, c, d, ..]) => {
                i32::from_le_bytes([a, b, c, d]) as f32 / 2_147_483_648.0
            }
            (SampleFormat::Float, &[a, b, c, d, ..]) => {
                let sample = f32::from_le_bytes([a, b, c, d]);
                if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 }
            }
            _ => 0.0,
        }
    }

    /// The sample `at` this many bytes in each frame of `frame_bytes` bytes.
    pub fn decode_channel(self, frames: &[u8], frame_bytes: usize, at: usize, samples: &mut [f32]) {
        const S16_BYTES: usize = 2;
        match (self, frame_bytes) {
            // What most cards and files have; it need not be asked for with each sample.
            (SampleFormat::S16, S16_BYTES) => {
                for (sample, frame) in samples.iter_mut().zip(frames.as_chunks::<S16_BYTES>().0) {
                    *sample = SampleFormat::S16.decode(frame);
                }
            }
            (SampleFormat::S16, _) => decode_channel(SampleFormat::S16, frames, frame_bytes, at, samples),
            _ => decode_channel(self, frames, frame_bytes, at, samples),
        }
    }

    /// Writes a sample to the beginning of `bytes`, which has room for it.
    pub fn encode(self, sample: f32, bytes: &mut [u8]) {
        self.encode_frames(&[sample], 1, bytes);
    }

    /// Writes each sample into all `channels` of its frame, as far as there is room in `bytes`.
    pub fn encode_frames(self, samples: &[f32], channels: usize, bytes: &mut [u8]) {
        match self {
            SampleFormat::U8 => {
                encode_frames(samples, channels, bytes, |s| [(integer(s, 128.0, 127.0) + 128) as u8])
            }
            SampleFormat::S16 => encode_frames(samples, channels, bytes, |s| to_s16(s).to_le_bytes()),
            SampleFormat::S24Packed => encode_frames(samples, channels, bytes, |s| {
                let [a, b, c, _] = integer(s, 8_388_608.0, 8_388_607.0).to_le_bytes();
                [a, b, c]
            }),
            SampleFormat::S24 => {
                encode_frames(samples, channels, bytes, |s| {
                    integer(s, 8_388_608.0, 8_388_607.0).to_le_bytes()
                });
            }
            SampleFormat::S32 => {
                encode_frames(samples, channels, bytes, |s| {
                    integer(s, 2_147_483_648.0, 2_147_483_647.0).to_le_bytes()
                });
            }
            SampleFormat::Float => encode_frames(samples, channels, bytes, f32::to_le_bytes),
        }
    }
}

#[inline(always)]
fn decode_channel(format: SampleFormat, frames: &[u8], frame_bytes: usize, at: usize, samples: &mut [f32]) {
    for (sample, frame) in samples.iter_mut().zip(frames.chunks_exact(frame_bytes.max(1))) {
        *sample = format.decode(frame.get(at..).unwrap_or_default());
    }
}

fn encode_frames<const BYTES: usize>(
    samples: &[f32],
    channels: usize,
    bytes: &mut [u8],
    encode: impl Fn(f32) -> [u8; BYTES],
) {
    for (frame, &sample) in bytes.chunks_exact_mut(BYTES * channels.max(1)).zip(samples) {
        let encoded = encode(sample);
        frame.as_chunks_mut().0.fill(encoded);
    }
}

/// A sample as s16: rounded to the nearest, saturated; silence for what is not a number.
pub fn to_s16(sample: f32) -> i16 {
    // `as` saturates and takes NaN for zero.
    (sample * 32_768.0).round() as i16
}

/// Rounded and saturated. In `f64`, since `f32` cannot hold the largest 32-bit integer.
fn integer(sample: f32, scale: f64, max: f64) -> i32 {
    (f64::from(sample) * scale).round().min(max).max(-scale) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [SampleFormat; 6] = [
        SampleFormat::U8,
        SampleFormat::S16,
        SampleFormat::S24Packed,
        SampleFormat::S24,
        SampleFormat::S32,
        SampleFormat::Float,
    ];

    #[test]
    fn there_and_back() {
        for format in ALL {
            for step in -128..=127 {
                let sample = step as f32 / 128.0;
                let mut bytes = [0xAA; 4];
                format.encode(sample, &mut bytes);
                assert_eq!(format.decode(&bytes[..format.bytes()]), sample, "{format:?}");
            }
        }
    }

    #[test]
    fn saturates_and_rounds() {
        for (sample, expected) in
            [(1.0, 32767), (9.0, 32767), (-1.0, -32768), (-9.0, -32768), (0.6 / 32768.0, 1), (f32::NAN, 0)]
        {
            assert_eq!(to_s16(sample), expected);
        }
        for format in &ALL[..5] {
            let mut bytes = [0; 4];
            format.encode(2.0, &mut bytes);
            assert!(format.decode(&bytes) > 0.99, "{format:?}");
            format.encode(-2.0, &mut bytes);
            assert_eq!(format.decode(&bytes), -1.0, "{format:?}");
        }
    }

    #[test]
    fn strange_bytes_are_harmless() {
        assert_eq!(SampleFormat::Float.decode(&f32::INFINITY.to_le_bytes()), 0.0);
        assert_eq!(SampleFormat::Float.decode(&1e30_f32.to_le_bytes()), 1.0);
        assert_eq!(SampleFormat::S24.decode(&[0, 0, 0x80, 0x7F]), -1.0, "the fourth byte is not looked at");
        for format in ALL {
            assert_eq!(format.decode(&[]), 0.0);
        }
    }
}
