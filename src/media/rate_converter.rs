//! Converts any sample rate to any other: windowed sinc, polyphase, exact in the long run.
//! [`resample`](crate::media::resample) follows a clock that is almost right; this changes the nominal rate.
//!
//! ```text
//! input ─► the last `taps` samples ─► · kernel(phase) ─► output      phase += from / to per output
//! ```
//!
//! The position between two input samples is kept as an integer fraction, so hours of sound come out
//! with neither gap nor drift. Going down, the kernel is stretched so that nothing folds back.
//! Width: 32 zero crossings and a Kaiser window of 9 give about 90 dB of rejection outside a transition
//! band of 0.18 of the lower rate; 128 phases with a line between them add less than that in error.

use sonora_simd::{SimdBackend, detect_backend};

/// Zero crossings of the kernel, in samples of the lower rate.
const CROSSINGS: usize = 32;

/// Kernels between two input samples.
const PHASES: usize = 128;

/// Shape of the window: the larger, the less leaks and the wider the transition.
const KAISER_BETA: f64 = 9.0;

/// Cut-off (-6 dB) over the lower of the two Nyquist frequencies: what folds back stays above 0.82 of it.
const CUT_OFF: f64 = 0.91;

/// Converts one channel. All memory is taken at creation.
#[derive(Debug, Clone)]
pub struct RateConverter {
    from: u32,
    to: u32,
    /// Input time since the newest sample in `history`, in `1 / to` of an input sample.
    position: u32,
    taps: usize,
    /// The kernel of each phase, one more than [`PHASES`] for the line from the last to the next sample.
    kernels: Box<[f32]>,
    /// The newest samples, written twice so that any `taps` of them lie in a row.
    history: Box<[f32]>,
    at: usize,
    /// What the processor has for two sums of products.
    simd: SimdBackend,
}

impl RateConverter {
    /// A converter; `None` if there is nothing to convert. Rates are not zero.
    pub fn new(from_hz: u32, to_hz: u32) -> Option<RateConverter> {
        if from_hz == to_hz || from_hz == 0 || to_hz == 0 {
            return None;
        }
        let divisor = greatest_common_divisor(from_hz, to_hz);
        let (from, to) = (from_hz / divisor, to_hz / divisor);
        // Input samples per sample of the lower rate.
        let stretch = (f64::from(from) / f64::from(to)).max(1.0);
        let taps = (CROSSINGS as f64 * stretch).ceil() as usize;
        Some(RateConverter {
            from,
            to,
            // The first output waits for the first input.
            position: to,
            taps,
            kernels: kernels(taps, stretch),
            history: vec![0.0; 2 * taps].into(),
            at: 0,
            simd: detect_backend(),
        })
    }

    /// The next output, fed by as much `input` as it takes; `None` if that had no more, in which case
    /// the call can be repeated with more.
    pub fn pull(&mut self, input: &mut impl FnMut() -> Option<f32>) -> Option<f32> {
        while self.position >= self.to {
            let sample = input()?;
            self.history[self.at] = sample;
            self.history[self.at + self.taps] = sample;
            self.at = (self.at + 1) % self.taps;
            self.position -= self.to;
        }
        let output = self.between();
        self.position += self.from;
        Some(output)
    }

    /// Inputs that the next `outputs` calls of [`RateConverter::pull`] take.
    pub fn inputs_for(&self, outputs: usize) -> usize {
        if outputs == 0 {
            return 0;
        }
        let last = u64::from(self.position) + u64::from(self.from) * (outputs as u64 - 1);
        usize::try_from(last / u64::from(self.to)).unwrap_or(usize::MAX)
    }

    /// Inputs of silence that bring the last sound out.
    pub fn delay_inputs(&self) -> usize {
        self.taps / 2
    }

    fn between(&self) -> f32 {
        let phase = f64::from(self.position) / f64::from(self.to) * PHASES as f64;
        let whole = (phase as usize).min(PHASES - 1);
        let part = (phase - whole as f64) as f32;
        let window = &self.history[self.at..self.at + self.taps];
        let near = &self.kernels[whole * self.taps..(whole + 1) * self.taps];
        let next = &self.kernels[(whole + 1) * self.taps..(whole + 2) * self.taps];
        let (a, b) = self.simd.dual_dot_product(window, near, next);
        a + (b - a) * part
    }
}

/// All phases of the kernel. Each phase sums to one, so that a constant stays what it is.
fn kernels(taps: usize, stretch: f64) -> Box<[f32]> {
    let half = taps as f64 / 2.0;
    let mut all = vec![0.0; (PHASES + 1) * taps];
    for (phase, kernel) in all.chunks_exact_mut(taps).enumerate() {
        let offset = phase as f64 / PHASES as f64;
        let weight = |tap: usize| {
            // Distance of this input sample from the output, the newest sample being the last tap.
            let distance = half - 1.0 - tap as f64 + offset;
            let x = distance * CUT_OFF / stretch;
            let sinc =
                if x == 0.0 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) };
            let edge = 1.0 - (distance / half).powi(2);
            if edge <= 0.0 { 0.0 } else { sinc * bessel(KAISER_BETA * edge.sqrt()) }
        };
        let sum: f64 = (0..taps).map(weight).sum();
        for (tap, value) in kernel.iter_mut().enumerate() {
            *value = (weight(tap) / sum) as f32;
        }
    }
    all.into()
}

/// Modified Bessel function of the first kind, order zero, by its series.
fn bessel(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut sum, mut term, mut n) = (1.0, 1.0, 1.0);
    while term > sum * 1e-12 {
        term *= quarter / (n * n);
        sum += term;
        n += 1.0;
    }
    sum
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    /// Converts a sine and gives what is left of it, and of everything else, in dB over the input.
    fn measure(from_hz: u32, to_hz: u32, tone_hz: f64) -> (f64, f64) {
        let mut converter = RateConverter::new(from_hz, to_hz).unwrap();
        let mut n = 0u32;
        let mut input = || {
            n += 1;
            Some((TAU * tone_hz * f64::from(n) / f64::from(from_hz)).sin() as f32)
        };
        let settle = 2 * CROSSINGS * (to_hz / from_hz.min(to_hz)) as usize + 200;
        let output: Vec<f64> = (0..settle + to_hz as usize / 5)
            .map(|_| f64::from(converter.pull(&mut input).unwrap()))
            .skip(settle)
            .collect();
        // Least squares on sine and cosine; a fifth of a second holds whole periods of the tones used.
        let (mut sine, mut cosine) = (0.0, 0.0);
        let angle = |i: usize| TAU * tone_hz * i as f64 / f64::from(to_hz);
        for (i, y) in output.iter().enumerate() {
            sine += y * angle(i).sin();
            cosine += y * angle(i).cos();
        }
        let scale = 2.0 / output.len() as f64;
        let (sine, cosine) = (sine * scale, cosine * scale);
        let rest: f64 = output
            .iter()
            .enumerate()
            .map(|(i, y)| (y - sine * angle(i).sin() - cosine * angle(i).cos()).powi(2))
            .sum::<f64>()
            / output.len() as f64;
        (10.0 * (sine * sine + cosine * cosine).log10(), 10.0 * (2.0 * rest).log10())
    }

    #[test]
    fn speech_passes_unchanged_and_clean() {
        for (from_hz, to_hz, tone_hz) in [
            (44_100, 48_000, 1_000.0),
            (44_100, 48_000, 15_000.0),
            (16_000, 48_000, 1_000.0),
            (16_000, 48_000, 6_000.0),
            (8_000, 48_000, 3_000.0),
            (22_050, 48_000, 8_000.0),
            (96_000, 48_000, 15_000.0),
            (192_000, 48_000, 10_000.0),
            (48_000, 44_100, 10_000.0),
            (48_000, 16_000, 5_000.0),
        ] {
            let (level_db, rest_db) = measure(from_hz, to_hz, tone_hz);
            assert!(level_db.abs() < 0.1, "{from_hz} to {to_hz}, {tone_hz} Hz: {level_db:.2} dB");
            assert!(rest_db < -80.0, "{from_hz} to {to_hz}, {tone_hz} Hz: rest {rest_db:.1} dB");
        }
    }

    #[test]
    fn nothing_folds_back_going_down() {
        for (from_hz, to_hz, tone_hz) in
            [(96_000, 48_000, 30_000.0), (192_000, 48_000, 60_000.0), (48_000, 16_000, 10_000.0)]
        {
            let mut converter = RateConverter::new(from_hz, to_hz).unwrap();
            let mut n = 0u32;
            let mut input = || {
                n += 1;
                Some((TAU * tone_hz * f64::from(n) / f64::from(from_hz)).sin() as f32)
            };
            let peak =
                (0..2_000).map(|_| converter.pull(&mut input).unwrap().abs()).skip(500).fold(0.0, f32::max);
            assert!(peak < 1e-4, "{from_hz} to {to_hz}, {tone_hz} Hz: {peak}");
        }
    }

    #[test]
    fn says_beforehand_what_it_takes() {
        for (from_hz, to_hz) in
            [(44_100, 48_000), (22_050, 48_000), (8_000, 48_000), (192_000, 48_000), (48_000, 11_025)]
        {
            let mut converter = RateConverter::new(from_hz, to_hz).unwrap();
            let mut total = 0;
            for _ in 0..100 {
                let expected = converter.inputs_for(480);
                let mut taken = 0;
                for _ in 0..480 {
                    let mut input = || {
                        taken += 1;
                        (taken <= expected).then_some(0.5)
                    };
                    assert!(converter.pull(&mut input).is_some());
                }
                assert_eq!(taken, expected);
                total += taken;
            }
            // Exact in the long run: 48 000 outputs are one second of `to`.
            let step = i64::from(from_hz.div_ceil(to_hz));
            assert!((total as i64 - 48_000 * i64::from(from_hz) / i64::from(to_hz)).abs() <= step);
        }
        assert!(RateConverter::new(48_000, 48_000).is_none());
    }

    #[test]
    fn a_dry_input_loses_nothing() {
        let mut converter = RateConverter::new(16_000, 48_000).unwrap();
        let mut given = 0;
        let mut outputs = 0;
        for _ in 0..1_000 {
            let mut one = Some(1.0);
            given += 1;
            while converter.pull(&mut || one.take()).is_some() {
                outputs += 1;
            }
        }
        assert_eq!(outputs, given * 3);
    }
}
