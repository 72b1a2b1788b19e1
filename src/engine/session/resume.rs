//! A session that is resumed: the server keeps our place, sound keeps flowing where it can: [`Resume`], [`ResumeHistory`].
//!
//! ```text
//!            lost                       reconnect ─► sync_state
//!   Active ────────► Resuming: dial, again each 0.8 s ─────────► signal is back ─► path is back ─► Active
//!                        ▲                                             │          (if it was lost)
//!                        └─────────────── no path in 4 s ◄─────────────┘
//!   15 s without sound and server, 60 s without sound, or the server does not know us: a new session
//! ```
//!
//! The repair depends on the loss ([`Mend`]): a lost signal connection is only made again, without a time limit while
//! sound flows, and without an audible effect. With a lost path ICE is restarted, the publisher's by our offer, the
//! subscriber's by the server's (which it always sends). Peer connections, SSRCs, subscriptions and publications stay.

use std::time::{Duration, Instant};

use crate::rtc::Peer;
use crate::session::cause::Cause;
use crate::session::recovery::Mend;
use crate::signal::parameters;
use crate::signal::sid::Sid;
use crate::time::deadline::Reason;

/// A resume is given up after this long without sound and without the server: it forgets us after ICE's
/// own 15 s, and 5 s more.
const RESUME_PATIENCE: Duration = Duration::from_secs(15);

/// A server that takes us back each time, and finds no path: a new session is tried from here on.
const PATHLESS_MAX: Duration = Duration::from_secs(45);

/// From a dial until the server has taken us back: a network that comes and goes must not leave us with
/// a connection that never speaks.
const DIAL_PATIENCE: Duration = Duration::from_secs(5);

/// From there until both paths are found: checks go out at 0, 0.25, 0.75, 1.75, 2.75 and 3.75 s. The
/// next resume restarts them, and the server's.
const PATH_PATIENCE: Duration = Duration::from_secs(4);

/// A resumed session that is lost again sooner is *brief*: from the second in a row on the next attempt waits, since what
/// cuts us off may do it for ever; after [`BRIEF_MAX`] of them a new session is begun, with its growing waits. The first
/// is followed at once: the server has begun to restart ICE for it, and forwards nothing before that is done, so that
/// waiting would be heard.
const BRIEF: Duration = Duration::from_secs(1);

/// Brief resumes in a row.
const BRIEF_MAX: u32 = 3;

/// One resume under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resume {
    mend: Mend,
    /// Whose path has failed by itself, see [`Resume::begin`].
    blamed: Option<Peer>,
    progress: Progress,
    /// Our SID in the session.
    own_sid: Sid,
    /// A new session is tried from then on.
    give_up_at: Instant,
    /// The server is dialled then, again.
    redial_at: Option<Instant>,
    /// The paths must be found by then.
    path_until: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// The server is dialled, or will be.
    Dialling,
    /// The server has taken us back.
    TakenBack,
    /// The server has our state, and paths were restarted where necessary: a path that is found from now on counts, one
    /// from before does not.
    CaughtUp,
}

impl Resume {
    /// Begins a resume. `blamed`: whose path has failed by itself (`reconnect_reason` 2 and 3). The server then takes
    /// candidates of TCP only, for minutes, if the session is younger than 90 s.
    pub(super) fn begin(mend: Mend, blamed: Option<Peer>, own_sid: Sid, now: Instant) -> Resume {
        Resume {
            mend,
            blamed,
            progress: Progress::Dialling,
            own_sid,
            give_up_at: now + RESUME_PATIENCE,
            redial_at: None,
            path_until: None,
        }
    }

    /// Dials the server. Returns the parameters of the request. After a failure it is dialled again.
    pub(super) fn dial(&mut self, now: Instant) -> parameters::Resume {
        self.progress = Progress::Dialling;
        self.redial_at = Some(now + DIAL_PATIENCE);
        parameters::Resume { participant_sid: self.own_sid, reason: self.mend.reason(self.blamed) }
    }

    /// The attempt has failed by `cause`; the next one begins at `redial_at`.
    pub(super) fn failed(&mut self, cause: &Cause, redial_at: Instant) {
        self.progress = Progress::Dialling;
        if matches!(cause, Cause::PathMissing | Cause::NetworkChanged | Cause::ToldToResume(_)) {
            (self.mend, self.blamed) = (Mend::Path, None);
        }
        self.path_until = None;
        self.redial_at = Some(redial_at);
    }

    /// The path is lost too, and has its time from now.
    pub(super) fn widen(&mut self, now: Instant) {
        if std::mem::replace(&mut self.mend, Mend::Path) == Mend::Signal {
            self.give_up_at = now + RESUME_PATIENCE;
        }
    }

    /// The server has taken us back, `lost_for` after the loss. `retries`: a new session may follow.
    pub(super) fn taken_back(&mut self, lost_for: Duration, retries: bool, now: Instant) -> Mend {
        self.progress = Progress::TakenBack;
        if lost_for < PATHLESS_MAX && retries {
            self.give_up_at = now + RESUME_PATIENCE;
        }
        self.redial_at = None;
        self.mend
    }

    /// The server has our state, and paths were restarted where necessary.
    pub(super) fn caught_up(&mut self, now: Instant) {
        self.progress = Progress::CaughtUp;
        self.path_until = (self.mend == Mend::Path).then_some(now + PATH_PATIENCE);
    }

    /// The time is up. While sound flows both ways only the signal connection is missing, which a new session would
    /// need too: then the resume continues.
    pub(super) fn goes_on(&mut self, has_paths: bool, retries: bool, now: Instant) -> bool {
        let goes_on = self.mend == Mend::Signal && has_paths && retries;
        if goes_on {
            self.give_up_at = now + RESUME_PATIENCE;
        }
        goes_on
    }

    /// Whether everything is back.
    pub(super) fn is_complete(&self, has_paths: bool) -> bool {
        self.progress == Progress::CaughtUp && (self.mend == Mend::Signal || has_paths)
    }

    /// Whether the server has taken us back.
    pub(super) fn has_signal(&self) -> bool {
        self.progress != Progress::Dialling
    }

    /// The next deadline: [`Reason::Join`] gives the resume up, [`Reason::Redial`] dials, [`Reason::Path`] restarts
    /// ICE.
    pub(super) fn poll_timeout(&self) -> (Instant, Reason) {
        let redial = self.redial_at.map(|at| (at, Reason::Redial));
        let path = self.path_until.map(|at| (at, Reason::Path));
        let give_up = (self.give_up_at, Reason::Join);
        [redial, path]
            .into_iter()
            .flatten()
            .fold(give_up, |first, next| if next.0 < first.0 { next } else { first })
    }
}

/// Earlier resumes of the session: whether another one is worth it.
#[derive(Debug, Default)]
pub(super) struct ResumeHistory {
    /// The server forbids resumes.
    is_disabled: bool,
    resumed_at: Option<Instant>,
    brief: u32,
}

impl ResumeHistory {
    /// Sets whether the server's configuration disables resumes.
    pub(super) fn set_disabled(&mut self, is_disabled: bool) {
        self.is_disabled = is_disabled;
    }

    /// Whether a session that is lost now may be resumed.
    pub(super) fn allows(&self, now: Instant) -> bool {
        !self.is_disabled && self.brief_with(now) <= BRIEF_MAX
    }

    /// A resume begins; whether it is to wait.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        self.brief = self.brief_with(now);
        self.brief > 1
    }

    /// A resume was completed.
    pub(super) fn completed(&mut self, now: Instant) {
        self.resumed_at = Some(now);
    }

    /// Brief resumes in a row, with the one that is lost now.
    fn brief_with(&self, now: Instant) -> u32 {
        let is_brief = self.resumed_at.is_some_and(|at| now.saturating_duration_since(at) < BRIEF);
        if is_brief { self.brief + 1 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
    fn base() -> Instant {
        Instant::now()
    }

    fn resume(mend: Mend, now: Instant) -> Resume {
        Resume::begin(mend, None, Sid::new("PA_own").expect("a SID"), now)
    }

    #[test]
    fn a_lost_signal_connection_is_mended_while_sound_flows() {
        let now = base();
        let mut resume = resume(Mend::Signal, now);
        resume.dial(now);
        assert!(!resume.has_signal() && !resume.is_complete(true));
        assert_eq!(resume.poll_timeout(), (now + DIAL_PATIENCE, Reason::Redial));
        assert!(resume.goes_on(true, true, now + RESUME_PATIENCE));
        assert!(!resume.goes_on(false, true, now + RESUME_PATIENCE), "without sound it is given up");
        resume.taken_back(Duration::ZERO, true, now);
        assert!(resume.has_signal() && !resume.is_complete(true), "the server does not have our state");
        resume.caught_up(now);
        assert!(resume.is_complete(false), "paths do not matter");
    }

    #[test]
    fn a_lost_path_has_its_time_and_is_looked_for_anew() {
        let now = base();
        let mut resume = resume(Mend::Signal, now);
        resume.widen(now + DIAL_PATIENCE);
        resume.taken_back(Duration::ZERO, true, now + DIAL_PATIENCE);
        resume.caught_up(now + DIAL_PATIENCE);
        assert!(!resume.is_complete(false) && resume.is_complete(true));
        assert_eq!(resume.poll_timeout(), (now + DIAL_PATIENCE + PATH_PATIENCE, Reason::Path));
        resume.failed(&Cause::PathMissing, now + DIAL_PATIENCE + PATH_PATIENCE);
        assert_eq!(resume.poll_timeout(), (now + DIAL_PATIENCE + PATH_PATIENCE, Reason::Redial));
    }

    #[test]
    fn brief_resumes_wait_and_then_give_up() {
        let mut now = base();
        let mut history = ResumeHistory::default();
        let mut waits = Vec::new();
        while history.allows(now) {
            waits.push(history.begin(now));
            history.completed(now);
            now += BRIEF / 2;
        }
        assert_eq!(waits, [false, false, true, true]);
        now += BRIEF;
        assert!(history.allows(now), "after a long session the count restarts");
        history.set_disabled(true);
        assert!(!history.allows(now));
    }
}
