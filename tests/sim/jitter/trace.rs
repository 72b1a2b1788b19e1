//! Arrivals of one talker's packets, by formula and seed: what a jitter buffer is measured with.
//!
//! Each trace is also written to `target/traces/NAME.csv`, one packet a line (sequence, RTP time, sent, arrived; a lost one has
//! no arrival), so that any other jitter buffer can be given the same.

use crate::random::Random;
use std::fmt::Write as _;

/// Sound in one packet, in milliseconds and samples.
pub const PACKET_MS: f64 = 20.0;
pub const PACKET_SAMPLES: u64 = 960;

/// How late packets are.
#[derive(Debug, Clone, Copy)]
pub enum Jitter {
    None,
    /// Uniform up to here, in milliseconds.
    Uniform(f64),
    /// The absolute value of a normal distribution of this deviation.
    HalfNormal(f64),
    /// Exponential of mean 5 ms, and one in a hundred 60 to 180 ms late.
    Spikes,
    /// Once a second all are held back for up to this long.
    Bursts(f64),
    /// Each ten seconds the route becomes slower by this, or as fast as before.
    Steps(f64),
    /// One in ten comes 30 ms later than those around it, behind the next.
    Reordered,
}

/// Which packets are lost.
#[derive(Debug, Clone, Copy)]
pub enum Loss {
    None,
    /// Each with this probability.
    Random(f64),
    /// As many, in bursts of three on average.
    Bursty(f64),
}

/// One packet.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    pub sequence: u64,
    pub rtp_time: u64,
    pub sent_ms: f64,
    /// `None` if it is lost.
    pub arrived_ms: Option<f64>,
}

/// Packets of `seconds`, in the order of their numbers. The sender's clock is `ppm` fast.
pub fn trace(seconds: u64, jitter: Jitter, loss: Loss, ppm: f64, seed: u64) -> Vec<Sent> {
    let mut random = Random::new(seed);
    let (mut arrived_before, mut is_in_burst) = (0.0_f64, false);
    let count = seconds * 1000 / PACKET_MS as u64;
    let packet = |sequence: u64| {
        let sent_ms = sequence as f64 * PACKET_MS / (1.0 + ppm * 1e-6);
        let mut arrived_ms = sent_ms + 20.0 + late_ms(jitter, sent_ms, &mut random);
        if !matches!(jitter, Jitter::Reordered | Jitter::Steps(_)) {
            // One queue: nothing overtakes.
            arrived_ms = arrived_ms.max(arrived_before);
            arrived_before = arrived_ms;
        }
        let is_lost = match loss {
            Loss::None => false,
            Loss::Random(probability) => random.chance(probability),
            Loss::Bursty(share) => {
                let turn = if is_in_burst { 1.0 / 3.0 } else { share / 3.0 / (1.0 - share) };
                is_in_burst ^= random.chance(turn);
                is_in_burst
            }
        };
        let arrived_ms = (!is_lost).then_some(arrived_ms);
        Sent { sequence, rtp_time: sequence * PACKET_SAMPLES, sent_ms, arrived_ms }
    };
    (0..count).map(packet).collect()
}

fn late_ms(jitter: Jitter, sent_ms: f64, random: &mut Random) -> f64 {
    let normal = |random: &mut Random| {
        let (a, b) = (1.0 - random.unit(), random.unit());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    };
    match jitter {
        Jitter::None => 0.0,
        Jitter::Uniform(most_ms) => most_ms * random.unit(),
        Jitter::HalfNormal(deviation_ms) => deviation_ms * normal(random).abs(),
        Jitter::Spikes if random.chance(0.01) => 60.0 + 120.0 * random.unit(),
        Jitter::Spikes => -5.0 * (1.0 - random.unit()).ln(),
        Jitter::Bursts(most_ms) => (most_ms - sent_ms % 1000.0).max(0.0),
        Jitter::Steps(step_ms) if (sent_ms / 10_000.0) as u64 % 2 == 1 => step_ms + 2.0 * random.unit(),
        Jitter::Steps(_) => 2.0 * random.unit(),
        Jitter::Reordered if random.chance(0.1) => 30.0,
        Jitter::Reordered => 2.0 * random.unit(),
    }
}

/// The trace as a data file.
pub fn write(name: &str, trace: &[Sent]) {
    let mut text = String::from("sequence,rtp_time,sent_ms,arrived_ms\n");
    for sent in trace {
        let arrived = sent.arrived_ms.map_or_else(String::new, |ms| format!("{ms:.3}"));
        let _ = writeln!(text, "{},{},{:.3},{arrived}", sent.sequence, sent.rtp_time, sent.sent_ms);
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/traces");
    std::fs::create_dir_all(&folder).expect("a folder for the traces");
    std::fs::write(folder.join(format!("{name}.csv")), text).expect("a place for the trace");
}
