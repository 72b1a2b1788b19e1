//! Decides when sound may be left out, because it stands too far behind its target.
//!
//! The delay is above the target after a stall, after the target fell, and with a sender whose clock
//! is faster than ours. On a clean link it never is by [`MARGIN_SAMPLES`] for a whole window, so
//! nothing is left out there. A quiet block goes first; a loud one only when much is to be made good.

use super::clock::{Minimum, SAMPLES_PER_MS};
use crate::media::block::{BLOCK_FRAMES, Block};
use crate::media::level::level_dbfs;

/// Nothing is left out until the delay stands this far above the target: more than a pull, a packet
/// and the phase between both make on a clean link.
pub const MARGIN_SAMPLES: i64 = 30 * SAMPLES_PER_MS;

/// Above this any block may go, quiet or not.
const URGENT_SAMPLES: i64 = 2 * MARGIN_SAMPLES;

/// The delay must stand there this long.
const WINDOW_SAMPLES: i64 = 1000 * SAMPLES_PER_MS;

/// Blocks below this are left out first: nobody hears it.
const QUIET_DBFS: f32 = -50.0;

/// Blocks from one that is left out to the next, quiet or not: at most half of a pause, and a tenth of
/// speech.
const QUIET_SPACING_BLOCKS: u32 = 2;
const LOUD_SPACING_BLOCKS: u32 = 10;

/// Watches how far the delay is above its target.
#[derive(Debug, Clone)]
pub struct Surplus {
    least: Minimum,
    now_samples: i64,
    is_leaving_out: bool,
    blocks_since: u32,
}

impl Surplus {
    /// No surplus known.
    pub fn new() -> Self {
        Surplus {
            least: Minimum::new(WINDOW_SAMPLES),
            now_samples: 0,
            is_leaving_out: false,
            blocks_since: LOUD_SPACING_BLOCKS,
        }
    }

    /// Forgets what was seen: the delay was just chosen anew.
    pub fn clear(&mut self) {
        *self = Surplus::new();
    }

    /// Learns, once a pull, that at local time `now` the delay is `surplus` samples above the target.
    pub fn watch(&mut self, now: i64, surplus: i64) {
        self.blocks_since = self.blocks_since.saturating_add(1);
        self.now_samples = surplus;
        self.least.push(now, surplus);
        if self.is_leaving_out && surplus <= BLOCK_FRAMES as i64 / 2 {
            self.is_leaving_out = false;
            self.least.clear();
        } else if self.least.get_whole().is_some_and(|least| least > MARGIN_SAMPLES) {
            self.is_leaving_out = true;
        }
    }

    /// Whether `block`, about to be played, may be joined with the one after it.
    pub fn may_leave_out(&self, block: &Block) -> bool {
        if !self.is_leaving_out {
            return false;
        }
        if level_dbfs(block) < QUIET_DBFS {
            self.blocks_since >= QUIET_SPACING_BLOCKS
        } else {
            self.now_samples > URGENT_SAMPLES && self.blocks_since >= LOUD_SPACING_BLOCKS
        }
    }

    /// Learns that a block was left out.
    pub fn left_out(&mut self) {
        self.blocks_since = 0;
    }
}

impl Default for Surplus {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOUD: Block = Block([0.1; BLOCK_FRAMES]);

    /// Blocks left out in `blocks` of `block`, beginning `surplus_ms` above the target.
    fn left_out(block: &Block, surplus_ms: i64, blocks: i64) -> i64 {
        let mut surplus = Surplus::new();
        let mut count = 0;
        for i in 0..blocks {
            surplus.watch(i * 480, surplus_ms * SAMPLES_PER_MS - count * 480);
            if surplus.may_leave_out(block) {
                surplus.left_out();
                count += 1;
            }
        }
        count
    }

    #[test]
    fn blocks_left_out_by_surplus_and_loudness() {
        let cases = [
            (&LOUD, 25, 0),
            (&Block::SILENCE, 25, 0),
            (&LOUD, 50, 0), // heard, and not needed that much
            (&Block::SILENCE, 50, 5),
            (&LOUD, 150, 9), // down to where it is not urgent any more
            (&Block::SILENCE, 150, 15),
        ];
        for (block, surplus_ms, expected) in cases {
            assert_eq!(left_out(block, surplus_ms, 1000), expected, "{surplus_ms} ms");
        }
    }

    #[test]
    fn a_moment_on_the_target_is_enough_to_leave_all_in() {
        let mut surplus = Surplus::new();
        for i in 0..1000 {
            surplus.watch(i * 480, if i % 90 == 0 { 0 } else { 100 * SAMPLES_PER_MS });
            assert!(!surplus.may_leave_out(&Block::SILENCE));
        }
    }
}
