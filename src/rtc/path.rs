//! Whether ICE has a path: from str0m's state, from the datagrams that arrive on it, and from the mapped address that
//! the server sees.
//!
//! ```text
//!   Unknown ── ICE connected ──► Up ── nothing heard for 5 s ──────────────────────► Silent ── heard ──► Up
//!      ▲                          │ └─ seen at another address, nothing heard ──────►   ▲
//!      └── ICE starts again        └─── ICE disconnected ──► Gone ─── ICE connected ──► Up
//! ```
//!
//! *Heard* is what the server sends by itself: RTP, RTCP, DTLS, and its own checks, one each two seconds. Its answers
//! to our checks do not count: they come back on the way that our check took, also if a NAT has given us another
//! address and all the rest goes to the old one. An ICE-lite server never checks by itself, and moves with our checks;
//! there an answer counts like any other datagram.
//!
//! str0m itself keeps a pair for 15 s after the last check of a full-ICE server, which is longer than a person waits in
//! a call; so silence is judged here. "Disconnected" before the first path only means that no candidate fitted so far;
//! after it, every pair is gone, and only an ICE restart or a new connection helps.

use std::time::{Duration, Instant};

use str0m::IceConnectionState;

use super::checks::{Answer, Checks};
use super::drain::Transmit;
use super::{Datagram, stun};

/// Two checks of the server and a half. Wi-Fi that changes its access point takes up to three seconds.
pub const SILENCE_MAX: Duration = Duration::from_secs(5);

/// Where the server sees us at another address, what it sends has this long to show that the old one still works. A
/// talker sends each 20 ms.
const MOVED_SILENCE: Duration = Duration::from_millis(200);

/// A path that was found after a move is believed for so long: behind a NAT that gives each packet another address the
/// session would be resumed all the time.
const MOVED_PAUSE: Duration = Duration::from_secs(5);

/// The path of one peer connection.
#[derive(Debug, Default)]
pub(super) struct Path {
    state: PathState,
    checks: Checks,
    /// The server is ICE-lite.
    is_lite: bool,
    /// It sees us at another address than when the path was found.
    is_moved: bool,
    /// When a move counts again.
    moves_from: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum PathState {
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
    /// Lost, because a NAT has given us another address.
    Moved,
}

impl Path {
    /// Takes str0m's word.
    pub(super) fn changed(&mut self, state: IceConnectionState, now: Instant) -> Option<PathChange> {
        let was_up = self.is_up();
        match state {
            IceConnectionState::Connected | IceConnectionState::Completed => {
                self.state = PathState::Up { heard: now };
                (!was_up).then_some(PathChange::Found)
            }
            IceConnectionState::Disconnected if self.state != PathState::Unknown => {
                self.state = PathState::Gone;
                was_up.then_some(PathChange::Lost)
            }
            _ => None,
        }
    }

    /// The server's description shows whether it is ICE-lite.
    pub(super) fn described(&mut self, is_lite: bool) {
        self.is_lite = is_lite;
    }

    /// A datagram leaves.
    pub(super) fn sent(&mut self, transmit: &Transmit, now: Instant) {
        self.checks.sent(transmit, now);
    }

    /// A datagram arrived. The round trip, if it answers a check on the pair in use.
    pub(super) fn received(
        &mut self,
        datagram: &Datagram<'_>,
        now: Instant,
    ) -> (Option<PathChange>, Option<Duration>) {
        let answer = self.checks.answered(datagram, now);
        if let Some(Answer { is_moved, .. }) = answer {
            self.is_moved = is_moved && !self.is_lite;
        }
        let is_heard = self.is_lite || !stun::is_response(datagram.bytes);
        let change = if is_heard { self.heard(now) } else { self.handle_timeout(now) };
        (change, answer.map(|answer| answer.round_trip))
    }

    /// What a check takes, smoothed over some seconds; `None` before the first one.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.checks.round_trip()
    }

    /// Judges the silence.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<PathChange> {
        let PathState::Up { heard } = self.state else { return None };
        let change = match () {
            () if heard + SILENCE_MAX <= now => PathChange::Lost,
            () if self.moved_at(heard).is_some_and(|at| at <= now) => PathChange::Moved,
            () => return None,
        };
        self.state = PathState::Silent;
        if change == PathChange::Moved {
            self.moves_from = Some(now + MOVED_PAUSE);
        }
        Some(change)
    }

    /// When `handle_timeout` is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let PathState::Up { heard } = self.state else { return None };
        self.moved_at(heard).into_iter().chain([heard + SILENCE_MAX]).min()
    }

    /// ICE restarts at our request: the old path does not count any more.
    pub(super) fn restart(&mut self) {
        self.state = PathState::Unknown;
        self.is_moved = false;
        self.checks.restart();
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, PathState::Up { .. })
    }

    fn heard(&mut self, now: Instant) -> Option<PathChange> {
        let was_up = self.is_up();
        if !was_up && self.state != PathState::Silent {
            return None;
        }
        self.state = PathState::Up { heard: now };
        (!was_up).then_some(PathChange::Found)
    }

    /// When the path counts as moved, if nothing is heard until then.
    fn moved_at(&self, heard: Instant) -> Option<Instant> {
        let silent = heard + MOVED_SILENCE;
        self.is_moved.then(|| self.moves_from.map_or(silent, |from| from.max(silent)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use IceConnectionState as S;

    use crate::rtc::Protocol;

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
        assert_eq!((path.heard(now), path.poll_timeout()), (None, None), "checks are not a path yet");
        assert_eq!(path.changed(S::Connected, now), Some(PathChange::Found));
        assert_eq!(path.changed(S::Completed, now), None);
        assert_eq!(path.changed(S::Disconnected, now), Some(PathChange::Lost));
        assert_eq!(path.heard(now), None, "every pair is gone");
        assert_eq!(path.changed(S::Completed, now), Some(PathChange::Found));
        path.restart();
        assert_eq!(path.changed(S::Disconnected, now), None);
    }

    const MS: Duration = Duration::from_millis(1);

    fn receives(path: &mut Path, bytes: &[u8], now: Instant) -> Option<PathChange> {
        let address = |port| std::net::SocketAddr::from(([192, 0, 2, 9], port));
        let (source, destination) = (address(7882), address(40_000));
        path.received(&Datagram { protocol: Protocol::Udp, source, destination, bytes }, now).0
    }

    /// A check of ours is answered; the server sees us at `port`.
    fn is_seen_at(path: &mut Path, port: u16, now: Instant) -> Option<PathChange> {
        let address = |port| std::net::SocketAddr::from(([192, 0, 2, 9], port));
        for bytes in [vec![0x80, 111], stun::tests::request([1; 12])] {
            path.sent(&Transmit::new(Protocol::Udp, address(40_000), address(7882), bytes), now);
        }
        receives(path, &stun::tests::success([1; 12], address(port)), now)
    }

    #[test]
    fn answers_to_our_own_checks_are_not_heard() {
        let now = base();
        let mut path = Path::default();
        path.changed(S::Connected, now);
        assert_eq!(is_seen_at(&mut path, 1000, now + 4000 * MS), None);
        assert_eq!(path.poll_timeout(), Some(now + SILENCE_MAX));
        assert_eq!(is_seen_at(&mut path, 1000, now + 6000 * MS), Some(PathChange::Lost));
        for bytes in [&[0x80, 111][..], &[0x80, 200], &[23, 254, 253], &stun::tests::request([9; 12])] {
            let mut path = Path::default();
            path.changed(S::Connected, now);
            assert_eq!(receives(&mut path, bytes, now + 4000 * MS), None);
            assert_eq!(path.poll_timeout(), Some(now + 4000 * MS + SILENCE_MAX), "{bytes:?}");
        }
    }

    #[test]
    fn another_address_is_a_loss_as_soon_as_nothing_is_heard() {
        let now = base();
        let mut path = Path::default();
        path.changed(S::Connected, now);
        assert_eq!(is_seen_at(&mut path, 1000, now), None);
        receives(&mut path, &[0x80, 111], now + 900 * MS);
        assert_eq!(is_seen_at(&mut path, 2000, now + 1000 * MS), None, "it may still be heard");
        assert_eq!(path.poll_timeout(), Some(now + 1100 * MS));
        receives(&mut path, &[0x80, 111], now + 1050 * MS);
        assert_eq!(path.handle_timeout(now + 1100 * MS), None);
        assert_eq!(path.handle_timeout(now + 1250 * MS), Some(PathChange::Moved));
        assert_eq!(path.handle_timeout(now + 9000 * MS), None, "said once");
    }

    #[test]
    fn an_address_that_changes_all_the_time_is_said_seldom() {
        let now = base();
        let mut path = Path::default();
        let mut moves = 0;
        for second in 0..60 {
            let now = now + second * 1000 * MS;
            path.changed(S::Connected, now);
            if is_seen_at(&mut path, 1000 + second as u16, now + 500 * MS) == Some(PathChange::Moved) {
                moves += 1;
                path.restart();
            }
        }
        assert!((2..=12).contains(&moves), "{moves}");
    }

    #[test]
    fn an_ice_lite_server_moves_with_us() {
        let now = base();
        let mut path = Path::default();
        path.described(true);
        path.changed(S::Connected, now);
        for second in 0..20 {
            assert_eq!(is_seen_at(&mut path, 1000 + second as u16, now + second * 1000 * MS), None);
            assert_eq!(path.handle_timeout(now + second * 1000 * MS + 999 * MS), None);
        }
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
