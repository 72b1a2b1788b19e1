//! The volume of the output: [`OutputVolume`]. A card that has a volume of its own goes up to 100 %; what is above is
//! done to the samples.

use crate::media::gain::Gain;

/// The volume of the output, set by the card's mixer or by scaling.
pub(in crate::engine) struct OutputVolume {
    percent: u8,
    is_by_card: bool,
    gain: Gain,
}

impl OutputVolume {
    /// In percent of the unchanged level.
    pub(in crate::engine) fn new(percent: u8) -> OutputVolume {
        let mut volume = OutputVolume { percent, is_by_card: false, gain: Gain::new(1.0) };
        volume.update();
        volume
    }

    /// Sets the volume, in percent.
    pub(in crate::engine) fn set_percent(&mut self, percent: u8) {
        self.percent = percent;
        self.update();
    }

    /// Whether the card's mixer has been set to the volume, as far as it goes.
    pub(in crate::engine) fn set_by_card(&mut self, is_by_card: bool) {
        self.is_by_card = is_by_card;
        self.update();
    }

    /// What is left to be done to the samples.
    pub(in crate::engine) fn gain(&mut self) -> &mut Gain {
        &mut self.gain
    }

    fn update(&mut self) {
        let percent = if self.is_by_card { self.percent.max(100) } else { self.percent };
        self.gain.set(f32::from(percent) / 100.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::block::{BLOCK_FRAMES, Block};

    #[test]
    fn a_card_makes_what_it_can_of_the_volume() {
        for (percent, is_by_card, expected) in
            [(50, false, 0.5), (50, true, 1.0), (100, true, 1.0), (150, true, 1.5), (150, false, 1.5)]
        {
            let mut volume = OutputVolume::new(percent);
            volume.set_by_card(is_by_card);
            let mut block = Block([0.5; BLOCK_FRAMES]);
            volume.gain().apply(&mut block);
            assert_eq!(block.0[BLOCK_FRAMES - 1], 0.5 * expected, "{percent} {is_by_card}");
        }
    }
}
