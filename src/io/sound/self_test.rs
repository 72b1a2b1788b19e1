//! The cards tried out: what the microphone hears, and how late it hears the loudspeaker.
//!
//! ```text
//!   chirp ─► loudspeaker: heard at now + what waits in the card ─┐
//!                                                                ├─► what the cards do not report: the board's echo_delay_ms
//!   found in what the microphone brings: at now − what waits ────┘
//! ```
//!
//! It takes seconds and blocks, so it is for `kinglet doctor`, beside no call.

use std::io;
use std::time::{Duration, Instant};

use crate::io::runtime::clock;
use crate::io::runtime::reactor::Reactor;
use crate::io::sound::loudspeaker::Loudspeaker;
use crate::io::sound::microphone::Microphone;
use crate::io::sound::open_error::OpenError;
use crate::io::sound::setup::SoundSetup;
use crate::io::sound::spec::{InputSpec, OutputSpec};
use crate::io::sound::status::Captured;
use crate::media::block::{BLOCK_FRAMES, Block, SAMPLE_RATE_HZ};
use crate::media::chirp::{self, CHIRP_FRAMES, Match};

/// Chirps of one self-test: two of three must agree.
const CHIRPS: usize = 3;

/// From the begin to the first of them (cards settle), and from one to the next (rooms fall silent).
const CHIRP_EVERY: Duration = Duration::from_millis(700);

/// A sound server in between may take a quarter of a second; the air takes three milliseconds a metre.
const ECHO_LATEST: Duration = Duration::from_millis(500);

/// The cards' own figures of what waits are that wrong, at times.
const ECHO_EARLIEST: Duration = Duration::from_millis(20);

/// Two of three that lie nearer to each other than this agree.
const AGREES_MS: f32 = 2.0;

/// Between two looks at the cards.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A card that brings nothing is not waited for longer than this beyond its time.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why a self-test fails.
#[derive(Debug)]
pub enum SelfTestError {
    /// A card cannot be opened.
    Open(OpenError),
    /// The microphone's card brings nothing.
    Silent,
    /// The system gives no descriptor.
    System(io::Error),
}

/// How the microphone hears the loudspeaker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Echo {
    /// Additional delay beyond that of the cards, in milliseconds.
    pub delay_ms: f32,
    /// How loud, against what was played, in decibels.
    pub level_db: f32,
}

/// What the microphone brings in this time: 48 kHz, mono, as a call would get it.
///
/// # Errors
/// No result.
pub fn listen(spec: &InputSpec, setup: &SoundSetup, duration: Duration) -> Result<Vec<f32>, SelfTestError> {
    let mut microphone = Microphone::open(spec, false, setup)?;
    let reactor = Reactor::new()?;
    let start = clock::now();
    microphone.start(start);
    let frames = (duration.as_secs_f64() * f64::from(SAMPLE_RATE_HZ)) as usize;
    let mut heard = Vec::with_capacity(frames + BLOCK_FRAMES);
    let mut block = Block::SILENCE;
    let mut now = start;
    while heard.len() < frames && now < start + duration + PATIENCE {
        while microphone.read(&mut block, now) == Captured::Block {
            heard.extend_from_slice(&block.0);
        }
        reactor.wait(Some(now + LOOK_EVERY), now)?;
        now = clock::now();
    }
    if heard.is_empty() { Err(SelfTestError::Silent) } else { Ok(heard) }
}

/// Plays chirps and listens for them; `None` if the microphone does not hear them.
///
/// # Errors
/// A card cannot be opened, or brings nothing.
pub fn measure_echo(
    input: &InputSpec,
    output: &OutputSpec,
    setup: &SoundSetup,
) -> Result<Option<Echo>, SelfTestError> {
    let mut loudspeaker = Loudspeaker::open(output, setup)?;
    let mut microphone = Microphone::open(input, false, setup)?;
    let reactor = Reactor::new()?;
    let chirp = chirp::chirp();
    let start = clock::now();
    loudspeaker.start(start);
    microphone.start(start);
    let end = start + CHIRP_EVERY * (CHIRPS as u32 + 1) + ECHO_LATEST;
    let mut played = Played::new(&chirp, start);
    let mut heard = Heard::new(start);
    let mut now = start;
    while now < end {
        while microphone.read(heard.block(), now) == Captured::Block {
            heard.add(now, microphone.delay_ms());
        }
        for _ in 0..loudspeaker.wanted(now) {
            let waits_ms = loudspeaker.delay_ms();
            loudspeaker.write(&played.next_block(now, waits_ms), now);
        }
        reactor.wait(Some(now + LOOK_EVERY), now)?;
        now = clock::now();
    }
    loudspeaker.finish();
    if heard.samples.is_empty() {
        return Err(SelfTestError::Silent);
    }
    let matches: Vec<Match> = played.began_s.iter().filter_map(|at_s| heard.find(&chirp, *at_s)).collect();
    Ok(agreed(&matches))
}

/// What two chirps agree on.
fn agreed(matches: &[Match]) -> Option<Echo> {
    let near = |one: &Match, other: &Match| (one.late_ms - other.late_ms).abs() <= AGREES_MS;
    let agreed = matches.iter().enumerate().find(|(number, one)| {
        matches.iter().enumerate().any(|(other_number, other)| *number != other_number && near(one, other))
    });
    agreed.map(|(_, found)| Echo { delay_ms: found.late_ms, level_db: found.level_db })
}

/// Silence with a chirp now and then, and when each is heard by the card's word.
struct Played<'c> {
    chirp: &'c [f32; CHIRP_FRAMES],
    start: Instant,
    /// In seconds since `start`.
    began_s: Vec<f64>,
    /// Samples of the present chirp that were played; all of them: none is on its way.
    done: usize,
}

impl<'c> Played<'c> {
    fn new(chirp: &'c [f32; CHIRP_FRAMES], start: Instant) -> Self {
        Self { chirp, start, began_s: Vec::new(), done: CHIRP_FRAMES }
    }

    /// The next block, behind what waits in the card.
    fn next_block(&mut self, now: Instant, waits_ms: f32) -> Block {
        let heard_at_s = (now - self.start).as_secs_f64() + f64::from(waits_ms) / 1000.0;
        let begun = self.began_s.len();
        if self.done == CHIRP_FRAMES
            && begun < CHIRPS
            && heard_at_s >= CHIRP_EVERY.as_secs_f64() * (begun + 1) as f64
        {
            self.began_s.push(heard_at_s);
            self.done = 0;
        }
        let mut block = Block::SILENCE;
        for (sample, played) in block.0.iter_mut().zip(&self.chirp[self.done..]) {
            *sample = *played;
        }
        self.done = (self.done + BLOCK_FRAMES).min(CHIRP_FRAMES);
        block
    }
}

/// What the microphone brought, and when it was heard by the card's word.
struct Heard {
    start: Instant,
    block: Block,
    samples: Vec<f32>,
    /// Sum over the blocks of when their first sample would have been heard that is the first of all.
    offsets_s: f64,
    blocks: u32,
}

impl Heard {
    fn new(start: Instant) -> Self {
        Self { start, block: Block::SILENCE, samples: Vec::new(), offsets_s: 0.0, blocks: 0 }
    }

    fn block(&mut self) -> &mut Block {
        &mut self.block
    }

    /// Takes the block that was just read; `waits_ms` of sound is in the card behind it.
    fn add(&mut self, now: Instant, waits_ms: f32) {
        let before_s = self.samples.len() as f64 / f64::from(SAMPLE_RATE_HZ);
        let block_s = BLOCK_FRAMES as f64 / f64::from(SAMPLE_RATE_HZ);
        let began_s = (now - self.start).as_secs_f64() - f64::from(waits_ms) / 1000.0 - block_s;
        self.offsets_s += began_s - before_s;
        self.blocks += 1;
        self.samples.extend_from_slice(&self.block.0);
    }

    /// The chirp that was to be heard at this time.
    fn find(&self, chirp: &[f32; CHIRP_FRAMES], at_s: f64) -> Option<Match> {
        let place = |at_s: f64| {
            let since_s = at_s - self.offsets_s / f64::from(self.blocks.max(1));
            (since_s * f64::from(SAMPLE_RATE_HZ)).round().max(0.0) as usize
        };
        let first = place(at_s - ECHO_EARLIEST.as_secs_f64());
        let last = place(at_s + ECHO_LATEST.as_secs_f64()) + CHIRP_FRAMES;
        let window = self.samples.get(first..last.min(self.samples.len()))?;
        let found = chirp::find(chirp, window)?;
        let earlier_ms = (place(at_s) - first) as f32 * 1000.0 / SAMPLE_RATE_HZ as f32;
        Some(Match { late_ms: found.late_ms - earlier_ms, ..found })
    }
}

impl std::fmt::Display for SelfTestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SelfTestError::Open(error) => error.fmt(f),
            SelfTestError::Silent => {
                f.write_str("the card was opened and brings no sound: is it plugged in well?")
            }
            SelfTestError::System(error) => write!(f, "the system refuses: {error}"),
        }
    }
}

impl std::error::Error for SelfTestError {}

impl From<OpenError> for SelfTestError {
    fn from(error: OpenError) -> Self {
        SelfTestError::Open(error)
    }
}

impl From<io::Error> for SelfTestError {
    fn from(error: io::Error) -> Self {
        SelfTestError::System(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_three_decide() {
        let at = |late_ms| Match { late_ms, level_db: -20.0 };
        assert_eq!(agreed(&[at(12.0), at(80.0), at(12.9)]).map(|echo| echo.delay_ms), Some(12.0));
        assert_eq!(agreed(&[at(12.0), at(80.0)]), None);
        assert_eq!(agreed(&[at(12.0)]), None);
    }

    /// Cards that hold 30 and 5 ms, which they report, and 8 ms of converters and air.
    #[test]
    #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
    fn what_the_cards_tell_is_not_counted() {
        let (start, chirp) = (Instant::now(), chirp::chirp());
        let (mut played, mut heard) = (Played::new(&chirp, start), Heard::new(start));
        let mut air = std::collections::VecDeque::from(vec![0.0; (38 + 5) * 48]);
        for turn in 0..300_u32 {
            let now = start + Duration::from_millis(10) * turn;
            air.extend(played.next_block(now, 30.0).0.map(|sample| sample * 0.1));
            // A block that began 10 ms before it ended, 5 ms ago.
            for sample in &mut heard.block().0 {
                *sample = air.pop_front().unwrap_or_default();
            }
            heard.add(now + Duration::from_millis(10), 5.0);
        }
        assert_eq!(played.began_s.len(), CHIRPS);
        let matches: Vec<Match> =
            played.began_s.iter().filter_map(|at_s| heard.find(&chirp, *at_s)).collect();
        let echo = agreed(&matches).expect("heard");
        assert!((echo.delay_ms - 8.0).abs() < 0.1 && (echo.level_db + 20.0).abs() < 0.5, "{echo:?}");
    }
}
