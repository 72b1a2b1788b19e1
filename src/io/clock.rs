//! The one reader of the clocks. Everything else is told what time it is.

#![allow(clippy::disallowed_methods, reason = "this is the place that they are banned in favour of")]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Monotonic time.
pub fn now() -> Instant {
    Instant::now()
}

/// Seconds since 1970, for tokens only; 0 on a device whose clock stands before that.
pub fn unix_time_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
