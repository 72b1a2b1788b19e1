//! Which tracks we ask the server for, and pause: the room and the wishes → requests.

use serde_json::Value;

use super::admission::who;
use crate::command::{Answer, CommandError};
use crate::engine::Engine;
use crate::event::{Event, TrackSource};
use crate::local::overrides::TrackSelector;
use crate::local::policy::SubscriptionPolicy;
use crate::local::subscription::{Offered, SubscriptionChange};
use crate::room::RemoteTrack;
use crate::rtc::Subscriber;
use crate::signal::request::Request;
use crate::signal::response::SubscriptionError;
use crate::signal::sid::Sid;

impl Engine {
    /// Compares the room with what is subscribed, and tells the server the difference.
    pub(in crate::engine) fn update_subscriptions(&mut self) {
        let may = self.settings.listens && self.room.own().is_some_and(|own| own.permission.subscribe);
        // Without a connection nobody would hear of it; a join or resume comes back here.
        if !may || !self.has_signal() {
            return;
        }
        let mut offered = Vec::new();
        let mut encrypted = Vec::new();
        for participant in self.room.participants() {
            let is_admitted = self.hearing.admission.is_heard(who(participant));
            for track in participant.tracks().filter(RemoteTrack::is_audio) {
                if track.info.encrypted {
                    encrypted.push((track.info.sid, track.identity.to_owned()));
                } else {
                    offered.push(offered_by(track, is_admitted));
                }
            }
        }
        let change = self.hearing.subscriptions.update(&offered);
        self.hearing.talker_volumes.retain_tracks(|sid| offered.iter().any(|track| track.sid == sid));
        drop(offered);
        self.warn_of_encrypted(&encrypted);
        self.tell_subscriptions(&change);
        self.tracks_changed();
        self.tracks_ended();
    }

    /// Whether a track is to be heard: what the server still sends of others is not played.
    pub(in crate::engine) fn is_wished(&self, sid: Sid) -> bool {
        let track = self.room.track(sid).filter(RemoteTrack::is_audio);
        track.is_some_and(|track| {
            let publisher = self.room.participants().find(|other| other.identity == track.identity);
            let is_admitted =
                publisher.is_some_and(|publisher| self.hearing.admission.is_heard(who(publisher)));
            self.hearing.subscriptions.is_wished(&offered_by(track, is_admitted))
        })
    }

    /// The session is resumed: what was asked for while the connection died is asked for again.
    pub(in crate::engine) fn resume_subscriptions(&mut self) {
        let carried = self.transports.subscriber.iter().flat_map(Subscriber::tracks);
        let change = self.hearing.subscriptions.resumed(carried);
        self.tell_subscriptions(&change);
        self.update_subscriptions();
    }

    fn tell_subscriptions(&mut self, change: &SubscriptionChange) {
        for (sids, subscribe) in [(&change.unsubscribe, false), (&change.subscribe, true)] {
            if !sids.is_empty() {
                self.out.request(&Request::Subscription { sids: sids.to_vec(), subscribe });
            }
        }
        for (sids, paused) in [(&change.pause, true), (&change.resume, false)] {
            if !sids.is_empty() {
                self.out.request(&Request::TrackSettings { sids: sids.to_vec(), paused });
            }
        }
    }

    /// Decoded without the key, an encrypted track is noise at full scale.
    fn warn_of_encrypted(&mut self, encrypted: &[(Sid, String)]) {
        self.hearing.warned_encrypted.retain(|sid| encrypted.iter().any(|(other, _)| other == sid));
        for (sid, identity) in encrypted {
            if !self.hearing.warned_encrypted.contains(sid)
                && self.hearing.warned_encrypted.push(*sid).is_ok()
            {
                self.out.warn(format!(
                    "{identity} speaks end-to-end encrypted ({sid}): not played, this program has no key"
                ));
            }
        }
    }

    /// The server cannot give us a track that we asked for.
    pub(in crate::engine) fn subscription_refused(&mut self, sid: Sid, error: SubscriptionError) {
        self.hearing.subscriptions.refused(sid);
        let identity = self.room.track(sid).map_or_else(String::new, |track| track.identity.to_owned());
        self.out.emit(Event::TrackSubscriptionFailed {
            identity,
            sid: sid.to_string(),
            reason: error.words().to_owned(),
        });
        // Its place may be somebody else's now.
        self.update_subscriptions();
    }

    /// Who is heard without being named one by one.
    pub(in crate::engine) fn set_policy(&mut self, words: &str) -> Answer {
        let policy: SubscriptionPolicy =
            words.parse().map_err(|error| CommandError::usage(format!("hear: {error}")))?;
        self.hearing.subscriptions.set_policy(policy);
        self.policy_said();
        self.update_subscriptions();
        Ok(Value::Null)
    }

    /// By SID, or all microphones of an identity. An identity need not be in the room yet.
    pub(in crate::engine) fn set_wanted(&mut self, whom: &str, wanted: bool) -> Answer {
        let whom = self.whom(whom)?;
        self.hearing.subscriptions.set_wanted(whom, wanted);
        self.update_subscriptions();
        Ok(Value::Null)
    }

    /// By SID, or all microphones of an identity.
    pub(in crate::engine) fn set_paused(&mut self, whom: &str, paused: bool) -> Answer {
        let whom = self.whom(whom)?;
        self.hearing.subscriptions.set_paused(whom, paused);
        self.update_subscriptions();
        Ok(Value::Null)
    }

    /// A track of the room, or else an identity: whoever comes by that name is meant.
    pub(in crate::engine) fn whom(&self, word: &str) -> Result<TrackSelector, CommandError> {
        if !self.settings.listens {
            return Err(CommandError::refused("there is no output: nobody is heard"));
        }
        let track = Sid::new(word).filter(|sid| self.room.track(*sid).is_some());
        if let Some(track) = track {
            let is_audio = self.room.track(track).is_some_and(|track| track.is_audio());
            return if is_audio {
                Ok(TrackSelector::Track(track))
            } else {
                Err(CommandError::refused("that track carries no sound"))
            };
        }
        if word.starts_with("TR_") {
            return Err(CommandError::refused("no track of that SID in the room"));
        }
        Ok(TrackSelector::Identity(word.to_owned()))
    }
}

fn offered_by(track: RemoteTrack<'_>, is_admitted: bool) -> Offered<'_> {
    Offered {
        sid: track.info.sid,
        identity: track.identity,
        is_muted: track.info.muted,
        is_microphone: track.info.source == TrackSource::Microphone,
        is_admitted,
    }
}
