//! Byte streams of others, as files that the io ring writes: [`StoredFiles`].
//!
//! ```text
//!   begin ─► Create     write ─► gathered for one drain ─► flush ─► Write     end ─► Keep ─► Stored(path) ─► event
//!                                                                         discard ─► Discard
//! ```

use crate::data::stream::IncomingStream;
use crate::engine::outbox::Outbox;
use crate::engine::port::{Action, FileKey, FileNotice, FileOrder};
use crate::event::{Event, FileFacts};
use crate::limits::STREAMS_IN_MAX;

/// Files that byte streams are stored in; where that is not wanted, the streams are only reported.
pub(super) struct StoredFiles {
    is_enabled: bool,
    /// Bytes of the drain under way: one order for each file, however small the chunks are.
    gathered: heapless::Vec<(u32, Vec<u8>), STREAMS_IN_MAX>,
    /// Streams that are complete, while their file is not.
    storing: heapless::Vec<IncomingStream, STREAMS_IN_MAX>,
}

/// A file that could not be written.
#[derive(Debug)]
pub(super) struct NotStored {
    /// Its stream, where that was complete; otherwise it is still under way.
    pub stream: Option<Box<IncomingStream>>,
    /// Why the file cannot be stored.
    pub why: String,
}

impl StoredFiles {
    /// A table without files.
    pub(super) fn new(is_enabled: bool) -> StoredFiles {
        StoredFiles { is_enabled, gathered: heapless::Vec::new(), storing: heapless::Vec::new() }
    }

    /// A byte stream begins.
    pub(super) fn begin(&mut self, key: u32, name: String, out: &mut Outbox) {
        if self.is_enabled {
            out.act(Action::File(FileKey::Received(key), FileOrder::Create { name }));
        }
    }

    /// More of a byte stream has come.
    pub(super) fn write(&mut self, key: u32, bytes: Vec<u8>, out: &mut Outbox) {
        if !self.is_enabled {
            return;
        }
        if self.gathered.is_full() {
            // Streams that ended and began within one drain may be more than there are places.
            self.flush(out);
        }
        match self.gathered.iter_mut().find(|(other, _)| *other == key) {
            Some((_, before)) => before.extend_from_slice(&bytes),
            None => _ = self.gathered.push((key, bytes)),
        }
    }

    /// The drain is over: hands what was gathered to the io ring.
    pub(super) fn flush(&mut self, out: &mut Outbox) {
        for (key, bytes) in std::mem::take(&mut self.gathered) {
            out.act(Action::File(FileKey::Received(key), FileOrder::Write(bytes)));
        }
    }

    /// A byte stream is complete: it is reported when its file is.
    ///
    /// # Errors
    /// Too many files wait for the io ring: the stream is dropped.
    pub(super) fn end(
        &mut self,
        stream: IncomingStream,
        out: &mut Outbox,
    ) -> Result<(), Box<IncomingStream>> {
        self.flush(out);
        if !self.is_enabled {
            out.emit(Event::ByteStream(file_facts(stream, None)));
            return Ok(());
        }
        let key = FileKey::Received(stream.key);
        self.storing.push(stream).map_err(Box::new)?;
        out.act(Action::File(key, FileOrder::Keep));
        Ok(())
    }

    /// A byte stream is invalid: its file is removed.
    pub(super) fn discard(&mut self, key: u32, out: &mut Outbox) {
        if self.is_enabled {
            // What came with its end in one drain is not to be written any more.
            self.gathered.retain(|(other, _)| *other != key);
            out.act(Action::File(FileKey::Received(key), FileOrder::Discard));
        }
    }

    /// What the io ring reports of the file of a stream.
    ///
    /// # Errors
    /// It could not be written.
    pub(super) fn handle_notice(
        &mut self,
        key: u32,
        notice: FileNotice,
        out: &mut Outbox,
    ) -> Result<(), NotStored> {
        let complete = self.storing.iter().position(|stream| stream.key == key);
        let complete = complete.map(|place| Box::new(self.storing.remove(place)));
        match (complete, notice) {
            (Some(stream), FileNotice::Stored(path)) => {
                out.emit(Event::ByteStream(file_facts(*stream, Some(path))));
            }
            (stream, FileNotice::Failed(why)) => return Err(NotStored { stream, why }),
            _ => {}
        }
        Ok(())
    }
}

fn file_facts(stream: IncomingStream, path: Option<String>) -> FileFacts {
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
