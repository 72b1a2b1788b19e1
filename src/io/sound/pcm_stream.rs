//! One open PCM: frames in and out, and recovery from what ALSA reports.
//!
//! The card's own rate, channels and format are taken as they are and converted by us: ALSA's plug
//! layer is asked not to, since it would average channels (a lone I2S microphone loses half) and its
//! rate converter is linear. Only where that leads nowhere may it convert.
//!
//! | errno | meaning | action |
//! | --- | --- | --- |
//! | `EAGAIN`, `EINTR` | nothing now | nothing; a card that returns it for too long is lost ([`super::card`]) |
//! | `EPIPE` | xrun | prepare; capture must be started again by hand |
//! | `ESTRPIPE` | suspend | resume, again while that says `EAGAIN`; prepare where the driver cannot |
//! | `EBADFD` | not in a state to move frames: a resume or xrun that a plugin noticed first | as an xrun |
//! | all others | the card is gone | close, wait for it |

use crate::io::sound::open_error::{CardFault, OpenError};
use crate::io::sound::pcm::{Conversion, Pcm};
use crate::io::sound::pcm_settings::{PcmRequest, PcmSettings};
use crate::io::sound::sizes::StreamDirection;
use crate::limits::CARD_DESCRIPTORS_MAX;

/// An open PCM.
#[derive(Debug)]
pub struct PcmStream {
    pcm: Pcm,
    direction: StreamDirection,
    settings: PcmSettings,
}

/// What came of an attempt to move frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// So many frames, at least one.
    Frames(usize),
    /// No frames at present.
    Nothing,
    /// There was an xrun, or a suspend is over; the stream runs again from now.
    Xrun,
    /// The card is gone.
    Lost,
}

impl PcmStream {
    /// Opens a PCM by any name that ALSA knows. Capture does not run before [`PcmStream::start`];
    /// playback starts by itself when enough is written.
    pub fn open(
        name: &str,
        direction: StreamDirection,
        request: &PcmRequest,
    ) -> Result<PcmStream, OpenError> {
        Self::open_unconverted(name, direction, request)
            .or_else(|fault| match fault {
                CardFault::Refused(..) => Self::open_with(name, direction, request, Conversion::Any),
                fault => Err(fault),
            })
            .map_err(|fault| OpenError::Card { pcm: name.to_owned(), fault })
    }

    /// As [`PcmStream::open`], refusing what the card itself cannot do.
    pub fn open_unconverted(
        name: &str,
        direction: StreamDirection,
        request: &PcmRequest,
    ) -> Result<PcmStream, CardFault> {
        Self::open_with(name, direction, request, Conversion::Ours)
    }

    fn open_with(
        name: &str,
        direction: StreamDirection,
        request: &PcmRequest,
        conversion: Conversion,
    ) -> Result<PcmStream, CardFault> {
        quiet();
        let (pcm, settings) = Pcm::open(name, direction, request, conversion)?;
        Ok(PcmStream { pcm, direction, settings })
    }

    /// What it was opened with.
    pub fn settings(&self) -> &PcmSettings {
        &self.settings
    }

    /// Lets capture run.
    pub fn start(&mut self) -> Moved {
        match self.pcm.start() {
            Ok(()) => Moved::Nothing,
            Err(errno) => self.recover(errno),
        }
    }

    /// Adds the descriptors that wake for this PCM.
    pub fn descriptors(&self, fds: &mut heapless::Vec<libc::pollfd, CARD_DESCRIPTORS_MAX>) {
        let (own, count) = self.pcm.descriptors();
        // What does not fit is served by the timer.
        for fd in &own[..count] {
            let _ = fds.push(*fd);
        }
    }

    /// Whether the PCM reports that it is ready.
    pub fn is_ready(&self) -> bool {
        self.pcm.is_ready()
    }

    /// Whether its card is still there. A PCM that does not run notices nothing by itself.
    pub fn is_there(&self) -> bool {
        quiet();
        self.pcm.is_there()
    }

    /// Frames that can be read or written now.
    pub fn available(&mut self) -> Moved {
        let result = self.pcm.available();
        self.moved(result)
    }

    /// Reads whole frames.
    pub fn read(&mut self, bytes: &mut [u8]) -> Moved {
        let result = self.pcm.read(bytes);
        self.moved(result)
    }

    /// Writes whole frames.
    pub fn write(&mut self, bytes: &[u8]) -> Moved {
        let result = self.pcm.write(bytes);
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
            if !self.pcm.is_draining() {
                break;
            }
            // Non-blocking `drain` returns EAGAIN; its end can only be waited for. Poll without descriptors is a
            // bounded sleep.
            let _ = rustix::event::poll(&mut [], Some(&DRAIN_STEP));
        }
    }

    fn moved(&mut self, result: Result<usize, i32>) -> Moved {
        match result {
            Ok(0) => Moved::Nothing,
            Ok(frames) => Moved::Frames(frames),
            Err(errno) => self.recover(errno),
        }
    }

    fn recover(&mut self, errno: i32) -> Moved {
        if matches!(errno, libc::EAGAIN | libc::EINTR) {
            return Moved::Nothing;
        }
        quiet();
        match errno {
            libc::ESTRPIPE if self.pcm.resume() == Err(libc::EAGAIN) => return Moved::Nothing,
            // Drivers that cannot resume return ENOSYS; others may be prepared or running afterwards.
            libc::ESTRPIPE => {}
            libc::EPIPE | libc::EBADFD => {}
            _ => return Moved::Lost,
        }
        let restarted = self.pcm.prepare().and_then(|()| match self.direction {
            StreamDirection::Capture => self.pcm.start(),
            StreamDirection::Playback => Ok(()),
        });
        if restarted.is_ok() { Moved::Xrun } else { Moved::Lost }
    }
}

/// Keeps alsa-lib from printing to standard error, which is ours: from now on its messages go into a buffer on this
/// thread. The previous buffer is dropped, so that it cannot grow.
pub fn quiet() {
    // Fails only without memory; then it prints.
    let _ = alsa::Output::local_error_handler();
}

const DRAIN_STEP_MS: u32 = 5;
const DRAIN_STEP: rustix::event::Timespec =
    rustix::event::Timespec { tv_sec: 0, tv_nsec: DRAIN_STEP_MS as i64 * 1_000_000 };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::sound::tests::scripted::Script;
    use crate::media::sample_format::SampleFormat;

    #[test]
    fn a_card_that_is_not_there() {
        for direction in [StreamDirection::Capture, StreamDirection::Playback] {
            for name in ["hw:CARD=NoSuchCard,DEV=0", "no such pcm", "plughw:CARD=NoSuchCard", "a\0b", ""] {
                let error = PcmStream::open(name, direction, &PcmRequest::default()).unwrap_err();
                assert_eq!(error.exit_status().code(), 6, "{name}: {error}");
            }
        }
    }

    /// The `null` plugin of alsa-lib takes and gives frames without a clock: all but the pace is real.
    #[test]
    fn frames_move_through_the_null_plugin() {
        let Ok(mut playback) = PcmStream::open("null", StreamDirection::Playback, &PcmRequest::default())
        else {
            return;
        };
        let settings = *playback.settings();
        assert_eq!((settings.rate_hz, settings.channels, settings.format), (48_000, 1, SampleFormat::S16));
        assert!(matches!(playback.available(), Moved::Frames(_)));
        assert_eq!(playback.write(&[0; 960]), Moved::Frames(480));
        let mut fds = heapless::Vec::new();
        playback.descriptors(&mut fds);
        assert!(!fds.is_empty());
        playback.drain();
        let request = PcmRequest { rate_hz: Some(16_000), channels: Some(2), ..PcmRequest::default() };
        let mut capture = PcmStream::open("null", StreamDirection::Capture, &request).unwrap();
        assert_eq!((capture.settings().rate_hz, capture.settings().channels), (16_000, 2));
        assert_eq!(capture.start(), Moved::Nothing);
        assert_eq!(capture.read(&mut [1; 960]), Moved::Frames(240));
    }

    #[test]
    fn what_alsa_reports_is_answered_as_the_table_says() {
        for (errno, direction, resumes, expected, calls) in [
            (libc::EAGAIN, StreamDirection::Capture, Ok(()), Moved::Nothing, ""),
            (libc::EINTR, StreamDirection::Playback, Ok(()), Moved::Nothing, ""),
            (libc::EPIPE, StreamDirection::Capture, Ok(()), Moved::Xrun, "prepare start"),
            (libc::EPIPE, StreamDirection::Playback, Ok(()), Moved::Xrun, "prepare"),
            (libc::EBADFD, StreamDirection::Playback, Ok(()), Moved::Xrun, "prepare"),
            (libc::ESTRPIPE, StreamDirection::Playback, Err(libc::EAGAIN), Moved::Nothing, "resume"),
            (
                libc::ESTRPIPE,
                StreamDirection::Capture,
                Err(libc::ENOSYS),
                Moved::Xrun,
                "resume prepare start",
            ),
            (libc::ENODEV, StreamDirection::Capture, Ok(()), Moved::Lost, ""),
            (libc::EIO, StreamDirection::Playback, Ok(()), Moved::Lost, ""),
        ] {
            let script = Script::new("table");
            let mut stream = PcmStream::open("scripted:table", direction, &PcmRequest::default()).unwrap();
            script.fail_once(errno);
            script.resumes(resumes);
            assert_eq!(stream.available(), expected, "errno {errno}");
            assert_eq!(script.take_calls(), calls, "errno {errno}");
        }
    }
}
