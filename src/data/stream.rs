//! One stream that arrives: its header, and what has come of it so far.
//!
//! Text is collected, and handed out in pieces once 64 KiB of it are there; bytes are counted and handed on.

use std::collections::BTreeMap;
use std::time::Instant;

use super::packet::{Origin, StreamHeader};
use crate::limits::{ATTRIBUTES_BYTES_MAX, ATTRIBUTES_MAX, STREAM_BYTES_MAX, STREAM_TEXT_BYTES_MAX};

/// One stream, as it is known so far.
#[derive(Debug, Clone, PartialEq)]
pub struct IncomingStream {
    /// Our number for it.
    pub key: u32,
    /// The sender of its packets.
    pub origin: Origin,
    /// On whose behalf: the sender's own identity, or the one that an agent names.
    pub sender: String,
    /// How it began; attributes of the trailer are added at the end.
    pub header: StreamHeader,
    /// Bytes that have come.
    pub received_bytes: u64,
    /// Pieces of text that were reported.
    pub parts: u32,
    text: Vec<u8>,
    next_index: u64,
    last_heard: Instant,
}

/// What the next chunk of a stream brings.
#[derive(Debug, PartialEq)]
pub enum Taken {
    /// Nothing: it came before, from a sender that was not sure.
    Repeated,
    /// Bytes of a byte stream, to be stored.
    Bytes(Vec<u8>),
    /// More text; `Some` is a piece that is full.
    Text(Option<String>),
    /// It cannot be the next one, and why: the stream stays incomplete.
    Fault(String),
}

impl IncomingStream {
    /// A stream of which nothing has come yet.
    pub fn new(key: u32, origin: Origin, sender: &str, header: StreamHeader, now: Instant) -> IncomingStream {
        IncomingStream {
            key,
            origin,
            sender: sender.to_owned(),
            header,
            received_bytes: 0,
            parts: 0,
            text: Vec::new(),
            next_index: 0,
            last_heard: now,
        }
    }

    /// Takes the chunk of this index.
    pub fn take(&mut self, index: u64, content: Vec<u8>, now: Instant) -> Taken {
        self.last_heard = now;
        if index < self.next_index {
            return Taken::Repeated;
        }
        let bytes = content.len() as u64;
        if let Some(fault) = self.fault_of(index, bytes) {
            return Taken::Fault(fault);
        }
        self.next_index += 1;
        self.received_bytes += bytes;
        if !self.is_text() {
            return Taken::Bytes(content);
        }
        self.text.extend_from_slice(&content);
        Taken::Text(self.take_full_piece())
    }

    /// The stream is complete: the last piece of its text.
    ///
    /// # Errors
    /// It is not, and why.
    pub fn end(&mut self, attributes: BTreeMap<String, String>) -> Result<String, String> {
        if self.header.total_bytes.is_some_and(|total| self.received_bytes < total) {
            return Err("it is shorter than announced".to_owned());
        }
        self.add_attributes(attributes);
        Ok(String::from_utf8_lossy(&std::mem::take(&mut self.text)).into_owned())
    }

    /// When its last packet came.
    pub fn last_heard(&self) -> Instant {
        self.last_heard
    }

    /// Bytes of text that are kept.
    #[cfg(test)]
    pub(super) fn kept_bytes(&self) -> usize {
        self.text.len()
    }

    /// Whether it is text, as opposed to bytes.
    pub fn is_text(&self) -> bool {
        self.header.byte_name.is_none()
    }

    /// Text that was not reported yet.
    pub fn text_so_far(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.text)
    }

    /// Why the chunk of this index cannot be the next one.
    fn fault_of(&self, index: u64, bytes: u64) -> Option<String> {
        let received_bytes = self.received_bytes + bytes;
        if index > self.next_index {
            Some("a part of it is missing".to_owned())
        } else if self.header.total_bytes.is_some_and(|total| received_bytes > total) {
            Some("it is longer than announced".to_owned())
        } else if received_bytes > STREAM_BYTES_MAX {
            Some(format!("it is longer than {STREAM_BYTES_MAX} bytes"))
        } else {
            None
        }
    }

    /// Everything up to the last whole character, once enough has come.
    fn take_full_piece(&mut self) -> Option<String> {
        if self.text.len() < STREAM_TEXT_BYTES_MAX {
            return None;
        }
        let whole = match std::str::from_utf8(&self.text) {
            Ok(_) => self.text.len(),
            // A character that is cut in two stays for the next piece; other damage is replaced.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => self.text.len(),
        };
        let rest = self.text.split_off(whole);
        let piece = std::mem::replace(&mut self.text, rest);
        self.parts += 1;
        Some(String::from_utf8_lossy(&piece).into_owned())
    }

    fn add_attributes(&mut self, attributes: BTreeMap<String, String>) {
        let bytes = |pairs: &BTreeMap<String, String>| -> usize {
            pairs.iter().map(|(key, value)| key.len() + value.len()).sum()
        };
        let known = &mut self.header.attributes;
        let fits = known.len() + attributes.len() <= ATTRIBUTES_MAX
            && bytes(known) + bytes(&attributes) <= ATTRIBUTES_BYTES_MAX;
        if fits {
            known.extend(attributes);
        }
    }
}
