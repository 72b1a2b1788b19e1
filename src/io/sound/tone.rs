//! A sine, to hear whether anything is heard.

use std::f64::consts::TAU;

use crate::media::block::{Block, SAMPLE_RATE_HZ};

/// -12 dB over full scale: loud enough to judge, not so loud as to hurt.
const AMPLITUDE: f64 = 0.25;

/// An endless sine.
#[derive(Debug, Clone)]
pub struct Tone {
    /// Phase, in turns.
    turns: f64,
    turns_per_sample: f64,
}

impl Tone {
    /// A sine of this pitch.
    pub fn new(hz: u32) -> Tone {
        Tone { turns: 0.0, turns_per_sample: f64::from(hz) / f64::from(SAMPLE_RATE_HZ) }
    }

    /// The next 10 ms of it.
    pub fn read(&mut self, block: &mut Block) {
        for sample in &mut block.0 {
            *sample = (AMPLITUDE * (TAU * self.turns).sin()) as f32;
            self.turns = (self.turns + self.turns_per_sample).fract();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_periods_as_hertz() {
        let mut tone = Tone::new(1_000);
        let mut block = Block::SILENCE;
        let mut rises = 0;
        let mut last = -1.0;
        for _ in 0..100 {
            tone.read(&mut block);
            for &sample in &block.0 {
                rises += u32::from(last < 0.0 && sample >= 0.0);
                last = sample;
                assert!(sample.abs() <= AMPLITUDE as f32);
            }
        }
        assert!((999..=1_001).contains(&rises), "{rises}");
    }
}
