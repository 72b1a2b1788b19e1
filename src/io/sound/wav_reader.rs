//! A WAV file as a source of blocks, read from disk as it is played.
//!
//! Channels are averaged to one and the rate becomes 48 kHz. A file that ends early is played as far
//! as it goes. Looped, the last sample is followed by the first, without a gap.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::io::sound::open_error::OpenError;
use crate::io::sound::status::Captured;
use crate::io::sound::wav_header::WavHeader;
use crate::limits::WAV_CHANNELS_MAX;
use crate::media::block::{BLOCK_FRAMES, Block, SAMPLE_RATE_HZ};
use crate::media::rate_converter::RateConverter;
use crate::media::sample_format::SampleFormat;

/// Bytes of one read from the disk.
const READ_BYTES: usize = 16 * 1024;

/// A WAV file being played.
#[derive(Debug)]
pub struct WavReader {
    samples: Samples,
    converter: Option<RateConverter>,
    ended: bool,
}

impl WavReader {
    /// Opens a file and reads its header.
    pub fn open(path: &Path, loop_input: bool) -> Result<WavReader, OpenError> {
        let fail = |reason: String| OpenError::File { name: path.display().to_string(), reason };
        // Non-blocking, since a named pipe would keep us waiting for its writer.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .map_err(|error| fail(error.to_string()))?;
        if !file.metadata().map_err(|error| fail(error.to_string()))?.is_file() {
            return Err(fail("a WAV file must be a regular file; pipes can be read with raw:".to_owned()));
        }
        let mut file = BufReader::with_capacity(READ_BYTES, file);
        let header = WavHeader::read(&mut file).map_err(|error| fail(error.to_string()))?;
        let converter = RateConverter::new(header.rate_hz, SAMPLE_RATE_HZ);
        let tail_frames = converter.as_ref().map_or(0, RateConverter::delay_inputs);
        Ok(WavReader {
            samples: Samples {
                file,
                header,
                loop_input,
                taken_bytes: 0,
                ready: Block::SILENCE,
                ready_at: 0,
                ready_end: 0,
                tail_frames,
                fault: None,
            },
            converter,
            ended: false,
        })
    }

    /// The next block, filled up with silence at the end of the file.
    pub fn read(&mut self, block: &mut Block) -> Captured {
        if self.ended {
            return Captured::End;
        }
        let WavReader { samples, converter, .. } = self;
        let filled = match converter {
            Some(converter) => fill(&mut block.0, || converter.pull(&mut || samples.next())),
            None => samples.read(&mut block.0),
        };
        if filled == block.0.len() {
            return Captured::Block;
        }
        self.ended = true;
        block.0[filled..].fill(0.0);
        if filled == 0 { Captured::End } else { Captured::Block }
    }

    /// Why the file ended before its end, where the disk failed.
    pub fn fault(&self) -> Option<std::io::ErrorKind> {
        self.samples.fault
    }
}

/// Fills `out` sample by sample until there is no next one; returns how many there were.
fn fill(out: &mut [f32], mut next: impl FnMut() -> Option<f32>) -> usize {
    out.iter_mut().map_while(|sample| next().map(|value| *sample = value)).count()
}

/// The file's frames, one mono sample each.
///
/// ```text
/// disk ─► file's buffer ─► as many whole frames as fit: mono ─► ready[ready_at..ready_end] ─► taken
/// ```
#[derive(Debug)]
struct Samples {
    file: BufReader<File>,
    header: WavHeader,
    loop_input: bool,
    /// Of the sound in the file, how much is or was in `ready`.
    taken_bytes: u64,
    ready: Block,
    ready_at: usize,
    ready_end: usize,
    /// Silence still to be given at the end, to get the last frames out of the converter.
    tail_frames: usize,
    fault: Option<std::io::ErrorKind>,
}

impl Samples {
    /// Fills `out` as far as there is sound; how much that was.
    fn read(&mut self, out: &mut [f32]) -> usize {
        let mut filled = 0;
        while filled < out.len() && self.is_ready() {
            let count = (self.ready_end - self.ready_at).min(out.len() - filled);
            out[filled..filled + count].copy_from_slice(&self.ready.0[self.ready_at..self.ready_at + count]);
            self.ready_at += count;
            filled += count;
        }
        filled
    }

    /// The next sample for the converter.
    fn next(&mut self) -> Option<f32> {
        if self.is_ready() {
            self.ready_at += 1;
            return Some(self.ready.0[self.ready_at - 1]);
        }
        self.tail_frames = self.tail_frames.checked_sub(1)?;
        Some(0.0)
    }

    /// Whether there is a sample, from the beginning again where the file is looped.
    fn is_ready(&mut self) -> bool {
        if self.ready_at < self.ready_end {
            return true;
        }
        if !self.refill() && self.loop_input && self.taken_bytes > 0 && self.fault.is_none() {
            self.taken_bytes = 0;
            match self.file.seek(SeekFrom::Start(self.header.data_at)) {
                Ok(_) => return self.refill(),
                Err(error) => self.fault = Some(error.kind()),
            }
        }
        self.ready_at < self.ready_end
    }

    /// Makes the file's next frames ready, of which there may be none.
    fn refill(&mut self) -> bool {
        let WavHeader { format, channels, data_bytes, .. } = self.header;
        let frame_bytes = usize::from(channels) * format.bytes();
        let left_bytes = data_bytes.map_or(u64::MAX, |all| all.saturating_sub(self.taken_bytes));
        let left_frames = usize::try_from(left_bytes / frame_bytes as u64).unwrap_or(usize::MAX);
        let in_memory = self.file.buffer().len() / frame_bytes;
        // A frame across two reads is brought together by itself.
        let mut across = [0; WAV_CHANNELS_MAX as usize * 4];
        let frames = match in_memory.min(left_frames).min(BLOCK_FRAMES) {
            0 if left_frames == 0 || !self.read_exact(&mut across[..frame_bytes]) => 0,
            0 => mono(&across[..frame_bytes], format, channels, &mut self.ready.0[..1]),
            many => {
                let frames = mono(self.file.buffer(), format, channels, &mut self.ready.0[..many]);
                self.file.consume(frames * frame_bytes);
                frames
            }
        };
        self.taken_bytes += (frames * frame_bytes) as u64;
        (self.ready_at, self.ready_end) = (0, frames);
        frames > 0
    }

    fn read_exact(&mut self, bytes: &mut [u8]) -> bool {
        match self.file.read_exact(bytes) {
            Ok(()) => true,
            Err(error) => {
                if error.kind() != std::io::ErrorKind::UnexpectedEof {
                    self.fault = Some(error.kind());
                }
                false
            }
        }
    }
}

/// The means of as many frames' channels as there are samples to be filled; how many these are.
fn mono(frames: &[u8], format: SampleFormat, channels: u16, samples: &mut [f32]) -> usize {
    let frame_bytes = usize::from(channels) * format.bytes();
    format.decode_channel(frames, frame_bytes, 0, samples);
    if channels > 1 {
        let mut others = Block::SILENCE;
        let others = &mut others.0[..samples.len()];
        for channel in 1..usize::from(channels) {
            format.decode_channel(frames, frame_bytes, channel * format.bytes(), others);
            samples.iter_mut().zip(&*others).for_each(|(sum, other)| *sum += other);
        }
        let share = 1.0 / f32::from(channels);
        samples.iter_mut().for_each(|sum| *sum *= share);
    }
    samples.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::tests::temp::TempFile;

    /// A WAV file of any layout; `value(frame, channel)` gives its samples.
    fn wav(
        format: SampleFormat,
        channels: u16,
        rate_hz: u32,
        frames: usize,
        extensible: bool,
        value: impl Fn(usize, u16) -> f32,
    ) -> Vec<u8> {
        let tag: u16 = if format == SampleFormat::Float { 3 } else { 1 };
        let align = channels * format.bytes() as u16;
        let mut layout = Vec::new();
        layout.extend((if extensible { 0xFFFE } else { tag }).to_le_bytes());
        layout.extend(channels.to_le_bytes());
        layout.extend(rate_hz.to_le_bytes());
        layout.extend((rate_hz * u32::from(align)).to_le_bytes());
        layout.extend(align.to_le_bytes());
        layout.extend((format.bytes() as u16 * 8).to_le_bytes());
        if extensible {
            layout.extend([22, 0, 0, 0, 0, 0, 0, 0]);
            layout.extend(tag.to_le_bytes());
            layout.extend(b"\0\0\0\0\x10\0\x80\0\0\xAA\0\x38\x9B\x71");
        }
        let mut data = vec![0; frames * usize::from(align)];
        for (i, bytes) in data.chunks_exact_mut(format.bytes()).enumerate() {
            let (frame, channel) = (i / usize::from(channels), (i % usize::from(channels)) as u16);
            format.encode(value(frame, channel), bytes);
        }
        let mut file = b"RIFF\0\0\0\0WAVEfmt ".to_vec();
        file.extend((layout.len() as u32).to_le_bytes());
        file.extend(layout);
        file.extend(b"data");
        file.extend((data.len() as u32).to_le_bytes());
        file.extend(data);
        file
    }

    fn play(reader: &mut WavReader) -> Vec<f32> {
        let mut all = Vec::new();
        let mut block = Block::SILENCE;
        while reader.read(&mut block) == Captured::Block {
            all.extend(block.0);
        }
        assert_eq!(reader.read(&mut block), Captured::End, "the end lasts");
        all
    }

    #[test]
    fn every_format_every_layout() {
        use SampleFormat::*;
        for format in [U8, S16, S24Packed, S32, Float] {
            for (channels, extensible) in [(1, false), (2, false), (2, true), (6, true)] {
                // Numbered samples, and a second channel that cancels half of each.
                let bytes = wav(format, channels, 48_000, 1_000, extensible, |frame, channel| {
                    if channel == 0 { (frame % 100) as f32 / 128.0 } else { 0.0 }
                });
                let file = TempFile::new("reader.wav", &bytes);
                let all = play(&mut WavReader::open(file.path(), false).unwrap());
                assert_eq!(all.len(), 1_440, "padded to whole blocks");
                for (frame, &sample) in all.iter().enumerate() {
                    let expected = if frame < 1_000 { (frame % 100) as f32 / 128.0 } else { 0.0 };
                    assert!(
                        (sample - expected / f32::from(channels)).abs() < 1e-6,
                        "{format:?} {channels} {frame}"
                    );
                }
            }
        }
    }

    #[test]
    fn other_rates_last_as_long() {
        for rate_hz in [8_000, 11_025, 16_000, 22_050, 44_100, 96_000, 384_000] {
            let bytes = wav(SampleFormat::S16, 2, rate_hz, rate_hz as usize / 2, false, |_, _| 0.5);
            let file = TempFile::new("rates.wav", &bytes);
            let all = play(&mut WavReader::open(file.path(), false).unwrap());
            assert!((24_000..=24_960).contains(&all.len()), "{rate_hz}: {}", all.len());
            assert!(all[2_400..23_500].iter().all(|&s| (s - 0.5).abs() < 1e-3), "{rate_hz}");
        }
    }

    #[test]
    fn loops_without_a_gap() {
        let bytes = wav(SampleFormat::S16, 1, 48_000, 100, false, |frame, _| frame as f32 / 128.0);
        let file = TempFile::new("loop.wav", &bytes);
        let mut reader = WavReader::open(file.path(), true).unwrap();
        let mut block = Block::SILENCE;
        for n in 0..50 {
            assert_eq!(reader.read(&mut block), Captured::Block);
            assert_eq!(block.0[0], ((n * 480) % 100) as f32 / 128.0);
        }
    }

    #[test]
    fn truncated_empty_and_hostile_files() {
        let whole = wav(SampleFormat::S16, 2, 48_000, 960, false, |_, _| 0.25);
        let cut = TempFile::new("cut.wav", &whole[..whole.len() - 1_001]);
        assert_eq!(play(&mut WavReader::open(cut.path(), false).unwrap()).len(), 960);
        let empty = TempFile::new("empty.wav", &whole[..44]);
        for loop_input in [false, true] {
            assert_eq!(play(&mut WavReader::open(empty.path(), loop_input).unwrap()).len(), 0);
        }
        for at in 0..44 {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xFF;
            let file = TempFile::new("hostile.wav", &bytes);
            if let Ok(mut reader) = WavReader::open(file.path(), false) {
                let mut block = Block::SILENCE;
                (0..100).for_each(|_| {
                    reader.read(&mut block);
                });
            }
        }
        let error = WavReader::open(std::path::Path::new("/nowhere/x.wav"), false).unwrap_err();
        assert!(error.to_string().contains("/nowhere/x.wav") && error.exit_status().code() == 3);
        assert!(WavReader::open(&std::env::temp_dir(), false).unwrap_err().to_string().contains("regular"));
    }
}
