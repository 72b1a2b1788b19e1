//! The peer connections and their ways to the server: [`Transports`].
//!
//! ```text
//!   datagrams, TCP connections, sockets, addresses of names ─┐                 ┌─► Outbox: datagrams, requests, actions
//!   offers, answers, candidates, servers of the server ──────┼─► Transports ───┼─► packets, messages: what arrives
//!   packets and messages of ours, time ──────────────────────┘                 └─► TransportEvent: what it means
//!
//!   peer.rs           PeerTransport: one peer connection         stun_mappings.rs  how others see its sockets
//!   connection.rs     PeerConnection: its halves                 ice_tcp.rs        where UDP does not get through
//!   negotiation.rs    offers are answered in time                turn_state.rs     where nothing gets through
//!   ice_servers.rs    STUN and TURN servers, relays only         local_addresses.rs  our address that reached the server
//!   context.rs        what one call gives and gets               state.rs, paths.rs  what others ask
//! ```
//!
//! There is one [`PeerTransport`](peer::PeerTransport) for each peer connection. Sending and receiving are looked for among
//! them by role, so that one connection with both roles is one transport, and two are two.
//!
//! Functions, by what they are about:
//! - life: `open_publisher`, `open_subscriber`, `is_open`, `joined`, `close`
//! - network: `handle_datagram`, `handle_stream`, `handle_sockets`, `handle_resolved`, `addresses_changed`, `open_sockets_again`
//! - server: `set_ice_servers`, `set_relay_only`, `add_candidate`, `needs_offer`, `offer`, `accept_answer`, `answer`,
//!   `restart`, `expect_restart`, `signal_lost`, `last_exchange`
//! - sending: `send`, `write`, `send_written`, `drive`, `buffered_bytes`, `buffered_lossy_bytes`, `takes_red`
//! - state: `is_connected`, `has_paths`, `was_offered`, `awaits_answer`, `awaits_connection`, `can_use_tcp`, `is_home_gone`,
//!   `primary`, `round_trip`, `tracks`, `paths`
//! - time: `poll_timeout`, `handle_timeout`

mod connection;
mod context;
mod ice_servers;
mod ice_tcp;
mod local_addresses;
mod negotiation;
mod paths;
mod peer;
mod state;
mod stun_mappings;
mod turn_state;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::engine::outbox::Outbox;
use crate::engine::port::{Action, StreamNotice};
use crate::rtc::{Channel, Datagram, Failure, Line, OutgoingPacket, Peer, Publisher, Subscriber, Written};
use crate::signal::description::{Description, Trickle};
use crate::signal::join::IceServer;
use crate::signal::request::Request;
use crate::time::deadline::Reason;

use connection::PeerConnection;
pub(in crate::engine) use context::{TransportContext, TransportEvent, TransportEvents};
use ice_servers::IceServers;
use local_addresses::LocalAddresses;
use peer::PeerTransport;

/// The peer connections, and what they share.
pub(in crate::engine) struct Transports {
    publisher: Option<PeerTransport>,
    subscriber: Option<PeerTransport>,
    servers: IceServers,
    addresses: LocalAddresses,
    primary: Peer,
}

impl Default for Transports {
    fn default() -> Transports {
        Transports {
            publisher: None,
            subscriber: None,
            servers: IceServers::default(),
            addresses: LocalAddresses::default(),
            primary: Peer::Subscriber,
        }
    }
}

impl Transports {
    /// Makes the connection that we offer on. `random` gives sequence numbers and timestamps their start; without
    /// `offers_red` no packets with copies are offered.
    pub(in crate::engine) fn open_publisher(
        &mut self,
        random: &mut fastrand::Rng,
        offers_red: bool,
        now: Instant,
        out: &mut Outbox,
    ) {
        let publisher = PeerConnection::Sending(Box::new(Publisher::new(random, offers_red, now)));
        self.publisher = Some(PeerTransport::new(Peer::Publisher, publisher));
        out.act(Action::OpenSockets(Peer::Publisher));
    }

    /// Makes the connection that the server offers on.
    pub(in crate::engine) fn open_subscriber(&mut self, now: Instant, out: &mut Outbox) {
        let subscriber = PeerConnection::Receiving(Box::new(Subscriber::new(now)));
        self.subscriber = Some(PeerTransport::new(Peer::Subscriber, subscriber));
        out.act(Action::OpenSockets(Peer::Subscriber));
    }

    /// Whether a peer connection is made.
    pub(in crate::engine) fn is_open(&self, peer: Peer) -> bool {
        match peer {
            Peer::Publisher => self.publisher.is_some(),
            Peer::Subscriber => self.subscriber.is_some(),
        }
    }

    /// The server has joined us: which connection it makes first and writes on, and the round trip of the signal
    /// connection.
    pub(in crate::engine) fn joined(&mut self, primary: Peer, round_trip: Option<Duration>) {
        self.primary = primary;
        if let (Some(round_trip), Some(subscriber)) = (round_trip, self.receiving_mut()) {
            subscriber.set_round_trip(round_trip);
        }
    }

    /// The session is over: sockets are closed, and addresses on TURN servers given back.
    pub(in crate::engine) fn close(&mut self, now: Instant, out: &mut Outbox) {
        if let Some(subscriber) = self.receiving() {
            let unknown = u64::from(subscriber.unknown_packets());
            out.count(|counters| &mut counters.packets_unknown, unknown);
        }
        for peer in [Peer::Publisher, Peer::Subscriber] {
            out.act(Action::CloseSockets(peer));
        }
        out.clear_transmits();
        for mut transport in [self.publisher.take(), self.subscriber.take()].into_iter().flatten() {
            transport.close(now, out);
        }
        self.servers.session_ended();
        self.addresses = LocalAddresses::default();
    }

    /// One datagram that arrived on a socket of `peer`.
    pub(in crate::engine) fn handle_datagram(
        &mut self,
        peer: Peer,
        datagram: Datagram<'_>,
        ctx: &mut TransportContext<'_>,
    ) {
        if let Some(transport) = self.peer_mut(peer) {
            transport.handle_datagram(datagram, ctx);
        }
    }

    /// What happened to a TCP connection that was asked for by [`Action::DialStream`] or [`Action::DialRelay`].
    pub(in crate::engine) fn handle_stream(&mut self, notice: StreamNotice, ctx: &mut TransportContext<'_>) {
        let peer = match notice {
            StreamNotice::Opened { peer, .. } | StreamNotice::Closed { peer, .. } => peer,
        };
        if let (Some(transport), servers) = self.peer_and_servers(peer) {
            transport.handle_stream(notice, servers, ctx);
        }
    }

    /// All sockets of `peer` that are open now: the answer to [`Action::OpenSockets`].
    pub(in crate::engine) fn handle_sockets(
        &mut self,
        peer: Peer,
        addresses: &[SocketAddr],
        ctx: &mut TransportContext<'_>,
    ) {
        self.addresses.opened(addresses);
        if let (Some(transport), servers) = self.peer_and_servers(peer) {
            transport.handle_sockets(addresses, servers, ctx);
        }
    }

    /// The answer to [`Action::Resolve`]; without addresses where the name has none.
    pub(in crate::engine) fn handle_resolved(
        &mut self,
        host: &str,
        port: u16,
        addresses: &[SocketAddr],
        ctx: &mut TransportContext<'_>,
    ) {
        self.servers.resolved(host, port, addresses);
        self.look_for_mappings(ctx);
        let Self { publisher, subscriber, servers, .. } = self;
        for transport in [publisher, subscriber].into_iter().flatten() {
            transport.reach_relay(servers, ctx);
        }
    }

    /// The device has these addresses now.
    pub(in crate::engine) fn addresses_changed(&mut self, addresses: &[IpAddr]) {
        self.addresses.changed(addresses);
    }

    /// The server is reached in a resume: sockets are opened on the addresses of now.
    pub(in crate::engine) fn open_sockets_again(&self, out: &mut Outbox) {
        for peer in [Peer::Publisher, Peer::Subscriber] {
            if self.is_open(peer) {
                out.act(Action::OpenSockets(peer));
            }
        }
    }

    /// The server has named STUN and TURN servers, perhaps again, with new credentials.
    pub(in crate::engine) fn set_ice_servers(&mut self, named: &[IceServer], ctx: &mut TransportContext<'_>) {
        self.servers.set(named);
        self.look_for_mappings(ctx);
    }

    /// The server allows relays only, or other paths too.
    pub(in crate::engine) fn set_relay_only(&mut self, is_relay_only: bool, ctx: &mut TransportContext<'_>) {
        if self.servers.set_relay_only(is_relay_only) {
            for transport in self.transports_mut() {
                transport.set_relay_only(is_relay_only, ctx);
            }
        }
    }

    /// A candidate of the server; `false` if it cannot be used.
    pub(in crate::engine) fn add_candidate(
        &mut self,
        trickle: &Trickle,
        ctx: &mut TransportContext<'_>,
    ) -> bool {
        self.peer_mut(trickle.target).is_none_or(|transport| transport.add_candidate(trickle, ctx))
    }

    /// Sends an offer that puts each track of `cids` on its line, or silences the line; `true` if there was something to
    /// offer and no other offer is open. The `AddTrack` requests must have been sent, and [`Transports::drive`] must follow.
    pub(in crate::engine) fn offer(
        &mut self,
        cids: [Option<&str>; Line::ALL.len()],
        now: Instant,
        out: &mut Outbox,
    ) -> bool {
        self.publisher.as_mut().is_some_and(|transport| transport.offer(cids, now, out))
    }

    /// The server's answer to an offer of ours; returns `true` if it was accepted.
    pub(in crate::engine) fn accept_answer(
        &mut self,
        answer: &Description,
        ctx: &mut TransportContext<'_>,
    ) -> bool {
        let (Some(transport), servers) = self.peer_and_servers(Peer::Publisher) else { return false };
        match transport.accept_answer(&answer.sdp, answer.id, servers, ctx) {
            Ok(()) => transport.drive(None, ctx),
            Err(Failure(text)) => {
                ctx.report(Peer::Publisher, TransportEvent::Failed(text));
                return false;
            }
        }
        true
    }

    /// Answers the server's offer; `true` if it was answered, and [`Transports::drive`] must follow.
    pub(in crate::engine) fn answer(&mut self, offer: &Description, ctx: &mut TransportContext<'_>) -> bool {
        let (Some(transport), servers) = self.peer_and_servers(Peer::Subscriber) else { return false };
        let track_of_mid =
            |mid: &str| offer.mid_to_track.iter().find(|(other, _)| other == mid).map(|&(_, sid)| sid);
        match transport.answer(&offer.sdp, track_of_mid, servers, ctx) {
            Ok(Some(sdp)) => ctx.out.request(&Request::Answer { sdp, id: offer.id }),
            Ok(None) => return false,
            Err(Failure(text)) => {
                ctx.report(Peer::Subscriber, TransportEvent::Failed(text));
                return false;
            }
        }
        true
    }

    /// Offers an ICE restart, if there was an offer before.
    pub(in crate::engine) fn restart(&mut self, ctx: &mut TransportContext<'_>) {
        if let Some(transport) = &mut self.publisher {
            transport.restart(ctx);
        }
    }

    /// The server will restart ICE on the connection that it offers: its old path counts no more.
    pub(in crate::engine) fn expect_restart(&mut self) {
        if let Some(subscriber) = self.receiving_mut() {
            subscriber.expect_restart();
        }
    }

    /// The signal connection is lost, and with it the answer to an open offer.
    pub(in crate::engine) fn signal_lost(&mut self) {
        for transport in self.transports_mut() {
            transport.signal_lost();
        }
    }

    /// Sends one packet of a track; `false` if the connection cannot take it yet. [`Transports::drive`] must follow.
    pub(in crate::engine) fn send(&mut self, line: Line, packet: OutgoingPacket<'_>, now: Instant) -> bool {
        self.sending_mut().is_some_and(|publisher| publisher.send(line, packet, now))
    }

    /// Gives one message to a data channel. [`Transports::send_written`] must follow where it is taken.
    pub(in crate::engine) fn write(&mut self, channel: Channel, bytes: &[u8]) -> Written {
        self.sending_mut().map_or(Written::NotOpen, |publisher| publisher.write(channel, bytes))
    }

    /// Sends what messages that were written have made necessary, and no more.
    pub(in crate::engine) fn send_written(&mut self, ctx: &mut TransportContext<'_>) {
        if let Some(transport) = &mut self.publisher {
            transport.send_written(ctx);
        }
    }

    /// Lets `peer` do what its last change has made necessary.
    pub(in crate::engine) fn drive(&mut self, peer: Peer, ctx: &mut TransportContext<'_>) {
        if let Some(transport) = self.peer_mut(peer) {
            transport.drive(None, ctx);
        }
    }

    /// When [`Transports::handle_timeout`] is due, and why.
    pub(in crate::engine) fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        self.transports().filter_map(PeerTransport::poll_timeout).min_by_key(|&(at, _)| at)
    }

    /// Does what is due.
    pub(in crate::engine) fn handle_timeout(&mut self, ctx: &mut TransportContext<'_>) {
        let Self { publisher, subscriber, servers, .. } = self;
        for transport in [publisher, subscriber].into_iter().flatten() {
            transport.handle_timeout(servers, ctx);
        }
    }

    /// Requests the mapped addresses of each peer connection that has no path yet.
    fn look_for_mappings(&mut self, ctx: &mut TransportContext<'_>) {
        let Self { publisher, subscriber, servers, .. } = self;
        servers.resolve_stun(ctx.out);
        for transport in [publisher, subscriber].into_iter().flatten() {
            transport.look_for_mappings(servers, ctx);
        }
    }

    fn peer_and_servers(&mut self, peer: Peer) -> (Option<&mut PeerTransport>, &IceServers) {
        let Self { publisher, subscriber, servers, .. } = self;
        match peer {
            Peer::Publisher => (publisher.as_mut(), servers),
            Peer::Subscriber => (subscriber.as_mut(), servers),
        }
    }

    fn peer_mut(&mut self, peer: Peer) -> Option<&mut PeerTransport> {
        self.peer_and_servers(peer).0
    }

    fn transports(&self) -> impl Iterator<Item = &PeerTransport> {
        [&self.publisher, &self.subscriber].into_iter().flatten()
    }

    fn transports_mut(&mut self) -> impl Iterator<Item = &mut PeerTransport> {
        [&mut self.publisher, &mut self.subscriber].into_iter().flatten()
    }

    fn sending(&self) -> Option<&Publisher> {
        self.transports().find_map(|transport| transport.connection().sending())
    }

    fn sending_mut(&mut self) -> Option<&mut Publisher> {
        self.transports_mut().find_map(|transport| transport.connection_mut().sending_mut())
    }

    fn receiving(&self) -> Option<&Subscriber> {
        self.transports().find_map(|transport| transport.connection().receiving())
    }

    fn receiving_mut(&mut self) -> Option<&mut Subscriber> {
        self.transports_mut().find_map(|transport| transport.connection_mut().receiving_mut())
    }
}
