//! A call for tests: a voice is captured, encoded, sent over a link, and played, in virtual time.

use crate::media::block::{BLOCK_FRAMES, Block};
use crate::media::receive::track_receiver::{ArrivedPacket, Pulled, TrackReceiver};
use crate::media::send::encode::EncoderSettings;
use crate::media::send::packetizer::Packetizer;
use crate::media::tests::voice::correlate;
use std::time::{Duration, Instant};

/// Some instant: the beginning of a test's time.
#[allow(clippy::disallowed_methods)] // a test has to take its first instant somewhere
pub fn an_instant() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

/// A call of two ends in virtual time, ten milliseconds a step.
pub(super) struct SimulatedCall {
    start: Instant,
    pub(super) packetizer: Packetizer,
    pub(super) receiver: TrackReceiver,
    pub(super) sequence: u64,
    pub(super) rtp_base: u64,
    /// Arrival in milliseconds, sequence number, RTP time, payload.
    pub(super) in_flight: Vec<(u64, u64, u64, Vec<u8>)>,
    pub(super) step: u64,
    /// Pulls that were skipped because the machine was busy; they are made up for before anything else.
    owed_pulls: u64,
    /// The block that `said` and `heard` begin with.
    origin: u64,
    /// The loudspeaker does not pull, and will not make up for it.
    is_away: bool,
    /// For so long in each second the machine is busy with others.
    pub(super) busy_ms: u64,
    pub(super) said: Vec<f32>,
    pub(super) heard: Vec<f32>,
}

impl SimulatedCall {
    pub(super) fn new(settings: EncoderSettings) -> Self {
        SimulatedCall {
            start: an_instant(),
            packetizer: Packetizer::new(settings).unwrap(),
            receiver: TrackReceiver::new().unwrap(),
            sequence: 65_500,
            rtp_base: (1 << 32) - 48_000,
            in_flight: Vec::new(),
            step: 0,
            owed_pulls: 0,
            origin: 0,
            is_away: false,
            busy_ms: 0,
            said: Vec::new(),
            heard: Vec::new(),
        }
    }

    /// Runs `steps` blocks. `source` gives block n, `link` the delay of a packet sent at a time, or
    /// nothing if it is lost.
    pub(super) fn run(
        &mut self,
        steps: u64,
        source: impl Fn(u64, &mut Block),
        mut link: impl FnMut(u64) -> Option<u64>,
    ) {
        for _ in 0..steps {
            let now_ms = self.step * 10;
            let mut block = Block::SILENCE;
            source(self.step, &mut block);
            self.said.extend(block.0);
            if let Some(packet) = self.packetizer.push(&block) {
                if let Some(delay_ms) = link(now_ms) {
                    let rtp_time = self.rtp_base + packet.rtp_time;
                    self.in_flight.push((
                        now_ms + delay_ms,
                        self.sequence,
                        rtp_time,
                        packet.payload.to_vec(),
                    ));
                }
                self.sequence += 1;
            }
            if self.is_away {
                self.deliver(now_ms);
                self.heard.extend(Block::SILENCE.0);
            } else if self.is_busy(now_ms) {
                self.owed_pulls += 1;
            } else {
                for _ in 0..std::mem::take(&mut self.owed_pulls) {
                    self.pull(now_ms);
                }
                self.deliver(now_ms);
                self.pull(now_ms);
            }
            self.step += 1;
        }
    }

    /// A busy machine does nothing at all, now and then.
    fn is_busy(&self, now_ms: u64) -> bool {
        self.busy_ms > 0 && now_ms % 1000 < self.busy_ms
    }

    fn deliver(&mut self, now_ms: u64) {
        self.in_flight.sort_by_key(|packet| packet.0);
        while self.in_flight.first().is_some_and(|packet| packet.0 <= now_ms) {
            let (at_ms, sequence, rtp_time, payload) = self.in_flight.remove(0);
            let arrival = self.start + Duration::from_millis(at_ms);
            self.receiver.insert(ArrivedPacket {
                sequence,
                rtp_time,
                arrival,
                is_red: false,
                payload: &payload,
            });
        }
    }

    pub(super) fn pull(&mut self, now_ms: u64) {
        let mut block = Block::SILENCE;
        let pulled = self.receiver.pull(&mut block, self.start + Duration::from_millis(now_ms));
        assert_eq!(pulled == Pulled::Silence, block.is_silent());
        self.heard.extend(block.0);
    }

    /// Drops the recording of both sides so far.
    pub(super) fn forget(&mut self) {
        self.origin = self.step;
        self.said.clear();
        self.heard.clear();
    }

    /// The loudspeaker was away: what would have been heard then never is, and the time is silent.
    pub(super) fn xrun(&mut self, blocks: u64) {
        let steps = self.step + blocks;
        while self.step < steps {
            self.is_away = true;
            self.run(1, crate::media::tests::voice::voice, |_| Some(5));
        }
        self.is_away = false;
    }

    /// Delay in milliseconds and likeness of what is heard of the block `from` and the second after it.
    pub(super) fn likeness(&self, from: u64) -> (f64, f64) {
        let from = (from - self.origin) as usize * BLOCK_FRAMES;
        let said = &self.said[from..from + 100 * BLOCK_FRAMES];
        let (lag, alike) = correlate(said, &self.heard[from..], 40 * BLOCK_FRAMES);
        (lag as f64 / 48.0, alike)
    }
}
