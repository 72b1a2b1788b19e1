//! Whether ICE has a path, from what str0m says of its state.
//!
//! "Disconnected" before the first path only means that no candidate fitted so far; after it, every
//! pair is gone, and only an ICE restart or a new connection helps.

use str0m::IceConnectionState;

/// The state of one peer connection's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Path {
    #[default]
    Unknown,
    Up,
    Lost,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathChange {
    Found,
    Lost,
}

impl Path {
    /// Takes str0m's word.
    pub(super) fn changed(&mut self, state: IceConnectionState) -> Option<PathChange> {
        let is_up = matches!(state, IceConnectionState::Connected | IceConnectionState::Completed);
        match (*self, state) {
            (Path::Unknown | Path::Lost, _) if is_up => {
                *self = Path::Up;
                Some(PathChange::Found)
            }
            (Path::Up, IceConnectionState::Disconnected) => {
                *self = Path::Lost;
                Some(PathChange::Lost)
            }
            _ => None,
        }
    }

    /// ICE begins anew on our wish: the old path is of no account any more.
    pub(super) fn restart(&mut self) {
        *self = Path::Unknown;
    }

    pub(super) fn is_up(self) -> bool {
        self == Path::Up
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use IceConnectionState as S;

    #[test]
    fn only_a_path_that_was_there_can_be_lost() {
        let mut path = Path::default();
        assert_eq!(path.changed(S::Checking), None);
        assert_eq!(path.changed(S::Disconnected), None, "no candidate fitted so far");
        assert_eq!(path.changed(S::Connected), Some(PathChange::Found));
        assert_eq!(path.changed(S::Completed), None);
        assert_eq!(path.changed(S::Disconnected), Some(PathChange::Lost));
        assert_eq!(path.changed(S::Completed), Some(PathChange::Found));
        path.restart();
        assert_eq!(path.changed(S::Disconnected), None);
    }
}
