//! Starts that fail: reported once, and repeated until the cause is removed.
//!
//! ```text
//!   started by a person ─► wrong: a line, status 3, which `systemctl start` shows        what was said is left in
//!                                                                                        RUNTIME_DIRECTORY/refused
//!   by systemd, 2 s after ─► wrong as before: not a word, stays and looks every 2 s ─┬─► right: runs, READY=1
//!                                                                                     └─► wrong in another way: a line
//! ```
//!
//! Systemd 252 has one delay for all restarts: short, for a crash. A box with an invalid file would fill its journal at
//! that rate, and a box that is not restarted any more would stay down when the file is right. The message is forgotten
//! when it is read, so that a manual restart reports the cause again.

use std::path::PathBuf;
use std::time::Duration;

use super::{RunError, ServiceEnvironment};
use crate::io::process;
use crate::io::signals::Signals;
use crate::io::systemd::ServiceManager;

/// Time between two checks of the files; an operator who has changed one is watching.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// How long the service manager is asked to wait for the next look; machines that start are busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The file's name in the runtime folder of the unit, which outlives restarts (`RuntimeDirectoryPreserve=restart`).
const FILE: &str = "refused";

/// One start of a box, made again and again where a service manager has seen it fail before.
pub struct StartRetry {
    path: Option<PathBuf>,
    manager: Option<ServiceManager>,
    said: Option<String>,
}

/// What follows a start that came to nothing.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// The end, with the reason.
    Ends,
    /// The reason is new: it must be reported. Then call [`StartRetry::waits`].
    Tells,
    /// It was reported before.
    Waits,
}

impl StartRetry {
    /// The first one of this process.
    pub fn new(environment: &ServiceEnvironment) -> StartRetry {
        let manager =
            environment.notify_socket.as_deref().and_then(|socket| ServiceManager::new(socket).ok());
        let path = environment.runtime.as_ref().map(|folder| folder.join(FILE));
        let said = path.as_deref().and_then(process::take_small);
        StartRetry { path: path.filter(|_| manager.is_some()), manager, said }
    }

    /// One came to nothing.
    pub fn failed(&mut self, error: &RunError) -> Next {
        let (Some(path), Some(manager)) = (&self.path, &self.manager) else { return Next::Ends };
        let text = error.to_string();
        let Some(said) = &mut self.said else {
            // If the file cannot be written, the next start reports the cause again.
            let _ = process::replace_file(path, &text);
            return Next::Ends;
        };
        manager.status(&text);
        manager.starts_within(PATIENCE);
        match *said == text {
            true => Next::Waits,
            false => {
                *said = text;
                Next::Tells
            }
        }
    }

    /// Waits for the next attempt. Returns `false` if the box is asked to end.
    pub fn waits(&self) -> bool {
        // Opened here: what a failed start has blocked stays blocked.
        Signals::termination().is_ok_and(|signals| !signals.wait(LOOK_AGAIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn error(word: &str) -> RunError {
        RunError::Identity(word.to_owned())
    }

    #[test]
    fn the_first_ends_and_the_next_waits_and_says_what_is_new() {
        let folder = std::env::temp_dir().join(format!("kinglet-attempts-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let managed = ServiceEnvironment {
            runtime: Some(folder.clone()),
            notify_socket: Some("@kinglet-attempts-nobody".into()),
            ..ServiceEnvironment::default()
        };
        assert_eq!(StartRetry::new(&managed).failed(&error("one")), Next::Ends);
        let mut again = StartRetry::new(&managed);
        let next = ["one", "one", "other", "other", "one"].map(|word| again.failed(&error(word)));
        assert_eq!(next, [Next::Waits, Next::Waits, Next::Tells, Next::Waits, Next::Tells]);
        // It was forgotten: a manual start reports it.
        assert_eq!(StartRetry::new(&managed).failed(&error("one")), Next::Ends);
        // Without a service manager.
        let alone = ServiceEnvironment { notify_socket: None, ..managed };
        assert_eq!(StartRetry::new(&alone).failed(&error("one")), Next::Ends);
        assert!(!Path::new(&folder).join(FILE).exists());
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
