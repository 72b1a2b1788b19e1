//! What was lost or left out: [`Counters`].

use crate::signal::truncated::Truncated;

/// What was lost or left out, since the start. Full buffers are normal; each is counted here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Events that the application did not take in time.
    pub events_lost: u64,
    /// Datagrams dropped before they were sent.
    pub transmits_lost: u64,
    /// Datagrams of senders that ICE has not validated: they do not reach a peer connection.
    pub datagrams_refused: u64,
    /// Actions that the io ring did not take in time.
    pub actions_lost: u64,
    /// Messages of the server that could not be decoded.
    pub messages_refused: u64,
    /// What was left out of messages because it was past a limit.
    pub truncated: Truncated,
    /// Candidates of the server that could not be used.
    pub candidates_refused: u64,
    /// RTP packets of tracks that were not announced, in ended sessions.
    pub packets_unknown: u64,
    /// RTP packets of talkers beyond those that can be mixed.
    pub packets_unheard: u64,
    /// Data packets that could not be read, or were too many at once.
    pub data_refused: u64,
    /// Data packets that came a second time.
    pub data_repeated: u64,
    /// Lossy messages of ours that did not fit.
    pub data_lost: u64,
    /// Streams of others for which there was no place.
    pub streams_refused: u64,
    /// Packets from the way into the room that were dropped: too many, or without a subscriber.
    pub early_lost: u64,
}
