//! Whether sound cards may have come or gone: changes of `/dev/snd`, where each card has its nodes.
//!
//! ALSA has no event for it, and udev would be a dependency. A node appears first and gets its rights a moment
//! later, so both wake. Without any card there is no `/dev/snd`; then `/dev` is watched until there is.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

/// A descriptor that wakes when cards may have changed.
#[derive(Debug)]
pub struct Hotplug {
    inotify: OwnedFd,
    watches_cards: bool,
}

impl Hotplug {
    /// Watches from now on; `None` where the kernel cannot, in which case cards are looked for each second.
    pub fn new() -> Option<Hotplug> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
        let mut hotplug = Hotplug { inotify, watches_cards: false };
        hotplug.watch().then_some(hotplug)
    }

    /// What wakes.
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
        if has_changed && !self.watches_cards {
            self.watch();
        }
        has_changed
    }

    fn watch(&mut self) -> bool {
        let flags = WatchFlags::CREATE | WatchFlags::ATTRIB;
        self.watches_cards = inotify::add_watch(&self.inotify, CARDS, flags).is_ok();
        self.watches_cards || inotify::add_watch(&self.inotify, "/dev", WatchFlags::CREATE).is_ok()
    }
}

const CARDS: &str = "/dev/snd";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_until_something_happens() {
        let mut hotplug = Hotplug::new().expect("inotify");
        assert!(!hotplug.take());
        let probe = format!("/dev/shm/kinglet-{}", std::process::id());
        inotify::add_watch(&hotplug.inotify, "/dev/shm", WatchFlags::CREATE).expect("a folder");
        std::fs::write(&probe, "").expect("a file");
        assert!(hotplug.take() && !hotplug.take());
        std::fs::remove_file(&probe).expect("its end");
    }
}
