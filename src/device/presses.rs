//! Limits how often a button counts as pressed: a line with more presses than a person makes chatters.
//!
//! ```text
//!   each press takes one of BURST tokens; one comes back per REFILL ─► none left: ignored
//!   ignored ─► no edge for QUIET, longer after each relapse ─► counts again
//! ```
//!
//! A floating line without a resistor picks up mains hum, with tens of edges a second. Each of these presses would
//! ring, toggle privacy, start a program and write to the journal.

use std::time::{Duration, Instant};

/// The number of presses in quick succession: more than a person makes before waiting for an answer.
pub const BURST: u32 = 10;

/// The time after which one more press is allowed: thirty a minute, twice as many as a lively conversation with a talk
/// key needs.
pub const REFILL: Duration = Duration::from_secs(2);

/// How long a line must have no edge to count as quiet. The time doubles after each relapse, so that a line that
/// chatters now and then (a loose plug, a motor nearby) does not count more presses than a quiet one.
pub const QUIET: Duration = Duration::from_secs(5);

/// The longest [`QUIET`] time after relapses. A line that chatters again after more than this time starts
/// with [`QUIET`].
pub const QUIET_MAX: Duration = Duration::from_secs(640);

/// The presses that one button has left.
#[derive(Debug)]
pub struct Presses {
    /// The presses that are left, and the time of the last refill.
    left: u32,
    counted_at: Option<Instant>,
    /// When the line counts as quiet; `None` if it is not ignored.
    quiet_at: Option<Instant>,
    /// How long the line must be quiet, and when its presses last began to count again.
    quiet_for: Duration,
    free_since: Option<Instant>,
}

impl Default for Presses {
    fn default() -> Presses {
        Presses { left: BURST, counted_at: None, quiet_at: None, quiet_for: QUIET, free_since: None }
    }
}

impl Presses {
    /// Counts a press at `now`. Returns `false` if it is one too many; the button is ignored from then on.
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

    /// Whether the button is ignored.
    pub fn is_held_back(&self) -> bool {
        self.quiet_at.is_some()
    }

    /// Takes an edge of a line that is ignored: it must be quiet from `now` on.
    pub fn handle_edge(&mut self, now: Instant) {
        self.quiet_at = self.quiet_at.map(|_| now + self.quiet_for);
    }

    /// Returns when the line counts as quiet.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.quiet_at
    }

    /// Returns whether presses count again from `now` on.
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
        // The remaining time counts towards the next refill, unless the budget is full.
        self.counted_at = Some(if self.left == BURST { now } else { since + REFILL * more });
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]
mod tests {
    use super::*;

    /// Returns how many presses count in `span`, with one press per `every`.
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
    fn presses_count_and_chatter_does_not() {
        let minute = Duration::from_secs(60);
        assert_eq!(heard(Duration::from_millis(200), Duration::from_secs(2)), 10, "a child at the bell");
        assert_eq!(heard(REFILL, 10 * minute), 300, "a talk key");
        assert_eq!(heard(Duration::from_millis(20), 60 * minute), BURST, "a floating line");
        assert!(heard(Duration::from_secs(1), 60 * minute) <= 2 * BURST, "slow chatter");
    }

    /// Bursts with quiet pauses: the line must be quiet for longer after each relapse.
    #[test]
    fn a_line_that_chatters_now_and_then_counts_less_and_less() {
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
        // After a long quiet time, the line starts again as a new one.
        let free_at = presses.poll_timeout().expect("held back");
        assert!(presses.handle_timeout(free_at));
        let now = free_at + QUIET_MAX;
        assert!((0..BURST).all(|_| presses.take(now)) && !presses.take(now));
        assert_eq!(presses.poll_timeout(), Some(now + QUIET));
    }
}
