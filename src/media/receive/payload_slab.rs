//! Memory for the payloads of waiting packets: one slab of [`PAYLOAD_SLAB_BYTES`] in cells, chained per payload.
//!
//! Neither a hole nor a large packet wastes more than a cell, and nothing is ever moved.

use crate::limits::{OPUS_PACKET_BYTES_MAX, PAYLOAD_CELL_BYTES as CELL_BYTES, PAYLOAD_SLAB_BYTES};

/// Cells of the slab.
pub const CELLS: usize = PAYLOAD_SLAB_BYTES / CELL_BYTES;

/// No cell: the end of a chain.
const NO_CELL: u16 = u16::MAX;

/// A payload in the slab. It must be given back by [`PayloadSlab::release`].
#[derive(Debug, Clone, Copy)]
pub struct StoredPayload {
    first: u16,
    len: u16,
}

/// A slab of cells that holds the payloads of waiting packets.
pub struct PayloadSlab {
    cells: Box<[[u8; CELL_BYTES]]>,
    /// For each cell the next of its chain, be it a payload's or the chain of free ones.
    chain: [u16; CELLS],
    free: u16,
    free_count: usize,
}

impl PayloadSlab {
    /// A slab with nothing in it.
    pub fn new() -> Self {
        // Straight from the heap: on its way over the stack it would leave that as large for ever.
        let slab = vec![[0; CELL_BYTES]; CELLS].into_boxed_slice();
        let mut cells = PayloadSlab { cells: slab, chain: [NO_CELL; CELLS], free: NO_CELL, free_count: 0 };
        cells.clear();
        cells
    }

    /// Takes all payloads back.
    pub fn clear(&mut self) {
        for (i, next) in self.chain.iter_mut().enumerate() {
            *next = if i + 1 < CELLS { (i + 1) as u16 } else { NO_CELL };
        }
        (self.free, self.free_count) = (0, CELLS);
    }

    /// Cells that hold nothing.
    pub fn free_count(&self) -> usize {
        self.free_count
    }

    /// Whether a payload of `len` bytes fits.
    pub fn has_room(&self, len: usize) -> bool {
        self.free_count >= len.div_ceil(CELL_BYTES)
    }

    /// Copies a payload in. `None` if it does not fit, or is longer than any Opus packet.
    pub fn store(&mut self, payload: &[u8]) -> Option<StoredPayload> {
        if payload.len() > OPUS_PACKET_BYTES_MAX || !self.has_room(payload.len()) {
            return None;
        }
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
        Some(StoredPayload { first, len: payload.len() as u16 })
    }

    /// Copies a payload out.
    pub fn read<'a>(&self, stored: StoredPayload, buffer: &'a mut [u8; OPUS_PACKET_BYTES_MAX]) -> &'a [u8] {
        let len = stored.len().min(buffer.len());
        let mut cell = stored.first;
        for part in buffer[..len].chunks_mut(CELL_BYTES) {
            part.copy_from_slice(&self.cells[usize::from(cell)][..part.len()]);
            cell = self.chain[usize::from(cell)];
        }
        &buffer[..len]
    }

    /// Takes a payload back.
    pub fn release(&mut self, stored: StoredPayload) {
        let mut cell = stored.first;
        while cell != NO_CELL {
            let following = self.chain[usize::from(cell)];
            self.chain[usize::from(cell)] = self.free;
            (self.free, self.free_count) = (cell, self.free_count + 1);
            cell = following;
        }
    }
}

impl Default for PayloadSlab {
    fn default() -> Self {
        Self::new()
    }
}

impl StoredPayload {
    /// Bytes of the payload.
    pub fn len(self) -> usize {
        usize::from(self.len)
    }

    /// Whether it is padding: a payload without bytes.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

const _: () = assert!(CELLS < NO_CELL as usize);
const _: () = assert!(OPUS_PACKET_BYTES_MAX <= u16::MAX as usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_come_back_as_they_were_and_leave_nothing_behind() {
        let mut cells = PayloadSlab::new();
        let payload = |len: usize| -> Vec<u8> { (0..len).map(|i| (i * 7 + len) as u8).collect() };
        let mut buffer = [0; OPUS_PACKET_BYTES_MAX];
        let lengths = [0, 1, CELL_BYTES - 1, CELL_BYTES, CELL_BYTES + 1, OPUS_PACKET_BYTES_MAX];
        for round in 0..50 {
            let stored: Vec<_> =
                lengths.iter().map(|&len| (len, cells.store(&payload(len)).unwrap())).collect();
            for &(len, stored) in stored.iter().cycle().skip(round % lengths.len()).take(lengths.len()) {
                assert_eq!(cells.read(stored, &mut buffer), payload(len));
                cells.release(stored);
            }
            assert_eq!(cells.free_count(), CELLS);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut cells = PayloadSlab::new();
        assert!(cells.store(&[0; OPUS_PACKET_BYTES_MAX + 1]).is_none());
        let stored = std::iter::from_fn(|| cells.store(&[1; OPUS_PACKET_BYTES_MAX])).count();
        assert_eq!(stored, CELLS / OPUS_PACKET_BYTES_MAX.div_ceil(CELL_BYTES));
        assert!(!cells.has_room(OPUS_PACKET_BYTES_MAX));
    }
}
