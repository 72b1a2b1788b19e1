//! SIGINT and SIGTERM as a readable descriptor, so that a hang-up is an event like any other.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// The two signals, blocked for the process and readable here.
pub struct Termination {
    fd: OwnedFd,
}

impl Termination {
    /// Blocks both signals for this thread (and those it starts) and opens the descriptor. SIGPIPE is
    /// ignored, so that a closed pipe is an error that can be reported.
    ///
    /// # Errors
    /// The kernel has no descriptor left.
    pub fn new() -> io::Result<Self> {
        // SAFETY: plain libc calls on a signal set that lives on this stack; results are checked.
        let fd = unsafe {
            libc::signal(libc::SIGPIPE, libc::SIG_IGN);
            let mut set = std::mem::zeroed::<libc::sigset_t>();
            libc::sigemptyset(&mut set);
            libc::sigaddset(&mut set, libc::SIGINT);
            libc::sigaddset(&mut set, libc::SIGTERM);
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
        let mut info = [0u8; size_of::<libc::signalfd_siginfo>()];
        rustix::io::read(&self.fd, &mut info).is_ok_and(|read| read > 0)
    }
}
