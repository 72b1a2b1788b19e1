//! Output lines for a reader of events: a slow reader never blocks us, and the queue is bounded.
//!
//! A pipe that is reported as writable takes 4 KiB (`PIPE_BUF`) without blocking, so this is checked before each piece
//! of that size. The rest waits in a bounded queue; lines that do not fit are dropped whole, and counted.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// What a ready pipe takes without blocking (`PIPE_BUF`, pipe(7)).
const PIPE_BYTES: usize = 4096;

/// Bytes waiting for a slow reader: about four minutes of events of a busy room, or three of the largest
/// messages (64 KiB, as JSON).
const WAITING_BYTES_MAX: usize = 256 * 1024;

/// Waits of 20 ms that the end allows a slow reader: half a second.
const PATIENCE_PIECES: usize = 25;

/// Where lines go.
pub struct Lines {
    target: Target,
    waiting: VecDeque<u8>,
    dropped: u64,
    is_closed: bool,
}

enum Target {
    Stdout(io::Stdout),
    Stderr(io::Stderr),
    File(File),
}

impl Lines {
    /// To standard output.
    pub fn stdout() -> Self {
        Self::new(Target::Stdout(io::stdout()))
    }

    /// To standard error.
    pub fn stderr() -> Self {
        Self::new(Target::Stderr(io::stderr()))
    }

    /// A writer to a new file.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self::new(Target::File(File::create(path)?)))
    }

    fn new(target: Target) -> Self {
        Self { target, waiting: VecDeque::new(), dropped: 0, is_closed: false }
    }

    /// Writes a line as far as that does not block, and what waited before it.
    pub fn write(&mut self, line: &str) {
        if self.waiting.len() + line.len() + 1 > WAITING_BYTES_MAX {
            self.dropped += 1;
        } else {
            self.waiting.extend(line.as_bytes());
            self.waiting.push_back(b'\n');
        }
        self.flush();
    }

    /// Writes what waits, as far as that does not block. `true` when nothing is left.
    pub fn flush(&mut self) -> bool {
        while !self.waiting.is_empty() && !self.is_closed && self.is_ready() {
            let (front, _) = self.waiting.as_slices();
            let piece = front.get(..PIPE_BYTES).unwrap_or(front);
            match rustix::io::write(self.target.as_fd(), piece) {
                Ok(count) => drop(self.waiting.drain(..count)),
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => break,
                // The reader is gone, or the disk is full: nothing is written from now on.
                Err(_) => self.is_closed = true,
            }
        }
        self.waiting.is_empty() || self.is_closed
    }

    /// Lines that did not fit.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Writes what waits, giving a slow reader half a second in all. For the end.
    pub fn finish(&mut self) {
        for _ in 0..PATIENCE_PIECES {
            if self.flush() {
                return;
            }
            self.wait(Timespec { tv_sec: 0, tv_nsec: 20_000_000 });
        }
    }

    fn is_ready(&self) -> bool {
        self.wait(Timespec { tv_sec: 0, tv_nsec: 0 })
    }

    fn wait(&self, timeout: Timespec) -> bool {
        let mut fds = [PollFd::new(&self.target, PollFlags::OUT)];
        poll(&mut fds, Some(&timeout)).is_ok_and(|ready| ready > 0)
    }
}

impl AsFd for Target {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Target::Stdout(out) => out.as_fd(),
            Target::Stderr(out) => out.as_fd(),
            Target::File(out) => out.as_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_reader_that_does_not_read_costs_lines_and_not_time() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let mut lines = Lines::new(Target::File(File::from(std::os::fd::OwnedFd::from(writer))));
        let line = "x".repeat(999);
        for _ in 0..600 {
            lines.write(&line);
        }
        assert!(lines.dropped() > 0 && lines.waiting.len() <= WAITING_BYTES_MAX);
        // Once it reads, whole lines come out.
        let mut got = vec![0; 4096];
        let mut text = Vec::new();
        while !lines.flush() || text.len() < 100_000 {
            let count = reader.read(&mut got).expect("readable");
            text.extend_from_slice(&got[..count]);
        }
        drop(lines);
        reader.read_to_end(&mut text).expect("readable");
        assert!(text.split(|b| *b == b'\n').filter(|l| !l.is_empty()).all(|l| l.len() == 999));
    }
}
