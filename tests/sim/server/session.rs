//! Sessions: join, resume, change, failure and end, in the real server's order of messages.

use crate::server::participant::Participant;
use crate::server::speakers::{self, Speakers};
use crate::server::subscriber::Subscriber;
use crate::server::token::{Claims, Query, Refusal};
use crate::server::transport::Transport;
use crate::server::{Connection, ConnectionId, Job, Room, SECOND, SessionId, Sfu};
use livekit_protocol::leave_request::Action;
use livekit_protocol::participant_info::State;
use livekit_protocol::signal_response::Message;
use livekit_protocol::{
    DisconnectReason, JoinResponse, LeaveRequest, ParticipantInfo, ParticipantUpdate, ReconnectResponse,
    Room as RoomInfo, RoomUpdate, ServerInfo,
};
use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// `S:rtc/room.go`: subscriberUpdateInterval.
const BATCH: Duration = Duration::from_secs(3);
/// `S:rtc/room.go:Join`: not active within a minute.
const JOIN_TIMEOUT: Duration = Duration::from_secs(60);
/// `tokenRefreshInterval`.
pub(super) const TOKEN_REFRESH: Duration = Duration::from_secs(300);

impl Sfu {
    /// A WebSocket upgrade on `/rtc` with this query and bearer token, or the HTTP refusal: status and body.
    pub fn connect(&mut self, query: &str, token: &str, now: Instant) -> Result<ConnectionId, Refusal> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let claims = Claims::read(token)?;
        let query = Query::read(query);
        if query.reconnect {
            self.log.reasons.push(query.reason);
        }
        let connection = ConnectionId(self.number());
        self.connections
            .insert(connection, Connection { session: None, outbox: VecDeque::new(), open: true });
        let present = self.find(&claims.room, &claims.identity);
        match present {
            _ if !query.reconnect => {
                if let Some(older) = present {
                    self.end(older, DisconnectReason::DuplicateIdentity, Action::Disconnect, now);
                }
                self.join(connection, claims, &query, token, now);
            }
            Some(session) if self.participants[&session].sid == query.sid => {
                self.resume(connection, session, token, now);
            }
            _ => {
                let leave = leave(DisconnectReason::StateMismatch, Action::Reconnect);
                self.attach_and_close(connection, leave);
            }
        }
        self.settle(now);
        Ok(connection)
    }

    /// The client's WebSocket is gone, cleanly or not.
    pub fn disconnect(&mut self, connection: ConnectionId, now: Instant) {
        let Some(connection) = self.connections.remove(&connection) else { return };
        let Some(session) = connection.session else { return };
        let Some(participant) = self.participants.get_mut(&session) else { return };
        participant.connection = None;
        // `S:rtc/participant.go:HandleSignalSourceClose`: before any peer connection was up, that is the end.
        if !participant.publisher.connected && !participant.subscriber.transport.connected {
            self.remove(session, DisconnectReason::SignalClose, now);
        }
        self.settle(now);
    }

    /// Removes a participant with this reason, as the room service would.
    pub fn kick(&mut self, identity: &str, reason: DisconnectReason, now: Instant) {
        for session in self.sessions_of(identity) {
            self.end(session, reason, Action::Disconnect, now);
        }
        self.settle(now);
    }

    /// Sends a participant away with this word, as a server that is drained or confused would.
    pub fn send_leave(&mut self, identity: &str, reason: DisconnectReason, action: Action, now: Instant) {
        for session in self.sessions_of(identity) {
            if action == Action::Resume {
                self.send(session, leave(reason, action));
                self.hang_up(session);
            } else {
                self.end(session, reason, action, now);
            }
        }
        self.settle(now);
    }

    /// What the server holds of an identity's sessions: each with the mutes of its tracks.
    pub fn tracks_of(&self, identity: &str) -> Vec<Vec<bool>> {
        let sessions = self.sessions_of(identity).into_iter();
        let muted = |session| {
            let tracks = self.participants[&session].tracks.iter();
            tracks.map(|track| track.info.muted).collect()
        };
        sessions.map(muted).collect()
    }

    /// Cuts the WebSocket of a participant without a word. The session lives on as long as its peer connections do.
    pub fn cut_signal(&mut self, identity: &str) {
        for session in self.sessions_of(identity) {
            self.hang_up(session);
        }
    }

    /// The sessions of an identity, over all rooms.
    pub(super) fn sessions_of(&self, identity: &str) -> Vec<SessionId> {
        let theirs =
            self.participants.iter().filter(|(_, participant)| participant.claims.identity == identity);
        theirs.map(|(session, _)| *session).collect()
    }

    /// Tells the room about a participant: at once if it publishes or has gone, else together with others.
    pub(super) fn broadcast(&mut self, session: SessionId, now: Instant) {
        let Some(participant) = self.participants.get_mut(&session) else { return };
        let name = participant.claims.room.clone();
        if participant.tracks.is_empty() && participant.state != State::Disconnected {
            let Some(room) = self.rooms.get_mut(&name) else { return };
            if room.batched.is_empty() {
                self.schedule.enter(now + BATCH, Job::Batch(name));
            }
            room.batched.insert(session);
            return;
        }
        self.broadcast_now(session);
    }

    /// Tells the room about a participant at once.
    pub(super) fn broadcast_now(&mut self, session: SessionId) {
        let Some(participant) = self.participants.get_mut(&session) else { return };
        let update = Message::Update(ParticipantUpdate { participants: vec![participant.info()] });
        for mate in self.room_of(session) {
            self.send(mate, update.clone());
        }
    }

    /// A peer connection of a participant has come up, or its channels: perhaps it is active now.
    pub(super) fn check_active(&mut self, session: SessionId, now: Instant) {
        let Some(participant) = self.participants.get_mut(&session) else { return };
        let primary = if participant.claims.can_subscribe {
            let channels = ["_reliable", "_lossy"];
            participant.subscriber.transport.connected
                && channels.iter().all(|label| participant.open_channels.iter().any(|open| open == label))
        } else {
            participant.publisher.connected
        };
        if primary && participant.state == State::Joined {
            participant.state = State::Active;
            self.broadcast(session, now);
        }
    }

    /// What LiveKit answers to things that cannot be mended: start again.
    pub(super) fn reconnect(&mut self, session: SessionId, why: &str, now: Instant) {
        self.log.complaints.push(why.to_string());
        self.end(session, DisconnectReason::StateMismatch, Action::Reconnect, now);
    }

    /// Ends a session with a word to its participant.
    pub(super) fn end(&mut self, session: SessionId, reason: DisconnectReason, action: Action, now: Instant) {
        self.send(session, leave(reason, action));
        self.remove(session, reason, now);
    }

    /// Ends a session without a word to its participant, who has said it or cannot hear it.
    pub(super) fn remove(&mut self, session: SessionId, reason: DisconnectReason, now: Instant) {
        self.hang_up(session);
        let Some(participant) = self.participants.get_mut(&session) else { return };
        participant.state = State::Disconnected;
        participant.reason = reason;
        let tracks: Vec<String> = participant.tracks.iter().map(|track| track.info.sid.clone()).collect();
        participant.tracks.clear();
        participant.publisher.close(now);
        participant.subscriber.transport.close(now);
        self.collect(session);
        for mate in self.room_of(session).into_iter().filter(|mate| *mate != session) {
            for track in &tracks {
                if let Some(mate) = self.participants.get_mut(&mate) {
                    mate.subscriber.unsubscribe(track, now);
                }
            }
        }
        self.broadcast(session, now);
        self.participants.remove(&session);
    }

    fn join(&mut self, connection: ConnectionId, claims: Claims, query: &Query, token: &str, now: Instant) {
        let session = SessionId(self.number());
        let publisher = Transport::publisher(self.address(), now);
        let transport = Transport::subscriber(self.address(), now);
        // `S:rtc/transport.go`: offer ids begin anywhere in 1 to 256.
        let subscriber = Subscriber::new(transport, 1 + self.random.below(256) as u32);
        let sid = self.sid("PA");
        let room = claims.room.clone();
        if !self.rooms.contains_key(&room) {
            let sid = self.sid("RM");
            let speakers = Speakers::default();
            self.rooms.insert(room.clone(), Room { sid, speakers, batched: BTreeSet::new() });
            self.schedule.enter(now + speakers::INTERVAL, Job::Speakers(room.clone()));
        }
        let mut participant = Participant::new(claims, sid, publisher, subscriber);
        participant.connection = Some(connection);
        participant.auto_subscribe = query.auto_subscribe;
        let own = participant.info();
        participant.state = State::Joined;
        let (can_subscribe, can_publish) = (participant.claims.can_subscribe, participant.claims.can_publish);
        if can_subscribe {
            participant.subscriber.begin(now);
        }
        self.participants.insert(session, participant);
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.session = Some(session);
        }
        self.log.joins += 1;
        let mut room_info = self.room_info(&room);
        if self.quirks.names_rooms_late {
            room_info.sid.clear();
        }
        let response = JoinResponse {
            room: Some(room_info),
            participant: Some(own),
            other_participants: self.infos(session, false),
            server_version: SERVER_VERSION.to_string(),
            ice_servers: self.ice_servers.clone(),
            client_configuration: self.client_configuration.clone(),
            subscriber_primary: can_subscribe,
            ping_interval: 5,
            ping_timeout: 15,
            server_info: Some(server_info()),
            fast_publish: can_publish,
            sif_trailer: self.random.letters(16).into_bytes(),
            ..JoinResponse::default()
        };
        self.send(session, Message::Join(response));
        self.send(session, Message::RefreshToken(token.to_string()));
        for (after, job) in [
            (SECOND, Job::Watch(session)),
            (3 * SECOND, Job::RoomUpdate(session)),
            (5 * SECOND, Job::Quality(session)),
            (TOKEN_REFRESH, Job::RefreshToken(session)),
            (JOIN_TIMEOUT, Job::JoinTimeout(session)),
        ] {
            self.schedule.enter(now + after, job);
        }
        // The first offer is out before the subscriptions exist.
        self.settle(now);
        if query.auto_subscribe {
            self.subscribe_to_all(session, now);
        }
    }

    fn resume(&mut self, connection: ConnectionId, session: SessionId, token: &str, now: Instant) {
        self.hang_up(session);
        let Some(participant) = self.participants.get_mut(&session) else { return };
        participant.connection = Some(connection);
        participant.failed_at = None;
        for transport in [&mut participant.publisher, &mut participant.subscriber.transport] {
            transport.last_heard = transport.last_heard.map(|_| now);
        }
        if participant.claims.can_subscribe {
            participant.subscriber.restart(now);
        }
        let (room, last_message_seq) = (participant.claims.room.clone(), participant.data_sequence);
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.session = Some(session);
        }
        self.log.resumes += 1;
        let server_info = Some(server_info());
        let ice_servers = self.ice_servers.clone();
        let response =
            ReconnectResponse { ice_servers, server_info, last_message_seq, ..ReconnectResponse::default() };
        self.send(session, Message::Reconnect(response));
        let participants = self.infos(session, true);
        self.send(session, Message::Update(ParticipantUpdate { participants }));
        let room = Some(self.room_info(&room));
        self.send(session, Message::RoomUpdate(RoomUpdate { room }));
        self.send(session, Message::RefreshToken(token.to_string()));
    }

    /// Closes the WebSocket of a session once its outbox is read.
    pub(super) fn hang_up(&mut self, session: SessionId) {
        let connection =
            self.participants.get_mut(&session).and_then(|participant| participant.connection.take());
        if let Some(connection) = connection.and_then(|connection| self.connections.get_mut(&connection)) {
            connection.open = false;
            connection.session = None;
        }
    }

    fn attach_and_close(&mut self, connection: ConnectionId, message: Message) {
        if let Some(connection) = self.connections.get_mut(&connection) {
            let response = livekit_protocol::SignalResponse { message: Some(message) };
            connection.outbox.push_back(prost::Message::encode_to_vec(&response));
            connection.open = false;
        }
    }

    fn find(&self, room: &str, identity: &str) -> Option<SessionId> {
        let mut matching = self.participants.iter().filter(|(_, participant)| {
            participant.claims.room == room && participant.claims.identity == identity
        });
        matching.next().map(|(session, _)| *session)
    }

    fn infos(&mut self, session: SessionId, with_self: bool) -> Vec<ParticipantInfo> {
        let mates = self.room_of(session).into_iter().filter(|mate| with_self || *mate != session);
        mates.filter_map(|mate| self.participants.get_mut(&mate).map(Participant::info)).collect()
    }

    pub(super) fn room_info(&self, name: &str) -> RoomInfo {
        let inside = self.participants.values().filter(|participant| participant.claims.room == name);
        RoomInfo {
            sid: self.rooms.get(name).map(|room| room.sid.clone()).unwrap_or_default(),
            name: name.to_string(),
            empty_timeout: 300,
            departure_timeout: 20,
            num_participants: inside.clone().count() as u32,
            num_publishers: inside.filter(|participant| !participant.tracks.is_empty()).count() as u32,
            ..RoomInfo::default()
        }
    }
}

/// The version whose behaviour this is.
const SERVER_VERSION: &str = "1.13.5";

fn server_info() -> ServerInfo {
    ServerInfo {
        version: SERVER_VERSION.to_string(),
        protocol: 17,
        node_id: "ND_simulated".to_string(),
        ..ServerInfo::default()
    }
}

pub(super) fn leave(reason: DisconnectReason, action: Action) -> Message {
    Message::Leave(LeaveRequest {
        can_reconnect: action != Action::Disconnect,
        reason: reason.into(),
        action: action.into(),
        regions: None,
    })
}
