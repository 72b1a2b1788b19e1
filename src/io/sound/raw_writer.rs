//! Bare samples (s16le, 48 kHz, mono) to standard output, a pipe or a file.
//!
//! Blocks go through a bounded queue. A write is preceded by a poll and no longer than `PIPE_BUF`, so
//! it does not wait even where the descriptor is blocking (POSIX: a writable pipe takes that much).
//! Where the reader is slow the queue fills, and then new blocks are dropped whole and counted. Where
//! the reader is gone, the output is closed for good; the driver may ask.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::io::sound::open_error::OpenError;
use crate::io::sound::spec::RawSpec;
use crate::limits::RAW_OUTPUT_BYTES;
use crate::media::block::{BLOCK_FRAMES, Block};
use crate::media::sample_format::to_s16;

/// Samples to a descriptor.
#[derive(Debug)]
pub struct RawWriter {
    /// `None` is standard output.
    file: Option<File>,
    queue: VecDeque<u8>,
    fault: Option<Errno>,
}

impl RawWriter {
    /// Opens a place; a file is created or emptied.
    pub fn open(place: &RawSpec) -> Result<RawWriter, OpenError> {
        let fail = |reason: String| OpenError::File { name: place.to_string(), reason };
        let file = match place {
            RawSpec::Standard => None,
            RawSpec::File(path) => Some(
                OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .custom_flags(libc::O_NONBLOCK)
                    .open(path)
                    .map_err(|error| {
                        // open(2): a named pipe without a reader.
                        let unread = error.raw_os_error() == Some(libc::ENXIO);
                        fail(if unread {
                            "this pipe has no reader yet".to_owned()
                        } else {
                            error.to_string()
                        })
                    })?,
            ),
        };
        Ok(RawWriter { file, queue: VecDeque::with_capacity(RAW_OUTPUT_BYTES), fault: None })
    }

    /// Takes a block and writes what can be written. `false` if the block was dropped.
    pub fn write(&mut self, block: &Block) -> bool {
        self.flush(AT_ONCE);
        let room = self.fault.is_none() && self.queue.len() + BLOCK_FRAMES * 2 <= RAW_OUTPUT_BYTES;
        if room {
            self.queue.extend(block.0.iter().flat_map(|&sample| to_s16(sample).to_le_bytes()));
            self.flush(AT_ONCE);
        }
        room
    }

    /// Waits, at most half a second in all without progress, until the queue is empty.
    pub fn finish(&mut self) {
        for _ in 0..FINISH_WAITS {
            self.flush(FINISH_WAIT);
            if self.queue.is_empty() || self.fault.is_some() {
                break;
            }
        }
    }

    /// Why nothing can be written any more: the reader is gone, the disk is full.
    pub fn fault(&self) -> Option<std::io::ErrorKind> {
        self.fault.map(|errno| errno.kind())
    }

    fn flush(&mut self, wait: Timespec) {
        while !self.queue.is_empty() && self.fault.is_none() {
            let fd = match &self.file {
                Some(file) => file.as_fd(),
                None => rustix::stdio::stdout(),
            };
            if !is_ready(fd, &wait) {
                return;
            }
            let (front, _) = self.queue.as_slices();
            match rustix::io::write(fd, &front[..front.len().min(WRITE_BYTES)]) {
                Ok(bytes) => drop(self.queue.drain(..bytes)),
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(errno) => {
                    self.fault = Some(errno);
                    self.queue.clear();
                }
            }
        }
    }
}

/// Bytes that a writable pipe takes without waiting (`PIPE_BUF` of Linux, pipe(7)).
const WRITE_BYTES: usize = 4_096;

const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
const FINISH_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
const FINISH_WAITS: u32 = 10;

/// Whether a write would not wait: there is room, or the reader is gone.
fn is_ready(fd: BorrowedFd<'_>, wait: &Timespec) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
    poll(&mut fds, Some(wait)).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::tests::temp::{TempFile, TempPipe};
    use std::io::Read;

    fn numbered(n: i16) -> Block {
        Block([f32::from(n) / 32_768.0; BLOCK_FRAMES])
    }

    #[test]
    fn a_slow_reader_costs_whole_blocks_and_no_time() {
        let pipe = TempPipe::new("raw_writer");
        let mut reader =
            OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(pipe.path()).unwrap();
        let mut writer = RawWriter::open(&RawSpec::File(pipe.path().into())).unwrap();
        let taken = (0..1_000).filter(|&n| writer.write(&numbered(n))).count();
        assert!(
            (120..=136).contains(&taken),
            "a pipe and a queue of 64 KiB hold 136 blocks at most: {taken}"
        );
        let mut all = Vec::new();
        let mut bytes = [0; 8_192];
        while let Ok(read) = reader.read(&mut bytes) {
            all.extend_from_slice(&bytes[..read]);
            writer.flush(AT_ONCE);
            if writer.queue.is_empty() && all.len() == taken * 960 {
                break;
            }
        }
        for (n, block) in all.chunks_exact(960).enumerate() {
            assert!(
                block.chunks_exact(2).all(|s| s == (n as i16).to_le_bytes()),
                "block {n} is whole and in order"
            );
        }
        drop(reader);
        assert!(writer.write(&numbered(0)), "taken before the missing reader is noticed");
        assert_eq!(writer.fault(), Some(std::io::ErrorKind::BrokenPipe));
        assert!(!writer.write(&numbered(0)));
    }

    #[test]
    fn a_file_holds_all() {
        let file = TempFile::new("out.pcm", b"old");
        let mut writer = RawWriter::open(&RawSpec::File(file.path().into())).unwrap();
        (0..300).for_each(|n| assert!(writer.write(&numbered(n))));
        writer.finish();
        let bytes = std::fs::read(file.path()).unwrap();
        assert_eq!((bytes.len(), &bytes[299 * 960..299 * 960 + 2]), (300 * 960, &299i16.to_le_bytes()[..]));
    }

    #[test]
    fn refusals() {
        let pipe = TempPipe::new("raw_unread");
        let error = RawWriter::open(&RawSpec::File(pipe.path().into())).unwrap_err();
        assert!(error.to_string().contains("has no reader") && error.exit_status().code() == 3);
        let mut full = RawWriter::open(&RawSpec::File("/dev/full".into())).unwrap();
        full.write(&Block::SILENCE);
        assert_eq!(full.fault(), Some(std::io::ErrorKind::StorageFull));
    }
}
