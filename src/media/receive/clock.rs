//! Three clocks meet at a talker: the sender's RTP time, the arrival of packets, and the pulls of
//! the playback side. All are counted in samples of 48 kHz here.
//!
//! Arrivals and pulls are noisy in one direction only: each may be late, none is early. So the
//! truth is the smallest difference seen lately, and [`Minimum`] keeps that.

use crate::media::block::{BLOCK_FRAMES, SAMPLE_RATE_HZ};
use std::time::Instant;

/// Samples of one millisecond.
pub const SAMPLES_PER_MS: i64 = SAMPLE_RATE_HZ as i64 / 1000;

/// Pulls are taken for late ones up to this; a longer hole is a card that was away.
const PULL_LATE_SAMPLES_MAX: i64 = 500 * SAMPLES_PER_MS;

/// The window of the smallest difference. Pulls that are late are made up for within it. After an xrun of the card they
/// are not made up for, and when the window is over the time of the pulls counts as it is.
const WINDOW_SAMPLES: i64 = 800 * SAMPLES_PER_MS;

/// The beginning of local time: the first instant seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Epoch(Option<Instant>);

impl Epoch {
    /// `instant` in samples since the first one given; negative before it.
    pub fn samples(&mut self, instant: Instant) -> i64 {
        let epoch = *self.0.get_or_insert(instant);
        match instant.checked_duration_since(epoch) {
            Some(after) => samples_of(after),
            None => -samples_of(epoch.saturating_duration_since(instant)),
        }
    }
}

fn samples_of(duration: std::time::Duration) -> i64 {
    let samples = duration.as_nanos() * u128::from(SAMPLE_RATE_HZ) / 1_000_000_000;
    i64::try_from(samples).unwrap_or(i64::MAX / 2)
}

/// RTP time from `from` to `to`, in samples; negative where `to` is before.
pub fn rtp_gap(from: u64, to: u64) -> i64 {
    to.wrapping_sub(from) as i64
}

/// Parts of a window: the oldest is forgotten at a time.
const PARTS: usize = 8;

/// The smallest value of a window that moves on by an eighth of itself.
#[derive(Debug, Clone, Copy)]
pub struct Minimum {
    part_samples: i64,
    since: i64,
    /// The newest part first.
    parts: [i64; PARTS],
}

impl Minimum {
    /// A minimum over `window` samples, without a value yet.
    pub fn new(window: i64) -> Self {
        Minimum { part_samples: window / PARTS as i64, since: i64::MIN, parts: [i64::MAX; PARTS] }
    }

    /// Takes the value seen at local time `at`.
    pub fn push(&mut self, at: i64, value: i64) {
        let begun = at.saturating_sub(self.since) / self.part_samples;
        if begun > 0 {
            let begun = usize::try_from(begun).unwrap_or(PARTS).min(PARTS);
            self.parts.rotate_right(begun);
            self.parts[..begun].fill(i64::MAX);
            self.since = at;
        }
        self.parts[0] = self.parts[0].min(value);
    }

    /// The smallest value, if there is one.
    pub fn get(&self) -> Option<i64> {
        self.parts.iter().min().copied().filter(|&smallest| smallest != i64::MAX)
    }

    /// Forgets all values.
    pub fn clear(&mut self) {
        self.parts = [i64::MAX; PARTS];
    }
}

/// When the current pull should have happened. Callers may be late by a scheduling delay and then pull several blocks
/// at once; their count gives the true time.
#[derive(Debug, Clone, Copy)]
pub struct PullClock {
    pulled: i64,
    offset: Minimum,
    latest: Option<i64>,
}

impl PullClock {
    /// A clock that no pull has been seen by.
    pub fn new() -> Self {
        PullClock { pulled: 0, offset: Minimum::new(WINDOW_SAMPLES), latest: None }
    }

    /// Counts a pull of one block that happens at local time `now`; returns its punctual time.
    pub fn pull(&mut self, now: i64) -> i64 {
        let offset = now.saturating_sub(self.pulled);
        if self.offset.get().is_some_and(|punctual| offset - punctual > PULL_LATE_SAMPLES_MAX) {
            self.offset.clear();
        }
        self.offset.push(now, offset);
        let punctual = self.pulled.saturating_add(self.offset.get().unwrap_or(offset));
        self.pulled += BLOCK_FRAMES as i64;
        self.latest = Some(punctual);
        punctual
    }

    /// When something that arrived at local time `at` can be used, if we learn of it only now: not
    /// before the last pull, which went without it. On a busy machine that is what counts.
    pub fn usable_from(&self, at: i64) -> i64 {
        self.latest.map_or(at, |latest| at.max(latest))
    }
}

impl Default for PullClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: i64 = BLOCK_FRAMES as i64;

    #[test]
    fn a_minimum_forgets_a_window_later() {
        let mut minimum = Minimum::new(800);
        assert_eq!(minimum.get(), None);
        minimum.push(0, 5);
        for (at, value, smallest) in
            [(50, 9, 5), (120, 8, 5), (230, 7, 5), (750, 6, 5), (870, 9, 6), (1500, 11, 6), (1600, 11, 9)]
        {
            minimum.push(at, value);
            assert_eq!(minimum.get(), Some(smallest), "{at}");
        }
        minimum.push(9000, 20);
        assert_eq!(minimum.get(), Some(20), "old values do not come back");
    }

    #[test]
    fn late_pulls_in_a_burst_are_told_their_punctual_time() {
        let mut clock = PullClock::new();
        for i in 0..50 {
            assert_eq!(clock.pull(i * BLOCK), i * BLOCK);
        }
        for i in 50..56 {
            assert_eq!(clock.pull(55 * BLOCK), i * BLOCK, "six at once after 50 ms of nothing");
        }
        assert_eq!(clock.usable_from(52 * BLOCK), 55 * BLOCK, "the pulls since went without it");
        assert_eq!(clock.usable_from(55 * BLOCK + 1), 55 * BLOCK + 1);
        assert_eq!(clock.pull(56 * BLOCK), 56 * BLOCK);
    }

    #[test]
    fn a_card_that_was_away_starts_anew() {
        let mut clock = PullClock::new();
        clock.pull(0);
        assert_eq!(clock.pull(100_000), 100_000);
        assert_eq!(clock.pull(100_000 + BLOCK), 100_000 + BLOCK);
    }

    #[test]
    fn instants_before_the_epoch_are_negative() {
        let mut epoch = Epoch::default();
        let start = crate::media::receive::tests::simulated_call::an_instant();
        assert_eq!(epoch.samples(start), 0);
        assert_eq!(epoch.samples(start + std::time::Duration::from_millis(20)), 960);
        assert_eq!(epoch.samples(start - std::time::Duration::from_millis(10)), -480);
    }

    #[test]
    fn rtp_time_may_wrap() {
        assert_eq!(rtp_gap(u64::MAX - 1, 2), 4);
        assert_eq!(rtp_gap(2, u64::MAX - 1), -4);
    }
}
