//! Files that are sent, and files that streams of others are stored in. Every touch of the disk is on a
//! short-lived thread: an SD card may take its time, the sound may not.
//!
//! ```text
//!   engine ── FileOrder ──► [ ≤ 64 ] ─► task of the file ─► disk
//!   engine ◄─ FileNotice ───────────────┘
//! ```
//!
//! The sender chooses the name of a stored file, so it is not trusted: only letters, digits, `.`, `-` and `_`
//! of its last part are kept, an existing file is never touched, and until it is whole it has another name.

#![expect(
    clippy::indexing_slicing,
    reason = "places come from a search of the same table, or number its fixed entries"
)]

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use async_executor::{LocalExecutor, Task};

use crate::engine::port::{FileKey, FileNotice, FileOrder};
use crate::io::host::process::random_seed;
use crate::io::runtime::blocking::unblock;
use crate::io::runtime::mailbox::Mailbox;
use crate::io::runtime::reactor::Reactor;
use crate::limits::{FILE_ORDERS_MAX, FILES_MAX, STORED_BYTES_MAX, STREAM_BYTES_MAX, STREAM_CHUNK_BYTES};

/// Notices that the engine has not taken yet: each file has one on its way, and one more at its end.
const NOTICES: usize = 2 * FILES_MAX;

/// Bytes of a name that are kept; file systems allow 255, and a number may follow.
const NAME_BYTES_MAX: usize = 100;

/// Files of one name, distinguished by a number.
const SAME_NAMES_MAX: u32 = 1000;

type Orders = Rc<Mailbox<FileOrder, FILE_ORDERS_MAX>>;
type Notices = Rc<Mailbox<(FileKey, FileNotice), NOTICES>>;

/// The files under way.
pub(in crate::io) struct Files {
    folder: Option<PathBuf>,
    open: heapless::Vec<(FileKey, Orders, Task<()>), FILES_MAX>,
    notices: Notices,
}

impl Files {
    /// Received files go to `folder`. Unfinished files that a power cut has left there are removed.
    pub(in crate::io) fn new(folder: Option<PathBuf>) -> Self {
        // A folder that cannot be read is reported when a file is to be stored there.
        let left = folder.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
        for entry in left.filter(|entry| is_left_behind(&entry.file_name().to_string_lossy())) {
            let _ = std::fs::remove_file(entry.path());
        }
        Self { folder, open: heapless::Vec::new(), notices: Rc::default() }
    }

    /// Carries out an order of the engine. What cannot be taken fails the file.
    pub(in crate::io) fn order(
        &mut self,
        executor: &LocalExecutor<'_>,
        reactor: &Rc<Reactor>,
        key: FileKey,
        order: FileOrder,
    ) {
        self.open.retain(|(_, _, task)| !task.is_finished());
        if order.is_first() {
            let orders = Orders::default();
            let serving =
                serve(reactor.clone(), self.folder.clone(), key, orders.clone(), self.notices.clone());
            let _ = orders.post(order);
            if self.open.push((key, orders, executor.spawn(serving))).is_err() {
                self.fail(key, "too many files at once");
            }
            return;
        }
        // The order of a file that has failed meanwhile has no addressee.
        let Some(place) = self.open.iter().position(|(open, ..)| *open == key) else { return };
        if self.open[place].1.post(order).is_err() {
            // Dropping the task leaves an unfinished file behind, so it ends by itself.
            let (_, orders, task) = self.open.swap_remove(place);
            while orders.take().is_some() {}
            let _ = orders.post(FileOrder::Discard);
            task.detach();
            self.fail(key, "the disk is too slow for it");
        }
    }

    /// What has become of orders.
    pub(in crate::io) fn take_notice(&mut self) -> Option<(FileKey, FileNotice)> {
        self.notices.take()
    }

    /// Whether there is something to take.
    pub(in crate::io) fn has_notices(&self) -> bool {
        self.notices.has_items()
    }

    fn fail(&self, key: FileKey, why: &str) {
        let _ = self.notices.post((key, FileNotice::Failed(why.to_owned())));
    }
}

/// One file, order by order, until one of them is its last.
async fn serve(
    reactor: Rc<Reactor>,
    folder: Option<PathBuf>,
    key: FileKey,
    orders: Orders,
    notices: Notices,
) {
    let mut file = Some(OnDisk::Nothing);
    let mut next = None;
    while let Some(state) = file.take() {
        let mut order = match next.take() {
            Some(order) => order,
            None => orders.receive().await,
        };
        // What has come meanwhile is written at once.
        while let FileOrder::Write(bytes) = &mut order
            && let Some(other) = orders.take()
        {
            match other {
                FileOrder::Write(more) => bytes.extend_from_slice(&more),
                other => {
                    next = Some(other);
                    break;
                }
            }
        }
        let folder = folder.clone();
        let done =
            unblock(&reactor, "kinglet-file", move || state.carry_out(order, key, folder.as_deref())).await;
        let (state, notice) =
            done.unwrap_or_else(|error| (None, Some(FileNotice::Failed(error.to_string()))));
        file = state;
        if let Some(notice) = notice {
            notices.send((key, notice)).await;
        }
    }
}

/// A file, as far as it is there.
enum OnDisk {
    Nothing,
    /// It is read.
    Read(File),
    /// It is written, under its temporary name.
    Written(File, Temporary, String),
}

/// A file that is removed unless it is kept.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl OnDisk {
    /// Carries out one order. Returns the file's new state (`None` if it is finished), and the notice to send.
    fn carry_out(
        self,
        order: FileOrder,
        key: FileKey,
        folder: Option<&Path>,
    ) -> (Option<OnDisk>, Option<FileNotice>) {
        let failed = |error: std::io::Error| (None, Some(FileNotice::Failed(error.to_string())));
        match (self, order) {
            (OnDisk::Nothing, FileOrder::Read { path }) => match open(Path::new(&path)) {
                Ok((file, bytes)) => {
                    let name =
                        Path::new(&path).file_name().unwrap_or_default().to_string_lossy().into_owned();
                    (Some(OnDisk::Read(file)), Some(FileNotice::Opened { name, bytes }))
                }
                Err(error) => failed(error),
            },
            (OnDisk::Read(mut file), FileOrder::ReadMore) => match read_chunk(&mut file) {
                Ok(chunk) if chunk.is_empty() => (None, Some(FileNotice::End)),
                Ok(chunk) => (Some(OnDisk::Read(file)), Some(FileNotice::Chunk(chunk))),
                Err(error) => failed(error),
            },
            (OnDisk::Nothing, FileOrder::Create { name }) => match create(folder, key) {
                Ok((file, temporary)) => (Some(OnDisk::Written(file, temporary, safe_name(&name))), None),
                Err(error) => failed(error),
            },
            (OnDisk::Written(mut file, temporary, name), FileOrder::Write(bytes)) => {
                match file.write_all(&bytes) {
                    Ok(()) => (Some(OnDisk::Written(file, temporary, name)), None),
                    Err(error) => failed(error),
                }
            }
            (OnDisk::Written(file, temporary, name), FileOrder::Keep) => {
                drop(file);
                match keep(&temporary.0, &name) {
                    Ok(path) => (None, Some(FileNotice::Stored(path.to_string_lossy().into_owned()))),
                    Err(error) => failed(error),
                }
            }
            // Given up: a temporary file goes with its state.
            _ => (None, None),
        }
    }
}

/// Opens a regular file: a pipe or device has no length, and may never end.
fn open(path: &Path) -> std::io::Result<(File, u64)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(std::io::Error::other("not a regular file"));
    }
    Ok((file, metadata.len()))
}

fn read_chunk(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut chunk = Vec::with_capacity(STREAM_CHUNK_BYTES);
    file.take(STREAM_CHUNK_BYTES as u64).read_to_end(&mut chunk)?;
    Ok(chunk)
}

fn create(folder: Option<&Path>, key: FileKey) -> std::io::Result<(File, Temporary)> {
    let folder = folder.ok_or_else(|| std::io::Error::other("no folder for files"))?;
    let mut taken_bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // One that is on its way may become as long as any.
        taken_bytes += match is_part(&entry.file_name().to_string_lossy()) {
            true => STREAM_BYTES_MAX,
            false => entry.metadata().map_or(0, |metadata| metadata.len()),
        };
    }
    if taken_bytes + STREAM_BYTES_MAX > STORED_BYTES_MAX {
        return Err(std::io::Error::other(format!(
            "the folder may hold {STORED_BYTES_MAX} bytes, and is full"
        )));
    }
    let FileKey::Received(number) = key else { return Err(std::io::ErrorKind::InvalidInput.into()) };
    // A name that nobody can guess, and no file or link of this name before: nothing else can be overwritten.
    let (process, random) = (std::process::id(), random_seed());
    let path = folder.join(format!(".kinglet-{process}-{number}-{random:016x}.part"));
    let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
    Ok((file, Temporary(path)))
}

/// Whether this is the name of a file that is not whole yet.
fn is_part(name: &str) -> bool {
    name.starts_with(".kinglet-") && name.ends_with(".part")
}

/// Whether it is such a file, and its writer has ended: another kinglet may use the folder.
fn is_left_behind(name: &str) -> bool {
    let writer = name.strip_prefix(".kinglet-").and_then(|rest| rest.split('-').next());
    let is_gone = |writer: &str| !Path::new("/proc").join(writer).exists();
    is_part(name) && writer.is_none_or(|writer| writer == std::process::id().to_string() || is_gone(writer))
}

/// Gives a whole file its name, or the next free one.
fn keep(temporary: &Path, name: &str) -> std::io::Result<PathBuf> {
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
        _ => (name, String::new()),
    };
    for number in 0..SAME_NAMES_MAX {
        let suffix = if number == 0 { String::new() } else { format!("-{number}") };
        let path = temporary.with_file_name(format!("{stem}{suffix}{extension}"));
        // No other program writes here, so there is no race that matters.
        if !path.exists() {
            std::fs::rename(temporary, &path)?;
            return Ok(path);
        }
    }
    Err(std::io::ErrorKind::AlreadyExists.into())
}

/// What of a sender's name may be a name here.
fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let safe: String = last.chars().map(|c| if is_safe(c) { c } else { '_' }).take(NAME_BYTES_MAX).collect();
    // Neither hidden, nor taken for an option by a program that gets the name.
    let safe = safe.trim_start_matches(['.', '-']);
    if safe.is_empty() { "file".to_owned() } else { safe.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        for (name, safe) in [
            ("picture.png", "picture.png"),
            ("../../etc/passwd", "passwd"),
            ("C:\\x\\run.exe", "run.exe"),
            ("..", "file"),
            (".bashrc", "bashrc"),
            ("--upload-file=x", "upload-file_x"),
            (".-.-", "file"),
            ("", "file"),
            ("a/", "file"),
            ("Tür 1\n.txt", "T_r_1_.txt"),
        ] {
            assert_eq!(safe_name(name), safe, "{name:?}");
        }
        assert_eq!(safe_name(&"x".repeat(1000)).len(), NAME_BYTES_MAX);
    }

    #[test]
    fn a_file_is_whole_or_not_there_and_none_is_overwritten() {
        let folder = std::env::temp_dir().join(format!("kinglet-files-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let names = || {
            let entries = std::fs::read_dir(&folder).expect("readable");
            let mut names: Vec<String> =
                entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            names
        };
        let mut key = 0;
        let mut store = |last: FileOrder| {
            key += 1;
            let orders =
                [FileOrder::Create { name: "../a.txt".into() }, FileOrder::Write(b"hello".to_vec()), last];
            let (mut state, mut told) = (Some(OnDisk::Nothing), None);
            for order in orders {
                let file = state.take().expect("still there");
                (state, told) = file.carry_out(order, FileKey::Received(key), Some(&folder));
            }
            assert!(state.is_none());
            told
        };
        assert_eq!(store(FileOrder::Discard), None);
        assert_eq!(names(), Vec::<String>::new());
        // Four that are on their way may fill the folder; left behind, they go.
        for number in 0..STORED_BYTES_MAX / STREAM_BYTES_MAX {
            std::fs::write(folder.join(format!(".kinglet-99999999-{number}.part")), b"half")
                .expect("written");
        }
        let (state, told) = OnDisk::Nothing.carry_out(
            FileOrder::Create { name: "b.txt".into() },
            FileKey::Received(0),
            Some(&folder),
        );
        assert!(state.is_none() && matches!(told, Some(FileNotice::Failed(why)) if why.contains("is full")));
        Files::new(Some(folder.clone()));
        assert_eq!(names(), Vec::<String>::new());
        assert!(matches!(store(FileOrder::Keep), Some(FileNotice::Stored(path)) if path.ends_with("a.txt")));
        assert!(
            matches!(store(FileOrder::Keep), Some(FileNotice::Stored(path)) if path.ends_with("a-1.txt"))
        );
        assert_eq!(names(), ["a-1.txt", "a.txt"]);

        let path = folder.join("a.txt").to_string_lossy().into_owned();
        let (state, told) = OnDisk::Nothing.carry_out(FileOrder::Read { path }, FileKey::Sent(1), None);
        assert_eq!(told, Some(FileNotice::Opened { name: "a.txt".into(), bytes: 5 }));
        let file = state.expect("open");
        let (state, told) = file.carry_out(FileOrder::ReadMore, FileKey::Sent(1), None);
        assert_eq!(told, Some(FileNotice::Chunk(b"hello".to_vec())));
        let (state, told) = state.expect("open").carry_out(FileOrder::ReadMore, FileKey::Sent(1), None);
        assert_eq!((state.is_none(), told), (true, Some(FileNotice::End)));
        let device = FileOrder::Read { path: "/dev/zero".into() };
        let (_, told) = OnDisk::Nothing.carry_out(device, FileKey::Sent(1), None);
        assert!(matches!(told, Some(FileNotice::Failed(_))));
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
