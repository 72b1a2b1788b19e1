//! What the server does by the clock: watch the peer connections, tell rooms and participants, give up.

use crate::server::participant::Participant;
use crate::server::session::{TOKEN_REFRESH, leave};
use crate::server::token::Claims;
use crate::server::{Job, SECOND, SessionId, Sfu};
use livekit_protocol::leave_request::Action;
use livekit_protocol::participant_info::State;
use livekit_protocol::signal_response::Message;
use livekit_protocol::{
    ConnectionQuality, ConnectionQualityInfo, ConnectionQualityUpdate, DisconnectReason, ParticipantUpdate,
    RoomUpdate,
};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// ICE: disconnected after 10 s of silence, failed 5 s later.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// `disconnectCleanupDuration`.
const CLEANUP: Duration = Duration::from_secs(5);

impl Sfu {
    /// What a job does when its time has come.
    pub(super) fn work(&mut self, job: Job, now: Instant) {
        match job {
            Job::Speakers(room) => self.tell_speakers(&room, now),
            Job::Batch(room) => self.flush_batch(&room),
            Job::RoomUpdate(session) => self.tell_room(session),
            Job::Quality(session) => self.tell_quality(session),
            Job::RefreshToken(session) => {
                if let Some(participant) = self.participants.get(&session) {
                    let token = Claims::token(&participant.claims.room, &participant.claims.identity);
                    self.send(session, Message::RefreshToken(token));
                    self.schedule.enter(now + TOKEN_REFRESH, Job::RefreshToken(session));
                }
            }
            Job::JoinTimeout(session) => {
                let late = self
                    .participants
                    .get(&session)
                    .is_some_and(|participant| participant.state != State::Active);
                if late {
                    self.end(session, DisconnectReason::JoinFailure, Action::Disconnect, now);
                }
            }
            Job::Watch(session) => self.watch(session, now),
            Job::Remove(session, since) => {
                if self
                    .participants
                    .get(&session)
                    .is_some_and(|participant| participant.failed_at == Some(since))
                {
                    self.remove(session, DisconnectReason::ConnectionTimeout, now);
                }
            }
            Job::NegotiationFailed(session) => self.reconnect(session, "negotiation failed", now),
        }
    }

    /// ICE of a peer connection that was up is silent for too long, or the peer connection is broken.
    fn watch(&mut self, session: SessionId, now: Instant) {
        let Some(participant) = self.participants.get_mut(&session) else { return };
        self.schedule.enter(now + SECOND, Job::Watch(session));
        let transports = [&participant.publisher, &participant.subscriber.transport];
        let silent = transports.iter().any(|transport| {
            let heard = transport.last_heard.filter(|_| transport.connected);
            heard.is_some_and(|heard| now.duration_since(heard) >= SILENCE_MAX)
        });
        let broken = transports.iter().find_map(|transport| transport.failure.clone());
        if participant.failed_at.is_some() || !(silent || broken.is_some()) {
            return;
        }
        participant.failed_at = Some(now);
        self.log.complaints.extend(broken);
        self.send(session, leave(DisconnectReason::ConnectionTimeout, Action::Resume));
        self.hang_up(session);
        self.schedule.enter(now + CLEANUP, Job::Remove(session, now));
    }

    fn flush_batch(&mut self, name: &str) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        let batched = std::mem::take(&mut room.batched);
        let mut participants = Vec::new();
        for session in &batched {
            participants.extend(self.participants.get_mut(session).map(Participant::info));
        }
        let Some(anybody) = self.participants.iter().find(|(_, mate)| mate.claims.room == name) else {
            return;
        };
        for mate in self.room_of(*anybody.0) {
            self.send(mate, Message::Update(ParticipantUpdate { participants: participants.clone() }));
        }
    }

    fn tell_room(&mut self, session: SessionId) {
        let Some(participant) = self.participants.get(&session) else { return };
        let room = Some(self.room_info(&participant.claims.room));
        self.send(session, Message::RoomUpdate(RoomUpdate { room }));
    }

    fn tell_quality(&mut self, session: SessionId) {
        let Some(participant) = self.participants.get(&session) else { return };
        let heard = participant.subscriber.down_tracks().map(|down| down.publisher.clone());
        let sids: BTreeSet<String> = heard.chain([participant.sid.clone()]).collect();
        let quality = ConnectionQuality::Excellent.into();
        let updates = sids
            .into_iter()
            .map(|participant_sid| ConnectionQualityInfo { participant_sid, quality, score: 5.0 })
            .collect();
        self.send(session, Message::ConnectionQuality(ConnectionQualityUpdate { updates }));
    }
}
