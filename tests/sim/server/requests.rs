//! What a client asks over its WebSocket, and what the server answers.

use crate::server::sdp::Description;
use crate::server::{ConnectionId, SessionId, Sfu};
use livekit_protocol::signal_request::Message as Request;
use livekit_protocol::signal_response::Message;
use livekit_protocol::{
    DisconnectReason, Pong, RequestResponse, SessionDescription, SignalRequest, SignalTarget, SyncState,
    TrackSubscribed, TrickleRequest, UpdateParticipantMetadata, request_response::Reason,
};
use prost::Message as _;
use serde_json::json;
use std::time::Instant;

impl Sfu {
    /// A binary WebSocket message arrives.
    pub fn handle_message(&mut self, connection: ConnectionId, bytes: &[u8], now: Instant) {
        let Some(session) = self.connections.get(&connection).and_then(|connection| connection.session)
        else {
            return;
        };
        match SignalRequest::decode(bytes) {
            Ok(SignalRequest { message: Some(request) }) => self.handle_request(session, request, now),
            // Unknown members of the oneof are ignored by the server.
            Ok(SignalRequest { message: None }) => {}
            Err(error) => self.log.complaints.push(format!("not a SignalRequest: {error}")),
        }
        self.settle(now);
    }

    fn handle_request(&mut self, session: SessionId, request: Request, now: Instant) {
        match request {
            Request::Offer(offer) => self.handle_offer(session, &offer, now),
            Request::Answer(answer) => self.handle_answer(session, &answer, now),
            Request::Trickle(trickle) => self.handle_trickle(session, &trickle, now),
            Request::AddTrack(request) => self.add_track(session, request),
            Request::Mute(mute) => self.mute(session, &mute, now),
            Request::Subscription(update) => self.update_subscription(session, &update, now),
            Request::TrackSetting(settings) => {
                let Some(participant) = self.participants.get_mut(&session) else { return };
                for sid in &settings.track_sids {
                    if let Some(down) = participant.subscriber.down_track(sid) {
                        down.disabled = settings.disabled;
                    }
                }
            }
            Request::Leave(_) => self.remove(session, DisconnectReason::ClientInitiated, now),
            Request::SyncState(state) => self.sync_state(session, &state, now),
            Request::SubscriptionPermission(permission) => self.set_permission(session, &permission, now),
            Request::UpdateMetadata(update) => self.update_metadata(session, update, now),
            Request::Ping(timestamp) => self.send(session, Message::Pong(timestamp)),
            Request::PingReq(ping) => {
                let (last_ping_timestamp, timestamp) = (ping.timestamp, self.time_ms(now));
                self.send(session, Message::PongResp(Pong { last_ping_timestamp, timestamp }));
            }
            other => self.log.complaints.push(format!("not modelled: {other:?}")),
        }
    }

    fn handle_offer(&mut self, session: SessionId, offer: &SessionDescription, now: Instant) {
        let Some(participant) = self.participants.get_mut(&session) else { return };
        let mut offered = Description::read(&offer.sdp);
        if offered.sections.is_empty() {
            // Seen: logged, no answer, no error.
            self.log.complaints.push("could not parse offer".to_string());
            return;
        }
        // pion answers `active` to actpass; str0m would answer `passive`.
        let ufrag = offered.sections[0].attribute("ice-ufrag").map(str::to_string);
        offered.set_setup("passive");
        let answer = match participant.publisher.accept_offer(&offered.write(), now) {
            Ok(answer) => answer,
            Err(error) => return self.reconnect(session, &format!("publisher offer: {error}"), now),
        };
        let mut answered = Description::read(&answer);
        let gathers = participant.publisher_ufrag != ufrag;
        if gathers {
            participant.publisher.renew();
        }
        participant.publisher_ufrag = ufrag;
        answered.hoist_fingerprint();
        if gathers {
            answered.drop_candidates();
        }
        if participant.wants_dtx() {
            answered.advise_dtx();
        }
        let ended = participant.match_lines(&offered, &answered);
        let lines = participant.tracks.iter().map(|track| &track.info);
        let lines = lines.chain(participant.pending.iter().map(|pending| &pending.info));
        let mid_to_track_id = lines
            .filter(|info| !info.mid.is_empty())
            .map(|info| (info.mid.clone(), info.sid.clone()))
            .collect();
        let candidates = gathers.then(|| participant.publisher.candidates(answered.ufrag()));
        let (r#type, sdp) = ("answer".to_string(), answered.write());
        self.send(
            session,
            Message::Answer(SessionDescription { r#type, sdp, id: offer.id, mid_to_track_id }),
        );
        for message in trickles(candidates, SignalTarget::Publisher) {
            self.send(session, message);
        }
        for info in &ended {
            self.unpublish(session, info, now);
        }
        self.publish_ready(session, now);
    }

    fn handle_answer(&mut self, session: SessionId, answer: &SessionDescription, now: Instant) {
        let Some(participant) = self.participants.get_mut(&session) else { return };
        if let Err(error) = participant.subscriber.accept_answer(answer, now) {
            return self.reconnect(session, &format!("subscriber answer: {error}"), now);
        }
        let bound: Vec<(String, String)> = participant
            .subscriber
            .down_tracks()
            .filter(|down| down.bound)
            .map(|down| (down.publisher.clone(), down.track.clone()))
            .collect();
        for (publisher, track_sid) in bound {
            let Some((&owner, owning)) = self.participants.iter_mut().find(|(_, mate)| mate.sid == publisher)
            else {
                continue;
            };
            let unheard = owning.tracks.iter_mut().find(|track| track.info.sid == track_sid && !track.heard);
            if let Some(track) = unheard {
                track.heard = true;
                self.send(owner, Message::TrackSubscribed(TrackSubscribed { track_sid }));
            }
        }
    }

    fn handle_trickle(&mut self, session: SessionId, trickle: &TrickleRequest, now: Instant) {
        let Ok(init) = serde_json::from_str::<serde_json::Value>(&trickle.candidate_init) else {
            return self.respond(session, 0, Reason::UnclassifiedError, "candidate init is not JSON");
        };
        let line = init["candidate"].as_str().unwrap_or_default();
        if line.is_empty() || line.contains(".local ") {
            return;
        }
        let Some(participant) = self.participants.get_mut(&session) else { return };
        let added = match trickle.target() {
            _ if !line.starts_with("candidate:") => Err("not a bare candidate".to_string()),
            SignalTarget::Publisher => participant.publisher.add_remote_candidate(line, now),
            SignalTarget::Subscriber => participant.subscriber.add_remote_candidate(line, now),
        };
        if let Err(error) = added {
            self.reconnect(session, &format!("{line}: {error}"), now);
        }
    }

    fn sync_state(&mut self, session: SessionId, state: &SyncState, now: Instant) {
        let Some(participant) = self.participants.get_mut(&session) else { return };
        let unknown = state.publish_tracks.iter().any(|published| {
            let sid = published.track.as_ref().map(|track| track.sid.as_str()).unwrap_or_default();
            participant.info_by_sid(sid).is_none()
        });
        if unknown {
            return self.reconnect(session, "sync state names an unknown track", now);
        }
        let auto_subscribe = participant.auto_subscribe;
        if let Some(subscription) =
            state.subscription.as_ref().filter(|update| update.subscribe != auto_subscribe)
        {
            self.update_subscription(session, subscription, now);
        }
    }

    fn update_metadata(&mut self, session: SessionId, update: UpdateParticipantMetadata, now: Instant) {
        let Some(participant) = self.participants.get_mut(&session) else { return };
        if !update.name.is_empty() {
            participant.claims.name = update.name;
        }
        if !update.metadata.is_empty() {
            participant.claims.metadata = update.metadata;
        }
        participant.attributes.extend(update.attributes);
        participant.attributes.retain(|_, value| !value.is_empty());
        if !self.quirks.answers_no_metadata {
            self.respond(session, update.request_id, Reason::Ok, "");
        }
        self.broadcast(session, now);
    }

    pub(super) fn respond(&mut self, session: SessionId, request_id: u32, reason: Reason, message: &str) {
        let (reason, message) = (reason.into(), message.to_string());
        self.send(
            session,
            Message::RequestResponse(RequestResponse { request_id, reason, message, request: None }),
        );
    }
}

/// The messages that carry these candidates, the last one marked as such.
pub(super) fn trickles(
    candidates: Option<Vec<String>>,
    target: SignalTarget,
) -> impl Iterator<Item = Message> {
    let lines = candidates.unwrap_or_default();
    let last = lines.len().saturating_sub(1);
    lines.into_iter().enumerate().map(move |(index, line)| {
        let candidate =
            json!({"candidate": line, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": null})
                .to_string();
        Message::Trickle(TrickleRequest {
            candidate_init: candidate,
            target: target.into(),
            r#final: index == last,
        })
    })
}
