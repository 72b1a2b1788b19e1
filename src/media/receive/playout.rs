//! From what waits to blocks that are always full: what is played when, and what happens where nothing is there.
//!
//! ```text
//!   ring ─► rescue ─► pending ─► pull       (only when due, so that the choice sees the newest arrivals)
//!
//!            nothing there, or a gap in time
//!   Playing ─────────────────────────────────► Stalled: concealment that fades, then silence
//!      ▲                                          │
//!      └── the awaited packet, while it fades ◄───┤   else: when the first packet waited for the target delay
//! ```
//!
//! What is made of a packet that is due, there or not, is told in [`super::rescue`]. A hole in sequence
//! numbers is loss. A hole in time without one in sequence numbers is a sender that was silent (DTX,
//! mute), and costs nobody a concealed block. While stalled we cannot know which of both it will be, so
//! those blocks are counted when the next packet tells.
//!
//! Delay grows by being late only, and goes back by leaving blocks out, in one place:
//! `Talker::leave_out`. A stream that stopped starts again from the target, never from a queue.

use super::clock::rtp_gap;
use super::decode::FRAME_SAMPLES_MIN;
use super::rescue::Made;
use super::ring::Waiting;
use super::surplus::MARGIN_SAMPLES;
use super::talker::{Pulled, State, Talker};
use crate::limits::OPUS_PACKET_SAMPLES_MAX;
use crate::media::block::{BLOCK_FRAMES, Block};
use crate::media::gain::crossfade;
use crate::media::level::level_dbfs;
use std::time::Instant;

/// A block in samples, for sums with RTP time.
const BLOCK: i64 = BLOCK_FRAMES as i64;

/// RTP time may miss this much without meaning anything: half a shortest frame and rounding.
const TOLERANCE_SAMPLES: i64 = FRAME_SAMPLES_MIN as i64;

impl Talker {
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
            Made::Copied(_) => {
                self.counters.lost += 1;
                self.counters.red_recovered += 1;
            }
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
