//! Bare samples (s16le, 48 kHz, mono) from standard input, a pipe or a file.
//!
//! Each read is preceded by a poll, so the descriptor need not be non-blocking: that flag would belong
//! to every program that shares our standard input. At most 100 ms are read ahead; further back the
//! pipe is the buffer, and its writer waits. An empty pipe is silence, not the end.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use crate::io::sound::open_error::OpenError;
use crate::io::sound::spec::RawSpec;
use crate::io::sound::status::Captured;
use crate::limits::RAW_INPUT_BYTES;
use crate::media::block::{BLOCK_FRAMES, Block};
use crate::media::sample_format::SampleFormat;

/// Samples from a descriptor.
#[derive(Debug)]
pub struct RawReader {
    /// `None` is standard input.
    file: Option<File>,
    loop_input: bool,
    buffer: Box<[u8]>,
    filled: usize,
    /// Bytes since the beginning of the file: an empty one is not looped.
    passed_bytes: u64,
    ended: bool,
    fault: Option<Errno>,
    blocks_starved: u32,
}

impl RawReader {
    /// Opens a place. Only a regular file can be looped.
    pub fn open(place: &RawSpec, loop_input: bool) -> Result<RawReader, OpenError> {
        let fail = |reason: String| OpenError::File { name: place.to_string(), reason };
        let file = match place {
            RawSpec::Standard => None,
            RawSpec::File(path) => Some(
                // Non-blocking, since a named pipe would keep us waiting for its writer.
                OpenOptions::new()
                    .read(true)
                    .custom_flags(libc::O_NONBLOCK)
                    .open(path)
                    .map_err(|error| fail(error.to_string()))?,
            ),
        };
        let reader = RawReader {
            file,
            loop_input,
            buffer: vec![0; RAW_INPUT_BYTES].into(),
            filled: 0,
            passed_bytes: 0,
            ended: false,
            fault: None,
            blocks_starved: 0,
        };
        let stat = rustix::fs::fstat(reader.fd()).map_err(|error| fail(error.to_string()))?;
        match rustix::fs::FileType::from_raw_mode(stat.st_mode) {
            rustix::fs::FileType::Directory => Err(fail("it is a folder".to_owned())),
            rustix::fs::FileType::RegularFile => Ok(reader),
            _ if loop_input => Err(fail("only a regular file can be looped".to_owned())),
            _ => Ok(reader),
        }
    }

    /// The next block: sound, silence where nothing is there yet, or the end.
    pub fn read(&mut self, block: &mut Block) -> Captured {
        self.fill();
        if self.filled < BLOCK_BYTES && !self.ended {
            self.blocks_starved = self.blocks_starved.wrapping_add(1);
            *block = Block::SILENCE;
            return Captured::Block;
        }
        let taken = self.filled.min(BLOCK_BYTES);
        if taken < 2 {
            return Captured::End;
        }
        *block = Block::SILENCE;
        for (sample, bytes) in block.0.iter_mut().zip(self.buffer[..taken].chunks_exact(2)) {
            *sample = SampleFormat::S16.decode(bytes);
        }
        self.buffer.copy_within(taken..self.filled, 0);
        self.filled -= taken;
        Captured::Block
    }

    /// Blocks of silence given because nothing was there.
    pub fn blocks_starved(&self) -> u32 {
        self.blocks_starved
    }

    /// Why the input ended, where it failed.
    pub fn fault(&self) -> Option<std::io::ErrorKind> {
        self.fault.map(|errno| errno.kind())
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match &self.file {
            Some(file) => file.as_fd(),
            None => rustix::stdio::stdin(),
        }
    }

    /// Takes what is there, as far as there is room.
    fn fill(&mut self) {
        while !self.ended && self.filled < self.buffer.len() && is_ready(self.fd()) {
            let fd = match &self.file {
                Some(file) => file.as_fd(),
                None => rustix::stdio::stdin(),
            };
            match rustix::io::read(fd, &mut self.buffer[self.filled..]) {
                Ok(0) => {
                    let again = self.loop_input && self.passed_bytes >= 2;
                    self.passed_bytes = 0;
                    // A file with an odd byte at its end stays in step when it begins again.
                    self.filled &= !1;
                    self.ended = !again || seek(fd, SeekFrom::Start(0)).is_err();
                }
                Ok(bytes) => {
                    self.filled += bytes;
                    self.passed_bytes += bytes as u64;
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(errno) => {
                    self.fault = Some(errno);
                    self.ended = true;
                }
            }
        }
    }
}

const BLOCK_BYTES: usize = BLOCK_FRAMES * 2;

/// Whether a read would not wait: there are bytes, or the writer is gone.
fn is_ready(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&at_once)).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::tests::temp::{TempFile, TempPipe};
    use std::io::Write;

    fn samples(range: std::ops::Range<i16>) -> Vec<u8> {
        range.flat_map(i16::to_le_bytes).collect()
    }

    fn first(block: &Block) -> f32 {
        block.0[0] * 32_768.0
    }

    #[test]
    fn a_pipe_that_is_slow_then_closed() {
        let pipe = TempPipe::new("raw_reader");
        let mut reader = RawReader::open(&RawSpec::File(pipe.path().into()), false).unwrap();
        let mut block = Block::SILENCE;
        assert_eq!((reader.read(&mut block), block.is_silent()), (Captured::Block, true), "no writer yet");
        let mut writer = OpenOptions::new().write(true).open(pipe.path()).unwrap();
        assert_eq!(reader.read(&mut block), Captured::Block);
        writer.write_all(&samples(1..241)).unwrap();
        assert_eq!(
            (reader.read(&mut block), block.is_silent()),
            (Captured::Block, true),
            "half a block waits"
        );
        writer.write_all(&samples(241..500)).unwrap();
        assert_eq!((reader.read(&mut block), first(&block)), (Captured::Block, 1.0));
        assert_eq!(block.0[479] * 32_768.0, 480.0);
        assert_eq!(reader.blocks_starved(), 3);
        drop(writer);
        assert_eq!((reader.read(&mut block), first(&block)), (Captured::Block, 481.0), "the rest, filled up");
        assert_eq!(block.0[19..], [0.0; 461]);
        assert_eq!(reader.read(&mut block), Captured::End);
        assert_eq!(reader.read(&mut block), Captured::End);
    }

    #[test]
    fn reads_no_more_than_a_tenth_of_a_second_ahead() {
        let pipe = TempPipe::new("raw_ahead");
        let mut reader = RawReader::open(&RawSpec::File(pipe.path().into()), false).unwrap();
        let mut writer = OpenOptions::new().write(true).open(pipe.path()).unwrap();
        writer.write_all(&[0; 65_536]).unwrap();
        let mut block = Block::SILENCE;
        reader.read(&mut block);
        assert_eq!(reader.filled, RAW_INPUT_BYTES - BLOCK_BYTES);
    }

    #[test]
    fn files_end_or_loop() {
        let file = TempFile::new("raw.pcm", &samples(0..720));
        let place = RawSpec::File(file.path().into());
        let mut block = Block::SILENCE;
        let mut reader = RawReader::open(&place, false).unwrap();
        assert_eq!(
            [(); 3].map(|()| reader.read(&mut block)),
            [Captured::Block, Captured::Block, Captured::End]
        );
        let mut reader = RawReader::open(&place, true).unwrap();
        for n in 0..20 {
            assert_eq!(reader.read(&mut block), Captured::Block);
            assert_eq!(first(&block), ((n * 480) % 720) as f32);
        }
        let empty = TempFile::new("empty.pcm", b"x");
        for loop_input in [false, true] {
            let mut reader = RawReader::open(&RawSpec::File(empty.path().into()), loop_input).unwrap();
            assert_eq!(reader.read(&mut block), Captured::End, "half a sample does not count");
        }
    }

    #[test]
    fn refusals() {
        let pipe = TempPipe::new("raw_loop");
        let fails = |path: &std::path::Path, loop_input| {
            RawReader::open(&RawSpec::File(path.into()), loop_input).unwrap_err().to_string()
        };
        assert!(fails(pipe.path(), true).contains("looped"));
        assert!(fails(&std::env::temp_dir(), false).contains("folder"));
        assert!(fails(std::path::Path::new("/nowhere/x"), false).contains("/nowhere/x"));
    }
}
