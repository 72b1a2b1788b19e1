//! What is done to the microphone's blocks before the track takes them: [`CapturePath`].
//!
//! ```text
//!   captured ─► level (status) ─► AudioProcessor (echo, noise, level) ─► silence where it has become private ─► track
//!                                   ▲ played     ▲ OverloadGovernor
//! ```

use std::time::{Duration, Instant};

use crate::engine::outbox::Outbox;
use crate::media::block::Block;
use crate::media::recent::RecentLevel;
use crate::media::send::audio_processor::{AudioProcessor, Duplex};
use crate::media::send::overload::{LoadAdvice, OverloadGovernor};

/// Blocks that may be on their way from the converter to the encoder: the processor's 13 ms, and a period of the card with
/// what its resampler holds.
const STALE_BLOCKS: u32 = 5;

/// From the card to the track.
pub(super) struct CapturePath {
    recent: RecentLevel,
    processor: Option<Box<AudioProcessor>>,
    governor: OverloadGovernor,
    /// Blocks to come that were captured before the sound was discarded.
    stale_blocks: u32,
}

impl CapturePath {
    /// Does to the sound what is `wanted`.
    pub(super) fn new(wanted: Duplex) -> CapturePath {
        CapturePath {
            recent: RecentLevel::default(),
            processor: AudioProcessor::new(wanted).map(Box::new),
            governor: OverloadGovernor::new(),
            stale_blocks: 0,
        }
    }

    /// What is done to the sound, when all goes well.
    pub(super) fn wanted(&self) -> Duplex {
        self.processor.as_ref().map_or(Duplex::Untouched, |processor| processor.wanted())
    }

    /// Processes a captured block. `lag`: samples that wait in both cards.
    pub(super) fn process(&mut self, block: &Block, lag: Option<f32>) -> Block {
        self.recent.add(block);
        let mut cleaned = *block;
        if let Some(processor) = &mut self.processor {
            processor.process(&mut cleaned, lag);
        }
        if self.stale_blocks > 0 {
            self.stale_blocks -= 1;
            cleaned = Block::SILENCE;
        }
        cleaned
    }

    /// Takes the very block that the loudspeaker gets.
    pub(super) fn played(&mut self, block: &Block) {
        if let Some(processor) = &mut self.processor {
            processor.played(block);
        }
    }

    /// What was captured until now has become private: it is silence when it comes.
    pub(super) fn discard(&mut self) {
        self.stale_blocks = STALE_BLOCKS;
    }

    /// The microphone is gone: its level is not of interest any more.
    pub(super) fn forget_level(&mut self) {
        self.recent.forget();
    }

    /// The loudest block of the last two seconds, as it was captured.
    pub(super) fn loudest_dbfs(&self) -> Option<f32> {
        self.recent.read()
    }

    /// How long the turn took that began at `now`: where too many take too long, less is done to the sound.
    pub(super) fn handle_turn(&mut self, took: Duration, now: Instant, out: &mut Outbox) {
        let Some(processor) = &mut self.processor else { return };
        let advice = self.governor.turn(took, now);
        match (advice, processor.now().lighter()) {
            (Some(LoadAdvice::Shed), Some(lighter)) => {
                processor.set(lighter);
                out.warn(format!("this board is too slow for it: from now on {lighter}"));
            }
            (Some(LoadAdvice::Restore), _) if processor.now() != processor.wanted() => {
                let heavier = processor.heavier();
                processor.set(heavier);
                out.warn(format!("this board has time again: {heavier}"));
            }
            _ => {}
        }
    }
}
