//! Files: those that we send as byte or text streams, and those that byte streams of others are stored in. The
//! engine orders, the io ring reads and writes ([`super::port::FileOrder`]).
//!
//! ```text
//!   file PATH ─► Read ─► Opened ─► header ─► ReadMore ─► Chunk ─► … ─► End ─► trailer ─► answered
//!                                            ▲ only while little waits in the outbox
//! ```

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::json;

use crate::command::message::{Address, FileMessage};
use crate::command::{CommandError, Reply, Ticket};
use crate::data::packet::{Content, Outgoing, StreamHeader};
use crate::data::stream::IncomingStream;
use crate::data::stream_tx;
use crate::engine::Engine;
use crate::engine::port::{Action, FileKey, FileNotice, FileOrder};
use crate::event::Event;
use crate::limits::{FILE_AHEAD_BYTES, FILES_SENT_MAX, RELIABLE_BYTES_MAX, STREAM_BYTES_MAX, STREAMS_IN_MAX};

/// Files under way.
#[derive(Default)]
pub(in crate::engine) struct Files {
    sending: heapless::Vec<Sending, FILES_SENT_MAX>,
    last_key: u32,
    /// Bytes of the drain under way: one order for each file, however small the chunks are.
    gathered: heapless::Vec<(u32, Vec<u8>), STREAMS_IN_MAX>,
    /// Whole streams whose file is not.
    storing: heapless::Vec<IncomingStream, STREAMS_IN_MAX>,
}

/// A file on its way to others.
struct Sending {
    key: u32,
    ticket: Ticket,
    id: String,
    address: Address,
    /// A text stream: its chunks end between characters.
    is_text: bool,
    /// The beginning of the next one.
    cut: Vec<u8>,
    /// As it was when it was opened.
    total_bytes: u64,
    sent_bytes: u64,
    next_index: u64,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// The io ring is at it.
    Asked,
    /// More can be asked for.
    Ready,
    /// This has no room yet.
    Holding(Vec<u8>),
    /// All is read, and the end has no room yet.
    Ended,
}

impl Files {
    /// Whether none is on its way to others.
    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.sending.is_empty()
    }

    /// Topics of those on their way.
    pub(in crate::engine) fn topics(&self) -> impl Iterator<Item = &str> {
        self.sending.iter().map(|sending| sending.address.topic.as_str())
    }
}

impl Engine {
    /// Sends a file; the answer comes when all of it is on its way.
    pub(in crate::engine) fn send_file(&mut self, message: FileMessage) -> Reply {
        let FileMessage { address, path, is_text } = message;
        let checked = self.may_send_data().and_then(|()| address.check());
        let has_place = match self.data.files.sending.is_full() {
            true => Err(CommandError::refused(format!("{FILES_SENT_MAX} files are on their way already"))),
            false => Ok(()),
        };
        let ticket = match checked.and(has_place).and_then(|()| self.out.take_ticket()) {
            Ok(ticket) => ticket,
            Err(error) => return Err(error).into(),
        };
        let id = self.new_id();
        let files = &mut self.data.files;
        files.last_key = files.last_key.wrapping_add(1);
        let key = files.last_key;
        let state = State::Asked;
        let sending = Sending {
            key,
            ticket,
            id,
            address,
            is_text,
            cut: Vec::new(),
            total_bytes: 0,
            sent_bytes: 0,
            next_index: 0,
            state,
        };
        // There is a place, see above.
        let _ = files.sending.push(sending);
        self.out.act(Action::File(FileKey::Sent(key), FileOrder::Read { path }));
        Reply::Later(ticket)
    }

    /// What has become of an order; the io ring tells it for each that has something to tell.
    pub fn handle_file(&mut self, key: FileKey, notice: FileNotice, now: Instant) {
        match key {
            FileKey::Received(key) => self.stored(key, notice),
            FileKey::Sent(key) => {
                let Some(place) = self.data.files.sending.iter().position(|sending| sending.key == key)
                else {
                    return;
                };
                match notice {
                    FileNotice::Opened { bytes, .. } if bytes > STREAM_BYTES_MAX => {
                        self.file_failed(place, &format!("it is longer than {STREAM_BYTES_MAX} bytes"), now);
                    }
                    FileNotice::Opened { name, bytes } => self.file_opened(place, name, bytes, now),
                    FileNotice::Chunk(chunk) => {
                        self.data.files.sending[place].state = State::Holding(chunk);
                        self.files_move(now);
                    }
                    FileNotice::End => {
                        self.data.files.sending[place].state = State::Ended;
                        self.files_move(now);
                    }
                    FileNotice::Failed(why) => self.file_failed(place, &why, now),
                    FileNotice::Stored(_) => {}
                }
                self.farewell_moves(now);
            }
        }
    }

    fn file_opened(&mut self, place: usize, name: String, bytes: u64, now: Instant) {
        let sending = &mut self.data.files.sending[place];
        sending.total_bytes = bytes;
        let (id, address, is_text) = (sending.id.clone(), sending.address.clone(), sending.is_text);
        let mime_type = if is_text { "text/plain" } else { stream_tx::mime_type_of(&name) };
        let header = StreamHeader {
            id,
            timestamp_ms: self.unix_ms(now),
            topic: address.topic,
            mime_type: mime_type.to_owned(),
            total_bytes: Some(bytes),
            attributes: BTreeMap::new(),
            byte_name: (!is_text).then(|| stream_tx::short_name(name)),
        };
        let outgoing = Outgoing { destinations: address.to, content: Content::StreamHeader(header) };
        match self.send_reliable(None, &outgoing, now) {
            Ok(()) => {
                if let Some(sending) = self.data.files.sending.get_mut(place) {
                    sending.state = State::Ready;
                }
                self.files_move(now);
            }
            Err(error) => self.file_failed(place, &error.message, now),
        }
    }

    /// Sends what has room now, and asks for more.
    pub(in crate::engine) fn files_move(&mut self, now: Instant) {
        let mut place = 0;
        while place < self.data.files.sending.len() {
            if self.data.room() < RELIABLE_BYTES_MAX - FILE_AHEAD_BYTES {
                return;
            }
            let sending = &mut self.data.files.sending[place];
            match std::mem::replace(&mut sending.state, State::Asked) {
                State::Asked => place += 1,
                State::Ready => {
                    let key = FileKey::Sent(sending.key);
                    self.out.act(Action::File(key, FileOrder::ReadMore));
                    place += 1;
                }
                State::Holding(content) if sending.is_text => {
                    let begun = std::mem::take(&mut sending.cut);
                    match stream_tx::whole_characters([begun, content].concat()) {
                        Some((whole, rest)) => {
                            sending.cut = rest;
                            self.send_chunk(place, whole, now);
                        }
                        None => self.file_failed(place, "it is no text (UTF-8)", now),
                    }
                }
                State::Holding(content) => self.send_chunk(place, content, now),
                State::Ended => self.file_ended(place, now),
            }
        }
    }

    fn send_chunk(&mut self, place: usize, content: Vec<u8>, now: Instant) {
        let sending = &mut self.data.files.sending[place];
        sending.state = State::Ready;
        if content.is_empty() {
            return;
        }
        let (id, to) = (sending.id.clone(), sending.address.to.clone());
        sending.sent_bytes += content.len() as u64;
        let index = sending.next_index;
        sending.next_index += 1;
        let is_longer = sending.sent_bytes > sending.total_bytes;
        let chunk = Content::StreamChunk { id, index, content };
        match self.send_reliable(None, &Outgoing { destinations: to, content: chunk }, now) {
            Ok(()) if is_longer => self.file_failed(place, "it grows while it is read", now),
            Ok(()) => {}
            Err(error) => self.file_failed(place, &error.message, now),
        }
    }

    fn file_ended(&mut self, place: usize, now: Instant) {
        let sending = &self.data.files.sending[place];
        if !sending.cut.is_empty() {
            return self.file_failed(place, "its last character is cut in two", now);
        }
        if sending.sent_bytes != sending.total_bytes {
            return self.file_failed(place, "it became shorter while it was read", now);
        }
        let sending = self.data.files.sending.remove(place);
        let content = stream_tx::end(&sending.id, "");
        let outgoing = Outgoing { destinations: sending.address.to, content };
        let answer = self
            .send_reliable(Some(&sending.address.topic), &outgoing, now)
            .map(|()| json!({ "id": sending.id, "bytes": sending.sent_bytes }));
        self.out.answer(sending.ticket, answer);
    }

    fn file_failed(&mut self, place: usize, why: &str, now: Instant) {
        if place >= self.data.files.sending.len() {
            // Lost with the session, while a part of it was sent.
            return;
        }
        let sending = self.data.files.sending.remove(place);
        self.out.act(Action::File(FileKey::Sent(sending.key), FileOrder::Discard));
        let content = stream_tx::end(&sending.id, "the file cannot be read");
        // Where it cannot even be said, the receiver's own limits end the stream.
        let _ = self.send_reliable(None, &Outgoing { destinations: sending.address.to, content }, now);
        self.out.answer(sending.ticket, Err(CommandError::refused(why)));
    }

    /// A byte stream begins.
    pub(in crate::engine) fn store_begins(&mut self, key: u32, name: String) {
        if self.settings.stores_files {
            self.out.act(Action::File(FileKey::Received(key), FileOrder::Create { name }));
        }
    }

    /// More of a byte stream has come.
    pub(in crate::engine) fn store(&mut self, key: u32, bytes: Vec<u8>) {
        if !self.settings.stores_files {
            return;
        }
        if self.data.files.gathered.is_full() {
            // Streams that ended and began within one drain may be more than there are places.
            self.flush_stores();
        }
        let gathered = &mut self.data.files.gathered;
        match gathered.iter_mut().find(|(other, _)| *other == key) {
            Some((_, before)) => before.extend_from_slice(&bytes),
            None => _ = gathered.push((key, bytes)),
        }
    }

    /// Hands what was gathered to the io ring.
    pub(in crate::engine) fn flush_stores(&mut self) {
        for (key, bytes) in std::mem::take(&mut self.data.files.gathered) {
            self.out.act(Action::File(FileKey::Received(key), FileOrder::Write(bytes)));
        }
    }

    /// A byte stream is whole: it is told when its file is.
    pub(in crate::engine) fn store_ends(&mut self, stream: IncomingStream) {
        let key = FileKey::Received(stream.key);
        self.flush_stores();
        if !self.settings.stores_files {
            self.out.emit(Event::ByteStream(super::streams::file_facts(stream, None)));
        } else if let Err(stream) = self.data.files.storing.push(stream) {
            self.out.act(Action::File(key, FileOrder::Discard));
            self.stream_failed(&stream, "too many files are being stored");
        } else {
            self.out.act(Action::File(key, FileOrder::Keep));
        }
    }

    /// A byte stream is of no use.
    pub(in crate::engine) fn store_given_up(&mut self, key: u32) {
        if self.settings.stores_files {
            // What came with its end in one drain is not to be written any more.
            self.data.files.gathered.retain(|(other, _)| *other != key);
            self.out.act(Action::File(FileKey::Received(key), FileOrder::Discard));
        }
    }

    fn stored(&mut self, key: u32, notice: FileNotice) {
        let whole = self.data.files.storing.iter().position(|stream| stream.key == key);
        let whole = whole.map(|place| self.data.files.storing.remove(place));
        match (whole, notice) {
            (Some(stream), FileNotice::Stored(path)) => {
                self.out.emit(Event::ByteStream(super::streams::file_facts(stream, Some(path))));
            }
            (Some(stream), FileNotice::Failed(why)) => self.stream_failed(&stream, &why),
            (None, FileNotice::Failed(why)) => self.stream_cannot_be_stored(key, &why),
            _ => {}
        }
    }

    /// The session is lost, and with it what was on its way.
    pub(in crate::engine) fn files_lost(&mut self) {
        while let Some(sending) = self.data.files.sending.pop() {
            self.out.act(Action::File(FileKey::Sent(sending.key), FileOrder::Discard));
            self.out.answer(sending.ticket, Err(CommandError::refused("the session was lost")));
        }
    }
}
