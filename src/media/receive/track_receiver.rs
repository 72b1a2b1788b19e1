//! One talker: packets are counted, measured and put into the buffer as they arrive; a full block is returned whenever
//! the playback side asks for one ([`super::playout`]).
//!
//! ```text
//! insert ─► RED taken apart ─► buffer ─► … ─► pull
//!                               └► target: how late are they?
//! ```

use super::clock::{Epoch, PullClock, SAMPLES_PER_MS, rtp_gap};
use super::counters::ReceiveCounters;
use super::decode::{DecoderError, frame_samples, has_fec, packet_samples};
use super::delay_target::DelayTarget;
use super::loss_repair::LossRepair;
use super::packet_buffer::{Insertion, PacketBuffer};
use super::red::split;
use super::time_scaler::TimeScaler;
use crate::limits::{OPUS_PACKET_SAMPLES_MAX, PACKET_BUFFER_PACKETS};
use crate::media::block::BLOCK_FRAMES;
use crate::media::drift::Drift;
use crate::media::level::SILENCE_DBFS;
use crate::media::resample::Resampler;
use std::time::Instant;

/// One packet as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct ArrivedPacket<'a> {
    /// Extended sequence number.
    pub sequence: u64,
    /// Extended RTP time of its first sample, 48 kHz.
    pub rtp_time: u64,
    /// When the network card had it, not when we looked.
    pub arrival: Instant,
    /// Whether it carries earlier packets too (RFC 2198).
    pub is_red: bool,
    /// One Opus packet, or a RED packet of them; empty for padding.
    pub payload: &'a [u8],
}

/// What [`TrackReceiver::pull`] put into the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulled {
    /// Something to hear.
    Sound,
    /// Exact zeros: need not be mixed.
    Silence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlayoutState {
    /// No packet was ever played.
    Fresh,
    Playing,
    /// The next packet is not there or not due, since so many samples.
    Stalled {
        samples: i64,
    },
}

/// The receiving side of one remote track. All memory is taken at construction.
pub struct TrackReceiver {
    pub(super) packets: Box<PacketBuffer>,
    pub(super) repair: LossRepair,
    pub(super) target: DelayTarget,
    pub(super) epoch: Epoch,
    pub(super) pulls: PullClock,
    pub(super) scaler: TimeScaler,
    pub(super) resampler: Resampler,
    pub(super) drift: Drift,
    /// The punctual time of the last pull.
    pub(super) now: i64,
    pub(super) state: PlayoutState,
    /// RTP time of the sample that follows those pending.
    pub(super) next_rtp_time: u64,
    /// Samples of the last packet: what a missing one is taken for.
    pub(super) packet_samples: i64,
    /// Of the pending samples the last ones, invented in a stall; less where fewer are pending.
    pub(super) invented: usize,
    /// Packets that were lost in the buffer, because newer ones needed their place.
    pub(super) overrun: u64,
    pub(super) concealed_samples: u64,
    pub(super) level_dbfs: f32,
    pub(super) counters: ReceiveCounters,
}

impl TrackReceiver {
    /// A talker that was not heard yet.
    pub fn new() -> Result<Self, DecoderError> {
        Ok(TrackReceiver {
            packets: Box::new(PacketBuffer::new()),
            repair: LossRepair::new()?,
            target: DelayTarget::new(),
            epoch: Epoch::default(),
            pulls: PullClock::new(),
            scaler: TimeScaler::new(),
            resampler: Resampler::new(),
            drift: Drift::new(),
            now: 0,
            state: PlayoutState::Fresh,
            next_rtp_time: 0,
            packet_samples: 2 * BLOCK_FRAMES as i64,
            invented: 0,
            overrun: 0,
            concealed_samples: 0,
            level_dbfs: SILENCE_DBFS,
            counters: ReceiveCounters::default(),
        })
    }

    /// Takes a packet. An invalid one is counted and dropped.
    pub fn insert(&mut self, packet: ArrivedPacket<'_>) {
        self.counters.received += 1;
        let at = self.pulls.usable_from(self.epoch.samples(packet.arrival));
        if !packet.is_red || packet.payload.is_empty() {
            return self.insert_primary(packet, at);
        }
        let Some(red) = split(packet.payload) else {
            self.counters.invalid += 1;
            return;
        };
        self.insert_primary(ArrivedPacket { payload: red.primary, ..packet }, at);
        for copy in red.copies {
            let sequence = packet.sequence.wrapping_sub(copy.distance);
            let rtp_time = packet.rtp_time.wrapping_sub(copy.offset_samples);
            if packet_samples(copy.payload).is_some()
                && self.packets.insert_copy(sequence, rtp_time, at, copy.payload)
            {
                // It comes as late as a packet that took that long: where copies are needed, there is to be
                // time for them.
                self.target.arrive(rtp_time, at, false);
            }
        }
    }

    /// In-band FEC comes with the packet after: where it is needed, there is to be time for it, too.
    fn expect_fec(&mut self, packet: &ArrivedPacket<'_>, at: i64) {
        if self.packets.is_missing(packet.sequence.wrapping_sub(1))
            && has_fec(packet.payload)
            && let Some(samples) = frame_samples(packet.payload)
        {
            self.target.arrive(packet.rtp_time.wrapping_sub(samples as u64), at, false);
        }
    }

    fn insert_primary(&mut self, packet: ArrivedPacket<'_>, at: i64) {
        if !packet.payload.is_empty() && packet_samples(packet.payload).is_none() {
            self.counters.invalid += 1;
            return;
        }
        let is_idle = self.is_silent() && self.packets.is_empty();
        let mut insertion = self.packets.insert(packet.sequence, packet.rtp_time, at, packet.payload);
        if insertion == Insertion::Jump {
            self.restart();
            insertion = self.packets.insert(packet.sequence, packet.rtp_time, at, packet.payload);
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
            self.target.arrive(packet.rtp_time, at, is_idle);
            if !packet.is_red {
                self.expect_fec(&packet, at);
            }
        }
    }

    /// Another sender takes over (a new SSRC on the same track, or a place that was empty): sound of the old one is not
    /// played any more, and the new one starts with the target delay. There were no pulls while the place was empty, so
    /// their count restarts: half a second without them would be taken for half a second of lateness, and the new
    /// sender would not be heard until that is forgotten.
    pub fn restart(&mut self) {
        self.packets.clear();
        self.repair.reset();
        self.target.rebase();
        self.drift = Drift::new();
        self.pulls = PullClock::new();
        self.overrun = 0;
        self.state = PlayoutState::Fresh;
        self.counters.restarts += 1;
    }

    /// Totals that only grow.
    pub fn counters(&self) -> &ReceiveCounters {
        &self.counters
    }

    /// Sound that waits here, from the next sample to the end of the newest packet.
    pub fn buffer_ms(&self) -> u32 {
        u32::try_from(self.buffered_samples() / SAMPLES_PER_MS).unwrap_or(0)
    }

    /// RTP time of the next sample, while the talker is played.
    pub fn playout_rtp_time(&self) -> Option<u64> {
        let pending = self.repair.queue.len() as u64;
        (self.state == PlayoutState::Playing).then(|| self.next_rtp_time.wrapping_sub(pending))
    }

    /// How much faster the talker's clock is than the loudspeaker's, as far as is known.
    pub fn drift_ppm(&self) -> f32 {
        self.drift.difference_ppm() as f32
    }

    /// From now on the buffer aims at no more than this: a late packet is concealed rather than waited for.
    pub fn set_target_ms_max(&mut self, max_ms: u32) {
        self.target.set_max_ms(max_ms);
    }

    /// By time and by count: a sender may claim any time.
    pub(super) fn buffered_samples(&self) -> i64 {
        let pending = if self.is_silent() { 0 } else { self.repair.queue.len() as i64 };
        let (Some(first), Some(newest)) = (self.packets.first(), self.packets.newest()) else {
            return pending;
        };
        let from = if self.state == PlayoutState::Playing { self.next_rtp_time } else { first.rtp_time };
        let by_time = rtp_gap(from, newest.rtp_time).saturating_add(self.packet_samples);
        let by_count = self.packets.len() as i64 * self.packet_samples;
        let full = (PACKET_BUFFER_PACKETS * OPUS_PACKET_SAMPLES_MAX) as i64;
        pending + by_time.clamp(by_count.min(full), full)
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
    pub(super) fn is_silent(&self) -> bool {
        match self.state {
            PlayoutState::Fresh => true,
            PlayoutState::Playing => false,
            PlayoutState::Stalled { samples } => samples >= self.repair.fade_samples() as i64,
        }
    }
}
