//! Makes one clean channel of the frames of a microphone's card: selects it, removes its DC offset, amplifies it.
//!
//! I2S microphones need all three. They sit on one of two channels (L/R pin), the other holds zeros or noise;
//! some have a constant offset of a per cent of full scale, which eats headroom and clicks at every mute; and
//! their 18 or 24 bits leave speech 30 dB below what other cards give.

use crate::media::sample_format::SampleFormat;

/// Selects the channel of a frame that is the voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelSelection {
    /// This one, from 0; the last one where there are fewer.
    Channel(u32),
    /// The mean of all.
    Mean,
}

impl Default for ChannelSelection {
    fn default() -> Self {
        ChannelSelection::Channel(0)
    }
}

/// How one channel is made of a microphone's frames.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChannelInputSettings {
    /// The channel to take.
    pub selection: ChannelSelection,
    /// Amplification, in decibels.
    pub gain_db: f32,
    /// A constant offset is taken out.
    pub blocks_dc: bool,
}

impl Default for ChannelInputSettings {
    fn default() -> Self {
        ChannelInputSettings { selection: ChannelSelection::default(), gain_db: 0.0, blocks_dc: false }
    }
}

/// Makes samples of frames; it holds the state of the DC blocker.
#[derive(Debug)]
pub struct ChannelInput {
    selection: ChannelSelection,
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

impl ChannelInput {
    /// For samples of this rate.
    pub fn new(settings: ChannelInputSettings, rate_hz: u32) -> ChannelInput {
        let pole = 1.0 - std::f32::consts::TAU * DC_CUT_OFF_HZ / rate_hz as f32;
        let blocker = DcBlocker { pole, last_input: 0.0, last_output: 0.0 };
        ChannelInput {
            selection: settings.selection,
            gain: 10.0_f32.powf(settings.gain_db / 20.0),
            dc_blocker: settings.blocks_dc.then_some(blocker),
        }
    }

    /// The voice in each of these frames, within ±1.
    pub fn samples(&mut self, frames: &[u8], format: SampleFormat, channels: u32, samples: &mut [f32]) {
        let frame_bytes = channels as usize * format.bytes();
        match self.selection {
            ChannelSelection::Channel(channel) => {
                let channel = channel.min(channels.saturating_sub(1)) as usize;
                format.decode_channel(frames, frame_bytes, channel * format.bytes(), samples);
            }
            ChannelSelection::Mean => {
                for (sample, frame) in samples.iter_mut().zip(frames.chunks_exact(frame_bytes.max(1))) {
                    let sum: f32 = frame.chunks_exact(format.bytes()).map(|bytes| format.decode(bytes)).sum();
                    *sample = sum / channels.max(1) as f32;
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

    fn frame(samples: &[f32], format: SampleFormat) -> Vec<u8> {
        let mut bytes = vec![0; samples.len() * format.bytes()];
        for (sample, bytes) in samples.iter().zip(bytes.chunks_exact_mut(format.bytes())) {
            format.encode(*sample, bytes);
        }
        bytes
    }

    fn sample(channel_input: &mut ChannelInput, frame: &[u8], format: SampleFormat, channels: u32) -> f32 {
        let mut sample = [0.0];
        channel_input.samples(frame, format, channels, &mut sample);
        sample[0]
    }

    #[test]
    fn the_channel_that_is_named() {
        let frame = frame(&[0.25, -0.75], SampleFormat::S32);
        for (selection, expected) in [
            (ChannelSelection::Channel(0), 0.25),
            (ChannelSelection::Channel(1), -0.75),
            (ChannelSelection::Channel(9), -0.75),
            (ChannelSelection::Mean, -0.25),
        ] {
            let mut channel_input = ChannelInput::new(
                ChannelInputSettings { selection, ..ChannelInputSettings::default() },
                48_000,
            );
            assert_eq!(sample(&mut channel_input, &frame, SampleFormat::S32, 2), expected, "{selection:?}");
            assert_eq!(
                sample(&mut channel_input, &frame[..0], SampleFormat::S32, 2),
                0.0,
                "half a frame does not panic"
            );
        }
    }

    #[test]
    fn a_quiet_microphone_with_an_offset() {
        let settings =
            ChannelInputSettings { gain_db: 20.0, blocks_dc: true, ..ChannelInputSettings::default() };
        let mut channel_input = ChannelInput::new(settings, 48_000);
        let heard: Vec<f32> = (0..48_000)
            .map(|n| {
                let voice = 0.01 * (std::f32::consts::TAU * 300.0 * n as f32 / 48_000.0).sin();
                sample(&mut channel_input, &frame(&[0.05 + voice], SampleFormat::S24), SampleFormat::S24, 1)
            })
            .skip(24_000)
            .collect();
        let mean = heard.iter().sum::<f32>() / heard.len() as f32;
        let peak = heard.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        assert!(mean.abs() < 1e-3, "offset {mean}");
        assert!((peak - 0.1).abs() < 0.002, "peak {peak}");
        let mut loud = ChannelInput::new(
            ChannelInputSettings { gain_db: 60.0, ..ChannelInputSettings::default() },
            48_000,
        );
        assert_eq!(sample(&mut loud, &frame(&[0.5], SampleFormat::S24), SampleFormat::S24, 1), 1.0);
    }
}
