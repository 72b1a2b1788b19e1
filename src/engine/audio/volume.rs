//! What sound cards make the engine do besides their blocks: they are away for a while, and some have a volume
//! of their own.
//!
//! | card | while it is away | when it is back |
//! | --- | --- | --- |
//! | microphone | no packets, as while muted | RTP time has gone on: listeners see a pause |
//! | loudspeaker | packets come, the rings keep the newest | talkers begin anew, so nobody hears what is long over |

use crate::engine::Engine;
use crate::media::gain::Gain;

/// The volume of the output, and who makes it.
pub(in crate::engine) struct Volume {
    percent: u8,
    is_of_card: bool,
    gain: Gain,
}

impl Volume {
    /// In percent of the unchanged level.
    pub(in crate::engine) fn new(percent: u8) -> Volume {
        let mut volume = Volume { percent, is_of_card: false, gain: Gain::new(1.0) };
        volume.update();
        volume
    }

    /// What is left to be done to the samples.
    pub(in crate::engine) fn gain(&mut self) -> &mut Gain {
        &mut self.gain
    }

    /// A card goes up to 100 %; what is above is ours.
    fn update(&mut self) {
        let percent = if self.is_of_card { self.percent.max(100) } else { self.percent };
        self.gain.set(f32::from(percent) / 100.0);
    }
}

impl Engine {
    /// Whether the card's mixer has been set to the volume, as far as it goes; else the samples are changed.
    pub fn set_volume_by_card(&mut self, is_of_card: bool) {
        self.hearing.volume.is_of_card = is_of_card;
        self.hearing.volume.update();
    }

    pub(in crate::engine) fn set_volume(&mut self, percent: u8) {
        self.hearing.volume.percent = percent;
        self.hearing.volume.update();
    }

    /// So many blocks of time have passed without a microphone: nothing is sent for them.
    pub fn skip_capture(&mut self, blocks: u32) {
        if let Some(microphone) = &mut self.local.microphone {
            microphone.sender.skip(blocks);
            microphone.recent.forget();
        }
    }

    /// The loudspeaker was away and is back.
    pub fn restart_playback(&mut self) {
        self.hearing.listener.restart();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::block::{BLOCK_FRAMES, Block};

    #[test]
    fn a_card_makes_what_it_can_of_the_volume() {
        for (percent, is_of_card, expected) in
            [(50, false, 0.5), (50, true, 1.0), (100, true, 1.0), (150, true, 1.5), (150, false, 1.5)]
        {
            let mut volume = Volume::new(percent);
            volume.is_of_card = is_of_card;
            volume.update();
            let mut block = Block([0.5; BLOCK_FRAMES]);
            volume.gain().apply(&mut block);
            assert_eq!(block.0[BLOCK_FRAMES - 1], 0.5 * expected, "{percent} {is_of_card}");
        }
    }
}
