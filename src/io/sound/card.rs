//! A card by name, whether it is there or not.
//!
//! ```text
//! open ──(xrun)──► open          counted; three in ten seconds: reopened with a longer period
//!   │ lost: ENODEV, or no frame for 500 ms                    ▲
//!   └────► lost ──── looked for at once, when /dev/snd ───────┘   meanwhile there is neither a
//!                    changes, and each second                     block nor a wake-up
//! ```
//!
//! A box that starts before its sound driver begins with a lost card, if it is told to wait ([`Wish::waits`]).
//! Names hold `CARD=<id>`, never an index, so a card that comes back elsewhere is the same card. The
//! 500 ms are for plugins that notice nothing when their card is pulled out (dmix says `EAGAIN` for
//! ever). Before its first frame a card has 2 s: a sound server takes 1.5 s to begin.
//! Its descriptors are believed while they speak the truth (`Readiness`).

use std::time::{Duration, Instant};

use crate::io::sound::absence::Absence;
use crate::io::sound::counters::SoundCounters;
use crate::io::sound::note::CardNote;
use crate::io::sound::open_error::OpenError;
use crate::io::sound::readiness::Readiness;
use crate::io::sound::settings::{Settings, Wish};
use crate::io::sound::sizes::Way;
use crate::io::sound::stream::{Moved, Stream};
use crate::io::sound::xruns::Xruns;
use crate::io::sound::{SoundState, auto};
use crate::limits::{CARD_DESCRIPTORS_MAX, CARD_NOTES_MAX};
use crate::media::block::BLOCK_MS;

/// A card, there or lost.
#[derive(Debug)]
pub struct Card {
    /// Of the PCM; none: `auto` has found no card yet.
    name: Option<String>,
    way: Way,
    wish: Wish,
    stream: Option<Stream>,
    started: bool,
    retry_at: Option<Instant>,
    /// When a frame was last moved.
    progress_at: Option<Instant>,
    has_moved: bool,
    readiness: Readiness,
    openings: u32,
    xruns: Xruns,
    absence: Absence,
    notes: heapless::Deque<CardNote, CARD_NOTES_MAX>,
    /// What went wrong so far.
    pub counters: SoundCounters,
}

impl Card {
    /// Opens a card, or the one that `auto` means where none is named; it does not run yet.
    pub fn open(name: Option<&str>, way: Way, wish: Wish) -> Result<Card, OpenError> {
        let mut name = name.map(str::to_owned);
        let mut notes = heapless::Deque::new();
        let stream = match open(&mut name, way, &wish) {
            Err(error) if wish.waits => {
                let _ = notes.push_back(CardNote::Awaited(error));
                None
            }
            result => Some(result?),
        };
        Ok(Card {
            name,
            way,
            wish,
            openings: u32::from(stream.is_some()),
            stream,
            started: false,
            retry_at: None,
            progress_at: None,
            has_moved: false,
            readiness: Readiness::default(),
            xruns: Xruns::default(),
            absence: Absence::default(),
            notes,
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
        self.has_moved = false;
        let begins = self.way == Way::Capture;
        if self.stream.as_mut().is_none_or(|stream| begins && stream.start() == Moved::Lost) {
            self.lose(now);
        }
    }

    /// The PCM's name.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("auto")
    }

    /// How often it was opened: after each, its descriptors are others, perhaps of the same numbers.
    pub fn openings(&self) -> u32 {
        self.openings
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

    /// What has become of it, each once.
    pub fn take_note(&mut self) -> Option<CardNote> {
        self.notes.pop_front()
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
        self.has_moved = true;
        self.readiness.was_true();
    }

    /// Nothing was moved. Loses the card where that has lasted too long; says whether it is still there.
    pub fn no_progress(&mut self, now: Instant) -> bool {
        let Some(stream) = &self.stream else { return false };
        if self.readiness.is_believed() && stream.is_ready() {
            self.empty_wake();
        }
        let since = *self.progress_at.get_or_insert(now);
        if now.saturating_duration_since(since) >= self.patience() {
            self.lose(now);
        }
        self.stream.is_some()
    }

    /// The stream broke off and runs again. Where that happens again and again it is reopened with a longer
    /// period: `true` where it was, since its settings are others now.
    pub fn xrun(&mut self, now: Instant) -> bool {
        self.counters.xruns = self.counters.xruns.wrapping_add(1);
        self.progress_at = Some(now);
        // A card that does nothing but xrun keeps its descriptors ready, too.
        self.empty_wake();
        let is_often = self.xruns.add(now);
        let Some(buffering) = self.wish.buffering.raised().filter(|_| is_often) else { return false };
        self.wish.buffering = buffering;
        self.readiness.was_true();
        // Closed first: a card is opened once.
        self.stream = None;
        match open(&mut self.name, self.way, &self.wish) {
            Ok(stream) => {
                self.stream = Some(stream);
                self.openings = self.openings.wrapping_add(1);
            }
            Err(_) => self.lose(now),
        }
        self.started = false;
        self.start(now);
        self.note(CardNote::PeriodRaised { period_ms: buffering.period_ms });
        true
    }

    /// The card is gone: close it, look for it again.
    pub fn lose(&mut self, now: Instant) {
        self.stream = None;
        self.retry_at = Some(now);
        self.readiness = Readiness::default();
        self.absence.begin(self.progress_at.unwrap_or(now), now);
    }

    /// Something has changed among the cards: a lost one is looked for now.
    pub fn look_again(&mut self, now: Instant) {
        if self.stream.is_none() {
            self.retry_at = Some(now);
        }
    }

    /// Looks for a lost card, where it is time to. Says whether it came back just now.
    pub fn revive(&mut self, now: Instant) -> bool {
        if self.stream.is_some() || self.retry_at.is_none_or(|at| at > now) {
            return false;
        }
        self.retry_at = Some(now + RETRY_EVERY);
        let Ok(stream) = open(&mut self.name, self.way, &self.wish) else { return false };
        self.stream = Some(stream);
        self.openings = self.openings.wrapping_add(1);
        self.counters.reopens = self.counters.reopens.wrapping_add(1);
        self.absence.end(now);
        if self.started {
            self.started = false;
            self.start(now);
        }
        self.stream.is_some()
    }

    /// The time that passes without the card.
    pub fn absence(&mut self) -> &mut Absence {
        &mut self.absence
    }

    /// Adds the descriptors that wake for it: none before it runs, while it is lost, or where they lie.
    pub fn descriptors(&self, fds: &mut heapless::Vec<libc::pollfd, CARD_DESCRIPTORS_MAX>) {
        if let (true, true, Some(stream)) = (self.started, self.readiness.is_believed(), &self.stream) {
            stream.descriptors(fds);
        }
    }

    /// When it has to be looked at even if no descriptor wakes.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        if !self.started {
            return None;
        }
        match (&self.stream, self.readiness.is_believed()) {
            (Some(_), true) => Some(self.progress_at.unwrap_or(now) + self.patience()),
            (Some(_), false) => Some(now + self.period()),
            (None, _) => self.retry_at,
        }
    }

    fn empty_wake(&mut self) {
        self.counters.empty_wakes = self.counters.empty_wakes.wrapping_add(1);
        if self.readiness.was_false() {
            self.note(CardNote::ServedByClock);
        }
    }

    fn period(&self) -> Duration {
        Duration::from_millis(u64::from(self.wish.buffering.period_ms.min(BLOCK_MS)))
    }

    fn patience(&self) -> Duration {
        if self.has_moved { STALLED_AFTER } else { BEGINS_WITHIN }
    }

    fn note(&mut self, note: CardNote) {
        let _ = self.notes.push_back(note); // fuller: the counters tell as well
    }
}

/// Opens the PCM of this name; what `auto` means is settled when it is there.
fn open(name: &mut Option<String>, way: Way, wish: &Wish) -> Result<Stream, OpenError> {
    let pcm = name.clone().map_or_else(|| auto::auto_pcm(way), Ok)?;
    let stream = Stream::open(&pcm, way, wish)?;
    *name = Some(pcm);
    Ok(stream)
}

/// Between two attempts to open a lost card of which nothing is heard. Each costs a millisecond at most.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// A running stream without a frame for so long is a lost card.
const STALLED_AFTER: Duration = Duration::from_millis(500);

/// The same before its first frame.
const BEGINS_WITHIN: Duration = Duration::from_secs(2);

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // a test needs some instant to start from
mod tests {
    use super::*;
    use crate::io::sound::scripted::Script;

    fn card(name: &str, way: Way) -> (Script, Card, Instant) {
        let script = Script::new(name);
        let card = Card::open(Some(&format!("scripted:{name}")), way, Wish::default()).unwrap();
        (script, card, Instant::now())
    }

    #[test]
    fn descriptors_that_lie_are_left_alone_after_three_wakes() {
        let (script, mut card, start) = card("liar", Way::Playback);
        let mut fds = heapless::Vec::new();
        card.descriptors(&mut fds);
        assert!(fds.is_empty() && card.next_due(start).is_none(), "silent before its start");
        card.start(start);
        assert_eq!(card.next_due(start), Some(start + BEGINS_WITHIN));
        card.progress(start);
        assert_eq!(card.next_due(start), Some(start + STALLED_AFTER));
        assert!(card.no_progress(start));
        assert_eq!(card.counters.empty_wakes, 0, "others woke us");
        script.claims_ready(true);
        for _ in 0..3 {
            card.descriptors(&mut fds);
            assert!(!fds.is_empty());
            fds.clear();
            assert!(card.no_progress(start));
        }
        card.descriptors(&mut fds);
        assert!(fds.is_empty());
        assert_eq!(card.next_due(start), Some(start + Duration::from_millis(10)), "the period, by our clock");
        assert_eq!((card.take_note(), card.take_note()), (Some(CardNote::ServedByClock), None));
    }

    /// As dmix after its card was pulled out: EAGAIN for ever.
    #[test]
    fn a_card_that_stalls_is_lost_and_comes_back() {
        let (_script, mut card, start) = card("stalls", Way::Playback);
        card.start(start);
        assert!(card.no_progress(start + BEGINS_WITHIN - Duration::from_millis(1)), "a sound server begins");
        card.progress(start);
        assert!(card.no_progress(start + STALLED_AFTER - Duration::from_millis(1)));
        let late = start + STALLED_AFTER;
        assert!(!card.no_progress(late));
        assert_eq!((card.state(), card.next_due(late)), (SoundState::Lost, Some(late)), "looked for at once");
        assert_eq!(card.absence().take_missed(late), 50, "from the last frame on");
        assert!(card.revive(late));
        assert_eq!(
            (card.state(), card.counters.reopens, card.absence().take_return()),
            (SoundState::Open, 1, true)
        );
    }

    #[test]
    fn a_lost_card_costs_a_look_a_second_and_is_back_when_something_changes() {
        let (script, mut card, start) = card("pulled", Way::Capture);
        card.start(start);
        card.progress(start);
        script.plug(false);
        card.lose(start);
        let (mut now, mut wakes) = (start, 0);
        while let Some(due) = card.next_due(now).filter(|due| *due < start + Duration::from_secs(60)) {
            now = due;
            wakes += 1;
            assert!(!card.revive(now));
        }
        assert_eq!(wakes, 60);
        script.plug(true);
        now += Duration::from_millis(300);
        assert!(!card.revive(now), "not before its time");
        card.look_again(now);
        assert!(card.revive(now));
        assert_eq!(
            card.absence().take_missed(now + Duration::from_secs(9)),
            5_930,
            "the time of the absence, no more"
        );
        assert!(card.absence().take_return() && !card.absence().take_return());
    }

    #[test]
    fn a_card_that_is_not_there_yet_is_waited_for() {
        let script = Script::new("late");
        script.plug(false);
        let open = |waits| Card::open(Some("scripted:late"), Way::Capture, Wish { waits, ..Wish::default() });
        let error = open(false).expect_err("asked for now");
        let (mut card, start) = (open(true).unwrap(), Instant::now());
        assert_eq!((card.state(), card.openings(), card.next_due(start)), (SoundState::Lost, 0, None));
        assert_eq!((card.take_note(), card.take_note()), (Some(CardNote::Awaited(error)), None));
        card.start(start);
        assert_eq!(card.next_due(start), Some(start), "looked for at once");
        assert!(!card.revive(start));
        script.plug(true);
        assert!(card.revive(start + RETRY_EVERY));
        assert_eq!((card.state(), card.openings(), card.name()), (SoundState::Open, 1, "scripted:late"));
        assert_eq!(card.absence().take_missed(start + RETRY_EVERY), 100, "RTP time goes on");
    }

    #[test]
    fn three_xruns_in_ten_seconds_lengthen_the_period() {
        let (script, mut card, start) = card("xruns", Way::Playback);
        card.start(start);
        let mut at_s = |seconds| {
            let at = start + Duration::from_secs(seconds);
            card.progress(at);
            card.xrun(at)
        };
        assert_eq!([at_s(0), at_s(9), at_s(18), at_s(27)], [false; 4], "now and then is normal");
        assert!(!at_s(30) && at_s(31));
        assert!(
            !at_s(32) && !at_s(33) && at_s(34) && !at_s(35) && !at_s(35) && !at_s(35),
            "40 ms is the last"
        );
        let periods: Vec<u32> = script.wishes().iter().map(|wish| wish.buffering.period_ms).collect();
        assert_eq!(periods, [10, 20, 40]);
        assert_eq!(card.take_note(), Some(CardNote::PeriodRaised { period_ms: 20 }));
        assert_eq!((card.counters.xruns, card.state(), card.openings()), (12, SoundState::Open, 3));
    }
}
