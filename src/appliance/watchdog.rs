//! The watchdog of the service manager: fed while the loop of sound and signal runs, with a short timeout while an
//! output is driven.
//!
//! ```text
//!   nothing is driven ─► WATCHDOG_USEC of the unit, fed twice as often
//!   an output is driven ─► DRIVEN, fed four times as often: a program that hangs is killed, and ExecStopPost= of
//!                          the unit sets the line to rest (`driven_outputs.rs`)
//! ```

use std::time::{Duration, Instant};

use crate::io::systemd::watchdog_timeout;

/// How long the loop may hang while an output is driven. Its longest iteration takes a few milliseconds. A pulse always
/// ends within its length plus 2 s: this is half of the 2 s, and the other half is for the service manager to start a
/// program.
pub(super) const DRIVEN: Duration = Duration::from_secs(1);

/// The timeout of the service manager, and the time of the last message.
#[derive(Debug)]
pub(super) struct Watchdog {
    /// The interval of the unit; `None` without a watchdog.
    usual: Option<Duration>,
    is_driving: bool,
    fed_at: Instant,
}

/// A message for the service manager.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Feed {
    /// The loop runs.
    Alive,
    /// The loop runs, and the watchdog timeout changes to this.
    AliveWithin(Duration),
}

impl Watchdog {
    /// Creates the watchdog from the value of `WATCHDOG_USEC`. The first interval starts at `now`.
    pub(super) fn new(watchdog_usec: Option<&str>, now: Instant) -> Watchdog {
        Watchdog { usual: watchdog_usec.and_then(watchdog_timeout), is_driving: false, fed_at: now }
    }

    /// Returns when [`Watchdog::poll`] must be called next.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        Some(self.fed_at + self.interval()?)
    }

    /// Returns the message that is due at `now`. Must be called directly before a line is driven, and after its
    /// release.
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
        // A shorter timeout of the unit is kept.
        let mut short = Watchdog::new(Some("500000"), start);
        assert_eq!(short.poll(true, start), Some(Feed::AliveWithin(Duration::from_millis(500))));
        let mut none = Watchdog::new(None, start);
        assert_eq!((none.poll_timeout(), none.poll(true, at(1))), (None, None));
    }
}
