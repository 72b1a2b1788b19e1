//! A peer connection and the halves that it has: [`PeerConnection`].
//!
//! ```text
//!   two connections:  Sending(Publisher)  and  Receiving(Subscriber)
//!   one for both:     one more variant, whose `sending` and `receiving` are both there
//! ```

use std::time::Instant;

use crate::rtc::{Datagram, Failure, Ice, Output, PeerEvent, Publisher, RtpArrival, Subscriber};

/// A peer connection, by its roles.
pub(super) enum PeerConnection {
    /// We offer, and send.
    Sending(Box<Publisher>),
    /// The server offers, and we receive.
    Receiving(Box<Subscriber>),
}

impl PeerConnection {
    /// The half that sends.
    pub(super) fn sending(&self) -> Option<&Publisher> {
        match self {
            PeerConnection::Sending(publisher) => Some(publisher),
            PeerConnection::Receiving(_) => None,
        }
    }

    /// The half that sends, to change it. [`PeerConnection::drain`] must follow.
    pub(super) fn sending_mut(&mut self) -> Option<&mut Publisher> {
        match self {
            PeerConnection::Sending(publisher) => Some(publisher),
            PeerConnection::Receiving(_) => None,
        }
    }

    /// The half that receives.
    pub(super) fn receiving(&self) -> Option<&Subscriber> {
        match self {
            PeerConnection::Sending(_) => None,
            PeerConnection::Receiving(subscriber) => Some(subscriber),
        }
    }

    /// The half that receives, to change it. [`PeerConnection::drain`] must follow.
    pub(super) fn receiving_mut(&mut self) -> Option<&mut Subscriber> {
        match self {
            PeerConnection::Sending(_) => None,
            PeerConnection::Receiving(subscriber) => Some(subscriber),
        }
    }

    /// Addresses, candidates, path.
    pub(super) fn ice(&mut self) -> Ice<'_> {
        match self {
            PeerConnection::Sending(publisher) => publisher.ice(),
            PeerConnection::Receiving(subscriber) => subscriber.ice(),
        }
    }

    /// When [`PeerConnection::drain`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            PeerConnection::Sending(publisher) => publisher.poll_timeout(),
            PeerConnection::Receiving(subscriber) => subscriber.poll_timeout(),
        }
    }

    /// Takes a datagram, or only lets time pass, and takes out what that makes; `false` if the datagram was refused.
    ///
    /// # Errors
    /// The connection is dead.
    pub(super) fn drain(
        &mut self,
        datagram: Option<Datagram<'_>>,
        now: Instant,
        sink: &mut dyn FnMut(Output<PeerEvent>),
        packets: &mut dyn FnMut(RtpArrival<'_>),
    ) -> Result<bool, Failure> {
        match (self, datagram) {
            (PeerConnection::Sending(publisher), Some(datagram)) => publisher.receive(datagram, now, sink),
            (PeerConnection::Sending(publisher), None) => publisher.advance(now, sink).map(|()| true),
            (PeerConnection::Receiving(subscriber), Some(datagram)) => {
                subscriber.receive(datagram, now, sink, packets)
            }
            (PeerConnection::Receiving(subscriber), None) => {
                subscriber.advance(now, sink, packets).map(|()| true)
            }
        }
    }
}
