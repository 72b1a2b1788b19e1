//! Keys of input devices (evdev): a talk key on a keyboard, a headset, or made from a line by `gpio-keys`.
//!
//! The device is whichever has the key. One that is unplugged is looked for again.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::str::FromStr;

use evdev::{EventSummary, KeyCode};

/// Where the kernel puts input devices.
const FOLDER: &str = "/dev/input";

/// An input device, watched for one of its keys.
pub struct Key {
    code: KeyCode,
    inner: RefCell<Inner>,
    /// The same open device, to be waited on while it is read.
    waits: OwnedFd,
}

struct Inner {
    device: evdev::Device,
    /// Events that were read from the device and not returned yet.
    changes: heapless::Deque<bool, CHANGES>,
}

/// The device delivers several events at a time, such as a press and a release between two reads.
const CHANGES: usize = 16;

/// Why a key cannot be had.
#[derive(Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Not a name of `linux/input-event-codes.h`.
    NoSuchName(String),
    /// No device has it that may be read.
    NoDevice(String),
}

impl Key {
    /// The first device that has the key of this name.
    ///
    /// # Errors
    /// The name is invalid, or no device has the key.
    pub fn open(name: &str) -> Result<Key, KeyError> {
        let code = KeyCode::from_str(name).map_err(|_| KeyError::NoSuchName(name.to_owned()))?;
        let has_key = |path: &Path| {
            let device = evdev::Device::open(path).ok()?;
            let has_it = device.supported_keys().is_some_and(|keys| keys.contains(code));
            (has_it && device.set_nonblocking(true).is_ok()).then_some(device)
        };
        let mut paths: Vec<_> = rustix::fs::Dir::new(open_folder().ok_or_else(|| no_device(name))?)
            .map_err(|_| no_device(name))?
            .flatten()
            .filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned))
            .filter(|file| file.starts_with("event"))
            .collect();
        paths.sort();
        let device = paths.iter().find_map(|file| has_key(&Path::new(FOLDER).join(file)));
        let device = device.ok_or_else(|| no_device(name))?;
        let waits = device.as_fd().try_clone_to_owned().map_err(|_| no_device(name))?;
        Ok(Key { code, inner: RefCell::new(Inner { device, changes: heapless::Deque::new() }), waits })
    }

    /// Whether the key is held down now.
    pub fn is_down(&self) -> bool {
        self.inner.borrow().device.get_key_state().is_ok_and(|keys| keys.contains(self.code))
    }

    /// The next time that the key goes down (`true`) or up; the device's own repeats are left out.
    ///
    /// # Errors
    /// There is no event ([`io::ErrorKind::WouldBlock`]), or the device is gone.
    pub fn read(&self) -> io::Result<bool> {
        let Inner { device, changes } = &mut *self.inner.borrow_mut();
        let code = self.code;
        while changes.is_empty() {
            for event in device.fetch_events()? {
                if let EventSummary::Key(_, key, value @ (0 | 1)) = event.destructure()
                    && key == code
                {
                    // More than a hand can do at once: what it does later counts as much.
                    let _ = changes.push_back(value == 1);
                }
            }
        }
        changes.pop_front().ok_or(io::ErrorKind::WouldBlock.into())
    }
}

impl AsFd for Key {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.waits.as_fd()
    }
}

fn open_folder() -> Option<rustix::fd::OwnedFd> {
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    rustix::fs::open(FOLDER, flags, rustix::fs::Mode::empty()).ok()
}

fn no_device(name: &str) -> KeyError {
    KeyError::NoDevice(name.to_owned())
}

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            KeyError::NoSuchName(name) => write!(f, "{name} is not a key of linux/input-event-codes.h"),
            KeyError::NoDevice(name) => {
                write!(
                    f,
                    "no input device has the key {name}: `evtest` lists them (and this user needs the group input)"
                )
            }
        }
    }
}

impl std::error::Error for KeyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_or_refused() {
        assert_eq!(Key::open("KEY_NOWHERE").err(), Some(KeyError::NoSuchName("KEY_NOWHERE".into())));
        assert_eq!(KeyCode::from_str("KEY_RECORD").ok(), Some(KeyCode::KEY_RECORD));
    }
}
