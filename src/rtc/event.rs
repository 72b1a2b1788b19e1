//! What happens on a peer connection: [`PeerEvent`].

use std::time::Duration;

use super::channels::Channel;
use super::path::PathChange;

/// An event of a publisher or a subscriber.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerEvent {
    /// ICE and DTLS are up: packets can be sent and received.
    Connected,
    /// ICE has a path: the first, or again.
    PathFound,
    /// ICE lost its path after it had one.
    PathLost,
    /// A NAT has assigned another address to us, and the server sends to the old one.
    PathMoved,
    /// Publisher: a check on the path took this long, to the server and back.
    RoundTrip(Duration),
    /// The server closed the connection; the signal connection carries the reason.
    Closed,
    /// Publisher: what the receiver reports of our microphone.
    Feedback {
        /// Lost packets, in thousandths.
        loss_permille: u32,
    },
    /// Publisher: a data channel is open.
    ChannelOpen(Channel),
    /// One message of a data channel.
    Data(Channel, Vec<u8>),
}

impl From<PathChange> for PeerEvent {
    fn from(change: PathChange) -> Self {
        match change {
            PathChange::Found => PeerEvent::PathFound,
            PathChange::Lost => PeerEvent::PathLost,
            PathChange::Moved => PeerEvent::PathMoved,
        }
    }
}
