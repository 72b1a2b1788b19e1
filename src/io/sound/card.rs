//! A card by name, whether it is there or not.
//!
//! ```text
//! open ──(xrun)──► open          counted; the stream goes on
//!   │ lost: ENODEV, or no frame for 2 s                  ▲
//!   └────► lost ──── each 500 ms: opened by the same name┘   meanwhile a 10 ms timer stands in
//! ```
//!
//! Names hold `CARD=<id>`, never an index, so a card that comes back elsewhere is the same card. The
//! 2 s are for plugins that notice nothing when their card is pulled out (dmix stays "running" for
//! ever), and longer than a sound server takes to begin (1.5 s was measured).
//!
//! Readiness is not believed: descriptors that stay ready and bring nothing would take all of the CPU.
//! After a hundred such wakes they are left alone and a timer is used.

use std::time::{Duration, Instant};

use crate::io::sound::SoundState;
use crate::io::sound::counters::SoundCounters;
use crate::io::sound::open::OpenError;
use crate::io::sound::pace::Pace;
use crate::io::sound::settings::Settings;
use crate::io::sound::sizes::Way;
use crate::io::sound::stream::{Moved, Stream};
use crate::limits::{CAPTURE_GAP_MS_MAX, CARD_DESCRIPTORS_MAX};

/// A card, there or lost.
#[derive(Debug)]
pub struct Card {
    name: String,
    way: Way,
    stream: Option<Stream>,
    started: bool,
    retry_at: Option<Instant>,
    /// When a frame was last moved.
    progress_at: Option<Instant>,
    /// Wakes in a row that brought nothing.
    empty_wakes: u32,
    spins: bool,
    /// Counts blocks while the card is lost.
    pub stand_in: Pace,
    /// What went wrong so far.
    pub counters: SoundCounters,
}

impl Card {
    /// Opens a card; it does not run yet.
    pub fn open(name: &str, way: Way) -> Result<Card, OpenError> {
        Ok(Card {
            name: name.to_owned(),
            way,
            stream: Some(Stream::open(name, way)?),
            started: false,
            retry_at: None,
            progress_at: None,
            empty_wakes: 0,
            spins: false,
            stand_in: Pace::default(),
            counters: SoundCounters::default(),
        })
    }

    /// Lets it run from now on.
    pub fn start(&mut self, now: Instant) {
        if self.started {
            return;
        }
        self.started = true;
        self.progress_at = Some(now);
        if let (Way::Capture, Some(stream)) = (self.way, &mut self.stream)
            && stream.start() == Moved::Lost
        {
            self.lose(now);
        }
    }

    /// Whether it was started.
    pub fn is_started(&self) -> bool {
        self.started
    }

    /// The stream, while the card is there.
    pub fn stream(&mut self) -> Option<&mut Stream> {
        self.stream.as_mut()
    }

    /// Its settings, while the card is there.
    pub fn settings(&self) -> Option<&Settings> {
        self.stream.as_ref().map(Stream::settings)
    }

    /// Where it stands.
    pub fn state(&self) -> SoundState {
        if self.stream.is_some() { SoundState::Open } else { SoundState::Lost }
    }

    /// Time between its converter and us, in milliseconds; 0 while it is lost.
    pub fn delay_ms(&self) -> f32 {
        self.stream
            .as_ref()
            .map_or(0.0, |stream| stream.delay_frames() as f32 * 1000.0 / stream.settings().rate_hz as f32)
    }

    /// Frames were moved.
    pub fn progress(&mut self, now: Instant) {
        self.progress_at = Some(now);
        self.empty_wakes = 0;
    }

    /// Nothing was moved. Loses the card where that has lasted too long; says whether it is still there.
    pub fn no_progress(&mut self, now: Instant) -> bool {
        let Some(stream) = &self.stream else { return false };
        if stream.is_ready() {
            self.counters.empty_wakes = self.counters.empty_wakes.wrapping_add(1);
            self.empty_wakes += 1;
            self.spins |= self.empty_wakes >= EMPTY_WAKES_MAX;
        }
        let since = *self.progress_at.get_or_insert(now);
        if now.saturating_duration_since(since) >= STALLED_AFTER {
            self.lose(now);
        }
        self.stream.is_some()
    }

    /// The card is gone: close it, look for it again, count time meanwhile from the last frame on.
    pub fn lose(&mut self, now: Instant) {
        self.stream = None;
        self.retry_at = Some(now + RETRY_EVERY);
        self.spins = false;
        self.empty_wakes = 0;
        let gap_max = Duration::from_millis(u64::from(CAPTURE_GAP_MS_MAX));
        let since = self.progress_at.unwrap_or(now);
        self.stand_in.stop();
        self.stand_in.start(since.max(now.checked_sub(gap_max).unwrap_or(now)));
    }

    /// Looks for a lost card, where it is time to. Says whether it came back just now.
    pub fn revive(&mut self, now: Instant) -> bool {
        if self.stream.is_some() || self.retry_at.is_none_or(|at| at > now) {
            return false;
        }
        self.retry_at = Some(now + RETRY_EVERY);
        let Ok(stream) = Stream::open(&self.name, self.way) else { return false };
        self.stream = Some(stream);
        self.counters.reopens = self.counters.reopens.wrapping_add(1);
        self.stand_in.stop();
        if self.started {
            self.started = false;
            self.start(now);
        }
        self.stream.is_some()
    }

    /// Adds the descriptors that wake for it: none before it runs, while it is lost, or where they lie.
    pub fn descriptors(&self, fds: &mut heapless::Vec<libc::pollfd, CARD_DESCRIPTORS_MAX>) {
        if let (true, false, Some(stream)) = (self.started, self.spins, &self.stream) {
            stream.descriptors(fds);
        }
    }

    /// When it has to be looked at even if no descriptor wakes.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        if !self.started {
            return None;
        }
        match (&self.stream, self.spins) {
            (Some(_), false) => Some(self.progress_at.unwrap_or(now) + STALLED_AFTER),
            (Some(_), true) => Some(now + SPIN_TIMER),
            (None, _) => self.retry_at.into_iter().chain(self.stand_in.next_due()).min(),
        }
    }
}

/// Between two attempts to open a lost card. Each costs a millisecond at most where it is not there.
const RETRY_EVERY: Duration = Duration::from_millis(500);

/// A running stream without a frame for so long is a lost card.
const STALLED_AFTER: Duration = Duration::from_secs(2);

/// Wakes without a frame, in a row, after which descriptors are left alone.
const EMPTY_WAKES_MAX: u32 = 100;

/// What stands in for descriptors that lie: half a period.
const SPIN_TIMER: Duration = Duration::from_millis(5);

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // a test needs some instant to start from
mod tests {
    use super::*;

    /// alsa-lib's `null` plugin is always ready and moves whatever is asked: a card that lies.
    #[test]
    fn a_card_that_stalls_is_lost_and_comes_back() {
        let Ok(mut card) = Card::open("null", Way::Playback) else { return };
        let start = Instant::now();
        let mut fds = heapless::Vec::new();
        card.descriptors(&mut fds);
        assert!(fds.is_empty() && card.next_due(start).is_none(), "silent before its start");
        card.start(start);
        assert_eq!(card.next_due(start), Some(start + STALLED_AFTER));
        for _ in 0..EMPTY_WAKES_MAX {
            card.descriptors(&mut fds);
            assert!(!fds.is_empty());
            fds.clear();
            assert!(card.no_progress(start));
        }
        card.descriptors(&mut fds);
        assert!(fds.is_empty() && card.next_due(start) == Some(start + SPIN_TIMER), "spinning is ended");
        let late = start + STALLED_AFTER;
        assert!(!card.no_progress(late));
        assert_eq!((card.state(), card.stand_in.due(late)), (SoundState::Lost, 10));
        assert!(!card.revive(late));
        assert!(card.revive(late + RETRY_EVERY));
        assert_eq!((card.state(), card.counters.reopens), (SoundState::Open, 1));
        assert_eq!(card.stand_in.next_due(), None);
    }

    #[test]
    fn a_lost_card_is_looked_for_by_name() {
        let Ok(mut card) = Card::open("null", Way::Capture) else { return };
        let start = Instant::now();
        card.start(start);
        card.name = "hw:CARD=NoSuchCard".to_owned();
        card.lose(start);
        let mut now = start;
        for _ in 0..5 {
            now += RETRY_EVERY;
            assert!(!card.revive(now));
            assert_eq!(card.next_due(now), card.stand_in.next_due());
        }
        assert_eq!(card.counters.reopens, 0);
    }
}
