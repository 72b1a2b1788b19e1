//! Whether sound cards may have come or gone: changes of `/dev/snd`, where each card has its nodes.
//!
//! ALSA has no event for it, and udev would be a dependency. A node appears first and gets its rights a moment
//! later, so both wake; it disappears after the kernel has cut its card off. Without any card there is no `/dev/snd`, and
//! with the last one it may go; then `/dev` is watched until there is one.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

/// A descriptor that wakes when cards may have changed.
#[derive(Debug)]
pub struct Hotplug {
    inotify: OwnedFd,
    folder: PathBuf,
}

impl Hotplug {
    /// Watches from now on; `None` if the kernel cannot, in which case cards are looked for each second.
    pub fn new() -> Option<Hotplug> {
        Self::of(Path::new("/dev/snd"))
    }

    fn of(folder: &Path) -> Option<Hotplug> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
        let hotplug = Hotplug { inotify, folder: folder.to_owned() };
        hotplug.watch().then_some(hotplug)
    }

    /// The descriptor that becomes readable when cards change.
    pub fn raw_fd(&self) -> RawFd {
        self.inotify.as_fd().as_raw_fd()
    }

    /// Whether something changed since the last call.
    pub fn take(&mut self) -> bool {
        let mut has_changed = false;
        let mut events = [0; 4096];
        while rustix::io::read(&self.inotify, &mut events).is_ok_and(|bytes| bytes > 0) {
            has_changed = true;
        }
        if has_changed {
            // A folder that was removed has taken its watch along; of one that is watched there is only one.
            self.watch();
        }
        has_changed
    }

    fn watch(&self) -> bool {
        let changes = WatchFlags::CREATE | WatchFlags::ATTRIB | WatchFlags::DELETE;
        let add = |path: &Path, flags| inotify::add_watch(&self.inotify, path, flags).is_ok();
        add(&self.folder, changes)
            || self.folder.parent().is_some_and(|parent| add(parent, WatchFlags::CREATE))
                // Made meanwhile.
                && (!self.folder.exists() || add(&self.folder, changes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn wakes_for_what_comes_and_for_what_goes() {
        let parent = std::env::temp_dir().join(format!("kinglet-hotplug-{}", std::process::id()));
        let folder = parent.join("snd");
        let node = folder.join("pcmC0D0p");
        fs::create_dir_all(&parent).expect("a folder");
        let mut hotplug = Hotplug::of(&folder).expect("inotify");
        let mut after = |what: &str, result: std::io::Result<()>| {
            result.expect(what);
            assert!(hotplug.take(), "{what}");
            assert!(!hotplug.take(), "{what}, once");
        };
        for _ in 0..2 {
            after("the first card brings the folder", fs::create_dir(&folder));
            after("a node", fs::write(&node, ""));
            let mut rights = fs::metadata(&node).expect("there").permissions();
            rights.set_readonly(true);
            after("its rights", fs::set_permissions(&node, rights));
            after("it is pulled out", fs::remove_file(&node));
            after("the last one", fs::remove_dir(&folder));
        }
        fs::remove_dir(&parent).expect("removed");
    }

    #[test]
    fn quiet_until_something_happens() {
        assert!(!Hotplug::new().expect("inotify").take());
    }
}
