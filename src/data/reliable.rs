//! Reliable packets: each is kept until the server has it ([`ReliableOutbox`]), and each packet of others is taken once
//! ([`Received`]).
//!
//! ```text
//!   push ─► 5 6 7 8 │ 3 4 ─► SCTP            resumed(3): the server has 3; 4, 5, … are written (again)
//!           waiting   written, not confirmed
//! ```
//!
//! Numbers run 1, 2, 3 … for a whole session. The server drops packets that do not continue from the last number that
//! it saw, so that writing a packet again duplicates nothing; a resume reports that number (`last_message_seq`).
//! Between resumes SCTP reports how much has arrived, and packets that have are dropped.

use std::collections::VecDeque;

use crate::limits::{PARTICIPANTS_MAX, RELIABLE_BYTES_MAX, RELIABLE_WINDOW_BYTES};
use crate::signal::sid::Sid;

/// What we send, in order, until the server has it.
#[derive(Debug, Default)]
pub struct ReliableOutbox {
    kept: VecDeque<UnconfirmedPacket>,
    kept_bytes: usize,
    last_sequence: u32,
    /// The first so many of `kept` are with SCTP.
    written: usize,
    /// Bytes ever given to SCTP in this session, and how many of them have arrived.
    written_bytes: u64,
    arrived_bytes: u64,
}

#[derive(Debug)]
struct UnconfirmedPacket {
    sequence: u32,
    /// Under what its loss is reported; `None` for what is reported otherwise.
    topic: Option<String>,
    bytes: Vec<u8>,
    /// `written_bytes` after it was written.
    end: u64,
    /// It is not to be written again.
    is_withdrawn: bool,
}

/// What became of packets that were withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Withdrawn {
    /// So many had not left yet, and never will.
    pub removed: usize,
    /// So many were given to SCTP already, and are not confirmed.
    pub under_way: usize,
}

/// There is no room: too many bytes wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl ReliableOutbox {
    /// Bytes that can be pushed now.
    pub fn room(&self) -> usize {
        RELIABLE_BYTES_MAX - self.kept_bytes
    }

    /// Whether nothing waits for the path or for its confirmation.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The number of the next packet.
    pub fn next_sequence(&self) -> u32 {
        self.last_sequence.wrapping_add(1)
    }

    /// Takes a packet, encoded with [`ReliableOutbox::next_sequence`]. Its loss is reported under `topic`.
    ///
    /// # Errors
    /// It does not fit; its number is given to the next one.
    pub fn push(&mut self, topic: Option<&str>, bytes: Vec<u8>) -> Result<(), Full> {
        if bytes.len() > self.room() {
            return Err(Full);
        }
        self.last_sequence = self.next_sequence();
        self.kept_bytes += bytes.len();
        let topic = topic.map(str::to_owned);
        self.kept.push_back(UnconfirmedPacket {
            sequence: self.last_sequence,
            topic,
            bytes,
            end: 0,
            is_withdrawn: false,
        });
        Ok(())
    }

    /// The next packet for SCTP, if there is one and the window allows it. [`ReliableOutbox::wrote`] follows where
    /// SCTP took it.
    pub fn next_to_write(&self) -> Option<&[u8]> {
        let next = self.kept.get(self.written)?;
        let under_way = self.written_bytes - self.arrived_bytes;
        let fits = under_way == 0 || under_way + next.bytes.len() as u64 <= RELIABLE_WINDOW_BYTES as u64;
        fits.then_some(&next.bytes)
    }

    /// SCTP took the packet of [`ReliableOutbox::next_to_write`].
    pub fn wrote(&mut self) {
        if let Some(next) = self.kept.get_mut(self.written) {
            self.written += 1;
            self.written_bytes += next.bytes.len() as u64;
            next.end = self.written_bytes;
        }
    }

    /// SCTP still holds `buffered_bytes` of what it was given: the rest has arrived.
    pub fn arrived(&mut self, buffered_bytes: usize) {
        let arrived = self.written_bytes.saturating_sub(buffered_bytes as u64);
        self.arrived_bytes = self.arrived_bytes.max(arrived);
        while self.written > 0 && self.kept.front().is_some_and(|kept| kept.end <= self.arrived_bytes) {
            self.forget_first();
        }
    }

    /// The session is resumed, and the server has everything up to `last_sequence`. What it does not have
    /// is to be written again.
    pub fn resumed(&mut self, last_sequence: u32) {
        while self.kept.front().is_some_and(|kept| kept.sequence <= last_sequence) {
            self.forget_first();
        }
        self.written = 0;
        self.kept.retain(|kept| !kept.is_withdrawn);
        self.kept_bytes = self.kept.iter().map(|kept| kept.bytes.len()).sum();
    }

    /// Withdraws the packets with these numbers: those that SCTP does not have yet are removed. The holes that they
    /// leave are of no consequence, since the server and other clients only drop numbers that do not count on.
    pub fn withdraw(&mut self, sequences: &[u32]) -> Withdrawn {
        let mut withdrawn = Withdrawn::default();
        for kept in self.kept.iter_mut().take(self.written) {
            kept.is_withdrawn |= sequences.contains(&kept.sequence);
            withdrawn.under_way += usize::from(kept.is_withdrawn);
        }
        let mut place = self.written;
        while let Some(kept) = self.kept.get(place) {
            if sequences.contains(&kept.sequence) {
                self.kept_bytes -= kept.bytes.len();
                self.kept.remove(place);
                withdrawn.removed += 1;
            } else {
                place += 1;
            }
        }
        withdrawn
    }

    /// Whether SCTP still holds packets that were withdrawn: a connection that is mended would send them again.
    pub fn holds_withdrawn(&self) -> bool {
        self.kept.iter().any(|kept| kept.is_withdrawn)
    }

    /// The session is lost: numbers restart. Returns the topics of packets that the server may not have, with counts.
    pub fn session_lost(&mut self) -> Vec<(String, u32)> {
        let counts = self.unconfirmed();
        *self = ReliableOutbox::default();
        counts
    }

    /// The topics of what the server may not have, with counts.
    pub fn unconfirmed(&self) -> Vec<(String, u32)> {
        let mut counts: Vec<(String, u32)> = Vec::new();
        for topic in self.kept.iter().filter_map(|kept| kept.topic.as_ref()) {
            match counts.iter_mut().find(|(known, _)| known == topic) {
                Some((_, count)) => *count += 1,
                None => counts.push((topic.clone(), 1)),
            }
        }
        counts
    }

    fn forget_first(&mut self) {
        if let Some(gone) = self.kept.pop_front() {
            self.kept_bytes -= gone.bytes.len();
            self.written = self.written.saturating_sub(1);
        }
    }
}

/// The last number of each sender, the longest silent first.
#[derive(Debug, Default)]
pub struct Received {
    last: heapless::Vec<(Sid, u32), PARTICIPANTS_MAX>,
}

impl Received {
    /// Whether a packet of `sender` was not here yet; it is from now on. Packets without a number are new.
    pub fn is_new(&mut self, sender: Sid, sequence: u32) -> bool {
        if sequence == 0 {
            return true;
        }
        if let Some(place) = self.last.iter().position(|(known, _)| *known == sender) {
            let (_, last) = self.last.remove(place);
            // As many places as before.
            let _ = self.last.push((sender, last.max(sequence)));
            return sequence > last;
        }
        if self.last.is_full() {
            self.last.remove(0);
        }
        let _ = self.last.push((sender, sequence));
        true
    }

    /// What we have, for the server of a resumed session.
    pub fn states(&self) -> &[(Sid, u32)] {
        &self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(outbox: &mut ReliableOutbox, topic: Option<&str>, bytes: usize) -> Result<(), Full> {
        outbox.push(topic, vec![0; bytes])
    }

    /// Writes as long as the window allows; the count.
    fn write_all(outbox: &mut ReliableOutbox) -> usize {
        let mut count = 0;
        while outbox.next_to_write().is_some() {
            outbox.wrote();
            count += 1;
        }
        count
    }

    #[test]
    fn what_has_arrived_is_forgotten_in_order() {
        let mut outbox = ReliableOutbox::default();
        for _ in 0..3 {
            packet(&mut outbox, None, 100).unwrap();
        }
        assert_eq!(write_all(&mut outbox), 3);
        outbox.arrived(150);
        assert_eq!(outbox.kept.iter().map(|kept| kept.sequence).collect::<Vec<_>>(), [2, 3]);
        outbox.arrived(0);
        assert!(outbox.is_empty());
        assert_eq!((outbox.room(), outbox.next_sequence()), (RELIABLE_BYTES_MAX, 4));
    }

    #[test]
    fn a_resume_writes_the_rest_again_and_a_lost_session_reports_it() {
        let mut outbox = ReliableOutbox::default();
        for topic in ["a", "b", "b"] {
            packet(&mut outbox, Some(topic), 10).unwrap();
        }
        packet(&mut outbox, None, 10).unwrap();
        assert_eq!(write_all(&mut outbox), 4);
        outbox.resumed(1);
        assert_eq!(write_all(&mut outbox), 3, "2, 3 and 4");
        // The first copies are confirmed before the second ones, which alone count now.
        outbox.arrived(30);
        assert!(!outbox.is_empty());
        assert_eq!(outbox.session_lost(), [("b".to_owned(), 2)]);
        assert_eq!(outbox.next_sequence(), 1);
    }

    #[test]
    fn what_is_withdrawn_is_not_written_again() {
        let mut outbox = ReliableOutbox::default();
        for _ in 0..6 {
            packet(&mut outbox, None, RELIABLE_WINDOW_BYTES / 3).unwrap();
        }
        assert_eq!(write_all(&mut outbox), 3);
        assert_eq!(outbox.withdraw(&[2, 3, 4, 6]), Withdrawn { removed: 2, under_way: 2 });
        assert_eq!(outbox.kept.iter().map(|kept| kept.sequence).collect::<Vec<_>>(), [1, 2, 3, 5]);
        assert_eq!((outbox.next_sequence(), outbox.holds_withdrawn()), (7, true));
        outbox.resumed(1);
        assert_eq!(outbox.kept.iter().map(|kept| kept.sequence).collect::<Vec<_>>(), [5]);
        assert_eq!(outbox.room(), RELIABLE_BYTES_MAX - RELIABLE_WINDOW_BYTES / 3);
        assert!(!outbox.holds_withdrawn());
        assert_eq!(outbox.withdraw(&[2, 3]), Withdrawn::default());
    }

    #[test]
    fn the_window_and_the_whole_are_bounded() {
        let mut outbox = ReliableOutbox::default();
        packet(&mut outbox, None, RELIABLE_WINDOW_BYTES + 1).unwrap();
        assert_eq!(write_all(&mut outbox), 1, "one that is larger than the window goes alone");
        let mut taken = 1;
        while packet(&mut outbox, None, 15_000).is_ok() {
            taken += 1;
        }
        assert_eq!(taken, 1 + (RELIABLE_BYTES_MAX - RELIABLE_WINDOW_BYTES - 1) / 15_000);
        assert_eq!(write_all(&mut outbox), 0);
        outbox.arrived(0);
        assert_eq!(write_all(&mut outbox), RELIABLE_WINDOW_BYTES / 15_000);
    }

    #[test]
    fn any_order_of_calls_keeps_numbers_in_order_and_memory_bounded() {
        let mut random = fastrand::Rng::with_seed(41);
        let mut outbox = ReliableOutbox::default();
        // What a server has, which drops what does not count on.
        let (mut server_last, mut pushed) = (0, 0);
        for _ in 0..50_000 {
            match random.u32(0..8) {
                0..=3 => pushed += u32::from(packet(&mut outbox, Some("t"), random.usize(1..20_000)).is_ok()),
                4 | 5 => {
                    if outbox.next_to_write().is_some() {
                        let sequence = outbox.kept[outbox.written].sequence;
                        assert!(sequence <= server_last + 1, "no hole: {sequence} after {server_last}");
                        server_last = server_last.max(sequence);
                        outbox.wrote();
                    }
                }
                6 => outbox.arrived(0),
                _ => outbox.resumed(random.u32(server_last.saturating_sub(3)..=server_last)),
            }
            assert!(outbox.kept_bytes <= RELIABLE_BYTES_MAX && outbox.written <= outbox.kept.len());
            assert!(
                outbox.kept.iter().zip(1..).all(|(kept, n)| kept.sequence == outbox.kept[0].sequence + n - 1)
            );
        }
        assert!(pushed > 5000 && server_last > 5000);
    }

    #[test]
    fn each_packet_is_taken_once() {
        let sid = |text: &str| Sid::new(text).unwrap();
        let mut received = Received::default();
        for (sender, sequence, is_new) in [
            ("PA_a", 1, true),
            ("PA_a", 1, false),
            ("PA_b", 1, true),
            ("PA_a", 5, true),
            ("PA_a", 4, false),
            ("PA_a", 0, true),
            ("PA_a", 6, true),
        ] {
            assert_eq!(received.is_new(sid(sender), sequence), is_new, "{sender} {sequence}");
        }
        for number in 0..2 * PARTICIPANTS_MAX {
            assert!(received.is_new(sid(&format!("PA_{number}")), 1));
        }
        assert!(received.states().len() == PARTICIPANTS_MAX, "a crowd costs no more");
        assert!(!received.is_new(sid(&format!("PA_{}", 2 * PARTICIPANTS_MAX - 1)), 1));
    }
}
