//! A card that records: periods of its frames in, blocks out.
//!
//! One channel is taken, and converted to 48 kHz if the card has another rate. The timeline stays complete: samples
//! lost in an overrun are replaced by as much silence, since the receiver's buffer and the echo canceller both count
//! samples. While the card is away there are no blocks, and the time without them is counted.

use std::time::Instant;

use crate::io::sound::card::Card;
use crate::io::sound::card_end::CardEnd;
use crate::io::sound::open_error::OpenError;
use crate::io::sound::pcm_settings::{PcmRequest, PcmSettings};
use crate::io::sound::pcm_stream::Moved;
use crate::io::sound::sizes::StreamDirection;
use crate::io::sound::status::{Captured, CardNote};
use crate::limits::CAPTURE_GAP_MS_MAX;
use crate::media::block::{BLOCK_FRAMES, Block, SAMPLE_RATE_HZ};
use crate::media::channel_input::{ChannelInput, ChannelInputSettings};
use crate::media::rate_converter::RateConverter;

/// A recording card.
#[derive(Debug)]
pub struct Capture {
    card: Card,
    channel: ChannelInputSettings,
    buffer: CaptureBuffer,
    /// When frames were last read, and how many were left behind then.
    read_at: Option<Instant>,
    left_frames: usize,
}

impl Capture {
    /// Opens a PCM; none is what `auto` means.
    pub fn open(
        name: Option<&str>,
        request: PcmRequest,
        channel: ChannelInputSettings,
    ) -> Result<Capture, OpenError> {
        let card = Card::open(name, StreamDirection::Capture, request)?;
        let buffer = CaptureBuffer::new(card.settings(), channel);
        Ok(Capture { card, channel, buffer, read_at: None, left_frames: 0 })
    }

    /// What has become of the card, each once.
    pub fn take_note(&mut self) -> Option<CardNote> {
        self.card.take_note()
    }

    /// Blocks of time that passed without the card, each counted once.
    pub fn take_missed(&mut self, now: Instant) -> u32 {
        self.card.absence().take_missed(now)
    }

    /// Lets it run.
    pub fn start(&mut self, now: Instant) {
        self.card.start(now);
    }

    /// The next block, where it is there.
    pub fn read(&mut self, block: &mut Block, now: Instant) -> Captured {
        if !self.card.is_started() {
            return Captured::NotYet;
        }
        self.attend(now);
        // One recovery a call: a card that does nothing but overrun must not keep us here.
        for _ in 0..2 {
            if self.buffer.is_full() {
                self.buffer.take(block);
                return Captured::Block;
            }
            let Some(stream) = self.card.stream() else { return Captured::NotYet };
            match stream.read(self.buffer.room()) {
                Moved::Frames(frames) => {
                    self.buffer.add(frames);
                    self.left_frames = match stream.available() {
                        Moved::Frames(left) => left,
                        _ => 0,
                    };
                    self.read_at = Some(now);
                    self.card.progress(now);
                }
                Moved::Nothing => {
                    self.card.no_progress(now);
                    return Captured::NotYet;
                }
                Moved::Xrun => self.overrun(now),
                Moved::Lost => self.card.lose(now),
            }
        }
        if self.buffer.is_full() {
            self.buffer.take(block);
            return Captured::Block;
        }
        Captured::NotYet
    }

    /// When to call again even if no descriptor wakes.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        let backlog = self.card.settings().is_some() && self.buffer.is_full();
        if backlog { Some(now) } else { self.card.next_due(now) }
    }

    /// Age of the oldest sample not yet given out, in milliseconds.
    pub fn delay_ms(&self) -> f32 {
        self.card.delay_ms() + self.buffer.delay_ms()
    }

    fn overrun(&mut self, now: Instant) {
        let settings = self.card.settings().copied();
        if self.card.xrun(now) {
            self.buffer = CaptureBuffer::new(self.card.settings(), self.channel);
        }
        let (Some(settings), Some(read_at)) = (settings, self.read_at) else { return };
        let gap_ms = now.saturating_duration_since(read_at).as_secs_f64() * 1000.0;
        let gap_ms = gap_ms.min(f64::from(CAPTURE_GAP_MS_MAX));
        let lost_frames = (gap_ms * f64::from(settings.rate_hz) / 1000.0).round() as usize + self.left_frames;
        let lost_at_48k = lost_frames as u64 * u64::from(SAMPLE_RATE_HZ) / u64::from(settings.rate_hz);
        self.card.counters.frames_lost = self.card.counters.frames_lost.wrapping_add(lost_at_48k);
        self.buffer.lose(lost_frames);
        self.read_at = Some(now);
        self.left_frames = 0;
    }
}

impl CardEnd for Capture {
    fn card(&self) -> &Card {
        &self.card
    }

    fn card_mut(&mut self) -> &mut Card {
        &mut self.card
    }

    fn renew(&mut self) {
        self.buffer = CaptureBuffer::new(self.card.settings(), self.channel);
        self.read_at = None;
        self.left_frames = 0;
    }
}

/// Frames of the card until they make a block.
#[derive(Debug)]
struct CaptureBuffer {
    converter: Option<RateConverter>,
    channel_input: ChannelInput,
    frame_bytes: usize,
    rate_hz: u32,
    settings: Option<PcmSettings>,
    /// As the card gives them.
    bytes: Box<[u8]>,
    /// One channel of them.
    frames: Box<[f32]>,
    filled: usize,
    /// Silence that comes before what is read next.
    lost_frames: usize,
}

impl CaptureBuffer {
    fn new(settings: Option<&PcmSettings>, channel: ChannelInputSettings) -> CaptureBuffer {
        let rate_hz = settings.map_or(SAMPLE_RATE_HZ, |settings| settings.rate_hz);
        let frame_bytes = settings.map_or(1, PcmSettings::frame_bytes);
        // A block of the card's frames, and one for the fraction that the converter carries over.
        let frames_max =
            (BLOCK_FRAMES as u64 * u64::from(rate_hz)).div_ceil(u64::from(SAMPLE_RATE_HZ)) as usize + 1;
        CaptureBuffer {
            converter: RateConverter::new(rate_hz, SAMPLE_RATE_HZ),
            channel_input: ChannelInput::new(channel, rate_hz),
            frame_bytes,
            rate_hz,
            settings: settings.copied(),
            bytes: vec![0; frames_max * frame_bytes].into(),
            frames: vec![0.0; frames_max].into(),
            filled: 0,
            lost_frames: 0,
        }
    }

    /// Frames that make the next block.
    fn needed(&self) -> usize {
        let needed =
            self.converter.as_ref().map_or(BLOCK_FRAMES, |converter| converter.inputs_for(BLOCK_FRAMES));
        needed.min(self.frames.len())
    }

    /// Whether there is a block; silence that is due is counted first.
    fn is_full(&self) -> bool {
        self.filled + self.lost_frames >= self.needed()
    }

    /// Where the card may write what is missing.
    fn room(&mut self) -> &mut [u8] {
        let missing = self.needed() - self.filled.min(self.needed());
        &mut self.bytes[..missing * self.frame_bytes]
    }

    fn add(&mut self, frames: usize) {
        let Some(settings) = self.settings else { return };
        self.fill_lost();
        let room = self.frames.get_mut(self.filled..).unwrap_or_default();
        let count = frames.min(room.len());
        self.channel_input.samples(&self.bytes, settings.format, settings.channels, &mut room[..count]);
        self.filled += count;
    }

    fn lose(&mut self, frames: usize) {
        self.lost_frames += frames;
    }

    fn take(&mut self, block: &mut Block) {
        self.fill_lost();
        match &mut self.converter {
            None => block.0.copy_from_slice(&self.frames[..BLOCK_FRAMES]),
            Some(converter) => {
                let mut input = self.frames[..self.filled].iter().copied();
                for sample in &mut block.0 {
                    *sample = converter.pull(&mut || input.next()).unwrap_or(0.0);
                }
            }
        }
        self.filled = 0;
    }

    fn fill_lost(&mut self) {
        let silent = self.lost_frames.min(self.needed() - self.filled.min(self.needed()));
        self.frames[self.filled..self.filled + silent].fill(0.0);
        self.filled += silent;
        self.lost_frames -= silent;
    }

    fn delay_ms(&self) -> f32 {
        (self.filled + self.lost_frames) as f32 * 1000.0 / self.rate_hz as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::sound::sizes::Buffering;
    use crate::media::sample_format::SampleFormat;

    fn buffer(rate_hz: u32, channels: u32, format: SampleFormat) -> CaptureBuffer {
        let buffering = Buffering::default();
        let (period_frames, buffer_frames) = buffering.wanted(StreamDirection::Capture, rate_hz);
        let sizes =
            buffering.granted(StreamDirection::Capture, rate_hz, period_frames, buffer_frames).unwrap();
        CaptureBuffer::new(
            Some(&PcmSettings { rate_hz, channels, format, sizes }),
            ChannelInputSettings::default(),
        )
    }

    /// Gives `frames` frames whose first channel is `value`, and the others loud.
    fn give(buffer: &mut CaptureBuffer, frames: usize, value: f32) {
        let PcmSettings { format, channels, .. } = buffer.settings.unwrap();
        let room = buffer.room();
        for (i, bytes) in room.chunks_exact_mut(format.bytes()).take(frames * channels as usize).enumerate() {
            format.encode(if i % channels as usize == 0 { value } else { 0.9 }, bytes);
        }
        buffer.add(frames);
    }

    #[test]
    fn the_first_channel_in_pieces() {
        let mut buffer = buffer(48_000, 2, SampleFormat::S32);
        give(&mut buffer, 100, 0.25);
        assert!(!buffer.is_full());
        assert_eq!(buffer.room().len(), 380 * 8, "no more than a block is read");
        give(&mut buffer, 380, 0.5);
        let mut block = Block::SILENCE;
        buffer.take(&mut block);
        assert_eq!((block.0[99], block.0[100], block.0[479]), (0.25, 0.5, 0.5));
        assert!(!buffer.is_full());
    }

    #[test]
    fn what_was_lost_is_silence_in_its_place() {
        let mut buffer = buffer(48_000, 1, SampleFormat::S16);
        give(&mut buffer, 100, 0.5);
        buffer.lose(800);
        let mut block = Block::SILENCE;
        assert!(buffer.is_full());
        buffer.take(&mut block);
        assert_eq!((block.0[99], block.0[100], block.0[479]), (0.5, 0.0, 0.0));
        assert!(!buffer.is_full(), "420 of 480 frames of silence are left");
        give(&mut buffer, 60, 0.25);
        buffer.take(&mut block);
        assert_eq!((block.0[419], block.0[420], buffer.lost_frames), (0.0, 0.25, 0));
    }

    #[test]
    fn other_rates_take_as_many_frames_as_they_last() {
        for rate_hz in [8_000, 22_050, 44_100, 96_000, 192_000] {
            let mut buffer = buffer(rate_hz, 1, SampleFormat::S24Packed);
            let mut block = Block::SILENCE;
            let mut taken = 0;
            for _ in 0..100 {
                while !buffer.is_full() {
                    let frames = (buffer.room().len() / 3).min(97);
                    give(&mut buffer, frames, 0.5);
                    taken += frames;
                }
                buffer.take(&mut block);
            }
            assert!(
                (taken as i64 - i64::from(rate_hz)).abs() <= i64::from(rate_hz / 48_000) + 1,
                "{rate_hz}: {taken}"
            );
            assert!(block.0.iter().all(|&s| (s - 0.5).abs() < 1e-3));
        }
    }
}
