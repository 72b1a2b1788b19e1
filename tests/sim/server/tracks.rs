//! Tracks: announced, published, muted, subscribed to, ended.

use crate::server::participant::Track;
use crate::server::{Job, SessionId, Sfu};
use livekit_protocol::signal_response::Message;
use livekit_protocol::{
    AddTrackRequest, MuteTrackRequest, RequestResponse, SubscriptionError, SubscriptionResponse, TrackInfo,
    TrackPublishedResponse, TrackSource, TrackType, UpdateSubscription,
    request_response::{self, Reason},
};
use std::time::{Duration, Instant};

/// How long the server's own negotiation takes to notice that a video line cannot be answered.
const VIDEO_FAILURE: Duration = Duration::from_millis(100);

impl Sfu {
    /// Subscribes to everything that is published in the room.
    pub(super) fn subscribe_to_all(&mut self, session: SessionId, now: Instant) {
        for mate in self.room_of(session).into_iter().filter(|mate| *mate != session) {
            let tracks =
                self.participants.get(&mate).map(|mate| mate.tracks.iter().map(|track| track.info.clone()));
            let infos: Vec<TrackInfo> = tracks.into_iter().flatten().collect();
            for info in infos {
                self.subscribe(session, mate, &info, now);
            }
        }
    }

    /// Publishes what is announced and ready, and tells everybody.
    pub(super) fn publish_ready(&mut self, session: SessionId, now: Instant) {
        let Some(participant) = self.participants.get_mut(&session) else { return };
        let sids = participant.publish_pending();
        if !sids.is_empty() {
            self.announce(session, &sids, now);
        }
    }

    /// Publishes a camera for this identity, on paper: it is announced to the room, and has no packets.
    pub fn publish_video(&mut self, identity: &str, now: Instant) {
        for session in self.sessions_of(identity) {
            let sid = self.sid("TR");
            let Some(participant) = self.participants.get_mut(&session) else { continue };
            let request = AddTrackRequest {
                cid: sid.clone(),
                name: "camera".to_string(),
                r#type: TrackType::Video.into(),
                source: TrackSource::Camera.into(),
                ..AddTrackRequest::default()
            };
            participant.announce(request, sid.clone());
            let ready = participant.pending.extract_if(.., |pending| pending.info.sid == sid);
            let tracks: Vec<_> = ready.map(Track::new).collect();
            participant.tracks.extend(tracks);
            self.announce(session, &[sid], now);
        }
        self.settle(now);
    }

    /// Mutes the tracks of an identity as a moderator would.
    pub fn mute_by_server(&mut self, identity: &str, now: Instant) {
        for session in self.sessions_of(identity) {
            let Some(participant) = self.participants.get(&session) else { continue };
            let sids: Vec<String> = participant.tracks.iter().map(|track| track.info.sid.clone()).collect();
            for sid in sids {
                self.send(session, Message::Mute(MuteTrackRequest { sid: sid.clone(), muted: true }));
                self.mute(session, &MuteTrackRequest { sid, muted: true }, now);
            }
        }
        self.settle(now);
    }

    pub(super) fn add_track(&mut self, session: SessionId, request: AddTrackRequest) {
        let sid = self.sid("TR");
        let Some(participant) = self.participants.get_mut(&session) else { return };
        if !participant.claims.can_publish {
            return self.respond(session, 0, Reason::NotAllowed, "does not have permission to publish");
        }
        if self.quirks.refuses_tracks {
            let reason = Reason::LimitExceeded.into();
            let request = Some(request_response::Request::AddTrack(request));
            let response = RequestResponse { reason, request, message: "no more".into(), request_id: 0 };
            return self.send(session, Message::RequestResponse(response));
        }
        let cid = request.cid.clone();
        let (track, published) = participant.announce(request, sid);
        if published {
            self.send(session, Message::TrackPublished(TrackPublishedResponse { cid, track: Some(track) }));
        } else {
            self.respond(session, 0, Reason::Queued, "");
        }
    }

    pub(super) fn mute(&mut self, session: SessionId, mute: &MuteTrackRequest, now: Instant) {
        let Some(participant) = self.participants.get_mut(&session) else { return };
        let Some(info) = participant.info_by_sid(&mute.sid) else {
            return self.respond(session, 0, Reason::NotFound, "track not found");
        };
        if info.muted == mute.muted {
            return;
        }
        info.muted = mute.muted;
        self.broadcast(session, now);
        for mate in self.room_of(session) {
            let mate = self.participants.get_mut(&mate);
            if let Some(down) =
                mate.and_then(|mate| mate.subscriber.down_track(&mute.sid)).filter(|_| mute.muted)
            {
                down.mute(now);
            }
        }
    }

    pub(super) fn update_subscription(
        &mut self,
        session: SessionId,
        update: &UpdateSubscription,
        now: Instant,
    ) {
        let grouped = update.participant_tracks.iter().flat_map(|tracks| &tracks.track_sids);
        for sid in update.track_sids.iter().chain(grouped) {
            if !update.subscribe {
                if let Some(participant) = self.participants.get_mut(&session) {
                    participant.subscriber.unsubscribe(sid, now);
                    participant.denied.remove(sid);
                }
                continue;
            }
            let found = self.room_of(session).into_iter().filter(|mate| *mate != session).find_map(|mate| {
                let track = self.participants[&mate].tracks.iter().find(|track| track.info.sid == *sid)?;
                Some((mate, track.info.clone()))
            });
            match found {
                Some((mate, info)) => self.subscribe(session, mate, &info, now),
                None => self.refuse_subscription(session, sid, SubscriptionError::SeTrackNotfound),
            }
        }
    }

    pub(super) fn subscribe(
        &mut self,
        session: SessionId,
        publisher: SessionId,
        info: &TrackInfo,
        now: Instant,
    ) {
        let Some(publisher_sid) = self.participants.get(&publisher).map(|publisher| publisher.sid.clone())
        else {
            return;
        };
        if !self.participants.get(&session).is_some_and(|mate| mate.claims.can_subscribe) {
            return;
        }
        if info.r#type() == TrackType::Video {
            // Seen: an answer without a video codec, then a full reconnect, for ever.
            self.log.video_subscriptions.push(info.sid.clone());
            self.refuse_subscription(session, &info.sid, SubscriptionError::SeCodecUnsupported);
            self.schedule.enter(now + VIDEO_FAILURE, Job::NegotiationFailed(session));
            return;
        }
        if !self.is_permitted(session, publisher, &info.sid) {
            return self.tell_permission(session, &publisher_sid, &info.sid, false);
        }
        let Some(participant) = self.participants.get_mut(&session) else { return };
        if participant.subscriber.subscribe(&info.sid, &publisher_sid, now) {
            self.tell_permission(session, &publisher_sid, &info.sid, true);
        }
    }

    /// Tracks are published: those who hear everything hear them too, and everybody is told.
    fn announce(&mut self, session: SessionId, sids: &[String], now: Instant) {
        self.broadcast(session, now);
        for mate in self.room_of(session).into_iter().filter(|mate| *mate != session) {
            if self.participants[&mate].auto_subscribe {
                for sid in sids {
                    let track =
                        self.participants[&session].tracks.iter().find(|track| track.info.sid == *sid);
                    if let Some(info) = track.map(|track| track.info.clone()) {
                        self.subscribe(mate, session, &info, now);
                    }
                }
            }
        }
    }

    /// A track has ended; its line or its participant is gone.
    pub(super) fn unpublish(&mut self, session: SessionId, info: &TrackInfo, now: Instant) {
        for mate in self.room_of(session) {
            if let Some(mate) = self.participants.get_mut(&mate) {
                mate.subscriber.unsubscribe(&info.sid, now);
            }
        }
        self.broadcast_now(session);
        // A track that waited for the cid to become free is published now.
        let Some(participant) = self.participants.get_mut(&session) else { return };
        let mut freed = Vec::new();
        for index in 0..participant.pending.len() {
            let cid = participant.pending[index].cid.clone();
            let taken = participant.tracks.iter().any(|track| track.cid == cid);
            let pending = &mut participant.pending[index];
            if pending.queued && !taken {
                pending.queued = false;
                freed.push(TrackPublishedResponse { cid, track: Some(pending.info.clone()) });
            }
        }
        for response in freed {
            self.send(session, Message::TrackPublished(response));
        }
    }

    fn refuse_subscription(&mut self, session: SessionId, sid: &str, error: SubscriptionError) {
        let (track_sid, err) = (sid.to_string(), error.into());
        self.send(session, Message::SubscriptionResponse(SubscriptionResponse { track_sid, err }));
    }
}
