//! A small LiveKit: one server with rooms, participants, signal messages and forwarded packets, without IO.
//!
//! ```text
//! connect, handle_message ─► requests ─┐                            ┌─► poll_message
//!                                      ├─► participants, rooms ─────┤
//! handle_datagram ─► transport ─► media┘   (session, schedule)      └─► gate ─► poll_transmit
//! ```
//!
//! It speaks protobuf through the `livekit-protocol` crate, so nothing of the client's own decoder is in it, and WebRTC
//! through str0m, whose offers it edits until they look like pion's. What is modelled is what was seen at server 1.13.5:
//! the order of a join, the 150 ms debounce of offers, the nomination timers, reused m-lines, dropped writes around an ICE
//! restart, silence after a mute, speakers every 400 ms. What is not: TURN, RED recovery for subscribers without
//! RED, congestion, migration, and DTLS retransmission at 100 ms (str0m's is 1 s, so lossy handshakes are slower here).

mod attack;
mod caller;
pub mod forward;
pub mod log;
mod media;
pub mod moderator;
mod nomination;
mod participant;
mod permission;
mod requests;
mod schedule;
mod sdp;
#[cfg(test)]
mod selftest;
mod session;
mod speakers;
mod subscriber;
mod timers;
pub mod token;
mod tracks;
mod transport;

use crate::link::Datagram;
use crate::random::Random;
use livekit_protocol::signal_response::Message;
use livekit_protocol::{ClientConfiguration, IceServer, SignalResponse};
use log::Log;
use participant::Participant;
use prost::Message as _;
use schedule::Schedule;
use speakers::Speakers;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use token::Refusal;
use transport::Happening;

/// Where the server lives; each peer connection has a port of its own there.
pub const SERVER_ADDRESS: [u8; 4] = [10, 0, 0, 1];
/// The first of those ports (LiveKit's default range begins there).
const FIRST_PORT: u16 = 50_000;
/// Rounds in which one thing may lead to another at one instant.
const ROUNDS_MAX: usize = 100;

/// One WebSocket, from its upgrade to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

/// One session; SIDs are for the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct SessionId(u64);

/// The server.
pub struct Sfu {
    /// What it has seen.
    pub log: Log,
    /// STUN and TURN servers that it names.
    pub ice_servers: Vec<IceServer>,
    /// What it asks of its clients.
    pub client_configuration: Option<ClientConfiguration>,
    base: Instant,
    random: Random,
    participants: BTreeMap<SessionId, Participant>,
    connections: BTreeMap<ConnectionId, Connection>,
    rooms: BTreeMap<String, Room>,
    schedule: Schedule<Job>,
    transmits: VecDeque<Datagram>,
    refusal: Option<Refusal>,
    quirks: moderator::Quirks,
    numbers: u64,
    ports: u16,
}

struct Connection {
    session: Option<SessionId>,
    outbox: VecDeque<Vec<u8>>,
    open: bool,
}

struct Room {
    sid: String,
    speakers: Speakers,
    /// Participants without a track whose changes are told together.
    batched: BTreeSet<SessionId>,
}

/// What is done later.
#[derive(Debug)]
enum Job {
    /// Tell a room who speaks.
    Speakers(String),
    /// Tell a room the changes of its listeners.
    Batch(String),
    /// Tell a participant about its room.
    RoomUpdate(SessionId),
    /// Tell a participant how good its connection is.
    Quality(SessionId),
    /// Send a participant a new token.
    RefreshToken(SessionId),
    /// End a session that never became active.
    JoinTimeout(SessionId),
    /// Look whether the peer connections still live.
    Watch(SessionId),
    /// End a session that failed then and was not resumed.
    Remove(SessionId, Instant),
    /// End a session whose negotiation cannot succeed.
    NegotiationFailed(SessionId),
}

impl Sfu {
    /// A server without rooms. `seed` decides its SIDs, ports and offer numbers.
    pub fn new(seed: u64, base: Instant) -> Sfu {
        Sfu {
            log: Log::default(),
            ice_servers: Vec::new(),
            client_configuration: None,
            base,
            random: Random::new(seed).fork("server"),
            participants: BTreeMap::new(),
            connections: BTreeMap::new(),
            rooms: BTreeMap::new(),
            schedule: Schedule::new(),
            transmits: VecDeque::new(),
            refusal: None,
            quirks: moderator::Quirks::default(),
            numbers: 0,
            ports: FIRST_PORT,
        }
    }

    /// From now on every upgrade is refused like this; `None` ends it.
    pub fn refuse(&mut self, refusal: Option<(u16, &str)>) {
        self.refusal = refusal.map(|(status, body)| (status, body.to_string()));
    }

    /// The next signal message for the client. Ask again until there is none.
    pub fn poll_message(&mut self, connection: ConnectionId) -> Option<Vec<u8>> {
        self.connections.get_mut(&connection)?.outbox.pop_front()
    }

    /// Whether the server keeps the WebSocket open. When it does not, what [`Sfu::poll_message`] still has comes first,
    /// then a close with code 1000.
    pub fn is_open(&self, connection: ConnectionId) -> bool {
        self.connections.get(&connection).is_some_and(|connection| connection.open)
    }

    /// A datagram arrives.
    pub fn handle_datagram(&mut self, datagram: Datagram, now: Instant) {
        self.log.datagrams += u64::from(datagram.destination.ip() == std::net::IpAddr::from(SERVER_ADDRESS));
        for participant in self.participants.values_mut() {
            for transport in [&mut participant.publisher, &mut participant.subscriber.transport] {
                if transport.is_for(&datagram) {
                    transport.handle_datagram(&datagram, now);
                }
            }
        }
        self.settle(now);
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Datagram> {
        self.transmits.pop_front()
    }

    /// The next TCP connection that the server ends, by the client's address.
    pub fn poll_ended_stream(&mut self) -> Option<SocketAddr> {
        self.participants.values_mut().find_map(|participant| {
            participant
                .publisher
                .poll_ended_stream()
                .or_else(|| participant.subscriber.transport.poll_ended_stream())
        })
    }

    /// From now on this participant is taken over TCP only; its subscriber is restarted (`S:rtc/room.go`,
    /// `SimulateScenario`, `switch_candidate_protocol`).
    pub fn switch_to_tcp(&mut self, identity: &str, now: Instant) {
        for session in self.sessions_of(identity) {
            let Some(participant) = self.participants.get_mut(&session) else { continue };
            participant.publisher.prefers_tcp = true;
            participant.subscriber.transport.prefers_tcp = true;
            participant.subscriber.restart(now);
        }
        self.settle(now);
    }

    /// When [`Sfu::handle_timeout`] is wanted.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let transports = self.participants.values().flat_map(|participant| {
            [participant.publisher.poll_timeout(), participant.subscriber.poll_timeout()]
        });
        transports.chain(self.schedule.poll_timeout()).min()
    }

    /// Tells time.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(job) = self.schedule.take(now) {
            self.work(job, now);
        }
        self.settle(now);
    }

    /// Lets everything that is due happen, and what follows from it, until nothing more does.
    fn settle(&mut self, now: Instant) {
        for _ in 0..ROUNDS_MAX {
            let sessions: Vec<SessionId> = self.participants.keys().copied().collect();
            let mut quiet = true;
            for session in sessions {
                quiet &= !self.settle_one(session, now);
            }
            if quiet {
                return;
            }
        }
        self.log.complaints.push("the server does not come to rest".to_string());
    }

    /// Returns whether anything happened.
    fn settle_one(&mut self, session: SessionId, now: Instant) -> bool {
        let Some(participant) = self.participants.get_mut(&session) else { return false };
        if participant.publisher.poll_timeout() <= now {
            participant.publisher.advance(now);
        }
        let mut offer = None;
        if participant.subscriber.poll_timeout() <= now {
            offer = participant.subscriber.handle_timeout(now);
        }
        let failed = participant.subscriber.take_failure(now);
        let published: Vec<Happening> =
            std::iter::from_fn(|| participant.publisher.poll_happening()).collect();
        let subscribed: Vec<Happening> =
            std::iter::from_fn(|| participant.subscriber.transport.poll_happening()).collect();
        let busy = offer.is_some() || failed || !published.is_empty() || !subscribed.is_empty();
        self.collect(session);
        if let Some((offer, candidates)) = offer {
            self.send(session, Message::Offer(offer));
            for message in requests::trickles(candidates, livekit_protocol::SignalTarget::Subscriber) {
                self.send(session, message);
            }
        }
        for happening in published {
            self.published(session, happening, now);
        }
        for happening in subscribed {
            self.subscribed(session, happening, now);
        }
        if failed {
            self.reconnect(session, "no answer to an offer", now);
        }
        busy
    }

    /// Takes what a participant's peer connections wish to send.
    fn collect(&mut self, session: SessionId) {
        let Some(participant) = self.participants.get_mut(&session) else { return };
        for transport in [&mut participant.publisher, &mut participant.subscriber.transport] {
            self.transmits.extend(std::iter::from_fn(|| transport.poll_transmit()));
        }
    }

    /// Puts a message into the outbox of a participant, if it has one.
    fn send(&mut self, session: SessionId, message: Message) {
        let connection = self.participants.get(&session).and_then(|participant| participant.connection);
        if let Some(connection) = connection.and_then(|connection| self.connections.get_mut(&connection)) {
            connection.outbox.push_back(SignalResponse { message: Some(message) }.encode_to_vec());
        }
    }

    /// Everybody in a participant's room, itself included.
    fn room_of(&self, session: SessionId) -> Vec<SessionId> {
        let Some(room) = self.participants.get(&session).map(|participant| &participant.claims.room) else {
            return Vec::new();
        };
        let mates = self.participants.iter().filter(|(_, participant)| participant.claims.room == *room);
        mates.map(|(session, _)| *session).collect()
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn sid(&mut self, prefix: &str) -> String {
        format!("{prefix}_{}", self.random.letters(12))
    }

    fn address(&mut self) -> SocketAddr {
        self.ports += 1;
        SocketAddr::from((SERVER_ADDRESS, self.ports))
    }

    /// Milliseconds since the server began: its wall clock.
    fn time_ms(&self, now: Instant) -> i64 {
        now.duration_since(self.base).as_millis() as i64
    }
}

const SECOND: Duration = Duration::from_secs(1);
