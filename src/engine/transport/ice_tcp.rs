//! Datagrams over a TCP connection (ICE-TCP, RFC 6544), if UDP is blocked: [`IceTcp`].
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

use crate::engine::outbox::Outbox;
use crate::engine::port::Action;
use crate::rtc::{Ice, IceTcpStream, Peer, Protocol};

/// Time for UDP. The server waits 1 s before it nominates an address that it does not know (behind a NAT), and decides
/// at ticks of 200 ms; with the round trips of a slow line that is below 2 s.
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

/// The TCP connection of one peer connection, made, being made, or due.
#[derive(Debug, Default)]
pub(super) struct IceTcp {
    /// Without a path: when the next TCP address is tried.
    try_at: Option<Instant>,
    /// After the path was lost: when that counts as final.
    lost_at: Option<Instant>,
    /// TCP addresses tried since ICE began.
    tried: usize,
    /// The connection that is being made.
    dialled: Option<SocketAddr>,
    /// The connection that is there.
    stream: Option<IceTcpStream>,
}

impl IceTcp {
    /// The server's credentials are new: ICE starts, or restarts.
    pub(super) fn begin(&mut self, peer: Peer, ice: &mut Ice<'_>, now: Instant, out: &mut Outbox) {
        let is_dialling = self.dialled.is_some();
        if self.forget_stream(ice) || is_dialling {
            out.act(Action::CloseStream(peer, Protocol::Tcp));
        }
        let was_connected = ice.is_connected();
        *self = IceTcp {
            try_at: Some(now + if was_connected { UDP_PATIENCE_RESTART } else { UDP_PATIENCE }),
            lost_at: was_connected.then_some(now + RESTART_PATIENCE),
            ..IceTcp::default()
        };
    }

    /// The connection that was asked for is there; `false` if none was.
    pub(super) fn opened(&mut self, local: SocketAddr, ice: &mut Ice<'_>) -> bool {
        let Some(remote) = self.dialled.take() else { return false };
        let stream = IceTcpStream { local, remote };
        self.stream = Some(stream);
        ice.stream_opened(stream);
        true
    }

    /// The connection has ended, or could not be made.
    pub(super) fn closed(&mut self, ice: &mut Ice<'_>, now: Instant) {
        let had_stream = self.forget_stream(ice);
        if self.try_at.is_some() || had_stream {
            self.try_at = Some(now + STREAM_PAUSE);
        }
    }

    /// The server has named the last of its addresses: where none is for UDP, nothing is waited for.
    pub(super) fn addresses_known(&mut self, ice: &Ice<'_>, now: Instant) {
        let takes_tcp_only = !ice.has_udp() && ice.stream_addresses().next().is_some();
        if takes_tcp_only && self.try_at.is_some() && self.dialled.is_none() {
            self.try_at = Some(now);
        }
    }

    /// ICE has a path. A connection that is still being made is not needed any more.
    pub(super) fn path_found(&mut self, peer: Peer, out: &mut Outbox) {
        (self.try_at, self.lost_at) = (None, None);
        if self.dialled.take().is_some() {
            out.act(Action::CloseStream(peer, Protocol::Tcp));
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        [self.try_at, self.lost_at].into_iter().flatten().min()
    }

    /// Whether the next TCP address is due: [`IceTcp::dial`] follows, where other paths than relays are allowed.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        self.try_at.take_if(|at| *at <= now).is_some()
    }

    /// Whether the path counts as lost now.
    pub(super) fn take_lost(&mut self, now: Instant) -> bool {
        self.lost_at.take_if(|at| *at <= now).is_some()
    }

    /// Tries the next TCP address.
    pub(super) fn dial(&mut self, peer: Peer, ice: &mut Ice<'_>, now: Instant, out: &mut Outbox) {
        self.forget_stream(ice);
        // Round and round: what gives up is the join, or the resume.
        let count = ice.stream_addresses().count().max(1);
        let address = ice.stream_addresses().nth(self.tried % count);
        // They may still be on their way.
        self.try_at = Some(now + STREAM_PATIENCE);
        self.dialled = address;
        if let Some(address) = address {
            self.tried += 1;
            out.act(Action::DialStream(peer, address));
        }
    }

    fn forget_stream(&mut self, ice: &mut Ice<'_>) -> bool {
        self.dialled = None;
        let Some(stream) = self.stream.take() else { return false };
        ice.stream_closed(stream);
        true
    }
}
