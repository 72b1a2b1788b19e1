//! A clock for what has none: one block every 10 ms of the caller's `now`, without drift.
//!
//! Block `n` is due at `start + n × 10 ms`, so a late turn shifts nothing: the next ones come sooner. A source that
//! must not lag for long calls [`Pace::forgive`].

use std::time::{Duration, Instant};

use crate::limits::CATCH_UP_BLOCKS_MAX;
use crate::media::block::BLOCK_MS;

/// Counts blocks against time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    next_at: Option<Instant>,
}

impl Pace {
    /// Starts counting: the first block is due now. Does nothing when already started.
    pub fn start(&mut self, now: Instant) {
        self.next_at.get_or_insert(now);
    }

    /// Blocks due by now, at most [`CATCH_UP_BLOCKS_MAX`] at a time.
    pub fn due(&self, now: Instant) -> usize {
        match self.next_at {
            Some(next_at) if next_at <= now => {
                let late_ms = now.duration_since(next_at).as_millis();
                usize::try_from(late_ms / u128::from(BLOCK_MS))
                    .map_or(CATCH_UP_BLOCKS_MAX, |late| (late + 1).min(CATCH_UP_BLOCKS_MAX))
            }
            _ => 0,
        }
    }

    /// Counts one block as done.
    pub fn advance(&mut self) {
        if let Some(next_at) = &mut self.next_at {
            *next_at += BLOCK;
        }
    }

    /// Starts again from now if more than [`CATCH_UP_BLOCKS_MAX`] blocks are due. Returns whether it did.
    pub fn forgive(&mut self, now: Instant) -> bool {
        match &mut self.next_at {
            Some(next_at)
                if now.saturating_duration_since(*next_at) >= BLOCK * CATCH_UP_BLOCKS_MAX as u32 =>
            {
                *next_at = now;
                true
            }
            _ => false,
        }
    }

    /// When the next block is due; in the past where one is overdue.
    pub fn next_due(&self) -> Option<Instant> {
        self.next_at
    }
}

const BLOCK: Duration = Duration::from_millis(BLOCK_MS as u64);

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // a test needs some instant to start from
mod tests {
    use super::*;

    #[test]
    fn a_block_each_ten_milliseconds_whatever_the_turns() {
        let start = Instant::now();
        let mut pace = Pace::default();
        assert_eq!((pace.due(start), pace.next_due()), (0, None));
        pace.start(start);
        let mut given = 0;
        for at_ms in [0, 3, 9, 10, 31, 33, 50, 99] {
            let now = start + Duration::from_millis(at_ms);
            while pace.due(now) > 0 {
                pace.advance();
                given += 1;
            }
            assert_eq!(given, at_ms / 10 + 1, "at {at_ms} ms");
            assert_eq!(pace.next_due(), Some(start + Duration::from_millis(given * 10)));
        }
    }

    #[test]
    fn catches_up_in_bounded_steps_or_forgives() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.start(start);
        let late = start + Duration::from_secs(3600);
        assert_eq!(pace.due(late), CATCH_UP_BLOCKS_MAX);
        assert!(pace.forgive(late));
        assert_eq!(pace.due(late), 1);
        assert!(!pace.forgive(late + Duration::from_millis(99)));
    }
}
