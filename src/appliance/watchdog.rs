//! The service manager's watchdog: fed while the loop of sound and signal turns, and short while an output is driven.
//!
//! ```text
//!   nothing is driven ─► WATCHDOG_USEC of the unit, fed twice as often
//!   an output is driven ─► DRIVEN, fed four times as often: a program that hangs now is killed, and ExecStopPost= of the
//!                          unit rests the line (`driven_outputs.rs`)
//! ```

use std::time::{Duration, Instant};

use crate::io::systemd::watchdog_timeout;

/// How long the loop may stand still while an output is driven. Its longest turn takes some milliseconds. A pulse ends
/// within its length and 2 s in any case: this is half of the 2 s, and the other half is for the service manager to
/// start a program.
pub(super) const DRIVEN: Duration = Duration::from_secs(1);

/// When the service manager expects which message.
#[derive(Debug)]
pub(super) struct Watchdog {
    /// The interval of the unit; `None` without a watchdog.
    usual: Option<Duration>,
    is_driving: bool,
    fed_at: Instant,
}

/// The messages for the service manager, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Feed {
    /// The loop turns.
    Alive,
    /// The same, and from now on it is to be looked for this often.
    AliveWithin(Duration),
}

impl Watchdog {
    /// By `WATCHDOG_USEC`, from `now` on.
    pub(super) fn new(watchdog_usec: Option<&str>, now: Instant) -> Watchdog {
        Watchdog { usual: watchdog_usec.and_then(watchdog_timeout), is_driving: false, fed_at: now }
    }

    /// When [`Watchdog::poll`] returns a message.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        Some(self.fed_at + self.interval()?)
    }

    /// The message that is due at `now`. To be called at once before a line is driven, and after it was released.
    pub(super) fn poll(&mut self, is_driving: bool, now: Instant) -> Option<Feed> {
        let usual = self.usual?;
        let is_changed = std::mem::replace(&mut self.is_driving, is_driving) != is_driving;
        if !is_changed && self.poll_timeout().is_none_or(|at| now < at) {
            return None;
        }
        self.fed_at = now;
        Some(match is_changed {
            true => Feed::AliveWithin(if is_driving { usual.min(DRIVEN) } else { usual }),
            false => Feed::Alive,
        })
    }

    fn interval(&self) -> Option<Duration> {
        let usual = self.usual?;
        Some(if self.is_driving { usual.min(DRIVEN) / 4 } else { usual / 2 })
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]
mod tests {
    use super::*;

    #[test]
    fn is_short_while_an_output_is_driven() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut dog = Watchdog::new(Some("30000000"), start);
        assert_eq!(dog.poll_timeout(), Some(at(15_000)));
        assert_eq!(dog.poll(false, at(14_999)), None);
        assert_eq!(dog.poll(false, at(15_000)), Some(Feed::Alive));
        assert_eq!(dog.poll(true, at(20_000)), Some(Feed::AliveWithin(DRIVEN)), "before the line is driven");
        assert_eq!((dog.poll(true, at(20_249)), dog.poll_timeout()), (None, Some(at(20_250))));
        assert_eq!(dog.poll(true, at(20_250)), Some(Feed::Alive));
        assert_eq!(dog.poll(false, at(20_300)), Some(Feed::AliveWithin(Duration::from_secs(30))));
        assert_eq!(dog.poll_timeout(), Some(at(35_300)));
        // Where the unit's own is shorter, it stays.
        let mut short = Watchdog::new(Some("500000"), start);
        assert_eq!(short.poll(true, start), Some(Feed::AliveWithin(Duration::from_millis(500))));
        let mut none = Watchdog::new(None, start);
        assert_eq!((none.poll_timeout(), none.poll(true, at(1))), (None, None));
    }
}
