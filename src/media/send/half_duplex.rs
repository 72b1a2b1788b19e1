//! Only one speaks at a time: the gate for boards on which an echo canceller is too dear.
//!
//! While the loudspeaker plays a voice, the microphone is silent, and 250 ms longer, which is what waits in the cards
//! and reverberates in a room. It costs nothing and never fails; but a speaker cannot be interrupted.

use crate::media::block::Block;
use crate::media::gain::Gain;

/// RMS of what is played above which it counts as speech: −50 dBFS. A far end's comfort noise lies below.
const SPEAKS: f32 = 0.003;

/// Blocks that the gate stays closed: 100 ms in the cards, 150 ms of the room.
const HOLD_BLOCKS: u32 = 25;

/// A gate for the microphone that is closed while the loudspeaker speaks.
#[derive(Debug)]
pub struct HalfDuplex {
    gain: Gain,
    blocks_left: u32,
}

impl HalfDuplex {
    /// An open gate.
    pub fn new() -> Self {
        Self { gain: Gain::new(1.0), blocks_left: 0 }
    }

    /// Takes the block that the loudspeaker gets.
    pub fn played(&mut self, block: &Block) {
        let square: f32 = block.0.iter().map(|sample| sample * sample).sum();
        if square > SPEAKS * SPEAKS * block.0.len() as f32 {
            self.blocks_left = HOLD_BLOCKS;
        }
    }

    /// Lets a captured block through, or not; in between it fades within the block.
    pub fn apply(&mut self, block: &mut Block) {
        self.gain.set(if self.blocks_left > 0 { 0.0 } else { 1.0 });
        self.blocks_left = self.blocks_left.saturating_sub(1);
        self.gain.apply(block);
    }
}

impl Default for HalfDuplex {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::block::BLOCK_FRAMES;

    #[test]
    fn the_microphone_waits_for_the_loudspeaker_to_end() {
        let mut gate = HalfDuplex::new();
        let said = Block([0.1; BLOCK_FRAMES]);
        let sent = |gate: &mut HalfDuplex| {
            let mut block = said;
            gate.apply(&mut block);
            block
        };
        assert_eq!(sent(&mut gate), said);
        gate.played(&Block([0.2; BLOCK_FRAMES]));
        assert_eq!(sent(&mut gate).0[BLOCK_FRAMES - 1], 0.0, "faded");
        let closed = (0..200).take_while(|_| sent(&mut gate).is_silent()).count();
        assert_eq!(closed as u32, HOLD_BLOCKS - 1);
        assert_eq!(sent(&mut gate), said);
    }

    #[test]
    fn noise_of_the_far_end_closes_nothing() {
        let mut gate = HalfDuplex::new();
        gate.played(&Block([0.001; BLOCK_FRAMES]));
        let mut block = Block([0.1; BLOCK_FRAMES]);
        gate.apply(&mut block);
        assert_eq!(block, Block([0.1; BLOCK_FRAMES]));
    }
}
