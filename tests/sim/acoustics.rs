//! A room in which a microphone hears a loudspeaker, and voices by formula.
//!
//! The room is a box whose walls reflect: each reflection is the loudspeaker's image behind a wall, behind a wall's image,
//! and so on (the image method, Allen and Berkley 1979). Nothing in it is drawn by lot. A box of 4 × 3 × 2.5 m with
//! furniture rings for a quarter of a second; on a device the microphone is a hand's breadth from the loudspeaker, so what
//! comes straight is by far the loudest.

use crate::card::{Loudspeaker, Microphone};
use crate::random::Random;
use kinglet::media::block::{BLOCK_FRAMES, Block};
use std::f64::consts::{PI, TAU};
use std::time::{Duration, Instant};

const RATE_HZ: f64 = 48_000.0;

/// Speed of sound.
const METRES_PER_S: f64 = 343.0;

const ROOM_M: [f64; 3] = [4.0, 3.0, 2.5];

/// Amplitude that a wall gives back. By Sabine's formula this room then dies away by 60 dB in 0.25 s.
const WALL: f64 = 0.82;

/// Reflections at walls that are followed: those of a sixth come after 40 ms, 50 dB below what comes straight.
const ORDER: i32 = 5;

/// What a microphone hears of a loudspeaker: delays in samples, and how much of it.
#[derive(Debug, Clone)]
pub struct Echo {
    taps: Vec<(usize, f32)>,
}

/// Where the loudspeaker hangs, and what stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At the wall, 15 cm above the microphone.
    Wall,
    /// The same, and somebody leans close: the way is another one.
    Shadowed,
    /// On a table, a metre from the microphone: the room is as loud as what comes straight.
    Table,
}

impl Echo {
    /// The echo of a place, as loud as the loudspeaker itself times `gain`.
    pub fn new(place: Place, gain: f32) -> Echo {
        let microphone = [1.1, 0.05, 1.4];
        let loudspeaker = match place {
            Place::Wall => [1.1, 0.05, 1.55],
            Place::Shadowed => [1.1, 0.12, 1.62],
            Place::Table => [1.5, 0.9, 1.1],
        };
        let mut taps = Vec::new();
        let images = || -ORDER..=ORDER;
        for (x, y, z) in images().flat_map(|x| images().flat_map(move |y| images().map(move |z| (x, y, z)))) {
            let reflections = x.abs() + y.abs() + z.abs();
            if reflections > ORDER {
                continue;
            }
            // The image that is `n` walls away along an axis.
            let along = |n: i32, axis: usize| {
                let place = if n % 2 == 0 { loudspeaker[axis] } else { ROOM_M[axis] - loudspeaker[axis] };
                f64::from(n) * ROOM_M[axis] + place - microphone[axis]
            };
            let distance_m = (along(x, 0).powi(2) + along(y, 1).powi(2) + along(z, 2).powi(2)).sqrt();
            let delay = (distance_m / METRES_PER_S * RATE_HZ).round() as usize;
            taps.push((delay, (WALL.powi(reflections) / distance_m) as f32));
        }
        taps.sort_by_key(|(delay, _)| *delay);
        let loudness = taps.iter().map(|(_, tap)| tap * tap).sum::<f32>().sqrt();
        taps.iter_mut().for_each(|(_, tap)| *tap *= gain / loudness);
        Echo { taps }
    }

    /// What is heard at sample `now` of what was `said`.
    pub fn heard(&self, said: &[f32], now: usize) -> f32 {
        let within = self.taps.iter().take_while(|(delay, _)| *delay <= now);
        within.map(|&(delay, tap)| tap * said[now - delay]).sum()
    }
}

/// The sample at a fractional place, by 16 of a windowed sinc: 80 dB better than a straight line, which would be a
/// distortion that no canceller can know.
pub fn sample_at(samples: &[f32], place: f64) -> f32 {
    let (whole, part) = (place.floor() as usize, place.fract());
    if part == 0.0 {
        return samples.get(whole).copied().unwrap_or(0.0);
    }
    (0..16)
        .filter_map(|i| {
            let sample = samples.get((whole + i).checked_sub(7)?)?;
            let x = i as f64 - 7.0 - part;
            let window = (PI * x / 16.0).cos().powi(2);
            Some(f64::from(*sample) * window * (PI * x).sin() / (PI * x))
        })
        .sum::<f64>() as f32
}

/// The air between a device's two cards, each of which has a clock of its own.
#[derive(Debug)]
pub struct Air {
    echo: Echo,
    /// What the loudspeaker said at each of the microphone's samples.
    said: Vec<f32>,
}

impl Air {
    /// The air of a place.
    pub fn new(place: Place, gain: f32) -> Air {
        Air { echo: Echo::new(place, gain), said: Vec::new() }
    }

    /// Adds what the microphone hears of the loudspeaker to the block that it completed `at` this instant.
    pub fn carry(
        &mut self,
        loudspeaker: &Loudspeaker,
        microphone: &Microphone,
        at: Instant,
        block: &mut Block,
    ) {
        for (i, sample) in block.0.iter_mut().enumerate() {
            let before = Duration::from_secs_f64((BLOCK_FRAMES - i) as f64 * microphone.sample_s());
            self.said.push(loudspeaker.said_at(at - before));
            *sample += self.echo.heard(&self.said, self.said.len() - 1);
        }
    }
}

/// A voice: harmonics of a gliding pitch and some breath, in syllables.
pub fn voice(pitch_hz: f64, syllables_hz: f64, seconds: f64, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed);
    let (mut phase, mut breath) = (0.0, 0.0);
    (0..(seconds * RATE_HZ) as usize)
        .map(|i| {
            let t = i as f64 / RATE_HZ;
            let glide = 1.0 + 0.15 * (TAU * 0.4 * t).sin() + 0.05 * (TAU * 2.3 * t).sin();
            phase += TAU * pitch_hz * glide / RATE_HZ;
            let stress = 0.6 + 0.4 * (TAU * 0.31 * t).sin();
            let syllable = (TAU * 0.5 * syllables_hz * t).sin().powi(2) * stress;
            let formant = 4.0 + 3.0 * (TAU * 0.9 * t).sin();
            let tone: f64 =
                (1..24).map(|n| (phase * n as f64).sin() / (1.0 + 0.3 * (n as f64 - formant).powi(2))).sum();
            breath = 0.6 * breath + (random.unit() - 0.5);
            (syllable * (0.12 * tone + 0.03 * breath)) as f32
        })
        .collect()
}
