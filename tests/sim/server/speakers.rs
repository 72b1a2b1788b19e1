//! Who speaks: levels from the RFC 6464 header extension, observed in windows, told as deltas.
//!
//! The numbers are the server's (`sfu/audio/audiolevel.go:DefaultAudioLevelConfig`, `config.go`): a packet is active at or
//! above −35 dBov, a window of 400 ms counts if 40 % of it was active, its level is the loudest packet lowered by the share
//! that was quiet, smoothed over two windows, and sent in steps of 1/8. A publisher without the extension never speaks.

use livekit_protocol::SpeakerInfo;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often the room tells who speaks.
pub const INTERVAL: Duration = Duration::from_millis(400);

const WINDOW_MS: u32 = 400;
const ACTIVE_MS_MIN: u32 = WINDOW_MS * 40 / 100;
/// −35 dBov.
const ACTIVE_LEVEL: u8 = 35;
/// 2 ÷ (windows + 1), with two windows.
const SMOOTHING: f64 = 2.0 / 3.0;
const STEPS: f64 = 8.0;

/// The level of one track.
#[derive(Debug, Clone, Default)]
pub struct Level {
    observed_ms: u32,
    active_ms: u32,
    loudest: u8,
    smoothed: f64,
    last_timestamp: Option<u32>,
    last_at: Option<Instant>,
}

impl Level {
    /// A packet of this level, in −dBov (127 is silence), and RTP timestamp arrived.
    pub fn observe(&mut self, level: u8, timestamp: u32, now: Instant) {
        self.last_at = Some(now);
        let ticks = timestamp.wrapping_sub(self.last_timestamp.replace(timestamp).unwrap_or(timestamp));
        if ticks == 0 || ticks >= 1 << 31 {
            return;
        }
        let span_ms = ticks / 48;
        if level <= ACTIVE_LEVEL {
            self.loudest = if self.active_ms == 0 { level } else { self.loudest.min(level) };
            self.active_ms += span_ms;
        }
        self.observed_ms += span_ms;
        if self.observed_ms >= WINDOW_MS {
            self.close_window();
        }
    }

    /// The level now, 0 to 1 in steps, and whether that is speech.
    pub fn now(&mut self, now: Instant) -> (f32, bool) {
        // No packets, as with DTX: after two windows there is nothing to go by.
        if self.last_at.is_none_or(|at| now.duration_since(at) > 2 * INTERVAL) {
            *self = Level { last_timestamp: self.last_timestamp, ..Level::default() };
        }
        let active = self.smoothed >= linear(f64::from(ACTIVE_LEVEL));
        let level = if active { (self.smoothed * STEPS).ceil() / STEPS } else { 0.0 };
        (level as f32, active)
    }

    fn close_window(&mut self) {
        if self.active_ms >= ACTIVE_MS_MIN {
            let quiet_db = 20.0 * (f64::from(self.active_ms) / f64::from(WINDOW_MS)).log10();
            let window = linear(f64::from(self.loudest) - quiet_db);
            self.smoothed += (window - self.smoothed) * SMOOTHING;
        } else {
            self.smoothed = 0.0;
        }
        (self.observed_ms, self.active_ms) = (0, 0);
    }
}

/// What a room has told last.
#[derive(Debug, Default)]
pub struct Speakers {
    told: BTreeMap<String, f32>,
}

impl Speakers {
    /// What changed: the levels of those who speak now, by participant SID, against those told last.
    pub fn changes(&mut self, speaking: BTreeMap<String, f32>) -> Vec<SpeakerInfo> {
        let mut changes: Vec<SpeakerInfo> = speaking
            .iter()
            .filter(|(sid, level)| self.told.get(*sid) != Some(*level))
            .map(|(sid, &level)| SpeakerInfo { sid: sid.clone(), level, active: true })
            .collect();
        let ended = self.told.keys().filter(|sid| !speaking.contains_key(*sid));
        changes.extend(ended.map(|sid| SpeakerInfo { sid: sid.clone(), level: 0.0, active: false }));
        self.told = speaking;
        changes
    }
}

fn linear(level: f64) -> f64 {
    10_f64.powf(-level / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn after(ms: u64, level: u8) -> (f32, bool) {
        let clock = Clock::new();
        let mut observed = Level::default();
        for packet in 0..=ms / 20 {
            observed.observe(level, packet as u32 * 960, clock.at_ms(packet * 20));
        }
        observed.now(clock.at_ms(ms))
    }

    #[test]
    fn speech_is_seen_after_one_window_and_quiet_never() {
        assert_eq!(after(380, 20), (0.0, false));
        assert_eq!(after(420, 20), (0.125, true));
        assert_eq!(after(2000, 6), (0.5, true));
        assert_eq!(after(2000, 40), (0.0, false));
    }

    #[test]
    fn only_changes_are_told() {
        let mut speakers = Speakers::default();
        let one = BTreeMap::from([("PA_a".to_string(), 0.25)]);
        assert_eq!(speakers.changes(one.clone()).len(), 1);
        assert!(speakers.changes(one).is_empty());
        let ended = speakers.changes(BTreeMap::new());
        assert_eq!((ended[0].active, ended[0].level), (false, 0.0));
    }
}
