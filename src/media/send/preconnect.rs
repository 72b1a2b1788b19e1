//! Sound from before anybody can hear it.
//!
//! ```text
//!   packets ─► [ the last 64 ] ─► from the first word on, one each packet time ─► people
//!   blocks ─► half the rate ─► [ the last 10 s ] ─► at once ────────────────────► an agent
//! ```
//!
//! No receiver plays packets that arrive all at once: it drops them, or plays faster. So packets are sent at the rate
//! at which they were captured, later, and pauses are left out until nothing waits. RTP time continues as if there had
//! been no pause: for a receiver we began to speak when it could hear us.

use std::collections::VecDeque;

use crate::limits::{OPUS_SENT_BYTES_MAX, PRECONNECT_PACKETS, PRECONNECT_SAMPLES_MAX};
use crate::media::block::{BLOCK_FRAMES, Block};
use crate::media::level::AudioLevel;
use crate::media::send::packetizer::SentPacket;

/// Sound before a word that belongs to it, in samples: consonants begin below the level of a voice.
const LEAD_IN_SAMPLES: u64 = 48_000 / 10;

/// One packet that waits.
#[derive(Debug, Clone, Copy)]
struct HeldPacket {
    rtp_time: u64,
    level: AudioLevel,
    starts_talkspurt: bool,
    len: usize,
    payload: [u8; OPUS_SENT_BYTES_MAX],
}

/// Packets and samples that wait. All memory is taken at construction.
#[derive(Debug)]
pub struct PreconnectBuffer {
    packets: VecDeque<HeldPacket>,
    samples: VecDeque<i16>,
    halver: Halver,
    packet_samples: u64,
    /// RTP time that follows what was sent.
    expected: Option<u64>,
    lost_packets: u64,
}

impl PreconnectBuffer {
    /// An empty buffer. `packet_samples` is the length of each packet.
    pub fn new(packet_samples: usize) -> PreconnectBuffer {
        PreconnectBuffer {
            packets: VecDeque::with_capacity(PRECONNECT_PACKETS),
            samples: VecDeque::with_capacity(PRECONNECT_SAMPLES_MAX),
            halver: Halver::default(),
            packet_samples: packet_samples as u64,
            expected: None,
            lost_packets: 0,
        }
    }

    /// Keeps a packet, and makes place by losing the oldest.
    pub fn keep(&mut self, packet: &SentPacket<'_>) {
        if self.packets.len() == PRECONNECT_PACKETS {
            self.packets.pop_front();
            self.lost_packets += 1;
        }
        let len = packet.payload.len().min(OPUS_SENT_BYTES_MAX);
        let SentPacket { rtp_time, level, starts_talkspurt, .. } = *packet;
        let mut kept =
            HeldPacket { rtp_time, level, starts_talkspurt, len, payload: [0; OPUS_SENT_BYTES_MAX] };
        kept.payload[..len].copy_from_slice(&packet.payload[..len]);
        self.packets.push_back(kept);
    }

    /// Keeps a block for an agent.
    pub fn hear(&mut self, block: &Block) {
        for pair in block.0.chunks_exact(2) {
            if self.samples.len() == PRECONNECT_SAMPLES_MAX {
                self.samples.pop_front();
            }
            let sample = self.halver.next([pair[0], pair[1]]);
            self.samples.push_back((sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)) as i16);
        }
    }

    /// The next packet to send, which stays until [`PreconnectBuffer::sent`], and how many samples of pauses were
    /// left out before it: RTP time is behind captured time by as much more from here on. Pauses are left out
    /// while something waits behind them.
    pub fn next_packet(&mut self) -> Option<(SentPacket<'_>, u64)> {
        while self.packets.len() > 1 && self.begins_with_a_pause() {
            self.packets.pop_front();
        }
        let kept = self.packets.front()?;
        let expected = self.expected.replace(kept.rtp_time);
        let pause = expected.map_or(0, |expected| kept.rtp_time.saturating_sub(expected));
        let HeldPacket { rtp_time, level, starts_talkspurt, len, .. } = *kept;
        let starts_talkspurt = starts_talkspurt || expected.is_none();
        Some((SentPacket { rtp_time, level, starts_talkspurt, payload: &kept.payload[..len] }, pause))
    }

    fn begins_with_a_pause(&self) -> bool {
        let Some(first) = self.packets.front() else { return false };
        let mut soon =
            self.packets.iter().take_while(|kept| kept.rtp_time <= first.rtp_time + LEAD_IN_SAMPLES);
        !soon.any(|kept| kept.level.voice)
    }

    /// That packet is on its way.
    pub fn sent(&mut self) {
        if let Some(kept) = self.packets.pop_front() {
            self.expected = Some(kept.rtp_time + self.packet_samples);
        }
    }

    /// All packets but the newest are given up, as if they had been a pause; how many were.
    pub fn catch_up(&mut self) -> usize {
        let given_up = self.packets.len().saturating_sub(1);
        self.packets.drain(..given_up);
        given_up
    }

    /// All packets are given up; how many were.
    pub fn forget_packets(&mut self) -> usize {
        let forgotten = self.packets.len();
        self.packets.clear();
        forgotten
    }

    /// Discards all packets and samples: everything until now is private.
    pub fn discard(&mut self) {
        self.packets.clear();
        self.samples.clear();
        self.halver = Halver::default();
    }

    /// How many packets wait.
    pub fn waiting_packets(&self) -> usize {
        self.packets.len()
    }

    /// Packets for which there was no room, since the last call.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost_packets)
    }

    /// The samples that are kept, as the agents want them: s16le, mono.
    pub fn to_pcm(&self) -> Vec<u8> {
        self.samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
    }
}

/// Every second sample of what is left below half the rate: a half-band filter, whose every other weight
/// is zero. What would fold back is 50 dB down from 15 kHz on, and speech has little between 12 and 15 kHz.
#[derive(Debug, Clone, Default)]
struct Halver {
    /// The last samples, the newest last.
    past: [f32; TAPS],
}

const TAPS: usize = 31;

/// Weights at the distances 1, 3 … 15 from the middle, whose own is one half: sinc with a Hamming window.
const WEIGHTS: [f32; 8] = [0.316_39, -0.098_15, 0.050_79, -0.028_72, 0.015_97, -0.008_25, 0.003_87, -0.001_9];

impl Halver {
    fn next(&mut self, pair: [f32; 2]) -> f32 {
        self.past.copy_within(2.., 0);
        self.past[TAPS - 2..].copy_from_slice(&pair);
        let middle = TAPS / 2;
        let sides = WEIGHTS.iter().zip((1..).step_by(2));
        let sum: f32 = sides
            .map(|(weight, distance)| weight * (self.past[middle - distance] + self.past[middle + distance]))
            .sum();
        0.5 * self.past[middle] + sum
    }
}

const _: () = assert!(BLOCK_FRAMES.is_multiple_of(2), "pairs do not cross blocks");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::tests::voice::sine;

    fn packet(number: u64, voice: bool, payload: &[u8]) -> SentPacket<'_> {
        let level = AudioLevel { minus_dbov: 30, voice };
        SentPacket { rtp_time: number * 960, level, starts_talkspurt: false, payload }
    }

    #[test]
    fn the_oldest_packets_go_and_are_counted() {
        let mut early = PreconnectBuffer::new(960);
        for number in 0..PRECONNECT_PACKETS as u64 + 3 {
            early.keep(&packet(number, true, &[number as u8; 40]));
        }
        assert_eq!((early.take_lost(), early.take_lost()), (3, 0));
        for number in 3..PRECONNECT_PACKETS as u64 + 3 {
            let (next, pause) = early.next_packet().unwrap();
            assert_eq!((next.rtp_time, next.payload, pause), (number * 960, &[number as u8; 40][..], 0));
            early.sent();
        }
        assert_eq!(early.next_packet(), None);
    }

    #[test]
    fn it_begins_a_little_before_the_first_word() {
        let mut early = PreconnectBuffer::new(960);
        for number in 0..30 {
            early.keep(&packet(number, number >= 20, b"sound"));
        }
        let first = SentPacket { starts_talkspurt: true, ..packet(15, false, b"sound") };
        assert_eq!(early.next_packet(), Some((first, 0)));
        assert_eq!(early.waiting_packets(), 15);
    }

    #[test]
    fn pauses_are_left_out_until_nothing_waits() {
        let mut early = PreconnectBuffer::new(960);
        // A word, a pause that DTX has cut short, a word with what belongs to it.
        for number in (0..2).chain(10..30).chain(35..37) {
            early.keep(&packet(number, !(10..30).contains(&number), b"sound"));
        }
        let (mut sent, mut left_out) = (Vec::new(), 0);
        while let Some((packet, pause)) = early.next_packet() {
            left_out += pause;
            sent.push((packet.rtp_time / 960, (packet.rtp_time - left_out) / 960));
            early.sent();
        }
        assert_eq!(sent, [(0, 0), (1, 1), (35, 2), (36, 3)]);
        for number in 37..40 {
            early.keep(&packet(number, true, b"sound"));
        }
        assert_eq!(early.catch_up(), 2);
        assert_eq!(
            early.next_packet().map(|(packet, pause)| (packet.rtp_time, pause)),
            Some((39 * 960, 2 * 960))
        );
        early.sent();
        early.keep(&packet(40, false, b"a pause that nothing waits behind"));
        assert_eq!(early.next_packet().map(|(packet, pause)| (packet.rtp_time / 960, pause)), Some((40, 0)));
    }

    /// Amplitude of a tone that was halved, after the filter has filled.
    fn halved(hz: f64) -> f64 {
        let mut early = PreconnectBuffer::new(960);
        let mut block = Block::SILENCE;
        for number in 0..10 {
            sine(hz, 0.5, number * BLOCK_FRAMES as u64, &mut block);
            early.hear(&block);
        }
        let pcm = early.to_pcm();
        assert_eq!(pcm.len(), 10 * BLOCK_FRAMES);
        let samples = pcm.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
        let squares: Vec<f64> = samples.skip(240).map(|sample| f64::from(sample).powi(2)).collect();
        (2.0 * squares.iter().sum::<f64>() / squares.len() as f64).sqrt()
    }

    #[test]
    fn a_voice_passes_at_half_the_rate_and_what_would_fold_does_not() {
        for hz in [200.0, 1000.0, 8000.0] {
            assert!((16_200.0..16_600.0).contains(&halved(hz)), "{hz}: {}", halved(hz));
        }
        for hz in [16_000.0, 19_000.0] {
            assert!(halved(hz) < 60.0, "{hz}: {}", halved(hz));
        }
    }

    #[test]
    fn what_is_discarded_is_in_neither_packets_nor_samples() {
        let mut early = PreconnectBuffer::new(960);
        for number in 0..10 {
            early.keep(&packet(number, true, b"before"));
            early.hear(&Block([0.5; BLOCK_FRAMES]));
        }
        early.discard();
        assert!(early.next_packet().is_none() && early.to_pcm().is_empty());
        early.keep(&packet(20, true, b"after"));
        early.hear(&Block::SILENCE);
        assert_eq!(early.next_packet().map(|(packet, _)| packet.payload), Some(&b"after"[..]));
        assert!(early.to_pcm().iter().all(|byte| *byte == 0), "the filter remembers nothing either");
    }

    #[test]
    fn only_the_last_seconds_are_kept_for_an_agent() {
        let mut early = PreconnectBuffer::new(960);
        for number in 0..1010 {
            early.hear(&Block([number as f32 / 2000.0; BLOCK_FRAMES]));
        }
        let pcm = early.to_pcm();
        assert_eq!(pcm.len(), 2 * PRECONNECT_SAMPLES_MAX);
        let first = i16::from_le_bytes([pcm[200], pcm[201]]);
        assert!((i32::from(first) - 10 * 32_767 / 2000).abs() <= 17, "{first}");
    }
}
