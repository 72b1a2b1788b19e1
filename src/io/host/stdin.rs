//! Standard input, line by line, without blocking and without changing it for others.
//!
//! A non-blocking flag would apply to the terminal or pipe that we share with the parent process, so the reactor is
//! asked before each read whether there is something to read.

#![expect(clippy::indexing_slicing, reason = "the index is compared with the length of the piece")]

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::task::Poll;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::io::runtime::reactor::{AsyncFd, Interest, Reactor};

const PIECE_BYTES: usize = 4096;

/// Standard input of this process.
pub struct Stdin {
    input: Input,
    piece: [u8; PIECE_BYTES],
    unread: std::ops::Range<usize>,
}

enum Input {
    /// A pipe, terminal or socket.
    Waits(AsyncFd<Handle>),
    /// A regular file: always ready.
    Ready(Handle),
}

struct Handle(io::Stdin);

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Stdin {
    /// Registers it with the reactor.
    ///
    /// # Errors
    /// It is closed, or the reactor is full.
    pub fn open(reactor: &Rc<Reactor>) -> io::Result<Self> {
        let input = match AsyncFd::new(reactor, Handle(io::stdin())) {
            Ok(source) => Input::Waits(source),
            // epoll(7) refuses regular files, which never block.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Input::Ready(Handle(io::stdin()))
            }
            Err(error) => return Err(error),
        };
        Ok(Self { input, piece: [0; PIECE_BYTES], unread: 0..0 })
    }

    /// Reads a line without its end; `false` at the end of the input. Of a longer line than
    /// `bytes_max` only the beginning is kept.
    pub async fn read_line(&mut self, line: &mut Vec<u8>, bytes_max: usize) -> bool {
        line.clear();
        loop {
            for index in self.unread.by_ref() {
                match self.piece[index] {
                    b'\n' => return true,
                    byte if line.len() < bytes_max => line.push(byte),
                    _ => {}
                }
            }
            // An input that is always ready must not keep the sound waiting.
            yield_now().await;
            match self.read_piece().await {
                Ok(0) | Err(_) => return !line.is_empty(),
                Ok(count) => self.unread = 0..count,
            }
        }
    }

    async fn read_piece(&mut self) -> io::Result<usize> {
        let Self { input, piece, .. } = self;
        match input {
            Input::Ready(handle) => read_if_ready(handle, piece),
            Input::Waits(source) => {
                std::future::poll_fn(|context| {
                    source.poll_with(context, Interest::Read, |handle| read_if_ready(handle, piece))
                })
                .await
            }
        }
    }
}

async fn yield_now() {
    let mut has_yielded = false;
    std::future::poll_fn(|context| {
        if has_yielded {
            return Poll::Ready(());
        }
        has_yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn read_if_ready(handle: &Handle, piece: &mut [u8]) -> io::Result<usize> {
    let mut fds = [PollFd::new(handle, PollFlags::IN)];
    if poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? == 0 {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    Ok(rustix::io::read(handle, piece)?)
}
