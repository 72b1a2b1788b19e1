//! What the server has seen, for stories to look at.

use std::collections::BTreeMap;
use std::time::Instant;

/// Everything counted since the server began.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Sessions that began.
    pub joins: u32,
    /// `reconnect_reason` of each upgrade that asked for a resume.
    pub reasons: Vec<u32>,
    /// Datagrams that reached a port of the server.
    pub datagrams: u64,
    /// Sessions that were resumed.
    pub resumes: u32,
    /// Subscriptions to video that clients asked for, by track SID. An audio client has none.
    pub video_subscriptions: Vec<String>,
    /// Signal messages that could not be read, and requests that the server refused.
    pub complaints: Vec<String>,
    /// Who may hear somebody, as it was said: everybody, or these identities.
    pub audiences: Vec<(bool, Vec<String>)>,
    /// What was received of each track, by SID; tracks that have ended stay.
    pub tracks: BTreeMap<String, TrackLog>,
}

/// What was received of one track.
#[derive(Debug, Clone, Default)]
pub struct TrackLog {
    /// Identity of the publisher.
    pub identity: String,
    /// Every packet, in order of arrival.
    pub packets: Vec<Arrival>,
}

/// One packet of a publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When it arrived at the server.
    pub at: Instant,
    /// Extended sequence number.
    pub sequence: u64,
    /// RTP timestamp.
    pub timestamp: u32,
    /// Payload type.
    pub payload_type: u8,
    /// Payload bytes.
    pub length: usize,
    /// Level of RFC 6464, −127 to 0 dBov, where the packet has one.
    pub level: Option<i8>,
    /// The marker bit.
    pub marker: bool,
}

impl Log {
    /// What was received of the newest track of this identity that sent anything.
    pub fn track_of(&self, identity: &str) -> Option<&TrackLog> {
        let sent = self.tracks.values().filter(|track| track.identity == identity);
        sent.max_by_key(|track| track.packets.last().map(|packet| packet.at))
    }
}

impl TrackLog {
    /// Packets that never came, between the lowest and the highest sequence number.
    pub fn lost(&self) -> u64 {
        let mut sequences: Vec<u64> = self.packets.iter().map(|packet| packet.sequence).collect();
        sequences.sort_unstable();
        sequences.dedup();
        match (sequences.first(), sequences.last()) {
            (Some(first), Some(last)) => last - first + 1 - sequences.len() as u64,
            _ => 0,
        }
    }
}
