//! What holds for every sequence of packets and pulls, from seeds: nothing panics, no more waits than is allowed, blocks are
//! sound, and when the stream is in order again the delay is as short as ever.
//!
//! A seed that fails is in the message.

use super::simulated_call::an_instant;
use crate::limits::WAITING_MS_MAX;
use crate::media::block::{BLOCK_FRAMES, Block};
use crate::media::receive::track_receiver::{ArrivedPacket, TrackReceiver};
use crate::media::send::encode::{Encoder, EncoderSettings};
use crate::media::tests::voice::{next, uniform, voice};
use std::time::{Duration, Instant};

/// How long a packet may have waited when it is played: the cap, the packet itself, and a pull.
const WAITED_MS: u64 = WAITING_MS_MAX as u64 + 20 + 10;

/// How long an xrun of the card lasts at most.
const AWAY_MS_MAX: u64 = 600;

/// A sender whose numbers, pace and packets are at the mercy of a seed, and a talker that hears it.
struct Chaos {
    state: u64,
    seed: u64,
    has_xruns: bool,
    start: Instant,
    now_ms: u64,
    receiver: TrackReceiver,
    payloads: Vec<Vec<u8>>,
    sequence: u64,
    rtp_time: u64,
    /// When it arrives, sequence number, RTP time, which payload, whether it is damaged.
    under_way: Vec<(u64, u64, u64, usize, bool)>,
}

/// How it goes for a while.
#[derive(Debug, Clone, Copy)]
struct Weather {
    loss: f64,
    jitter_ms: u64,
    damage: f64,
    repeat: f64,
    jump: f64,
    pause: f64,
    xrun: f64,
    /// Packets a second, of fifty.
    pace: f64,
}

const CALM: Weather = Weather {
    loss: 0.0,
    jitter_ms: 1,
    damage: 0.0,
    repeat: 0.0,
    jump: 0.0,
    pause: 0.0,
    xrun: 0.0,
    pace: 1.0,
};

impl Chaos {
    fn new(seed: u64) -> Chaos {
        let mut encoder = Encoder::new(EncoderSettings::default()).unwrap();
        let mut packet = |index: u64| {
            let mut samples = [0.0; 2 * BLOCK_FRAMES];
            for (half, part) in samples.chunks_exact_mut(BLOCK_FRAMES).enumerate() {
                let mut block = Block::SILENCE;
                voice(2 * index + half as u64, &mut block);
                part.copy_from_slice(&block.0);
            }
            encoder.encode(&samples).unwrap().to_vec()
        };
        Chaos {
            state: seed,
            seed,
            has_xruns: seed.is_multiple_of(2),
            start: an_instant(),
            now_ms: 0,
            receiver: TrackReceiver::new().unwrap(),
            payloads: (0..100).map(&mut packet).collect(),
            sequence: 1000,
            rtp_time: 1 << 32,
            under_way: Vec::new(),
        }
    }

    fn chance(&mut self, probability: f64) -> bool {
        uniform(&mut self.state) < probability
    }

    fn below(&mut self, end: u64) -> u64 {
        next(&mut self.state) % end
    }

    fn run(&mut self, ms: u64, weather: Weather) {
        let (end_ms, mut owed) = (self.now_ms + ms, 0.0);
        let mut block = Block::SILENCE;
        while self.now_ms < end_ms {
            owed += weather.pace / 2.0;
            while owed >= 1.0 {
                owed -= 1.0;
                self.send(weather);
            }
            self.deliver();
            if self.chance(weather.xrun) {
                self.now_ms += 10 * self.below(AWAY_MS_MAX / 10);
            }
            let before = *self.receiver.counters();
            self.receiver.pull(&mut block, self.start + Duration::from_millis(self.now_ms));
            let after = *self.receiver.counters();
            assert!(
                block.0.iter().all(|sample| sample.abs() <= 4.0),
                "seed {} at {} ms",
                self.seed,
                self.now_ms
            );
            let waited_ms = (after.waited_samples - before.waited_samples) / 48;
            let most_ms = WAITED_MS * (after.played_packets - before.played_packets);
            // While the card is away, everything waits with it.
            let is_bounded = self.has_xruns || waited_ms <= most_ms;
            assert!(is_bounded, "seed {}: {waited_ms} ms at {} ms", self.seed, self.now_ms);
            assert!(self.receiver.target_ms() <= 200);
            self.now_ms += 10;
        }
    }

    fn send(&mut self, weather: Weather) {
        if self.chance(weather.jump) {
            match self.below(4) {
                0 => self.sequence = self.sequence.wrapping_add(self.below_signed(6000)),
                1 => self.rtp_time = self.rtp_time.wrapping_add(self.below_signed(48_000 * 10)),
                2 => (self.sequence, self.rtp_time) = (next(&mut self.state), next(&mut self.state)),
                _ => self.receiver.restart(),
            }
        }
        if self.chance(weather.pause) {
            self.rtp_time = self.rtp_time.wrapping_add(960 * self.below(200));
        }
        let (sequence, rtp_time) = (self.sequence, self.rtp_time);
        self.sequence = sequence.wrapping_add(1);
        self.rtp_time = rtp_time.wrapping_add(960);
        for _ in 0..1 + u64::from(self.chance(weather.repeat)) {
            if !self.chance(weather.loss) {
                let at_ms = self.now_ms + 5 + self.below(weather.jitter_ms);
                let (payload, is_damaged) =
                    (sequence as usize % self.payloads.len(), self.chance(weather.damage));
                self.under_way.push((at_ms, sequence, rtp_time, payload, is_damaged));
            }
        }
    }

    fn below_signed(&mut self, end: u64) -> u64 {
        self.below(2 * end).wrapping_sub(end)
    }

    fn deliver(&mut self) {
        self.under_way.sort_by_key(|packet| packet.0);
        while self.under_way.first().is_some_and(|packet| packet.0 <= self.now_ms) {
            let (at_ms, sequence, rtp_time, payload, is_damaged) = self.under_way.remove(0);
            let mut payload = self.payloads[payload].clone();
            if is_damaged {
                let place = self.below(payload.len() as u64) as usize;
                payload[place] ^= 1 << self.below(8);
                payload.truncate(1 + self.below(payload.len() as u64) as usize);
            }
            let arrival = self.start + Duration::from_millis(at_ms);
            let is_red = is_damaged && self.chance(0.3);
            self.receiver.insert(ArrivedPacket { sequence, rtp_time, arrival, is_red, payload: &payload });
        }
    }
}

/// Some weather of each kind, all of it moderate or all of it bad.
fn weather(chaos: &mut Chaos) -> Weather {
    let (bad, has_xruns) = (uniform(&mut chaos.state), chaos.has_xruns);
    let mut up_to = |most: f64| most * bad * uniform(&mut chaos.state);
    Weather {
        loss: up_to(0.6),
        jitter_ms: 1 + up_to(600.0) as u64,
        damage: up_to(0.3),
        repeat: up_to(0.3),
        jump: up_to(0.05),
        pause: up_to(0.05),
        xrun: if has_xruns { up_to(0.02) } else { 0.0 },
        pace: 1.0 + up_to(2.0) - up_to(1.0),
    }
}

#[test]
fn no_more_waits_than_is_allowed_whatever_comes() {
    for seed in 1..=60 {
        let mut chaos = Chaos::new(seed);
        for _ in 0..8 {
            let weather = weather(&mut chaos);
            chaos.run(1000, weather);
        }
    }
}

#[test]
fn after_any_weather_the_delay_is_short_again() {
    for seed in 101..=112 {
        let mut chaos = Chaos::new(seed);
        for _ in 0..5 {
            let weather = weather(&mut chaos);
            chaos.run(1000, weather);
        }
        // What was late is remembered for half a minute.
        chaos.run(40_000, CALM);
        let before = *chaos.receiver.counters();
        chaos.run(5000, CALM);
        let after = *chaos.receiver.counters();
        assert_eq!(chaos.receiver.target_ms(), 20, "seed {seed}");
        assert!(chaos.receiver.buffer_ms() <= 60, "seed {seed}: {} ms wait", chaos.receiver.buffer_ms());
        assert_eq!(after.concealed_blocks, before.concealed_blocks, "seed {seed}: {after:?}");
        assert_eq!(after.lost + after.late, before.lost + before.late, "seed {seed}: {after:?}");
        assert!(after.played_blocks - before.played_blocks >= 499, "seed {seed}: {after:?}");
    }
}
