//! How the peer connections stand: what other parts ask of [`Transports`].

use std::time::Duration;

use super::Transports;
use crate::rtc::{Peer, Publisher, Subscriber};
use crate::signal::sid::Sid;

impl Transports {
    /// The connection that the server makes first, and writes on.
    pub(in crate::engine) fn primary(&self) -> Peer {
        self.primary
    }

    /// Whether our packets and messages can be sent.
    pub(in crate::engine) fn is_connected(&self) -> bool {
        self.sending().is_some_and(Publisher::is_connected)
    }

    /// Whether the server takes packets that carry earlier ones again.
    pub(in crate::engine) fn takes_red(&self) -> bool {
        self.sending().is_some_and(Publisher::takes_red)
    }

    /// Whether we have sent an offer.
    pub(in crate::engine) fn was_offered(&self) -> bool {
        self.sending().is_some_and(Publisher::was_offered)
    }

    /// Whether an offer is needed; `is_wanted` is whether there is or was something to send. A connection without use is
    /// not offered: if the subscriber is primary, and we only listen and send no messages.
    pub(in crate::engine) fn needs_offer(&self, is_wanted: bool) -> bool {
        is_wanted || self.primary == Peer::Publisher || self.was_offered()
    }

    /// Whether our offer waits for its answer.
    pub(in crate::engine) fn awaits_answer(&self) -> bool {
        self.sending().is_some_and(Publisher::awaits_answer)
    }

    /// Whether the connection that we offered has not come up yet.
    pub(in crate::engine) fn awaits_connection(&self) -> bool {
        self.transports().any(|transport| transport.awaits_connection())
    }

    /// Whether sound can flow, on every peer connection that is in use.
    pub(in crate::engine) fn has_paths(&self) -> bool {
        let is_unused = |publisher: &Publisher| !publisher.was_offered();
        self.receiving().is_none_or(Subscriber::has_path)
            && self.sending().is_none_or(|publisher| is_unused(publisher) || publisher.has_path())
    }

    /// Whether the server takes TCP connections for every peer connection that there is.
    pub(in crate::engine) fn can_use_tcp(&mut self) -> bool {
        self.transports_mut().all(|transport| transport.ice().stream_addresses().next().is_some())
    }

    /// Whether our address that reached the server is gone.
    pub(in crate::engine) fn is_home_gone(&self) -> bool {
        self.addresses.is_home_gone()
    }

    /// What a check takes on the path of our packets, or else of those that we receive, to the server and back.
    pub(in crate::engine) fn round_trip(&self) -> Option<Duration> {
        let sending = self.sending().and_then(Publisher::round_trip);
        sending.or_else(|| self.receiving().and_then(Subscriber::round_trip))
    }

    /// Bytes given to the reliable channel that have not arrived yet; `None` if it is not open.
    pub(in crate::engine) fn buffered_bytes(&mut self) -> Option<usize> {
        self.sending_mut().and_then(Publisher::buffered_bytes)
    }

    /// Bytes given to the lossy channel that have not arrived yet.
    pub(in crate::engine) fn buffered_lossy_bytes(&mut self) -> usize {
        self.sending_mut().map_or(0, Publisher::buffered_lossy_bytes)
    }

    /// Tracks that the last offer of the server carries.
    pub(in crate::engine) fn tracks(&self) -> impl Iterator<Item = Sid> {
        self.receiving().into_iter().flat_map(Subscriber::tracks)
    }

    /// The last offer of the server and our answer to it; empty before the first.
    pub(in crate::engine) fn last_exchange(&self) -> (&str, &str) {
        self.receiving().map(Subscriber::last_exchange).unwrap_or_default()
    }
}
