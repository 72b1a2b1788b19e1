//! Redundant audio data (RFC 2198): each packet carries those before it again.
//!
//! ```text
//!   1 PT  offset 14  length 10 │ … │ 0 PT │ oldest copy │ … │ the packet itself
//!   └─ one header each copy ────────┘
//! ```
//!
//! A lost packet is in the next one, or in the one after that: with one loss in ten and one copy, one in a hundred is
//! missing. It costs the rate again, and no delay without loss. The server repairs the path up to it from the copies,
//! also for receivers of plain Opus.

use crate::limits::{OPUS_SENT_BYTES_MAX, RED_SENT_COPIES_MAX};

/// Payload type of Opus in the headers, as str0m offers it.
const OPUS: u8 = 111;

/// Another block follows this header.
const FOLLOWS: u8 = 0x80;

/// The largest offset of a copy, in samples (14 bits), and its largest length (10 bits).
const OFFSET_MAX: u64 = (1 << 14) - 1;
const COPY_BYTES_MAX: usize = (1 << 10) - 1;

#[derive(Debug, Clone, Copy)]
struct EarlierPacket {
    rtp_time: u64,
    len: usize,
    payload: [u8; OPUS_SENT_BYTES_MAX],
}

/// Remembers the last packets, and packs them behind the next one. All memory is taken at construction.
#[derive(Debug)]
pub struct RedPacker {
    /// The newest first.
    kept: [Option<Box<EarlierPacket>>; RED_SENT_COPIES_MAX],
    spare: Option<Box<EarlierPacket>>,
    packed: Box<[u8; OPUS_SENT_BYTES_MAX]>,
}

impl RedPacker {
    /// Nothing was sent yet.
    pub fn new() -> Self {
        let empty = EarlierPacket { rtp_time: 0, len: 0, payload: [0; OPUS_SENT_BYTES_MAX] };
        Self {
            // A length of zero is not a packet.
            kept: std::array::from_fn(|_| Some(Box::new(empty))),
            spare: Some(Box::new(empty)),
            packed: Box::new([0; OPUS_SENT_BYTES_MAX]),
        }
    }

    /// The packet, and as many as `copies` of those before it. Copies that are too old for their header or
    /// would make the whole too large for a datagram are left out.
    pub fn pack(&mut self, rtp_time: u64, payload: &[u8], copies: usize) -> &[u8] {
        let mut room = OPUS_SENT_BYTES_MAX.saturating_sub(1 + payload.len());
        let fits = |kept: &&EarlierPacket| {
            let offset = rtp_time.saturating_sub(kept.rtp_time);
            let is_usable = kept.len > 0 && kept.len <= COPY_BYTES_MAX && (1..=OFFSET_MAX).contains(&offset);
            let bytes = 4 + kept.len;
            let is_taken = is_usable && bytes <= room;
            room -= if is_taken { bytes } else { 0 };
            is_taken
        };
        let kept = self.kept.iter().flatten().map(Box::as_ref).take(copies);
        // The nearest must come last, so the first that does not fit ends the row.
        let taken: heapless::Vec<&EarlierPacket, RED_SENT_COPIES_MAX> = kept.take_while(fits).collect();
        let mut writer = Writer { bytes: &mut self.packed[..], len: 0 };
        for kept in taken.iter().rev() {
            let (offset, len) = ((rtp_time - kept.rtp_time) as u32, kept.len as u32);
            let header = offset << 10 | len;
            writer.put(&[FOLLOWS | OPUS]);
            writer.put(&header.to_be_bytes()[1..]);
        }
        writer.put(&[OPUS]);
        for kept in taken.iter().rev() {
            writer.put(&kept.payload[..kept.len]);
        }
        writer.put(payload);
        let len = writer.len;
        drop(taken);
        self.keep(rtp_time, payload);
        &self.packed[..len]
    }

    /// A new session: others have nothing of what was sent before.
    pub fn forget(&mut self) {
        self.kept.iter_mut().flatten().for_each(|kept| kept.len = 0);
    }

    fn keep(&mut self, rtp_time: u64, payload: &[u8]) {
        let Some(mut newest) = self.spare.take() else { return };
        newest.rtp_time = rtp_time;
        newest.len = payload.len().min(OPUS_SENT_BYTES_MAX);
        newest.payload[..newest.len].copy_from_slice(&payload[..newest.len]);
        self.kept.rotate_right(1);
        self.spare = self.kept[0].replace(newest);
    }
}

impl Default for RedPacker {
    fn default() -> Self {
        Self::new()
    }
}

struct Writer<'a> {
    bytes: &'a mut [u8],
    len: usize,
}

impl Writer<'_> {
    /// Appends what there is room for; the sums above leave room for all.
    fn put(&mut self, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(self.len..self.len + bytes.len()) {
            place.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::receive::red::split;

    #[test]
    fn our_own_reader_takes_it_apart_again() {
        let mut packer = RedPacker::new();
        for number in 0..6_u8 {
            let payload = vec![number; 40 + usize::from(number)];
            let packed = packer.pack(u64::from(number) * 960, &payload, 2).to_vec();
            let red = split(&packed).unwrap();
            assert_eq!(red.primary, payload);
            assert_eq!(red.copies.len(), usize::from(number.min(2)));
            for copy in red.copies {
                assert_eq!(copy.payload[0], number - copy.distance as u8);
                assert_eq!(copy.offset_samples, 960 * copy.distance);
            }
        }
    }

    #[test]
    fn no_copies_asked_for_too_old_or_too_large_are_none() {
        let mut packer = RedPacker::new();
        packer.pack(0, b"first", 0);
        assert_eq!(split(packer.pack(960, b"second", 0)).unwrap().copies.len(), 0);
        assert_eq!(split(packer.pack(20_000, b"after a pause", 2)).unwrap().copies.len(), 0);
        packer.forget();
        assert_eq!(split(packer.pack(20_480, b"of a new session", 2)).unwrap().copies.len(), 0);
        let large = [7; 700];
        packer.pack(20_960, &large, 2);
        let packed = packer.pack(21_920, &large, 2);
        assert!(packed.len() <= OPUS_SENT_BYTES_MAX);
        assert_eq!(split(packed).unwrap().primary, large);
    }
}
