//! What we hear, as the room and the application wish it: which tracks there are, how loud each is.

use std::time::Instant;

use serde_json::Value;

use super::receiver_slots::CarriedTrack;
use crate::command::Answer;
use crate::engine::Engine;
use crate::event::{Event, TrackFacts, TrackSource};
use crate::limits::SUBSCRIPTIONS_MAX;
use crate::media::block::Block;
use crate::signal::sid::Sid;

impl Engine {
    /// Fills `out` with the next 10 ms to play: always all of it, exact zeros where nobody is heard.
    pub fn playback(&mut self, out: &mut Block, now: Instant) {
        self.hearing.listener.mix(self.hearing.volume.gain(), out, now);
        if let Some(microphone) = &mut self.local.microphone {
            microphone.played(out);
        }
    }

    /// The subscriber carries other tracks than before, or the room knows more of them, or others are wished: a track
    /// may be carried before its participant is told, and is announced when it is.
    pub(in crate::engine) fn tracks_changed(&mut self) {
        let Some(subscriber) = &self.transports.subscriber else { return };
        let wished = subscriber.tracks().filter(|sid| self.is_wished(*sid));
        let carried: heapless::Vec<Sid, SUBSCRIPTIONS_MAX> = wished.take(SUBSCRIPTIONS_MAX).collect();
        let mut told = std::mem::take(&mut self.hearing.listener.tracks);
        while let Some(gone) = told.iter().position(|track| !carried.contains(&track.sid)) {
            let gone = told.remove(gone);
            self.track_gone(gone.sid, gone.facts);
        }
        for new in carried {
            let facts = self.room.track(new).map(|track| track.facts());
            if let Some(facts) = facts.filter(|_| !told.iter().any(|track| track.sid == new)) {
                // As many places as tracks are looked at.
                let volume = self.volume_of(new, &facts);
                let speaks = self.speaks(&facts.identity);
                let _ = told.push(CarriedTrack { sid: new, facts: facts.clone(), volume, speaks });
                self.out.emit(Event::TrackSubscribed(facts));
            }
        }
        self.hearing.listener.tracks = told;
    }

    /// Tracks that left the room end before the server offers without them.
    pub(in crate::engine) fn tracks_ended(&mut self) {
        let mut told = std::mem::take(&mut self.hearing.listener.tracks);
        while let Some(gone) = told.iter().position(|track| self.room.track(track.sid).is_none()) {
            let gone = told.remove(gone);
            self.track_gone(gone.sid, gone.facts);
        }
        self.hearing.listener.tracks = told;
    }

    fn track_gone(&mut self, sid: Sid, facts: TrackFacts) {
        self.hearing.listener.release(sid);
        self.out.emit(Event::TrackUnsubscribed(facts));
    }

    pub(in crate::engine) fn unlisten_all(&mut self) {
        let tracks = std::mem::take(&mut self.hearing.listener.tracks);
        for gone in tracks {
            self.track_gone(gone.sid, gone.facts);
        }
    }

    /// Others speak than before: who does is heard first, where there are more talkers than slots.
    pub(in crate::engine) fn speakers_changed(&mut self) {
        let mut tracks = std::mem::take(&mut self.hearing.listener.tracks);
        for track in &mut tracks {
            track.speaks = self.speaks(&track.facts.identity);
        }
        self.hearing.listener.tracks = tracks;
    }

    /// How loud one talker is, in percent: by SID, or all microphones of an identity, who need not be in the room yet.
    pub(in crate::engine) fn set_talker_volume(&mut self, whom: &str, percent: u16) -> Answer {
        let whom = self.whom(whom)?;
        self.hearing.talker_volumes.set(whom, percent);
        let tracks = std::mem::take(&mut self.hearing.listener.tracks);
        let volumes: heapless::Vec<(Sid, f32), SUBSCRIPTIONS_MAX> =
            tracks.iter().map(|track| (track.sid, self.volume_of(track.sid, &track.facts))).collect();
        self.hearing.listener.tracks = tracks;
        for (track, volume) in volumes {
            self.hearing.listener.set_volume(track, volume);
        }
        Ok(Value::Null)
    }

    fn volume_of(&self, track: Sid, facts: &TrackFacts) -> f32 {
        let is_microphone = facts.source == TrackSource::Microphone;
        let percent = self.hearing.talker_volumes.of(track, &facts.identity, is_microphone).unwrap_or(100);
        f32::from(percent) / 100.0
    }

    fn speaks(&self, identity: &str) -> bool {
        self.room.speakers().any(|(sid, _)| self.room.identity(sid) == Some(identity))
    }
}
