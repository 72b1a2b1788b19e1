//! How often a button may be pressed: more than a hand presses it, and its line chatters.
//!
//! ```text
//!   a press takes one of BURST, which come back one each REFILL ─► none left: held back
//!   held back ─► no edge for QUIET, longer after each relapse ─► free again
//! ```
//!
//! A line without a resistor follows the mains beside it, with tens of edges a second, for as long as it hangs in the air.
//! Each press would ring, toggle privacy, start a program and write into the journal.

use std::time::{Duration, Instant};

/// Presses in quick succession: more than a person makes before waiting for an answer.
pub const BURST: u32 = 10;

/// One more each two seconds: thirty a minute, twice as many as a lively talk by a talk key needs.
pub const REFILL: Duration = Duration::from_secs(2);

/// A line that had no edge for this long is at rest. It is twice as long after each relapse, so that a line that chatters
/// now and then (a loose plug, a motor beside it) is not heard more often than a quiet one.
pub const QUIET: Duration = Duration::from_secs(5);

/// As long as that becomes. A line that was quiet for as long is as good as a new one.
pub const QUIET_MAX: Duration = Duration::from_secs(640);

/// How often one button was pressed lately.
#[derive(Debug)]
pub struct Presses {
    /// What is left, and since when that was so.
    left: u32,
    counted_at: Option<Instant>,
    /// When it is quiet, where it is held back.
    quiet_at: Option<Instant>,
    /// How long it must be still the next time, and when it was free again the last time.
    quiet_for: Duration,
    free_since: Option<Instant>,
}

impl Default for Presses {
    fn default() -> Presses {
        Presses { left: BURST, counted_at: None, quiet_at: None, quiet_for: QUIET, free_since: None }
    }
}

impl Presses {
    /// One more press at `now`. `false`: it is one too many, and the button is held back from now on.
    pub fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return true;
        }
        let is_relapse = self.free_since.is_some_and(|at| now.saturating_duration_since(at) < QUIET_MAX);
        self.quiet_for = if is_relapse { (2 * self.quiet_for).min(QUIET_MAX) } else { QUIET };
        self.quiet_at = Some(now + self.quiet_for);
        false
    }

    /// Whether it is held back.
    pub fn is_held_back(&self) -> bool {
        self.quiet_at.is_some()
    }

    /// The line has moved while it is held back.
    pub fn handle_edge(&mut self, now: Instant) {
        self.quiet_at = self.quiet_at.map(|_| now + self.quiet_for);
    }

    /// When it is quiet.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.quiet_at
    }

    /// Whether it is free again from `now` on.
    pub fn handle_timeout(&mut self, now: Instant) -> bool {
        let is_quiet = self.quiet_at.take_if(|at| *at <= now).is_some();
        if is_quiet {
            (self.left, self.counted_at, self.free_since) = (BURST, None, Some(now));
        }
        is_quiet
    }

    fn refill(&mut self, now: Instant) {
        let since = *self.counted_at.get_or_insert(now);
        let more = now.saturating_duration_since(since).as_secs() / REFILL.as_secs();
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(more).min(BURST);
        // The rest of a refill counts for the next one, unless the budget is full.
        self.counted_at = Some(if self.left == BURST { now } else { since + REFILL * more });
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]
mod tests {
    use super::*;

    /// How many of the presses that come each `every` are heard in `span`.
    fn heard(every: Duration, span: Duration) -> u32 {
        let (start, mut presses, mut heard) = (Instant::now(), Presses::default(), 0);
        let mut at = Duration::ZERO;
        while at < span {
            let now = start + at;
            presses.handle_timeout(now);
            if presses.is_held_back() {
                presses.handle_edge(now);
            } else {
                heard += u32::from(presses.take(now));
            }
            at += every;
        }
        heard
    }

    #[test]
    fn hands_are_heard_and_chatter_is_not() {
        let minute = Duration::from_secs(60);
        assert_eq!(heard(Duration::from_millis(200), Duration::from_secs(2)), 10, "a child at the bell");
        assert_eq!(heard(REFILL, 10 * minute), 300, "a talk key");
        assert_eq!(heard(Duration::from_millis(20), 60 * minute), BURST, "a line in the air");
        assert!(heard(Duration::from_secs(1), 60 * minute) <= 2 * BURST, "a slow one");
    }

    /// Bursts with pauses in which it is quiet: each relapse is waited for longer.
    #[test]
    fn one_that_chatters_now_and_then_is_heard_ever_less() {
        let (start, mut presses, mut heard) = (Instant::now(), Presses::default(), 0);
        for second in 0..3600 {
            for tenth in 0..10 {
                let now = start + Duration::from_millis(1000 * second + 100 * tenth);
                presses.handle_timeout(now);
                if second % 20 >= 4 {
                    continue;
                }
                if presses.is_held_back() {
                    presses.handle_edge(now);
                } else {
                    heard += u32::from(presses.take(now));
                }
            }
        }
        assert!(heard < 60, "{heard} presses in an hour");
        // After a long silence it is as new.
        let free_at = presses.poll_timeout().expect("held back");
        assert!(presses.handle_timeout(free_at));
        let now = free_at + QUIET_MAX;
        assert!((0..BURST).all(|_| presses.take(now)) && !presses.take(now));
        assert_eq!(presses.poll_timeout(), Some(now + QUIET));
    }
}
