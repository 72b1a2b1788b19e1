//! Messages to and from others: [`Data`], which routes packets between its parts.
//!
//! ```text
//!   commands ─► send.rs ─┬─► SentFiles, RecordingStream ─┐
//!                        └─► Rpc ────────────────────────────┴─► DataChannels ─► write ─► SCTP of the publisher
//!   primary connection ─► keep ─► handle_arrived ─► DataChannels ─┬─► Streams, Rpc ─► events, answers, files
//!                                                                 └─► data, DTMF ───► events
//! ```
//!
//! The publisher is connected for the first message: a device that only listens has none before. While a session is
//! being resumed messages wait; afterwards the server reports what it has, and the rest is sent, in order. A lost
//! session loses unconfirmed messages, and reports how many.
//!
//! Nothing is written while it is queued: after each call that may have queued something the coordinator calls
//! [`Data::take_queued`], offers the publisher if [`Data::wants_publisher`] requires it and it was not offered, and
//! calls [`Data::write`], driving the publisher, until nothing more is written.
//!
//! Functions: `send_data`, `send_text`, `send_chat`, `send_file`, `send_dtmf`, `call`, `answer_call`, `send_recording`,
//! `cut_recording` (send.rs); `keep`, `handle_arrived`, `handle_file`, `take_queued`, `wants_publisher`, `write`,
//! `confirmed`, `send_more`, `participant_left`, `resumed`, `session_lost`, `poll_timeout`, `handle_timeout`,
//! `set_server_time`, and questions about what is under way.

mod channels;
pub(in crate::engine) mod profile;
mod recording;
mod rpc;
mod send;
mod sent_files;
mod stored_files;
mod streams;
#[cfg(test)]
mod tests;

use std::time::Instant;

use crate::command::CommandError;
use crate::data::packet::{Content, Outgoing, Packet};
use crate::engine::outbox::Outbox;
use crate::engine::port::{FileKey, FileNotice};
use crate::event::{DataFacts, Event};
use crate::limits::{DATA_PACKETS_PER_DRAIN, FILE_AHEAD_BYTES, LOSSY_WAITING_MAX, RELIABLE_BYTES_MAX};
use crate::room::Room;
use crate::rtc::{Channel, Written};
use crate::signal::sid::Sid;
use crate::time::deadline::Reason;

use channels::DataChannels;
use recording::RecordingStream;
use rpc::Rpc;
use sent_files::{FilePacket, SentFiles};
use streams::Streams;

/// Messages of one session after another, in both directions.
pub(in crate::engine) struct Data {
    channels: DataChannels,
    /// Packets of the drain under way.
    arrived: Vec<(Channel, Vec<u8>)>,
    streams: Streams,
    files: SentFiles,
    rpc: Rpc,
    recording: RecordingStream,
    /// The server's clock: its milliseconds since 1970 at an instant of ours.
    server_time: Option<(Instant, i64)>,
}

/// What a command needs of the other parts.
#[derive(Debug)]
pub(in crate::engine) struct DataContext<'a> {
    /// Whether the session takes messages, now or when it is mended.
    pub may_send: Result<(), CommandError>,
    /// Edition and version of the server.
    pub server: &'a str,
    /// The room with its participants.
    pub room: &'a Room,
    /// Numbers of streams and calls are drawn from it.
    pub random: &'a mut fastrand::Rng,
}

impl Data {
    /// No messages yet. `stores_files`: whether byte streams of others are stored; `rpc_methods`: the application's
    /// methods.
    pub(in crate::engine) fn new(stores_files: bool, rpc_methods: Vec<String>) -> Data {
        Data {
            channels: DataChannels::default(),
            arrived: Vec::new(),
            streams: Streams::new(stores_files),
            files: SentFiles::default(),
            rpc: Rpc::new(rpc_methods),
            recording: RecordingStream::default(),
            server_time: None,
        }
    }

    /// Keeps a packet of the drain under way; `false` if it is one too many.
    pub(in crate::engine) fn keep(&mut self, channel: Channel, bytes: Vec<u8>) -> bool {
        let fits = self.arrived.len() < DATA_PACKETS_PER_DRAIN;
        if fits {
            self.arrived.push((channel, bytes));
        }
        fits
    }

    /// Takes the packets that a drain brought.
    pub(in crate::engine) fn handle_arrived(&mut self, room: &Room, now: Instant, out: &mut Outbox) {
        if self.arrived.is_empty() {
            return;
        }
        let mut arrived = std::mem::take(&mut self.arrived);
        for (channel, bytes) in arrived.drain(..) {
            if let Some(packet) = self.channels.receive(channel, &bytes, out) {
                self.handle_packet(channel, packet, room, now, out);
            }
        }
        self.streams.flush(out);
        // Its memory is used again, unless a burst has made it large.
        if arrived.capacity() <= LOSSY_WAITING_MAX {
            self.arrived = arrived;
        }
    }

    fn handle_packet(
        &mut self,
        channel: Channel,
        packet: Packet,
        room: &Room,
        now: Instant,
        out: &mut Outbox,
    ) {
        let (origin, sender) = (packet.origin(), packet.sender);
        match packet.content {
            Content::User { topic, payload } => {
                let reliable = channel == Channel::Reliable;
                out.emit(Event::Data(DataFacts { identity: sender, topic, payload, reliable }));
            }
            Content::Dtmf { digit, .. } => out.emit(Event::Dtmf { identity: sender, digit }),
            rpc @ (Content::RpcRequest(_) | Content::RpcAck { .. } | Content::RpcResponse { .. }) => {
                for reply in self.rpc.handle_packet(&sender, rpc, now, out) {
                    self.reply(&reply);
                }
            }
            stream => self.streams.handle_packet(origin, sender, stream, room, now, out),
        }
    }

    /// What the io ring reports of a file, for each order that has a result.
    pub(in crate::engine) fn handle_file(
        &mut self,
        key: FileKey,
        notice: FileNotice,
        room: &Room,
        now: Instant,
        out: &mut Outbox,
    ) {
        match key {
            FileKey::Received(key) => self.streams.handle_file(key, notice, room, out),
            FileKey::Sent(key) => {
                let packet = self.files.handle_notice(key, notice, self.unix_ms(now), out);
                self.send_of_file(packet, out);
                self.send_more(out);
            }
        }
    }

    /// Queues more of files and of the recording, while that leaves room for messages between.
    pub(in crate::engine) fn send_more(&mut self, out: &mut Outbox) {
        while self.has_room_for_files()
            && let Some(packet) = self.files.next_packet(out)
        {
            self.send_of_file(Some(packet), out);
        }
        while self.has_room_for_files()
            && let Some(packet) = self.recording.next_packet(self.channels.next_sequence())
        {
            if self.channels.send_reliable(None, &packet).is_err() {
                self.recording.forget();
            }
        }
    }

    fn has_room_for_files(&self) -> bool {
        self.channels.free_bytes() >= RELIABLE_BYTES_MAX - FILE_AHEAD_BYTES
    }

    fn send_of_file(&mut self, packet: Option<FilePacket>, out: &mut Outbox) {
        let mut next = packet;
        while let Some(FilePacket { key, topic, outgoing }) = next {
            let result = self.channels.send_reliable(topic.as_deref(), &outgoing);
            next = self.files.sent(key, result, out);
        }
    }

    /// A caller that hears nothing knows by its own time that something is wrong with the path.
    fn reply(&mut self, reply: &Outgoing) {
        let _ = self.channels.send_reliable(None, reply);
    }

    /// Whether something was queued since the last call.
    pub(in crate::engine) fn take_queued(&mut self) -> bool {
        self.channels.take_queued()
    }

    /// Whether the publisher is needed for messages. The channels are part of its first offer, which a listener has not
    /// made yet.
    pub(in crate::engine) fn wants_publisher(&self) -> bool {
        self.channels.is_wanted()
    }

    /// Hands SCTP what it takes: reliable packets only while the session `is_whole`. `true` if it took any: the publisher
    /// is to be advanced, and this called again.
    pub(in crate::engine) fn write(
        &mut self,
        is_whole: bool,
        write: &mut impl FnMut(Channel, &[u8]) -> Written,
        now: Instant,
        out: &mut Outbox,
    ) -> bool {
        self.channels.write(is_whole, write, now, out)
    }

    /// Whether packets wait for SCTP or for their confirmation.
    pub(in crate::engine) fn has_waiting(&self) -> bool {
        !self.channels.is_empty()
    }

    /// SCTP still holds `buffered_bytes` of the reliable channel: the rest has arrived.
    pub(in crate::engine) fn confirmed(&mut self, buffered_bytes: usize, now: Instant) {
        self.channels.confirmed(buffered_bytes, now);
    }

    /// Whether a message, or a part of one, may not have arrived yet.
    pub(in crate::engine) fn has_unsent(&self) -> bool {
        !(self.channels.is_empty() && self.files.is_empty())
    }

    /// When a message was last given to SCTP, or confirmed by it.
    pub(in crate::engine) fn moved_at(&self) -> Option<Instant> {
        self.channels.moved_at()
    }

    /// Topics of reliable messages and files that may not have arrived, with counts.
    pub(in crate::engine) fn unsent(&self) -> Vec<(String, u32)> {
        let mut counts = self.channels.unconfirmed();
        for topic in self.files.topics() {
            match counts.iter_mut().find(|(known, _)| known == topic) {
                Some((_, count)) => *count += 1,
                None => counts.push((topic.to_owned(), 1)),
            }
        }
        counts
    }

    /// Whether a mended connection would send again what was withdrawn.
    pub(in crate::engine) fn holds_withdrawn(&self) -> bool {
        self.channels.holds_withdrawn()
    }

    /// The last number of each sender, for the server of a resumed session.
    pub(in crate::engine) fn received(&self) -> &[(Sid, u32)] {
        self.channels.received()
    }

    /// The server has us back, and has our packets up to `last_sequence`.
    pub(in crate::engine) fn resumed(&mut self, last_sequence: u32) {
        self.channels.resumed(last_sequence);
    }

    /// A participant left: its streams stay incomplete. Its calls end, too, unless a newer session of it is in the room.
    pub(in crate::engine) fn participant_left(
        &mut self,
        sid: Sid,
        identity: &str,
        room: &Room,
        out: &mut Outbox,
    ) {
        self.streams.sender_left(sid, identity, room, out);
        if room.participants().all(|other| other.identity != identity) {
            self.rpc.participant_left(identity, out);
        }
    }

    /// The session is lost: what was not confirmed is reported, the rest forgotten.
    pub(in crate::engine) fn session_lost(&mut self, room: &Room, out: &mut Outbox) {
        self.channels.session_lost(out);
        self.arrived.clear();
        self.streams.session_lost(room, out);
        self.rpc.session_lost(out);
        self.files.session_lost(out);
        self.recording.forget();
    }

    /// When [`Data::handle_timeout`] is due, and why.
    pub(in crate::engine) fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        let calls = self.rpc.poll_timeout().map(|at| (at, Reason::Call));
        let captions = self.streams.poll_timeout().map(|at| (at, Reason::Captions));
        calls.into_iter().chain(captions).min_by_key(|&(at, _)| at)
    }

    /// Ends calls whose time is over, and reports captions that have waited.
    pub(in crate::engine) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) {
        while let Some((_, reason)) = self.poll_timeout().filter(|&(at, _)| at <= now) {
            if reason == Reason::Captions {
                self.streams.handle_timeout(now, out);
            } else {
                while let Some(response) = self.rpc.handle_timeout(now, out) {
                    self.reply(&response);
                }
            }
        }
    }

    /// The server has sent its time.
    pub(in crate::engine) fn set_server_time(&mut self, unix_ms: i64, now: Instant) {
        if unix_ms > 0 {
            self.server_time = Some((now, unix_ms));
        }
    }

    /// Milliseconds since 1970 by the server's clock, since small devices have none; 0 before it is known.
    pub(in crate::engine) fn unix_ms(&self, now: Instant) -> i64 {
        self.server_time.map_or(0, |(heard, unix_ms)| {
            unix_ms.saturating_add(now.saturating_duration_since(heard).as_millis() as i64)
        })
    }
}
