//! The data channels of a session: what waits to be sent, and which packets of others were here before.
//!
//! ```text
//!   send_reliable ─► encode ─► ReliableOutbox (numbered, until confirmed) ─┐
//!   send_lossy ────► encode ─► ≤ 16 packets, the newest ───────────────────┴─► write ─► SCTP
//!   receive ◄─ decode ◄─ each number of a sender once ◄─ bytes of the server
//! ```
//!
//! Every data packet of ours passes [`DataChannels::encode`], and every packet of others [`DataChannels::receive`]:
//! end-to-end encryption belongs there.

use std::time::Instant;

use crate::command::CommandError;
use crate::data::packet::{Content, Outgoing, Packet};
use crate::data::reliable::{Received, ReliableOutbox, Withdrawn};
use crate::engine::outbox::Outbox;
use crate::event::Event;
use crate::limits::LOSSY_WAITING_MAX;
use crate::rtc::{Channel, Written};
use crate::signal::sid::Sid;

/// The packets of both channels, in one session.
#[derive(Default)]
pub(super) struct DataChannels {
    reliable: ReliableOutbox,
    lossy: heapless::Deque<Vec<u8>, LOSSY_WAITING_MAX>,
    received: Received,
    /// Something is or was to be sent in this session: the publisher is wanted, even without a track.
    is_wanted: bool,
    /// Something was queued since [`DataChannels::take_queued`].
    has_queued: bool,
    /// When a packet was last given to SCTP, or confirmed by it.
    moved_at: Option<Instant>,
    /// Each cause is reported once, since it mostly comes again.
    has_warned_of_malformed: bool,
    has_warned_of_encrypted: bool,
}

impl DataChannels {
    /// Queues a packet that is kept until the server has it. Its loss is reported under `topic`.
    ///
    /// # Errors
    /// It is too long, or too much waits already.
    pub(super) fn send_reliable(
        &mut self,
        topic: Option<&str>,
        outgoing: &Outgoing,
    ) -> Result<(), CommandError> {
        let bytes = DataChannels::encode(outgoing, Some(self.reliable.next_sequence()))?;
        self.reliable.push(topic, bytes).map_err(|_| {
            CommandError::refused("too much is waiting to be sent: the connection is slow, try again later")
        })?;
        (self.is_wanted, self.has_queued) = (true, true);
        Ok(())
    }

    /// Queues a packet that is sent once. Where too many wait, the oldest is dropped.
    ///
    /// # Errors
    /// It is too long.
    pub(super) fn send_lossy(&mut self, outgoing: &Outgoing, out: &mut Outbox) -> Result<(), CommandError> {
        let bytes = DataChannels::encode(outgoing, None)?;
        if self.lossy.is_full() {
            self.lossy.pop_front();
            _ = out.count(|counters| &mut counters.data_lost, 1);
        }
        // There is room for one now.
        let _ = self.lossy.push_back(bytes);
        (self.is_wanted, self.has_queued) = (true, true);
        Ok(())
    }

    /// Here every packet enters a channel, and only here: end-to-end encryption of its content comes before the encoding.
    fn encode(outgoing: &Outgoing, sequence: Option<u32>) -> Result<Vec<u8>, CommandError> {
        outgoing.encode(sequence).map_err(|error| CommandError::refused(error.to_string()))
    }

    /// Here every packet leaves a channel, and only here: decryption of its content comes after the decoding. `None` for
    /// packets that cannot be read, or were here before.
    pub(super) fn receive(&mut self, channel: Channel, bytes: &[u8], out: &mut Outbox) -> Option<Packet> {
        let packet = match Packet::decode(bytes) {
            Ok(packet) => packet,
            Err(error) => {
                out.count(|counters| &mut counters.data_refused, 1);
                if !std::mem::replace(&mut self.has_warned_of_malformed, true) {
                    out.warn(format!(
                        "ignored an invalid data packet: {error}; further ones are only counted"
                    ));
                }
                return None;
            }
        };
        if channel == Channel::Reliable
            && let Some(sender) = packet.sender_sid
            && !self.received.is_new(sender, packet.sequence)
        {
            out.count(|counters| &mut counters.data_repeated, 1);
            return None;
        }
        if packet.content == Content::Encrypted {
            if !std::mem::replace(&mut self.has_warned_of_encrypted, true) {
                let sender = &packet.sender;
                out.warn(format!("{sender} sends encrypted messages: not read, this program has no key"));
            }
            return None;
        }
        Some(packet)
    }

    /// Hands SCTP what it takes: reliable packets only while the session `is_whole`. `true` if it took any: the publisher
    /// is to be advanced, and this called again.
    pub(super) fn write(
        &mut self,
        is_whole: bool,
        write: &mut impl FnMut(Channel, &[u8]) -> Written,
        now: Instant,
        out: &mut Outbox,
    ) -> bool {
        let mut has_written = false;
        while is_whole
            && let Some(bytes) = self.reliable.next_to_write()
            && write(Channel::Reliable, bytes) == Written::Taken
        {
            self.reliable.wrote();
            has_written = true;
        }
        while let Some(bytes) = self.lossy.front() {
            match write(Channel::Lossy, bytes) {
                Written::NotOpen => break,
                Written::Taken => has_written = true,
                // A late packet is as useless as a lost one.
                Written::NoRoom => _ = out.count(|counters| &mut counters.data_lost, 1),
            }
            self.lossy.pop_front();
        }
        if has_written {
            self.moved_at = Some(now);
        }
        has_written
    }

    /// SCTP still holds `buffered_bytes` of the reliable channel: the rest has arrived.
    pub(super) fn confirmed(&mut self, buffered_bytes: usize, now: Instant) {
        self.reliable.arrived(buffered_bytes);
        self.moved_at = Some(now);
    }

    /// Whether something was queued since the last call.
    pub(super) fn take_queued(&mut self) -> bool {
        std::mem::take(&mut self.has_queued)
    }

    /// Whether the publisher is wanted for messages.
    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Whether nothing waits for SCTP or for its confirmation.
    pub(super) fn is_empty(&self) -> bool {
        self.reliable.is_empty() && self.lossy.is_empty()
    }

    /// Bytes that the reliable channel takes now.
    pub(super) fn free_bytes(&self) -> usize {
        self.reliable.room()
    }

    /// The number of the next reliable packet.
    pub(super) fn next_sequence(&self) -> u32 {
        self.reliable.next_sequence()
    }

    /// When a packet was last given to SCTP, or confirmed by it.
    pub(super) fn moved_at(&self) -> Option<Instant> {
        self.moved_at
    }

    /// Topics of reliable packets that may not have arrived, with counts.
    pub(super) fn unconfirmed(&self) -> Vec<(String, u32)> {
        self.reliable.unconfirmed()
    }

    /// Withdraws packets that are not to leave any more.
    pub(super) fn withdraw(&mut self, sequences: &[u32]) -> Withdrawn {
        self.reliable.withdraw(sequences)
    }

    /// Whether a connection that is mended would send again what was withdrawn.
    pub(super) fn holds_withdrawn(&self) -> bool {
        self.reliable.holds_withdrawn()
    }

    /// The last number of each sender, for the server of a resumed session.
    pub(super) fn received(&self) -> &[(Sid, u32)] {
        self.received.states()
    }

    /// The session is resumed, and the server has our packets up to `last_sequence`.
    pub(super) fn resumed(&mut self, last_sequence: u32) {
        self.reliable.resumed(last_sequence);
    }

    /// The session is lost: what was not confirmed is reported, the rest forgotten.
    pub(super) fn session_lost(&mut self, out: &mut Outbox) {
        for (topic, count) in self.reliable.session_lost() {
            out.emit(Event::DataUnconfirmed { topic, count });
        }
        self.lossy.clear();
        self.received = Received::default();
        (self.is_wanted, self.has_queued) = (false, false);
        self.moved_at = None;
    }
}
