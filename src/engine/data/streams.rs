//! Streams of text and bytes, to and from others.
//!
//! Text of the topics that LiveKit's agents and components use becomes what it means: `lk.chat` is chat,
//! `lk.transcription` what somebody said. Everything else is told as it came.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::json;

use crate::command::message::{Address, TextMessage};
use crate::command::{Answer, CommandError};
use crate::data::captions::Caption;
use crate::data::packet::{Content, Origin, Outgoing, Segment, StreamHeader};
use crate::data::stream::IncomingStream;
use crate::data::stream_rx::{Begun, IncomingStreams, Step};
use crate::data::stream_tx;
use crate::engine::Engine;
use crate::event::{Event, FileFacts, TextFacts, TranscriptionFacts};
use crate::limits::{STREAM_CHUNK_BYTES, STREAMS_IN_MAX, TEXT_SENT_BYTES_MAX};
use crate::signal::sid::Sid;
use crate::time::deadline::Reason;

/// Chat, by the convention of agents and web components.
const CHAT_TOPIC: &str = "lk.chat";

/// What somebody said, as agents send it.
const TRANSCRIPTION_TOPIC: &str = "lk.transcription";

/// Room that the envelopes of a text stream may take in the outbox beside the text: eight packets.
const ENVELOPES_BYTES: usize = 8 * 1024;

/// Streams under way.
#[derive(Default)]
pub(in crate::engine) struct Streams {
    incoming: IncomingStreams,
    has_warned_of_flood: bool,
}

impl Engine {
    /// Chat goes out twice under one number: as a stream for agents and components, and as a packet for
    /// older clients. Whoever knows both shows it once.
    pub(in crate::engine) fn send_chat(&mut self, text: String, now: Instant) -> Answer {
        let address = Address { topic: CHAT_TOPIC.to_owned(), to: Vec::new() };
        let answer = self.send_text(TextMessage { address, text: text.clone() }, now)?;
        let id = answer.get("id").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
        let content = Content::Chat { id, text, timestamp_ms: self.unix_ms(now), is_deleted: false };
        self.send_reliable(None, &Outgoing { destinations: Vec::new(), content }, now)?;
        Ok(answer)
    }

    /// A text stream goes out whole or not at all.
    pub(in crate::engine) fn send_text(&mut self, message: TextMessage, now: Instant) -> Answer {
        self.may_send_data()?;
        let TextMessage { address, text } = message;
        address.check()?;
        let Address { topic, to } = address;
        if text.len() > TEXT_SENT_BYTES_MAX {
            return Err(CommandError::refused(format!(
                "text has at most {TEXT_SENT_BYTES_MAX} bytes: send a file instead"
            )));
        }
        // Each packet repeats the destinations.
        let packets = 3 + text.len() / STREAM_CHUNK_BYTES;
        let addresses: usize = to.iter().map(|identity| identity.len() + 4).sum();
        if text.len() + packets * addresses + ENVELOPES_BYTES > self.data.room() {
            return Err(CommandError::refused("too much is waiting to be sent: try again later"));
        }
        let id = self.new_id();
        let header = StreamHeader {
            id: id.clone(),
            timestamp_ms: self.unix_ms(now),
            topic: topic.clone(),
            mime_type: "text/plain".to_owned(),
            total_bytes: Some(text.len() as u64),
            attributes: BTreeMap::new(),
            byte_name: None,
        };
        for content in stream_tx::text_packets(header, &text) {
            // A stream that is lost is lost once: its end stands for it.
            let is_end = matches!(content, Content::StreamTrailer { .. });
            let outgoing = Outgoing { destinations: to.clone(), content };
            self.send_reliable(is_end.then_some(&topic), &outgoing, now)?;
        }
        Ok(json!({ "id": id }))
    }

    pub(in crate::engine) fn stream_began(
        &mut self,
        origin: Origin,
        sender: &str,
        header: StreamHeader,
        now: Instant,
    ) {
        if header.topic == TRANSCRIPTION_TOPIC {
            let released = self.data.captions.stream(&origin, now);
            self.report_captions(released);
        }
        let (stream, replaced) = match self.data.streams.incoming.begin(origin, sender, header, now) {
            Begun::Taken { stream, replaced } => (stream, replaced),
            Begun::Repeated => {
                self.out.counters.streams_refused += 1;
                return;
            }
            Begun::Full { own } => {
                self.out.counters.streams_refused += 1;
                if !std::mem::replace(&mut self.data.streams.has_warned_of_flood, true) {
                    self.out.warn(format!(
                        "a stream of {sender}, who has {own} under way, is not taken: all {STREAMS_IN_MAX} \
                         places are in use; further ones are only counted"
                    ));
                }
                return;
            }
        };
        let to_store = stream.header.byte_name.clone().map(|name| (stream.key, name));
        if let Some((key, name)) = to_store {
            self.store_begins(key, name);
        }
        if let Some((stream, why)) = replaced {
            self.stream_failed(&stream, &why);
        }
    }

    pub(in crate::engine) fn stream_goes_on(
        &mut self,
        origin: &Origin,
        id: &str,
        index: u64,
        content: Vec<u8>,
        now: Instant,
    ) {
        let event = match self.data.streams.incoming.chunk(origin, id, index, content, now) {
            // Captions appear while they are spoken.
            Step::Text(stream, None) if stream.header.topic == TRANSCRIPTION_TOPIC => {
                transcription(stream, stream.text_so_far().into_owned(), false)
            }
            Step::Text(stream, Some(piece)) => text_event(stream, piece, false),
            Step::Failed(stream, why) => return self.stream_failed(&stream, &why),
            Step::Bytes(stream, content) => {
                let key = stream.key;
                return self.store(key, content);
            }
            Step::Nothing | Step::Text(..) | Step::End(..) => return,
        };
        self.out.emit(event);
    }

    pub(in crate::engine) fn stream_ended(
        &mut self,
        origin: &Origin,
        id: &str,
        reason: &str,
        attributes: BTreeMap<String, String>,
    ) {
        match self.data.streams.incoming.trailer(origin, id, reason, attributes) {
            Step::End(stream, text) if stream.is_text() => self.text_ended(*stream, text),
            Step::End(stream, _) => self.store_ends(*stream),
            Step::Failed(stream, why) => self.stream_failed(&stream, &why),
            Step::Nothing | Step::Bytes(..) | Step::Text(..) => {}
        }
    }

    fn text_ended(&mut self, stream: IncomingStream, text: String) {
        if stream.parts == 0 && stream.header.topic == CHAT_TOPIC {
            return self.chat_heard(stream.origin, stream.sender, stream.header.id, text);
        }
        self.out.emit(match stream.header.topic.as_str() {
            TRANSCRIPTION_TOPIC => {
                let is_final = stream.header.attributes.get("lk.transcription_final");
                transcription(&stream, text, is_final.is_none_or(|word| word == "true"))
            }
            _ => text_event(&stream, text, true),
        });
    }

    pub(in crate::engine) fn stream_failed(&mut self, stream: &IncomingStream, why: &str) {
        if !stream.is_text() {
            self.store_given_up(stream.key);
        }
        let what = stream.header.byte_name.as_deref().unwrap_or("text");
        let topic = &stream.header.topic;
        // An agent may name another participant as the sender: the one who sends it is to blame.
        let sender = stream.origin.sid().and_then(|sid| self.room.identity(sid)).unwrap_or(&stream.sender);
        let text = format!("{what} ({topic}) of {sender} did not come whole: {why}");
        self.out.warn(text);
    }

    /// A participant left: what it was sending stays incomplete.
    pub(in crate::engine) fn streams_of_gone(&mut self, sid: Sid, identity: &str) {
        for stream in self.data.streams.incoming.sender_left(sid, identity) {
            self.stream_failed(&stream, "its sender left");
        }
        let released = self.data.captions.sender_left(sid, identity);
        self.report_captions(released);
    }

    /// Captions that came as packets and waited for a stream.
    pub(in crate::engine) fn captions_due(&mut self, now: Instant) {
        let released = self.data.captions.take_due(now);
        self.report_captions(released);
    }

    pub(in crate::engine) fn report_captions(&mut self, captions: Vec<Caption>) {
        for Caption { identity, segment: Segment { id, text, is_final } } in captions {
            self.out.emit(Event::Transcription(TranscriptionFacts { identity, text, is_final, segment: id }));
        }
        match self.data.captions.poll_timeout() {
            Some(at) => self.deadlines.set(Reason::Captions, at),
            None => self.deadlines.clear(Reason::Captions),
        }
    }

    /// A byte stream that is still under way has no file any more.
    pub(in crate::engine) fn stream_cannot_be_stored(&mut self, key: u32, why: &str) {
        if let Some(stream) = self.data.streams.incoming.take(key) {
            self.stream_failed(&stream, why);
        }
    }

    pub(in crate::engine) fn streams_lost(&mut self) {
        for stream in self.data.streams.incoming.session_lost() {
            self.stream_failed(&stream, "the session was lost");
        }
        let released = self.data.captions.session_lost();
        self.report_captions(released);
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

pub(in crate::engine) fn file_facts(stream: IncomingStream, path: Option<String>) -> FileFacts {
    let header = stream.header;
    FileFacts {
        identity: stream.sender,
        id: header.id,
        topic: header.topic,
        name: header.byte_name.unwrap_or_default(),
        mime_type: header.mime_type,
        bytes: stream.received_bytes,
        path,
        attributes: header.attributes,
    }
}
