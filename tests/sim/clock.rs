//! Virtual time: it moves when the world says so, and only forward.
//!
//! `Instant` has no zero, so one real instant is taken as the origin and never looked at again: all else is origin plus
//! duration, and nothing in the world can tell on which day or how fast it runs.

use std::time::{Duration, Instant};

/// The one clock of a world.
#[derive(Debug, Clone)]
pub struct Clock {
    origin: Instant,
    now: Instant,
}

impl Clock {
    /// A clock that stands at zero.
    #[allow(clippy::disallowed_methods, reason = "the origin of virtual time; its value is never used")]
    pub fn new() -> Clock {
        let origin = Instant::now();
        Clock { origin, now: origin }
    }

    /// The present.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Time since the beginning of the world, in milliseconds.
    pub fn elapsed_ms(&self) -> f64 {
        self.now.duration_since(self.origin).as_secs_f64() * 1000.0
    }

    /// The instant at this many milliseconds after the beginning.
    pub fn at_ms(&self, ms: u64) -> Instant {
        self.origin + Duration::from_millis(ms)
    }

    /// Moves to `instant`. What lies in the past is due now, so the clock stays.
    pub fn advance_to(&mut self, instant: Instant) {
        self.now = self.now.max(instant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_goes_back() {
        let mut clock = Clock::new();
        clock.advance_to(clock.at_ms(20));
        clock.advance_to(clock.at_ms(10));
        assert_eq!(clock.elapsed_ms(), 20.0);
    }
}
