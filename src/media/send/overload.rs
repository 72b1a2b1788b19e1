//! When the board cannot afford what it was asked to do.
//!
//! ```text
//! a turn took 7 ms of 10, one in five, for 2 s ──► shed a step
//! none did for 30 s (60, 120, … each time that it was too early) ──► take a step back
//! ```
//!
//! A turn of the loop that takes longer than a block makes the next one late; a few of those are what
//! buffers are for, many of them are xruns. So work is given up before it comes to that.

use std::time::{Duration, Instant};

/// A turn that is too long: what is left of a block is for the rest of the system.
const LONG_TURN: Duration = Duration::from_millis(7);

/// Over which turns are looked at.
const WINDOW: Duration = Duration::from_secs(2);

/// Long turns in a window that are too many: one block in five.
const LONG_TURNS_MAX: u32 = 40;

/// Calm before a step is taken back, the first time.
const CALM: Duration = Duration::from_secs(30);

/// The longest calm that is waited for.
const CALM_MAX: Duration = Duration::from_secs(3600);

/// What the governor advises after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadAdvice {
    /// Give something up.
    Shed,
    /// There is room for a step more.
    Restore,
}

/// Counts long turns of the loop and advises when to shed work and when to restore it.
#[derive(Debug)]
pub struct OverloadGovernor {
    window_began: Option<Instant>,
    long_turns: u32,
    calm_since: Option<Instant>,
    calm_wanted: Duration,
    has_restored: bool,
}

impl OverloadGovernor {
    /// Nothing was measured yet.
    pub fn new() -> Self {
        Self { window_began: None, long_turns: 0, calm_since: None, calm_wanted: CALM, has_restored: false }
    }

    /// A turn that began at `now` took so long.
    pub fn turn(&mut self, took: Duration, now: Instant) -> Option<LoadAdvice> {
        let is_long = took >= LONG_TURN;
        let began = *self.window_began.get_or_insert(now);
        let calm_since = *self.calm_since.get_or_insert(now);
        if now.saturating_duration_since(began) >= WINDOW {
            self.window_began = Some(now);
            self.long_turns = 0;
        }
        self.long_turns += u32::from(is_long);
        if self.long_turns >= LONG_TURNS_MAX {
            if std::mem::take(&mut self.has_restored) {
                self.calm_wanted = (self.calm_wanted * 2).min(CALM_MAX);
            }
            self.start_over(now);
            return Some(LoadAdvice::Shed);
        }
        if now.saturating_duration_since(calm_since) >= self.calm_wanted {
            self.has_restored = true;
            self.start_over(now);
            return Some(LoadAdvice::Restore);
        }
        None
    }

    fn start_over(&mut self, now: Instant) {
        self.window_began = Some(now);
        self.long_turns = 0;
        self.calm_since = Some(now);
    }
}

impl Default for OverloadGovernor {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
mod tests {
    use super::*;

    const BLOCK: Duration = Duration::from_millis(10);

    /// Turns of `took(n)` every 10 ms for `seconds`; what was advised, and in which second.
    fn advised(
        governor: &mut OverloadGovernor,
        now: &mut Instant,
        seconds: u32,
        took_ms: impl Fn(u32) -> u64,
    ) -> Vec<(u32, LoadAdvice)> {
        (0..seconds * 100)
            .filter_map(|n| {
                *now += BLOCK;
                governor.turn(Duration::from_millis(took_ms(n)), *now).map(|advice| (n / 100, advice))
            })
            .collect()
    }

    #[test]
    fn a_board_that_cannot_sheds_within_two_seconds_and_tries_again_ever_more_rarely() {
        let (mut governor, mut now) = (OverloadGovernor::new(), Instant::now());
        assert_eq!(
            advised(&mut governor, &mut now, 1, |_| 9),
            [(0, LoadAdvice::Shed), (0, LoadAdvice::Shed)]
        );
        assert_eq!(advised(&mut governor, &mut now, 31, |_| 3)[0], (29, LoadAdvice::Restore));
        assert_eq!(advised(&mut governor, &mut now, 1, |_| 9)[0].1, LoadAdvice::Shed);
        assert_eq!(advised(&mut governor, &mut now, 58, |_| 3), []);
        assert_eq!(advised(&mut governor, &mut now, 10, |_| 3).len(), 1);
    }

    #[test]
    fn now_and_then_a_long_turn_is_nothing() {
        let (mut governor, mut now) = (OverloadGovernor::new(), Instant::now());
        let advice = advised(&mut governor, &mut now, 25, |n| if n % 10 == 0 { 20 } else { 4 });
        assert_eq!(advice, []);
    }
}
