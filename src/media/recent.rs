//! The level of the microphone in the last two seconds, to diagnose a box that is not heard.
//!
//! ```text
//!   block ─► a second ─► the second before ─► forgotten
//!                └───────┬───────┘
//!                      read               of captured sound: before mute, talk key and everything that is done to it
//! ```

use super::block::{BLOCK_MS, Block};
use super::level::level_dbfs;

/// Blocks of a second: long enough for a word, short enough to see a hand that knocks on the microphone.
const SECOND_BLOCKS: u32 = 1000 / BLOCK_MS;

/// The last one to two seconds.
#[derive(Debug, Clone, Default)]
pub struct RecentLevel {
    blocks: u32,
    loudest_dbfs: Option<f32>,
    before_dbfs: Option<f32>,
}

impl RecentLevel {
    /// Takes the next block as it was captured.
    pub fn add(&mut self, block: &Block) {
        if self.blocks == SECOND_BLOCKS {
            *self = Self { before_dbfs: self.loudest_dbfs, ..Self::default() };
        }
        self.blocks += 1;
        self.loudest_dbfs = louder(Some(level_dbfs(block)), self.loudest_dbfs);
    }

    /// The level of the loudest block, in dBFS; none if nothing was captured.
    pub fn read(&self) -> Option<f32> {
        louder(self.loudest_dbfs, self.before_dbfs)
    }

    /// The microphone is gone: its level is not of interest any more.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

fn louder(one: Option<f32>, other: Option<f32>) -> Option<f32> {
    one.into_iter().chain(other).reduce(f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::block::BLOCK_FRAMES;

    #[test]
    fn two_seconds_are_remembered_and_no_more() {
        let mut level = RecentLevel::default();
        assert_eq!(level.read(), None);
        level.add(&Block([1.0; BLOCK_FRAMES]));
        for _ in 0..2 * SECOND_BLOCKS - 1 {
            level.add(&Block([0.01; BLOCK_FRAMES]));
        }
        assert!(level.read().is_some_and(|loudest| loudest > -1.0), "still of the second before");
        level.add(&Block([0.01; BLOCK_FRAMES]));
        assert!(level.read().is_some_and(|loudest| (loudest + 40.0).abs() < 0.1));
        level.forget();
        assert_eq!(level.read(), None);
    }
}
