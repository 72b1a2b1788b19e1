//! Datagrams on a TCP connection: two bytes of length, then the datagram (RFC 4571); or TURN messages, which hold their
//! own length (RFC 8656 §12.5).
//!
//! ```text
//!   read ─► [ fixed buffer ] ─ Deframer::take ─► datagram, datagram, …      one read may hold several
//!   datagram ─ FrameQueue::push ─► [ fixed queue ] ─► write                 full: the datagram is lost
//! ```
//!
//! Lengths come from outside. A frame that is longer than any datagram of ours is skipped as its bytes come, and
//! counted; nothing is ever allocated for it. A frame that does not fit into the queue is lost, as on any network:
//! sound that waits behind a stuck connection is useless.

use crate::limits::{DATAGRAM_BYTES_MAX, STREAM_QUEUE_BYTES};

const LENGTH_BYTES: usize = 2;

/// Two of the longest frames: a read is rarely cut short by what the last one left.
const BUFFER_BYTES: usize = 2 * (LENGTH_BYTES + DATAGRAM_BYTES_MAX);

/// TURN pads the data of a channel on a stream to this.
const TURN_ALIGNMENT: usize = 4;

/// How datagrams are delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// RFC 4571: each datagram follows its length, two bytes.
    #[default]
    Lengths,
    /// RFC 8656: a STUN message has 20 bytes and the length in its header, channel data 4, the length in its header,
    /// and padding.
    Turn,
}

/// Where a datagram is in its frame.
struct Frame {
    start: usize,
    len: usize,
    /// Bytes of the frame.
    total: usize,
}

impl Framing {
    /// `None` while there are too few bytes.
    fn frame_of(self, bytes: &[u8]) -> Option<Frame> {
        if self == Framing::Lengths {
            let [high, low, ..] = bytes else { return None };
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            return Some(Frame { start: LENGTH_BYTES, len, total: LENGTH_BYTES + len });
        }
        let [kind, _, high, low, ..] = bytes else { return None };
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        // RFC 8656 §12: the first byte distinguishes them.
        Some(match kind {
            0..=3 => Frame { start: 0, len: 20 + len, total: 20 + len },
            64..=79 => Frame { start: 0, len: 4 + len, total: (4 + len).next_multiple_of(TURN_ALIGNMENT) },
            // The following frames cannot be found any more.
            _ => Frame { start: 0, len: usize::MAX, total: usize::MAX },
        })
    }

    /// Whether a whole frame carries RTP or RTCP (RFC 7983 §7).
    fn is_sound(self, frame: &[u8]) -> bool {
        let first = match self {
            Framing::Lengths => frame.get(LENGTH_BYTES),
            // The data of a channel; the media path is always bound to one.
            Framing::Turn if matches!(frame.first(), Some(64..=79)) => frame.get(4),
            Framing::Turn => None,
        };
        matches!(first, Some(128..=191))
    }
}

/// Bytes of a connection → datagrams.
#[derive(Debug)]
pub struct Deframer {
    framing: Framing,
    buffer: [u8; BUFFER_BYTES],
    start: usize,
    end: usize,
    /// Bytes of an overlong frame that are still to come.
    skip: usize,
    skipped_frames: u32,
}

impl Default for Deframer {
    fn default() -> Self {
        Self::new(Framing::default())
    }
}

impl Deframer {
    /// For frames of this kind.
    pub fn new(framing: Framing) -> Self {
        Self { framing, buffer: [0; BUFFER_BYTES], start: 0, end: 0, skip: 0, skipped_frames: 0 }
    }

    /// Where the next bytes are to be read to; never empty after [`Deframer::take`] gave `None`.
    pub fn space(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// So many bytes were read to [`Deframer::space`].
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(BUFFER_BYTES);
    }

    /// Copies the next whole datagram to `datagram`, and returns its length. Empty frames are skipped.
    pub fn take(&mut self, datagram: &mut [u8]) -> Option<usize> {
        loop {
            let skipped = self.skip.min(self.end - self.start);
            self.start += skipped;
            self.skip -= skipped;
            let bytes = self.buffer.get(self.start..self.end)?;
            let Frame { start, len, total } = self.framing.frame_of(bytes)?;
            if len > DATAGRAM_BYTES_MAX || len > datagram.len() {
                self.skip = total;
                self.skipped_frames = self.skipped_frames.saturating_add(1);
                continue;
            }
            let payload = bytes.get(..total)?.get(start..start + len)?;
            datagram.get_mut(..len)?.copy_from_slice(payload);
            self.start += total;
            if len > 0 {
                return Some(len);
            }
        }
    }

    /// Frames that were longer than any datagram.
    pub fn skipped_frames(&self) -> u32 {
        self.skipped_frames
    }
}

/// Datagrams → bytes of a connection.
#[derive(Debug, Default)]
pub struct FrameQueue {
    framing: Framing,
    bytes: heapless::Vec<u8, STREAM_QUEUE_BYTES>,
    /// Bytes at the front that are written already.
    written: usize,
    /// Where the first frame begins that is not written whole.
    unfinished: usize,
    lost: u32,
}

impl FrameQueue {
    /// For frames of this kind.
    pub fn new(framing: Framing) -> Self {
        Self { framing, ..Self::default() }
    }

    /// Queues a datagram; returns `false` if there is no room, and the datagram is lost.
    pub fn push(&mut self, datagram: &[u8]) -> bool {
        let (header, padding) = match self.framing {
            Framing::Lengths => (LENGTH_BYTES, 0),
            Framing::Turn => (0, datagram.len().next_multiple_of(TURN_ALIGNMENT) - datagram.len()),
        };
        let total = header + datagram.len() + padding;
        if self.bytes.capacity() - self.bytes.len() < total {
            self.bytes.drain(..self.unfinished);
            self.written -= self.unfinished;
            self.unfinished = 0;
        }
        let has_room = self.bytes.capacity() - self.bytes.len() >= total;
        let length = u16::try_from(datagram.len()).ok().filter(|_| has_room);
        let Some(length) = length else {
            self.lost = self.lost.saturating_add(1);
            return false;
        };
        // There is room for all of it.
        let _ = self.bytes.extend_from_slice(length.to_be_bytes().get(..header).unwrap_or_default());
        let _ = self.bytes.extend_from_slice(datagram);
        let _ = self.bytes.extend_from_slice([0; TURN_ALIGNMENT].get(..padding).unwrap_or_default());
        true
    }

    /// What is to be written next; empty when all is.
    pub fn unwritten(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    /// So many bytes of [`FrameQueue::unwritten`] were written.
    pub fn written(&mut self, count: usize) {
        self.written = (self.written + count).min(self.bytes.len());
        while let Some(frame) = self.framing.frame_of(self.bytes.get(self.unfinished..).unwrap_or_default())
            && frame.total <= self.written - self.unfinished
        {
            self.unfinished += frame.total;
        }
        if self.written == self.bytes.len() {
            self.bytes.clear();
            (self.written, self.unfinished) = (0, 0);
        }
    }

    /// Removes the sound (SRTP) that waits. A frame that is partly written stays, or nothing behind it could be read;
    /// so do checks, keys and messages, which their protocols would only repeat.
    pub fn discard_sound(&mut self) {
        let begun = usize::from(self.written > self.unfinished);
        let (mut from, mut to, mut number) = (self.unfinished, self.unfinished, 0);
        while let Some(rest) = self.bytes.get(from..)
            && let Some(frame) = self.framing.frame_of(rest)
            && let Some(bytes) = rest.get(..frame.total)
        {
            if number < begun || !self.framing.is_sound(bytes) {
                self.bytes.copy_within(from..from + frame.total, to);
                to += frame.total;
            }
            from += frame.total;
            number += 1;
        }
        self.bytes.truncate(to);
        if self.written == self.bytes.len() {
            self.bytes.clear();
            (self.written, self.unfinished) = (0, 0);
        }
    }

    /// Datagrams that had no room.
    pub fn lost(&self) -> u32 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_queued_comes_out_whatever_the_pieces() {
        let mut random = fastrand::Rng::with_seed(5);
        let (mut queue, mut deframer) = (FrameQueue::default(), Deframer::default());
        let mut sent = std::collections::VecDeque::new();
        let mut received = 0;
        let mut datagram = [0; DATAGRAM_BYTES_MAX];
        for round in 0..20_000u32 {
            let len = if round % 50 == 0 { DATAGRAM_BYTES_MAX } else { random.usize(1..300) };
            let bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(len).collect();
            if queue.push(&bytes) {
                sent.push_back(bytes);
            }
            // The network takes and gives in pieces of its own.
            let piece = random.usize(..600).min(queue.unwritten().len());
            let space = deframer.space();
            let piece = piece.min(space.len());
            space[..piece].copy_from_slice(&queue.unwritten()[..piece]);
            queue.written(piece);
            deframer.filled(piece);
            while let Some(len) = deframer.take(&mut datagram) {
                assert_eq!(Some(&datagram[..len]), sent.pop_front().as_deref(), "round {round}");
                received += 1;
            }
        }
        assert!(received > 15_000, "{received}");
        assert_eq!(deframer.skipped_frames(), 0);
    }

    #[test]
    fn turn_messages_and_channels_of_any_length_keep_their_places() {
        let (mut queue, mut deframer) = (FrameQueue::new(Framing::Turn), Deframer::new(Framing::Turn));
        let mut sent = Vec::new();
        for len in 0..200u16 {
            let [high, low] = len.to_be_bytes();
            let body = vec![0xff; usize::from(len)];
            let channel = [&[0x40, 1, high, low][..], &body].concat();
            let message = [&[0, 1, 0, 4][..], &[7; 16], &[1, 2, 3, 4]].concat();
            assert!(queue.push(&channel) && queue.push(&message));
            sent.extend([channel, message]);
        }
        let (mut taken, mut datagram) = (Vec::new(), [0; DATAGRAM_BYTES_MAX]);
        while !queue.unwritten().is_empty() {
            let piece = queue.unwritten().len().min(77);
            deframer.space()[..piece].copy_from_slice(&queue.unwritten()[..piece]);
            deframer.filled(piece);
            queue.written(piece);
            while let Some(len) = deframer.take(&mut datagram) {
                taken.push(datagram[..len].to_vec());
            }
        }
        assert_eq!(taken, sent);
    }

    #[test]
    fn after_what_is_no_turn_message_nothing_is_taken() {
        let mut deframer = Deframer::new(Framing::Turn);
        let mut datagram = [0; DATAGRAM_BYTES_MAX];
        for _ in 0..10 {
            let space = deframer.space();
            space.fill(0xff);
            let count = space.len();
            deframer.filled(count);
            assert_eq!(deframer.take(&mut datagram), None);
        }
        assert_eq!(deframer.skipped_frames(), 1);
    }

    #[test]
    fn sound_that_waits_can_be_discarded_and_the_rest_keeps_its_places() {
        let mut random = fastrand::Rng::with_seed(9);
        for framing in [Framing::Lengths, Framing::Turn] {
            for _ in 0..500 {
                let mut queue = FrameQueue::new(framing);
                let mut kept: Vec<(usize, Vec<u8>)> = Vec::new();
                let mut end = 0;
                for number in 0..random.u8(1..12) {
                    let len = random.usize(1..200);
                    // SRTP, DTLS, STUN; in a channel of TURN the same.
                    let inner = [128, 22, 0][random.usize(..3)];
                    let mut bytes = vec![inner; len];
                    if framing == Framing::Turn {
                        bytes.splice(..0, [0x40, number, 0, len as u8]);
                    } else {
                        bytes.push(number);
                    }
                    assert!(queue.push(&bytes));
                    let start = end;
                    end = queue.bytes.len();
                    if inner == 128 {
                        // Sound stays only where a part of it is written.
                        kept.push((start + 1, bytes));
                    } else {
                        kept.push((0, bytes));
                    }
                }
                let piece = random.usize(..=queue.unwritten().len());
                let mut written = queue.unwritten()[..piece].to_vec();
                queue.written(piece);
                queue.discard_sound();
                written.extend_from_slice(queue.unwritten());
                let mut deframer = Deframer::new(framing);
                let (mut came, mut buffer) = (Vec::new(), [0; DATAGRAM_BYTES_MAX]);
                for part in written.chunks(64) {
                    deframer.space()[..part.len()].copy_from_slice(part);
                    deframer.filled(part.len());
                    while let Some(len) = deframer.take(&mut buffer) {
                        came.push(buffer[..len].to_vec());
                    }
                }
                let wanted: Vec<Vec<u8>> =
                    kept.into_iter().filter(|(from, _)| *from <= piece).map(|(_, bytes)| bytes).collect();
                assert_eq!(came, wanted, "{framing:?}, {piece} bytes written");
            }
        }
    }

    #[test]
    fn a_full_queue_loses_the_newest_and_counts_it() {
        let mut queue = FrameQueue::default();
        let fitting = STREAM_QUEUE_BYTES / 1002;
        for number in 0..fitting + 3 {
            assert_eq!(queue.push(&[7; 1000]), number < fitting);
        }
        assert_eq!(queue.lost(), 3);
        queue.written(1002);
        assert!(queue.push(&[8; 1000]), "room again");
        assert_eq!(queue.unwritten().len(), fitting * 1002);
    }

    #[test]
    fn hostile_lengths_are_skipped_and_what_follows_is_read() {
        let mut deframer = Deframer::default();
        let mut stream = vec![0xff, 0xff];
        stream.extend([9; 65_535]);
        stream.extend([0, 0, 0, 3, 1, 2, 3, 0, 1]);
        let mut datagram = [0; DATAGRAM_BYTES_MAX];
        let mut taken = Vec::new();
        for piece in stream.chunks(1000) {
            deframer.space()[..piece.len()].copy_from_slice(piece);
            deframer.filled(piece.len());
            while let Some(len) = deframer.take(&mut datagram) {
                taken.push(datagram[..len].to_vec());
            }
        }
        assert_eq!(taken, [[1, 2, 3]]);
        assert_eq!(deframer.skipped_frames(), 1);
    }

    #[test]
    fn any_bytes_are_survived_and_never_stop_the_reading() {
        let mut random = fastrand::Rng::with_seed(6);
        let mut datagram = [0; DATAGRAM_BYTES_MAX];
        let mut deframer = Deframer::default();
        for round in 0..10_000 {
            if round % 100 == 0 {
                let framing = if round < 5_000 { Framing::Lengths } else { Framing::Turn };
                deframer = Deframer::new(framing);
            }
            let space = deframer.space();
            assert!(!space.is_empty());
            let count = random.usize(1..=space.len());
            space[..count].fill_with(|| random.u8(..));
            deframer.filled(count);
            while deframer.take(&mut datagram).is_some() {}
        }
    }
}
