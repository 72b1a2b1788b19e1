//! Streams of text and bytes, to and from others.
//!
//! Text of the topics that LiveKit's agents and components use becomes what it means: `lk.chat` is chat,
//! `lk.transcription` what somebody said. Everything else is told as it came.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::json;

use super::Engine;
use crate::command::message::{Address, TextMessage};
use crate::command::{Answer, CommandError};
use crate::data::packet::{Content, Outgoing, StreamHeader};
use crate::data::stream_rx::{IncomingStreams, Step, Stream};
use crate::data::stream_tx;
use crate::event::{Event, FileFacts, TextFacts, TranscriptionFacts};
use crate::limits::{STREAM_CHUNK_BYTES, TEXT_SENT_BYTES_MAX};

/// Chat, by the convention of agents and web components.
const CHAT_TOPIC: &str = "lk.chat";

/// What somebody said, as agents send it.
const TRANSCRIPTION_TOPIC: &str = "lk.transcription";

/// Room that the envelopes of a text stream may take in the outbox beside the text: eight packets.
const ENVELOPES_BYTES: usize = 8 * 1024;

/// Streams under way.
#[derive(Default)]
pub(super) struct Streams {
    incoming: IncomingStreams,
    has_warned_of_flood: bool,
}

impl Engine {
    /// Chat goes out twice under one number: as a stream for agents and components, and as a packet for
    /// older clients. Whoever knows both shows it once.
    pub(super) fn send_chat(&mut self, text: String, now: Instant) -> Answer {
        let address = Address { topic: CHAT_TOPIC.to_owned(), to: Vec::new() };
        let answer = self.send_text(TextMessage { address, text: text.clone() }, now)?;
        let id = answer.get("id").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
        let content = Content::Chat { id, text, timestamp_ms: self.unix_ms(now), is_deleted: false };
        self.send_reliable(None, &Outgoing { destinations: Vec::new(), content }, now)?;
        Ok(answer)
    }

    /// A text stream goes out whole or not at all.
    pub(super) fn send_text(&mut self, message: TextMessage, now: Instant) -> Answer {
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

    pub(super) fn stream_began(&mut self, sender: &str, header: StreamHeader, now: Instant) {
        let Some((stream, replaced)) = self.data.streams.incoming.begin(sender, header, now) else {
            self.counters.streams_refused += 1;
            if !std::mem::replace(&mut self.data.streams.has_warned_of_flood, true) {
                self.warn(format!(
                    "{sender} sends more streams than this program takes; more are only counted"
                ));
            }
            return;
        };
        let to_store = stream.header.byte_name.clone().map(|name| (stream.key, name));
        if let Some((key, name)) = to_store {
            self.store_begins(key, name);
        }
        if let Some(stream) = replaced {
            self.stream_failed(&stream, "nothing of it came for a minute");
        }
    }

    pub(super) fn stream_goes_on(
        &mut self,
        sender: &str,
        id: &str,
        index: u64,
        content: Vec<u8>,
        now: Instant,
    ) {
        let event = match self.data.streams.incoming.chunk(sender, id, index, content, now) {
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
        self.emit(event);
    }

    pub(super) fn stream_ended(
        &mut self,
        sender: &str,
        id: &str,
        reason: &str,
        attributes: BTreeMap<String, String>,
        _now: Instant,
    ) {
        match self.data.streams.incoming.trailer(sender, id, reason, attributes) {
            Step::End(stream, text) if stream.is_text() => self.text_ended(*stream, text),
            Step::End(stream, _) => self.store_ends(*stream),
            Step::Failed(stream, why) => self.stream_failed(&stream, &why),
            Step::Nothing | Step::Bytes(..) | Step::Text(..) => {}
        }
    }

    fn text_ended(&mut self, stream: Stream, text: String) {
        if stream.parts == 0 && stream.header.topic == CHAT_TOPIC {
            return self.chat_heard(stream.sender, stream.header.id, text);
        }
        self.emit(match stream.header.topic.as_str() {
            TRANSCRIPTION_TOPIC => {
                let is_final = stream.header.attributes.get("lk.transcription_final");
                transcription(&stream, text, is_final.is_none_or(|word| word == "true"))
            }
            _ => text_event(&stream, text, true),
        });
    }

    pub(super) fn stream_failed(&mut self, stream: &Stream, why: &str) {
        if !stream.is_text() {
            self.store_given_up(stream.key);
        }
        let what = stream.header.byte_name.as_deref().unwrap_or("text");
        let topic = &stream.header.topic;
        self.warn(format!("{what} ({topic}) of {} did not come whole: {why}", stream.sender));
    }

    /// Somebody left: what they were sending stays incomplete.
    pub(super) fn streams_of_gone(&mut self, sender: &str) {
        for stream in self.data.streams.incoming.sender_left(Some(sender)) {
            self.stream_failed(&stream, "its sender left");
        }
    }

    /// A byte stream that is still under way has no file any more.
    pub(super) fn stream_cannot_be_stored(&mut self, key: u32, why: &str) {
        if let Some(stream) = self.data.streams.incoming.take(key) {
            self.stream_failed(&stream, why);
        }
    }

    pub(super) fn streams_lost(&mut self) {
        for stream in self.data.streams.incoming.sender_left(None) {
            self.stream_failed(&stream, "the session was lost");
        }
    }
}

fn text_event(stream: &Stream, text: String, last: bool) -> Event {
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

fn transcription(stream: &Stream, text: String, is_final: bool) -> Event {
    let segment = stream.header.attributes.get("lk.segment_id").unwrap_or(&stream.header.id);
    let facts =
        TranscriptionFacts { identity: stream.sender.clone(), text, is_final, segment: segment.clone() };
    Event::Transcription(facts)
}

pub(super) fn file_facts(stream: Stream, path: Option<String>) -> FileFacts {
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
