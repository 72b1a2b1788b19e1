//! The lock-out after wrong codes: no code is accepted for a time that grows.
//!
//! ```text
//!   wrong  1  2  3  4  5      6      7      8       9       10      11, 12, …
//!          accepted    60 s   120 s  240 s  480 s   960 s   1920 s  3600 s each
//! ```
//!
//! An attacker has about 34 attempts on the first day and 24 on each following day, or `free` a day with a rest of
//! [`FORGOTTEN_AFTER`] between them. A code of four digits, one of 10 000, is found after 200 days on average, and each
//! attempt is an event. A person who mistypes three times is not locked out, and the right code clears the wrong ones.

use std::time::{Duration, Instant};

/// The first lock-out; each following one is twice as long. A code takes three seconds to enter, so this alone makes
/// guessing twenty times as slow, while a tenant can soon try again.
const FIRST: Duration = Duration::from_secs(60);

/// The longest lock-out. A longer one would let anybody with a keypad block the door code of a house for a day.
const LONGEST: Duration = Duration::from_secs(3600);

/// Wrong codes are forgotten after this time without one. It must be longer than [`LONGEST`]: otherwise an attacker
/// would gain attempts by waiting.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The count of wrong codes, and the end of the lock-out.
#[derive(Debug, Clone, Copy)]
pub(super) struct LockOut {
    /// The number of wrong codes that starts the first lock-out.
    free: u32,
    wrong: u32,
    last: Option<Instant>,
    until: Option<Instant>,
}

impl LockOut {
    /// Starts without wrong codes; the first lock-out begins after `free` of them.
    pub(super) fn new(free: u32) -> LockOut {
        LockOut { free, wrong: 0, last: None, until: None }
    }

    /// Whether no code is accepted at `now`.
    pub(super) fn is_locked(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// Counts a wrong code. A code that is entered during a lock-out is not checked and must not be counted.
    pub(super) fn wrong(&mut self, now: Instant) {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) >= FORGOTTEN_AFTER) {
            self.wrong = 0;
        }
        self.wrong = self.wrong.saturating_add(1);
        self.last = Some(now);
        if let Some(over) = self.wrong.checked_sub(self.free) {
            // After six doublings, the first is longer than the longest.
            self.until = Some(now + (FIRST * (1 << over.min(6))).min(LONGEST));
        }
    }

    /// Clears the wrong codes after a correct one.
    pub(super) fn right(&mut self) {
        *self = LockOut::new(self.free);
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]
mod tests {
    use super::*;

    #[test]
    fn each_lock_out_is_twice_as_long_up_to_an_hour() {
        let (mut lock_out, mut now) = (LockOut::new(5), Instant::now());
        for _ in 0..4 {
            lock_out.wrong(now);
            assert!(!lock_out.is_locked(now));
        }
        for expected_s in [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600] {
            lock_out.wrong(now);
            let last = now + Duration::from_secs(expected_s) - Duration::from_millis(1);
            assert!(lock_out.is_locked(last), "{expected_s}");
            now += Duration::from_secs(expected_s);
            assert!(!lock_out.is_locked(now), "{expected_s}");
        }
        lock_out.right();
        lock_out.wrong(now);
        assert!(!lock_out.is_locked(now));
    }

    /// The number in the module's documentation; waiting does not gain attempts.
    #[test]
    fn a_day_has_few_attempts() {
        for rest_s in [0, 3600, 23 * 3600, 24 * 3600, 48 * 3600] {
            let start = Instant::now();
            let (mut lock_out, mut now, mut attempts) = (LockOut::new(5), start, 0);
            while now < start + Duration::from_secs(100 * 24 * 3600) {
                if lock_out.is_locked(now) {
                    now += Duration::from_secs(60);
                    continue;
                }
                lock_out.wrong(now);
                attempts += 1;
                now += Duration::from_secs(3);
                if attempts % 5 == 0 {
                    now += Duration::from_secs(rest_s);
                }
            }
            assert!(attempts < 100 * 26, "{attempts} with a rest of {rest_s} s");
        }
    }
}
