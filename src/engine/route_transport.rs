//! What [`Transports`] take from the other parts, and what their events mean for them.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::Engine;
use super::port::StreamNotice;
use super::transport::{TransportContext, TransportEvent, TransportEvents, Transports};
use crate::limits::TALKERS_MAX;
use crate::rtc::{Channel, Datagram, Peer, RtpArrival};
use crate::session::cause::Cause;

impl Engine {
    /// One datagram that arrived on a socket of `peer`, at `arrival` by the kernel's or the caller's clock.
    pub fn handle_datagram(&mut self, peer: Peer, datagram: Datagram<'_>, arrival: Instant) {
        self.with_transports(arrival, |transports, ctx| transports.handle_datagram(peer, datagram, ctx));
    }

    /// What happened to a TCP connection that was asked for by [`Action::DialStream`](super::Action::DialStream).
    pub fn handle_stream(&mut self, notice: StreamNotice, now: Instant) {
        self.with_transports(now, |transports, ctx| transports.handle_stream(notice, ctx));
    }

    /// The io ring opened sockets for `peer`; call it for each [`Action::OpenSockets`](super::Action::OpenSockets).
    /// Addresses told after the first description has left are trickled to the server.
    pub fn handle_sockets(&mut self, peer: Peer, addresses: &[SocketAddr], now: Instant) {
        self.with_transports(now, |transports, ctx| transports.handle_sockets(peer, addresses, ctx));
    }

    /// The answer to [`Action::Resolve`](super::Action::Resolve); without addresses where the name has none.
    pub fn handle_resolved(&mut self, host: &str, port: u16, addresses: &[SocketAddr], now: Instant) {
        self.with_transports(now, |transports, ctx| transports.handle_resolved(host, port, addresses, ctx));
    }

    /// Something about this device's networks has changed; `addresses` are those that it has now.
    pub fn handle_network(&mut self, addresses: &[IpAddr], now: Instant) {
        self.transports.addresses_changed(addresses);
        self.session.network_changed(now);
    }

    /// Both peer connections are made while the server works on the upgrade: nobody is heard now, and
    /// the first offer is answered without delay.
    pub(super) fn open_peers(&mut self, now: Instant) {
        if self.local.has_microphone() {
            self.open_publisher(now);
        }
        self.transports.open_subscriber(now, &mut self.out);
    }

    /// Offers what is to be published; `AddTrack` must have been sent before.
    pub(super) fn offer(&mut self, now: Instant) {
        let publishes = self.local.cids().iter().any(Option::is_some);
        if !self.transports.needs_offer(publishes || self.data.wants_publisher()) {
            return;
        }
        if !self.transports.is_open(Peer::Publisher) {
            // The publisher is primary because the token forbids subscribing: it is the only connection.
            self.open_publisher(now);
        }
        // A track is on its line, or the line is silent.
        if self.transports.offer(self.local.cids(), now, &mut self.out) {
            self.with_transports(now, |transports, ctx| transports.drive(Peer::Publisher, ctx));
        }
    }

    /// Calls `act` with what the transports need to know, and carries out what follows.
    pub(super) fn with_transports<R>(
        &mut self,
        now: Instant,
        act: impl FnOnce(&mut Transports, &mut TransportContext<'_>) -> R,
    ) -> R {
        let has_signal = self.session.has_signal();
        let primary = self.transports.primary();
        let (mut unheard, mut refused) = (0, 0);
        let Self { transports, hearing, data, out, .. } = self;
        let mut ctx = TransportContext {
            now,
            has_signal,
            out,
            packets: &mut |packet: RtpArrival<'_>| unheard += u64::from(!hearing.insert(&packet)),
            // The server writes on the primary connection only.
            messages: &mut |peer: Peer, channel: Channel, bytes: Vec<u8>| {
                refused += u64::from(peer == primary && !data.keep(channel, bytes));
            },
            events: TransportEvents::new(),
        };
        let result = act(transports, &mut ctx);
        let events = ctx.events;
        self.out.counters.data_refused += refused;
        self.count_unheard(unheard);
        for (peer, event) in events {
            self.transport_event(peer, event, now);
        }
        result
    }

    fn transport_event(&mut self, peer: Peer, event: TransportEvent, now: Instant) {
        match event {
            TransportEvent::Connected => {
                if self.transports.primary() == peer {
                    self.session.connected(&self.room, now, &mut self.out);
                }
            }
            TransportEvent::PathFound => {
                if peer == Peer::Publisher {
                    self.local.path_changed();
                }
                self.resumed_if_complete(now);
            }
            TransportEvent::PathLost => self.lost(Cause::PathLost(peer), now),
            TransportEvent::PathMoved => self.lost(Cause::PathMoved(peer), now),
            TransportEvent::RoundTrip(round_trip) => {
                self.local.round_trip(round_trip, self.transports.takes_red(), now);
            }
            TransportEvent::Feedback { loss_permille } => {
                self.local.feedback(loss_permille, self.transports.takes_red());
            }
            // The server ends both connections when it ends the participant, and mostly says why on the
            // signal connection; where it does not within the time of a resend, the session is lost.
            TransportEvent::Closed => self.session.peer_closed(now),
            TransportEvent::Failed(text) => self.lost(Cause::PeerDead(peer, text), now),
            TransportEvent::Driven => {
                self.data_arrived(now);
                if peer == Peer::Publisher {
                    self.data_moved(now);
                }
            }
        }
    }

    fn open_publisher(&mut self, now: Instant) {
        let offers_red = self.local.may_repeat();
        self.transports.open_publisher(&mut self.random, offers_red, now, &mut self.out);
    }

    fn count_unheard(&mut self, unheard: u64) {
        let was_all_heard = self.out.counters.packets_unheard == 0;
        self.out.counters.packets_unheard += unheard;
        if was_all_heard && unheard > 0 {
            self.out.warn(format!(
                "more than {TALKERS_MAX} speak at once: the others are not played, only counted"
            ));
        }
    }
}
