//! What outlives a power cut: privacy. One small file, written anew and put in the place of the old one.
//!
//! A box that cannot read it is muted: silence is the safe mistake.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::io::blocking::unblock;
use crate::io::process;
use crate::io::reactor::Reactor;

/// The file's name in the state folder of the unit.
const FILE: &str = "muted";

/// The memory of one box.
pub(super) struct Memory {
    path: Option<PathBuf>,
    wanted: Cell<bool>,
    is_writing: Cell<bool>,
}

impl Memory {
    /// In the state folder; without one nothing is remembered.
    pub(super) fn new(state: Option<&Path>) -> Memory {
        let path = state.map(|folder| folder.join(FILE));
        Memory { path, wanted: Cell::new(false), is_writing: Cell::new(false) }
    }

    /// Whether privacy was on.
    pub(super) fn was_muted(&self) -> bool {
        match self.path.as_deref().map(process::read_small) {
            // It was never written, or nothing is remembered here.
            None | Some(Ok(None)) => false,
            Some(Ok(Some(text))) => text.trim() != "no",
            Some(Err(_)) => true,
        }
    }

    /// Remembers it; on a thread of its own, since an SD card takes its time.
    ///
    /// # Errors
    /// Why it will be forgotten.
    pub(super) async fn set_muted(&self, is_muted: bool, reactor: &Rc<Reactor>) -> Result<(), String> {
        self.wanted.set(is_muted);
        if self.is_writing.replace(true) {
            // Whoever writes looks once more when it is done.
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
        let said = format!("whether it is muted is not remembered in {}", path.display());
        let written = unblock(reactor, "memory", move || process::replace_file(&path, text)).await;
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) | Err(error) => Err(format!("{said}: {error}")),
        }
    }
}
