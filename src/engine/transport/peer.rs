//! One peer connection and how it reaches the server: [`PeerTransport`].
//!
//! ```text
//!   datagram ─┬─ answer of a STUN server ─► StunMappings ─┐
//!             ├─ message of a TURN server ─► TurnState ───┤ candidates, TCP connections
//!             └─ else ────────────────────────────────────┴─► PeerConnection ─┬─► datagrams, through the relay or not
//!   deadline ─► Negotiation, IceTcp, TurnState, StunMappings ─►               ├─► RTP packets, messages of channels
//!                                                                             └─► TransportEvent
//! ```
//!
//! It exists as long as its peer connection. A change of its path is passed to its own parts first, and then reported.

mod exchange;

use std::net::SocketAddr;
use std::time::Instant;

use super::connection::PeerConnection;
use super::context::{TransportContext, TransportEvent};
use super::ice_servers::IceServers;
use super::ice_tcp::IceTcp;
use super::negotiation::Negotiation;
use super::stun_mappings::{MappingChange, StunMappings};
use super::turn_state::{Inner, Relayed, TurnState};
use crate::engine::outbox::Outbox;
use crate::engine::port::StreamNotice;
use crate::limits::LOCAL_ADDRESSES_MAX;
use crate::rtc::{Datagram, Failure, Ice, Output, Peer, PeerEvent, Protocol};
use crate::signal::description::Trickle;
use crate::time::deadline::Reason;

/// Events of one drain. One input makes at most a few: connected, path, feedback.
const EVENTS_PER_DRAIN: usize = 8;

/// One peer connection with its sockets, mappings, TCP connection and relay.
pub(super) struct PeerTransport {
    peer: Peer,
    connection: PeerConnection,
    /// Its UDP sockets.
    sockets: heapless::Vec<SocketAddr, LOCAL_ADDRESSES_MAX>,
    mappings: StunMappings,
    ice_tcp: IceTcp,
    turn: TurnState,
    negotiation: Negotiation,
}

impl PeerTransport {
    pub(super) fn new(peer: Peer, connection: PeerConnection) -> PeerTransport {
        PeerTransport {
            peer,
            connection,
            sockets: heapless::Vec::new(),
            mappings: StunMappings::default(),
            ice_tcp: IceTcp::default(),
            turn: TurnState::default(),
            negotiation: Negotiation::default(),
        }
    }

    /// The peer connection.
    pub(super) fn connection(&self) -> &PeerConnection {
        &self.connection
    }

    /// The peer connection, to change it. [`PeerTransport::drive`] must follow.
    pub(super) fn connection_mut(&mut self) -> &mut PeerConnection {
        &mut self.connection
    }

    /// Its ICE side.
    pub(super) fn ice(&mut self) -> Ice<'_> {
        self.connection.ice()
    }

    /// Our address on a TURN server.
    pub(super) fn relayed(&self) -> Option<SocketAddr> {
        self.turn.relayed()
    }

    /// Whether it was offered and has not come up.
    pub(super) fn awaits_connection(&self) -> bool {
        self.negotiation.awaits_connection()
    }

    /// Handles a datagram that arrived on one of its sockets.
    pub(super) fn handle_datagram(&mut self, datagram: Datagram<'_>, ctx: &mut TransportContext<'_>) {
        match self.mappings.handle(&datagram, &mut self.connection.ice()) {
            MappingChange::NotOurs => {}
            MappingChange::Nothing => return,
            MappingChange::New(candidate) => {
                ctx.trickle(self.peer, candidate);
                return self.drive(None, ctx);
            }
        }
        let mut inner = Inner::new();
        match self.turn.handle(&datagram, &mut inner, ctx.now) {
            Relayed::NotOurs => self.drive(Some(datagram), ctx),
            Relayed::Message => self.pump_relay(ctx),
            Relayed::Datagram { source, destination } => {
                self.pump_relay(ctx);
                let datagram = Datagram { protocol: Protocol::Udp, source, destination, bytes: &inner };
                self.drive(Some(datagram), ctx);
            }
        }
    }

    /// What happened to a TCP connection that was asked for.
    pub(super) fn handle_stream(
        &mut self,
        notice: StreamNotice,
        servers: &IceServers,
        ctx: &mut TransportContext<'_>,
    ) {
        let Self { peer, connection, ice_tcp, turn, .. } = self;
        let ice = &mut connection.ice();
        match notice {
            StreamNotice::Opened { protocol: Protocol::Turn, local, .. } => {
                turn.connected(local, servers, ctx.now);
                self.pump_relay(ctx);
            }
            StreamNotice::Closed { protocol: Protocol::Turn, .. } => turn.lost(*peer, ice, ctx.now, ctx.out),
            StreamNotice::Opened { local, .. } => {
                if !ice_tcp.opened(local, ice) {
                    return;
                }
            }
            StreamNotice::Closed { .. } => ice_tcp.closed(ice, ctx.now),
        }
        self.drive(None, ctx);
    }

    /// All its sockets that are open now. Addresses that come after the first description has left are trickled.
    pub(super) fn handle_sockets(
        &mut self,
        addresses: &[SocketAddr],
        servers: &IceServers,
        ctx: &mut TransportContext<'_>,
    ) {
        let Self { peer, connection, sockets, mappings, turn, .. } = self;
        let ice = &mut connection.ice();
        // More addresses than are ever opened: the rest is reached through the first ones.
        let new = addresses.iter().copied().take(LOCAL_ADDRESSES_MAX).collect();
        let old = std::mem::replace(sockets, new);
        for gone in old.into_iter().filter(|address| !addresses.contains(address)) {
            mappings.forget(gone, ice);
            turn.socket_closed(gone, *peer, ice, ctx.now, ctx.out);
            ice.remove_address(gone);
        }
        let told = if servers.is_relay_only() { &[] } else { addresses };
        for &address in told {
            ctx.trickle(*peer, ice.add_address(address));
        }
        self.ask_for_mappings(servers, ctx);
        self.drive(None, ctx);
    }

    /// Only relays may be used, or others again.
    pub(super) fn set_relay_only(&mut self, is_relay_only: bool, ctx: &mut TransportContext<'_>) {
        let Self { peer, connection, sockets, mappings, .. } = self;
        let ice = &mut connection.ice();
        for &address in sockets.iter() {
            mappings.forget(address, ice);
            if is_relay_only {
                ice.remove_address(address);
            } else {
                ctx.trickle(*peer, ice.add_address(address));
            }
        }
    }

    /// Requests the mapped addresses of its sockets, if there is no path yet.
    pub(super) fn look_for_mappings(&mut self, servers: &IceServers, ctx: &mut TransportContext<'_>) {
        if !self.ice().has_path() {
            self.ask_for_mappings(servers, ctx);
        }
    }

    /// Continues with a TURN server whose address may be known now.
    pub(super) fn reach_relay(&mut self, servers: &IceServers, ctx: &mut TransportContext<'_>) {
        let Self { peer, sockets, turn, .. } = self;
        turn.reach(*peer, sockets, servers, ctx.now, ctx.out);
        self.pump_relay(ctx);
    }

    /// A candidate of the server; `false` if it cannot be used.
    pub(super) fn add_candidate(&mut self, trickle: &Trickle, ctx: &mut TransportContext<'_>) -> bool {
        let is_usable = self.ice().add_candidate(&trickle.candidate);
        if is_usable {
            self.drive(None, ctx);
        }
        if trickle.is_final {
            let Self { connection, ice_tcp, .. } = self;
            ice_tcp.addresses_known(&connection.ice(), ctx.now);
        }
        is_usable
    }

    /// The answer to an open offer is lost with the signal connection.
    pub(super) fn signal_lost(&mut self) {
        self.negotiation.answered();
    }

    /// Releases the allocation on its TURN server.
    pub(super) fn close(&mut self, now: Instant, out: &mut Outbox) {
        self.turn.close(self.peer, now, out);
    }

    /// When [`PeerTransport::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        let connection = match self.peer {
            Peer::Publisher => Reason::Publisher,
            Peer::Subscriber => Reason::Subscriber,
        };
        [
            self.negotiation.poll_timeout(),
            self.connection.poll_timeout().map(|at| (at, connection)),
            self.ice_tcp.poll_timeout().map(|at| (at, Reason::Fallback)),
            self.mappings.poll_timeout().map(|at| (at, Reason::Bindings)),
            self.turn.poll_timeout().map(|at| (at, Reason::Relay)),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|&(at, _)| at)
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, servers: &mut IceServers, ctx: &mut TransportContext<'_>) {
        let peer = self.peer;
        while let Some(why) = self.negotiation.handle_timeout(ctx.now) {
            ctx.report(peer, TransportEvent::Failed(why.to_owned()));
        }
        if self.ice_tcp.take_lost(ctx.now) {
            ctx.report(peer, TransportEvent::PathLost);
        }
        if self.ice_tcp.take_due(ctx.now) && !servers.is_relay_only() {
            self.ice_tcp.dial(peer, &mut self.connection.ice(), ctx.now, ctx.out);
        }
        self.attend_relay(servers, ctx);
        self.mappings.send_due(peer, ctx.now, ctx.out);
        if self.connection.poll_timeout().is_some_and(|at| at <= ctx.now) {
            self.drive(None, ctx);
        }
    }

    /// Takes a datagram, or only lets time pass, and carries out what follows.
    pub(super) fn drive(&mut self, datagram: Option<Datagram<'_>>, ctx: &mut TransportContext<'_>) {
        match self.drain(datagram, ctx) {
            Ok(true) => {}
            Ok(false) => {
                ctx.out.count(|counters| &mut counters.datagrams_refused, 1);
                return;
            }
            Err(Failure(text)) => ctx.report(self.peer, TransportEvent::Failed(text)),
        }
        // Permissions that were asked for with it.
        self.pump_relay(ctx);
        ctx.report(self.peer, TransportEvent::Driven);
    }

    /// Sends what a message that was written has made necessary, and no more.
    pub(super) fn send_written(&mut self, ctx: &mut TransportContext<'_>) {
        if let Err(Failure(text)) = self.drain(None, ctx) {
            ctx.report(self.peer, TransportEvent::Failed(text));
        }
    }

    /// `false` if the datagram was refused.
    fn drain(
        &mut self,
        datagram: Option<Datagram<'_>>,
        ctx: &mut TransportContext<'_>,
    ) -> Result<bool, Failure> {
        let mut happened = heapless::Vec::<PeerEvent, EVENTS_PER_DRAIN>::new();
        let Self { peer, connection, turn, .. } = self;
        let TransportContext { now, out, packets, messages, .. } = ctx;
        let mut sink = |output| match output {
            Output::Transmit(transmit) => turn.transmit(*peer, transmit, *now, out),
            // A data packet leaves its channel here.
            Output::Event(PeerEvent::Data(channel, bytes)) => messages(*peer, channel, bytes),
            // Feedback that does not fit comes again.
            Output::Event(event) => _ = happened.push(event),
        };
        let result = connection.drain(datagram, *now, &mut sink, packets);
        for event in happened {
            self.happened(event, ctx);
        }
        result
    }

    fn happened(&mut self, event: PeerEvent, ctx: &mut TransportContext<'_>) {
        let event = match event {
            PeerEvent::Connected => {
                self.negotiation.connected();
                TransportEvent::Connected
            }
            PeerEvent::PathFound => {
                let Self { peer, connection, mappings, ice_tcp, turn, .. } = self;
                mappings.path_found();
                turn.path_found(*peer, &mut connection.ice(), ctx.now, ctx.out);
                ice_tcp.path_found(*peer, ctx.out);
                TransportEvent::PathFound
            }
            PeerEvent::PathLost => TransportEvent::PathLost,
            PeerEvent::PathMoved => TransportEvent::PathMoved,
            PeerEvent::RoundTrip(round_trip) => TransportEvent::RoundTrip(round_trip),
            PeerEvent::Closed => TransportEvent::Closed,
            PeerEvent::Feedback { loss_permille } => TransportEvent::Feedback { loss_permille },
            // What waits is sent after each drain; messages are taken in it.
            PeerEvent::ChannelOpen(_) | PeerEvent::Data(..) => return,
        };
        ctx.report(self.peer, event);
    }

    fn ask_for_mappings(&mut self, servers: &IceServers, ctx: &mut TransportContext<'_>) {
        if !servers.is_relay_only() {
            self.mappings.ask(&self.sockets, servers, ctx.now);
            self.mappings.send_due(self.peer, ctx.now, ctx.out);
        }
    }

    fn attend_relay(&mut self, servers: &mut IceServers, ctx: &mut TransportContext<'_>) {
        let Self { peer, connection, turn, .. } = self;
        turn.judge(*peer, servers, &mut connection.ice(), ctx.now, ctx.out);
        if turn.is_relay_due(ctx.now) {
            self.pump_relay(ctx);
        }
        let Self { peer, connection, mappings, turn, .. } = self;
        if turn.is_next_due(ctx.now) {
            let places = servers.turn_places(mappings.hears_udp());
            if let Some(place) = turn.try_next(*peer, &places, &mut connection.ice(), ctx.now, ctx.out) {
                servers.resolve(place, ctx.out);
                self.reach_relay(servers, ctx);
            }
        }
    }

    /// Sends what the TURN client has to send, and carries out what it reports.
    fn pump_relay(&mut self, ctx: &mut TransportContext<'_>) {
        let Self { peer, connection, turn, .. } = self;
        let Some(allocated) = turn.pump(*peer, &mut connection.ice(), ctx.now, ctx.out) else { return };
        ctx.trickle(*peer, allocated.candidate);
        self.drive(None, ctx);
    }
}
