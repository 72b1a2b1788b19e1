//! Whether ICE has a path, from what str0m says of its state and from what is heard on it.
//!
//! ```text
//!   Unknown ── ICE connected ──► Up ── nothing heard for 5 s ──► Silent ── heard ──► Up
//!      ▲                          └──── ICE disconnected ──────► Gone ─── ICE connected ──► Up
//!      └── ICE begins anew
//! ```
//!
//! Both sides check a path that is up: we once a second, with an answer to each check. str0m itself
//! holds on to a pair for 15 s after the last check of a full-ICE server, which is longer than anybody
//! waits in a call; so silence is judged here. "Disconnected" before the first path only means that no
//! candidate fitted so far; after it, every pair is gone, and only an ICE restart or a new connection
//! helps.

use std::time::{Duration, Instant};

use str0m::IceConnectionState;

/// Five checks of ours without an answer. Wi-Fi that changes its access point takes up to three seconds.
pub const SILENCE_MAX: Duration = Duration::from_secs(5);

/// The state of one peer connection's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Path {
    #[default]
    Unknown,
    Up {
        heard: Instant,
    },
    Silent,
    Gone,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathChange {
    Found,
    Lost,
}

impl Path {
    /// Takes str0m's word.
    pub(super) fn changed(&mut self, state: IceConnectionState, now: Instant) -> Option<PathChange> {
        let was_up = self.is_up();
        match state {
            IceConnectionState::Connected | IceConnectionState::Completed => {
                *self = Path::Up { heard: now };
                (!was_up).then_some(PathChange::Found)
            }
            IceConnectionState::Disconnected if *self != Path::Unknown => {
                *self = Path::Gone;
                was_up.then_some(PathChange::Lost)
            }
            _ => None,
        }
    }

    /// A datagram arrived.
    pub(super) fn heard(&mut self, now: Instant) -> Option<PathChange> {
        let was_up = self.is_up();
        if !was_up && *self != Path::Silent {
            return None;
        }
        *self = Path::Up { heard: now };
        (!was_up).then_some(PathChange::Found)
    }

    /// Judges the silence.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<PathChange> {
        self.poll_timeout().filter(|due| *due <= now)?;
        *self = Path::Silent;
        Some(PathChange::Lost)
    }

    /// When `handle_timeout` is due.
    pub(super) fn poll_timeout(self) -> Option<Instant> {
        match self {
            Path::Up { heard } => Some(heard + SILENCE_MAX),
            _ => None,
        }
    }

    /// ICE begins anew on our wish: the old path is of no account any more.
    pub(super) fn restart(&mut self) {
        *self = Path::Unknown;
    }

    pub(super) fn is_up(self) -> bool {
        matches!(self, Path::Up { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use IceConnectionState as S;

    #[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
    fn base() -> Instant {
        Instant::now()
    }

    #[test]
    fn only_a_path_that_was_there_can_be_lost() {
        let now = base();
        let mut path = Path::default();
        assert_eq!(path.changed(S::Checking, now), None);
        assert_eq!(path.changed(S::Disconnected, now), None, "no candidate fitted so far");
        assert_eq!((path.heard(now), path.poll_timeout()), (None, None), "checks are no path yet");
        assert_eq!(path.changed(S::Connected, now), Some(PathChange::Found));
        assert_eq!(path.changed(S::Completed, now), None);
        assert_eq!(path.changed(S::Disconnected, now), Some(PathChange::Lost));
        assert_eq!(path.heard(now), None, "every pair is gone");
        assert_eq!(path.changed(S::Completed, now), Some(PathChange::Found));
        path.restart();
        assert_eq!(path.changed(S::Disconnected, now), None);
    }

    #[test]
    fn silence_is_a_loss_and_a_sound_ends_it() {
        let now = base();
        let second = Duration::from_secs(1);
        let mut path = Path::default();
        path.changed(S::Connected, now);
        assert_eq!(path.handle_timeout(now + 4 * second), None);
        assert_eq!(path.heard(now + 4 * second), None);
        assert_eq!(path.handle_timeout(now + 8 * second), None);
        assert_eq!(path.handle_timeout(now + 9 * second), Some(PathChange::Lost));
        assert_eq!(path.handle_timeout(now + 20 * second), None, "said once");
        assert_eq!(path.heard(now + 21 * second), Some(PathChange::Found));
        assert!(path.is_up());
    }
}
