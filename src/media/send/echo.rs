//! Removes the sound of the loudspeaker from the microphone: WebRTC's AEC3, as ported by `sonora`.
//!
//! ```text
//! reference ─► bands ─► 64 samples ─► render ─┐
//!                                             ├─► AEC3 ─► 64 samples ─► bands without echo
//! microphone ─► bands ─► 64 samples ─► capture┘
//! ```
//!
//! This is the only file that names it. It works on blocks of 64 samples a band, ours have 160: what is
//! left over waits, and 32 samples of silence at the start make the sums come out (2 ms). Reference and
//! microphone come in step, one block each, so it never meets its own buffer's ends; keeping them in step
//! is the work of [`reference`](crate::media::send::reference).
//!
//! The library allocates some 15 kB per block for its working memory, of fixed sizes, and frees it in the same call.

use sonora_aec3::block::Block as AecBlock;
use sonora_aec3::block_processor::BlockProcessor;
use sonora_aec3::config::{EchoCanceller3Config, TransparentModeType};

use crate::media::block::SAMPLE_RATE_HZ;
use crate::media::send::bands::{BAND_SAMPLES, BANDS, Bands};

/// Samples of a band that AEC3 takes at a time.
const STEP: usize = 64;

/// Ours, whole steps of theirs, and what may be left over.
const QUEUE: usize = BAND_SAMPLES + 2 * STEP;

/// Silence before the first step, so that each block finds 160 samples that are ready: 160 = 2 × 64 + 32.
const HEAD_START: usize = 32;

/// An echo canceller for one microphone and one loudspeaker.
#[derive(Debug)]
pub struct EchoCanceller {
    aec: BlockProcessor,
    render: Queue,
    capture: Queue,
    done: Queue,
    /// Played and captured samples of a step; kept here, so that they are not allocated for each.
    played: AecBlock,
    step: AecBlock,
}

impl EchoCanceller {
    /// A canceller that has learned nothing yet.
    pub fn new() -> Self {
        let aec = BlockProcessor::new(&tuning(), SAMPLE_RATE_HZ as usize, 1, 1);
        let mut done = Queue::new();
        done.filled = HEAD_START;
        let [played, step] = [(); 2].map(|()| AecBlock::new(BANDS, 1));
        Self { aec, render: Queue::new(), capture: Queue::new(), done, played, step }
    }

    /// Removes the echo of `reference` from `capture`. `is_clipped`: the microphone was too loud for its converter, so
    /// that the echo in it is not linear any more.
    pub fn process(&mut self, reference: &Bands, capture: &mut Bands, is_clipped: bool) {
        self.render.push(reference);
        self.capture.push(capture);
        while self.capture.pop_step(&mut self.step) {
            self.aec_step(is_clipped);
        }
        self.done.pop(capture);
    }

    /// One step, whose capture is in `self.step`.
    fn aec_step(&mut self, is_clipped: bool) {
        let Self { aec, render, done, played, step, .. } = self;
        render.pop_step(played);
        aec.buffer_render(played);
        aec.process_capture(false, is_clipped, None, step);
        done.push_step(step);
    }
}

impl Default for EchoCanceller {
    fn default() -> Self {
        Self::new()
    }
}

/// The default settings of AEC3, except where others are better. `cargo test --test sim echo_table` has the room in
/// which they were tried. Each cell is what is sent of a near voice that speaks at the same time as the loudspeaker and
/// as loud, in dB, and its similarity to the voice:
///
/// | setting | the room | cards 300 ppm apart | no echo: a headset | echo left, loudspeaker saturating |
/// | --- | --- | --- | --- | --- |
/// | AEC3's own | −4.1, 0.84 | −6.0, 0.76 | −14.4, 0.45 | −44 dB |
/// | echo assumed down by 16, above 4 kHz by 4 | −2.1, 0.90 | | −14.4, 0.45 | −45 dB |
/// | by 30 and 8, and the model of no echo | −1.7, 0.92 | −3.4, 0.84 | −0.4, 0.98 | −43 dB |
/// | and a slower fast filter | −1.7, 0.92 | −3.0, 0.87 | −0.4, 0.98 | −41 dB |
/// | and another one at first: **ours** | −2.1, 0.90 | −3.1, 0.85 | −0.4, 0.98 | −42 dB |
/// | by 60 and 10 | −1.5, 0.93 | −3.3, 0.85 | −0.4, 0.98 | −38 dB |
/// | thresholds of masking three times as high | −1.6, 0.92 | | | −44 dB |
/// | half the evidence for a near voice | −4.1, 0.84 | | | −45 dB |
/// | a filter of 80 ms instead of 52 | −4.3, 0.83 | | −12.1, 0.51 | −45 dB |
///
/// The assumption about the room before anything is known of it (`ep_strength.default_gain`) is left at AEC3's default:
/// an echo as loud as the loudspeaker. The price is paid by a near voice during the far end's very first words. The
/// same table, for a voice in the first four seconds, with an echo and without one, and for the echo of a room that
/// makes it twice as loud, in the first half second:
///
/// | believed | the room | no echo | ERLE, an echo of +6 dB |
/// | --- | --- | --- | --- |
/// | 1: **ours** | −8.2, 0.69 | −8.2, 0.63 | 44 dB |
/// | 0.3 | −6.9, 0.73 | −5.6, 0.76 | 4 dB |
/// | 0.1 | −5.4, 0.68 | −1.5, 0.93 | 0 dB |
fn tuning() -> EchoCanceller3Config {
    let mut config = EchoCanceller3Config::default();
    // The reference comes aligned: the echo begins within the first step, not 20 ms later. So the filter
    // covers it from the first word on, before the delay is estimated.
    config.delay.default_delay = 1;
    // So the search for the delay, half of what it costs, need not look half a second back: one of its five
    // filters reaches 128 ms, for cards that hide a buffer. And no echo comes before its reference.
    config.delay.num_filters = 1;
    config.delay.detect_pre_echo = false;
    // The filter takes 20 to 30 dB out where the reference is in step; AEC3 believes 6, since it cannot know, and gates
    // away as echo what is left of a voice. What it measures of the filter counts up to these, as ratios of power.
    config.erle.max_l = 30.0;
    config.erle.max_h = 8.0;
    // Without any echo, the counters of its first version still gate a voice after five seconds of the far end; the
    // Markov model does not.
    config.echo_removal_control.transparent_mode = TransparentModeType::Hmm;
    // At its default rates of 0.9 and 0.7 its fast filter follows even a vowel of a near voice, takes it for an echo
    // and doubts for seconds that there is none. Of 560 s in which two voices spoke together from the first word on,
    // without an echo, 130 s were gated at those, 62 s at 0.4, 45 s at 0.2; but below 0.4 a changed room is detected
    // too late.
    (config.filter.coarse_initial.rate, config.filter.coarse.rate) = (0.4, 0.4);
    // For the first 2.5 s its filter reaches 24 ms instead of 48, and learns on however sure it is of itself (0.1 instead
    // of 0.001): it is believed after half a second, and has not learned the room of a high voice by then else, whose echo
    // came through until 1.2 s, 7 dB down. Like this it is 31 dB down; and of the 560 s above 25 are gated.
    (config.filter.refined_initial.length_blocks, config.filter.refined_initial.error_floor) = (6, 0.1);
    config
}

/// Samples of each band between our blocks and the steps of AEC3.
#[derive(Debug)]
struct Queue {
    samples: [[f32; QUEUE]; BANDS],
    filled: usize,
}

impl Queue {
    fn new() -> Self {
        Self { samples: [[0.0; QUEUE]; BANDS], filled: 0 }
    }

    fn push(&mut self, bands: &Bands) {
        let end = self.filled + BAND_SAMPLES;
        for (samples, band) in self.samples.iter_mut().zip(bands) {
            samples[self.filled..end].copy_from_slice(band);
        }
        self.filled = end;
    }

    fn pop(&mut self, bands: &mut Bands) {
        for (samples, band) in self.samples.iter_mut().zip(bands) {
            band.copy_from_slice(&samples[..BAND_SAMPLES]);
        }
        self.drop_front(BAND_SAMPLES);
    }

    fn push_step(&mut self, step: &AecBlock) {
        let end = self.filled + STEP;
        for (band, samples) in self.samples.iter_mut().enumerate() {
            samples[self.filled..end].copy_from_slice(step.view(band, 0));
        }
        self.filled = end;
    }

    /// The next step, if there is one.
    fn pop_step(&mut self, step: &mut AecBlock) -> bool {
        if self.filled < STEP {
            return false;
        }
        for (band, samples) in self.samples.iter().enumerate() {
            step.view_mut(band, 0).copy_from_slice(&samples[..STEP]);
        }
        self.drop_front(STEP);
        true
    }

    fn drop_front(&mut self, count: usize) {
        for samples in &mut self.samples {
            samples.copy_within(count..self.filled, 0);
        }
        self.filled -= count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::block::Block;
    use crate::media::send::bands::{Joiner, SILENT_BANDS, Splitter};
    use crate::media::tests::voice::{correlate, noise};

    #[test]
    fn what_was_not_played_passes_and_is_late_by_a_few_milliseconds() {
        let (mut echo, mut splitter, mut joiner) =
            (EchoCanceller::new(), Splitter::default(), Joiner::default());
        let (mut said, mut sent, mut state) = (Vec::new(), Vec::new(), 7);
        for _ in 0..200 {
            let (mut block, mut bands) = (Block::SILENCE, SILENT_BANDS);
            noise(0.1, &mut state, &mut block);
            said.extend(block.0);
            splitter.split(&block, &mut bands);
            echo.process(&SILENT_BANDS, &mut bands, false);
            joiner.join(&bands, &mut block);
            sent.extend(block.0);
        }
        let (lag, alike) = (0..1000)
            .map(|lag| (lag, correlate(&said[48_000..50_000], &sent[48_000 + lag..], 0).1))
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .unwrap();
        assert!((300..8 * 48).contains(&lag), "{} ms", lag as f64 / 48.0);
        assert!(alike > 0.9, "{alike}");
    }

    #[test]
    fn what_was_played_does_not() {
        let (mut echo, mut splitter) = (EchoCanceller::new(), Splitter::default());
        let mut state = 5;
        let (mut before, mut after) = (0.0_f64, 0.0_f64);
        let mut late = SILENT_BANDS;
        for index in 0..400 {
            let (mut block, mut bands) = (Block::SILENCE, SILENT_BANDS);
            noise(0.2, &mut state, &mut block);
            splitter.split(&block, &mut bands);
            // The room: half as loud, one block later.
            let mut heard = late.map(|band| band.map(|sample| 0.5 * sample));
            let energy = |bands: &Bands| bands.iter().flatten().map(|s| f64::from(s * s)).sum::<f64>();
            let loud = energy(&heard);
            echo.process(&bands, &mut heard, false);
            if index > 200 {
                before += loud;
                after += energy(&heard);
            }
            late = bands;
        }
        assert!(10.0 * (before / after).log10() > 30.0, "{} dB", 10.0 * (before / after).log10());
    }
}
