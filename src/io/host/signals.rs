//! Signals of the operating system as a readable descriptor, so that one is an event like any other.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use crate::io::runtime::blocking;

/// The signals that end a program: SIGINT or SIGTERM. A signal that came is remembered, so that the next client of the
/// same program knows of it, too.
pub struct Termination {
    signals: Signals,
    is_asked: Cell<bool>,
}

impl Termination {
    /// From now on they are heard here.
    ///
    /// # Errors
    /// The kernel has no descriptor left.
    pub fn new() -> io::Result<Self> {
        Ok(Self { signals: Signals::termination()?, is_asked: Cell::new(false) })
    }

    /// The descriptor to watch.
    pub fn raw_fd(&self) -> RawFd {
        self.signals.raw_fd()
    }

    /// Takes what made the descriptor ready.
    pub fn take(&self) {
        self.is_asked.set(self.signals.take() || self.is_asked.get());
    }

    /// Whether one has come, ever.
    pub fn is_asked(&self) -> bool {
        self.is_asked.get()
    }
}

/// Some signals, blocked for the process and readable here.
pub struct Signals {
    fd: OwnedFd,
}

impl Signals {
    /// SIGINT and SIGTERM: hang up and end. SIGPIPE is ignored, so that a closed pipe is an error that can be reported.
    ///
    /// # Errors
    /// The kernel has no descriptor left.
    pub fn termination() -> io::Result<Self> {
        // SAFETY: a plain libc call; no handler of this signal is installed.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
        Self::of(&[libc::SIGINT, libc::SIGTERM])
    }

    /// SIGHUP: read the configuration again.
    ///
    /// # Errors
    /// The kernel has no descriptor left.
    pub fn hang_up() -> io::Result<Self> {
        Self::of(&[libc::SIGHUP])
    }

    /// Blocks the signals for this thread (and those it starts) and opens the descriptor.
    fn of(signals: &[libc::c_int]) -> io::Result<Self> {
        // SAFETY: plain libc calls on a signal set that lives on this stack; results are checked.
        let fd = unsafe {
            let mut set = std::mem::zeroed::<libc::sigset_t>();
            libc::sigemptyset(&mut set);
            for signal in signals {
                libc::sigaddset(&mut set, *signal);
            }
            if libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) != 0 {
                return Err(io::Error::last_os_error());
            }
            let fd = libc::signalfd(-1, &set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        Ok(Self { fd })
    }

    /// The descriptor to watch.
    pub fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Whether one of the signals came since the last call.
    pub fn take(&self) -> bool {
        self.read().is_ok()
    }

    /// Waits for one of the signals; returns whether one came in time. For callers without other work.
    pub fn wait(&self, patience: Duration) -> bool {
        blocking::wait_readable(&self.fd, patience).unwrap_or(false)
    }

    /// Takes one signal. Would block where none came.
    ///
    /// # Errors
    /// No signal came ([`io::ErrorKind::WouldBlock`]), or the descriptor is invalid.
    pub fn read(&self) -> io::Result<()> {
        let mut info = [0u8; size_of::<libc::signalfd_siginfo>()];
        rustix::io::read(&self.fd, &mut info)?;
        Ok(())
    }
}

/// Lets a program have its signals: it would inherit that ours are blocked, and could not be ended by them.
pub(in crate::io) fn unblocked_in(command: &mut Command) -> &mut Command {
    // SAFETY: the closure makes two calls that are safe between fork and exec (signal-safety(7)), on a set of its own.
    unsafe {
        command.pre_exec(|| {
            let mut set = std::mem::zeroed::<libc::sigset_t>();
            libc::sigemptyset(&mut set);
            match libc::pthread_sigmask(libc::SIG_SETMASK, &set, std::ptr::null_mut()) {
                0 => Ok(()),
                errno => Err(io::Error::from_raw_os_error(errno)),
            }
        })
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
