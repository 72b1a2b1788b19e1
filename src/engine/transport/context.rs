//! What goes in and out at one call of the transports: [`TransportContext`] in, [`TransportEvent`] out.

use std::time::{Duration, Instant};

use crate::engine::outbox::Outbox;
use crate::rtc::{Channel, Peer, RtpArrival};
use crate::signal::description::Trickle;
use crate::signal::request::Request;

/// Events of one call. A drain makes at most a few (connected, path, feedback), and a call drains each connection
/// a few times at most.
const EVENTS_PER_CALL: usize = 16;

/// Something that happened on a peer connection, for the other parts.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) enum TransportEvent {
    /// ICE and DTLS are up.
    Connected,
    /// ICE has a path: the first, or again.
    PathFound,
    /// The path is lost, or was not found again in time.
    PathLost,
    /// A NAT has assigned another address to us, and the server sends to the old one.
    PathMoved,
    /// A check on the path of our packets took this long, to the server and back.
    RoundTrip(Duration),
    /// The receiver's report about our microphone.
    Feedback {
        /// Lost packets, in thousandths.
        loss_permille: u32,
    },
    /// The server closed the connection.
    Closed,
    /// The connection is dead, and why.
    Failed(String),
    /// The connection has been driven: messages may have arrived, and there may be room for others.
    Driven,
}

/// What one call gives to the transports, and where they put what comes out.
pub(in crate::engine) struct TransportContext<'c> {
    pub now: Instant,
    /// The signal connection is up: candidates can be trickled.
    pub has_signal: bool,
    pub out: &'c mut Outbox,
    /// Takes each RTP packet.
    pub packets: &'c mut dyn FnMut(RtpArrival<'_>),
    /// Takes each message of a data channel.
    pub messages: &'c mut dyn FnMut(Peer, Channel, Vec<u8>),
    /// What happened, in order.
    pub events: TransportEvents,
}

/// The events of one call.
pub(in crate::engine) type TransportEvents = heapless::Vec<(Peer, TransportEvent), EVENTS_PER_CALL>;

impl TransportContext<'_> {
    /// Adds an event.
    pub(super) fn report(&mut self, peer: Peer, event: TransportEvent) {
        // Feedback and round trips that do not fit come again.
        let _ = self.events.push((peer, event));
    }

    /// Sends a new candidate to the server. Without the signal connection the descriptions of the restart carry it.
    pub(super) fn trickle(&mut self, peer: Peer, candidate: Option<String>) {
        if let Some(candidate) = candidate.filter(|_| self.has_signal) {
            self.out.request(&Request::Trickle(Trickle { candidate, target: peer, is_final: false }));
        }
    }
}
