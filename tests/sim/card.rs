//! A simulated sound card: a crystal that is a little wrong, a microphone that plays a known sound into the client, a
//! loudspeaker that writes down what it is given.
//!
//! The card asks for a block each 480 of *its* frames. With an error of `ppm` that is every 10 ms ÷ (1 + ppm·10⁻⁶) of
//! true time, so drift appears exactly as with hardware: as too many or too few blocks. An xrun is a stretch in which the
//! card asks for nothing; afterwards it goes on from where true time is, and those blocks are gone.

use crate::acoustics::sample_at;
use kinglet::media::block::{BLOCK_FRAMES, Block, SAMPLE_RATE_HZ};
use std::f64::consts::TAU;
use std::time::{Duration, Instant};

/// What a microphone hears.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sound {
    /// Exact zeros.
    Silence,
    /// A sine of this frequency, in Hz, at −12 dBFS.
    Tone(f64),
    /// Something that Opus takes for speech: a pitch of this frequency, in Hz, with formants and syllables.
    Voice(f64),
    /// The same with a pitch that glides and pauses between syllables, as a canceller wants it: nobody sings one vowel.
    Speech(f64),
    /// A voice whose pitch glides and whose syllables differ: no two moments of it are alike.
    Glide,
    /// These samples, once.
    Clip(&'static [f32]),
    /// One sample value per block, rising by 1 ÷ 32768: blocks can be told apart where no codec lies between.
    Numbered,
}

/// The crystal that both directions of a card share.
#[derive(Debug, Clone)]
struct Crystal {
    started: Instant,
    period_s: f64,
    ticks: u64,
}

impl Crystal {
    fn next(&self) -> Instant {
        self.started + Duration::from_secs_f64(self.ticks as f64 * self.period_s)
    }

    /// Blocks that are due by `now`.
    fn due(&self, now: Instant) -> u64 {
        let mut crystal = self.clone();
        while crystal.next() <= now {
            crystal.ticks += 1;
        }
        crystal.ticks - self.ticks
    }
}

/// The capturing direction.
#[derive(Debug)]
pub struct Microphone {
    crystal: Crystal,
    sound: Sound,
    frame: u64,
    deaf_blocks: u64,
    /// Blocks that an xrun swallowed.
    pub lost_blocks: u64,
}

impl Microphone {
    /// A microphone whose first block is complete 10 ms after `now`. `ppm` is how much too fast its crystal is.
    pub fn new(sound: Sound, ppm: f64, now: Instant) -> Microphone {
        Microphone { crystal: crystal(ppm, now), sound, frame: 0, deaf_blocks: 0, lost_blocks: 0 }
    }

    /// From the next block on, this is heard.
    pub fn hear(&mut self, sound: Sound) {
        self.sound = sound;
    }

    /// When the next block is complete.
    pub fn poll_timeout(&self) -> Instant {
        self.crystal.next()
    }

    /// Whether silence stands in for the block that is complete now.
    pub fn is_deaf(&self) -> bool {
        self.deaf_blocks > 0
    }

    /// When this sample of what it hears is spoken, as long as no xrun has swallowed any.
    pub fn spoken_at(&self, frame: u64) -> Instant {
        self.crystal.started + Duration::from_secs_f64(frame as f64 * self.sample_s())
    }

    /// Samples that were heard so far.
    pub fn frame(&self) -> u64 {
        self.frame
    }

    /// Takes the block that is complete now.
    pub fn capture(&mut self) -> Block {
        let mut block = Block::SILENCE;
        for sample in &mut block.0 {
            *sample = self.sound.sample(self.frame);
            self.frame += 1;
        }
        if self.is_deaf() {
            self.deaf_blocks -= 1;
            block = Block::SILENCE;
        }
        self.crystal.ticks += 1;
        block
    }

    /// The card overruns: silence stands in for `blocks` blocks, as it does behind a real card.
    pub fn deafen(&mut self, blocks: u64) {
        self.deaf_blocks += blocks;
    }

    /// Blocks that are complete by `now`.
    pub fn due(&self, now: Instant) -> u64 {
        self.crystal.due(now)
    }

    /// Time between two of its samples.
    pub fn sample_s(&self) -> f64 {
        self.crystal.period_s / BLOCK_FRAMES as f64
    }

    /// The card is away: `blocks` blocks are never delivered.
    pub fn overrun(&mut self, blocks: u64) {
        self.crystal.ticks += blocks;
        self.frame += blocks * BLOCK_FRAMES as u64;
        self.lost_blocks += blocks;
    }
}

/// The playing direction, and what came out of it.
#[derive(Debug)]
pub struct Loudspeaker {
    crystal: Crystal,
    /// What it holds in front of a block that it takes.
    ahead: Duration,
    played: Vec<Played>,
    /// The same, sample by sample.
    samples: Vec<f32>,
    /// Blocks that an xrun swallowed.
    pub lost_blocks: u64,
}

/// One block as it left the loudspeaker.
#[derive(Debug, Clone)]
pub struct Played {
    /// When its first sample was played.
    pub at: Instant,
    /// What was played.
    pub block: Block,
}

impl Loudspeaker {
    /// A loudspeaker that asks for its first block 10 ms after `now`. `ppm` is how much too fast its crystal is.
    pub fn new(ppm: f64, now: Instant) -> Loudspeaker {
        Loudspeaker {
            crystal: crystal(ppm, now),
            ahead: Duration::ZERO,
            played: Vec::new(),
            samples: Vec::new(),
            lost_blocks: 0,
        }
    }

    /// The same with a buffer in it: each block is played so much later than it is taken.
    pub fn with_ahead_ms(self, ahead_ms: u32) -> Loudspeaker {
        Loudspeaker { ahead: Duration::from_millis(ahead_ms.into()), ..self }
    }

    /// Whether blocks wait in it.
    pub fn has_buffer(&self) -> bool {
        !self.ahead.is_zero()
    }

    /// Samples that wait in it to be heard.
    pub fn waiting_samples(&self, now: Instant) -> f32 {
        let period = Duration::from_secs_f64(self.crystal.period_s);
        let until = self.played.last().map_or(now, |played| played.at + period);
        until.saturating_duration_since(now).as_secs_f32() * SAMPLE_RATE_HZ as f32
    }

    /// When the next block is wanted.
    pub fn poll_timeout(&self) -> Instant {
        self.crystal.next()
    }

    /// How many blocks are wanted by `now`.
    pub fn wanted(&self, now: Instant) -> usize {
        self.crystal.due(now) as usize
    }

    /// Plays a block.
    pub fn play(&mut self, block: Block) {
        self.samples.extend(block.0);
        self.played.push(Played { at: self.crystal.next() + self.ahead, block });
        self.crystal.ticks += 1;
    }

    /// The card underruns: it is silent for `blocks` blocks, and asks for none.
    pub fn underrun(&mut self, blocks: u64) {
        self.crystal.ticks += blocks;
        self.lost_blocks += blocks;
    }

    /// What was played from `start` on, before `end`.
    pub fn between(&self, start: Instant, end: Instant) -> &[Played] {
        let first = self.played.partition_point(|played| played.at < start);
        let last = self.played.partition_point(|played| played.at < end);
        &self.played[first..last.max(first)]
    }

    /// Forgets what was played so far: hours of it are much memory.
    pub fn forget(&mut self) {
        self.played.clear();
        self.samples.clear();
    }

    /// What it says at an instant.
    pub fn said_at(&self, at: Instant) -> f32 {
        let index = self.played.partition_point(|played| played.at <= at);
        let Some(index) = index.checked_sub(1) else { return 0.0 };
        let into_s = (at - self.played[index].at).as_secs_f64();
        let frames = into_s / self.crystal.period_s * BLOCK_FRAMES as f64;
        let is_over = frames >= BLOCK_FRAMES as f64;
        if is_over { 0.0 } else { sample_at(&self.samples, (index * BLOCK_FRAMES) as f64 + frames) }
    }

    /// When the first block with sound in it was played.
    pub fn first_sound(&self) -> Option<Instant> {
        self.played
            .iter()
            .find(|played| level_dbfs(std::slice::from_ref(played)) > HEARD_DBFS)
            .map(|played| played.at)
    }
}

/// Louder than this is heard: well above what Opus makes of silence, well below what the microphones say.
pub const HEARD_DBFS: f64 = -50.0;

/// RMS level of these blocks, in dB of a full-scale square wave; −127 is silence.
pub fn level_dbfs(played: &[Played]) -> f64 {
    let samples = played.len() * BLOCK_FRAMES;
    let energy: f64 = played.iter().flat_map(|played| played.block.0).map(|s| (s as f64).powi(2)).sum();
    if energy == 0.0 { -127.0 } else { 10.0 * (energy / samples as f64).log10() }
}

/// Amplitude of one frequency in these blocks (Goertzel), full scale is 1.
pub fn amplitude(played: &[Played], hz: f64) -> f64 {
    let step = TAU * hz / SAMPLE_RATE_HZ as f64;
    let samples = played.len() * BLOCK_FRAMES;
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (i, sample) in played.iter().flat_map(|played| played.block.0).enumerate() {
        sine += sample as f64 * (step * i as f64).sin();
        cosine += sample as f64 * (step * i as f64).cos();
    }
    if samples == 0 { 0.0 } else { 2.0 * (sine * sine + cosine * cosine).sqrt() / samples as f64 }
}

impl Sound {
    /// Sample number `frame` of it.
    pub fn sample(self, frame: u64) -> f32 {
        let time_s = frame as f64 / SAMPLE_RATE_HZ as f64;
        match self {
            Sound::Silence => 0.0,
            Sound::Tone(hz) => (0.25 * (TAU * hz * time_s).sin()) as f32,
            Sound::Voice(hz) => voice(hz, time_s) as f32,
            Sound::Speech(hz) => speech(hz, time_s) as f32,
            Sound::Glide => glide(time_s) as f32,
            Sound::Clip(samples) => samples.get(frame as usize).copied().unwrap_or(0.0),
            Sound::Numbered => (frame / BLOCK_FRAMES as u64 % 32_768) as f32 / 32_768.0,
        }
    }
}

/// Twenty harmonics under two formants (700 and 1200 Hz: the vowel of "car"), four syllables a second.
fn voice(hz: f64, time_s: f64) -> f64 {
    let formant = |f: f64, centre: f64, width: f64| (-((f - centre) / width).powi(2)).exp();
    let sum: f64 = (1..=20)
        .map(|harmonic| {
            let f = hz * harmonic as f64;
            let weight = 0.1 + formant(f, 700.0, 200.0) + 0.6 * formant(f, 1200.0, 250.0);
            weight * (TAU * f * time_s).sin()
        })
        .sum();
    let syllable = 0.55 + 0.45 * (TAU * 4.0 * time_s).sin();
    0.06 * syllable * sum
}

/// Sixteen harmonics under a formant that moves, four syllables a second at 120 Hz and faster with a higher pitch.
fn speech(hz: f64, time_s: f64) -> f64 {
    let phase = TAU * hz * (time_s + 0.03 * (0.9 * time_s).sin() + 0.02 * (2.3 * time_s).sin());
    let syllable = (TAU * hz / 60.0 * time_s).sin().powi(2) * (0.6 + 0.4 * (TAU * 0.37 * time_s).sin());
    let formant = 3.0 + 2.0 * (TAU * 0.7 * time_s).sin();
    let tone: f64 =
        (1..=16).map(|n| (phase * f64::from(n)).sin() / (1.0 + (f64::from(n) - formant).powi(2))).sum();
    0.15 * syllable * tone
}

/// Harmonics under a formant that wanders, of a pitch of 130 ± 25 Hz that does not come back within a minute.
fn glide(time_s: f64) -> f64 {
    let phase = TAU * (130.0 * time_s + 4.0 * (0.9 * time_s).sin() + 3.0 * (2.3 * time_s).sin());
    let syllable = (TAU * 2.0 * time_s).sin().abs() * (0.6 + 0.4 * (TAU * 0.37 * time_s).sin());
    let formant = 3.0 + 2.0 * (TAU * 0.7 * time_s).sin();
    let harmonic = |n: u32| (phase * f64::from(n)).sin() / (1.0 + (f64::from(n) - formant).powi(2));
    0.12 * syllable * (1..16).map(harmonic).sum::<f64>()
}

fn crystal(ppm: f64, now: Instant) -> Crystal {
    let period_s = BLOCK_FRAMES as f64 / (SAMPLE_RATE_HZ as f64 * (1.0 + ppm * 1e-6));
    Crystal { started: now, period_s, ticks: 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_fast_crystal_makes_more_blocks() {
        let clock = Clock::new();
        let mut fast = Microphone::new(Sound::Numbered, 300.0, clock.now());
        let mut blocks = 0;
        while fast.poll_timeout() <= clock.at_ms(1_000_000) {
            fast.capture();
            blocks += 1;
        }
        assert_eq!(blocks, 100_030);
    }

    #[test]
    fn an_xrun_is_a_hole_in_the_numbers_and_in_time() {
        let clock = Clock::new();
        let mut microphone = Microphone::new(Sound::Numbered, 0.0, clock.now());
        let first = microphone.capture();
        microphone.overrun(3);
        assert_eq!(microphone.poll_timeout(), clock.at_ms(50));
        let second = microphone.capture();
        assert_eq!(((second.0[0] - first.0[0]) * 32_768.0).round(), 4.0);
    }

    #[test]
    fn a_tone_is_found_at_its_own_frequency() {
        let clock = Clock::new();
        let mut microphone = Microphone::new(Sound::Tone(1000.0), 0.0, clock.now());
        let mut loudspeaker = Loudspeaker::new(0.0, clock.now());
        (0..50).for_each(|_| loudspeaker.play(microphone.capture()));
        let played = loudspeaker.between(clock.at_ms(100), clock.at_ms(400));
        assert_eq!(played.len(), 30);
        assert!((amplitude(played, 1000.0) - 0.25).abs() < 1e-6);
        assert!(amplitude(played, 600.0) < 1e-6);
        assert!((level_dbfs(played) + 15.05).abs() < 0.01);
        assert_eq!(loudspeaker.first_sound(), Some(clock.at_ms(10)));
    }
}
