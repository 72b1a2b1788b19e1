//! State that survives a power cut: privacy. It is one small file, which is written as a new file and renamed over the
//! old one.
//!
//! A box that cannot read the file is muted, which is the safe default.
//!
//! Newer and older versions read each other's files: `muted` holds one word, as in 0.1.0, in all versions; `version`
//! beside it names the format of the folder, for future additions.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::io::blocking::unblock;
use crate::io::process;
use crate::io::reactor::Reactor;

/// The name of the file in the state folder of the unit.
const FILE: &str = "muted";

/// The file with the version of the folder's format. 0.1.0 uses the same format, without this file.
const VERSION_FILE: &str = "version";
const VERSION: &str = "1\n";

/// The persistent state of a box.
pub(super) struct PersistentState {
    path: Option<PathBuf>,
    wanted: Cell<bool>,
    is_writing: Cell<bool>,
}

impl PersistentState {
    /// Uses the state folder; without one, nothing is saved.
    pub(super) fn new(state: Option<&Path>) -> PersistentState {
        let path = state.map(|folder| folder.join(FILE));
        PersistentState { path, wanted: Cell::new(false), is_writing: Cell::new(false) }
    }

    /// Whether privacy was on.
    pub(super) fn was_muted(&self) -> bool {
        match self.path.as_deref().map(process::read_small) {
            // The state was never saved, or there is no state folder.
            None | Some(Ok(None)) => false,
            Some(Ok(Some(text))) => text.trim() != "no",
            Some(Err(_)) => true,
        }
    }

    /// Saves privacy, on a separate thread because an SD card may be slow.
    ///
    /// # Errors
    /// The state cannot be saved.
    pub(super) async fn set_muted(&self, is_muted: bool, reactor: &Rc<Reactor>) -> Result<(), String> {
        self.wanted.set(is_muted);
        if self.is_writing.replace(true) {
            // The task that writes checks once more when it is done.
            return Ok(());
        }
        let mut result = Ok(());
        while result.is_ok() {
            let written = self.wanted.get();
            result = self.write(written, reactor).await;
            if self.wanted.get() == written {
                break;
            }
        }
        self.is_writing.set(false);
        result
    }

    async fn write(&self, is_muted: bool, reactor: &Rc<Reactor>) -> Result<(), String> {
        let Some(path) = self.path.clone() else { return Ok(()) };
        let text = if is_muted { "yes\n" } else { "no\n" };
        let said = format!("cannot save the mute state to {}", path.display());
        let written = unblock(reactor, "memory", move || {
            process::replace_file(&path, text)?;
            let version = path.with_file_name(VERSION_FILE);
            match process::read_small(&version) {
                Ok(Some(_)) => Ok(()),
                _ => process::replace_file(&version, VERSION),
            }
        })
        .await;
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) | Err(error) => Err(format!("{said}: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::clock;

    fn wait<T>(reactor: &Rc<Reactor>, future: impl Future<Output = T>) -> T {
        let executor = async_executor::LocalExecutor::new();
        let task = executor.spawn(future);
        while !task.is_finished() {
            while executor.try_tick() {}
            if !task.is_finished() {
                reactor.wait(None, clock::now()).expect("waits");
            }
        }
        futures_util::FutureExt::now_or_never(task).expect("finished")
    }

    /// 0.1.0 read everything except `no` as yes.
    fn as_0_1_0_reads(folder: &Path) -> bool {
        let text = process::read_small(&folder.join("muted")).expect("readable").expect("written");
        text.trim() != "no"
    }

    #[test]
    fn upgrades_and_downgrades_keep_privacy() {
        let folder = std::env::temp_dir().join(format!("kinglet-memory-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let reactor = Reactor::new().expect("a poller");
        let state = PersistentState::new(Some(&folder));
        assert!(!state.was_muted(), "a new box");
        for is_muted in [true, false] {
            // Written by this version, then by 0.1.0, which does not change `version`, then read by this version.
            wait(&reactor, state.set_muted(is_muted, &reactor)).expect("written");
            assert_eq!((as_0_1_0_reads(&folder), state.was_muted()), (is_muted, is_muted));
            process::replace_file(&folder.join("muted"), if is_muted { "no\n" } else { "yes\n" })
                .expect("written");
            assert_eq!(PersistentState::new(Some(&folder)).was_muted(), !is_muted);
            let version = process::read_small(&folder.join(VERSION_FILE)).expect("readable");
            assert_eq!(version.as_deref(), Some(VERSION));
        }
        // A later version was removed, and left its own number.
        process::replace_file(&folder.join(VERSION_FILE), "7\n").expect("written");
        wait(&reactor, state.set_muted(true, &reactor)).expect("written");
        assert!(state.was_muted() && as_0_1_0_reads(&folder));
        for name in ["muted", VERSION_FILE] {
            process::take_small(&folder.join(name));
        }
    }
}
