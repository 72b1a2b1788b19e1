//! Where the room is heard: a card, a file, a pipe, or nowhere.
//!
//! ```text
//! open ─► start(now) ─► wanted(now): n ─► n × write(block, now)       wake by descriptors or next_due
//! ```
//!
//! A card pulls as much as its ring has room for. A file or pipe takes a block each 10 ms from `start`
//! on; after a late turn it takes all that was missed, so that its length is the time that passed.

use std::time::Instant;

use crate::io::sound::card_end::CardEnd;
use crate::io::sound::open_error::OpenError;
use crate::io::sound::pace::Pace;
use crate::io::sound::playback::Playback;
use crate::io::sound::raw_writer::RawWriter;
use crate::io::sound::setup::SoundSetup;
use crate::io::sound::spec::OutputSpec;
use crate::io::sound::status::{CardNote, SoundCounters};
use crate::io::sound::wav_writer::WavWriter;
use crate::io::sound::{SoundState, pcm_stream};
use crate::limits::CARD_DESCRIPTORS_MAX;
use crate::media::block::Block;

/// A sink of sound.
#[derive(Debug)]
pub struct Loudspeaker {
    sink: Sink,
    name: String,
    pace: Pace,
    blocks_dropped: u32,
    echo_delay_ms: f32,
}

#[derive(Debug)]
enum Sink {
    Card(Box<Playback>),
    Wav(Box<WavWriter>),
    Raw(Box<RawWriter>),
    None,
}

impl Loudspeaker {
    /// Opens a sink; a file is created or emptied, and a WAV file has its header.
    /// `setup` names the PCM that `auto` means, and how a card is used.
    pub fn open(spec: &OutputSpec, setup: &SoundSetup) -> Result<Loudspeaker, OpenError> {
        let card = |pcm: Option<&str>| Ok(Sink::Card(Box::new(Playback::open(pcm, setup.playback.request)?)));
        let sink = match spec {
            OutputSpec::Auto => card(setup.playback.pcm.as_deref())?,
            OutputSpec::Alsa(pcm) => card(Some(pcm))?,
            OutputSpec::Wav(path) => Sink::Wav(Box::new(WavWriter::open(path)?)),
            OutputSpec::Raw(place) => Sink::Raw(Box::new(RawWriter::open(place)?)),
            OutputSpec::None => Sink::None,
        };
        pcm_stream::quiet();
        let echo_delay_ms = setup.playback.echo_delay_ms as f32;
        let name = spec.to_string();
        Ok(Loudspeaker { sink, name, pace: Pace::default(), blocks_dropped: 0, echo_delay_ms })
    }

    /// Begins: from now on blocks are wanted. Later calls do nothing.
    pub fn start(&mut self, now: Instant) {
        match &mut self.sink {
            Sink::Card(playback) => playback.start(now),
            Sink::None => {}
            _ => self.pace.start(now),
        }
    }

    /// What has become of a card, each once.
    pub fn take_note(&mut self) -> Option<CardNote> {
        match &mut self.sink {
            Sink::Card(playback) => playback.take_note(),
            _ => None,
        }
    }

    /// Whether a lost card came back since the last call: what was to be heard before is long over.
    pub fn take_return(&mut self) -> bool {
        match &mut self.sink {
            Sink::Card(playback) => playback.take_return(),
            _ => false,
        }
    }

    /// The card, where it is one.
    pub fn end(&mut self) -> Option<&mut dyn CardEnd> {
        match &mut self.sink {
            Sink::Card(playback) => Some(&mut **playback),
            _ => None,
        }
    }

    /// How often `auto` took another card.
    pub fn moves(&self) -> u32 {
        match &self.sink {
            Sink::Card(playback) => playback.card().moves(),
            _ => 0,
        }
    }

    /// How often a card was opened.
    pub fn openings(&self) -> u32 {
        match &self.sink {
            Sink::Card(playback) => playback.card().openings(),
            _ => 0,
        }
    }

    /// Frames per second of a card that is there.
    pub fn card_rate_hz(&self) -> Option<u32> {
        match &self.sink {
            Sink::Card(playback) => playback.card().settings().map(|settings| settings.rate_hz),
            _ => None,
        }
    }

    /// Blocks to write now. Ask again after writing them: a late turn is made up for in steps.
    pub fn wanted(&mut self, now: Instant) -> usize {
        match &mut self.sink {
            Sink::Card(playback) => playback.wanted(now),
            _ => self.pace.due(now),
        }
    }

    /// Takes one of the wanted blocks.
    pub fn write(&mut self, block: &Block, now: Instant) {
        let taken = match &mut self.sink {
            Sink::Card(playback) => {
                playback.write(block, now);
                return;
            }
            Sink::Wav(writer) => writer.write(block),
            Sink::Raw(writer) => writer.write(block),
            Sink::None => true,
        };
        self.pace.advance();
        if !taken {
            self.blocks_dropped = self.blocks_dropped.wrapping_add(1);
        }
    }

    /// When to call [`Loudspeaker::wanted`] even if no descriptor wakes; in the past where that is now.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        match &self.sink {
            Sink::Card(playback) => playback.next_due(now),
            _ => self.pace.next_due(),
        }
    }

    /// Adds the descriptors that wake for it; only a running card has any. They may change, so ask
    /// before each wait.
    pub fn descriptors(&self, fds: &mut heapless::Vec<libc::pollfd, CARD_DESCRIPTORS_MAX>) {
        if let Sink::Card(playback) = &self.sink {
            playback.card().descriptors(fds);
        }
    }

    /// Ends: what is written is heard or stored, the header of a WAV file is true. Waits for a card's
    /// buffer (some tens of milliseconds) or a slow pipe (half a second at most).
    pub fn finish(&mut self) {
        match &mut self.sink {
            Sink::Card(playback) => playback.finish(),
            Sink::Wav(writer) => writer.finish(),
            Sink::Raw(writer) => writer.finish(),
            Sink::None => {}
        }
    }

    /// Whether it is a sound card: its clock is not ours, and a microphone may hear it.
    pub fn is_card(&self) -> bool {
        matches!(self.sink, Sink::Card(_))
    }

    /// The PCM of a card, the specification of anything else.
    pub fn name(&self) -> &str {
        match &self.sink {
            Sink::Card(playback) => playback.card().name(),
            _ => &self.name,
        }
    }

    /// The state; `Closed` if the pipe has no reader any more or the disk is full.
    pub fn state(&self) -> SoundState {
        match &self.sink {
            Sink::Card(playback) => playback.card().state(),
            _ if self.fault().is_some() => SoundState::Closed,
            _ => SoundState::Open,
        }
    }

    /// Why it is closed, in words.
    pub fn fault(&self) -> Option<String> {
        let fault = match &self.sink {
            Sink::Wav(writer) => writer.fault(),
            Sink::Raw(writer) => writer.fault(),
            Sink::Card(_) | Sink::None => None,
        };
        fault.map(|kind| format!("{}: {kind}", self.name))
    }

    /// Time until a block written now is heard, in milliseconds, with the addition of a board file; 0 without a card.
    pub fn delay_ms(&self) -> f32 {
        match &self.sink {
            Sink::Card(playback) => playback.delay_ms() + self.echo_delay_ms,
            _ => 0.0,
        }
    }

    /// What went wrong so far.
    pub fn counters(&self) -> SoundCounters {
        match &self.sink {
            Sink::Card(playback) => playback.card().counters,
            _ => SoundCounters { blocks_dropped: self.blocks_dropped, ..SoundCounters::default() },
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // a test needs some instant to start from
mod tests {
    use super::*;
    use crate::io::tests::temp::{TempFile, TempPipe};
    use crate::media::block::BLOCK_FRAMES;
    use std::time::Duration;

    fn open(spec: &str) -> Result<Loudspeaker, OpenError> {
        Loudspeaker::open(&spec.parse().unwrap(), &SoundSetup::default())
    }

    #[test]
    fn a_file_is_as_long_as_the_time_that_passed() {
        let file = TempFile::new("loudspeaker.wav", b"");
        let mut loudspeaker = open(&format!("wav:{}", file.path().display())).unwrap();
        let start = Instant::now();
        assert_eq!((loudspeaker.wanted(start), loudspeaker.next_due(start)), (0, None));
        loudspeaker.start(start);
        for at_ms in [0, 10, 20, 33, 3_000, 3_001] {
            let now = start + Duration::from_millis(at_ms);
            loop {
                let wanted = loudspeaker.wanted(now);
                assert!(wanted <= crate::limits::CATCH_UP_BLOCKS_MAX);
                (0..wanted).for_each(|_| loudspeaker.write(&Block([0.25; BLOCK_FRAMES]), now));
                if wanted == 0 {
                    break;
                }
            }
            assert_eq!(loudspeaker.next_due(now), Some(start + Duration::from_millis(at_ms / 10 * 10 + 10)));
        }
        loudspeaker.finish();
        assert_eq!(std::fs::metadata(file.path()).unwrap().len(), 44 + 301 * 960);
        assert_eq!(
            (loudspeaker.state(), loudspeaker.counters()),
            (SoundState::Open, SoundCounters::default())
        );
    }

    #[test]
    fn a_pipe_that_nobody_reads_any_more_is_closed() {
        let pipe = TempPipe::new("loudspeaker");
        let reader = crate::io::sound::raw_reader::RawReader::open(
            &crate::io::sound::spec::RawSpec::File(pipe.path().into()),
            false,
        );
        let mut loudspeaker = open(&format!("raw:{}", pipe.path().display())).unwrap();
        let now = Instant::now();
        loudspeaker.start(now);
        loudspeaker.write(&Block::SILENCE, now);
        assert_eq!(loudspeaker.state(), SoundState::Open);
        drop(reader);
        loudspeaker.write(&Block::SILENCE, now);
        assert_eq!(loudspeaker.state(), SoundState::Closed);
        assert!(loudspeaker.fault().unwrap().contains("broken pipe"));
        loudspeaker.write(&Block::SILENCE, now);
        assert_eq!(loudspeaker.counters().blocks_dropped, 1);
        loudspeaker.finish();
    }

    #[test]
    fn missing_cards_and_files_are_told_apart() {
        let status = |spec: &str| open(spec).unwrap_err().exit_status();
        assert_eq!(status("alsa:hw:CARD=NoSuchCard").code(), 6);
        assert_eq!(status("wav:/nowhere/x.wav").code(), 3);
        assert_eq!(status("raw:/nowhere/x.pcm").code(), 3);
        let mut none = open("none").unwrap();
        let now = Instant::now();
        none.start(now);
        assert_eq!((none.wanted(now), none.next_due(now)), (0, None));
    }
}
