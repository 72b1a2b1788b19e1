//! The sizes of a card's ring, worked out in one place.
//!
//! ```text
//! playback, nothing odd:  |---- 10 ms ----|---- 10 ms ----|---- 10 ms ----|   buffer = target
//!                         starts to play when two are there; wakes us when one is free
//! ```
//!
//! The card may grant other sizes than asked for. Where its buffer is larger than we want to wait,
//! only `target_frames` of it are filled, and it wakes us when less than that is left. Where its
//! period is larger than 10 ms, two of its periods are kept.

use crate::media::block::BLOCK_MS;

/// Periods of a playback buffer: one sounding, one waiting, one being made.
const PLAYBACK_PERIODS: u32 = 3;

/// Periods of a capture buffer. Depth costs no delay here, and bridges a loop that is 70 ms late.
const CAPTURE_PERIODS: u32 = 8;

/// Which way the sound goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// From a microphone.
    #[default]
    Capture,
    /// To a loudspeaker.
    Playback,
}

impl Way {
    /// ALSA's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Way::Capture => "capture",
            Way::Playback => "playback",
        }
    }
}

/// Frames of a running stream, at the card's rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Frames of 10 ms.
    pub block_frames: u32,
    /// Frames between two wake-ups of the card.
    pub period_frames: u32,
    /// Frames of its ring.
    pub buffer_frames: u32,
    /// Frames of the ring that we keep filled (playback), or all of it.
    pub target_frames: u32,
    /// The card wakes us when this many frames can be read or written.
    pub avail_min_frames: u32,
    /// The card starts by itself with this many written (playback), or read (capture).
    pub start_threshold_frames: u32,
}

impl Sizes {
    /// What to ask a card of this rate for: period and buffer.
    pub fn wanted(way: Way, rate_hz: u32) -> (u32, u32) {
        let period_frames = block_frames(rate_hz);
        match way {
            Way::Capture => (period_frames, period_frames * CAPTURE_PERIODS),
            Way::Playback => (period_frames, period_frames * PLAYBACK_PERIODS),
        }
    }

    /// How to use what the card granted; `None` where its buffer does not hold two blocks.
    pub fn granted(way: Way, rate_hz: u32, period_frames: u32, buffer_frames: u32) -> Option<Sizes> {
        let block_frames = block_frames(rate_hz);
        if block_frames == 0 || period_frames == 0 || buffer_frames < 2 * block_frames {
            return None;
        }
        let step_frames = period_frames.min(block_frames);
        let target_frames = match way {
            Way::Capture => buffer_frames,
            Way::Playback => {
                (PLAYBACK_PERIODS * block_frames).max(2u32.saturating_mul(period_frames)).min(buffer_frames)
            }
        };
        Some(Sizes {
            block_frames,
            period_frames,
            buffer_frames,
            target_frames,
            avail_min_frames: buffer_frames - target_frames + step_frames,
            start_threshold_frames: match way {
                Way::Capture => 1,
                Way::Playback => target_frames - block_frames,
            },
        })
    }
}

fn block_frames(rate_hz: u32) -> u32 {
    rate_hz * BLOCK_MS / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_asked_for() {
        assert_eq!(Sizes::wanted(Way::Playback, 48_000), (480, 1440));
        assert_eq!(Sizes::wanted(Way::Capture, 16_000), (160, 1280));
        let sizes = Sizes::granted(Way::Playback, 48_000, 480, 1440).unwrap();
        assert_eq!((sizes.target_frames, sizes.avail_min_frames), (1440, 480));
        assert_eq!(sizes.start_threshold_frames, 960);
        let sizes = Sizes::granted(Way::Capture, 48_000, 480, 3840).unwrap();
        assert_eq!((sizes.avail_min_frames, sizes.start_threshold_frames), (480, 1));
    }

    #[test]
    fn a_card_with_a_will_of_its_own() {
        // A sound server: large buffer, so only 30 ms of it are used and it sleeps until 20 are left.
        let sizes = Sizes::granted(Way::Playback, 48_000, 480, 96_000).unwrap();
        assert_eq!((sizes.target_frames, sizes.avail_min_frames), (1440, 95_040));
        // Periods of 21 ms: two of them.
        let sizes = Sizes::granted(Way::Playback, 48_000, 1024, 4096).unwrap();
        assert_eq!((sizes.target_frames, sizes.avail_min_frames), (2048, 2528));
        assert_eq!(Sizes::granted(Way::Playback, 48_000, 480, 959), None);
        assert_eq!(Sizes::granted(Way::Capture, 48_000, 0, 9600), None);
        for period in [1, 100, 480, 5000, u32::MAX] {
            for buffer in [960, 1000, 4096, u32::MAX] {
                let sizes = Sizes::granted(Way::Playback, 48_000, period, buffer).unwrap();
                assert!(sizes.avail_min_frames <= buffer && sizes.start_threshold_frames >= 480);
            }
        }
    }
}
