//! How often a card breaks off: now and then is normal, again and again is a period too short for this machine.

use std::time::{Duration, Instant};

/// The last xruns, the newest at the end.
#[derive(Debug, Default)]
pub struct Xruns(heapless::Deque<Instant, XRUNS_MAX>);

impl Xruns {
    /// One more. Says whether that is too often, and begins anew then.
    pub fn add(&mut self, now: Instant) -> bool {
        if self.0.is_full() {
            self.0.pop_front();
        }
        let _ = self.0.push_back(now);
        let is_often = self.0.is_full()
            && self.0.front().is_some_and(|&first| now.saturating_duration_since(first) <= XRUNS_WITHIN);
        if is_often {
            self.0.clear();
        }
        is_often
    }
}

/// So many xruns…
const XRUNS_MAX: usize = 3;

/// …within this time, and the period is too short for this machine.
const XRUNS_WITHIN: Duration = Duration::from_secs(10);
