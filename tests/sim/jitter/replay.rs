//! A trace through the receiving side of one talker: real Opus packets in, blocks out, measured.

use crate::clock::Clock;
use crate::jitter::trace::{PACKET_SAMPLES, Sent};
use kinglet::media::block::{BLOCK_FRAMES, Block};
use kinglet::media::receive::counters::ReceiveCounters;
use kinglet::media::receive::track_receiver::{ArrivedPacket, TrackReceiver};
use kinglet::media::send::encode::{Encoder, EncoderSettings};
use std::f64::consts::TAU;
use std::time::Duration;

/// How a trace is replayed.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Earlier packets that each carries again.
    pub red_copies: u64,
    /// The greatest target.
    pub target_ms_max: u32,
    /// How much too fast the loudspeaker's clock is.
    pub ppm: f64,
    /// Measured from here on, in seconds.
    pub from_s: f64,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup { red_copies: 0, target_ms_max: 200, ppm: 0.0, from_s: 0.0 }
    }
}

/// What was measured.
#[derive(Debug, Clone, Copy, Default)]
pub struct Measured {
    /// Playout delay over the fastest packet of the trace: mean, and greatest.
    pub delay_ms: f64,
    pub delay_ms_max: f64,
    /// Mean time that packets waited to be decoded.
    pub wait_ms: f64,
    /// Concealed, in thousandths of what was played.
    pub concealed_permille: f64,
    /// Of the whole replay.
    pub counters: ReceiveCounters,
    /// What the loop found.
    pub drift_ppm: f32,
}

/// Ten seconds of a voice that glides, encoded as we do.
pub fn packets() -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(EncoderSettings::default()).expect("an encoder");
    let sample = |i: usize| {
        let time_s = i as f64 / 48_000.0;
        let phase = TAU * (130.0 * time_s + 4.0 * (0.9 * time_s).sin());
        let syllable = (TAU * 2.0 * time_s).sin().abs();
        (1..12).map(|n| (phase * f64::from(n)).sin() / f64::from(n)).sum::<f64>() * 0.15 * syllable
    };
    let packet = |number: usize| {
        let samples: Vec<f32> =
            (0..2 * BLOCK_FRAMES).map(|i| sample(number * 2 * BLOCK_FRAMES + i) as f32).collect();
        encoder.encode(&samples).expect("a packet").to_vec()
    };
    (0..500).map(packet).collect()
}

/// Replays `trace` with the sound of `payloads`.
pub fn replay(trace: &[Sent], payloads: &[Vec<u8>], setup: Setup) -> Measured {
    let clock = Clock::new();
    let at = |ms: f64| clock.at_ms(0) + Duration::from_secs_f64(ms / 1000.0);
    let mut talker = TrackReceiver::new().expect("a decoder");
    talker.set_target_ms_max(setup.target_ms_max);
    let mut arrivals: Vec<&Sent> = trace.iter().filter(|sent| sent.arrived_ms.is_some()).collect();
    arrivals.sort_by(|a, b| a.arrived_ms.partial_cmp(&b.arrived_ms).expect("times"));
    let end_ms = trace.last().map_or(0.0, |sent| sent.sent_ms);
    let transit_ms = |sent: &&Sent| sent.arrived_ms.unwrap_or(f64::MAX) - sent.rtp_time as f64 / 48.0;
    let fastest_ms = arrivals.iter().map(transit_ms).fold(f64::MAX, f64::min);
    let (mut next, mut pulls, mut delays) = (0, 0_u64, Vec::new());
    let mut before = ReceiveCounters::default();
    let mut payload = Vec::new();
    loop {
        // Not in step with the packets.
        let now_ms = 3.7 + pulls as f64 * 10.0 / (1.0 + setup.ppm * 1e-6);
        if now_ms > end_ms {
            break;
        }
        while let Some(sent) =
            arrivals.get(next).filter(|sent| sent.arrived_ms.is_some_and(|ms| ms <= now_ms))
        {
            next += 1;
            red(&mut payload, sent.sequence, payloads, setup.red_copies);
            talker.insert(ArrivedPacket {
                sequence: sent.sequence,
                rtp_time: sent.rtp_time,
                arrival: at(sent.arrived_ms.unwrap_or(now_ms)),
                is_red: setup.red_copies > 0,
                payload: &payload,
            });
        }
        if now_ms < setup.from_s * 1000.0 {
            before = *talker.counters();
        } else if let Some(rtp_time) = talker.playout_rtp_time() {
            delays.push(now_ms - rtp_time as f64 / 48.0 - fastest_ms);
        }
        talker.pull(&mut Block::SILENCE.clone(), at(now_ms));
        pulls += 1;
    }
    let counters = *talker.counters();
    let since = |count: fn(&ReceiveCounters) -> u64| (count(&counters) - count(&before)) as f64;
    Measured {
        delay_ms: delays.iter().sum::<f64>() / delays.len() as f64,
        delay_ms_max: delays.iter().copied().fold(0.0, f64::max),
        wait_ms: since(|c| c.waited_samples) / since(|c| c.played_packets) / 48.0,
        concealed_permille: 1000.0 * since(|c| c.concealed_blocks) / since(|c| c.played_blocks),
        counters,
        drift_ppm: talker.drift_ppm(),
    }
}

/// Packet `sequence` as it is sent: alone, or as RED (RFC 2198) with those before it.
fn red(out: &mut Vec<u8>, sequence: u64, payloads: &[Vec<u8>], copies: u64) {
    let payload = |number: u64| &payloads[(number % payloads.len() as u64) as usize];
    out.clear();
    let copies = copies.min(sequence);
    for back in (1..=copies).rev() {
        let (offset, len) = (PACKET_SAMPLES * back, payload(sequence - back).len() as u64);
        out.extend([0x80 | 111, (offset >> 6) as u8, ((offset & 63) << 2 | len >> 8) as u8, len as u8]);
    }
    if copies > 0 {
        out.push(111);
    }
    for back in (1..=copies).rev() {
        out.extend(payload(sequence - back));
    }
    out.extend(payload(sequence));
}
