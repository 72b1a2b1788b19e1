//! How active a talker is, estimated from its packets: towards us they carry no level.
//!
//! Opus spends bytes on sound and hardly any on silence, and with DTX none at all. So the bytes of the last half second
//! rank the talkers. A talker without a place takes the place of the least active one, if it is clearly more active for
//! long enough.

use std::time::{Duration, Instant};

/// Time constant: after this time past activity counts a third.
const MEMORY: Duration = Duration::from_millis(500);

/// Factor for the bytes of a participant whom the server counts as speaking: the server knows the levels. Background
/// sound that a browser sends at 64 kbit/s weighs as much as speech at 16.
const SPEAKER_WEIGHT: f32 = 4.0;

/// A talker must be this many times as active as the one whose place it takes…
const CLEARLY_MORE: f32 = 2.0;

/// …for this long: longer than a cough, shorter than a sentence.
const PATIENCE: Duration = Duration::from_millis(500);

/// The activity of one talker.
#[derive(Debug, Clone, Copy, Default)]
pub struct Activity {
    weight: f32,
    last: Option<Instant>,
    /// Since when it is clearly more active than a talker with a place.
    more_since: Option<Instant>,
}

impl Activity {
    /// A packet of `bytes` arrived; `speaks` is whether the server counts its sender as speaking.
    pub fn packet(&mut self, bytes: usize, speaks: bool, now: Instant) {
        let weight = if speaks { SPEAKER_WEIGHT } else { 1.0 };
        self.weight = self.weight(now) + weight * bytes as f32;
        self.last = Some(now);
    }

    /// Weighted bytes of the last half second, the older the less.
    pub fn weight(&self, now: Instant) -> f32 {
        let age = self.last.map_or(MEMORY, |last| now.saturating_duration_since(last));
        self.weight * (-age.as_secs_f32() / MEMORY.as_secs_f32()).exp()
    }

    /// Whether this talker, which waits for a place, takes that of `other`, the least active talker with a place.
    pub fn takes_place_of(&mut self, other: &Activity, now: Instant) -> bool {
        if self.weight(now) <= CLEARLY_MORE * other.weight(now) {
            self.more_since = None;
            return false;
        }
        let since = *self.more_since.get_or_insert(now);
        now.saturating_duration_since(since) >= PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::receive::tests::simulated_call::an_instant;

    /// Packets each 20 ms; when, in milliseconds, the second takes the place of the first.
    fn taken_after_ms(has: impl Fn(u64) -> usize, wants: impl Fn(u64) -> usize, speaks: bool) -> Option<u64> {
        let (start, mut first, mut second) = (an_instant(), Activity::default(), Activity::default());
        (0..500).map(|packet| packet * 20).find(|&ms| {
            let now = start + Duration::from_millis(ms);
            first.packet(has(ms), false, now);
            second.packet(wants(ms), speaks, now);
            second.takes_place_of(&first, now)
        })
    }

    #[test]
    fn who_says_clearly_more_for_a_while_takes_the_place() {
        assert_eq!(taken_after_ms(|_| 60, |_| 70, false), None, "as much is not more");
        assert_eq!(taken_after_ms(|_| 8, |_| 60, false), Some(500));
        let taken = taken_after_ms(|ms| if ms < 3000 { 60 } else { 8 }, |_| 60, false).unwrap();
        assert!((3500..4500).contains(&taken), "{taken}");
        // A quarter of a second is too short.
        assert_eq!(taken_after_ms(|_| 30, |ms| if ms % 2000 < 250 { 80 } else { 3 }, false), None);
        // Many bytes need not be a voice, and the server knows.
        assert_eq!(taken_after_ms(|_| 160, |_| 60, false), None);
        assert_eq!(taken_after_ms(|_| 100, |_| 60, true), Some(500));
    }

    #[test]
    fn silence_is_forgotten_activity() {
        let (start, mut activity) = (an_instant(), Activity::default());
        activity.packet(100, false, start);
        assert!((activity.weight(start + MEMORY) - 36.8).abs() < 0.1);
        assert!(activity.weight(start + 20 * MEMORY) < 0.001);
    }
}
