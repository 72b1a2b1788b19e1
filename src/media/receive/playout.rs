//! One talker: packets in as they arrive, a full block out whenever the playback side asks.
//!
//! ```text
//! insert ─► ring ──────────────────────────► rescue ─► pending ─► pull
//!             └► target: how late are they?  (only when due, so that the choice sees the newest arrivals)
//!
//!            nothing there, or a gap in time
//!   Playing ─────────────────────────────────► Stalled: concealment that fades, then silence
//!      ▲                                          │
//!      └── the awaited packet, while it fades ◄───┤   else: when the first packet waited for the target delay
//! ```
//!
//! What is made of a packet that is due, there or not, is told in [`super::rescue`]. A hole in sequence numbers is loss. A hole in time without one
//! in sequence numbers is a sender that was silent (DTX, mute), and costs nobody a concealed block.
//! While stalled we cannot know which of both it will be, so those blocks are counted when the next
//! packet tells.
//!
//! Delay grows by being late only, and goes back by leaving blocks out, in one place:
//! `Talker::leave_out`. A stream that stopped starts again from the target, never from a queue.

use super::clock::{Epoch, PullClock, SAMPLES_PER_MS, rtp_gap};
use super::counters::ReceiveCounters;
use super::decode::{DecoderError, FADE_END_SAMPLES, FRAME_SAMPLES_MIN, packet_samples};
use super::rescue::{Made, Rescue};
use super::ring::{Insertion, Ring, Waiting};
use super::surplus::{MARGIN_SAMPLES, Surplus};
use super::target::Target;
use crate::limits::{OPUS_PACKET_SAMPLES_MAX, RING_PACKETS};
use crate::media::block::{BLOCK_FRAMES, Block};
use crate::media::gain::crossfade;
use crate::media::level::{SILENCE_DBFS, level_dbfs};
use std::time::Instant;

/// A block in samples, for sums with RTP time.
const BLOCK: i64 = BLOCK_FRAMES as i64;

/// RTP time may miss this much without meaning anything: half a shortest frame and rounding.
const TOLERANCE_SAMPLES: i64 = FRAME_SAMPLES_MIN as i64;

/// One packet as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct ArrivedPacket<'a> {
    /// Extended sequence number.
    pub sequence: u64,
    /// Extended RTP time of its first sample, 48 kHz.
    pub rtp_time: u64,
    /// When the network card had it, not when we looked.
    pub arrival: Instant,
    /// One Opus packet; empty for padding.
    pub payload: &'a [u8],
}

/// What [`Talker::pull`] put into the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulled {
    /// Something to hear.
    Sound,
    /// Exact zeros: need not be mixed.
    Silence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No packet was ever played.
    Fresh,
    Playing,
    /// The next packet is not there or not due, since so many samples.
    Stalled {
        samples: i64,
    },
}

/// The receiving side of one remote track. All memory is taken at construction.
pub struct Talker {
    ring: Box<Ring>,
    rescue: Rescue,
    target: Target,
    epoch: Epoch,
    pulls: PullClock,
    state: State,
    /// RTP time of the sample that follows those pending.
    next_rtp_time: u64,
    /// Samples of the last packet: what a missing one is taken for.
    packet_samples: i64,
    /// Packets that were lost in the ring, because newer ones needed their place.
    overrun: u64,
    surplus: Surplus,
    concealed_samples: u64,
    level_dbfs: f32,
    counters: ReceiveCounters,
}

impl Talker {
    /// A talker that was not heard yet.
    pub fn new() -> Result<Self, DecoderError> {
        Ok(Talker {
            ring: Box::new(Ring::new()),
            rescue: Rescue::new()?,
            target: Target::new(),
            epoch: Epoch::default(),
            pulls: PullClock::new(),
            state: State::Fresh,
            next_rtp_time: 0,
            packet_samples: 2 * BLOCK,
            overrun: 0,
            surplus: Surplus::new(),
            concealed_samples: 0,
            level_dbfs: SILENCE_DBFS,
            counters: ReceiveCounters::default(),
        })
    }

    /// Takes a packet. Whatever it holds, the worst is that it is counted and thrown away.
    pub fn insert(&mut self, packet: ArrivedPacket<'_>) {
        self.counters.received += 1;
        if !packet.payload.is_empty() && packet_samples(packet.payload).is_none() {
            self.counters.invalid += 1;
            return;
        }
        let is_idle = self.is_silent() && self.ring.is_empty();
        let mut insertion = self.ring.insert(packet.sequence, packet.rtp_time, packet.payload);
        if insertion == Insertion::Jump {
            self.restart();
            insertion = self.ring.insert(packet.sequence, packet.rtp_time, packet.payload);
        }
        match insertion {
            Insertion::Inserted { reordered, dropped, missed } => {
                self.counters.reordered += u64::from(reordered);
                self.counters.dropped_packets += u64::from(dropped);
                self.counters.lost += u64::from(missed);
                self.overrun += u64::from(missed);
            }
            Insertion::Late => self.counters.late += 1,
            Insertion::Duplicate => self.counters.duplicate += 1,
            Insertion::TooLong | Insertion::Jump => self.counters.invalid += 1,
        }
        let tells_time = matches!(insertion, Insertion::Inserted { .. } | Insertion::Late);
        if tells_time && !packet.payload.is_empty() {
            let at = self.pulls.usable_from(self.epoch.samples(packet.arrival));
            self.target.arrive(packet.rtp_time, at, is_idle);
        }
    }

    /// Fills `out` with the next 10 ms. `now` is when this is asked; being late at it is understood.
    pub fn pull(&mut self, out: &mut Block, now: Instant) -> Pulled {
        let now = self.epoch.samples(now);
        let now = self.pulls.pull(now);
        while self.rescue.pending.len() < BLOCK_FRAMES {
            self.step(now);
        }
        if self.state == State::Playing {
            let next_out = self.next_rtp_time.wrapping_sub(self.rescue.pending.len() as u64);
            let delay = self.target.delay_samples(next_out, now);
            self.surplus.watch(now, delay.saturating_sub(self.target.target_samples()));
        }
        out.0 = self.rescue.pending.take().unwrap_or(Block::SILENCE.0);
        if self.surplus.may_leave_out(out) {
            self.leave_out(out);
        }
        self.counters.played_blocks += u64::from(self.state == State::Playing);
        self.level_dbfs = level_dbfs(out);
        if out.is_silent() { Pulled::Silence } else { Pulled::Sound }
    }

    /// Another sender takes over (a new SSRC on the same track): nothing of the old one is played
    /// any more, and the new one starts from the target delay.
    pub fn restart(&mut self) {
        self.ring.clear();
        self.rescue.reset();
        self.target.rebase();
        self.surplus.clear();
        self.overrun = 0;
        self.state = State::Fresh;
        self.counters.restarts += 1;
    }

    /// Totals that only grow.
    pub fn counters(&self) -> &ReceiveCounters {
        &self.counters
    }

    /// Sound that waits here, from the next sample to the end of the newest packet.
    pub fn buffer_ms(&self) -> u32 {
        let pending = self.rescue.pending.len() as i64;
        let waiting = match (self.ring.first(), self.ring.newest()) {
            (Some(first), Some(newest)) => {
                let from = if self.state == State::Playing { self.next_rtp_time } else { first.rtp_time };
                rtp_gap(from, newest.rtp_time).saturating_add(self.packet_samples)
            }
            _ => 0,
        };
        // A sender may claim any time: more than a full ring of the longest packets is no buffer.
        let full = (RING_PACKETS * OPUS_PACKET_SAMPLES_MAX) as i64;
        u32::try_from((pending + waiting.clamp(0, full)) / SAMPLES_PER_MS).unwrap_or(0)
    }

    /// How far behind the fastest packet sound should be played.
    pub fn target_ms(&self) -> u32 {
        self.target.target_ms()
    }

    /// RMS level of the last block, in dBFS.
    pub fn level_dbfs(&self) -> f32 {
        self.level_dbfs
    }

    /// Whether a pull would give silence and go on doing so until a packet comes.
    fn is_silent(&self) -> bool {
        match self.state {
            State::Fresh => true,
            State::Playing => false,
            State::Stalled { samples } => samples >= FADE_END_SAMPLES as i64,
        }
    }

    /// Puts something behind what is pending, or changes state. Each packet and each missing one
    /// is passed once, so that this ends.
    fn step(&mut self, now: i64) {
        if self.state == State::Playing {
            if !self.play_next() {
                self.state = State::Stalled { samples: 0 };
            }
        } else if !self.resume(now) {
            self.stall();
        }
    }

    /// Plays or rescues the packet that is due. False if that must wait: nothing is there, or its
    /// time has not come.
    fn play_next(&mut self) -> bool {
        let Some(first) = self.ring.first() else { return false };
        let missing = self.ring.missing();
        let hole = rtp_gap(self.next_rtp_time, first.rtp_time);
        if missing == 0 {
            if hole > TOLERANCE_SAMPLES {
                return false;
            }
            self.play(first);
        } else if hole < TOLERANCE_SAMPLES {
            self.pass_missing();
        } else if self.is_loss(missing, hole) {
            self.replace(first, missing, hole);
        } else {
            return false;
        }
        true
    }

    fn play(&mut self, first: Waiting) {
        let made = self.rescue.play(&self.ring, first);
        self.ring.pass();
        if made == Made::Padding {
            return;
        }
        self.count(made);
        self.next_rtp_time = first.rtp_time.wrapping_add(made.samples() as u64);
        self.packet_samples = made.samples() as i64;
    }

    /// Puts something in place of the next of `missing` packets, which together lasted `hole` samples.
    fn replace(&mut self, next: Waiting, missing: u64, hole: i64) {
        let made = self.rescue.replace(&self.ring, next, missing, hole);
        self.ring.pass();
        self.count(made);
        self.next_rtp_time = self.next_rtp_time.wrapping_add(made.samples() as u64);
    }

    fn count(&mut self, made: Made) {
        match made {
            Made::Sound(_) | Made::Padding => {}
            Made::Recovered(_) => {
                self.counters.lost += 1;
                self.counters.fec_recovered += 1;
            }
            Made::Concealed(samples) => {
                self.counters.lost += 1;
                self.count_concealed(samples as i64);
            }
            Made::Unreadable(samples) => {
                self.counters.invalid += 1;
                self.count_concealed(samples as i64);
            }
        }
    }

    fn stall(&mut self) {
        if let State::Stalled { samples } = &mut self.state {
            *samples = samples.saturating_add(BLOCK);
        }
        self.rescue.conceal(BLOCK_FRAMES);
    }

    /// Whether `missing` packets explain a `hole` in time; a larger one is a sender that was silent.
    fn is_loss(&self, missing: u64, hole: i64) -> bool {
        hole <= (missing as i64 + 1).saturating_mul(self.packet_samples)
    }

    /// Leaves the stall if what waits may be played now.
    fn resume(&mut self, now: i64) -> bool {
        let Some(first) = self.ring.first() else { return false };
        let missing = self.ring.missing();
        let hole = rtp_gap(self.next_rtp_time, first.rtp_time);
        if let State::Stalled { samples } = self.state
            && !self.is_silent()
        {
            let is_late = missing == 0 && hole <= TOLERANCE_SAMPLES;
            let is_loss = missing > 0 && self.is_loss(missing, hole);
            if is_late || is_loss {
                self.settle(samples, missing, hole);
                // A lost packet's time went by in the stall; a late one is played whole, later.
                let gone = if is_loss { samples.min(hole.max(0)) } else { 0 };
                self.next_rtp_time = self.next_rtp_time.wrapping_add(gone as u64);
                self.state = State::Playing;
                return true;
            }
        }
        if self.target.delay_samples(first.rtp_time, now) < self.target.target_samples() - BLOCK / 2 {
            return false;
        }
        if let State::Stalled { samples } = self.state {
            self.settle(samples, missing + self.overrun, hole);
            self.pass_missing();
        }
        self.start(now);
        true
    }

    /// Starts from the first packet that is not too old.
    fn start(&mut self, now: i64) {
        let target = self.target.target_samples();
        let delay = |packet: Waiting| self.target.delay_samples(packet.rtp_time, now);
        if self.ring.first().is_some_and(|first| delay(first) > target + MARGIN_SAMPLES) {
            while let (Some(first), Some(second)) = (self.ring.first(), self.ring.second())
                && delay(second) >= target - BLOCK / 2
            {
                let left_out =
                    rtp_gap(first.rtp_time, second.rtp_time).clamp(0, OPUS_PACKET_SAMPLES_MAX as i64);
                self.counters.dropped_blocks += (left_out / BLOCK) as u64;
                self.counters.dropped_packets += 1;
                self.ring.pass();
                while self.ring.missing() > 0 {
                    self.counters.lost += 1;
                    self.ring.pass();
                }
            }
        }
        if let Some(first) = self.ring.first() {
            self.next_rtp_time = first.rtp_time;
        }
        while self.ring.missing() > 0 {
            self.ring.pass();
        }
        self.surplus.clear();
        self.overrun = 0;
        self.state = State::Playing;
    }

    /// Counts `samples` of a stall, now that it is known what they were.
    fn settle(&mut self, samples: i64, missing: u64, hole: i64) {
        let concealed = match missing {
            0 if hole <= TOLERANCE_SAMPLES => samples,
            0 => 0,
            _ => samples.min((missing as i64).saturating_mul(self.packet_samples)),
        };
        self.count_concealed(concealed);
        self.counters.played_blocks += (concealed / BLOCK) as u64;
    }

    fn count_concealed(&mut self, samples: i64) {
        self.concealed_samples += samples.unsigned_abs();
        self.counters.concealed_blocks = self.concealed_samples / BLOCK_FRAMES as u64;
    }

    fn pass_missing(&mut self) {
        while self.ring.missing() > 0 {
            self.counters.lost += 1;
            self.ring.pass();
        }
    }

    /// The one place where time is corrected: joins this block with the one after it, so that 10 ms
    /// are gone.
    fn leave_out(&mut self, out: &mut Block) {
        // Only real sound is worth joining with; a hole that is due next is left to the next pull.
        while self.rescue.pending.len() < BLOCK_FRAMES
            && let Some(first) = self.ring.first()
            && self.ring.missing() == 0
            && rtp_gap(self.next_rtp_time, first.rtp_time) <= TOLERANCE_SAMPLES
        {
            self.play(first);
        }
        if let Some(following) = self.rescue.pending.take() {
            crossfade(&mut out.0, &following);
            self.counters.dropped_blocks += 1;
            self.surplus.left_out();
        }
    }
}
