//! A client's disk: files by their paths, at hand at once.

use kinglet::command::Ticket;
use kinglet::engine::port::{FileKey, FileNotice, FileOrder};
use kinglet::limits::STREAM_CHUNK_BYTES;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// The files of one client.
#[derive(Debug, Default)]
pub struct Disk {
    /// What is there, by path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The one recording, whatever its name: samples of 48 kHz.
    pub recording: Vec<i16>,
    /// Who waits for it.
    pub loading: VecDeque<Ticket>,
    /// What there is to tell.
    pub notices: VecDeque<(FileKey, FileNotice)>,
    /// Bytes that are still to be read.
    read: HashMap<u32, Vec<u8>>,
    /// Name and bytes of what is being written.
    written: HashMap<u32, (String, Vec<u8>)>,
}

impl Disk {
    /// Does what the engine orders.
    pub fn order(&mut self, key: FileKey, order: FileOrder) {
        let notice = match (key, order) {
            (FileKey::Sent(key), FileOrder::Read { path }) => match self.files.get(&path) {
                Some(bytes) => {
                    self.read.insert(key, bytes.clone());
                    Some(FileNotice::Opened { name: path, bytes: bytes.len() as u64 })
                }
                None => Some(FileNotice::Failed("no such file".to_string())),
            },
            (FileKey::Sent(key), FileOrder::ReadMore) => self.read.get_mut(&key).map(|bytes| {
                let chunk: Vec<u8> = bytes.drain(..bytes.len().min(STREAM_CHUNK_BYTES)).collect();
                if chunk.is_empty() { FileNotice::End } else { FileNotice::Chunk(chunk) }
            }),
            (FileKey::Received(key), FileOrder::Create { name }) => {
                self.written.insert(key, (name, Vec::new()));
                None
            }
            (FileKey::Received(key), FileOrder::Write(bytes)) => {
                self.written.get_mut(&key).expect("a file that was made").1.extend(bytes);
                None
            }
            (FileKey::Received(key), FileOrder::Keep) => {
                let (name, bytes) = self.written.remove(&key).expect("a file that was made");
                self.files.insert(name.clone(), bytes);
                Some(FileNotice::Stored(name))
            }
            (FileKey::Received(key), _) => {
                self.written.remove(&key);
                None
            }
            (FileKey::Sent(key), _) => {
                self.read.remove(&key);
                None
            }
        };
        self.notices.extend(notice.map(|notice| (key, notice)));
    }
}
