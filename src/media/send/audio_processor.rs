//! Everything between a card's microphone and the encoder.
//!
//! ```text
//! loudspeaker ◄────────────── the block that is played
//!                                    │ played
//!                                    ▼
//!                                reference ─► bands ─┐
//! microphone ─► bands ─► noise: look ───────────────►echo ─► noise: take out ─► join ─► level ─► block
//! ```
//!
//! Delay: 7 ms with echo cancellation, 13 ms with noise suppression too. What a board cannot afford is
//! left out from the right: level, noise, and then echo, in whose place comes the half-duplex gate.

use std::fmt;

use crate::media::block::Block;
use crate::media::send::bands::{Joiner, SILENT_BANDS, Splitter};
use crate::media::send::echo::EchoCanceller;
use crate::media::send::gain_control::GainControl;
use crate::media::send::half_duplex::HalfDuplex;
use crate::media::send::noise::NoiseSuppressor;
use crate::media::send::reference::Reference;

/// A sample of the microphone beyond this is clipped by its converter.
const CLIPPED: f32 = 0.98;

/// What is done to the microphone's sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duplex {
    /// No processing: a handset, a talk key, a file. There is no echo.
    #[default]
    Untouched,
    /// Echo is cancelled: both sides may speak at once.
    Full {
        /// Steady noise is taken out as well, for 6 ms more of delay.
        noise: bool,
        /// Quiet talkers are brought up.
        level: bool,
    },
    /// Only one side speaks at a time.
    Half,
}

impl Duplex {
    /// All there is.
    pub const ALL: Duplex = Duplex::Full { noise: true, level: true };

    /// What is left when a step of it is given up; `None` if nothing can be.
    pub fn lighter(self) -> Option<Duplex> {
        match self {
            Duplex::Full { noise, level: true } => Some(Duplex::Full { noise, level: false }),
            Duplex::Full { noise: true, level: false } => Some(Duplex::Full { noise: false, level: false }),
            Duplex::Full { noise: false, level: false } => Some(Duplex::Half),
            Duplex::Half | Duplex::Untouched => None,
        }
    }

    /// What was given up last, on the way from `wanted` to this.
    fn heavier(self, wanted: Duplex) -> Duplex {
        let mut step = wanted;
        while let Some(lighter) = step.lighter() {
            if step == self || lighter == self {
                return step;
            }
            step = lighter;
        }
        wanted
    }

    /// Whether echo is cancelled.
    pub fn cancels_echo(self) -> bool {
        matches!(self, Duplex::Full { .. })
    }

    /// Whether noise is taken out.
    pub fn suppresses_noise(self) -> bool {
        matches!(self, Duplex::Full { noise: true, .. })
    }

    /// Whether the level is controlled.
    pub fn controls_level(self) -> bool {
        matches!(self, Duplex::Full { level: true, .. })
    }
}

impl fmt::Display for Duplex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Duplex::Untouched => "nothing is done to the microphone's sound",
            Duplex::Half => "only one side speaks at a time (half-duplex)",
            Duplex::Full { noise: true, level: true } => {
                "echo and noise are taken out, the level is controlled"
            }
            Duplex::Full { noise: true, level: false } => "echo and noise are taken out",
            Duplex::Full { noise: false, level: true } => "echo is taken out, the level is controlled",
            Duplex::Full { noise: false, level: false } => "echo is taken out",
        })
    }
}

/// Processes the microphone's blocks. All of our memory is taken at construction; the echo canceller's working memory is its own.
pub struct AudioProcessor {
    wanted: Duplex,
    now: Duplex,
    reference: Reference,
    microphone: Splitter,
    loudspeaker: Splitter,
    joiner: Joiner,
    echo: EchoCanceller,
    noise: Option<NoiseSuppressor>,
    gain_control: Option<GainControl>,
    gate: HalfDuplex,
}

impl AudioProcessor {
    /// A processor that does what is wanted; `None` if that is nothing.
    pub fn new(wanted: Duplex) -> Option<Self> {
        (wanted != Duplex::Untouched).then(|| Self {
            wanted,
            now: wanted,
            reference: Reference::new(),
            microphone: Splitter::default(),
            loudspeaker: Splitter::default(),
            joiner: Joiner::default(),
            echo: EchoCanceller::new(),
            noise: wanted.suppresses_noise().then(NoiseSuppressor::new),
            gain_control: wanted.controls_level().then(GainControl::new),
            gate: HalfDuplex::new(),
        })
    }

    /// Does from now on what a board can afford: something lighter than what was wanted, or that.
    pub fn set(&mut self, duplex: Duplex) {
        self.now = duplex;
        if let Some(noise) = &mut self.noise {
            noise.rest(!duplex.suppresses_noise());
        }
    }

    /// What is done now.
    pub fn now(&self) -> Duplex {
        self.now
    }

    /// What was wanted.
    pub fn wanted(&self) -> Duplex {
        self.wanted
    }

    /// A step back towards what was wanted.
    pub fn heavier(&self) -> Duplex {
        self.now.heavier(self.wanted)
    }

    /// Takes the very block that the loudspeaker gets.
    pub fn played(&mut self, block: &Block) {
        match self.now {
            Duplex::Full { .. } => self.reference.push(block),
            Duplex::Half => self.gate.played(block),
            Duplex::Untouched => {}
        }
    }

    /// Cleans a captured block. `lag`: samples that wait in both cards, see [`Reference::pull`].
    pub fn process(&mut self, block: &mut Block, lag: Option<f32>) {
        if self.now.cancels_echo() {
            self.cancel(block, lag);
        }
        if self.now.controls_level()
            && let Some(gain_control) = &mut self.gain_control
        {
            gain_control.process(block);
        }
        // Also where the gate is not needed: so it fades in and out when it comes and goes.
        self.gate.apply(block);
    }

    /// The place of the loudspeaker's sound among the microphone's blocks, for diagnosis.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    fn cancel(&mut self, block: &mut Block, lag: Option<f32>) {
        let is_clipped = block.0.iter().any(|sample| sample.abs() >= CLIPPED);
        let mut played = Block::SILENCE;
        self.reference.pull(lag, &mut played);
        let (mut bands, mut reference) = (SILENT_BANDS, SILENT_BANDS);
        self.loudspeaker.split(&played, &mut reference);
        self.microphone.split(block, &mut bands);
        if let Some(noise) = &mut self.noise {
            noise.analyse(&bands);
        }
        self.echo.process(&reference, &mut bands, is_clipped);
        if let Some(noise) = &mut self.noise {
            noise.process(&mut bands);
        }
        self.joiner.join(&bands, block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::tests::voice::voice;

    #[test]
    fn it_sheds_level_noise_and_then_echo() {
        let mut steps = vec![Duplex::ALL];
        while let Some(lighter) = steps[steps.len() - 1].lighter() {
            steps.push(lighter);
        }
        let full = |noise, level| Duplex::Full { noise, level };
        assert_eq!(steps, [full(true, true), full(true, false), full(false, false), Duplex::Half]);
        for pair in steps.windows(2) {
            assert_eq!(pair[1].heavier(Duplex::ALL), pair[0]);
        }
        assert_eq!(Duplex::ALL.heavier(Duplex::ALL), Duplex::ALL);
    }

    #[test]
    fn shedding_and_taking_back_leaves_no_click() {
        let wanted = Duplex::Full { noise: true, level: false };
        let steepest = |is_shed: fn(u64) -> bool| {
            let mut chain = AudioProcessor::new(wanted).unwrap();
            let (mut before, mut steepest) = (0.0_f32, 0.0_f32);
            for index in 0..400 {
                let light = Duplex::Full { noise: false, level: false };
                chain.set(if is_shed(index) { light } else { wanted });
                let mut block = Block::SILENCE;
                voice(index, &mut block);
                chain.played(&Block::SILENCE);
                chain.process(&mut block, Some(0.0));
                for sample in block.0 {
                    steepest = steepest.max((sample - before).abs());
                    before = sample;
                }
            }
            steepest
        };
        let (never, always) = (steepest(|_| false), steepest(|_| true));
        let sometimes = steepest(|index| index % 40 < 20);
        assert!(sometimes < 1.2 * never.max(always), "{sometimes} against {never} and {always}");
    }

    #[test]
    fn nothing_wanted_is_no_chain_and_half_duplex_waits() {
        assert!(AudioProcessor::new(Duplex::Untouched).is_none());
        let mut chain = AudioProcessor::new(Duplex::Half).unwrap();
        let said = Block([0.1; crate::media::block::BLOCK_FRAMES]);
        let mut block = said;
        chain.process(&mut block, None);
        assert_eq!(block, said);
        chain.played(&said);
        chain.process(&mut block, None);
        chain.process(&mut block, None);
        assert!(block.is_silent());
    }
}
