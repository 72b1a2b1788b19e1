//! Retries of a failed start: the cause is reported once, and the start is retried until the cause is removed.
//!
//! ```text
//!   started by a person ──► fails: one line, status 3, which `systemctl start` shows;
//!                           the message is kept in RUNTIME_DIRECTORY/refused
//!   by systemd, 2 s later ─► fails in the same way: no output, retries every 2 s ─┬─► succeeds: runs, READY=1
//!                                                                                 └─► fails in another way: one line
//! ```
//!
//! systemd 252 has one delay for all restarts, which is short because of crashes. A box with an invalid file would fill
//! its journal at that rate, and a box that is no longer restarted would stay down after the file is corrected. The
//! kept message is removed when it is read, so that a manual restart reports the cause again.

use std::path::PathBuf;
use std::time::Duration;

use super::{RunError, ServiceEnvironment};
use crate::io::process;
use crate::io::signals::Signals;
use crate::io::systemd::ServiceManager;

/// Time between two attempts. It is short because an operator who has changed a file is waiting.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// How long the service manager is requested to wait for the next attempt; a machine that boots is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The name of the file in the runtime folder of the unit, which is kept over restarts
/// (`RuntimeDirectoryPreserve=restart`).
const FILE: &str = "refused";

/// The start of a box, which is retried if the service manager has seen it fail before.
pub struct StartRetry {
    path: Option<PathBuf>,
    manager: Option<ServiceManager>,
    said: Option<String>,
}

/// What to do after a failed start.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Exit, and report the reason.
    Ends,
    /// Report the reason, which is new, and call [`StartRetry::waits`].
    Tells,
    /// Call [`StartRetry::waits`]. The reason has been reported before.
    Waits,
}

impl StartRetry {
    /// Creates the state for the first attempt of this process.
    pub fn new(environment: &ServiceEnvironment) -> StartRetry {
        let manager =
            environment.notify_socket.as_deref().and_then(|socket| ServiceManager::new(socket).ok());
        let path = environment.runtime.as_ref().map(|folder| folder.join(FILE));
        let said = path.as_deref().and_then(process::take_small);
        StartRetry { path: path.filter(|_| manager.is_some()), manager, said }
    }

    /// Takes the error of a failed attempt. Returns what to do next.
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

    /// Waits for the next attempt. Returns `false` if the box is requested to end.
    pub fn waits(&self) -> bool {
        // Opened here: signals that a failed start has blocked stay blocked.
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
    fn the_first_failure_ends_and_later_ones_wait_and_report_new_reasons() {
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
        // The message was removed: a manual start reports it again.
        assert_eq!(StartRetry::new(&managed).failed(&error("one")), Next::Ends);
        // Without a service manager.
        let alone = ServiceEnvironment { notify_socket: None, ..managed };
        assert_eq!(StartRetry::new(&alone).failed(&error("one")), Next::Ends);
        assert!(!Path::new(&folder).join(FILE).exists());
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
