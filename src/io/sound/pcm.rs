//! A PCM as alsa-lib has it: calls and errno, nothing decided. [`super::pcm_stream`] makes sense of them.
//!
//! In tests a name that begins with `scripted:` opens a [`Scripted`](crate::io::sound::tests::scripted) one, which
//! can do what no real card does on demand: lie, stall, fall asleep, be pulled out. That, and the kernel's cards
//! in the rig, are the two callers of everything above.

use std::ffi::CString;

use alsa::Direction;
use alsa::pcm::PCM;
use alsa::poll::{Descriptors, Flags};

use crate::io::sound::open_error::CardFault;
use crate::io::sound::pcm_settings::{PcmRequest, PcmSettings, negotiate};
use crate::io::sound::sizes::StreamDirection;
use crate::limits::CARD_DESCRIPTORS_MAX;

/// An open PCM. Errors are errno.
#[derive(Debug)]
pub enum Pcm {
    /// A PCM of alsa-lib.
    Alsa(PCM),
    /// Of a test.
    #[cfg(test)]
    Scripted(crate::io::sound::tests::scripted::Scripted),
}

/// Whether alsa-lib may convert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    /// The card's own rate, channels and format, which we convert.
    Ours,
    /// The plug layer may do what it can.
    Any,
}

impl Pcm {
    /// Opens a PCM by any name that ALSA knows, and settles what both can do. It does not run yet.
    pub fn open(
        name: &str,
        direction: StreamDirection,
        request: &PcmRequest,
        conversion: Conversion,
    ) -> Result<(Pcm, PcmSettings), CardFault> {
        #[cfg(test)]
        if let Some(name) = name.strip_prefix("scripted:") {
            let (pcm, settings) =
                crate::io::sound::tests::scripted::Scripted::open(name, direction, request)?;
            return Ok((Pcm::Scripted(pcm), settings));
        }
        let name = CString::new(name).map_err(|_| CardFault::Missing)?;
        let flags = match conversion {
            Conversion::Ours => AS_IT_IS,
            Conversion::Any => 0,
        };
        // SAFETY: the flags are those of alsa-lib's pcm.h, which the C function takes beside the mode; none of them
        // changes who owns memory or how frames are moved.
        let pcm = unsafe { PCM::open_with_flags(&name, alsa_direction(direction), true, flags) }
            .map_err(|error| CardFault::of(error.errno(), "cannot be opened"))?;
        let settings = negotiate(&pcm, direction, request)?;
        Ok((Pcm::Alsa(pcm), settings))
    }

    /// Lets it run.
    pub fn start(&self) -> Result<(), i32> {
        match self {
            Pcm::Alsa(pcm) => pcm.start().map_err(errno),
            #[cfg(test)]
            Pcm::Scripted(pcm) => pcm.start(),
        }
    }

    /// Makes it ready to run after an xrun.
    pub fn prepare(&self) -> Result<(), i32> {
        match self {
            Pcm::Alsa(pcm) => pcm.prepare().map_err(errno),
            #[cfg(test)]
            Pcm::Scripted(pcm) => pcm.prepare(),
        }
    }

    /// Wakes it after a suspend.
    pub fn resume(&self) -> Result<(), i32> {
        match self {
            Pcm::Alsa(pcm) => pcm.resume().map_err(errno),
            #[cfg(test)]
            Pcm::Scripted(pcm) => pcm.resume(),
        }
    }

    /// Frames that can be read or written now.
    pub fn available(&self) -> Result<usize, i32> {
        match self {
            // Less than none is a broken driver, as good as a missing one.
            Pcm::Alsa(pcm) => {
                let frames = pcm.avail().map_err(errno)?;
                usize::try_from(frames).map_err(|_| libc::ENODEV)
            }
            #[cfg(test)]
            Pcm::Scripted(pcm) => pcm.available(),
        }
    }

    /// Reads whole frames.
    pub fn read(&self, bytes: &mut [u8]) -> Result<usize, i32> {
        match self {
            Pcm::Alsa(pcm) => pcm.io_bytes().readi(bytes).map_err(errno),
            #[cfg(test)]
            Pcm::Scripted(pcm) => pcm.read(bytes),
        }
    }

    /// Writes whole frames.
    pub fn write(&self, bytes: &[u8]) -> Result<usize, i32> {
        match self {
            Pcm::Alsa(pcm) => pcm.io_bytes().writei(bytes).map_err(errno),
            #[cfg(test)]
            Pcm::Scripted(pcm) => pcm.write(bytes),
        }
    }

    /// Frames between the card's converter and us.
    pub fn delay(&self) -> Result<i64, i32> {
        match self {
            #[allow(clippy::useless_conversion, reason = "ALSA's is a long, of 32 bits on ARMv7")]
            Pcm::Alsa(pcm) => pcm.delay().map(i64::from).map_err(errno),
            #[cfg(test)]
            Pcm::Scripted(pcm) => pcm.delay(),
        }
    }

    /// Lets what is written be heard; does not wait for it.
    pub fn drain(&self) -> Result<(), i32> {
        match self {
            Pcm::Alsa(pcm) => pcm.drain().map_err(errno),
            #[cfg(test)]
            Pcm::Scripted(_) => Ok(()),
        }
    }

    /// Whether that is still going on.
    pub fn is_draining(&self) -> bool {
        match self {
            Pcm::Alsa(pcm) => pcm.state_raw() == alsa::pcm::State::Draining as libc::c_int,
            #[cfg(test)]
            Pcm::Scripted(_) => false,
        }
    }

    /// Whether the card is still there, which every plugin asks of the card itself.
    pub fn is_there(&self) -> bool {
        match self {
            Pcm::Alsa(pcm) => pcm.info().is_ok(),
            #[cfg(test)]
            Pcm::Scripted(pcm) => pcm.is_there(),
        }
    }

    /// The descriptors that wake for it, and how many there are.
    pub fn descriptors(&self) -> ([libc::pollfd; CARD_DESCRIPTORS_MAX], usize) {
        let mut own = [libc::pollfd { fd: -1, events: 0, revents: 0 }; CARD_DESCRIPTORS_MAX];
        let count = match self {
            Pcm::Alsa(pcm) => pcm.fill(&mut own).unwrap_or(0).min(own.len()),
            #[cfg(test)]
            Pcm::Scripted(pcm) => pcm.fill(&mut own),
        };
        (own, count)
    }

    /// Whether the PCM reports that it is ready. Must be called after each wake-up without data: plugins clear their
    /// descriptors here.
    pub fn is_ready(&self) -> bool {
        let (mut own, count) = self.descriptors();
        match self {
            Pcm::Alsa(pcm) => {
                let polled = alsa::poll::poll(&mut own[..count], 0).is_ok_and(|ready| ready > 0);
                polled && pcm.revents(&own[..count]).is_ok_and(|flags| flags != Flags::empty())
            }
            #[cfg(test)]
            Pcm::Scripted(pcm) => pcm.is_ready(),
        }
    }
}

/// Open flags of alsa-lib's pcm.h: no conversion of rate, channels, format by the plug layer.
const AS_IT_IS: i32 = 0x0001_0000 | 0x0002_0000 | 0x0004_0000;

/// ALSA's word for it.
pub fn alsa_direction(direction: StreamDirection) -> Direction {
    match direction {
        StreamDirection::Capture => Direction::Capture,
        StreamDirection::Playback => Direction::Playback,
    }
}

fn errno(error: alsa::Error) -> i32 {
    error.errno()
}
