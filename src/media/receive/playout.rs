//! From what waits to blocks that are always full: what is played when, and what happens where nothing is there.
//!
//! ```text
//!   buffer ─► repair ─► queue ─► scaler ─► resampler ─► pull     (only when due: the choice sees the newest arrivals)
//!                                   ▲            ▲
//!                         far from the target   Drift: near it
//!
//!            nothing there, or a gap in time
//!   Playing ─────────────────────────────────► Stalled: concealment that fades, then silence
//!      ▲                                          │
//!      └── the awaited packet, while it fades ◄───┤   else: when the first packet waited for the target delay
//! ```
//!
//! [`super::loss_repair`] describes what is played for a packet that is due, whether it has arrived or not. A hole in
//! sequence numbers is loss. A hole in time without one in sequence numbers is a sender that was silent (DTX, mute),
//! for which no block counts as concealed. During a stall the cause is unknown, so its blocks are counted when the next
//! packet shows the cause.
//!
//! The delay grows when packets are late, and is brought back to its target in three ways: a stream that stopped starts
//! again with exactly the target, which is inaudible; the resampler corrects clock differences and small errors;
//! time-scaling corrects errors of more than `MARGIN_SAMPLES`.

use super::clock::{SAMPLES_PER_MS, rtp_gap};
use super::decode::FRAME_SAMPLES_MIN;
use super::delay_target::JUMP_SAMPLES;
use super::loss_repair::PacketOutcome;
use super::packet_buffer::BufferedPacket;
use super::time_scaler::TempoChange;
use super::track_receiver::{PlayoutState, Pulled, TrackReceiver};
use crate::limits::{OPUS_PACKET_SAMPLES_MAX, PCM_AHEAD_SAMPLES, WAITING_MS_MAX};
use crate::media::block::{BLOCK_FRAMES, Block};
use crate::media::level::level_dbfs;
use crate::media::resample::{TAPS, TAPS_BEFORE};
use std::time::Instant;

/// A block in samples, for sums with RTP time.
const BLOCK: i64 = BLOCK_FRAMES as i64;

/// RTP time may miss this much without meaning anything: half a shortest frame and rounding.
const TOLERANCE_SAMPLES: i64 = FRAME_SAMPLES_MIN as i64;

/// Samples that one block is made of: the rate is above one by 2.2 ‰ at most (`media::drift`).
const BLOCK_NEEDS_SAMPLES: usize = BLOCK_FRAMES + 2 + TAPS - TAPS_BEFORE;

/// Time-scaling begins this far from the target: as far as two clocks that are found to disagree may lead.
const MARGIN_SAMPLES: i64 = 10 * SAMPLES_PER_MS;

/// A stream that starts again leaves out what is this much too old.
const STALE_SAMPLES: i64 = 30 * SAMPLES_PER_MS;

impl TrackReceiver {
    /// Fills `out` with the next 10 ms. `now` is when this is asked; being late at it is understood.
    pub fn pull(&mut self, out: &mut Block, now: Instant) -> Pulled {
        let now = self.epoch.samples(now);
        self.now = self.pulls.pull(now);
        if self.buffered_samples() > i64::from(WAITING_MS_MAX) * SAMPLES_PER_MS {
            self.run_over();
        }
        self.play_to(BLOCK_NEEDS_SAMPLES);
        let is_playing = self.state == PlayoutState::Playing;
        let rate = if is_playing { self.correct() } else { self.drift.steady_rate() };
        let samples = self.repair.queue.peek(TAPS_BEFORE);
        if !is_playing && samples.iter().all(|&sample| sample == 0.0) {
            *out = Block::SILENCE;
            self.repair.queue.pass(BLOCK_FRAMES);
        } else {
            let consumed = self.resampler.read(samples, rate, &mut out.0);
            self.repair.queue.pass(consumed);
        }
        self.scaler.played(BLOCK_FRAMES);
        self.counters.played_blocks += u64::from(is_playing);
        self.level_dbfs = level_dbfs(out);
        if out.is_silent() { Pulled::Silence } else { Pulled::Sound }
    }

    /// Leads the delay to its target: the rate to read the next block at. What is far away is
    /// brought nearer by a period of the voice first.
    fn correct(&mut self) -> f64 {
        let delay = self.delay_samples();
        let target = self.target.target_samples();
        let mut error = delay.saturating_sub(target);
        if error.saturating_abs() > JUMP_SAMPLES {
            // The sender's clock has jumped, and what is played is of before that.
            return self.drift.steady_rate();
        }
        let change = if delay.saturating_sub(self.target.held_samples()) > MARGIN_SAMPLES {
            Some(TempoChange::Shorter)
        } else if error < -MARGIN_SAMPLES {
            Some(TempoChange::Longer)
        } else {
            None
        };
        if let Some(change) = change.filter(|_| self.scaler.is_ready()) {
            self.look_ahead();
            if let Some(period) = self.scaler.apply(change, &mut self.repair.queue) {
                let period = period as i64;
                match change {
                    TempoChange::Shorter => self.counters.removed_samples += period.unsigned_abs(),
                    TempoChange::Longer => self.counters.added_samples += period.unsigned_abs(),
                }
                error = error.saturating_add(if change == TempoChange::Shorter { -period } else { period });
                // A low voice's period may have left too little for this block.
                self.play_to(BLOCK_NEEDS_SAMPLES);
            }
        }
        self.drift.rate(error as f64)
    }

    /// How far behind the fastest packet the next sample is.
    fn delay_samples(&self) -> i64 {
        let next_out = self.next_rtp_time.wrapping_sub(self.repair.queue.len() as u64);
        self.target.delay_samples(next_out, self.now)
    }

    /// Decodes what is there for sure, so that periods can be compared. A hole that is due next is left
    /// to its time.
    fn look_ahead(&mut self) {
        while self.repair.queue.len() < PCM_AHEAD_SAMPLES
            && let Some(first) = self.packets.first()
            && self.packets.missing() == 0
            && rtp_gap(self.next_rtp_time, first.rtp_time) <= TOLERANCE_SAMPLES
        {
            self.play(first);
        }
    }

    /// More waits than any jitter explains: a sender that sends faster than it speaks, or a jump of its clock.
    /// What is too old goes, audibly.
    fn run_over(&mut self) {
        let target = self.target.target_samples();
        while let (Some(first), Some(second)) = (self.packets.first(), self.packets.second())
            && self.buffered_samples() > target + self.packet_samples
        {
            self.leave_out(first, second);
            self.next_rtp_time = second.rtp_time;
        }
        self.repair.interrupt();
    }

    /// Puts samples behind what is pending until there are `count`. Each packet and each missing one is passed
    /// once, so that this ends.
    fn play_to(&mut self, count: usize) {
        while self.repair.queue.len() < count {
            self.step();
        }
    }

    /// Puts something behind what is pending, or changes state.
    fn step(&mut self) {
        if self.state == PlayoutState::Playing {
            if !self.play_next() {
                self.state = PlayoutState::Stalled { samples: 0 };
                self.invented = 0;
            }
        } else if !self.resume() {
            self.stall();
        }
    }

    /// Plays or rescues the packet that is due. False if that must wait: nothing is there, or its
    /// time has not come.
    fn play_next(&mut self) -> bool {
        let Some(first) = self.packets.first() else { return false };
        let missing = self.packets.missing();
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

    fn play(&mut self, first: BufferedPacket) {
        let made = self.repair.play(&self.packets, first);
        self.packets.pass();
        if made == PacketOutcome::Padding {
            return;
        }
        self.count(made);
        if !matches!(made, PacketOutcome::Unreadable(_)) {
            self.counters.played_packets += 1;
            self.counters.waited_samples += self.now.saturating_sub(first.arrived).max(0).unsigned_abs();
        }
        self.next_rtp_time = first.rtp_time.wrapping_add(made.samples() as u64);
        self.packet_samples = made.samples() as i64;
    }

    /// Puts something in place of the next of `missing` packets, which together lasted `hole` samples.
    fn replace(&mut self, next: BufferedPacket, missing: u64, hole: i64) {
        let made = self.repair.replace(&self.packets, next, missing, hole);
        self.packets.pass();
        self.count(made);
        self.next_rtp_time = self.next_rtp_time.wrapping_add(made.samples() as u64);
    }

    fn count(&mut self, made: PacketOutcome) {
        match made {
            PacketOutcome::Sound(_) | PacketOutcome::Padding => {}
            PacketOutcome::Copied(_) => {
                self.counters.lost += 1;
                self.counters.red_recovered += 1;
            }
            PacketOutcome::Recovered(_) => {
                self.counters.lost += 1;
                self.counters.fec_recovered += 1;
            }
            PacketOutcome::Concealed(samples) => {
                self.counters.lost += 1;
                self.count_concealed(samples as i64);
            }
            PacketOutcome::Unreadable(samples) => {
                self.counters.invalid += 1;
                self.count_concealed(samples as i64);
            }
        }
    }

    fn stall(&mut self) {
        if let PlayoutState::Stalled { samples } = &mut self.state {
            *samples = samples.saturating_add(BLOCK);
        }
        self.invented = self.invented.min(self.repair.queue.len()) + self.repair.conceal(BLOCK_FRAMES);
    }

    /// Whether `missing` packets explain a `hole` in time; a larger one is a sender that was silent.
    fn is_loss(&self, missing: u64, hole: i64) -> bool {
        hole <= (missing as i64 + 1).saturating_mul(self.packet_samples)
    }

    /// Leaves the stall if what waits may be played now.
    fn resume(&mut self) -> bool {
        let Some(first) = self.packets.first() else { return false };
        let missing = self.packets.missing();
        let hole = rtp_gap(self.next_rtp_time, first.rtp_time);
        if let PlayoutState::Stalled { samples } = self.state
            && !self.is_silent()
        {
            let is_late = missing == 0 && hole <= TOLERANCE_SAMPLES;
            let is_loss = missing > 0 && self.is_loss(missing, hole);
            if is_late || is_loss {
                // A lost packet's time went by in the stall; a late one is played whole, later.
                let gone = if is_loss { samples.min(hole.max(0)) } else { 0 };
                let surplus = self.invented_samples().min(samples - gone);
                self.settle(samples - surplus, missing, hole);
                self.next_rtp_time = self.next_rtp_time.wrapping_add(gone as u64);
                self.state = PlayoutState::Playing;
                self.join(surplus);
                return true;
            }
        }
        // What is pending is played before it.
        let wait = self.target.target_samples().saturating_sub(self.delay_of(first));
        if wait > BLOCK {
            return false;
        }
        if let PlayoutState::Stalled { samples } = self.state {
            self.settle(samples, missing + self.overrun, hole);
            self.pass_missing();
        }
        // To the sample, as far as concealment comes in frames.
        let wait = usize::try_from(wait).unwrap_or(0);
        self.repair.conceal(wait - wait % FRAME_SAMPLES_MIN);
        self.start();
        true
    }

    /// Concealment of the stall that was not played yet.
    fn invented_samples(&self) -> i64 {
        self.invented.min(self.repair.queue.len()) as i64
    }

    /// Plays what ended a stall, in the place of the last `surplus` samples that were invented in it.
    fn join(&mut self, surplus: i64) {
        let before = self.repair.queue.len();
        if self.play_next() {
            let fresh = self.repair.queue.len() - before;
            self.repair.queue.join(usize::try_from(surplus).unwrap_or(0), fresh);
        }
        self.invented = 0;
    }

    /// How far behind the fastest packet `packet` would be if it were played next; not less than it has waited already,
    /// so that a sender with a wrong clock cannot shorten it.
    fn delay_of(&self, packet: BufferedPacket) -> i64 {
        let pending = self.repair.queue.len() as i64;
        let waited = self.now.saturating_sub(packet.arrived);
        self.target.delay_samples(packet.rtp_time, self.now).max(waited).saturating_add(pending)
    }

    /// Starts from the first packet that is not too old.
    fn start(&mut self) {
        let target = self.target.target_samples();
        if self.packets.first().is_some_and(|first| self.delay_of(first) > target + STALE_SAMPLES) {
            while let (Some(first), Some(second)) = (self.packets.first(), self.packets.second())
                && self.delay_of(second) >= target
            {
                self.leave_out(first, second);
            }
        }
        if let Some(first) = self.packets.first() {
            self.next_rtp_time = first.rtp_time;
        }
        while self.packets.missing() > 0 {
            self.packets.pass();
        }
        self.overrun = 0;
        self.state = PlayoutState::Playing;
    }

    /// Throws `first` away, and what is missing between it and `second`.
    fn leave_out(&mut self, first: BufferedPacket, second: BufferedPacket) {
        let left_out = rtp_gap(first.rtp_time, second.rtp_time).clamp(0, OPUS_PACKET_SAMPLES_MAX as i64);
        self.counters.dropped_blocks += (left_out / BLOCK) as u64;
        self.counters.dropped_packets += 1;
        self.pass_missing();
        self.packets.pass();
        self.pass_missing();
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
        while self.packets.missing() > 0 {
            self.counters.lost += 1;
            self.packets.pass();
        }
    }
}

const _: () = assert!(BLOCK_NEEDS_SAMPLES < PCM_AHEAD_SAMPLES);
