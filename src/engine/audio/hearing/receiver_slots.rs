//! The receivers of tracks that are played: [`ReceiverSlots`], eight slots, and a queue for one.
//!
//! ```text
//!   RTP ─► slot of its track (8) ─► TrackReceiver ─► Gain ─┐
//!   tone or recording of our own ──────────────────────────┼─► Mixer ─► volume ─► block to play
//!   RTP of a ninth talker ─► Activity, counted  …        ──┘
//! ```
//!
//! A slot belongs to a track from its first packet until the track ends, or until a clearly more active track takes it.
//! The track that loses a slot fades out within a block first.

#![expect(
    clippy::indexing_slicing,
    reason = "places come from a search of the same table, or number its fixed entries"
)]

use std::time::{Duration, Instant};

use super::subscribed_tracks::TrackState;
use crate::event::TrackStats;
use crate::limits::{SUBSCRIPTIONS_MAX, TALKERS_MAX};
use crate::media::activity::Activity;
use crate::media::block::Block;
use crate::media::gain::Gain;
use crate::media::mix::Mixer;
use crate::media::receive::counters::ReceiveCounters;
use crate::media::receive::decode::DecoderError;
use crate::media::receive::track_receiver::{ArrivedPacket, Pulled, TrackReceiver};
use crate::rtc::RtpArrival;
use crate::signal::sid::Sid;

/// A talker without packets for this long gives up its slot to one that has some: longer than Opus's DTX interval of
/// 400 ms, so that a pause in speech does not count.
const SLOT_IDLE: Duration = Duration::from_millis(1000);

/// [`TALKERS_MAX`] slots with a receiver each, and their mixer.
pub(in crate::engine) struct ReceiverSlots {
    slots: Vec<Slot>,
    mixer: Mixer,
    /// Tracks that send and have no slot.
    waiting: heapless::Vec<(Sid, Activity), SUBSCRIPTIONS_MAX>,
}

struct Slot {
    track: Option<Sid>,
    /// Whose it is when the present one has faded.
    successor: Option<Sid>,
    /// It fades out, and gives up the slot.
    is_leaving: bool,
    ssrc: u32,
    last_packet: Option<Instant>,
    activity: Activity,
    receiver: TrackReceiver,
    gain: Gain,
    reported: ReceiveCounters,
}

impl ReceiverSlots {
    /// All receivers are made at the start: no memory is allocated while sound flows.
    /// None of them waits longer than `target_ms_max` for a late packet.
    pub(in crate::engine) fn new(target_ms_max: u32) -> Result<Self, DecoderError> {
        let slot = |_| Slot::new(target_ms_max);
        let slots = (0..TALKERS_MAX).map(slot).collect::<Result<_, DecoderError>>()?;
        Ok(Self { slots, mixer: Mixer::new(), waiting: heapless::Vec::new() })
    }

    /// Takes a packet of a track that is in `state`; `false` if its talker is one too many.
    pub(in crate::engine) fn insert(&mut self, packet: &RtpArrival<'_>, state: TrackState) -> bool {
        let Some(slot) = self.slot_for(packet, state) else { return false };
        slot.last_packet = Some(packet.arrival);
        slot.activity.packet(packet.payload.len(), state.is_speaking, packet.arrival);
        slot.receiver.insert(ArrivedPacket {
            sequence: packet.sequence,
            rtp_time: packet.rtp_time,
            arrival: packet.arrival,
            is_red: packet.is_red,
            payload: packet.payload,
        });
        true
    }

    fn slot_for(&mut self, packet: &RtpArrival<'_>, state: TrackState) -> Option<&mut Slot> {
        let known = self.slots.iter().position(|slot| slot.track == Some(packet.track));
        let is_idle = |slot: &Slot| {
            slot.last_packet.is_none_or(|last| packet.arrival.saturating_duration_since(last) >= SLOT_IDLE)
        };
        let index = known
            .or_else(|| self.slots.iter().position(|slot| slot.track.is_none()))
            .or_else(|| self.slots.iter().position(is_idle));
        let Some(index) = index else {
            self.wait_for_slot(packet, state.is_speaking);
            return None;
        };
        if known.is_none() {
            self.waiting.retain(|(track, _)| *track != packet.track);
        }
        let slot = &mut self.slots[index];
        if known.is_none() {
            slot.give_to(Some(packet.track));
            slot.gain = Gain::new(state.volume);
        } else if slot.ssrc != packet.ssrc {
            slot.receiver.restart();
        }
        slot.ssrc = packet.ssrc;
        Some(slot)
    }

    /// A ninth talker: if it is clearly more active than the least active one with a slot, that one fades out and loses
    /// it.
    fn wait_for_slot(&mut self, packet: &RtpArrival<'_>, is_speaking: bool) {
        let now = packet.arrival;
        let place = self.waiting.iter().position(|(track, _)| *track == packet.track).unwrap_or_else(|| {
            // As many places as subscriptions: tracks that are gone make room.
            if self.waiting.is_full() {
                self.waiting.remove(0);
            }
            let _ = self.waiting.push((packet.track, Activity::default()));
            self.waiting.len() - 1
        });
        let Some((_, activity)) = self.waiting.get_mut(place) else { return };
        activity.packet(packet.payload.len(), is_speaking, now);
        if self.slots.iter().any(|slot| slot.successor == Some(packet.track)) {
            return;
        }
        let staying = self.slots.iter_mut().filter(|slot| !slot.is_leaving);
        let weight = |slot: &&mut Slot| slot.activity.weight(now);
        let Some(least) = staying.min_by(|a, b| weight(a).total_cmp(&weight(b))) else { return };
        if activity.takes_place_of(&least.activity, now) {
            least.successor = Some(packet.track);
            least.leave();
        }
    }

    /// Fills `out` with the next 10 ms of all tracks and of `prompt`, at `volume`. `volume_of` is the volume of a track
    /// that takes over a slot.
    pub(in crate::engine) fn mix(
        &mut self,
        prompt: Option<&Block>,
        volume_of: impl Fn(Sid) -> f32,
        volume: &mut Gain,
        out: &mut Block,
        now: Instant,
    ) {
        self.mixer.start();
        let mut block = Block::SILENCE;
        for slot in self.slots.iter_mut().filter(|slot| slot.track.is_some()) {
            let pulled = slot.receiver.pull(&mut block, now);
            if slot.is_leaving && slot.gain.is_silent() {
                // Faded out after its track ended, or for another one.
                let successor = slot.successor;
                slot.give_to(successor);
                // It has not sent into it yet, but is not idle.
                slot.last_packet = successor.map(|_| now);
                let waited = self.waiting.iter().find(|(track, _)| Some(*track) == successor);
                slot.activity = waited.map_or_else(Activity::default, |(_, activity)| *activity);
                slot.gain = Gain::new(successor.map_or(1.0, &volume_of));
                self.waiting.retain(|(track, _)| Some(*track) != successor);
            } else if pulled == Pulled::Sound {
                slot.gain.apply(&mut block);
                self.mixer.add(&block);
            } else if !slot.gain.is_settled() {
                slot.gain.apply(&mut block);
            }
        }
        if let Some(prompt) = prompt {
            self.mixer.add(prompt);
        }
        self.mixer.finish(volume, out);
    }

    /// Discards sound that waits to be played: every receiver starts again.
    pub(in crate::engine) fn restart(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.track.is_some()) {
            slot.receiver.restart();
        }
    }

    /// Ends a track: it fades within one block, then its slot is free.
    pub(in crate::engine) fn release(&mut self, track: Sid) {
        self.waiting.retain(|(waiting, _)| *waiting != track);
        for slot in &mut self.slots {
            if slot.successor == Some(track) {
                slot.successor = None;
            }
            if slot.track == Some(track) {
                slot.leave();
            }
        }
    }

    /// Sets the volume of a track, a factor: on a ramp over the next block.
    pub(in crate::engine) fn set_volume(&mut self, track: Sid, volume: f32) {
        for slot in self.slots.iter_mut().filter(|slot| slot.track == Some(track) && !slot.is_leaving) {
            slot.gain.set(volume);
        }
    }

    /// What all receivers have counted together since the start: a slot keeps its count when it changes hands.
    pub(in crate::engine) fn total(&self, count: fn(&ReceiveCounters) -> u64) -> u64 {
        self.slots.iter().map(|slot| count(slot.receiver.counters())).sum()
    }

    /// Counters of each slot's track since the last call.
    pub(in crate::engine) fn take_stats(&mut self) -> impl Iterator<Item = (Sid, TrackStats)> + '_ {
        self.slots.iter_mut().filter_map(|slot| {
            let track = slot.track?;
            let now = *slot.receiver.counters();
            let before = std::mem::replace(&mut slot.reported, now);
            Some((track, track_stats(&slot.receiver, &before, &now)))
        })
    }
}

impl Slot {
    fn new(target_ms_max: u32) -> Result<Slot, DecoderError> {
        let mut receiver = TrackReceiver::new()?;
        receiver.set_target_ms_max(target_ms_max);
        Ok(Slot {
            track: None,
            successor: None,
            is_leaving: false,
            ssrc: 0,
            last_packet: None,
            activity: Activity::default(),
            reported: *receiver.counters(),
            receiver,
            gain: Gain::new(1.0),
        })
    }

    /// Gives the slot to another track, and resets it.
    fn give_to(&mut self, track: Option<Sid>) {
        self.receiver.restart();
        (self.track, self.successor, self.is_leaving) = (track, None, false);
        self.last_packet = None;
        self.activity = Activity::default();
        self.reported = *self.receiver.counters();
    }

    /// Fades the present track out within a block.
    fn leave(&mut self) {
        self.is_leaving = true;
        self.gain.set(0.0);
    }
}

fn track_stats(receiver: &TrackReceiver, before: &ReceiveCounters, now: &ReceiveCounters) -> TrackStats {
    let since = |count: fn(&ReceiveCounters) -> u64| count(now).saturating_sub(count(before)) as u32;
    let concealed = since(|c| c.concealed_blocks);
    let played = since(|c| c.played_blocks);
    TrackStats {
        buffer_ms: since(|c| c.waited_samples).checked_div(since(|c| c.played_packets)).unwrap_or(0) / 48,
        target_ms: receiver.target_ms(),
        concealed_permille: if played == 0 { 0.0 } else { concealed as f32 * 1000.0 / played as f32 },
        received: since(|c| c.received),
        lost: since(|c| c.lost),
        late: since(|c| c.late),
        red_recovered: since(|c| c.red_recovered),
        fec_recovered: since(|c| c.fec_recovered),
        drift_ppm: receiver.drift_ppm(),
        level_dbfs: receiver.level_dbfs(),
        ..TrackStats::default()
    }
}
