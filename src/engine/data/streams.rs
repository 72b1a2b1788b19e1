//! What others send as text, captions, chat and byte streams: [`Streams`].
//!
//! ```text
//!   chat ─────────────────────────► each id once ──────────────────────────────► event
//!   transcription ────────────────► held, while a stream may follow ───────────► event
//!   header, chunks, trailer ─► IncomingStreams ─┬─ text: by its topic ─────────► event
//!                                               └─ bytes ─► StoredFiles ───────► io ring, event
//! ```
//!
//! Text of the topics of LiveKit's agents and components is reported by its meaning: `lk.chat` is chat,
//! `lk.transcription` the speech of a participant. All other text is reported as it came.

use std::time::Instant;

use crate::data::captions::{Caption, Captions};
use crate::data::chat_ids::ChatIds;
use crate::data::packet::{Content, Origin, Segment, StreamHeader};
use crate::data::stream::IncomingStream;
use crate::data::stream_rx::{Begun, IncomingStreams, Step};
use crate::engine::outbox::Outbox;
use crate::engine::port::FileNotice;
use crate::event::{Event, TextFacts, TranscriptionFacts};
use crate::limits::STREAMS_IN_MAX;
use crate::room::Room;
use crate::signal::sid::Sid;

use super::stored_files::{NotStored, StoredFiles};

/// Chat, by the convention of agents and web components.
pub(super) const CHAT_TOPIC: &str = "lk.chat";

/// Topic for the speech of participants, as agents send it.
const TRANSCRIPTION_TOPIC: &str = "lk.transcription";

/// Text and bytes that others send.
pub(super) struct Streams {
    incoming: IncomingStreams,
    captions: Captions,
    chat_ids: ChatIds,
    files: StoredFiles,
    has_warned_of_flood: bool,
}

/// A stream that stays incomplete, and why.
type Failed = (Box<IncomingStream>, String);

impl Streams {
    /// None yet. `stores_files`: whether byte streams are stored as files.
    pub(super) fn new(stores_files: bool) -> Streams {
        Streams {
            incoming: IncomingStreams::default(),
            captions: Captions::default(),
            chat_ids: ChatIds::default(),
            files: StoredFiles::new(stores_files),
            has_warned_of_flood: false,
        }
    }

    /// A packet of a stream, a caption or a chat message. [`Streams::flush`] follows when the drain is over.
    pub(super) fn handle_packet(
        &mut self,
        origin: Origin,
        sender: String,
        content: Content,
        room: &Room,
        now: Instant,
        out: &mut Outbox,
    ) {
        let failed = match content {
            Content::Chat { is_deleted: false, id, text, .. } => {
                return self.chat(origin, sender, id, text, out);
            }
            Content::Transcription { identity, segments } => {
                let identity = if identity.is_empty() { sender } else { identity };
                for segment in segments {
                    let caption = Caption { identity: identity.clone(), segment };
                    report(self.captions.packet(&origin, caption, now), out);
                }
                None
            }
            Content::StreamHeader(header) => self.begin(origin, &sender, header, now, out),
            Content::StreamChunk { id, index, content } => {
                let step = self.incoming.chunk(&origin, &id, index, content, now);
                chunk_came(step, &mut self.files, out)
            }
            Content::StreamTrailer { id, reason, attributes } => {
                match self.incoming.trailer(&origin, &id, &reason, attributes) {
                    Step::End(stream, text) if stream.is_text() => {
                        self.end_text(*stream, text, out);
                        None
                    }
                    Step::End(stream, _) => self
                        .files
                        .end(*stream, out)
                        .err()
                        .map(|stream| (stream, "too many files are being stored".to_owned())),
                    Step::Failed(stream, why) => Some((stream, why)),
                    Step::Nothing | Step::Bytes(..) | Step::Text(..) => None,
                }
            }
            _ => None,
        };
        if let Some((stream, why)) = failed {
            self.fail(&stream, &why, room, out);
        }
    }

    /// The drain is over: files are written.
    pub(super) fn flush(&mut self, out: &mut Outbox) {
        self.files.flush(out);
    }

    /// What the io ring reports of the file of a byte stream.
    pub(super) fn handle_file(&mut self, key: u32, notice: FileNotice, room: &Room, out: &mut Outbox) {
        let Err(NotStored { stream, why }) = self.files.handle_notice(key, notice, out) else { return };
        if let Some(stream) = stream.or_else(|| self.incoming.take(key).map(Box::new)) {
            self.fail(&stream, &why, room, out);
        }
    }

    /// A participant left: what it was sending stays incomplete.
    pub(super) fn sender_left(&mut self, sid: Sid, identity: &str, room: &Room, out: &mut Outbox) {
        for stream in self.incoming.sender_left(sid, identity) {
            self.fail(&stream, "its sender left", room, out);
        }
        report(self.captions.sender_left(sid, identity), out);
    }

    /// The session is lost, and with it the rest of every stream.
    pub(super) fn session_lost(&mut self, room: &Room, out: &mut Outbox) {
        for stream in self.incoming.session_lost() {
            self.fail(&stream, "the session was lost", room, out);
        }
        report(self.captions.session_lost(), out);
    }

    /// When [`Streams::handle_timeout`] is due: captions have waited for a stream.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.captions.poll_timeout()
    }

    /// Reports captions that came as packets, and waited for a stream.
    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) {
        report(self.captions.take_due(now), out);
    }

    /// A chat message, which may come as a packet and as a stream: reported once.
    fn chat(&mut self, origin: Origin, identity: String, id: String, text: String, out: &mut Outbox) {
        if self.chat_ids.is_new(origin, &id) {
            out.emit(Event::Chat { identity, text, id });
        }
    }

    fn begin(
        &mut self,
        origin: Origin,
        sender: &str,
        header: StreamHeader,
        now: Instant,
        out: &mut Outbox,
    ) -> Option<Failed> {
        if header.topic == TRANSCRIPTION_TOPIC {
            report(self.captions.stream(&origin, now), out);
        }
        match self.incoming.begin(origin, sender, header, now) {
            Begun::Taken { stream, replaced } => {
                if let Some(name) = stream.header.byte_name.clone() {
                    self.files.begin(stream.key, name, out);
                }
                replaced
            }
            Begun::Repeated => {
                out.count(|counters| &mut counters.streams_refused, 1);
                None
            }
            Begun::Full { own } => {
                out.count(|counters| &mut counters.streams_refused, 1);
                if !std::mem::replace(&mut self.has_warned_of_flood, true) {
                    out.warn(format!(
                        "a stream of {sender}, who has {own} under way, is not taken: all {STREAMS_IN_MAX} \
                         places are in use; further ones are only counted"
                    ));
                }
                None
            }
        }
    }

    fn end_text(&mut self, stream: IncomingStream, text: String, out: &mut Outbox) {
        if stream.parts == 0 && stream.header.topic == CHAT_TOPIC {
            return self.chat(stream.origin, stream.sender, stream.header.id, text, out);
        }
        out.emit(match stream.header.topic.as_str() {
            TRANSCRIPTION_TOPIC => {
                let is_final = stream.header.attributes.get("lk.transcription_final");
                transcription(&stream, text, is_final.is_none_or(|word| word == "true"))
            }
            _ => text_event(&stream, text, true),
        });
    }

    fn fail(&mut self, stream: &IncomingStream, why: &str, room: &Room, out: &mut Outbox) {
        if !stream.is_text() {
            self.files.discard(stream.key, out);
        }
        let what = stream.header.byte_name.as_deref().unwrap_or("text");
        let topic = &stream.header.topic;
        // An agent may name another participant as the sender: the real sender is blamed.
        let sender = stream.origin.sid().and_then(|sid| room.identity(sid)).unwrap_or(&stream.sender);
        out.warn(format!("{what} ({topic}) of {sender} did not come whole: {why}"));
    }
}

fn chunk_came(step: Step<'_>, files: &mut StoredFiles, out: &mut Outbox) -> Option<Failed> {
    match step {
        // Captions appear while they are spoken.
        Step::Text(stream, None) if stream.header.topic == TRANSCRIPTION_TOPIC => {
            out.emit(transcription(stream, stream.text_so_far().into_owned(), false));
        }
        Step::Text(stream, Some(piece)) => out.emit(text_event(stream, piece, false)),
        Step::Bytes(stream, content) => files.write(stream.key, content, out),
        Step::Failed(stream, why) => return Some((stream, why)),
        Step::Nothing | Step::Text(..) | Step::End(..) => {}
    }
    None
}

fn report(captions: Vec<Caption>, out: &mut Outbox) {
    for Caption { identity, segment: Segment { id, text, is_final } } in captions {
        out.emit(Event::Transcription(TranscriptionFacts { identity, text, is_final, segment: id }));
    }
}

fn text_event(stream: &IncomingStream, text: String, last: bool) -> Event {
    Event::TextStream(TextFacts {
        identity: stream.sender.clone(),
        id: stream.header.id.clone(),
        topic: stream.header.topic.clone(),
        text,
        attributes: stream.header.attributes.clone(),
        part: if last { stream.parts } else { stream.parts.saturating_sub(1) },
        last,
    })
}

fn transcription(stream: &IncomingStream, text: String, is_final: bool) -> Event {
    let segment = stream.header.attributes.get("lk.segment_id").unwrap_or(&stream.header.id);
    let facts =
        TranscriptionFacts { identity: stream.sender.clone(), text, is_final, segment: segment.clone() };
    Event::Transcription(facts)
}
