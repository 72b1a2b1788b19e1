//! When UDP does not get through: datagrams over a TCP connection (ICE-TCP, RFC 6544).
//!
//! ```text
//!   ICE begins ──► UDP has 2 s (1 s in a restart) ──► dial the server's first TCP address ──► the next each 3 s, round and round
//!       │          (none if the server names TCP addresses only)                                  │
//!       └───────────────────────── a path is found ◄──────────────────────────────────────────────┘
//!   a restart of a connection that was up: 5 s without a path ──► the path is lost
//! ```
//!
//! Each peer connection has one TCP connection at most. The server closes it at an ICE restart, so each
//! restart begins from the top.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::engine::port::{Action, StreamNotice};
use crate::rtc::{Ice, IceTcpStream, Peer, Protocol, Publisher, Subscriber};
use crate::session::cause::Cause;

/// What UDP is given. The server waits 1 s before it nominates an address that it was not told of (behind
/// a NAT), and decides at ticks of 200 ms; with the round trips of a slow line that is below 2 s.
const UDP_PATIENCE: Duration = Duration::from_secs(2);

/// The same in an ICE restart, which has 4 s in a resume: three checks, at 0, 0.25 and 0.75 s.
const UDP_PATIENCE_RESTART: Duration = Duration::from_secs(1);

/// What one TCP address is given: a SYN and its repetition after 1 s, and the server's wait of 1 s.
const STREAM_PATIENCE: Duration = Duration::from_secs(3);

/// Before a TCP connection that the server ended is made again: it may be ending them all.
const STREAM_PAUSE: Duration = Duration::from_millis(300);

/// What a restart is given: UDP's patience and one TCP address's. A restart that cannot succeed (the server
/// takes TCP only) shows by nothing else for 15 s (seen at server 1.13.5).
const RESTART_PATIENCE: Duration = Duration::from_secs(5);

/// How it stands with one peer connection.
#[derive(Debug, Default)]
pub(in crate::engine) struct Fallback {
    /// There is no path yet: when the next TCP address is tried.
    try_at: Option<Instant>,
    /// There is no path again: when it counts as lost.
    lost_at: Option<Instant>,
    /// TCP addresses tried since ICE began.
    tried: usize,
    /// The connection that is being made.
    dialled: Option<SocketAddr>,
    /// The connection that is there.
    stream: Option<IceTcpStream>,
}

impl Engine {
    /// What happened to a TCP connection that was asked for by [`Action::DialStream`].
    pub fn handle_stream(&mut self, notice: StreamNotice, now: Instant) {
        match notice {
            StreamNotice::Opened { protocol: Protocol::Turn, .. }
            | StreamNotice::Closed { protocol: Protocol::Turn, .. } => {
                self.relay_stream_changed(notice, now);
            }
            StreamNotice::Opened { peer, local, .. } => {
                let fallback = &mut self.transports.fallbacks[peer as usize];
                let Some(remote) = fallback.dialled.take() else { return };
                let stream = IceTcpStream { local, remote };
                fallback.stream = Some(stream);
                if let Some(mut ice) = self.ice(peer) {
                    ice.stream_opened(stream);
                }
            }
            StreamNotice::Closed { peer, .. } => {
                let had_stream = self.forget_stream(peer);
                let fallback = &mut self.transports.fallbacks[peer as usize];
                if fallback.try_at.is_some() || had_stream {
                    fallback.try_at = Some(now + STREAM_PAUSE);
                }
            }
        }
        self.advance(peer_of(notice), now);
    }

    /// The server's credentials are new: ICE begins, or begins anew.
    pub(in crate::engine) fn ice_begins(&mut self, peer: Peer, now: Instant) {
        if self.forget_stream(peer) || self.transports.fallbacks[peer as usize].dialled.is_some() {
            self.out.act(Action::CloseStream(peer, Protocol::Tcp));
        }
        let was_connected = self.ice(peer).is_some_and(|ice| ice.is_connected());
        self.transports.fallbacks[peer as usize] = Fallback {
            try_at: Some(now + if was_connected { UDP_PATIENCE_RESTART } else { UDP_PATIENCE }),
            lost_at: was_connected.then_some(now + RESTART_PATIENCE),
            ..Fallback::default()
        };
        self.relay_begins(peer, was_connected, now);
    }

    /// The server has named the last of its addresses: where none is for UDP, nothing is waited for.
    pub(in crate::engine) fn addresses_are_known(&mut self, peer: Peer, now: Instant) {
        let takes_tcp_only =
            self.ice(peer).is_some_and(|ice| !ice.has_udp() && ice.stream_addresses().next().is_some());
        let fallback = &mut self.transports.fallbacks[peer as usize];
        if takes_tcp_only && fallback.try_at.is_some() && fallback.dialled.is_none() {
            fallback.try_at = Some(now);
        }
    }

    /// ICE has a path. A connection that is still being made is not needed any more.
    pub(in crate::engine) fn path_found(&mut self, peer: Peer, now: Instant) {
        self.forget_bindings(peer);
        self.relay_not_needed(peer, now);
        let fallback = &mut self.transports.fallbacks[peer as usize];
        (fallback.try_at, fallback.lost_at) = (None, None);
        if fallback.dialled.take().is_some() {
            self.out.act(Action::CloseStream(peer, Protocol::Tcp));
        }
    }

    pub(in crate::engine) fn fallback_timeout(&self) -> Option<Instant> {
        self.transports
            .fallbacks
            .iter()
            .flat_map(|fallback| [fallback.try_at, fallback.lost_at])
            .flatten()
            .min()
    }

    /// Does what is due.
    pub(in crate::engine) fn fall_back(&mut self, now: Instant) {
        for peer in [Peer::Publisher, Peer::Subscriber] {
            let is_due = |at: &mut Instant| *at <= now;
            let fallback = &mut self.transports.fallbacks[peer as usize];
            if fallback.lost_at.take_if(is_due).is_some() {
                self.lost(Cause::PathLost(peer), now);
            }
            if self.transports.fallbacks[peer as usize].try_at.take_if(is_due).is_some() {
                self.dial_stream(peer, now);
            }
        }
    }

    /// Whether the server takes TCP connections for both peer connections that there are.
    pub(in crate::engine) fn can_use_tcp(&mut self) -> bool {
        [Peer::Publisher, Peer::Subscriber]
            .into_iter()
            .all(|peer| self.ice(peer).is_none_or(|ice| ice.stream_addresses().next().is_some()))
    }

    /// The ICE side of a peer connection, where there is one.
    pub(in crate::engine) fn ice(&mut self, peer: Peer) -> Option<Ice<'_>> {
        match peer {
            Peer::Publisher => self.transports.publisher.as_mut().map(Publisher::ice),
            Peer::Subscriber => self.transports.subscriber.as_mut().map(Subscriber::ice),
        }
    }

    fn dial_stream(&mut self, peer: Peer, now: Instant) {
        if self.transports.is_relay_only {
            return;
        }
        self.forget_stream(peer);
        let tried = self.transports.fallbacks[peer as usize].tried;
        let Some(ice) = self.ice(peer) else { return };
        // Round and round: what gives up is the join, or the resume.
        let count = ice.stream_addresses().count().max(1);
        let address = ice.stream_addresses().nth(tried % count);
        let fallback = &mut self.transports.fallbacks[peer as usize];
        // They may still be on their way.
        fallback.try_at = Some(now + STREAM_PATIENCE);
        fallback.dialled = address;
        if let Some(address) = address {
            fallback.tried += 1;
            self.out.act(Action::DialStream(peer, address));
        }
    }

    fn forget_stream(&mut self, peer: Peer) -> bool {
        let fallback = &mut self.transports.fallbacks[peer as usize];
        fallback.dialled = None;
        let Some(stream) = fallback.stream.take() else { return false };
        if let Some(mut ice) = self.ice(peer) {
            ice.stream_closed(stream);
        }
        true
    }
}

fn peer_of(notice: StreamNotice) -> Peer {
    match notice {
        StreamNotice::Opened { peer, .. } | StreamNotice::Closed { peer, .. } => peer,
    }
}
