//! Redundant audio data (RFC 2198): a packet that carries those before it again.
//!
//! ```text
//!   1 PT  offset 14  length 10 │ … │ 0 PT │ oldest copy │ … │ primary
//!   └─ one header each copy ────────┘       └─ in the same order ────┘
//! ```
//!
//! A copy holds its time offset, not the number of its packet. Senders add the packets directly before, so the last
//! copy is taken for the packet before this one, the copy in front of it for the one before that (LiveKit's server
//! counts in the same way). No bytes are copied: blocks are slices of the packet.

use crate::limits::{RED_BLOCKS_MAX, RED_COPIES_MAX};

/// Header of a block that another one follows.
const HEADER_BYTES: usize = 4;

/// A block follows this one's header.
const FOLLOWS: u8 = 0x80;

/// An earlier packet, carried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedCopy<'a> {
    /// How many packets before this one.
    pub distance: u64,
    /// How much earlier its sound is, in RTP time.
    pub offset_samples: u64,
    /// The Opus packet.
    pub payload: &'a [u8],
}

/// A packet taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Red<'a> {
    /// The packet itself.
    pub primary: &'a [u8],
    /// Those before it, the nearest first.
    pub copies: heapless::Vec<RedCopy<'a>, RED_COPIES_MAX>,
}

/// Takes a RED payload apart. `None` if its headers promise more than there is, or name more than
/// [`RED_BLOCKS_MAX`] blocks. Copies beyond [`RED_COPIES_MAX`], empty ones and those of another codec are left out.
pub fn split(payload: &[u8]) -> Option<Red<'_>> {
    let mut headers = heapless::Vec::<(u8, u64, usize), RED_BLOCKS_MAX>::new();
    let mut rest = payload;
    let primary_type = loop {
        let (&first, behind) = rest.split_first()?;
        if first & FOLLOWS == 0 {
            rest = behind;
            break first;
        }
        let (&[payload_type, high, middle, low], behind) = rest.split_first_chunk::<HEADER_BYTES>()?;
        let offset_samples = u64::from(high) << 6 | u64::from(middle >> 2);
        let len = usize::from(middle & 0b11) << 8 | usize::from(low);
        headers.push((payload_type & !FOLLOWS, offset_samples, len)).ok()?;
        rest = behind;
    };
    let mut blocks = heapless::Vec::<(u8, u64, &[u8]), RED_BLOCKS_MAX>::new();
    for (payload_type, offset_samples, len) in headers {
        let (block, after) = rest.split_at_checked(len)?;
        // As many places as headers.
        let _ = blocks.push((payload_type, offset_samples, block));
        rest = after;
    }
    let copies = blocks.iter().rev().zip(1..).filter(|((payload_type, offset_samples, block), _)| {
        *payload_type == primary_type && *offset_samples > 0 && !block.is_empty()
    });
    let copies = copies.take(RED_COPIES_MAX).map(|(&(_, offset_samples, payload), distance)| RedCopy {
        distance,
        offset_samples,
        payload,
    });
    Some(Red { primary: rest, copies: copies.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::tests::voice::next;

    /// As a sender writes it: copies from the oldest to the nearest, each (payload type, offset, bytes).
    fn red(copies: &[(u8, u16, &[u8])], primary: &[u8]) -> Vec<u8> {
        let mut payload = Vec::new();
        for (payload_type, offset, block) in copies {
            let len = block.len() as u16;
            payload.extend([0x80 | payload_type, (offset >> 6) as u8]);
            payload.extend([((offset & 0x3f) << 2 | len >> 8) as u8, len as u8]);
        }
        payload.push(111);
        payload.extend(copies.iter().flat_map(|copy| copy.2).chain(primary));
        payload
    }

    #[test]
    fn copies_are_counted_back_from_the_primary() {
        let long = [9; 1023];
        let payload = red(&[(111, 1920, b"old"), (111, 960, &long)], b"new");
        let split = split(&payload).unwrap();
        assert_eq!(split.primary, b"new");
        let found: Vec<_> = split.copies.iter().map(|c| (c.distance, c.offset_samples, c.payload)).collect();
        assert_eq!(found, [(1, 960, &long[..]), (2, 1920, &b"old"[..])]);
    }

    #[test]
    fn what_is_no_copy_is_left_out_and_keeps_its_distance() {
        let payload = red(&[(111, 2880, b"far"), (13, 1920, b"noise"), (111, 960, b"")], b"new");
        let split = split(&payload).unwrap();
        let found: Vec<_> = split.copies.iter().map(|copy| (copy.distance, copy.payload)).collect();
        assert_eq!(found, [(3, &b"far"[..])]);
        assert_eq!(split.primary, b"new");
        assert_eq!(super::split(&[111]).unwrap().primary, b"", "padding");
    }

    #[test]
    fn headers_that_promise_more_than_there_is_are_refused() {
        let many: Vec<_> = (0..=RED_BLOCKS_MAX as u16).map(|i| (111, i + 1, &b"x"[..])).collect();
        let refused: [&[u8]; 5] =
            [&[], &[0x80 | 111], &[0xef, 0, 0], &[0xef, 0, 0, 2, 111, 1], &red(&many, b"y")];
        for payload in refused {
            assert_eq!(split(payload), None, "{payload:?}");
        }
    }

    #[test]
    fn random_bytes_never_reach_past_the_packet() {
        let mut state = 7;
        for _ in 0..20_000 {
            let len = next(&mut state) % 40;
            let payload: Vec<u8> = (0..len).map(|_| (next(&mut state) >> 20) as u8).collect();
            if let Some(split) = split(&payload) {
                let bytes = split.primary.len() + split.copies.iter().map(|c| c.payload.len()).sum::<usize>();
                assert!(bytes < payload.len());
            }
        }
    }
}
