//! Messages to and from others: the way of a data packet through the engine.
//!
//! ```text
//!   command ─► may we? ─► Outbox ─► (session up, channel open, window) ─► publisher ─► server
//!   primary connection ─► inbox ─► decode ─► each once ─► chat, streams, calls … ─► Event
//! ```
//!
//! The publisher is connected when the first message wants to leave: a device that only listens has none
//! before. While a session is being resumed messages wait; afterwards the server says what it has, and
//! the rest goes out, in order. A lost session takes what was not confirmed with it, and says how many.

pub(in crate::engine) mod profile;
pub(in crate::engine) mod rpc;
pub(in crate::engine) mod sent_files;
pub(in crate::engine) mod streams;

use std::time::Instant;

use serde_json::Value;

use crate::command::message::{Address, DataMessage};
use crate::command::{Answer, CommandError};
use crate::data::captions::{Caption, Captions};
use crate::data::chat_ids::ChatIds;
use crate::data::packet::{Content, Origin, Outgoing, Packet};
use crate::data::reliable::{Outbox, Received, Withdrawn};
use crate::engine::Engine;
use crate::engine::route_local::EarlyStream;
use crate::event::{DataFacts, Event};
use crate::limits::{DATA_PACKETS_PER_DRAIN, LOSSY_WAITING_MAX};
use crate::rtc::{Channel, Written};
use rpc::Rpc;
use sent_files::Files;
use streams::Streams;

/// The state of messages in one session, and of streams.
#[derive(Default)]
pub(in crate::engine) struct Data {
    outbox: Outbox,
    lossy: heapless::Deque<Vec<u8>, LOSSY_WAITING_MAX>,
    received: Received,
    /// Something is or was to be sent in this session: the publisher is wanted, even without a track.
    pub(in crate::engine) is_wanted: bool,
    /// Packets of the drain under way.
    inbox: Vec<(Channel, Vec<u8>)>,
    pub(in crate::engine) streams: Streams,
    pub(in crate::engine) files: Files,
    pub(in crate::engine) early: Option<EarlyStream>,
    pub(in crate::engine) rpc: Rpc,
    pub(in crate::engine) captions: Captions,
    chat_ids: ChatIds,
    /// The server's clock: milliseconds since 1970 at an instant of ours.
    server_time: Option<(Instant, i64)>,
    has_warned: Warned,
    /// When a message was last given to SCTP, or confirmed by it.
    moved_at: Option<Instant>,
}

/// What a person is told once, since whoever causes it causes it again.
#[derive(Default)]
struct Warned {
    malformed: bool,
    encrypted: bool,
}

impl Data {
    /// Keeps a packet of the drain under way; `false` if it is one too many.
    pub(in crate::engine) fn keep(&mut self, channel: Channel, bytes: Vec<u8>) -> bool {
        let fits = self.inbox.len() < DATA_PACKETS_PER_DRAIN;
        if fits {
            self.inbox.push((channel, bytes));
        }
        fits
    }

    /// Bytes that can wait to be sent.
    pub(in crate::engine) fn room(&self) -> usize {
        self.outbox.room()
    }

    /// The number of the next reliable packet.
    pub(in crate::engine) fn next_sequence(&self) -> u32 {
        self.outbox.next_sequence()
    }

    /// Whether a message, or a part of one, may not have arrived yet.
    pub(in crate::engine) fn has_unsent(&self) -> bool {
        !(self.outbox.is_empty() && self.lossy.is_empty() && self.files.is_empty())
    }

    /// When a message was last given to SCTP, or confirmed by it.
    pub(in crate::engine) fn moved_at(&self) -> Option<Instant> {
        self.moved_at
    }

    /// Topics of reliable messages and files that may not have arrived, with counts.
    pub(in crate::engine) fn unsent(&self) -> Vec<(String, u32)> {
        let mut counts = self.outbox.unconfirmed();
        for topic in self.files.topics() {
            match counts.iter_mut().find(|(known, _)| known == topic) {
                Some((_, count)) => *count += 1,
                None => counts.push((topic.to_owned(), 1)),
            }
        }
        counts
    }

    /// Withdraws packets that are not to leave any more.
    pub(in crate::engine) fn withdraw(&mut self, sequences: &[u32]) -> Withdrawn {
        self.outbox.withdraw(sequences)
    }

    /// Whether a mended connection would send again what was withdrawn.
    pub(in crate::engine) fn holds_withdrawn(&self) -> bool {
        self.outbox.holds_withdrawn()
    }

    /// The server has us back, and has our packets up to `last_sequence`.
    pub(in crate::engine) fn resumed(&mut self, last_sequence: u32) {
        self.outbox.resumed(last_sequence);
    }

    /// What we have of the others' packets.
    pub(in crate::engine) fn received(&self) -> &Received {
        &self.received
    }
}

impl Engine {
    /// Whether a message can be sent now, or will be when the session is mended.
    pub(in crate::engine) fn may_send_data(&self) -> Result<(), CommandError> {
        self.session.may_send()?;
        if self.room.own().is_none_or(|own| !own.permission.data) {
            return Err(CommandError::refused("the token does not allow data to be sent (canPublishData)"));
        }
        Ok(())
    }

    pub(in crate::engine) fn send_data(&mut self, message: DataMessage, now: Instant) -> Answer {
        self.may_send_data()?;
        let DataMessage { address, payload, is_lossy } = message;
        address.check()?;
        let Address { topic, to } = address;
        let outgoing =
            Outgoing { destinations: to, content: Content::User { topic: topic.clone(), payload } };
        if is_lossy {
            self.send_lossy(&outgoing, now)?;
        } else {
            self.send_reliable(Some(&topic), &outgoing, now)?;
        }
        Ok(Value::Null)
    }

    /// Each key of `digits`, in order (RFC 4733 §3.2).
    pub(in crate::engine) fn send_dtmf(&mut self, digits: &str, now: Instant) -> Answer {
        const KEYS: &str = "0123456789*#ABCD";
        self.may_send_data()?;
        let keys: Option<Vec<usize>> =
            digits.chars().map(|digit| KEYS.find(digit.to_ascii_uppercase())).collect();
        let keys =
            keys.filter(|keys| !keys.is_empty() && keys.len() <= COMMAND_DIGITS_MAX).ok_or_else(|| {
                CommandError::usage(format!("dtmf takes 1 to {COMMAND_DIGITS_MAX} of the keys {KEYS}"))
            })?;
        for code in keys {
            let content = Content::Dtmf { code: code as u32, digit: KEYS[code..=code].to_owned() };
            self.send_reliable(Some("dtmf"), &Outgoing { destinations: Vec::new(), content }, now)?;
        }
        Ok(Value::Null)
    }

    /// Puts a packet into the outbox, and sends what can be sent. Its loss is reported under `topic`.
    pub(in crate::engine) fn send_reliable(
        &mut self,
        topic: Option<&str>,
        outgoing: &Outgoing,
        now: Instant,
    ) -> Result<(), CommandError> {
        let bytes = outgoing.encode(Some(self.data.outbox.next_sequence()));
        let bytes = bytes.map_err(|error| CommandError::refused(error.to_string()))?;
        self.data.outbox.push(topic, bytes).map_err(|_| {
            CommandError::refused("too much is waiting to be sent: the connection is slow, try again later")
        })?;
        self.want_channels(now);
        self.send_waiting(now);
        Ok(())
    }

    fn send_lossy(&mut self, outgoing: &Outgoing, now: Instant) -> Result<(), CommandError> {
        let bytes = outgoing.encode(None).map_err(|error| CommandError::refused(error.to_string()))?;
        if self.data.lossy.is_full() {
            self.data.lossy.pop_front();
            self.out.counters.data_lost += 1;
        }
        // There is room for one now.
        let _ = self.data.lossy.push_back(bytes);
        self.want_channels(now);
        self.send_waiting(now);
        Ok(())
    }

    /// The channels are part of the publisher's first offer, which a listener has not made yet.
    fn want_channels(&mut self, now: Instant) {
        self.data.is_wanted = true;
        if self.session.has_signal() && !self.transports.was_offered() {
            self.offer(now);
        }
    }

    /// Hands SCTP what it has room for, as long as the session is whole.
    pub(in crate::engine) fn send_waiting(&mut self, now: Instant) {
        loop {
            let mut has_written = false;
            if self.session.is_whole() {
                let data = &mut self.data;
                while let Some(bytes) = data.outbox.next_to_write()
                    && self.transports.write(Channel::Reliable, bytes) == Written::Taken
                {
                    data.outbox.wrote();
                    has_written = true;
                }
            }
            while let Some(bytes) = self.data.lossy.front() {
                match self.transports.write(Channel::Lossy, bytes) {
                    Written::NotOpen => break,
                    Written::Taken => has_written = true,
                    // Late is as good as never here.
                    Written::NoRoom => self.out.counters.data_lost += 1,
                }
                self.data.lossy.pop_front();
            }
            if !has_written {
                return;
            }
            self.data.moved_at = Some(now);
            self.with_transports(now, |transports, ctx| transports.send_written(ctx));
        }
    }

    /// The publisher has moved: something may have arrived, and something else may follow.
    pub(in crate::engine) fn data_moved(&mut self, now: Instant) {
        self.messages_move(now);
        self.farewell_moves(now);
    }

    fn messages_move(&mut self, now: Instant) {
        if self.data.outbox.is_empty() && self.data.lossy.is_empty() {
            return;
        }
        // A channel that the server has closed holds nothing, which is no confirmation.
        if let Some(buffered) = self.transports.buffered_bytes() {
            self.data.outbox.arrived(buffered);
            self.data.moved_at = Some(now);
        }
        self.send_waiting(now);
        self.files_move(now);
        self.recording_moves(now);
    }

    /// Takes the packets that a drain brought.
    pub(in crate::engine) fn data_arrived(&mut self, now: Instant) {
        let mut inbox = std::mem::take(&mut self.data.inbox);
        for (channel, bytes) in inbox.drain(..) {
            self.data_packet(channel, &bytes, now);
        }
        self.flush_stores();
        // Its memory is used again, unless a burst has made it large.
        if inbox.capacity() <= LOSSY_WAITING_MAX {
            self.data.inbox = inbox;
        }
    }

    fn data_packet(&mut self, channel: Channel, bytes: &[u8], now: Instant) {
        let packet = match Packet::decode(bytes) {
            Ok(packet) => packet,
            Err(error) => {
                self.out.counters.data_refused += 1;
                if !std::mem::replace(&mut self.data.has_warned.malformed, true) {
                    self.out.warn(format!("a data packet was of no use: {error}; more are only counted"));
                }
                return;
            }
        };
        if channel == Channel::Reliable
            && let Some(sender) = packet.sender_sid
            && !self.data.received.is_new(sender, packet.sequence)
        {
            self.out.counters.data_repeated += 1;
            return;
        }
        let (origin, sender) = (packet.origin(), packet.sender);
        match packet.content {
            Content::User { topic, payload } => {
                let reliable = channel == Channel::Reliable;
                self.out.emit(Event::Data(DataFacts { identity: sender, topic, payload, reliable }));
            }
            Content::Chat { is_deleted: true, .. } => {}
            Content::Chat { id, text, .. } => self.chat_heard(origin, sender, id, text),
            Content::Dtmf { digit, .. } => self.out.emit(Event::Dtmf { identity: sender, digit }),
            Content::Transcription { identity, segments } => {
                let identity = if identity.is_empty() { sender } else { identity };
                for segment in segments {
                    let caption = Caption { identity: identity.clone(), segment };
                    let released = self.data.captions.packet(&origin, caption, now);
                    self.report_captions(released);
                }
            }
            Content::StreamHeader(header) => self.stream_began(origin, &sender, header, now),
            Content::StreamChunk { id, index, content } => {
                self.stream_goes_on(&origin, &id, index, content, now);
            }
            Content::StreamTrailer { id, reason, attributes } => {
                self.stream_ended(&origin, &id, &reason, attributes);
            }
            rpc @ (Content::RpcRequest(_) | Content::RpcAck { .. } | Content::RpcResponse { .. }) => {
                self.rpc_packet(&sender, rpc, now);
            }
            Content::Encrypted => {
                if !std::mem::replace(&mut self.data.has_warned.encrypted, true) {
                    self.out.warn(format!(
                        "{sender} sends encrypted messages: not read, this program has no key"
                    ));
                }
            }
            Content::Other => {}
        }
    }

    /// A chat message, which may come as a packet and as a stream: reported once.
    pub(in crate::engine) fn chat_heard(
        &mut self,
        origin: Origin,
        identity: String,
        id: String,
        text: String,
    ) {
        if self.data.chat_ids.is_new(origin, &id) {
            self.out.emit(Event::Chat { identity, text, id });
        }
    }

    /// Messages of a session that is lost: what was not confirmed is reported, the rest forgotten.
    pub(in crate::engine) fn data_lost_with_session(&mut self) {
        for (topic, count) in self.data.outbox.session_lost() {
            self.out.emit(Event::DataUnconfirmed { topic, count });
        }
        self.data.lossy.clear();
        self.data.inbox.clear();
        self.data.moved_at = None;
        self.data.received = Received::default();
        self.data.is_wanted = false;
        self.streams_lost();
        self.calls_lost();
        self.files_lost();
    }

    /// The server says what time it is.
    pub(in crate::engine) fn server_time_heard(&mut self, unix_ms: i64, now: Instant) {
        if unix_ms > 0 {
            self.data.server_time = Some((now, unix_ms));
        }
    }

    /// Milliseconds since 1970 by the server's clock, since small devices have none; 0 before it is known.
    pub(in crate::engine) fn unix_ms(&self, now: Instant) -> i64 {
        self.data.server_time.map_or(0, |(heard, unix_ms)| {
            unix_ms.saturating_add(now.saturating_duration_since(heard).as_millis() as i64)
        })
    }

    /// A number for a stream, call or message of ours (RFC 9562 §5.4, version 4).
    pub(in crate::engine) fn new_id(&mut self) -> String {
        let (high, low) = (self.random.u64(..), self.random.u64(..));
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            (low >> 48) & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff
        )
    }
}

/// Keys in one command: a telephone number with its extension, several times over.
const COMMAND_DIGITS_MAX: usize = 64;
