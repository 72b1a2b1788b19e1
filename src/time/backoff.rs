//! How long to wait before the next attempt: growing, capped, jittered, for ever.
//!
//! The jitter keeps a street of door phones from dialling in step after a power cut. It comes from
//! a seed passed in, so that the simulation repeats exactly.

use std::time::Duration;

/// First wait after a failure.
const FIRST_MS: u64 = 300;

/// Longest wait before jitter: what a person standing at the box still takes for "it works on it".
const CAP_MS: u64 = 5_000;

/// Between two attempts that nothing answers: each costs a SYN, so it need not grow, and a server that
/// listens again is met within a second.
const PROBE_MS: u64 = 800;

/// After an intended removal, or if another client took our identity: first and longest wait.
const REMOVED_MS: std::ops::RangeInclusive<u64> = 60_000..=600_000;

/// A session that lasted this long was a good one: the next failure starts from the beginning.
/// Shorter ones count as failures too, or a join that succeeds and dies within 100 ms would be
/// repeated without a pause.
pub const GOOD_SESSION: Duration = Duration::from_secs(10);

/// The ladder of waits.
#[derive(Debug)]
pub struct Backoff {
    attempt: u32,
    removals: u32,
    random: fastrand::Rng,
}

impl Backoff {
    /// Starts at the bottom.
    pub fn new(seed: u64) -> Self {
        Self { attempt: 0, removals: 0, random: fastrand::Rng::with_seed(seed) }
    }

    /// The next wait: 300 ms doubling to 5 s, each ±25 %.
    pub fn next_delay(&mut self) -> Duration {
        let base_ms = (FIRST_MS << self.attempt.min(8)).min(CAP_MS);
        self.attempt = self.attempt.saturating_add(1);
        self.jittered(base_ms)
    }

    /// The wait after an attempt that nothing answered: always the same but for its jitter of ±25 %.
    pub fn probe_delay(&mut self) -> Duration {
        self.jittered(PROBE_MS)
    }

    /// The wait after we were removed: a minute doubling to ten, each ±25 %. Growing as long as the program
    /// runs: sessions between two removals are good ones, and prove nothing.
    pub fn removal_delay(&mut self) -> Duration {
        let base_ms = (REMOVED_MS.start() << self.removals.min(8)).min(*REMOVED_MS.end());
        self.removals = self.removals.saturating_add(1);
        self.jittered(base_ms)
    }

    /// Back to the bottom, after a session that lasted.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }

    fn jittered(&mut self, base_ms: u64) -> Duration {
        Duration::from_millis(base_ms * 3 / 4 + self.random.u64(0..=base_ms / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_the_cap_and_never_ends() {
        let mut backoff = Backoff::new(7);
        let mut previous_max = 0;
        for attempt in 0..10_000u32 {
            let base = (300u64 << attempt.min(8)).min(5_000);
            let delay = backoff.next_delay().as_millis() as u64;
            assert!((base * 3 / 4..=base * 5 / 4).contains(&delay), "{attempt}: {delay}");
            previous_max = previous_max.max(delay);
        }
        assert!(previous_max <= 6_250);
        backoff.reset();
        assert!(backoff.next_delay() <= Duration::from_millis(375));
        for _ in 0..100 {
            assert!((600..=1000).contains(&backoff.probe_delay().as_millis()));
        }
    }
}
