//! The server's messages, each to its place.

use std::time::Instant;

use super::Engine;
use super::audio::hearing::Hearing;
use crate::event::Event;
use crate::limits::SERVER_TEXT_BYTES_MAX;
use crate::rtc::Peer;
use crate::session::cause::Cause;
use crate::signal::description::Description;
use crate::signal::join::Join;
use crate::signal::leave::{DisconnectReason, LeaveAction};
use crate::signal::participant::{ParticipantInfo, ParticipantState};
use crate::signal::regions::Regions;
use crate::signal::response::{self, RequestAbout, RequestReason, Response};
use crate::signal::text::one_line;
use crate::signal::truncated::Truncated;

impl Engine {
    pub(super) fn message(&mut self, bytes: &[u8], now: Instant) {
        match response::decode(bytes) {
            Ok(decoded) => {
                self.count_truncated(decoded.truncated);
                self.response(decoded.response, now);
            }
            Err(error) => {
                self.out.counters.messages_refused += 1;
                // Said once: a server that does it again does it all the time.
                if self.out.counters.messages_refused == 1 {
                    self.out.warn(format!(
                        "a message of the server was of no use: {error}; more are only counted"
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
        self.out.counters.candidates_refused += 1;
        // Said once: a server that does it again does it all the time.
        if self.out.counters.candidates_refused == 1 {
            let line = one_line(line, SERVER_TEXT_BYTES_MAX);
            self.out.warn(format!("a candidate of the server was of no use: {line}; more are only counted"));
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
            (about, _) => self.out.warn(format!("the server refused {about:?}: {reason:?} {message}")),
        }
    }

    fn count_truncated(&mut self, truncated: Truncated) {
        let was_clean = self.out.counters.truncated.is_empty();
        self.out.counters.truncated += truncated;
        if was_clean && !truncated.is_empty() {
            let Truncated { participants, tracks, texts, entries } = truncated;
            self.out.warn(format!(
                "more in the room than this program keeps: left out Cut {{ participants: {participants}, tracks: \
                 {tracks}, texts: {texts}, entries: {entries} }}; more is only counted"
            ));
        }
    }

    /// Lets the room tell its events.
    pub(super) fn with_room(&mut self, change: impl FnOnce(&mut crate::room::Room, &mut dyn FnMut(Event))) {
        let Self { room, out, .. } = self;
        change(room, &mut |event| out.emit(event));
    }
}
