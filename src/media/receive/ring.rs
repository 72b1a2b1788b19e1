//! Packets waiting for their playout, in a window of sequence numbers.
//!
//! The window begins at the next packet to play and is [`RING_PACKETS`] long; a packet's slot is its
//! sequence number modulo that. Payloads lie in cells of one slab of [`RING_BYTES`], chained per
//! packet, so that neither a hole nor a large packet wastes more than a cell and nothing is moved.
//!
//! ```text
//!    late │ window: next .. next + 64          │ ahead: the oldest go     │ far ahead: another stream
//! ────────┼────────────────────────────────────┼──────────────────────────┼──────────────────────────
//!         └ next                               └ next + 64                └ next + 3000
//! ```

use crate::limits::{OPUS_PACKET_BYTES_MAX, RING_BYTES, RING_CELL_BYTES as CELL_BYTES, RING_PACKETS};

/// Cells of the slab.
const CELLS: usize = RING_BYTES / CELL_BYTES;

/// No cell: the end of a chain.
const NO_CELL: u16 = u16::MAX;

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

/// A packet in the ring, without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Extended sequence number.
    pub sequence: u64,
    /// Extended RTP time of its first sample.
    pub rtp_time: u64,
    /// Bytes of its payload.
    pub len: usize,
}

#[derive(Clone, Copy)]
struct Slot {
    packet: Waiting,
    first_cell: u16,
}

/// The window of packets, all memory inline.
pub struct Ring {
    slots: [Option<Slot>; RING_PACKETS],
    cells: [[u8; CELL_BYTES]; CELLS],
    /// For each cell the next of its chain, be it a packet's or the chain of free ones.
    chain: [u16; CELLS],
    free: u16,
    free_count: usize,
    next: u64,
    newest: u64,
    waiting: usize,
    /// Whether the window has a place: before the first packet it has none.
    is_placed: bool,
    /// Whether something was taken: before that the window may still move back.
    is_started: bool,
}

impl Ring {
    /// An empty ring whose window begins at the first packet.
    pub fn new() -> Self {
        let mut ring = Ring {
            slots: [None; RING_PACKETS],
            cells: [[0; CELL_BYTES]; CELLS],
            chain: [NO_CELL; CELLS],
            free: NO_CELL,
            free_count: 0,
            next: 0,
            newest: 0,
            waiting: 0,
            is_placed: false,
            is_started: false,
        };
        ring.clear();
        ring
    }

    /// Forgets all packets and the window's place.
    pub fn clear(&mut self) {
        self.slots = [None; RING_PACKETS];
        for (i, next) in self.chain.iter_mut().enumerate() {
            *next = if i + 1 < CELLS { (i + 1) as u16 } else { NO_CELL };
        }
        (self.free, self.free_count) = (0, CELLS);
        (self.waiting, self.is_placed, self.is_started) = (0, false, false);
    }

    /// Puts a packet into its place.
    pub fn insert(&mut self, sequence: u64, rtp_time: u64, payload: &[u8]) -> Insertion {
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
            if self.is_started || distance(sequence, self.newest) >= RING_PACKETS as i64 {
                return Insertion::Late;
            }
            self.next = sequence;
        }
        if self.slot(sequence).is_some() {
            return Insertion::Duplicate;
        }
        let (next, mut dropped) = (self.next, 0);
        while distance(self.next, sequence) >= RING_PACKETS as i64 {
            dropped += u32::from(self.pass());
        }
        while self.free_count < payload.len().div_ceil(CELL_BYTES) {
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
        let packet = Waiting { sequence, rtp_time, len: payload.len() };
        let first_cell = self.store(payload);
        self.slots[index(sequence)] = Some(Slot { packet, first_cell });
        self.waiting += 1;
        Insertion::Inserted { reordered, dropped, missed }
    }

    /// The next sequence number to play.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The first packet that waits, perhaps behind missing ones.
    pub fn first(&self) -> Option<Waiting> {
        self.first_from(0)
    }

    /// The packet that waits behind the first, perhaps behind missing ones.
    pub fn second(&self) -> Option<Waiting> {
        self.first_from(self.first()?.sequence.wrapping_sub(self.next) + 1)
    }

    /// The packet with the highest sequence number, while anything waits.
    pub fn newest(&self) -> Option<Waiting> {
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

    /// Copies the payload of a waiting packet; the packet stays. Empty where there is none.
    pub fn read<'a>(&self, sequence: u64, buffer: &'a mut [u8; OPUS_PACKET_BYTES_MAX]) -> &'a [u8] {
        let Some(slot) = self.slot(sequence) else { return &[] };
        let len = slot.packet.len.min(buffer.len());
        let mut cell = slot.first_cell;
        for part in buffer[..len].chunks_mut(CELL_BYTES) {
            part.copy_from_slice(&self.cells[usize::from(cell)][..part.len()]);
            cell = self.chain[usize::from(cell)];
        }
        &buffer[..len]
    }

    /// Moves the window past its first place. True if a packet was thrown away by that.
    pub fn pass(&mut self) -> bool {
        let slot = &mut self.slots[index(self.next)];
        let taken = slot.take_if(|slot| slot.packet.sequence == self.next);
        self.is_started = true;
        self.next = self.next.wrapping_add(1);
        let Some(slot) = taken else { return false };
        self.release(slot);
        self.waiting -= 1;
        true
    }

    fn first_from(&self, place: u64) -> Option<Waiting> {
        if self.waiting == 0 {
            return None;
        }
        (place..RING_PACKETS as u64)
            .find_map(|i| self.slot(self.next.wrapping_add(i)).map(|slot| slot.packet))
    }

    fn slot(&self, sequence: u64) -> Option<&Slot> {
        self.slots[index(sequence)].as_ref().filter(|slot| slot.packet.sequence == sequence)
    }

    fn store(&mut self, payload: &[u8]) -> u16 {
        let mut first = NO_CELL;
        // From the last part to the first, so that each cell is put in front of the chain.
        for part in payload.chunks(CELL_BYTES).rev() {
            let cell = self.free;
            self.free = self.chain[usize::from(cell)];
            self.free_count -= 1;
            self.cells[usize::from(cell)][..part.len()].copy_from_slice(part);
            self.chain[usize::from(cell)] = first;
            first = cell;
        }
        first
    }

    fn release(&mut self, slot: Slot) {
        let mut cell = slot.first_cell;
        while cell != NO_CELL {
            let following = self.chain[usize::from(cell)];
            self.chain[usize::from(cell)] = self.free;
            (self.free, self.free_count) = (cell, self.free_count + 1);
            cell = following;
        }
    }
}

impl Default for Ring {
    fn default() -> Self {
        Self::new()
    }
}

fn index(sequence: u64) -> usize {
    (sequence % RING_PACKETS as u64) as usize
}

fn distance(from: u64, to: u64) -> i64 {
    // i64::MIN has no absolute value; one more or less does not matter that far away.
    (to.wrapping_sub(from) as i64).max(-i64::MAX)
}

const _: () = assert!(CELLS < NO_CELL as usize);
const _: () = assert!(RING_PACKETS as i64 <= JUMP_PACKETS);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::voice::next as random;
    use std::collections::BTreeMap;

    const IN_ORDER: Insertion = Insertion::Inserted { reordered: false, dropped: 0, missed: 0 };
    const REORDERED: Insertion = Insertion::Inserted { reordered: true, dropped: 0, missed: 0 };

    fn payload(sequence: u64, len: usize) -> Vec<u8> {
        (0..len).map(|i| (sequence as usize * 31 + i) as u8).collect()
    }

    fn take(ring: &mut Ring) -> Option<(u64, Vec<u8>)> {
        let sequence = ring.next();
        let waits = ring.first().is_some_and(|first| first.sequence == sequence);
        let bytes = ring.read(sequence, &mut [0; OPUS_PACKET_BYTES_MAX]).to_vec();
        assert_eq!(ring.pass(), waits);
        waits.then_some((sequence, bytes))
    }

    #[test]
    fn packets_by_their_arrival() {
        let mut ring = Ring::new();
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
            assert_eq!(ring.insert(sequence, sequence * 960, &payload(sequence, 60)), expected, "{sequence}");
        }
        let taken: Vec<_> = (0..5).map(|_| take(&mut ring).map(|p| p.0)).collect();
        assert_eq!(taken, [Some(98), Some(99), Some(100), None, Some(102)]);
        assert_eq!(ring.insert(101, 0, &[1]), Insertion::Late);
        assert_eq!(ring.insert(103, 0, &[0; OPUS_PACKET_BYTES_MAX + 1]), Insertion::TooLong);
        assert!(ring.is_empty());
    }

    #[test]
    fn a_full_ring_lets_the_oldest_go() {
        let mut ring = Ring::new();
        for sequence in 0..RING_PACKETS as u64 {
            assert_eq!(ring.insert(sequence, 0, &[1]), IN_ORDER);
        }
        let after = RING_PACKETS as u64 + 2;
        assert_eq!(
            ring.insert(after, 0, &[1]),
            Insertion::Inserted { reordered: false, dropped: 3, missed: 0 }
        );
        assert_eq!((ring.next(), ring.newest().unwrap().sequence), (3, after));
        // By bytes: 25 packets of the greatest length fill the slab.
        ring.clear();
        let dropped: u32 = (0..40)
            .map(|sequence| match ring.insert(sequence, 0, &[7; OPUS_PACKET_BYTES_MAX]) {
                Insertion::Inserted { dropped, .. } => dropped,
                other => panic!("{other:?}"),
            })
            .sum();
        assert_eq!(ring.len() as u32 + dropped, 40);
        assert_eq!(ring.len(), CELLS / OPUS_PACKET_BYTES_MAX.div_ceil(CELL_BYTES));
    }

    #[test]
    fn the_ends_of_the_numbers_are_no_ends() {
        let mut ring = Ring::new();
        for i in 0..10 {
            assert_eq!(ring.insert(u64::MAX.wrapping_add(i), 0, &[i as u8]), IN_ORDER);
        }
        for i in 0..10 {
            assert_eq!(take(&mut ring).unwrap().1, [i as u8]);
        }
        assert_eq!(ring.insert(ring.next().wrapping_sub(1 << 63), 0, &[]), Insertion::Jump);
    }

    #[test]
    fn random_steps_agree_with_a_plain_map() {
        for seed in 1..=60 {
            let (mut state, mut ring, mut model) = (seed, Ring::new(), BTreeMap::new());
            let start = random(&mut state);
            let mut head = start;
            for _ in 0..2000 {
                if !random(&mut state).is_multiple_of(3) {
                    head = head.wrapping_add(random(&mut state) % 3);
                    let sequence = head.wrapping_sub(random(&mut state) % 6);
                    let bytes = payload(sequence, (random(&mut state) % 200) as usize);
                    match ring.insert(sequence, sequence, &bytes) {
                        Insertion::Inserted { .. } => {
                            assert!(model.insert(sequence, bytes).is_none(), "{seed}")
                        }
                        Insertion::Duplicate => assert!(model.contains_key(&sequence), "{seed}"),
                        Insertion::Late => assert!(distance(sequence, ring.next()) > 0, "{seed}"),
                        other => panic!("seed {seed}: {other:?}"),
                    }
                    model.retain(|&sequence, _| distance(ring.next(), sequence) >= 0);
                } else {
                    let next = ring.next();
                    let taken = take(&mut ring);
                    assert_eq!(taken.map(|p| p.1), model.remove(&next), "seed {seed}");
                }
                assert_eq!(ring.len(), model.len(), "seed {seed}");
                let used: usize = model.values().map(|bytes| bytes.len().div_ceil(CELL_BYTES)).sum();
                assert_eq!(ring.free_count + used, CELLS, "seed {seed}: no cell is lost");
            }
        }
    }
}
