//! A card by name, whether it is there or not.
//!
//! ```text
//! open ──(xrun)──► open          counted; three in ten seconds: reopened with a longer period
//!   │ lost: ENODEV, or no frame for 500 ms                    ▲
//!   └────► lost ──── looked for at once, when /dev/snd ───────┘   meanwhile there is neither a
//!                    changes, and each second                     block nor a wake-up
//! ```
//!
//! A card that does not run yet moves no frames, so its loss is found by asking it ([`Card::check`]) when `/dev/snd`
//! changes. A card that `auto` has chosen becomes another one by [`Card::move_to`].
//!
//! A box that starts before its sound driver begins with a lost card, if it may wait ([`PcmRequest::waits`]). Names
//! hold `CARD=<id>`, never an index, so a card that comes back elsewhere is the same card. The 500 ms are for plugins
//! that do not notice that their card is unplugged (dmix returns `EAGAIN` for ever). Before its first frame a card has
//! 2 s: a sound server takes 1.5 s to begin. Its descriptors are trusted as long as they are right (`Readiness`).

use std::time::{Duration, Instant};

use crate::io::sound::card_health::{Absence, Readiness, Xruns};
use crate::io::sound::open_error::OpenError;
use crate::io::sound::pcm_settings::{PcmRequest, PcmSettings};
use crate::io::sound::pcm_stream::{Moved, PcmStream};
use crate::io::sound::sizes::StreamDirection;
use crate::io::sound::status::{CardNote, SoundCounters};
use crate::io::sound::{SoundState, auto};
use crate::limits::{CARD_DESCRIPTORS_MAX, CARD_NOTES_MAX};
use crate::media::block::BLOCK_MS;

/// A card, there or lost.
#[derive(Debug)]
pub struct Card {
    /// Of the PCM; none: `auto` has found no card yet.
    name: Option<String>,
    /// Whether `auto` chose it, and may choose another one.
    is_auto: bool,
    direction: StreamDirection,
    request: PcmRequest,
    stream: Option<PcmStream>,
    started: bool,
    retry_at: Option<Instant>,
    /// When a frame was last moved.
    progress_at: Option<Instant>,
    has_moved: bool,
    readiness: Readiness,
    openings: u32,
    moves: u32,
    xruns: Xruns,
    absence: Absence,
    notes: heapless::Deque<CardNote, CARD_NOTES_MAX>,
    /// What went wrong so far.
    pub counters: SoundCounters,
}

impl Card {
    /// Opens a card, or the one that `auto` means where none is named; it does not run yet.
    pub fn open(
        name: Option<&str>,
        direction: StreamDirection,
        request: PcmRequest,
    ) -> Result<Card, OpenError> {
        let is_auto = name.is_none();
        let mut name = name.map(str::to_owned);
        let mut notes = heapless::Deque::new();
        let stream = match open(&mut name, direction, &request) {
            Err(error) if request.waits => {
                let _ = notes.push_back(CardNote::Awaited(error));
                None
            }
            result => Some(result?),
        };
        Ok(Card {
            is_auto,
            name,
            direction,
            request,
            openings: u32::from(stream.is_some()),
            stream,
            started: false,
            retry_at: None,
            moves: 0,
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
        let begins = self.direction == StreamDirection::Capture;
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

    /// Whether `auto` chose it.
    pub fn is_auto(&self) -> bool {
        self.is_auto
    }

    /// How often it became another card.
    pub fn moves(&self) -> u32 {
        self.moves
    }

    /// Whether it was started.
    pub fn is_started(&self) -> bool {
        self.started
    }

    /// The stream, while the card is there.
    pub fn stream(&mut self) -> Option<&mut PcmStream> {
        self.stream.as_mut()
    }

    /// Its settings, while the card is there.
    pub fn settings(&self) -> Option<&PcmSettings> {
        self.stream.as_ref().map(PcmStream::settings)
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

    /// No frame was moved. Closes the card if that has lasted too long; returns whether it is still open.
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
    /// period: `true` if it was, since its settings are others now.
    pub fn xrun(&mut self, now: Instant) -> bool {
        self.counters.xruns = self.counters.xruns.wrapping_add(1);
        self.progress_at = Some(now);
        // A card that does nothing but xrun keeps its descriptors ready, too.
        self.empty_wake();
        let is_often = self.xruns.add(now);
        let Some(buffering) = self.request.buffering.raised().filter(|_| is_often) else { return false };
        self.request.buffering = buffering;
        self.readiness.was_true();
        // Closed first: a card is opened once.
        self.stream = None;
        match open(&mut self.name, self.direction, &self.request) {
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
        // No caller waits for the sound of a card that does not run.
        if self.started {
            self.absence.begin(self.progress_at.unwrap_or(now), now);
        }
    }

    /// Something has changed among the cards: loses this one if it is gone.
    pub fn check(&mut self, now: Instant) {
        if self.stream.as_ref().is_some_and(|stream| !stream.is_there()) {
            self.lose(now);
        }
    }

    /// `auto` selects this PCM. It is opened before the present one is closed, so that a failure changes nothing; a
    /// lost card is searched for under this name from now on. Returns whether this PCM is open.
    pub fn move_to(&mut self, pcm: &str, request: PcmRequest, now: Instant) -> bool {
        if self.name.as_deref() == Some(pcm) {
            return self.stream.is_some();
        }
        let was_open = self.stream.is_some();
        let opened = PcmStream::open(pcm, self.direction, &request);
        if opened.is_err() && was_open {
            return false;
        }
        self.name = Some(pcm.to_owned());
        (self.request, self.xruns, self.readiness) = (request, Xruns::default(), Readiness::default());
        self.moves = self.moves.wrapping_add(1);
        let Ok(stream) = opened else {
            self.retry_at = Some(now + RETRY_EVERY);
            return false;
        };
        if was_open && self.started {
            self.absence.begin(self.progress_at.unwrap_or(now), now);
        }
        self.take(stream, now);
        self.counters.reopens = self.counters.reopens.wrapping_add(u32::from(!was_open));
        self.stream.is_some()
    }

    /// Opens the card again with this rate, if the hardware has it. Returns whether it did.
    pub fn set_rate(&mut self, rate_hz: u32, now: Instant) -> bool {
        let Some(name) = &self.name else { return false };
        let request = PcmRequest { rate_hz: Some(rate_hz), ..self.request };
        // Closed first: a card is opened once.
        self.stream = None;
        let opened = PcmStream::open_unconverted(name, self.direction, &request);
        let is_set = opened.is_ok();
        if is_set {
            self.request = request;
        }
        match opened.or_else(|_| PcmStream::open(name, self.direction, &self.request)) {
            Ok(stream) => self.take(stream, now),
            Err(_) => self.lose(now),
        }
        is_set
    }

    /// Something has changed among the cards: a lost one is looked for now.
    pub fn look_again(&mut self, now: Instant) {
        if self.stream.is_none() {
            self.retry_at = Some(now);
        }
    }

    /// Searches for a lost card, if it is time to. Returns whether the card came back in this call.
    pub fn revive(&mut self, now: Instant) -> bool {
        if self.stream.is_some() || self.retry_at.is_none_or(|at| at > now) {
            return false;
        }
        // What `auto` means is found out elsewhere, for both directions together.
        self.retry_at = self.name.is_some().then(|| now + RETRY_EVERY);
        let Some(name) = &self.name else { return false };
        let Ok(stream) = PcmStream::open(name, self.direction, &self.request) else { return false };
        self.take(stream, now);
        self.counters.reopens = self.counters.reopens.wrapping_add(1);
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
        match (&self.stream, self.readiness.is_believed()) {
            (Some(_), _) if !self.started => None,
            (Some(_), true) => Some(self.progress_at.unwrap_or(now) + self.patience()),
            (Some(_), false) => Some(now + self.period()),
            (None, _) => self.retry_at,
        }
    }

    /// Continues with another stream.
    fn take(&mut self, stream: PcmStream, now: Instant) {
        self.stream = Some(stream);
        self.retry_at = None;
        self.openings = self.openings.wrapping_add(1);
        self.absence.end(now);
        if self.started {
            self.started = false;
            self.start(now);
        }
    }

    fn empty_wake(&mut self) {
        self.counters.empty_wakes = self.counters.empty_wakes.wrapping_add(1);
        if self.readiness.was_false() {
            self.note(CardNote::ServedByClock);
        }
    }

    fn period(&self) -> Duration {
        Duration::from_millis(u64::from(self.request.buffering.period_ms.min(BLOCK_MS)))
    }

    fn patience(&self) -> Duration {
        if self.has_moved { STALLED_AFTER } else { BEGINS_WITHIN }
    }

    fn note(&mut self, note: CardNote) {
        let _ = self.notes.push_back(note); // fuller: the counters tell as well
    }
}

/// Opens the PCM of this name; what `auto` means is settled when it is there.
fn open(
    name: &mut Option<String>,
    direction: StreamDirection,
    request: &PcmRequest,
) -> Result<PcmStream, OpenError> {
    let pcm = name.clone().map_or_else(|| auto::auto_pcm(direction), Ok)?;
    let stream = PcmStream::open(&pcm, direction, request)?;
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
#[path = "tests/card.rs"]
mod tests;
