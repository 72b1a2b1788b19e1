//! From what a microphone's card gives to one clean channel: which channel, without its offset, loud enough.
//!
//! I2S microphones need all three. They sit on one of two channels (L/R pin), the other holds zeros or noise;
//! some have a constant offset of a per cent of full scale, which eats headroom and clicks at every mute; and
//! their 18 or 24 bits leave speech 30 dB below what other cards give.

use crate::io::sound::settings::Settings;

/// Which channel of a frame is the voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// This one, from 0; the last one where there are fewer.
    Channel(u32),
    /// The mean of all.
    Mean,
}

impl Default for Pick {
    fn default() -> Self {
        Pick::Channel(0)
    }
}

/// What is done to the samples of a microphone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditioning {
    /// Which channel.
    pub pick: Pick,
    /// How much louder, in decibels.
    pub gain_db: f32,
    /// A constant offset is taken out.
    pub blocks_dc: bool,
}

impl Default for Conditioning {
    fn default() -> Self {
        Conditioning { pick: Pick::default(), gain_db: 0.0, blocks_dc: false }
    }
}

/// Does it, frame by frame.
#[derive(Debug)]
pub struct Conditioner {
    pick: Pick,
    gain: f32,
    dc_blocker: Option<DcBlocker>,
}

/// A zero at 0 Hz and a pole next to it: y[n] = x[n] - x[n-1] + pole · y[n-1].
#[derive(Debug)]
struct DcBlocker {
    pole: f32,
    last_input: f32,
    last_output: f32,
}

/// -3 dB of the blocker: below every voice, and an offset is gone in a tenth of a second.
const DC_CUT_OFF_HZ: f32 = 10.0;

impl Conditioner {
    /// For samples of this rate.
    pub fn new(conditioning: Conditioning, rate_hz: u32) -> Conditioner {
        let pole = 1.0 - std::f32::consts::TAU * DC_CUT_OFF_HZ / rate_hz as f32;
        let blocker = DcBlocker { pole, last_input: 0.0, last_output: 0.0 };
        Conditioner {
            pick: conditioning.pick,
            gain: 10.0_f32.powf(conditioning.gain_db / 20.0),
            dc_blocker: conditioning.blocks_dc.then_some(blocker),
        }
    }

    /// The voice in each of these frames, within ±1.
    pub fn samples(&mut self, frames: &[u8], settings: &Settings, samples: &mut [f32]) {
        let (format, frame_bytes) = (settings.format, settings.frame_bytes());
        match self.pick {
            Pick::Channel(channel) => {
                let channel = channel.min(settings.channels.saturating_sub(1)) as usize;
                format.pick(frames, frame_bytes, channel * format.bytes(), samples);
            }
            Pick::Mean => {
                for (sample, frame) in samples.iter_mut().zip(frames.chunks_exact(frame_bytes.max(1))) {
                    let sum: f32 = frame.chunks_exact(format.bytes()).map(|bytes| format.decode(bytes)).sum();
                    *sample = sum / settings.channels.max(1) as f32;
                }
            }
        }
        if let Some(blocker) = &mut self.dc_blocker {
            samples.iter_mut().for_each(|sample| *sample = blocker.next(*sample));
        }
        // Samples of cards are within ±1 already.
        if self.gain != 1.0 || self.dc_blocker.is_some() {
            samples.iter_mut().for_each(|sample| *sample = (*sample * self.gain).clamp(-1.0, 1.0));
        }
    }
}

impl DcBlocker {
    fn next(&mut self, input: f32) -> f32 {
        let output = input - self.last_input + self.pole * self.last_output;
        (self.last_input, self.last_output) = (input, output);
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::sound::format::SampleFormat;
    use crate::io::sound::sizes::{Buffering, Way};

    fn settings(channels: u32, format: SampleFormat) -> Settings {
        let buffering = Buffering::default();
        let sizes = buffering.granted(Way::Capture, 48_000, 480, 3_840).unwrap();
        Settings { rate_hz: 48_000, channels, format, sizes }
    }

    fn frame(samples: &[f32], format: SampleFormat) -> Vec<u8> {
        let mut bytes = vec![0; samples.len() * format.bytes()];
        for (sample, bytes) in samples.iter().zip(bytes.chunks_exact_mut(format.bytes())) {
            format.encode(*sample, bytes);
        }
        bytes
    }

    fn sample(conditioner: &mut Conditioner, frame: &[u8], settings: &Settings) -> f32 {
        let mut sample = [0.0];
        conditioner.samples(frame, settings, &mut sample);
        sample[0]
    }

    #[test]
    fn the_channel_that_is_named() {
        let settings = settings(2, SampleFormat::S32);
        let frame = frame(&[0.25, -0.75], SampleFormat::S32);
        for (pick, expected) in [
            (Pick::Channel(0), 0.25),
            (Pick::Channel(1), -0.75),
            (Pick::Channel(9), -0.75),
            (Pick::Mean, -0.25),
        ] {
            let mut conditioner = Conditioner::new(Conditioning { pick, ..Conditioning::default() }, 48_000);
            assert_eq!(sample(&mut conditioner, &frame, &settings), expected, "{pick:?}");
            assert_eq!(sample(&mut conditioner, &frame[..0], &settings), 0.0, "half a frame is no panic");
        }
    }

    #[test]
    fn a_quiet_microphone_with_an_offset() {
        let settings = settings(1, SampleFormat::S24);
        let conditioning = Conditioning { gain_db: 20.0, blocks_dc: true, ..Conditioning::default() };
        let mut conditioner = Conditioner::new(conditioning, 48_000);
        let heard: Vec<f32> = (0..48_000)
            .map(|n| {
                let voice = 0.01 * (std::f32::consts::TAU * 300.0 * n as f32 / 48_000.0).sin();
                sample(&mut conditioner, &frame(&[0.05 + voice], SampleFormat::S24), &settings)
            })
            .skip(24_000)
            .collect();
        let mean = heard.iter().sum::<f32>() / heard.len() as f32;
        let peak = heard.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        assert!(mean.abs() < 1e-3, "offset {mean}");
        assert!((peak - 0.1).abs() < 0.002, "peak {peak}");
        let mut loud = Conditioner::new(Conditioning { gain_db: 60.0, ..Conditioning::default() }, 48_000);
        assert_eq!(sample(&mut loud, &frame(&[0.5], SampleFormat::S24), &settings), 1.0);
    }
}
