//! One published track on its way to one subscriber: the same packets under another SSRC.
//!
//! The numbers start where the publisher's stand (real server, seen) and stay contiguous. A mute puts one second of silence
//! into the stream (`f8 ff fe`, 50 packets a second, `sfu/downtrack.go`), and what comes after the mute follows on.
//! A packet of another codec than the track began with is not forwarded (real server, seen: a track of RED that goes over
//! to plain Opus is silent).
//! A subscriber that took no RED gets the primary block only; the real server would also rebuild lost packets from the
//! redundant blocks, which is not modelled.

use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::media::Pt;
use str0m::rtp::{RtpPacket, RtpWrite, SeqNo};

/// Opus, in the server's offers.
pub const OPUS: u8 = 111;
/// RED (RFC 2198), in the server's offers.
pub const RED: u8 = 63;

/// Silence after a mute: `RTPBlankFramesMuteSeconds` at 50 packets a second.
const SILENT_PACKETS: u32 = 50;
const SILENT_PERIOD: Duration = Duration::from_millis(20);
/// 20 ms at 48 kHz.
const SILENT_TICKS: u32 = 960;
/// A 20 ms Opus packet of silence, as the server writes it.
const SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];

/// A track as one subscriber gets it.
#[derive(Debug)]
pub struct DownTrack {
    /// SID of the track.
    pub track: String,
    /// SID of its publisher.
    pub publisher: String,
    /// The line is negotiated: packets may flow.
    pub bound: bool,
    /// The subscriber took RED on this line.
    pub takes_red: bool,
    /// The subscriber asked for a pause (`UpdateTrackSettings.disabled`).
    pub disabled: bool,
    /// Packets sent to the subscriber, silence included.
    pub sent: u64,
    /// Payload type of the publisher's first packet.
    codec: Option<u8>,
    last: Option<Last>,
    shift: Option<Shift>,
    silence: Option<(u32, Instant)>,
}

/// The newest packet that was sent.
#[derive(Debug, Clone, Copy)]
struct Last {
    sequence: u64,
    timestamp: u32,
}

/// What is added to the publisher's numbers.
#[derive(Debug, Clone, Copy)]
struct Shift {
    sequence: u64,
    timestamp: u32,
}

impl DownTrack {
    /// A track that nobody has negotiated yet.
    pub fn new(track: String, publisher: String) -> DownTrack {
        DownTrack {
            track,
            publisher,
            bound: false,
            takes_red: false,
            disabled: false,
            sent: 0,
            codec: None,
            last: None,
            shift: None,
            silence: None,
        }
    }

    /// What the subscriber gets for a packet of the publisher.
    pub fn forward(&mut self, packet: &RtpPacket, now: Instant) -> Option<RtpWrite> {
        let payload_type = *packet.header.payload_type;
        let is_of_codec = *self.codec.get_or_insert(payload_type) == payload_type;
        if !self.bound || self.disabled || !is_of_codec {
            return None;
        }
        self.silence = None;
        let is_red = *packet.header.payload_type == RED;
        let payload =
            if is_red && !self.takes_red { primary(&packet.payload)?.into() } else { packet.payload.clone() };
        let payload_type = if is_red && !self.takes_red { OPUS } else { *packet.header.payload_type };
        let (sequence, timestamp) = (*packet.seq_no, packet.header.timestamp);
        let shift = *self.shift.get_or_insert_with(|| Shift::following(self.last, sequence, timestamp));
        let out = Last {
            sequence: sequence.wrapping_add(shift.sequence),
            timestamp: timestamp.wrapping_add(shift.timestamp),
        };
        Some(self.write(out, payload_type, payload, now).marker(packet.header.marker))
    }

    /// The publisher muted: silence follows, then nothing.
    pub fn mute(&mut self, now: Instant) {
        if self.bound && self.last.is_some() {
            self.silence = Some((SILENT_PACKETS, now + SILENT_PERIOD));
        }
    }

    /// When the next packet of silence is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.silence.map(|(_, due)| due)
    }

    /// A packet of silence, if one is due.
    pub fn silence(&mut self, now: Instant) -> Option<RtpWrite> {
        let (left, due) = self.silence.filter(|(_, due)| *due <= now)?;
        let last = self.last?;
        self.silence = (left > 1).then(|| (left - 1, due + SILENT_PERIOD));
        self.shift = None;
        let out = Last { sequence: last.sequence + 1, timestamp: last.timestamp.wrapping_add(SILENT_TICKS) };
        Some(self.write(out, OPUS, Arc::from(SILENCE), now))
    }

    fn write(&mut self, out: Last, payload_type: u8, payload: Arc<[u8]>, now: Instant) -> RtpWrite {
        if self.last.is_none_or(|last| out.sequence > last.sequence) {
            self.last = Some(out);
        }
        self.sent += 1;
        RtpWrite::new(Pt::from(payload_type), SeqNo::from(out.sequence), out.timestamp, now, payload)
    }
}

impl Shift {
    /// Makes (`sequence`, `timestamp`) of the publisher follow on `last`, or stand as it is where nothing was sent. The
    /// roll-over counter is not signalled (RFC 3711 §3.3.1), so a stream that starts late starts in its first cycle.
    fn following(last: Option<Last>, sequence: u64, timestamp: u32) -> Shift {
        let Some(last) = last else {
            return Shift { sequence: (sequence & 0xffff).wrapping_sub(sequence), timestamp: 0 };
        };
        // The publisher's clock normally ran on during the silence; where it stood still, the silence took the time.
        let ahead = timestamp.wrapping_sub(last.timestamp);
        let goes_on = ahead != 0 && ahead < 1 << 31;
        let earliest = last.timestamp.wrapping_add(SILENT_TICKS);
        Shift {
            sequence: (last.sequence + 1).wrapping_sub(sequence),
            timestamp: if goes_on { 0 } else { earliest.wrapping_sub(timestamp) },
        }
    }
}

/// The primary block of a RED payload (RFC 2198 §3).
pub fn primary(payload: &[u8]) -> Option<&[u8]> {
    let (mut headers, mut redundant) = (0, 0);
    loop {
        let header = payload.get(headers..)?;
        match header {
            [first, ..] if first & 0x80 == 0 => return payload.get(headers + 1 + redundant..),
            [_, _, third, fourth, ..] => {
                redundant += (usize::from(third & 0b11) << 8) | usize::from(*fourth);
                headers += 4;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_primary_block_is_the_last_one() {
        let red = [0x80 | 111, 0x0f, 0x00, 2, 111, b'o', b'l', b'n', b'e', b'w'];
        assert_eq!(primary(&red), Some(&b"new"[..]));
        assert_eq!(primary(&[111, b'n']), Some(&b"n"[..]));
        assert_eq!(primary(&[0x80 | 111, 0]), None);
    }

    #[test]
    fn numbers_start_as_the_publisher_s_and_follow_on_the_silence() {
        let first = Shift::following(None, 70_000, 5);
        assert_eq!(70_000_u64.wrapping_add(first.sequence), 70_000 - 65_536);
        let last = Some(Last { sequence: 10, timestamp: 9600 });
        let later = Shift::following(last, 500, 48_000);
        assert_eq!((500_u64.wrapping_add(later.sequence), later.timestamp), (11, 0));
        let stood_still = Shift::following(last, 500, 960);
        assert_eq!(960_u32.wrapping_add(stood_still.timestamp), 10_560);
    }
}
