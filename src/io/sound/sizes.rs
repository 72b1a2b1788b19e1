//! The sizes of a card's ring, worked out in one place.
//!
//! ```text
//! playback, nothing odd:  |---- block ----|---- period ----|---- period ----|   buffer = target
//!                         starts to play when the spare periods are there; wakes us when a block fits
//! ```
//!
//! The card may grant other sizes than asked for. Where its buffer is larger than we want to wait,
//! only `target_frames` of it are filled, and it wakes us when less than that is left. Where its
//! period is larger than asked for, two of its periods are kept.

use crate::media::block::BLOCK_MS;

/// Periods of a capture buffer. Depth costs no delay here, and bridges a loop that is 70 ms late.
const CAPTURE_PERIODS: u32 = 8;

/// The longest period that we ask for: USB on the older Pis has been seen to need it (dwc_otg).
const PERIOD_MS_MAX: u32 = 40;

/// Which way the sound goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StreamDirection {
    /// From a microphone.
    #[default]
    Capture,
    /// To a loudspeaker.
    Playback,
}

impl StreamDirection {
    /// ALSA's word for it.
    pub fn word(self) -> &'static str {
        match self {
            StreamDirection::Capture => "capture",
            StreamDirection::Playback => "playback",
        }
    }
}

/// How much sound lies between us and a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffering {
    /// Time between two wake-ups.
    pub period_ms: u32,
    /// Periods in a playback buffer beyond the block that is being played: how late we may be.
    pub spare_periods: u32,
}

impl Default for Buffering {
    fn default() -> Self {
        Buffering { period_ms: 10, spare_periods: 2 }
    }
}

impl Buffering {
    /// For boards and cards that are never late: half the period, half the slack. A block is still 10 ms, so
    /// that at most 15 ms wait.
    pub const LOW_LATENCY: Buffering = Buffering { period_ms: 5, spare_periods: 1 };

    /// The next step for a card that xruns again and again; `None` after the last.
    pub fn raised(self) -> Option<Buffering> {
        let period_ms = (self.period_ms * 2).max(BLOCK_MS);
        let spare_periods = self.spare_periods.max(Buffering::default().spare_periods);
        (period_ms <= PERIOD_MS_MAX).then_some(Buffering { period_ms, spare_periods })
    }

    /// Period and buffer to ask a card of this rate for.
    pub fn wanted(self, direction: StreamDirection, rate_hz: u32) -> (u32, u32) {
        let period_frames = frames(self.period_ms, rate_hz);
        let step_frames = period_frames.max(frames(BLOCK_MS, rate_hz));
        match direction {
            StreamDirection::Capture => (period_frames, step_frames * CAPTURE_PERIODS),
            StreamDirection::Playback => (period_frames, step_frames + period_frames * self.spare_periods),
        }
    }

    /// How to use what the card granted; `None` if its buffer does not hold what it must.
    pub fn granted(
        self,
        direction: StreamDirection,
        rate_hz: u32,
        period_frames: u32,
        buffer_frames: u32,
    ) -> Option<Sizes> {
        let block_frames = frames(BLOCK_MS, rate_hz);
        // A block that plays, and one that is being made: or, at short periods, half of one.
        let least_frames = block_frames + block_frames.min(frames(self.period_ms, rate_hz));
        if block_frames == 0 || period_frames == 0 || buffer_frames < least_frames {
            return None;
        }
        let (_, wanted_frames) = self.wanted(direction, rate_hz);
        let target_frames = match direction {
            StreamDirection::Capture => buffer_frames,
            StreamDirection::Playback => {
                wanted_frames.max(2u32.saturating_mul(period_frames)).min(buffer_frames)
            }
        };
        Some(Sizes {
            block_frames,
            period_frames,
            buffer_frames,
            target_frames,
            avail_min_frames: match direction {
                // Parts of a block are taken as they come.
                StreamDirection::Capture => period_frames.min(block_frames),
                StreamDirection::Playback => buffer_frames - target_frames + block_frames,
            },
            start_threshold_frames: match direction {
                StreamDirection::Capture => 1,
                StreamDirection::Playback => target_frames - block_frames,
            },
        })
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

fn frames(ms: u32, rate_hz: u32) -> u32 {
    rate_hz * ms / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Buffering = Buffering { period_ms: 10, spare_periods: 2 };

    #[test]
    fn as_asked_for() {
        assert_eq!(USUAL.wanted(StreamDirection::Playback, 48_000), (480, 1440));
        assert_eq!(USUAL.wanted(StreamDirection::Capture, 16_000), (160, 1280));
        let sizes = USUAL.granted(StreamDirection::Playback, 48_000, 480, 1440).unwrap();
        assert_eq!((sizes.target_frames, sizes.avail_min_frames), (1440, 480));
        assert_eq!(sizes.start_threshold_frames, 960);
        let sizes = USUAL.granted(StreamDirection::Capture, 48_000, 480, 3840).unwrap();
        assert_eq!((sizes.avail_min_frames, sizes.start_threshold_frames), (480, 1));
    }

    #[test]
    fn low_latency_keeps_a_block_and_five_milliseconds() {
        let low = Buffering::LOW_LATENCY;
        assert_eq!(low.wanted(StreamDirection::Playback, 48_000), (240, 720));
        assert_eq!(low.wanted(StreamDirection::Capture, 48_000), (240, 3840));
        let sizes = low.granted(StreamDirection::Playback, 48_000, 240, 720).unwrap();
        assert_eq!(
            (sizes.target_frames, sizes.avail_min_frames, sizes.start_threshold_frames),
            (720, 480, 240)
        );
    }

    #[test]
    fn a_card_that_xruns_gets_longer_periods_up_to_a_limit() {
        let mut now = Buffering::LOW_LATENCY;
        let mut periods = vec![now.period_ms];
        while let Some(next) = now.raised() {
            now = next;
            periods.push(now.period_ms);
        }
        assert_eq!((periods, now.spare_periods), (vec![5, 10, 20, 40], 2));
        let sizes = now.granted(StreamDirection::Playback, 48_000, 1920, 5760).unwrap();
        assert_eq!((sizes.target_frames, sizes.avail_min_frames), (5760, 480));
    }

    #[test]
    fn a_card_with_a_will_of_its_own() {
        // A sound server: large buffer, so only 30 ms of it are used and it sleeps until 20 are left.
        let sizes = USUAL.granted(StreamDirection::Playback, 48_000, 480, 96_000).unwrap();
        assert_eq!((sizes.target_frames, sizes.avail_min_frames), (1440, 95_040));
        // Periods of 21 ms: two of them.
        let sizes = USUAL.granted(StreamDirection::Playback, 48_000, 1024, 4096).unwrap();
        assert_eq!((sizes.target_frames, sizes.avail_min_frames), (2048, 2528));
        // Periods of 5 ms: woken when a block fits, not at each of them for nothing.
        let sizes = USUAL.granted(StreamDirection::Playback, 48_000, 256, 1536).unwrap();
        assert_eq!((sizes.target_frames, sizes.avail_min_frames), (1440, 576));
        assert_eq!(USUAL.granted(StreamDirection::Playback, 48_000, 480, 959), None);
        assert_eq!(USUAL.granted(StreamDirection::Capture, 48_000, 0, 9600), None);
        for period in [1, 100, 480, 5000, u32::MAX] {
            for buffer in [960, 1000, 4096, u32::MAX] {
                let sizes = USUAL.granted(StreamDirection::Playback, 48_000, period, buffer).unwrap();
                assert!(sizes.avail_min_frames <= buffer && sizes.start_threshold_frames >= 480);
            }
        }
    }
}
