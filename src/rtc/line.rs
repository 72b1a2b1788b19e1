//! A line of the publisher: the m-line of one of our tracks, and the numbers of its packets.
//!
//! A track that ends leaves its line behind, silent, for the next one of its kind: the server reads the names of
//! tracks (`a=msid`) from a line that is new only, so each kind keeps its name.

use std::sync::Arc;
use std::time::Instant;

use str0m::Rtc;
use str0m::change::SdpApi;
use str0m::media::{Direction, MediaKind, Mid, Pt};
use str0m::rtp::{ExtensionValues, RtpWrite, SeqNo};

/// Kinds of tracks that we publish, at most one of each at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// What a microphone hears.
    Microphone,
    /// A recording that is played to the room.
    Announcement,
}

impl Line {
    /// Every kind of track that we publish.
    pub const ALL: [Line; 2] = [Line::Microphone, Line::Announcement];
}

/// One Opus packet to send.
#[derive(Debug, Clone, Copy)]
pub struct OutgoingPacket<'a> {
    /// Samples captured before its first sample, at 48 kHz; wraps into the RTP timestamp.
    pub sample_time: u64,
    /// First packet after silence (RFC 3551 §4.1): the marker bit.
    pub starts_talkspurt: bool,
    /// Level in dB below full scale, 0 to 127 (RFC 6464).
    pub minus_dbov: u8,
    /// Whether it holds voice (RFC 6464).
    pub voice: bool,
    /// Whether the payload is RED (RFC 2198), where [`Publisher::takes_red`](super::Publisher::takes_red).
    pub is_red: bool,
    /// The Opus packet, or the RED packet of several.
    pub payload: &'a [u8],
}

/// One line, used or not.
pub(super) struct TrackLine {
    mid: Option<Mid>,
    /// A track is on it, as we have offered last.
    is_sending: bool,
    next_sequence: u64,
    rtp_offset: u32,
}

impl TrackLine {
    /// A line that is not there yet. `random` gives sequence number and timestamp their start (RFC 3550 §5.1).
    pub(super) fn new(random: &mut fastrand::Rng) -> TrackLine {
        TrackLine {
            mid: None,
            is_sending: false,
            // The lower half, so that the rollover counter of SRTP starts at 0 (RFC 3711 §3.3.1).
            next_sequence: u64::from(random.u16(..0x8000)),
            rtp_offset: random.u32(..),
        }
    }

    /// Whether it is this line.
    pub(super) fn is(&self, mid: Mid) -> bool {
        self.mid == Some(mid)
    }

    /// Adds to an offer what makes the track named `cid` begin, or the one on the line end.
    pub(super) fn change(&mut self, cid: Option<&str>, changes: &mut SdpApi<'_>) {
        match (cid, self.mid) {
            (Some(cid), None) => {
                let (stream, track) = (Some("kinglet".to_owned()), Some(cid.to_owned()));
                self.mid =
                    Some(changes.add_media(MediaKind::Audio, Direction::SendOnly, stream, track, None));
                self.is_sending = true;
            }
            (wanted, Some(mid)) if wanted.is_some() != self.is_sending => {
                self.is_sending = wanted.is_some();
                let direction = if self.is_sending { Direction::SendOnly } else { Direction::Inactive };
                changes.set_direction(mid, direction);
            }
            (None, None) | (_, Some(_)) => {}
        }
    }

    /// Sends one packet; `false` if the line is not there. Each gets the next sequence number, so what is not sent
    /// leaves no hole.
    pub(super) fn send(
        &mut self,
        rtc: &mut Rtc,
        packet: OutgoingPacket<'_>,
        payload_type: Pt,
        now: Instant,
    ) -> bool {
        let Some(mid) = self.mid else { return false };
        let time = self.rtp_offset.wrapping_add(packet.sample_time as u32);
        let sequence = SeqNo::from(self.next_sequence);
        // The one allocation per sent packet: str0m keeps the payload behind an `Arc`.
        let payload: Arc<[u8]> = Arc::from(packet.payload);
        let extensions = ExtensionValues {
            // 127 is the quietest level of the header; str0m counts upwards to 0.
            audio_level: Some(-(packet.minus_dbov.min(127) as i8)),
            voice_activity: Some(packet.voice),
            ..ExtensionValues::default()
        };
        let mut api = rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(mid, None) else { return false };
        let write = RtpWrite::new(payload_type, sequence, time, now, payload);
        stream.write_rtp(write.marker(packet.starts_talkspurt).ext_vals(extensions));
        self.next_sequence += 1;
        true
    }
}
