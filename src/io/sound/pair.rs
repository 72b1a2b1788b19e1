//! Microphone and loudspeaker as a pair: opened, watched and reported together.
//!
//! Two directions of one card often share a clock (WM8960 and all codecs with one LRCLK): both must have the same rate
//! then, or one of them is silent or plays at the wrong speed. So the second is opened with the rate of the first, if
//! the card has it.
//!
//! Cards are watched whether they run or not, so that what a call will need is missed before the call, and what `auto`
//! means is followed (`follow.rs`).

use std::os::fd::RawFd;
use std::time::Instant;

use serde_json::{Value, json};

use crate::event::{CardState, Event, MetricKind, Metrics, Stats};
use crate::io::sound::SoundState;
use crate::io::sound::auto::{self, Why};
use crate::io::sound::card_end::CardEnd;
use crate::io::sound::follow::Follower;
use crate::io::sound::loudspeaker::Loudspeaker;
use crate::io::sound::microphone::Microphone;
use crate::io::sound::mixer::{self, Volume};
use crate::io::sound::open_error::OpenError;
use crate::io::sound::pcm_name::card_of;
use crate::io::sound::pcm_settings::PcmRequest;
use crate::io::sound::pcm_stream::PcmStream;
use crate::io::sound::setup::SoundSetup;
use crate::io::sound::sizes::StreamDirection;
use crate::io::sound::spec::{InputSpec, OutputSpec};
use crate::io::sound::status::SoundCounters;
use crate::io::sound::watch::Watch;
use crate::limits::CARD_DESCRIPTORS_MAX;

/// Where our voice comes from, and where the room is heard.
#[derive(Debug)]
pub struct Pair {
    /// Where our voice comes from.
    pub microphone: Microphone,
    /// Where the room is heard.
    pub loudspeaker: Loudspeaker,
    setup: SoundSetup,
    /// The requests for cards that `auto` moves to.
    requests: [PcmRequest; 2],
    volume: Option<Volume>,
    /// In percent, if it was set.
    volume_percent: Option<u8>,
    /// Whether the card sets the volume, since the loudspeaker was opened again.
    volume_change: Option<bool>,
    watch: Watch,
    follower: Follower,
    why: Why,
    /// Openings of the cards whose rates were compared.
    compared: u32,
    was_lost: bool,
    reported: [SoundCounters; 2],
    /// State of both, and which card it was.
    told: [Option<(SoundState, u32)>; 2],
}

/// Descriptors that wake for both, and for cards that come.
pub type Descriptors = heapless::Vec<libc::pollfd, { 2 * CARD_DESCRIPTORS_MAX + 1 }>;

impl Pair {
    /// Opens both ends and sets the mixer.
    pub fn open(
        input: &InputSpec,
        loops_input: bool,
        output: &OutputSpec,
        setup: SoundSetup,
    ) -> Result<Pair, OpenError> {
        let mut setup = setup.for_specs(input, output);
        let requests = [setup.capture.request, setup.playback.request];
        let is_auto = *input == InputSpec::Auto && setup.capture.pcm.is_none()
            || *output == OutputSpec::Auto && setup.playback.pcm.is_none();
        let why = if is_auto { auto::auto_choice().why } else { Why::default() };
        let mut microphone = Microphone::open(input, loops_input, &setup)?;
        let mut loudspeaker = Loudspeaker::open(output, &setup)?;
        if let (Some(heard), Some(played)) = (microphone.card_rate_hz(), loudspeaker.card_rate_hz())
            && heard != played
            && card_of(microphone.name()).is_some_and(|card| card_of(loudspeaker.name()) == Some(card))
        {
            // Closed before it is opened otherwise: a card has one place.
            let (name, setup_before) = (loudspeaker.name().to_owned(), setup.clone());
            drop(loudspeaker);
            if can(&name, StreamDirection::Playback, heard) {
                setup.playback.request.rate_hz = Some(heard);
            }
            loudspeaker = Loudspeaker::open(output, &setup)?;
            if setup == setup_before {
                let name = microphone.name().to_owned();
                drop(microphone);
                if can(&name, StreamDirection::Capture, played) {
                    setup.capture.request.rate_hz = Some(played);
                }
                microphone = Microphone::open(input, loops_input, &setup)?;
            }
        }
        let mut pair = Pair {
            microphone,
            loudspeaker,
            setup,
            requests,
            volume: None,
            volume_percent: None,
            volume_change: None,
            watch: Watch::default(),
            follower: Follower::default(),
            why,
            compared: 0,
            was_lost: false,
            reported: Default::default(),
            told: [None; 2],
        };
        pair.compared = pair.openings();
        pair.find_volume();
        Ok(pair)
    }

    /// Whether one of the ends is a card, whose clock does not wait.
    pub fn has_card(&self) -> bool {
        self.microphone.is_card() || self.loudspeaker.is_card()
    }

    /// Whether what is played can be heard by the microphone: both are cards.
    pub fn has_both_cards(&self) -> bool {
        self.microphone.is_card() && self.loudspeaker.is_card()
    }

    /// The mixer control that is the volume, if there is one.
    pub fn volume_control(&self) -> Option<&str> {
        self.volume.as_ref().map(Volume::control)
    }

    /// Sets the loudspeaker's volume by the card, up to 100 %, and that of each card that takes its place. `false` where
    /// the card has none: then it is ours to change the samples.
    pub fn set_volume(&mut self, percent: u8) -> bool {
        self.volume_percent = Some(percent);
        self.volume.as_ref().is_some_and(|volume| volume.set(percent))
    }

    /// Whether the card sets the volume, if the loudspeaker was opened again since the last call.
    pub fn take_volume_change(&mut self) -> Option<bool> {
        self.volume_change.take()
    }

    /// Sets the mixer as the board file says, which a card that came back has forgotten. Returns the levels that could
    /// not be set.
    pub fn set_levels(&mut self) -> Vec<String> {
        self.find_volume();
        let cards = [card_of(self.microphone.name()), card_of(self.loudspeaker.name())];
        let mut refused = self.setup.levels.clone();
        for (place, card) in cards.iter().enumerate() {
            if let (Some(card), false) = (card, cards[..place].contains(card)) {
                let names = mixer::apply(card, &refused);
                refused.retain(|level| names.contains(&level.control));
            }
        }
        refused.into_iter().map(|level| level.control).collect()
    }

    /// Finds cards that are gone, looks for lost ones, and goes where `auto` is. Call once a turn. `is_woken`: the
    /// descriptor of [`Pair::watch_fd`] may have woken us. In a call `auto` goes nowhere as long as its cards are there.
    pub fn attend(&mut self, is_woken: bool, in_call: bool, now: Instant) {
        if !self.has_card() {
            return;
        }
        let news = self.watch.attend(is_woken, now);
        for end in self.ends() {
            if news.has_changed {
                end.card_mut().check(now);
                end.card_mut().look_again(now);
            }
            end.attend(now);
        }
        let is_lost =
            self.microphone.state() == SoundState::Lost || self.loudspeaker.state() == SoundState::Lost;
        if is_lost && !std::mem::replace(&mut self.was_lost, is_lost) {
            self.watch.lost_one(now);
        }
        self.was_lost = is_lost;
        let ends = [
            (self.microphone.end(), StreamDirection::Capture, self.requests[0]),
            (self.loudspeaker.end(), StreamDirection::Playback, self.requests[1]),
        ];
        if let Some(why) = self.follower.attend(ends, news.is_settled, in_call, now) {
            self.why = why;
        }
        if self.compared != self.openings() {
            self.share_rate(now);
        }
    }

    /// The descriptor that wakes when cards come and go.
    pub fn watch_fd(&self) -> Option<RawFd> {
        self.watch.raw_fd()
    }

    /// The descriptors that wake for it. They change when a card is lost or comes back.
    pub fn descriptors(&self) -> Descriptors {
        let mut all = Descriptors::new();
        let mut own = heapless::Vec::new();
        self.microphone.descriptors(&mut own);
        all.extend(own.drain(..));
        self.loudspeaker.descriptors(&mut own);
        all.extend(own.drain(..));
        if let Some(fd) = self.watch.raw_fd() {
            let _ = all.push(libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
        }
        all
    }

    /// Changes whenever a card is opened: descriptors of the same number are others then.
    pub fn openings(&self) -> u32 {
        self.microphone.openings().wrapping_add(self.loudspeaker.openings())
    }

    /// When it has to be looked at even if no descriptor wakes.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        let cards = [self.microphone.next_due(now), self.loudspeaker.next_due(now)];
        cards.into_iter().chain([self.watch.next_due(), self.follower.next_due()]).flatten().min()
    }

    /// What has become of cards, files and pipes since the last call, each change once.
    pub fn changes(&mut self, mut tell: impl FnMut(Event)) {
        let now = [
            (self.microphone.state(), self.microphone.moves(), self.microphone.is_card()),
            (self.loudspeaker.state(), self.loudspeaker.moves(), self.loudspeaker.is_card()),
        ];
        for (place, (state, moves, is_card)) in now.into_iter().enumerate() {
            let before = self.told[place].replace((state, moves));
            let was_lost = before.is_some_and(|(before, _)| before == SoundState::Lost);
            if before == Some((state, moves)) || was_lost && state == SoundState::Lost {
                continue;
            }
            let (name, fault) = match place {
                0 => (self.microphone.name(), self.microphone.fault()),
                _ => (self.loudspeaker.name(), self.loudspeaker.fault()),
            };
            if let Some(fault) = fault {
                tell(Event::Warning { text: fault });
            } else if is_card {
                let card = name.to_owned();
                let is_lost = state == SoundState::Lost;
                let why = (!is_lost && self.is_auto(place)).then(|| format!("auto: {}", self.why));
                let state = CardState { is_microphone: place == 0, is_lost };
                tell(Event::AudioDevice { card, state, why });
            }
            if is_card && state == SoundState::Open {
                for control in self.set_levels() {
                    tell(Event::Warning {
                        text: format!("the card has no mixer control '{control}' to set so"),
                    });
                }
                if let (1, Some(percent)) = (place, self.volume_percent) {
                    self.volume_change = Some(self.volume.as_ref().is_some_and(|volume| volume.set(percent)));
                }
            }
        }
        while let Some(note) = self.microphone.take_note() {
            tell(Event::Warning { text: note.words(WORDS[0], self.microphone.name()) });
        }
        while let Some(note) = self.loudspeaker.take_note() {
            tell(Event::Warning { text: note.words(WORDS[1], self.loudspeaker.name()) });
        }
    }

    /// Adds what the cards have counted since the last call.
    pub fn add_counters(&mut self, stats: &mut Stats) {
        let now = [self.microphone.counters(), self.loudspeaker.counters()];
        let before = std::mem::replace(&mut self.reported, now);
        stats.xruns_in = now[0].xruns.wrapping_sub(before[0].xruns);
        stats.xruns_out = now[1].xruns.wrapping_sub(before[1].xruns);
        stats.reopens =
            now.iter().zip(&before).map(|(now, before)| now.reopens.wrapping_sub(before.reopens)).sum();
    }

    /// Adds what both sides have counted since the start.
    pub fn write_metrics(&self, metrics: &mut Metrics) {
        let now = [("capture", self.microphone.counters()), ("playback", self.loudspeaker.counters())];
        let mut each = |name, help, count: fn(&SoundCounters) -> u32| {
            let values = now.map(|(side, counters)| (side, f64::from(count(&counters))));
            metrics.each(MetricKind::Counter, (name, "side"), help, values);
        };
        each("kinglet_xruns_total", "Overruns and underruns of the cards.", |counters| counters.xruns);
        each("kinglet_card_reopens_total", "Times a lost card was back.", |counters| counters.reopens);
        let help = "Blocks that could not be written: a slow reader, a full disk, a lost card.";
        each("kinglet_blocks_dropped_total", help, |counters| counters.blocks_dropped);
    }

    /// Name and state of both ends, for `status`.
    pub fn status(&self) -> Value {
        let word = |state| match state {
            SoundState::Open => "open",
            SoundState::Lost => "lost",
            SoundState::Closed => "closed",
        };
        json!({
            "input": format!("{} {}", self.microphone.name(), word(self.microphone.state())),
            "output": format!("{} {}", self.loudspeaker.name(), word(self.loudspeaker.state())),
        })
    }

    /// The ends that are cards.
    fn ends(&mut self) -> impl Iterator<Item = &mut dyn CardEnd> {
        [self.microphone.end(), self.loudspeaker.end()].into_iter().flatten()
    }

    fn is_auto(&mut self, place: usize) -> bool {
        let end = if place == 0 { self.microphone.end() } else { self.loudspeaker.end() };
        end.is_some_and(|end| end.card().is_auto())
    }

    /// Where both directions are of one card now, they get one rate if it has one for both.
    fn share_rate(&mut self, now: Instant) {
        if let (Some(heard), Some(played)) = (self.microphone.card_rate_hz(), self.loudspeaker.card_rate_hz())
            && heard != played
            && card_of(self.microphone.name())
                .is_some_and(|card| card_of(self.loudspeaker.name()) == Some(card))
            && !self.loudspeaker.end().is_some_and(|end| end.set_rate(heard, now))
            && let Some(end) = self.microphone.end()
        {
            end.set_rate(played, now);
        }
        self.compared = self.openings();
    }

    fn find_volume(&mut self) {
        let name = self.setup.playback.volume_control.as_deref();
        let card = card_of(self.loudspeaker.name()).filter(|_| self.loudspeaker.is_card());
        self.volume = card.and_then(|card| Volume::find(card, name));
    }
}

/// Whether the card of a PCM has this rate.
fn can(pcm: &str, direction: StreamDirection, rate_hz: u32) -> bool {
    let request = PcmRequest { rate_hz: Some(rate_hz), ..PcmRequest::default() };
    PcmStream::open_unconverted(pcm, direction, &request).is_ok()
}

const WORDS: [&str; 2] = ["capture", "playback"];

#[cfg(test)]
#[path = "tests/pair.rs"]
mod tests;
