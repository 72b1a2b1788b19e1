//! Datagrams on a TCP connection (RFC 4571): two bytes of length, then the datagram.
//!
//! ```text
//!   read ─► [ fixed buffer ] ─ Deframer::take ─► datagram, datagram, …      one read may hold several
//!   datagram ─ FrameQueue::push ─► [ fixed queue ] ─► write                 full: the datagram is lost
//! ```
//!
//! The lengths come from outside. A frame that is longer than any datagram of ours is skipped as its
//! bytes come, and counted; nothing is ever allocated for it. What does not fit the queue is lost, as
//! on any network: sound that waits behind a stuck connection is of no use any more.

use crate::limits::{DATAGRAM_BYTES_MAX, STREAM_QUEUE_BYTES};

const LENGTH_BYTES: usize = 2;

/// Two of the longest frames: a read is rarely cut short by what the last one left.
const BUFFER_BYTES: usize = 2 * (LENGTH_BYTES + DATAGRAM_BYTES_MAX);

/// Bytes of a connection → datagrams.
#[derive(Debug)]
pub struct Deframer {
    buffer: [u8; BUFFER_BYTES],
    start: usize,
    end: usize,
    /// Bytes of an overlong frame that are still to come.
    skip: usize,
    skipped_frames: u32,
}

impl Default for Deframer {
    fn default() -> Self {
        Self { buffer: [0; BUFFER_BYTES], start: 0, end: 0, skip: 0, skipped_frames: 0 }
    }
}

impl Deframer {
    /// Where the next bytes are to be read to; never empty after [`Deframer::take`] gave `None`.
    pub fn space(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        &mut self.buffer[self.end..]
    }

    /// So many bytes were read to [`Deframer::space`].
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(BUFFER_BYTES);
    }

    /// Copies the next whole datagram to `datagram`, and gives its length. Empty frames are none.
    pub fn take(&mut self, datagram: &mut [u8]) -> Option<usize> {
        loop {
            let skipped = self.skip.min(self.end - self.start);
            self.start += skipped;
            self.skip -= skipped;
            let [high, low, rest @ ..] = &self.buffer[self.start..self.end] else { return None };
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            if len > DATAGRAM_BYTES_MAX || len > datagram.len() {
                self.start += LENGTH_BYTES;
                self.skip = len;
                self.skipped_frames = self.skipped_frames.saturating_add(1);
                continue;
            }
            let frame = rest.get(..len)?;
            datagram[..len].copy_from_slice(frame);
            self.start += LENGTH_BYTES + len;
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
    bytes: heapless::Vec<u8, STREAM_QUEUE_BYTES>,
    /// Bytes at the front that are written already.
    written: usize,
    lost: u32,
}

impl FrameQueue {
    /// Puts a datagram behind what waits already; `false` if there is no room, and it is lost.
    pub fn push(&mut self, datagram: &[u8]) -> bool {
        if self.bytes.capacity() - self.bytes.len() < LENGTH_BYTES + datagram.len() {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
        let has_room = self.bytes.capacity() - self.bytes.len() >= LENGTH_BYTES + datagram.len();
        let length = u16::try_from(datagram.len()).ok().filter(|_| has_room);
        let Some(length) = length else {
            self.lost = self.lost.saturating_add(1);
            return false;
        };
        // There is room for both.
        let _ = self.bytes.extend_from_slice(&length.to_be_bytes());
        let _ = self.bytes.extend_from_slice(datagram);
        true
    }

    /// What is to be written next; empty when all is.
    pub fn unwritten(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// So many bytes of [`FrameQueue::unwritten`] were written.
    pub fn written(&mut self, count: usize) {
        self.written = (self.written + count).min(self.bytes.len());
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
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
        let mut deframer = Deframer::default();
        let mut datagram = [0; DATAGRAM_BYTES_MAX];
        for _ in 0..5_000 {
            let space = deframer.space();
            assert!(!space.is_empty());
            let count = random.usize(1..=space.len());
            space[..count].fill_with(|| random.u8(..));
            deframer.filled(count);
            while deframer.take(&mut datagram).is_some() {}
        }
    }
}
