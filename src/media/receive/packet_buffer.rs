//! Packets waiting for their playout, in a window of sequence numbers.
//!
//! The window begins at the next packet to play and is [`PACKET_BUFFER_PACKETS`] long; a packet's slot is its
//! sequence number modulo that. A redundant copy takes the place of a packet that is not there, and
//! the packet itself takes it over when it comes in time. Payloads lie in [`PayloadSlab`].
//!
//! ```text
//!    late │ window: next .. next + 64          │ ahead: the oldest go     │ far ahead: another stream
//! ────────┼────────────────────────────────────┼──────────────────────────┼──────────────────────────
//!         └ next                               └ next + 64                └ next + 3000
//! ```

use super::payload_slab::{PayloadSlab, StoredPayload};
use crate::limits::{OPUS_PACKET_BYTES_MAX, PACKET_BUFFER_PACKETS};

/// A sequence number this far away belongs to another stream (RFC 3550 A.1, MAX_DROPOUT).
const JUMP_PACKETS: i64 = 3000;

/// What became of an inserted packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Insertion {
    /// It waits for its playout.
    Inserted {
        /// It came after one with a higher sequence number.
        reordered: bool,
        /// Older packets that had to go for it.
        dropped: u32,
        /// Places without a packet that the window moved past.
        missed: u32,
    },
    /// It waits already.
    Duplicate,
    /// Its place is over.
    Late,
    /// Too far from what is played: another stream. Nothing was inserted.
    Jump,
    /// Longer than any Opus packet. Nothing was inserted.
    TooLong,
}

/// A packet in the buffer, without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferedPacket {
    /// Extended sequence number.
    pub sequence: u64,
    /// Extended RTP time of its first sample.
    pub rtp_time: u64,
    /// When it arrived, in samples of local time.
    pub arrived: i64,
    /// Whether it is a redundant copy out of a later packet.
    pub is_copy: bool,
}

#[derive(Clone, Copy)]
struct Entry {
    packet: BufferedPacket,
    payload: StoredPayload,
}

/// The window of packets. All memory is taken at creation.
pub struct PacketBuffer {
    slots: [Option<Entry>; PACKET_BUFFER_PACKETS],
    cells: PayloadSlab,
    next: u64,
    newest: u64,
    waiting: usize,
    /// Whether the window has a place: before the first packet it has none.
    is_placed: bool,
    /// Whether something was taken: before that the window may still move back.
    is_started: bool,
}

impl PacketBuffer {
    /// An empty buffer whose window begins at the first packet.
    pub fn new() -> Self {
        PacketBuffer {
            slots: [None; PACKET_BUFFER_PACKETS],
            cells: PayloadSlab::new(),
            next: 0,
            newest: 0,
            waiting: 0,
            is_placed: false,
            is_started: false,
        }
    }

    /// Forgets all packets and the window's place.
    pub fn clear(&mut self) {
        self.slots = [None; PACKET_BUFFER_PACKETS];
        self.cells.clear();
        (self.waiting, self.is_placed, self.is_started) = (0, false, false);
    }

    /// Puts a packet, arrived at local time `arrived`, into its place.
    pub fn insert(&mut self, sequence: u64, rtp_time: u64, arrived: i64, payload: &[u8]) -> Insertion {
        if payload.len() > OPUS_PACKET_BYTES_MAX {
            return Insertion::TooLong;
        }
        if !self.is_placed {
            (self.next, self.newest, self.is_placed) = (sequence, sequence, true);
        }
        let ahead = distance(self.next, sequence);
        if ahead.abs() >= JUMP_PACKETS {
            return Insertion::Jump;
        }
        if ahead < 0 {
            // Two packets may cross before anything was played: the window begins at the earlier.
            if self.is_started || distance(sequence, self.newest) >= PACKET_BUFFER_PACKETS as i64 {
                return Insertion::Late;
            }
            self.next = sequence;
        }
        if let Some(slot) =
            self.slots[index(sequence)].as_mut().filter(|slot| slot.packet.sequence == sequence)
        {
            let was_copy = std::mem::take(&mut slot.packet.is_copy);
            let reordered = Insertion::Inserted { reordered: true, dropped: 0, missed: 0 };
            return if was_copy { reordered } else { Insertion::Duplicate };
        }
        let (next, mut dropped) = (self.next, 0);
        while distance(self.next, sequence) >= PACKET_BUFFER_PACKETS as i64 {
            dropped += u32::from(self.pass());
        }
        while !self.cells.has_room(payload.len()) {
            dropped += u32::from(self.pass());
            if distance(self.next, sequence) < 0 {
                return Insertion::Late;
            }
        }
        let missed = distance(next, self.next) as u32 - dropped;
        let reordered = distance(sequence, self.newest) > 0;
        if !reordered {
            self.newest = sequence;
        }
        self.put(BufferedPacket { sequence, rtp_time, arrived, is_copy: false }, payload);
        Insertion::Inserted { reordered, dropped, missed }
    }

    /// Puts a redundant copy into the place of its packet, if that is within the window and nothing is
    /// there. It moves nothing and pushes nothing out.
    pub fn insert_copy(&mut self, sequence: u64, rtp_time: u64, arrived: i64, payload: &[u8]) -> bool {
        self.is_missing(sequence)
            && self.put(BufferedPacket { sequence, rtp_time, arrived, is_copy: true }, payload)
    }

    /// Whether a packet is not there that could still be played, and a later one is.
    pub fn is_missing(&self, sequence: u64) -> bool {
        self.is_placed
            && (0..PACKET_BUFFER_PACKETS as i64).contains(&distance(self.next, sequence))
            && distance(sequence, self.newest) > 0
            && self.slot(sequence).is_none()
    }

    /// The next sequence number to play.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The first packet that waits, perhaps behind missing ones.
    pub fn first(&self) -> Option<BufferedPacket> {
        self.first_from(0)
    }

    /// The packet that waits behind the first, perhaps behind missing ones.
    pub fn second(&self) -> Option<BufferedPacket> {
        self.first_from(self.first()?.sequence.wrapping_sub(self.next) + 1)
    }

    /// The packet with the highest sequence number, while anything waits.
    pub fn newest(&self) -> Option<BufferedPacket> {
        if self.waiting == 0 { None } else { self.slot(self.newest).map(|slot| slot.packet) }
    }

    /// Packets missing in front of the first that waits.
    pub fn missing(&self) -> u64 {
        self.first().map_or(0, |first| first.sequence.wrapping_sub(self.next))
    }

    /// Packets that wait.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Whether no packet waits.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Copies the payload of a waiting packet, which stays. Empty if there is none.
    pub fn read<'a>(&self, sequence: u64, buffer: &'a mut [u8; OPUS_PACKET_BYTES_MAX]) -> &'a [u8] {
        match self.slot(sequence) {
            Some(slot) => self.cells.read(slot.payload, buffer),
            None => &[],
        }
    }

    /// Moves the window past its first place. True if a packet was thrown away by that.
    pub fn pass(&mut self) -> bool {
        let slot = &mut self.slots[index(self.next)];
        let taken = slot.take_if(|slot| slot.packet.sequence == self.next);
        self.is_started = true;
        self.next = self.next.wrapping_add(1);
        let Some(slot) = taken else { return false };
        self.cells.release(slot.payload);
        self.waiting -= 1;
        true
    }

    fn first_from(&self, place: u64) -> Option<BufferedPacket> {
        if self.waiting == 0 {
            return None;
        }
        (place..PACKET_BUFFER_PACKETS as u64)
            .find_map(|i| self.slot(self.next.wrapping_add(i)).map(|slot| slot.packet))
    }

    fn slot(&self, sequence: u64) -> Option<&Entry> {
        self.slots[index(sequence)].as_ref().filter(|slot| slot.packet.sequence == sequence)
    }

    /// Whether there was room for it.
    fn put(&mut self, packet: BufferedPacket, payload: &[u8]) -> bool {
        let Some(payload) = self.cells.store(payload) else { return false };
        self.slots[index(packet.sequence)] = Some(Entry { packet, payload });
        self.waiting += 1;
        true
    }
}

impl Default for PacketBuffer {
    fn default() -> Self {
        Self::new()
    }
}

fn index(sequence: u64) -> usize {
    (sequence % PACKET_BUFFER_PACKETS as u64) as usize
}

fn distance(from: u64, to: u64) -> i64 {
    // i64::MIN has no absolute value; one more or less does not matter that far away.
    (to.wrapping_sub(from) as i64).max(-i64::MAX)
}

const _: () = assert!(PACKET_BUFFER_PACKETS as i64 <= JUMP_PACKETS);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::PAYLOAD_CELL_BYTES as CELL_BYTES;
    use crate::media::receive::payload_slab::CELLS;
    use crate::media::tests::voice::next as random;
    use std::collections::BTreeMap;

    const IN_ORDER: Insertion = Insertion::Inserted { reordered: false, dropped: 0, missed: 0 };
    const REORDERED: Insertion = Insertion::Inserted { reordered: true, dropped: 0, missed: 0 };

    fn payload(sequence: u64, len: usize) -> Vec<u8> {
        (0..len).map(|i| (sequence as usize * 31 + i) as u8).collect()
    }

    fn take(packets: &mut PacketBuffer) -> Option<(u64, Vec<u8>)> {
        let sequence = packets.next();
        let waits = packets.first().is_some_and(|first| first.sequence == sequence);
        let bytes = packets.read(sequence, &mut [0; OPUS_PACKET_BYTES_MAX]).to_vec();
        assert_eq!(packets.pass(), waits);
        waits.then_some((sequence, bytes))
    }

    #[test]
    fn packets_by_their_arrival() {
        let mut packets = PacketBuffer::new();
        let cases = [
            (100, IN_ORDER),
            (98, REORDERED),
            (99, REORDERED),
            (100, Insertion::Duplicate),
            (102, IN_ORDER),
            (35, Insertion::Late),
            (100 + JUMP_PACKETS as u64, Insertion::Jump),
        ];
        for (sequence, expected) in cases {
            assert_eq!(
                packets.insert(sequence, sequence * 960, 0, &payload(sequence, 60)),
                expected,
                "{sequence}"
            );
        }
        let taken: Vec<_> = (0..5).map(|_| take(&mut packets).map(|p| p.0)).collect();
        assert_eq!(taken, [Some(98), Some(99), Some(100), None, Some(102)]);
        assert_eq!(packets.insert(101, 0, 0, &[1]), Insertion::Late);
        assert_eq!(packets.insert(103, 0, 0, &[0; OPUS_PACKET_BYTES_MAX + 1]), Insertion::TooLong);
        assert!(packets.is_empty());
    }

    #[test]
    fn a_copy_fills_a_hole_and_the_packet_takes_it_over() {
        let mut packets = PacketBuffer::new();
        assert!(!packets.insert_copy(10, 0, 0, &[1]), "there is no window yet");
        assert_eq!(packets.insert(10, 9600, 0, &payload(10, 60)), IN_ORDER);
        assert_eq!(packets.insert(13, 12_480, 0, &payload(13, 60)), IN_ORDER);
        let cases = [(9, false), (10, false), (11, true), (12, true), (12, false), (13, false), (14, false)];
        for (sequence, is_taken) in cases {
            let copy = payload(sequence, 60);
            assert_eq!(packets.insert_copy(sequence, sequence * 960, 7, &copy), is_taken, "{sequence}");
        }
        assert_eq!(packets.insert(12, 11_520, 0, &payload(12, 60)), REORDERED);
        assert_eq!(packets.insert(12, 11_520, 0, &payload(12, 60)), Insertion::Duplicate);
        let copies = [false, true, false, false];
        for (sequence, is_copy) in (10..).zip(copies) {
            assert_eq!(packets.first().map(|first| first.is_copy), Some(is_copy), "{sequence}");
            assert_eq!(take(&mut packets), Some((sequence, payload(sequence, 60))));
        }
    }

    #[test]
    fn a_full_ring_lets_the_oldest_go() {
        let mut packets = PacketBuffer::new();
        for sequence in 0..PACKET_BUFFER_PACKETS as u64 {
            assert_eq!(packets.insert(sequence, 0, 0, &[1]), IN_ORDER);
        }
        let after = PACKET_BUFFER_PACKETS as u64 + 2;
        assert_eq!(
            packets.insert(after, 0, 0, &[1]),
            Insertion::Inserted { reordered: false, dropped: 3, missed: 0 }
        );
        assert_eq!((packets.next(), packets.newest().unwrap().sequence), (3, after));
        // By bytes: 25 packets of the greatest length fill the slab.
        packets.clear();
        let dropped: u32 = (0..40)
            .map(|sequence| match packets.insert(sequence, 0, 0, &[7; OPUS_PACKET_BYTES_MAX]) {
                Insertion::Inserted { dropped, .. } => dropped,
                other => panic!("{other:?}"),
            })
            .sum();
        assert_eq!(packets.len() as u32 + dropped, 40);
        assert_eq!(packets.len(), CELLS / OPUS_PACKET_BYTES_MAX.div_ceil(CELL_BYTES));
    }

    #[test]
    fn the_ends_of_the_numbers_are_no_ends() {
        let mut packets = PacketBuffer::new();
        for i in 0..10 {
            assert_eq!(packets.insert(u64::MAX.wrapping_add(i), 0, 0, &[i as u8]), IN_ORDER);
        }
        for i in 0..10 {
            assert_eq!(take(&mut packets).unwrap().1, [i as u8]);
        }
        assert_eq!(packets.insert(packets.next().wrapping_sub(1 << 63), 0, 0, &[]), Insertion::Jump);
    }

    #[test]
    fn random_steps_agree_with_a_plain_map() {
        for seed in 1..=60 {
            let (mut state, mut packets, mut model) = (seed, PacketBuffer::new(), BTreeMap::new());
            let start = random(&mut state);
            let mut head = start;
            for _ in 0..2000 {
                if !random(&mut state).is_multiple_of(3) {
                    head = head.wrapping_add(random(&mut state) % 3);
                    let sequence = head.wrapping_sub(random(&mut state) % 6);
                    let bytes = payload(sequence, (random(&mut state) % 200) as usize);
                    match packets.insert(sequence, sequence, 0, &bytes) {
                        Insertion::Inserted { .. } => {
                            assert!(model.insert(sequence, bytes).is_none(), "{seed}")
                        }
                        Insertion::Duplicate => assert!(model.contains_key(&sequence), "{seed}"),
                        Insertion::Late => assert!(distance(sequence, packets.next()) > 0, "{seed}"),
                        other => panic!("seed {seed}: {other:?}"),
                    }
                    model.retain(|&sequence, _| distance(packets.next(), sequence) >= 0);
                } else {
                    let next = packets.next();
                    let taken = take(&mut packets);
                    assert_eq!(taken.map(|p| p.1), model.remove(&next), "seed {seed}");
                }
                assert_eq!(packets.len(), model.len(), "seed {seed}");
                let used: usize = model.values().map(|bytes| bytes.len().div_ceil(CELL_BYTES)).sum();
                assert_eq!(packets.cells.free_count() + used, CELLS, "seed {seed}: no cell is lost");
            }
        }
    }
}
