//! The level of a packet, and whether it holds a voice.
//!
//! RFC 6464 §3: each packet carries the level of its samples as 0 to 127, meaning 0 to −127 dBov,
//! with 127 for digital silence, and one bit for voice activity. The server takes its active
//! speakers from the level. The voice bit is a plain energy detector: a noise floor that follows
//! quiet blocks down at once and rises slowly, and speech is what stands clear above it.

use crate::media::block::Block;
use sonora_simd::detect_backend;

/// Level of digital silence, and the lowest that is distinguished, in dBFS.
pub const SILENCE_DBFS: f32 = -127.0;

/// What stands this far above the noise floor is speech. Room noise wanders by about 6 dB between
/// blocks; vowels stand 20 dB and more above it.
const VOICE_ABOVE_FLOOR_DB: f32 = 9.0;

/// Below this nothing counts as speech, however quiet the floor is.
const VOICE_DBFS_MIN: f32 = -55.0;

/// Speech lasts this long after its last loud block: the gaps of plosives are below 150 ms.
const HANGOVER_BLOCKS: u32 = 20;

/// The floor rises by this each block: 3 dB a second, slower than words and faster than a fan.
const FLOOR_RISE_DB: f32 = 0.03;

/// Where the floor may stand. Above −40 dBFS a steady tone would stop to count as voice.
const FLOOR_DBFS: std::ops::RangeInclusive<f32> = -90.0..=-40.0;

/// The audio level of one packet, as RFC 6464 puts it into the header extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioLevel {
    /// Loudness below overload: 0 is full scale (RMS), 127 is digital silence.
    pub minus_dbov: u8,
    /// Whether the packet holds a voice.
    pub voice: bool,
}

impl AudioLevel {
    /// The level of digital silence.
    pub const SILENCE: AudioLevel = AudioLevel { minus_dbov: 127, voice: false };
}

/// Measures packets and keeps the noise floor between them.
#[derive(Debug, Clone)]
pub struct LevelMeter {
    floor_dbfs: f32,
    hangover_blocks: u32,
    square_sum: f32,
    samples: usize,
    voice: bool,
}

impl LevelMeter {
    /// A meter that knows no noise yet: the first words count as speech.
    pub fn new() -> Self {
        LevelMeter {
            floor_dbfs: *FLOOR_DBFS.start(),
            hangover_blocks: 0,
            square_sum: 0.0,
            samples: 0,
            voice: false,
        }
    }

    /// Takes the next block of the packet under way.
    pub fn add(&mut self, block: &Block) {
        let square_sum = square_sum(&block.0);
        self.square_sum += square_sum;
        self.samples += block.0.len();
        let level_dbfs = dbfs(square_sum, block.0.len());
        if level_dbfs > VOICE_DBFS_MIN && level_dbfs > self.floor_dbfs + VOICE_ABOVE_FLOOR_DB {
            self.hangover_blocks = HANGOVER_BLOCKS;
        } else {
            self.hangover_blocks = self.hangover_blocks.saturating_sub(1);
        }
        self.voice |= self.hangover_blocks > 0;
        let floor_dbfs = level_dbfs.min(self.floor_dbfs + FLOOR_RISE_DB);
        self.floor_dbfs = floor_dbfs.clamp(*FLOOR_DBFS.start(), *FLOOR_DBFS.end());
    }

    /// The level of the blocks added since the last call: those of one packet.
    pub fn take(&mut self) -> AudioLevel {
        let minus_dbov = (-dbfs(self.square_sum, self.samples)).round().clamp(0.0, 127.0) as u8;
        let level = AudioLevel { minus_dbov, voice: self.voice };
        (self.square_sum, self.samples, self.voice) = (0.0, 0, false);
        level
    }

    /// The level of a packet of `blocks`.
    pub fn measure(&mut self, blocks: &[&Block]) -> AudioLevel {
        blocks.iter().for_each(|block| self.add(block));
        self.take()
    }
}

impl Default for LevelMeter {
    fn default() -> Self {
        Self::new()
    }
}

/// RMS level of a block in dBFS: 0 for a full-scale square wave, −3 for a full-scale sine,
/// [`SILENCE_DBFS`] for silence.
pub fn level_dbfs(block: &Block) -> f32 {
    samples_dbfs(&block.0)
}

/// RMS level of any stretch of samples in dBFS.
pub(crate) fn samples_dbfs(samples: &[f32]) -> f32 {
    dbfs(square_sum(samples), samples.len())
}

fn square_sum(samples: &[f32]) -> f32 {
    detect_backend().dot_product(samples, samples)
}

fn dbfs(square_sum: f32, samples: usize) -> f32 {
    let mean = square_sum / samples.max(1) as f32;
    // Comparing this way round makes NaN silence too.
    if mean > 0.0 { (10.0 * mean.log10()).clamp(SILENCE_DBFS, 127.0) } else { SILENCE_DBFS }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::block::BLOCK_FRAMES;
    use crate::media::tests::voice::{noise, sine};

    #[test]
    fn levels_are_those_of_rfc_6464() {
        let mut meter = LevelMeter::new();
        let half = Block([0.5; BLOCK_FRAMES]);
        let cases: [(&[&Block], u8); 4] = [
            (&[&Block::SILENCE, &Block::SILENCE], 127),
            (&[&Block([1.0; BLOCK_FRAMES])], 0),
            (&[&half, &half], 6),
            (&[&half, &Block::SILENCE], 9),
        ];
        for (blocks, minus_dbov) in cases {
            assert_eq!(meter.measure(blocks).minus_dbov, minus_dbov);
        }
        assert_eq!(meter.measure(&[]), AudioLevel { minus_dbov: 127, voice: false });
    }

    #[test]
    fn a_sine_is_three_decibels_below_its_peak() {
        let mut block = Block::SILENCE;
        sine(1000.0, 1.0, 0, &mut block);
        assert!((level_dbfs(&block) + 3.01).abs() < 0.05);
        assert_eq!(level_dbfs(&Block::SILENCE), SILENCE_DBFS);
        assert_eq!(level_dbfs(&Block([f32::NAN; BLOCK_FRAMES])), SILENCE_DBFS);
    }

    #[test]
    fn speech_stands_above_the_noise_and_noise_does_not() {
        let mut meter = LevelMeter::new();
        let mut random = 1;
        let mut block = Block::SILENCE;
        for _ in 0..3000 {
            noise(0.005, &mut random, &mut block);
            meter.measure(&[&block]);
        }
        noise(0.005, &mut random, &mut block);
        assert!(!meter.measure(&[&block]).voice, "30 s of the same noise are a floor");
        sine(300.0, 0.2, 0, &mut block);
        assert!(meter.measure(&[&block]).voice);
        assert!(meter.measure(&[&Block::SILENCE]).voice, "a short gap belongs to the word");
        for _ in 0..HANGOVER_BLOCKS {
            meter.measure(&[&Block::SILENCE]);
        }
        assert!(!meter.measure(&[&Block::SILENCE]).voice);
    }

    #[test]
    fn a_steady_loud_tone_stays_voice() {
        let mut meter = LevelMeter::new();
        let mut block = Block::SILENCE;
        for i in 0..6000 {
            sine(440.0, 0.25, i * BLOCK_FRAMES as u64, &mut block);
            assert!(meter.measure(&[&block]).voice);
        }
    }
}
