//! What we hear of others: [`Hearing`].
//!
//! ```text
//!   room, admission ─► update ─► Subscriptions ─► requests: subscribe, unsubscribe, pause, resume
//!   tracks of the last offer ──► SubscribedTracks ─► events: TrackSubscribed, TrackUnsubscribed
//!   RTP ─► insert ─► ReceiverSlots ─┐
//!   prompt ─────────────────────────┴─► playback ─► block for the loudspeaker and the echo canceller
//! ```
//!
//! | function | when |
//! | --- | --- |
//! | `update` | the room, the rule of admission or the last offer has changed; a session has begun |
//! | `resumed`, `session_lost` | the session was resumed or is over |
//! | `subscription_refused`, `speakers_changed` | messages of the server |
//! | `set_policy`, `forget_wanted`, `set_wanted`, `set_paused`, `set_talker_volume` | commands |
//! | `insert`, `playback`, `restart_playback`, `output_volume` | packets, blocks, the card |
//! | `wanted`, `paused`, `policy`, `is_subscribed`, `take_stats`, `total` | what others read |

mod output_volume;
mod receiver_slots;
mod subscribed_tracks;

use std::time::Instant;

use serde_json::Value;

use crate::command::{Answer, CommandError};
use crate::engine::outbox::Outbox;
use crate::event::{Event, TrackFacts, TrackSource, TrackStats};
use crate::limits::SUBSCRIPTIONS_MAX;
use crate::local::overrides::{Overrides, TrackSelector};
use crate::local::policy::SubscriptionPolicy;
use crate::local::subscription::{Offered, Sids, SubscriptionChange, Subscriptions};
use crate::media::block::Block;
use crate::media::receive::counters::ReceiveCounters;
use crate::media::receive::decode::DecoderError;
use crate::room::{Participant, ParticipantTrack, Room};
use crate::rtc::RtpArrival;
use crate::signal::request::Request;
use crate::signal::response::SubscriptionError;
use crate::signal::sid::Sid;

use output_volume::OutputVolume;
use receiver_slots::ReceiverSlots;
use subscribed_tracks::SubscribedTracks;

/// The tracks of others: which are asked for, which are carried, and their sound.
pub(in crate::engine) struct Hearing {
    listens: bool,
    /// The policy from the settings, which a rule of admission restores.
    initial_policy: SubscriptionPolicy,
    subscriptions: Subscriptions,
    tracks: SubscribedTracks,
    receivers: ReceiverSlots,
    /// Volumes of single tracks or identities, in percent.
    talker_volumes: Overrides<u16>,
    output_volume: OutputVolume,
    warned_encrypted: heapless::Vec<Sid, SUBSCRIPTIONS_MAX>,
}

/// What decides which tracks are heard, as it is now.
pub(in crate::engine) struct HearingInput<'a> {
    pub(in crate::engine) room: &'a Room,
    /// The tracks that the last offer for the subscriber carries.
    pub(in crate::engine) carried: &'a [Sid],
    /// Whether a request reaches the server.
    pub(in crate::engine) has_signal: bool,
    /// Whether the rule of admission lets a participant be heard.
    pub(in crate::engine) is_admitted: &'a dyn Fn(&Participant) -> bool,
}

impl Hearing {
    /// Nothing is heard yet. `listens` is whether there is an output at all; no receiver waits longer than
    /// `target_ms_max` for a late packet.
    pub(in crate::engine) fn new(
        listens: bool,
        policy: SubscriptionPolicy,
        volume_percent: u8,
        target_ms_max: u32,
    ) -> Result<Hearing, DecoderError> {
        Ok(Hearing {
            listens,
            initial_policy: policy.clone(),
            subscriptions: Subscriptions::new(policy),
            tracks: SubscribedTracks::default(),
            receivers: ReceiverSlots::new(target_ms_max)?,
            talker_volumes: Overrides::default(),
            output_volume: OutputVolume::new(volume_percent),
            warned_encrypted: heapless::Vec::new(),
        })
    }

    /// Compares the room with what is subscribed, requests the difference, and follows with what is played. While
    /// requests do not reach the server only what is played changes; `joined` and `resumed` make up for it.
    pub(in crate::engine) fn update(&mut self, input: &HearingInput<'_>, out: &mut Outbox) {
        if self.may_subscribe(input) {
            self.subscribe(input, out);
        }
        let is_wanted = |sid: &Sid| self.is_to_be_heard(*sid, input);
        let wanted: Sids = input.carried.iter().copied().filter(is_wanted).take(SUBSCRIPTIONS_MAX).collect();
        let volumes = &self.talker_volumes;
        for ended in self.tracks.update(&wanted, input.room, |sid, facts| volume(volumes, sid, facts), out) {
            self.receivers.release(ended);
        }
    }

    /// The session is resumed: requests that the connection may have taken with it are sent again.
    pub(in crate::engine) fn resumed(&mut self, input: &HearingInput<'_>, out: &mut Outbox) {
        let change = self.subscriptions.resumed(input.carried.iter().copied());
        request(&change, out);
        self.update(input, out);
    }

    /// The session is over: nothing is subscribed, and all tracks end.
    pub(in crate::engine) fn session_lost(&mut self, out: &mut Outbox) {
        self.subscriptions.session_lost();
        for ended in self.tracks.end_all_but(&[], out) {
            self.receivers.release(ended);
        }
    }

    /// The server cannot give us a track that we asked for.
    pub(in crate::engine) fn subscription_refused(
        &mut self,
        sid: Sid,
        error: SubscriptionError,
        input: &HearingInput<'_>,
        out: &mut Outbox,
    ) {
        self.subscriptions.refused(sid);
        let identity = input.room.track(sid).map_or_else(String::new, |track| track.identity.to_owned());
        let reason = error.words().to_owned();
        out.emit(Event::TrackSubscriptionFailed { identity, sid: sid.to_string(), reason });
        // Its place may be used by another track now.
        self.request_changes(input, out);
    }

    /// The room's list of speakers has changed.
    pub(in crate::engine) fn speakers_changed(&mut self, room: &Room) {
        self.tracks.set_speakers(room);
    }

    /// Sets the policy for tracks that are not named one by one.
    pub(in crate::engine) fn set_policy(
        &mut self,
        policy: SubscriptionPolicy,
        input: &HearingInput<'_>,
        out: &mut Outbox,
    ) {
        self.subscriptions.set_policy(policy);
        self.request_changes(input, out);
    }

    /// A new rule of admission: what was wanted beyond the one before ends. Takes effect at once, also while the
    /// server is away.
    pub(in crate::engine) fn forget_wanted(&mut self, input: &HearingInput<'_>, out: &mut Outbox) {
        self.subscriptions.forget_wanted(self.initial_policy.clone());
        self.update(input, out);
    }

    /// Subscribes or unsubscribes a track, with precedence over the policy: by SID, or all microphones of an identity,
    /// which need not be in the room yet.
    pub(in crate::engine) fn set_wanted(
        &mut self,
        whom: &str,
        wanted: bool,
        input: &HearingInput<'_>,
        out: &mut Outbox,
    ) -> Answer {
        self.subscriptions.set_wanted(self.selector(whom, input.room)?, wanted);
        self.request_changes(input, out);
        Ok(Value::Null)
    }

    /// Pauses or resumes a track: by SID, or all microphones of an identity.
    pub(in crate::engine) fn set_paused(
        &mut self,
        whom: &str,
        paused: bool,
        input: &HearingInput<'_>,
        out: &mut Outbox,
    ) -> Answer {
        self.subscriptions.set_paused(self.selector(whom, input.room)?, paused);
        self.request_changes(input, out);
        Ok(Value::Null)
    }

    /// Sets the volume of a track, in percent: by SID, or of all microphones of an identity.
    pub(in crate::engine) fn set_talker_volume(&mut self, whom: &str, percent: u16, room: &Room) -> Answer {
        self.talker_volumes.set(self.selector(whom, room)?, percent);
        let Self { tracks, receivers, talker_volumes, .. } = self;
        tracks.set_volumes(
            |sid, facts| volume(talker_volumes, sid, facts),
            |sid, volume| receivers.set_volume(sid, volume),
        );
        Ok(Value::Null)
    }

    /// Takes a packet of a track; `false` if its talker is one too many. The one place where an Opus payload enters a
    /// track: end-to-end decryption belongs here, before anything looks at the payload.
    pub(in crate::engine) fn insert(&mut self, packet: &RtpArrival<'_>) -> bool {
        match self.tracks.state(packet.track) {
            Some(state) => self.receivers.insert(packet, state),
            // Not known yet, or not wanted any more while the server still sends it: it is not played.
            None => true,
        }
    }

    /// Fills `out` with the next 10 ms to play, with `prompt`: always the whole block, exact zeros if nothing is heard.
    pub(in crate::engine) fn playback(&mut self, prompt: Option<&Block>, out: &mut Block, now: Instant) {
        let tracks = &self.tracks;
        let volume_of = |sid| tracks.state(sid).map_or(1.0, |state| state.volume);
        self.receivers.mix(prompt, volume_of, self.output_volume.gain(), out, now);
    }

    /// The loudspeaker was away and is back: what waits to be played is discarded.
    pub(in crate::engine) fn restart_playback(&mut self) {
        self.receivers.restart();
    }

    /// The volume of all that is played.
    pub(in crate::engine) fn output_volume(&mut self) -> &mut OutputVolume {
        &mut self.output_volume
    }

    /// The tracks that we asked for.
    pub(in crate::engine) fn wanted(&self) -> &[Sid] {
        self.subscriptions.wanted()
    }

    /// Those of them that are paused.
    pub(in crate::engine) fn paused(&self) -> &[Sid] {
        self.subscriptions.paused()
    }

    /// The policy for tracks that are not named one by one.
    pub(in crate::engine) fn policy(&self) -> &SubscriptionPolicy {
        self.subscriptions.policy()
    }

    /// Whether a track can be heard: it is carried, and the application knows.
    pub(in crate::engine) fn is_subscribed(&self, sid: Sid) -> bool {
        self.tracks.state(sid).is_some()
    }

    /// The counters of each track since the last call.
    pub(in crate::engine) fn take_stats(&mut self, room: &Room) -> Vec<TrackStats> {
        let stats = self.receivers.take_stats().map(|(sid, stats)| TrackStats {
            sid: sid.to_string(),
            identity: room.track(sid).map_or_else(String::new, |track| track.identity.to_owned()),
            ..stats
        });
        stats.collect()
    }

    /// What all receivers have counted together since the start.
    pub(in crate::engine) fn total(&self, count: fn(&ReceiveCounters) -> u64) -> u64 {
        self.receivers.total(count)
    }

    /// Requests what a command or a refusal has changed. While the server is away, or we may not subscribe, it waits,
    /// and so does what is played.
    fn request_changes(&mut self, input: &HearingInput<'_>, out: &mut Outbox) {
        if self.may_subscribe(input) {
            self.update(input, out);
        }
    }

    fn may_subscribe(&self, input: &HearingInput<'_>) -> bool {
        let is_permitted = || input.room.own().is_some_and(|own| own.permission.subscribe);
        self.listens && input.has_signal && is_permitted()
    }

    fn subscribe(&mut self, input: &HearingInput<'_>, out: &mut Outbox) {
        let mut offered = Vec::new();
        let mut encrypted = Vec::new();
        for participant in input.room.participants() {
            let is_admitted = (input.is_admitted)(participant);
            for track in participant.tracks().filter(ParticipantTrack::is_audio) {
                if track.info.encrypted {
                    encrypted.push((track.info.sid, track.identity));
                } else {
                    offered.push(offered_by(track, is_admitted));
                }
            }
        }
        let change = self.subscriptions.update(&offered);
        self.talker_volumes.retain_tracks(|sid| offered.iter().any(|track| track.sid == sid));
        self.warn_of_encrypted(&encrypted, out);
        request(&change, out);
    }

    /// Whether a carried track is to be heard: what the server still sends of others is not played.
    fn is_to_be_heard(&self, sid: Sid, input: &HearingInput<'_>) -> bool {
        let Some(track) = input.room.track(sid).filter(ParticipantTrack::is_audio) else { return false };
        let publisher = input.room.participants().find(|other| other.identity == track.identity);
        self.subscriptions.is_wished(&offered_by(track, publisher.is_some_and(input.is_admitted)))
    }

    /// Decoded without the key, an encrypted track is noise at full scale.
    fn warn_of_encrypted(&mut self, encrypted: &[(Sid, &str)], out: &mut Outbox) {
        self.warned_encrypted.retain(|sid| encrypted.iter().any(|(other, _)| other == sid));
        for (sid, identity) in encrypted {
            if !self.warned_encrypted.contains(sid) && self.warned_encrypted.push(*sid).is_ok() {
                out.warn(format!(
                    "{identity} speaks end-to-end encrypted ({sid}): not played, this program has no key"
                ));
            }
        }
    }

    /// What a command names: a track of the room, or else an identity, which need not be in the room yet.
    fn selector(&self, word: &str, room: &Room) -> Result<TrackSelector, CommandError> {
        if !self.listens {
            return Err(CommandError::refused("there is no output to hear them"));
        }
        let track = Sid::new(word).and_then(|sid| room.track(sid));
        match track {
            Some(track) if track.is_audio() => Ok(TrackSelector::Track(track.info.sid)),
            Some(_) => Err(CommandError::refused("that track carries no sound")),
            None if word.starts_with("TR_") => Err(CommandError::refused("no track of that SID in the room")),
            None => Ok(TrackSelector::Identity(word.to_owned())),
        }
    }
}

fn request(change: &SubscriptionChange, out: &mut Outbox) {
    for (sids, subscribe) in [(&change.unsubscribe, false), (&change.subscribe, true)] {
        if !sids.is_empty() {
            out.request(&Request::Subscription { sids: sids.to_vec(), subscribe });
        }
    }
    for (sids, paused) in [(&change.pause, true), (&change.resume, false)] {
        if !sids.is_empty() {
            out.request(&Request::TrackSettings { sids: sids.to_vec(), paused });
        }
    }
}

fn offered_by(track: ParticipantTrack<'_>, is_admitted: bool) -> Offered<'_> {
    Offered {
        sid: track.info.sid,
        identity: track.identity,
        is_muted: track.info.muted,
        is_microphone: track.info.source == TrackSource::Microphone,
        is_admitted,
    }
}

/// The volume of a track, a factor.
fn volume(volumes: &Overrides<u16>, track: Sid, facts: &TrackFacts) -> f32 {
    let is_microphone = facts.source == TrackSource::Microphone;
    let percent = volumes.of(track, &facts.identity, is_microphone).unwrap_or(100);
    f32::from(percent) / 100.0
}

#[cfg(test)]
mod tests;
