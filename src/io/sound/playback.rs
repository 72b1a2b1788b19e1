//! A card that plays: it reports how many blocks it wants, and gets exactly those.
//!
//! Every channel carries the same sample. Where the card has another rate, a block becomes one frame
//! more or less than the card's ring has room for; the rest waits here for the next time. While the card is
//! away, no block is wanted.

use std::time::Instant;

use crate::io::sound::card::Card;
use crate::io::sound::card_end::CardEnd;
use crate::io::sound::open_error::OpenError;
use crate::io::sound::pcm_settings::{PcmRequest, PcmSettings};
use crate::io::sound::pcm_stream::Moved;
use crate::io::sound::sizes::StreamDirection;
use crate::io::sound::status::CardNote;
use crate::media::block::{BLOCK_FRAMES, Block, SAMPLE_RATE_HZ};
use crate::media::rate_converter::RateConverter;

/// A playing card.
#[derive(Debug)]
pub struct Playback {
    card: Card,
    buffer: PlaybackBuffer,
}

impl Playback {
    /// Opens a PCM; none is what `auto` means.
    pub fn open(name: Option<&str>, request: PcmRequest) -> Result<Playback, OpenError> {
        let card = Card::open(name, StreamDirection::Playback, request)?;
        let buffer = PlaybackBuffer::new(card.settings());
        Ok(Playback { card, buffer })
    }

    /// What has become of the card, each once.
    pub fn take_note(&mut self) -> Option<CardNote> {
        self.card.take_note()
    }

    /// Whether it came back since the last call: what was heard before is long over.
    pub fn take_return(&mut self) -> bool {
        self.card.absence().take_return()
    }

    /// Lets it run.
    pub fn start(&mut self, now: Instant) {
        self.card.start(now);
    }

    /// Blocks to write now.
    pub fn wanted(&mut self, now: Instant) -> usize {
        if !self.card.is_started() {
            return 0;
        }
        self.attend(now);
        self.flush(now);
        for _ in 0..2 {
            let Some(stream) = self.card.stream() else { return 0 };
            let sizes = stream.settings().sizes;
            match stream.available() {
                Moved::Frames(frames) => {
                    let kept_free = (sizes.buffer_frames - sizes.target_frames) as usize;
                    let room = frames.saturating_sub(kept_free).saturating_sub(self.buffer.waiting_frames());
                    let blocks = room / sizes.block_frames as usize;
                    if blocks > 0 {
                        self.card.progress(now);
                        return blocks;
                    }
                    break;
                }
                Moved::Nothing => break,
                Moved::Xrun => self.underrun(now),
                Moved::Lost => self.card.lose(now),
            }
        }
        self.card.no_progress(now);
        0
    }

    /// Plays a block.
    pub fn write(&mut self, block: &Block, now: Instant) {
        if self.card.settings().is_none() || !self.buffer.add(block) {
            self.drop_block();
        }
        self.flush(now);
    }

    /// When to call again even if no descriptor wakes.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        self.card.next_due(now)
    }

    /// Time until a block written now is heard, in milliseconds.
    pub fn delay_ms(&self) -> f32 {
        self.card.delay_ms() + self.buffer.delay_ms()
    }

    /// Waits, some tens of milliseconds, until all is heard.
    pub fn finish(&mut self) {
        if self.card.is_started()
            && let Some(stream) = self.card.stream()
        {
            stream.drain();
        }
    }

    /// Hands over what waits here.
    fn flush(&mut self, now: Instant) {
        for _ in 0..2 {
            let Some(stream) = self.card.stream() else { return };
            let waiting = self.buffer.waiting();
            if waiting.is_empty() {
                return;
            }
            match stream.write(waiting) {
                Moved::Frames(frames) => {
                    self.buffer.written(frames);
                    self.card.progress(now);
                }
                Moved::Nothing => return,
                Moved::Xrun => self.underrun(now),
                Moved::Lost => self.card.lose(now),
            }
        }
    }

    fn underrun(&mut self, now: Instant) {
        if self.card.xrun(now) {
            self.buffer = PlaybackBuffer::new(self.card.settings());
        }
    }

    fn drop_block(&mut self) {
        self.card.counters.blocks_dropped = self.card.counters.blocks_dropped.wrapping_add(1);
    }
}

impl CardEnd for Playback {
    fn card(&self) -> &Card {
        &self.card
    }

    fn card_mut(&mut self) -> &mut Card {
        &mut self.card
    }

    fn renew(&mut self) {
        self.buffer = PlaybackBuffer::new(self.card.settings());
    }
}

/// Blocks until they are frames of the card.
#[derive(Debug)]
struct PlaybackBuffer {
    settings: Option<PcmSettings>,
    converter: Option<RateConverter>,
    /// A block at the card's rate.
    frames: Box<[f32]>,
    bytes: Box<[u8]>,
    /// Bytes of `bytes` that wait.
    begin: usize,
    end: usize,
}

impl PlaybackBuffer {
    fn new(settings: Option<&PcmSettings>) -> PlaybackBuffer {
        let frames_of_a_block = settings.map_or(0, |settings| frames_of_a_block(settings.rate_hz));
        PlaybackBuffer {
            settings: settings.copied(),
            converter: settings.and_then(|settings| RateConverter::new(SAMPLE_RATE_HZ, settings.rate_hz)),
            frames: vec![0.0; frames_of_a_block].into(),
            bytes: vec![0; 2 * frames_of_a_block * settings.map_or(0, PcmSettings::frame_bytes)].into(),
            begin: 0,
            end: 0,
        }
    }

    /// Takes a block; `false` if the last one still waits.
    fn add(&mut self, block: &Block) -> bool {
        let Some(settings) = self.settings else { return false };
        self.bytes.copy_within(self.begin..self.end, 0);
        (self.begin, self.end) = (0, self.end - self.begin);
        if self.end + frames_of_a_block(settings.rate_hz) * settings.frame_bytes() > self.bytes.len() {
            return false;
        }
        let samples = match &mut self.converter {
            None => &block.0[..],
            Some(converter) => {
                let mut input = block.0.iter().copied();
                let mut outputs = 0;
                while let Some(frame) = self.frames.get_mut(outputs)
                    && let Some(sample) = converter.pull(&mut || input.next())
                {
                    *frame = sample;
                    outputs += 1;
                }
                &self.frames[..outputs]
            }
        };
        let end = self.end + samples.len() * settings.frame_bytes();
        settings.format.encode_frames(samples, settings.channels as usize, &mut self.bytes[self.end..end]);
        self.end = end;
        true
    }

    fn waiting(&self) -> &[u8] {
        &self.bytes[self.begin..self.end]
    }

    fn written(&mut self, frames: usize) {
        let bytes = self.settings.map_or(0, |settings| frames * settings.frame_bytes());
        self.begin = (self.begin + bytes).min(self.end);
    }

    fn waiting_frames(&self) -> usize {
        self.settings.map_or(0, |settings| (self.end - self.begin) / settings.frame_bytes())
    }

    fn delay_ms(&self) -> f32 {
        self.settings.map_or(0.0, |settings| self.waiting_frames() as f32 * 1000.0 / settings.rate_hz as f32)
    }
}

/// Frames that a block may become: its length at the card's rate, and one for the carried fraction.
fn frames_of_a_block(rate_hz: u32) -> usize {
    (BLOCK_FRAMES as u64 * u64::from(rate_hz)).div_ceil(u64::from(SAMPLE_RATE_HZ)) as usize + 1
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // a test needs some instant to start from
mod tests {
    use super::*;
    use crate::io::sound::sizes::Buffering;
    use crate::io::sound::tests::scripted::Script;
    use crate::media::sample_format::SampleFormat;
    use std::time::Duration;

    fn buffer(rate_hz: u32, channels: u32, format: SampleFormat) -> PlaybackBuffer {
        let buffering = Buffering::default();
        let (period_frames, buffer_frames) = buffering.wanted(StreamDirection::Playback, rate_hz);
        let sizes =
            buffering.granted(StreamDirection::Playback, rate_hz, period_frames, buffer_frames).unwrap();
        PlaybackBuffer::new(Some(&PcmSettings { rate_hz, channels, format, sizes }))
    }

    fn playback(name: &str) -> (Script, Playback, Instant) {
        let script = Script::new(name);
        let playback = Playback::open(Some(&format!("scripted:{name}")), PcmRequest::default()).unwrap();
        (script, playback, Instant::now())
    }

    /// Writes what is wanted; how many blocks that were.
    fn serve(playback: &mut Playback, now: Instant) -> usize {
        let wanted = playback.wanted(now);
        (0..wanted).for_each(|_| playback.write(&Block::SILENCE, now));
        wanted
    }

    #[test]
    fn an_xrun_or_a_suspend_ends_with_a_full_buffer() {
        let (script, mut playback, now) = playback("breaks");
        playback.start(now);
        for errno in [libc::EPIPE, libc::ESTRPIPE] {
            script.run(1440);
            assert_eq!((serve(&mut playback, now), serve(&mut playback, now)), (3, 0));
            let written = script.written_frames();
            script.fail_once(errno);
            assert_eq!(serve(&mut playback, now), 0);
            script.run(1440);
            assert_eq!(serve(&mut playback, now), 3, "all of it at once: it starts with two blocks");
            assert_eq!(script.written_frames() - written, 1440);
        }
        assert_eq!(playback.card().counters.xruns, 2);
    }

    #[test]
    fn a_card_that_is_away_wants_nothing_and_one_that_is_back_is_told() {
        let (script, mut playback, now) = playback("away");
        playback.start(now);
        script.run(1440);
        serve(&mut playback, now);
        script.plug(false);
        let later = now + Duration::from_secs(5);
        assert_eq!((playback.wanted(now), playback.wanted(later)), (0, 0));
        playback.write(&Block::SILENCE, later);
        assert_eq!(playback.card().counters.blocks_dropped, 1);
        script.plug(true);
        playback.card_mut().look_again(later);
        assert_eq!((playback.wanted(later), playback.take_return()), (0, true));
        script.run(1440);
        assert_eq!(serve(&mut playback, later), 3);
    }

    /// With the clock and the system's own poll: a descriptor that is ready at all times would be a full core.
    #[test]
    fn a_descriptor_that_lies_costs_three_wakes_and_then_the_period() {
        let (script, mut playback, start) = playback("spins");
        playback.start(start);
        script.claims_ready(true);
        let mut wakes = 0;
        while start.elapsed() < Duration::from_millis(200) {
            wakes += 1;
            let now = Instant::now();
            assert_eq!(playback.wanted(now), 0);
            let mut fds = heapless::Vec::new();
            playback.card().descriptors(&mut fds);
            let wait = playback.next_due(now).unwrap().saturating_duration_since(Instant::now());
            alsa::poll::poll(&mut fds, wait.as_millis() as i32 + 1).unwrap();
        }
        assert!(wakes <= 3 + 20 + 1, "{wakes} wake-ups in 200 ms");
        assert_eq!(playback.card().counters.empty_wakes, 3);
    }

    #[test]
    fn every_channel_carries_it() {
        let mut buffer = buffer(48_000, 3, SampleFormat::S24Packed);
        assert!(buffer.add(&Block([0.5; BLOCK_FRAMES])));
        assert_eq!((buffer.waiting_frames(), buffer.waiting().len()), (480, 480 * 9));
        assert!(buffer.waiting().chunks_exact(3).all(|bytes| SampleFormat::S24Packed.decode(bytes) == 0.5));
    }

    #[test]
    fn what_the_card_leaves_waits_and_a_third_block_is_refused() {
        let mut buffer = buffer(48_000, 1, SampleFormat::S16);
        assert!(buffer.add(&Block([0.25; BLOCK_FRAMES])));
        buffer.written(479);
        assert!(buffer.add(&Block([0.5; BLOCK_FRAMES])));
        assert_eq!(buffer.waiting_frames(), 481);
        assert_eq!(SampleFormat::S16.decode(buffer.waiting()), 0.25);
        assert!(buffer.add(&Block::SILENCE));
        assert!(!buffer.add(&Block::SILENCE));
        buffer.written(100_000);
        assert!(buffer.waiting().is_empty());
    }

    #[test]
    fn other_rates_become_as_many_frames_as_they_last() {
        for rate_hz in [8_000, 22_050, 44_100, 96_000, 192_000] {
            let mut buffer = buffer(rate_hz, 2, SampleFormat::Float);
            let mut frames = 0;
            for _ in 0..100 {
                assert!(buffer.add(&Block([0.5; BLOCK_FRAMES])));
                frames += buffer.waiting_frames();
                buffer.written(buffer.waiting_frames());
            }
            assert!(
                (frames as i64 - i64::from(rate_hz)).abs() <= i64::from(rate_hz / 48_000) + 1,
                "{rate_hz}: {frames}"
            );
        }
    }
}
