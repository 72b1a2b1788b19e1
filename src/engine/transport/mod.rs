//! Datagrams, sockets and time of the two peer connections.

pub(in crate::engine) mod ice_servers;
pub(in crate::engine) mod ice_tcp;
pub(in crate::engine) mod local_addresses;
pub(in crate::engine) mod paths;
pub(in crate::engine) mod stun_mappings;
pub(in crate::engine) mod turn_state;

use std::time::Instant;

use crate::engine::Engine;
use crate::engine::outbox::Outbox;
use crate::engine::port::Action;
use crate::limits::TALKERS_MAX;
use crate::rtc::{
    Datagram, Failure, Output, Peer, Publisher, PublisherEvent, Relay, RtpArrival, Subscriber,
    SubscriberEvent, Transmit,
};
use crate::session::cause::Cause;
use crate::signal::description::Trickle;
use crate::signal::ice_url::IceUrl;
use crate::signal::request::Request;
use crate::time::deadline::Reason;

use ice_servers::IceServers;
use ice_tcp::Fallback;
use local_addresses::Whereabouts;
use stun_mappings::Reflexive;
use turn_state::Relaying;

/// Events of one drain. One input makes at most a few: connected, path, feedback.
const EVENTS_PER_DRAIN: usize = 8;

type Happened<E> = heapless::Vec<E, EVENTS_PER_DRAIN>;

/// The two peer connections, and how they reach the server.
pub(in crate::engine) struct Transports {
    pub(in crate::engine) publisher: Option<Publisher>,
    pub(in crate::engine) subscriber: Option<Subscriber>,
    /// Of publisher and subscriber.
    pub(in crate::engine) fallbacks: [Fallback; 2],
    /// The same.
    pub(in crate::engine) reflexive: [Reflexive; 2],
    pub(in crate::engine) relays: [Relaying; 2],
    pub(in crate::engine) ice_servers: IceServers,
    /// The server allows no other paths than through relays.
    pub(in crate::engine) is_relay_only: bool,
    /// The TURN server through which sound has gone.
    pub(in crate::engine) relay_worked: Option<IceUrl>,
    pub(in crate::engine) whereabouts: Whereabouts,
    pub(in crate::engine) is_subscriber_primary: bool,
}

impl Default for Transports {
    fn default() -> Transports {
        Transports {
            publisher: None,
            subscriber: None,
            fallbacks: Default::default(),
            reflexive: Default::default(),
            relays: Default::default(),
            ice_servers: IceServers::new(),
            is_relay_only: false,
            relay_worked: None,
            whereabouts: Whereabouts::default(),
            is_subscriber_primary: true,
        }
    }
}

impl Engine {
    /// Both peer connections are made while the server works on the upgrade: nobody is heard now, and
    /// the first offer is answered without delay.
    pub(in crate::engine) fn open_peers(&mut self, now: Instant) {
        if self.local.has_microphone() {
            self.open_publisher(now);
        }
        self.transports.subscriber = Some(Subscriber::new(now));
        self.out.act(Action::OpenSockets(Peer::Subscriber));
    }

    /// Tells the server a candidate. Without the signal connection the descriptions of the restart tell it.
    pub(in crate::engine) fn trickle(&mut self, peer: Peer, candidate: String) {
        if self.session.has_signal() {
            self.out.request(&Request::Trickle(Trickle { candidate, target: peer, is_final: false }));
        }
    }

    /// One datagram that arrived on a socket of `peer`, at `arrival` by the kernel's or the caller's clock.
    pub fn handle_datagram(&mut self, peer: Peer, datagram: Datagram<'_>, arrival: Instant) {
        if !self.heard_of_mapping(peer, &datagram, arrival) && !self.heard_on_relay(peer, &datagram, arrival)
        {
            self.drive(peer, arrival, Some(datagram));
        }
    }

    /// Lets time pass: call it when [`Engine::poll_timeout`] is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(reason) = self.deadlines.take_due(now) {
            self.deadline_passed(reason, now);
        }
        self.attend_session(now);
        self.attend_local(now);
        self.ping(now);
        self.fall_back(now);
        self.attend_relays(now);
        for peer in [Peer::Publisher, Peer::Subscriber] {
            self.send_bindings(peer, now);
            let due = match peer {
                Peer::Publisher => self.transports.publisher.as_ref().and_then(Publisher::poll_timeout),
                Peer::Subscriber => self.transports.subscriber.as_ref().and_then(Subscriber::poll_timeout),
            };
            if due.is_some_and(|at| at <= now) {
                self.advance(peer, now);
            }
        }
    }

    /// Lets `peer` do what its last change made necessary.
    pub(in crate::engine) fn advance(&mut self, peer: Peer, now: Instant) {
        self.drive(peer, now, None);
    }

    pub(in crate::engine) fn drive(&mut self, peer: Peer, now: Instant, datagram: Option<Datagram<'_>>) {
        let result = match peer {
            Peer::Publisher => self.drive_publisher(now, datagram),
            Peer::Subscriber => self.drive_subscriber(now, datagram),
        };
        match result {
            Ok(true) => {}
            Ok(false) => return self.out.counters.datagrams_refused += 1,
            Err(Failure(text)) => self.lost(Cause::PeerDead(peer, text), now),
        }
        // Permissions that were asked for with it.
        self.pump_relay(peer, now);
        self.data_arrived(peer, now);
        if peer == Peer::Publisher {
            self.data_moved(now);
        }
    }

    /// Lets the publisher do what a written message made necessary, and no more.
    pub(in crate::engine) fn advance_publisher(&mut self, now: Instant) {
        if let Err(Failure(text)) = self.drive_publisher(now, None) {
            self.lost(Cause::PeerDead(Peer::Publisher, text), now);
        }
    }

    /// `false` if the datagram was refused.
    fn drive_publisher(&mut self, now: Instant, datagram: Option<Datagram<'_>>) -> Result<bool, Failure> {
        let mut happened = Happened::<PublisherEvent>::new();
        let Self { transports: Transports { publisher, relays, .. }, out, data, .. } = self;
        let Some(publisher) = publisher.as_mut() else { return Ok(true) };
        let mut sink = |output| match output {
            Output::Transmit(transmit) => {
                let relay = relays[Peer::Publisher as usize].carrying(transmit.source);
                route(relay, out, Peer::Publisher, transmit, now);
            }
            Output::Event(PublisherEvent::Data(channel, bytes)) => {
                out.counters.data_refused += u64::from(!data.keep(channel, bytes));
            }
            // Feedback that does not fit comes again.
            Output::Event(event) => _ = happened.push(event),
        };
        let result = match datagram {
            Some(datagram) => publisher.receive(datagram, now, &mut sink),
            None => publisher.advance(now, &mut sink).map(|()| true),
        };
        for event in happened {
            match event {
                PublisherEvent::Connected => {
                    self.deadlines.clear(Reason::PublisherConnection);
                    self.peer_connected(Peer::Publisher, now);
                }
                PublisherEvent::PathFound => {
                    self.local.path_changed();
                    self.path_found(Peer::Publisher, now);
                    self.resumed_if_complete(now);
                }
                PublisherEvent::PathLost => self.lost(Cause::PathLost(Peer::Publisher), now),
                PublisherEvent::PathMoved => self.lost(Cause::PathMoved(Peer::Publisher), now),
                PublisherEvent::RoundTrip(round_trip) => {
                    let takes_red = self.transports.publisher.as_ref().is_some_and(Publisher::takes_red);
                    self.local.round_trip(round_trip, takes_red, now);
                }
                PublisherEvent::Closed => self.peer_closed(now),
                PublisherEvent::Feedback { loss_permille } => {
                    let takes_red = self.transports.publisher.as_ref().is_some_and(Publisher::takes_red);
                    self.local.feedback(loss_permille, takes_red);
                }
                // What waits is sent after each drain.
                PublisherEvent::ChannelOpen(_) | PublisherEvent::Data(..) => {}
            }
        }
        result
    }

    /// `false` if the datagram was refused.
    fn drive_subscriber(&mut self, now: Instant, datagram: Option<Datagram<'_>>) -> Result<bool, Failure> {
        let mut happened = Happened::<SubscriberEvent>::new();
        let Self { transports: Transports { subscriber, relays, .. }, out, hearing, data, .. } = self;
        let Some(subscriber) = subscriber.as_mut() else { return Ok(true) };
        let mut sink = |output| match output {
            Output::Transmit(transmit) => {
                let relay = relays[Peer::Subscriber as usize].carrying(transmit.source);
                route(relay, out, Peer::Subscriber, transmit, now);
            }
            Output::Event(SubscriberEvent::Data(channel, bytes)) => {
                out.counters.data_refused += u64::from(!data.keep(channel, bytes));
            }
            Output::Event(event) => _ = happened.push(event),
        };
        let mut unheard = 0;
        let mut packets = |packet: RtpArrival<'_>| {
            unheard += u64::from(!hearing.insert(&packet));
        };
        let result = match datagram {
            Some(datagram) => subscriber.receive(datagram, now, &mut sink, &mut packets),
            None => subscriber.advance(now, &mut sink, &mut packets).map(|()| true),
        };
        let was_all_heard = self.out.counters.packets_unheard == 0;
        self.out.counters.packets_unheard += unheard;
        if was_all_heard && self.out.counters.packets_unheard > 0 {
            self.out.warn(format!(
                "more than {TALKERS_MAX} speak at once: the others are not played, only counted"
            ));
        }
        for event in happened {
            match event {
                SubscriberEvent::Connected => self.peer_connected(Peer::Subscriber, now),
                SubscriberEvent::PathFound => {
                    self.path_found(Peer::Subscriber, now);
                    self.resumed_if_complete(now);
                }
                SubscriberEvent::PathLost => self.lost(Cause::PathLost(Peer::Subscriber), now),
                SubscriberEvent::PathMoved => self.lost(Cause::PathMoved(Peer::Subscriber), now),
                SubscriberEvent::Closed => self.peer_closed(now),
                // Kept above.
                SubscriberEvent::Data(..) => {}
            }
        }
        result
    }

    fn peer_connected(&mut self, peer: Peer, now: Instant) {
        let is_primary = self.transports.is_subscriber_primary == (peer == Peer::Subscriber);
        if is_primary {
            self.session.connected(&self.room, now, &mut self.out);
        }
    }

    /// The server ends both connections when it ends the participant, and mostly says why on the
    /// signal connection; where it does not within the time of a resend, the session is lost.
    fn peer_closed(&mut self, now: Instant) {
        self.session.peer_closed(now);
    }
}

/// From str0m to the network, through a relay where there is one for it.
fn route(relay: Option<&mut Relay>, out: &mut Outbox, peer: Peer, transmit: Transmit, now: Instant) {
    let Some(relay) = relay else { return out.transmit(peer, transmit) };
    relay.send(transmit.destination, transmit.bytes(), now);
    while let Some(wrapped) = relay.poll_transmit() {
        out.transmit(peer, wrapped);
    }
}
