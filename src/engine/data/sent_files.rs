//! Files that we send as byte or text streams: [`SentFiles`]. The engine sends orders, and the io ring reads
//! ([`FileOrder`]).
//!
//! ```text
//!   file PATH ─► Read ─► Opened ─► header ─► ReadMore ─► Chunk ─► … ─► End ─► trailer ─► answered
//!                                            ▲ only while little waits to be sent
//! ```
//!
//! Packets are returned, and [`SentFiles::sent`] is called for each, with what became of it.

#![expect(
    clippy::indexing_slicing,
    reason = "places come from a search of the same table, or number its fixed entries"
)]

use std::collections::BTreeMap;

use serde_json::json;

use crate::command::message::{Address, FileMessage};
use crate::command::{CommandError, Reply, Ticket};
use crate::data::packet::{Content, Outgoing, StreamHeader};
use crate::data::stream_tx;
use crate::engine::outbox::Outbox;
use crate::engine::port::{Action, FileKey, FileNotice, FileOrder};
use crate::limits::{FILES_SENT_MAX, STREAM_BYTES_MAX};

/// Files on their way to others.
#[derive(Default)]
pub(super) struct SentFiles {
    files: heapless::Vec<SentFile, FILES_SENT_MAX>,
    last_key: u32,
}

/// One packet of a file.
#[derive(Debug, PartialEq)]
pub(super) struct FilePacket {
    /// Number of the file.
    pub key: u32,
    /// Topic under which a loss is reported: a lost file is reported once, by its end.
    pub topic: Option<String>,
    /// The packet to send.
    pub outgoing: Outgoing,
}

struct SentFile {
    key: u32,
    ticket: Ticket,
    id: String,
    address: Address,
    /// A text stream: its chunks end between characters.
    is_text: bool,
    /// The beginning of the next character.
    cut: Vec<u8>,
    /// As it was when it was opened.
    total_bytes: u64,
    sent_bytes: u64,
    next_index: u64,
    state: FileState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum FileState {
    /// The io ring reads.
    Asked,
    /// More can be asked for.
    Ready,
    /// This waits to be sent.
    Holding(Vec<u8>),
    /// All is read, and the end waits to be sent.
    Ended,
    /// The end is sent.
    Complete,
}

impl SentFiles {
    /// Begins to send a file as the stream `id`; the answer comes when all of it is on its way.
    pub(super) fn begin(
        &mut self,
        message: FileMessage,
        id: impl FnOnce() -> String,
        out: &mut Outbox,
    ) -> Reply {
        let FileMessage { address, path, is_text } = message;
        let has_place = match self.files.is_full() {
            true => Err(CommandError::refused(format!("{FILES_SENT_MAX} files are on their way already"))),
            false => Ok(()),
        };
        let ticket = match has_place.and_then(|()| out.take_ticket()) {
            Ok(ticket) => ticket,
            Err(error) => return Err(error).into(),
        };
        self.last_key = self.last_key.wrapping_add(1);
        let key = self.last_key;
        let file = SentFile {
            key,
            ticket,
            id: id(),
            address,
            is_text,
            cut: Vec::new(),
            total_bytes: 0,
            sent_bytes: 0,
            next_index: 0,
            state: FileState::Asked,
        };
        // There is a place, see above.
        let _ = self.files.push(file);
        out.act(Action::File(FileKey::Sent(key), FileOrder::Read { path }));
        Reply::Later(ticket)
    }

    /// What the io ring reports of a file; the header, or the end of one that cannot be read.
    pub(super) fn handle_notice(
        &mut self,
        key: u32,
        notice: FileNotice,
        timestamp_ms: i64,
        out: &mut Outbox,
    ) -> Option<FilePacket> {
        let file = self.files.iter_mut().find(|file| file.key == key)?;
        match notice {
            FileNotice::Opened { bytes, .. } if bytes > STREAM_BYTES_MAX => {
                return self.fail(key, &format!("it is longer than {STREAM_BYTES_MAX} bytes"), out);
            }
            FileNotice::Opened { name, bytes } => return Some(file.opened(name, bytes, timestamp_ms)),
            FileNotice::Chunk(chunk) => file.state = FileState::Holding(chunk),
            FileNotice::End => file.state = FileState::Ended,
            FileNotice::Failed(why) => return self.fail(key, &why, out),
            FileNotice::Stored(_) => {}
        }
        None
    }

    /// There is room for a packet: the next one, if there is one. Orders more of the files that can go on.
    pub(super) fn next_packet(&mut self, out: &mut Outbox) -> Option<FilePacket> {
        let mut place = 0;
        while let Some(file) = self.files.get_mut(place) {
            let key = file.key;
            match file.take_step() {
                FileStep::Wait => place += 1,
                FileStep::ReadMore => {
                    out.act(Action::File(FileKey::Sent(key), FileOrder::ReadMore));
                    place += 1;
                }
                FileStep::GoOn => {}
                FileStep::Send(packet) => return Some(packet),
                FileStep::Fail(why) => return self.fail(key, why, out),
            }
        }
        None
    }

    /// What became of a packet; the end of a file that cannot go on.
    pub(super) fn sent(
        &mut self,
        key: u32,
        result: Result<(), CommandError>,
        out: &mut Outbox,
    ) -> Option<FilePacket> {
        let place = self.files.iter().position(|file| file.key == key)?;
        let file = &self.files[place];
        if file.state == FileState::Complete {
            let file = self.files.remove(place);
            out.answer(file.ticket, result.map(|()| json!({ "id": file.id, "bytes": file.sent_bytes })));
            return None;
        }
        match result {
            Err(error) => self.fail(key, &error.message, out),
            Ok(()) if file.sent_bytes > file.total_bytes => self.fail(key, "it grows while it is read", out),
            Ok(()) => None,
        }
    }

    /// Whether none is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Topics of those on their way.
    pub(super) fn topics(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.address.topic.as_str())
    }

    /// The session is lost, and with it what was on its way.
    pub(super) fn session_lost(&mut self, out: &mut Outbox) {
        while let Some(file) = self.files.pop() {
            out.act(Action::File(FileKey::Sent(file.key), FileOrder::Discard));
            out.answer(file.ticket, Err(CommandError::refused("the session was lost")));
        }
    }

    /// Gives a file up. Where the end that is returned has no room, the receiver's own limits end the stream.
    fn fail(&mut self, key: u32, why: &str, out: &mut Outbox) -> Option<FilePacket> {
        let place = self.files.iter().position(|file| file.key == key)?;
        let file = self.files.remove(place);
        out.act(Action::File(FileKey::Sent(key), FileOrder::Discard));
        out.answer(file.ticket, Err(CommandError::refused(why)));
        Some(file.packet(stream_tx::end(&file.id, "the file cannot be read")))
    }
}

/// What a file needs next.
enum FileStep {
    Wait,
    ReadMore,
    /// To be asked again.
    GoOn,
    Send(FilePacket),
    Fail(&'static str),
}

impl SentFile {
    fn opened(&mut self, name: String, bytes: u64, timestamp_ms: i64) -> FilePacket {
        (self.total_bytes, self.state) = (bytes, FileState::Ready);
        let mime_type = if self.is_text { "text/plain" } else { stream_tx::mime_type_of(&name) };
        self.packet(Content::StreamHeader(StreamHeader {
            id: self.id.clone(),
            timestamp_ms,
            topic: self.address.topic.clone(),
            mime_type: mime_type.to_owned(),
            total_bytes: Some(bytes),
            attributes: BTreeMap::new(),
            byte_name: (!self.is_text).then(|| stream_tx::short_name(name)),
        }))
    }

    fn take_step(&mut self) -> FileStep {
        match std::mem::replace(&mut self.state, FileState::Asked) {
            FileState::Asked => FileStep::Wait,
            FileState::Ready => FileStep::ReadMore,
            FileState::Holding(content) if self.is_text => {
                let begun = std::mem::take(&mut self.cut);
                match stream_tx::whole_characters([begun, content].concat()) {
                    Some((whole, rest)) => {
                        self.cut = rest;
                        self.chunk(whole)
                    }
                    None => FileStep::Fail("it is not text (UTF-8)"),
                }
            }
            FileState::Holding(content) => self.chunk(content),
            FileState::Ended if !self.cut.is_empty() => FileStep::Fail("its last character is cut in two"),
            FileState::Ended if self.sent_bytes != self.total_bytes => {
                FileStep::Fail("it became shorter while it was read")
            }
            FileState::Ended | FileState::Complete => {
                self.state = FileState::Complete;
                let topic = Some(self.address.topic.clone());
                FileStep::Send(FilePacket { topic, ..self.packet(stream_tx::end(&self.id, "")) })
            }
        }
    }

    fn chunk(&mut self, content: Vec<u8>) -> FileStep {
        self.state = FileState::Ready;
        if content.is_empty() {
            return FileStep::GoOn;
        }
        self.sent_bytes += content.len() as u64;
        let index = self.next_index;
        self.next_index += 1;
        FileStep::Send(self.packet(Content::StreamChunk { id: self.id.clone(), index, content }))
    }

    fn packet(&self, content: Content) -> FilePacket {
        let outgoing = Outgoing { destinations: self.address.to.clone(), content };
        FilePacket { key: self.key, topic: None, outgoing }
    }
}
