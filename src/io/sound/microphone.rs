//! Where our voice comes from: a card, a file, a pipe, a tone, or nowhere.
//!
//! ```text
//! open ─► start(now) ─► read(block, now): Block | NotYet | End        wake by descriptors or next_due
//! ```
//!
//! A card pushes at its own pace. Everything else is paced by the caller's clock: a block each 10 ms
//! from `start` on, so that an hour of file takes an hour. A turn that comes more than 100 ms late goes
//! on from where it is instead of sending a burst.

use std::time::Instant;

use crate::io::sound::capture::Capture;
use crate::io::sound::card_end::CardEnd;
use crate::io::sound::open_error::OpenError;
use crate::io::sound::pace::Pace;
use crate::io::sound::raw_reader::RawReader;
use crate::io::sound::setup::{CaptureSetup, SoundSetup};
use crate::io::sound::spec::InputSpec;
use crate::io::sound::status::{Captured, CardNote, SoundCounters};
use crate::io::sound::tone::Tone;
use crate::io::sound::wav_reader::WavReader;
use crate::io::sound::{SoundState, pcm_stream};
use crate::limits::CARD_DESCRIPTORS_MAX;
use crate::media::block::Block;

/// A source of sound.
#[derive(Debug)]
pub struct Microphone {
    source: Source,
    name: String,
    pace: Pace,
    late_turns: u32,
    ended: bool,
}

#[derive(Debug)]
enum Source {
    Card(Box<Capture>),
    Wav(Box<WavReader>),
    Raw(Box<RawReader>),
    Tone(Tone),
    None,
}

impl Microphone {
    /// Opens a source; nothing is read from it yet. With `loop_input` a file begins again at its end.
    /// `setup` names the PCM that `auto` means, and how a card is used.
    pub fn open(spec: &InputSpec, loop_input: bool, setup: &SoundSetup) -> Result<Microphone, OpenError> {
        let card = |pcm: Option<&str>| {
            let CaptureSetup { request, channel, .. } = setup.capture;
            Ok(Source::Card(Box::new(Capture::open(pcm, request, channel)?)))
        };
        let source = match spec {
            InputSpec::Auto => card(setup.capture.pcm.as_deref())?,
            InputSpec::Alsa(pcm) => card(Some(pcm))?,
            InputSpec::Wav(path) => Source::Wav(Box::new(WavReader::open(path, loop_input)?)),
            InputSpec::Raw(place) => Source::Raw(Box::new(RawReader::open(place, loop_input)?)),
            InputSpec::Tone(hz) => Source::Tone(Tone::new(*hz)),
            InputSpec::None => Source::None,
        };
        pcm_stream::quiet();
        Ok(Microphone { source, name: spec.to_string(), pace: Pace::default(), late_turns: 0, ended: false })
    }

    /// Begins: a card runs, anything else is due from now on. Later calls do nothing.
    pub fn start(&mut self, now: Instant) {
        match &mut self.source {
            Source::Card(capture) => capture.start(now),
            Source::None => {}
            _ => self.pace.start(now),
        }
    }

    /// What has become of a card, each once.
    pub fn take_note(&mut self) -> Option<CardNote> {
        match &mut self.source {
            Source::Card(capture) => capture.take_note(),
            _ => None,
        }
    }

    /// Blocks of time that passed without the card, each counted once: nothing was recorded in them.
    pub fn take_missed(&mut self, now: Instant) -> u32 {
        match &mut self.source {
            Source::Card(capture) => capture.take_missed(now),
            _ => 0,
        }
    }

    /// The card, where it is one.
    pub fn end(&mut self) -> Option<&mut dyn CardEnd> {
        match &mut self.source {
            Source::Card(capture) => Some(&mut **capture),
            _ => None,
        }
    }

    /// How often `auto` took another card.
    pub fn moves(&self) -> u32 {
        match &self.source {
            Source::Card(capture) => capture.card().moves(),
            _ => 0,
        }
    }

    /// How often a card was opened.
    pub fn openings(&self) -> u32 {
        match &self.source {
            Source::Card(capture) => capture.card().openings(),
            _ => 0,
        }
    }

    /// Frames per second of a card that is there.
    pub fn card_rate_hz(&self) -> Option<u32> {
        match &self.source {
            Source::Card(capture) => capture.card().settings().map(|settings| settings.rate_hz),
            _ => None,
        }
    }

    /// The next block, where it is time for it.
    pub fn read(&mut self, block: &mut Block, now: Instant) -> Captured {
        if let Source::Card(capture) = &mut self.source {
            return capture.read(block, now);
        }
        if self.ended {
            return Captured::End;
        }
        if self.pace.forgive(now) {
            self.late_turns = self.late_turns.wrapping_add(1);
        }
        if self.pace.due(now) == 0 {
            return Captured::NotYet;
        }
        self.pace.advance();
        let captured = match &mut self.source {
            Source::Wav(reader) => reader.read(block),
            Source::Raw(reader) => reader.read(block),
            Source::Tone(tone) => {
                tone.read(block);
                Captured::Block
            }
            Source::Card(_) | Source::None => Captured::NotYet,
        };
        self.ended = captured == Captured::End;
        captured
    }

    /// When to call [`Microphone::read`] even if no descriptor wakes; in the past where that is now.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        match &self.source {
            Source::Card(capture) => capture.next_due(now),
            _ if self.ended => None,
            _ => self.pace.next_due(),
        }
    }

    /// Adds the descriptors that wake for it; only a running card has any. They may change, so ask
    /// before each wait.
    pub fn descriptors(&self, fds: &mut heapless::Vec<libc::pollfd, CARD_DESCRIPTORS_MAX>) {
        if let Source::Card(capture) = &self.source {
            capture.card().descriptors(fds);
        }
    }

    /// Whether it is a sound card: its clock is not ours, and it may hear our loudspeaker.
    pub fn is_card(&self) -> bool {
        matches!(self.source, Source::Card(_))
    }

    /// The PCM of a card, the specification of anything else.
    pub fn name(&self) -> &str {
        match &self.source {
            Source::Card(capture) => capture.card().name(),
            _ => &self.name,
        }
    }

    /// Where it stands; `Lost` and `Open` alternate while a card is pulled out and put back.
    pub fn state(&self) -> SoundState {
        match &self.source {
            Source::Card(capture) => capture.card().state(),
            _ if self.ended => SoundState::Closed,
            _ => SoundState::Open,
        }
    }

    /// Why a file or pipe ended before its end, in words.
    pub fn fault(&self) -> Option<String> {
        let fault = match &self.source {
            Source::Wav(reader) => reader.fault(),
            Source::Raw(reader) => reader.fault(),
            _ => None,
        };
        fault.map(|kind| format!("{}: {kind}", self.name))
    }

    /// Age of the oldest sample not yet read, in milliseconds; 0 without a card.
    pub fn delay_ms(&self) -> f32 {
        match &self.source {
            Source::Card(capture) => capture.delay_ms(),
            _ => 0.0,
        }
    }

    /// What went wrong so far.
    pub fn counters(&self) -> SoundCounters {
        match &self.source {
            Source::Card(capture) => capture.card().counters,
            Source::Raw(reader) => SoundCounters {
                blocks_starved: reader.blocks_starved(),
                late_turns: self.late_turns,
                ..SoundCounters::default()
            },
            _ => SoundCounters { late_turns: self.late_turns, ..SoundCounters::default() },
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // a test needs some instant to start from
mod tests {
    use super::*;
    use crate::io::tests::temp::TempFile;
    use std::time::Duration;

    #[test]
    fn a_file_runs_in_real_time_from_its_start() {
        let file = TempFile::new("microphone.pcm", &[1; 960 * 50]);
        let spec: InputSpec = format!("raw:{}", file.path().display()).parse().unwrap();
        let mut microphone = Microphone::open(&spec, false, &SoundSetup::default()).unwrap();
        let mut block = Block::SILENCE;
        let start = Instant::now();
        assert_eq!(
            microphone.read(&mut block, start + Duration::from_secs(9)),
            Captured::NotYet,
            "not started"
        );
        microphone.start(start);
        let mut blocks = 0;
        let mut now = start;
        while microphone.state() == SoundState::Open {
            assert!(microphone.next_due(now).is_some());
            loop {
                match microphone.read(&mut block, now) {
                    Captured::Block => blocks += 1,
                    Captured::NotYet => break,
                    Captured::End => {
                        assert_eq!(now, start + Duration::from_millis(500));
                        break;
                    }
                }
            }
            now += Duration::from_millis(1);
        }
        assert_eq!((blocks, microphone.next_due(now)), (50, None));
        assert_eq!(microphone.read(&mut block, now), Captured::End);
        assert_eq!((microphone.fault(), microphone.is_card()), (None, false));
    }

    #[test]
    fn a_late_turn_sends_no_burst() {
        let mut microphone =
            Microphone::open(&InputSpec::Tone(1_000), false, &SoundSetup::default()).unwrap();
        let start = Instant::now();
        microphone.start(start);
        let mut block = Block::SILENCE;
        let mut count = |now: Instant| {
            let blocks =
                std::iter::from_fn(|| (microphone.read(&mut block, now) == Captured::Block).then_some(()));
            blocks.count()
        };
        assert_eq!(count(start), 1);
        assert_eq!(count(start + Duration::from_millis(55)), 5, "a little late: made up for");
        assert_eq!(count(start + Duration::from_secs(5)), 1, "very late: on from here");
        assert_eq!(count(start + Duration::from_millis(5_010)), 1);
        assert_eq!(microphone.counters().late_turns, 1);
    }

    #[test]
    fn none_gives_nothing() {
        let mut microphone = Microphone::open(&InputSpec::None, false, &SoundSetup::default()).unwrap();
        let now = Instant::now();
        microphone.start(now);
        assert_eq!(microphone.read(&mut Block::SILENCE.clone(), now), Captured::NotYet);
        assert_eq!((microphone.next_due(now), microphone.name()), (None, "none"));
    }

    #[test]
    fn missing_cards_and_files_are_told_apart() {
        let status = |spec: &str| {
            Microphone::open(&spec.parse().unwrap(), false, &SoundSetup::default()).unwrap_err().exit_status()
        };
        assert_eq!(status("alsa:hw:CARD=NoSuchCard").code(), 6);
        assert_eq!(status("wav:/nowhere/x.wav").code(), 3);
        assert_eq!(status("raw:/nowhere/x.pcm").code(), 3);
    }
}
