//! Messages of the server: each is decoded, and given to the parts that it concerns.

use std::time::Instant;

use super::Engine;
use super::audio::hearing::Hearing;
use crate::event::Event;
use crate::limits::SERVER_TEXT_BYTES_MAX;
use crate::rtc::Peer;
use crate::session::cause::Cause;
use crate::session::recovery::Mend;
use crate::signal::description::Description;
use crate::signal::join::{Join, Reconnect};
use crate::signal::leave::{DisconnectReason, LeaveAction};
use crate::signal::participant::{ParticipantInfo, ParticipantState};
use crate::signal::regions::Regions;
use crate::signal::request::{Request, SyncState};
use crate::signal::response::{self, RequestAbout, RequestReason, Response};
use crate::signal::text::one_line;

impl Engine {
    pub(super) fn message(&mut self, bytes: &[u8], now: Instant) {
        match response::decode(bytes) {
            Ok(decoded) => {
                if self.out.count_truncated(decoded.truncated) {
                    self.out.warn(format!(
                        "the room exceeds the limits of this program: {} were left out; further ones are only counted",
                        decoded.truncated
                    ));
                }
                self.response(decoded.response, now);
            }
            Err(error) => {
                if self.out.count(|counters| &mut counters.messages_refused, 1) {
                    self.out.warn(format!(
                        "ignored an invalid message from the server: {error}; further ones are only counted"
                    ));
                }
            }
        }
    }

    fn response(&mut self, response: Response, now: Instant) {
        match response {
            Response::Join(join) => self.joined(*join, now),
            Response::Offer(offer) => self.offered(&offer, now),
            Response::Answer(answer) => self.answered(&answer, now),
            Response::Trickle(trickle) => {
                if !self.with_transports(now, |transports, ctx| transports.add_candidate(&trickle, ctx)) {
                    self.candidate_refused(&trickle.candidate);
                }
            }
            Response::Update(participants) => {
                self.with_room(|room, mut sink| room.apply_update(&participants, &mut sink));
                let gone = |info: &&ParticipantInfo| info.state == ParticipantState::Disconnected;
                for info in participants.iter().filter(gone) {
                    self.data.participant_left(info.sid, &info.identity, &self.room, &mut self.out);
                }
                self.participants_changed(now);
            }
            Response::Speakers(changes) => {
                self.with_room(|room, mut sink| room.apply_speakers(&changes, &mut sink));
                self.hearing.speakers_changed(&self.room);
            }
            Response::Quality(changes) => {
                self.with_room(|room, mut sink| room.apply_quality(&changes, &mut sink))
            }
            Response::Room(info) => self.with_room(|room, mut sink| room.apply_room(&info, &mut sink)),
            Response::RoomMoved(moved) => {
                if let Some(token) = &moved.token {
                    self.session.token_came(token.clone(), now);
                }
                self.with_room(|room, mut sink| room.apply_moved(&moved, &mut sink));
                let info = self.room.info();
                let (room, room_sid) = (info.name.clone(), info.sid.map(|sid| sid.to_string()));
                let sid = moved.participant.sid.to_string();
                self.out.emit(Event::RoomMoved { room, room_sid: room_sid.unwrap_or_default(), sid });
                self.admission.restate_audience(&self.room, self.session.has_signal(), &mut self.out);
                self.participants_changed(now);
            }
            Response::RefreshToken(token) => self.session.token_refreshed(&token, now),
            Response::TrackPublished { cid, track } => {
                self.with_local(now, |local, input, out, _| local.published(&cid, track.sid, input, out));
            }
            Response::TrackUnpublished { sid } => {
                self.with_local(now, |local, input, out, _| local.unpublished_by_server(sid, input, out));
            }
            Response::TrackSubscribed { sid } => self.local.heard(sid, now, &mut self.out),
            Response::Mute { sid, muted } => {
                self.with_local(now, |local, input, out, _| local.muted_by_server(sid, muted, input, out));
            }
            Response::Pong { last_ping_timestamp_ms, timestamp_ms } => {
                self.data.set_server_time(timestamp_ms, now);
                self.session.handle_pong(last_ping_timestamp_ms, now);
            }
            Response::Reconnect(reconnect) => self.taken_back(&reconnect, now),
            Response::Leave { reason, action, regions } => {
                self.told_to_leave(reason, action, &regions, now);
            }
            Response::Subscription { track_sid, error } => self.with_hearing(|hearing, input, out| {
                hearing.subscription_refused(track_sid, error, input, out);
            }),
            Response::Request { request_id, about, reason, message } => {
                if !self.own.answered(request_id, reason, &message, &mut self.out) {
                    self.answered_request(about, reason, &message, now);
                }
            }
            Response::SubscriptionPermission { track_sid, allowed, .. } => {
                self.with_room(|room, mut sink| room.apply_permission(track_sid, allowed, &mut sink));
            }
            Response::StreamState(states) => {
                self.with_room(|room, mut sink| room.apply_stream_states(&states, &mut sink));
            }
            // Of a track that has ended meanwhile, or not for an audio-only client.
            Response::Ignored => {}
        }
    }

    fn participants_changed(&mut self, now: Instant) {
        self.admission.update_audience(&self.room, self.session.has_signal(), &mut self.out);
        self.with_local(now, |local, input, out, _| local.own_tracks_changed(input, out));
        self.with_hearing(Hearing::update);
        self.with_local(now, |local, input, out, _| local.permissions_changed(input, out));
    }

    fn candidate_refused(&mut self, line: &str) {
        if self.out.count(|counters| &mut counters.candidates_refused, 1) {
            let line = one_line(line, SERVER_TEXT_BYTES_MAX);
            self.out.warn(format!(
                "ignored an invalid ICE candidate from the server: {line}; further ones are only counted"
            ));
        }
    }

    fn joined(&mut self, join: Join, now: Instant) {
        if !self.session.awaits_join() {
            return;
        }
        let round_trip = self.session.joined(&join, now);
        let primary = if join.subscriber_primary { Peer::Subscriber } else { Peer::Publisher };
        self.transports.joined(primary, round_trip);
        self.data.set_server_time(join.participant.joined_at_ms, now);
        self.with_room(|room, mut sink| room.apply_join(&join, &mut sink));
        self.with_transports(now, |transports, ctx| {
            transports.set_relay_only(join.configuration.relay_only, ctx);
            transports.set_ice_servers(&join.ice_servers, ctx);
        });
        self.admission.restate_audience(&self.room, self.session.has_signal(), &mut self.out);
        self.with_local(now, |local, input, out, _| local.joined(input, out));
        self.with_hearing(Hearing::update);
        self.own.restore(&self.room, now, &mut self.out);
    }

    fn offered(&mut self, offer: &Description, now: Instant) {
        if self.with_transports(now, |transports, ctx| transports.answer(offer, ctx)) {
            self.with_hearing(Hearing::update);
            self.with_transports(now, |transports, ctx| transports.drive(Peer::Subscriber, ctx));
        }
    }

    fn answered(&mut self, answer: &Description, now: Instant) {
        if self.with_transports(now, |transports, ctx| transports.accept_answer(answer, ctx)) {
            // What has changed while this offer was open.
            self.offer(now);
        }
    }

    fn told_to_leave(
        &mut self,
        reason: DisconnectReason,
        action: LeaveAction,
        regions: &Regions,
        now: Instant,
    ) {
        let cause = match action {
            LeaveAction::Disconnect => Cause::Told(reason),
            LeaveAction::Resume => Cause::ToldToResume(reason),
            LeaveAction::Reconnect => {
                self.session.moved(regions, now, &mut self.out);
                Cause::ToldToRejoin(reason)
            }
        };
        self.lost(cause, now);
    }

    fn answered_request(&mut self, about: RequestAbout, reason: RequestReason, message: &str, now: Instant) {
        match (about, reason) {
            (RequestAbout::AddTrack { cid }, _)
                if self.with_local(now, |local, input, out, _| {
                    local.answered(&cid, reason, message, input, out)
                }) => {}
            (_, RequestReason::Ok | RequestReason::Queued) => {}
            (about, _) => {
                let (about, reason) = (about.words(), reason.words());
                self.out.warn(format!("the server refused {about}: {reason}: {message}"));
            }
        }
    }

    /// `ReconnectResponse`: the server has resumed the session.
    fn taken_back(&mut self, reconnect: &Reconnect, now: Instant) {
        let Some(mend) = self.session.taken_back(reconnect, now) else { return };
        self.data.resumed(reconnect.last_message_seq);
        self.with_room(|room, mut sink| room.forget_speakers(&mut sink));
        self.hearing.speakers_changed(&self.room);
        self.with_transports(now, |transports, ctx| {
            transports.set_relay_only(reconnect.configuration.relay_only, ctx);
            transports.set_ice_servers(&reconnect.ice_servers, ctx);
        });
        let sync_state = self.sync_state();
        self.out.request(&Request::SyncState(Box::new(sync_state)));
        self.with_local(now, |local, input, out, _| local.resumed(input, out));
        self.with_hearing(Hearing::resumed);
        self.admission.restate_audience(&self.room, self.session.has_signal(), &mut self.out);
        // An offer whose answer was lost with the connection is made again, too.
        let is_unanswered = self.transports.awaits_answer();
        if mend == Mend::Path || is_unanswered {
            self.with_transports(now, |transports, ctx| transports.restart(ctx));
        }
        if mend == Mend::Path {
            self.transports.expect_restart();
        }
        self.session.caught_up(now);
        self.resumed_if_complete(now);
    }

    fn sync_state(&self) -> SyncState {
        let (offer, answer) = self.transports.last_exchange();
        SyncState {
            offer: offer.to_owned(),
            answer: answer.to_owned(),
            subscribed: self.hearing.wanted().to_vec(),
            paused: self.hearing.paused().to_vec(),
            published: self.local.published_tracks(),
            received: self.data.received().to_vec(),
        }
    }
}
