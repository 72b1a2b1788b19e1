//! Microphone and loudspeaker as one: opened together, watched together, and told of together.
//!
//! Two directions of one card often share a clock (WM8960 and all codecs with one LRCLK): both must have the
//! same rate then, or one of them is silent or plays at the wrong speed. So the second to be opened is asked for the
//! rate of the first, where the card says that it can.

use std::time::Instant;

use crate::event::{CardState, Event, MetricKind, Metrics, Stats};
use crate::io::sound::SoundState;
use crate::io::sound::counters::SoundCounters;
use crate::io::sound::hotplug::Hotplug;
use crate::io::sound::loudspeaker::Loudspeaker;
use crate::io::sound::microphone::Microphone;
use crate::io::sound::mixer::{self, Volume};
use crate::io::sound::open_error::OpenError;
use crate::io::sound::pcm_name::card_of;
use crate::io::sound::settings::Wish;
use crate::io::sound::setup::SoundSetup;
use crate::io::sound::sizes::Way;
use crate::io::sound::spec::{InputSpec, OutputSpec};
use crate::io::sound::stream::Stream;
use crate::limits::CARD_DESCRIPTORS_MAX;

/// Where our voice comes from, and where the room is heard.
#[derive(Debug)]
pub struct Pair {
    /// Where our voice comes from.
    pub microphone: Microphone,
    /// Where the room is heard.
    pub loudspeaker: Loudspeaker,
    setup: SoundSetup,
    volume: Option<Volume>,
    hotplug: Option<Hotplug>,
    reported: [SoundCounters; 2],
    told: [Option<SoundState>; 2],
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
        let mut microphone = Microphone::open(input, loops_input, &setup)?;
        let mut loudspeaker = Loudspeaker::open(output, &setup)?;
        if let (Some(heard), Some(played)) = (microphone.card_rate_hz(), loudspeaker.card_rate_hz())
            && heard != played
            && card_of(microphone.name()).is_some_and(|card| card_of(loudspeaker.name()) == Some(card))
        {
            // Closed before it is opened otherwise: a card has one place.
            let (name, setup_before) = (loudspeaker.name().to_owned(), setup.clone());
            drop(loudspeaker);
            if can(&name, Way::Playback, heard) {
                setup.playback.wish.rate_hz = Some(heard);
            }
            loudspeaker = Loudspeaker::open(output, &setup)?;
            if setup == setup_before {
                let name = microphone.name().to_owned();
                drop(microphone);
                if can(&name, Way::Capture, played) {
                    setup.capture.wish.rate_hz = Some(played);
                }
                microphone = Microphone::open(input, loops_input, &setup)?;
            }
        }
        let mut pair = Pair {
            microphone,
            loudspeaker,
            setup,
            volume: None,
            hotplug: None,
            reported: Default::default(),
            told: [None; 2],
        };
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

    /// Sets the loudspeaker's volume by the card, up to 100 %. `false` where the card has none: then it is
    /// ours to change the samples.
    pub fn set_volume(&self, percent: u8) -> bool {
        self.volume.as_ref().is_some_and(|volume| volume.set(percent))
    }

    /// Sets the mixer as the board says, which a card that came back has forgotten. Gives what could not be
    /// set.
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

    /// Looks for lost cards where something has changed. Call once a turn.
    pub fn attend(&mut self, now: Instant) {
        let is_lost =
            self.microphone.state() == SoundState::Lost || self.loudspeaker.state() == SoundState::Lost;
        if !is_lost {
            self.hotplug = None;
            return;
        }
        let has_changed = match &mut self.hotplug {
            Some(hotplug) => hotplug.take(),
            None => {
                self.hotplug = Hotplug::new();
                // A card that came before the watch is seen by looking now.
                true
            }
        };
        if has_changed {
            self.microphone.look_again(now);
            self.loudspeaker.look_again(now);
        }
    }

    /// The descriptors that wake for it. They change when a card is lost or comes back.
    pub fn descriptors(&self) -> Descriptors {
        let mut all = Descriptors::new();
        let mut own = heapless::Vec::new();
        self.microphone.descriptors(&mut own);
        all.extend(own.drain(..));
        self.loudspeaker.descriptors(&mut own);
        all.extend(own.drain(..));
        if let Some(hotplug) = &self.hotplug {
            let _ = all.push(libc::pollfd { fd: hotplug.raw_fd(), events: libc::POLLIN, revents: 0 });
        }
        all
    }

    /// Changes whenever a card is opened: descriptors of the same number are others then.
    pub fn openings(&self) -> u32 {
        self.microphone.openings().wrapping_add(self.loudspeaker.openings())
    }

    /// When it has to be looked at even if no descriptor wakes.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        [self.microphone.next_due(now), self.loudspeaker.next_due(now)].into_iter().flatten().min()
    }

    /// What has become of cards, files and pipes since the last call, each change once.
    pub fn changes(&mut self, mut tell: impl FnMut(Event)) {
        let now = [
            (self.microphone.state(), self.microphone.is_card()),
            (self.loudspeaker.state(), self.loudspeaker.is_card()),
        ];
        for (place, (state, is_card)) in now.into_iter().enumerate() {
            let before = self.told[place].replace(state);
            if before == Some(state) {
                continue;
            }
            let (name, fault) = match place {
                0 => (self.microphone.name(), self.microphone.fault()),
                _ => (self.loudspeaker.name(), self.loudspeaker.fault()),
            };
            if let Some(fault) = fault {
                tell(Event::Warning { text: fault });
            } else if is_card {
                let state = CardState { is_microphone: place == 0, is_lost: state == SoundState::Lost };
                tell(Event::AudioDevice { card: name.to_owned(), state });
            }
            if is_card && state == SoundState::Open {
                for control in self.set_levels() {
                    tell(Event::Warning {
                        text: format!("the card has no mixer control '{control}' to set so"),
                    });
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
        let help = "Blocks that nobody took: a slow reader, a full disk, a lost card.";
        each("kinglet_blocks_dropped_total", help, |counters| counters.blocks_dropped);
    }

    fn find_volume(&mut self) {
        let name = self.setup.playback.volume_control.as_deref();
        let card = card_of(self.loudspeaker.name()).filter(|_| self.loudspeaker.is_card());
        self.volume = card.and_then(|card| Volume::find(card, name));
    }
}

/// Whether the card of a PCM has this rate.
fn can(pcm: &str, way: Way, rate_hz: u32) -> bool {
    let wish = Wish { rate_hz: Some(rate_hz), ..Wish::default() };
    Stream::open_unconverted(pcm, way, &wish).is_ok()
}

const WORDS: [&str; 2] = ["capture", "playback"];
