//! One open PCM: its readiness, frames in and out, and recovery from what ALSA reports.
//!
//! The card's own rate, channels and format are taken as they are and converted by us: ALSA's plug
//! layer is asked not to, since it would average channels (a lone I2S microphone loses half) and its
//! rate converter is linear. Only where that leads nowhere may it convert.
//!
//! Recovery (edge by edge, as cards and plugins have been seen to behave):
//! `EPIPE` is an xrun: prepare, and capture must be started again by hand. `ESTRPIPE` is a suspend: resume,
//! or prepare where the driver cannot. Everything else means that the card is gone.

use std::ffi::CString;

use alsa::Direction;
use alsa::pcm::PCM;
use alsa::poll::{Descriptors, Flags};

use crate::io::sound::open::{CardFault, OpenError};
use crate::io::sound::settings::{Settings, negotiate};
use crate::io::sound::sizes::Way;
use crate::limits::CARD_DESCRIPTORS_MAX;

/// An open PCM.
#[derive(Debug)]
pub struct Stream {
    pcm: PCM,
    way: Way,
    settings: Settings,
}

/// What came of an attempt to move frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// So many frames, at least one.
    Frames(usize),
    /// None now.
    Nothing,
    /// There was an xrun; the stream runs again from now.
    Xrun,
    /// The card is gone.
    Lost,
}

impl Stream {
    /// Opens a PCM by any name that ALSA knows. Capture does not run before [`Stream::start`];
    /// playback starts by itself when enough is written.
    pub fn open(name: &str, way: Way) -> Result<Stream, OpenError> {
        let fail = |fault| OpenError::Card { pcm: name.to_owned(), fault };
        quiet();
        let Ok(name_c) = CString::new(name) else { return Err(fail(CardFault::Missing)) };
        let mut last = CardFault::Missing;
        for flags in [AS_IT_IS, MAY_CONVERT] {
            // SAFETY: the flags are those of alsa-lib's pcm.h, which the C function takes beside the
            // mode; none of them changes who owns memory or how frames are moved.
            let pcm = match unsafe { PCM::open_with_flags(&name_c, direction(way), true, flags) } {
                Ok(pcm) => pcm,
                Err(error) => match CardFault::of(error.errno(), "cannot be opened") {
                    fault @ CardFault::Refused(..) => {
                        last = fault;
                        continue;
                    }
                    fault => return Err(fail(fault)),
                },
            };
            match negotiate(&pcm, way) {
                Ok(settings) => return Ok(Stream { pcm, way, settings }),
                Err(fault) => last = fault,
            }
        }
        Err(fail(last))
    }

    /// What it was opened with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Lets capture run.
    pub fn start(&mut self) -> Moved {
        match self.pcm.start() {
            Ok(()) => Moved::Nothing,
            Err(error) => self.recover(error.errno()),
        }
    }

    /// Adds the descriptors that wake for this PCM.
    pub fn descriptors(&self, fds: &mut heapless::Vec<libc::pollfd, CARD_DESCRIPTORS_MAX>) {
        let (own, count) = self.own_descriptors();
        // What does not fit is served by the timer.
        for fd in &own[..count] {
            let _ = fds.push(*fd);
        }
    }

    /// Whether the PCM says, now, that it has something for us. Must be asked after each wake-up:
    /// plugins clear their descriptors here.
    pub fn is_ready(&self) -> bool {
        let (mut own, count) = self.own_descriptors();
        let polled = alsa::poll::poll(&mut own[..count], 0).is_ok_and(|ready| ready > 0);
        polled && self.pcm.revents(&own[..count]).is_ok_and(|flags| flags != Flags::empty())
    }

    /// Frames that can be read or written now.
    pub fn available(&mut self) -> Moved {
        match self.pcm.avail() {
            Ok(0) => Moved::Nothing,
            Ok(frames) => usize::try_from(frames).map_or(Moved::Lost, Moved::Frames),
            Err(error) => self.recover(error.errno()),
        }
    }

    /// Reads whole frames.
    pub fn read(&mut self, bytes: &mut [u8]) -> Moved {
        let result = self.pcm.io_bytes().readi(bytes);
        self.moved(result)
    }

    /// Writes whole frames.
    pub fn write(&mut self, bytes: &[u8]) -> Moved {
        let result = self.pcm.io_bytes().writei(bytes);
        self.moved(result)
    }

    /// Time between the converter of the card and us, in frames: waiting to be read, or to be heard.
    pub fn delay_frames(&self) -> u32 {
        self.pcm.delay().map_or(0, |frames| u32::try_from(frames).unwrap_or(0))
    }

    /// Lets what is written be heard to its end. Waits for it, at most as long as the buffer is deep
    /// and a little more.
    pub fn drain(&mut self) {
        quiet();
        // A short write would otherwise never start.
        if self.pcm.drain().is_ok() {
            return;
        }
        let buffer_ms = self.settings.sizes.buffer_frames / (self.settings.rate_hz / 1000).max(1);
        let steps = (buffer_ms / DRAIN_STEP_MS + 5).min(100);
        for _ in 0..steps {
            if self.pcm.state_raw() != alsa::pcm::State::Draining as libc::c_int {
                break;
            }
            // Non-blocking `drain` says EAGAIN; its end can only be waited for. Poll without descriptors
            // is a bounded sleep.
            let _ = rustix::event::poll(&mut [], Some(&DRAIN_STEP));
        }
    }

    fn moved(&mut self, result: alsa::Result<usize>) -> Moved {
        match result {
            Ok(0) => Moved::Nothing,
            Ok(frames) => Moved::Frames(frames),
            Err(error) => self.recover(error.errno()),
        }
    }

    fn recover(&mut self, errno: i32) -> Moved {
        if matches!(errno, libc::EAGAIN | libc::EINTR) {
            return Moved::Nothing;
        }
        quiet();
        match errno {
            libc::ESTRPIPE => match self.pcm.resume() {
                Err(error) if error.errno() == libc::EAGAIN => return Moved::Nothing,
                // Drivers that cannot resume say ENOSYS; those that can stand prepared or running.
                _ => {}
            },
            // EBADFD: in no state to move frames, as after a resume or an xrun seen first by a plugin.
            libc::EPIPE | libc::EBADFD => {}
            _ => return Moved::Lost,
        }
        let restarted = self.pcm.prepare().and_then(|()| match self.way {
            Way::Capture => self.pcm.start(),
            Way::Playback => Ok(()),
        });
        if restarted.is_ok() { Moved::Xrun } else { Moved::Lost }
    }

    fn own_descriptors(&self) -> ([libc::pollfd; CARD_DESCRIPTORS_MAX], usize) {
        let mut own = [libc::pollfd { fd: -1, events: 0, revents: 0 }; CARD_DESCRIPTORS_MAX];
        let count = self.pcm.fill(&mut own).unwrap_or(0).min(own.len());
        (own, count)
    }
}

/// Keeps alsa-lib from printing to standard error, which is ours: from now on what it has to say goes,
/// on this thread, into a buffer. The buffer of the time before is dropped, so that it cannot grow.
pub fn quiet() {
    // Fails only without memory; then it prints.
    let _ = alsa::Output::local_error_handler();
}

/// Open flags of alsa-lib's pcm.h: no conversion of rate, channels, format by the plug layer.
const AS_IT_IS: i32 = 0x0001_0000 | 0x0002_0000 | 0x0004_0000;

/// All conversions allowed.
const MAY_CONVERT: i32 = 0;

const DRAIN_STEP_MS: u32 = 5;
const DRAIN_STEP: rustix::event::Timespec =
    rustix::event::Timespec { tv_sec: 0, tv_nsec: DRAIN_STEP_MS as i64 * 1_000_000 };

/// ALSA's word for it.
pub fn direction(way: Way) -> Direction {
    match way {
        Way::Capture => Direction::Capture,
        Way::Playback => Direction::Playback,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::sound::format::SampleFormat;

    #[test]
    fn a_card_that_is_not_there() {
        for way in [Way::Capture, Way::Playback] {
            for name in ["hw:CARD=NoSuchCard,DEV=0", "no such pcm", "plughw:CARD=NoSuchCard", "a\0b", ""] {
                let error = Stream::open(name, way).unwrap_err();
                assert_eq!(error.exit_status().code(), 6, "{name}: {error}");
            }
        }
    }

    /// The `null` plugin of alsa-lib takes and gives frames without a clock: all but the pace is real.
    #[test]
    fn frames_move_through_the_null_plugin() {
        let Ok(mut playback) = Stream::open("null", Way::Playback) else { return };
        let settings = *playback.settings();
        assert_eq!((settings.rate_hz, settings.channels, settings.format), (48_000, 1, SampleFormat::S16));
        assert!(matches!(playback.available(), Moved::Frames(_)));
        assert_eq!(playback.write(&[0; 960]), Moved::Frames(480));
        let mut fds = heapless::Vec::new();
        playback.descriptors(&mut fds);
        assert!(!fds.is_empty());
        playback.drain();
        let mut capture = Stream::open("null", Way::Capture).unwrap();
        assert_eq!(capture.start(), Moved::Nothing);
        assert_eq!(capture.read(&mut [1; 960]), Moved::Frames(480));
    }
}
