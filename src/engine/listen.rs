//! What we hear: packets → talkers → one mix.
//!
//! ```text
//!   RTP ─► slot of its track (8) ─► Talker ─► Gain ─┐
//!                                                   ├─► Mixer ─► volume ─► playback
//!   RTP of a ninth talker ─► Activity, counted  …  ─┘
//! ```
//!
//! A slot belongs to a track from its first packet until the track is gone, or until another one wants to be
//! heard and says clearly more.

use std::time::{Duration, Instant};

use super::Engine;
use crate::event::{Event, TrackFacts, TrackStats};
use crate::limits::{SUBSCRIPTIONS_MAX, TALKERS_MAX};
use crate::media::activity::Activity;
use crate::media::block::Block;
use crate::media::gain::Gain;
use crate::media::mix::Mixer;
use crate::media::receive::counters::ReceiveCounters;
use crate::media::receive::decode::DecoderError;
use crate::media::receive::talker::{ArrivedPacket, Pulled, Talker};
use crate::rtc::RtpArrival;
use crate::signal::sid::Sid;

/// A talker without packets for this long gives up its slot to one who has some: longer than Opus's
/// DTX interval of 400 ms, so that a pause in speech does not.
const SLOT_IDLE: Duration = Duration::from_millis(1000);

/// The receiving half of the sound.
pub(super) struct Listener {
    slots: Vec<Slot>,
    mixer: Mixer,
    /// Tracks that send and have no slot.
    waiting: heapless::Vec<(Sid, Activity), SUBSCRIPTIONS_MAX>,
    /// Tracks that the subscriber carries, as the application was told; when one is gone, the room may
    /// have forgotten it already.
    tracks: heapless::Vec<(Sid, TrackFacts), SUBSCRIPTIONS_MAX>,
}

struct Slot {
    track: Option<Sid>,
    ssrc: u32,
    last_packet: Option<Instant>,
    activity: Activity,
    talker: Talker,
    gain: Gain,
    reported: ReceiveCounters,
}

impl Listener {
    /// All talkers are made at the start: no memory is taken while sound flows.
    pub(super) fn new() -> Result<Self, DecoderError> {
        let slot = || {
            let talker = Talker::new()?;
            let reported = *talker.counters();
            let activity = Activity::default();
            let gain = Gain::new(1.0);
            Ok(Slot { track: None, ssrc: 0, last_packet: None, activity, talker, gain, reported })
        };
        let slots = (0..TALKERS_MAX).map(|_| slot()).collect::<Result<_, DecoderError>>()?;
        Ok(Self { slots, mixer: Mixer::new(), waiting: heapless::Vec::new(), tracks: heapless::Vec::new() })
    }

    /// Whether this track can be heard: the subscriber carries it, and the application knows.
    pub(super) fn carries(&self, track: Sid) -> bool {
        self.tracks.iter().any(|(sid, _)| *sid == track)
    }

    /// Takes a packet; `false` if its talker is one too many.
    pub(super) fn insert(&mut self, packet: &RtpArrival<'_>) -> bool {
        let Some(slot) = self.slot_for(packet) else { return false };
        slot.last_packet = Some(packet.arrival);
        slot.activity.packet(packet.payload.len(), packet.arrival);
        slot.talker.insert(ArrivedPacket {
            sequence: packet.sequence,
            rtp_time: packet.rtp_time,
            arrival: packet.arrival,
            is_red: packet.is_red,
            payload: packet.payload,
        });
        true
    }

    fn slot_for(&mut self, packet: &RtpArrival<'_>) -> Option<&mut Slot> {
        let known = self.slots.iter().position(|slot| slot.track == Some(packet.track));
        let idle = |slot: &Slot| {
            slot.last_packet.is_none_or(|last| packet.arrival.saturating_duration_since(last) >= SLOT_IDLE)
        };
        let index = known
            .or_else(|| self.slots.iter().position(|slot| slot.track.is_none()))
            .or_else(|| self.slots.iter().position(idle))
            .or_else(|| self.least_active_for(packet))?;
        let slot = &mut self.slots[index];
        if known.is_none() || slot.ssrc != packet.ssrc {
            slot.talker.restart();
            slot.ssrc = packet.ssrc;
        }
        if known.is_none() {
            slot.track = Some(packet.track);
            slot.gain = Gain::new(1.0);
            slot.activity = Activity::default();
            slot.reported = *slot.talker.counters();
            self.waiting.retain(|(track, _)| *track != packet.track);
        }
        Some(slot)
    }

    /// The slot of the least active talker, if this packet's says clearly more.
    fn least_active_for(&mut self, packet: &RtpArrival<'_>) -> Option<usize> {
        let now = packet.arrival;
        let place = self.waiting.iter().position(|(track, _)| *track == packet.track);
        let place = place.or_else(|| {
            // As many places as subscriptions: who is gone makes room.
            if self.waiting.is_full() {
                self.waiting.remove(0);
            }
            self.waiting.push((packet.track, Activity::default())).ok()?;
            Some(self.waiting.len() - 1)
        })?;
        let (_, activity) = self.waiting.get_mut(place)?;
        activity.packet(packet.payload.len(), now);
        let bytes = |slot: &Slot| slot.activity.bytes(now);
        let (index, least) =
            self.slots.iter().enumerate().min_by(|(_, a), (_, b)| bytes(a).total_cmp(&bytes(b)))?;
        activity.takes_place_of(&least.activity, now).then_some(index)
    }

    /// Fills `out` with everybody's next 10 ms.
    fn mix(&mut self, volume: &mut Gain, out: &mut Block, now: Instant) {
        self.mixer.start();
        let mut block = Block::SILENCE;
        for slot in self.slots.iter_mut().filter(|slot| slot.track.is_some()) {
            let pulled = slot.talker.pull(&mut block, now);
            if slot.gain.is_silent() && slot.gain.is_settled() {
                // Faded out after its track ended.
                slot.track = None;
                slot.last_packet = None;
                slot.talker.restart();
            } else if pulled == Pulled::Sound {
                slot.gain.apply(&mut block);
                self.mixer.add(&block);
            } else if !slot.gain.is_settled() {
                slot.gain.apply(&mut block);
            }
        }
        self.mixer.finish(volume, out);
    }

    /// What waits to be heard is forgotten; all begin anew.
    pub(super) fn restart(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.track.is_some()) {
            slot.talker.restart();
        }
    }

    /// The talker of a track that is gone fades within one block, then its slot is free.
    fn release(&mut self, track: Sid) {
        for slot in self.slots.iter_mut().filter(|slot| slot.track == Some(track)) {
            slot.gain.set(0.0);
        }
    }

    /// Counters of each slot's track since the last call.
    pub(super) fn take_stats(&mut self) -> impl Iterator<Item = (Sid, TrackStats)> + '_ {
        self.slots.iter_mut().filter_map(|slot| {
            let track = slot.track?;
            let now = *slot.talker.counters();
            let before = std::mem::replace(&mut slot.reported, now);
            Some((track, track_stats(&slot.talker, &before, &now)))
        })
    }
}

fn track_stats(talker: &Talker, before: &ReceiveCounters, now: &ReceiveCounters) -> TrackStats {
    let since = |count: fn(&ReceiveCounters) -> u64| count(now).saturating_sub(count(before)) as u32;
    let concealed = since(|c| c.concealed_blocks);
    let played = since(|c| c.played_blocks);
    TrackStats {
        buffer_ms: since(|c| c.waited_samples).checked_div(since(|c| c.played_packets)).unwrap_or(0) / 48,
        target_ms: talker.target_ms(),
        concealed_permille: if played == 0 { 0.0 } else { concealed as f32 * 1000.0 / played as f32 },
        received: since(|c| c.received),
        lost: since(|c| c.lost),
        late: since(|c| c.late),
        red_recovered: since(|c| c.red_recovered),
        fec_recovered: since(|c| c.fec_recovered),
        drift_ppm: talker.drift_ppm(),
        level_dbfs: talker.level_dbfs(),
        ..TrackStats::default()
    }
}

impl Engine {
    /// Fills `out` with the next 10 ms to play: always all of it, exact zeros where nobody is heard.
    pub fn playback(&mut self, out: &mut Block, now: Instant) {
        self.listener.mix(self.volume.gain(), out, now);
        if let Some(microphone) = &mut self.microphone {
            microphone.played(out);
        }
    }

    /// The subscriber carries other tracks than before, or the room knows more of them: a track may be
    /// carried before its participant is told, and is announced when it is.
    pub(super) fn tracks_changed(&mut self) {
        let Some(subscriber) = &self.subscriber else { return };
        let carried: heapless::Vec<Sid, SUBSCRIPTIONS_MAX> =
            subscriber.tracks().take(SUBSCRIPTIONS_MAX).collect();
        let mut told = std::mem::take(&mut self.listener.tracks);
        while let Some(gone) = told.iter().position(|(sid, _)| !carried.contains(sid)) {
            let (sid, facts) = told.remove(gone);
            self.track_gone(sid, facts);
        }
        for new in carried {
            let facts = self.room.track(new).map(|track| track.facts());
            if let Some(facts) = facts.filter(|_| !told.iter().any(|(sid, _)| *sid == new)) {
                // As many places as tracks are looked at.
                let _ = told.push((new, facts.clone()));
                self.emit(Event::TrackSubscribed(facts));
            }
        }
        self.listener.tracks = told;
    }

    /// Tracks that left the room end before the server offers without them.
    pub(super) fn tracks_ended(&mut self) {
        let mut told = std::mem::take(&mut self.listener.tracks);
        while let Some(gone) = told.iter().position(|(sid, _)| self.room.track(*sid).is_none()) {
            let (sid, facts) = told.remove(gone);
            self.track_gone(sid, facts);
        }
        self.listener.tracks = told;
    }

    fn track_gone(&mut self, sid: Sid, facts: TrackFacts) {
        self.listener.release(sid);
        self.emit(Event::TrackUnsubscribed(facts));
    }

    pub(super) fn unlisten_all(&mut self) {
        let tracks = std::mem::take(&mut self.listener.tracks);
        for (sid, facts) in tracks {
            self.track_gone(sid, facts);
        }
    }
}
