//! The time that passes without a card, in blocks: nothing is recorded in it, but RTP time goes on.

use std::time::{Duration, Instant};

use crate::limits::CAPTURE_GAP_MS_MAX;
use crate::media::block::BLOCK_MS;

/// Counts it, while there is any.
#[derive(Debug, Default)]
pub struct Absence {
    /// Counted up to here.
    since: Option<Instant>,
    blocks: u32,
    has_returned: bool,
}

impl Absence {
    /// The card is gone, as was found out `now`; it gave its last frame at `last`.
    pub fn begin(&mut self, last: Instant, now: Instant) {
        let gap_max = Duration::from_millis(u64::from(CAPTURE_GAP_MS_MAX));
        self.since = Some(last.max(now.checked_sub(gap_max).unwrap_or(now)));
    }

    /// The card is back.
    pub fn end(&mut self, now: Instant) {
        self.count(now);
        self.since = None;
        self.has_returned = true;
    }

    /// Blocks of time that passed without the card, each counted once.
    pub fn take_missed(&mut self, now: Instant) -> u32 {
        self.count(now);
        std::mem::take(&mut self.blocks)
    }

    /// Whether it came back since the last call.
    pub fn take_return(&mut self) -> bool {
        std::mem::take(&mut self.has_returned)
    }

    fn count(&mut self, now: Instant) {
        let Some(since) = &mut self.since else { return };
        let blocks = now.saturating_duration_since(*since).as_millis() / u128::from(BLOCK_MS);
        let blocks = u32::try_from(blocks).unwrap_or(u32::MAX);
        self.blocks = self.blocks.saturating_add(blocks);
        *since += Duration::from_millis(u64::from(blocks) * u64::from(BLOCK_MS));
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // a test needs some instant to start from
mod tests {
    use super::*;

    #[test]
    fn every_block_once_and_none_of_a_time_that_nobody_waits_for() {
        let start = Instant::now();
        let at_ms = |ms| start + Duration::from_millis(ms);
        let mut absence = Absence::default();
        assert_eq!((absence.take_missed(at_ms(99)), absence.take_return()), (0, false));
        absence.begin(at_ms(100), at_ms(600));
        assert_eq!([605, 609, 610, 1000].map(|ms| absence.take_missed(at_ms(ms))), [50, 0, 1, 39]);
        absence.end(at_ms(2_005));
        assert_eq!((absence.take_missed(at_ms(9_000)), absence.take_return()), (100, true));
        absence.begin(at_ms(0), at_ms(60_000));
        assert_eq!(absence.take_missed(at_ms(60_000)), 100, "of a long stall, a second");
    }
}
