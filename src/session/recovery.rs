//! How we stay in the room: the states of a session, and the table cause → step.
//!
//! ```text
//!           dial              join           primary connection up
//!   ┌────► Dialing ─────────► Joined ────────────────────► Active ◄───────────────────────┐
//!   │         │ lost            │ lost                       │ lost                       │
//!   │         ▼                 ▼                            ▼                            │
//!   │   ╔═══════════════════════════════ next_step ═════════════════════════════════╗     │
//!   │   ╚═══════════════════════════════════════════════════════════════════════════╝     │
//!   │         │ Join           │ End                         │ Resume   ▲ lost     signal │
//!   │         ▼                ▼                             ▼          │ Probe,   back,  │
//!   └───── Waiting           Ended ◄── Leaving            Resuming ─────┘ Widen    path ──┘
//!    at once if the last               (as asked)   same session, sound flows      back
//!    attempt is long ago                            where it can
//! ```
//!
//! | cause | joining | active | resuming |
//! | --- | --- | --- | --- |
//! | no connection to the server | join | | probe |
//! | refused: the server's trouble (5xx, 429) | join | | probe |
//! | refused, but not in LiveKit's words: a proxy, portal or firewall on the way | join | | probe |
//! | refused: credentials | end (4), or join with a new token | | the same |
//! | refused: credentials, by a clock that is wrong | join | join | join |
//! | refused: no such room | join | | join |
//! | signal connection lost, or silent | join | resume the signal | probe |
//! | path of sound lost, or moved by a NAT | | resume, with the path | widen |
//! | resumed, and no path in 4 s | | | probe |
//! | another network | join | resume, with the path | probe |
//! | a peer connection is dead | join | join | join |
//! | out of time | join | | join |
//! | `leave`, RESUME | join | resume, with the path | probe |
//! | `leave`, RECONNECT (STATE_MISMATCH and others) | join | join | join |
//! | `leave`, DISCONNECT: intended | end (7) | end (7) | end (7) |
//! | `leave`, DISCONNECT: every other reason | join | join | join |
//! | the application asks | join | join | join |
//!
//! In LiveKit's cloud, a join that fails because of the server is tried in the other regions before the table applies
//! (`engine/session/regions.rs`).
//!
//! A session that cannot be resumed is replaced by a new one: if the server forbids resumes or does not know us, if an
//! exchange was interrupted, if resumes fail repeatedly ([`Standing::can_resume`]). "Join" ends instead if [`Retry`]
//! says so: with exit status 5, or 4 for refused credentials that cannot be renewed, since the same token gets the same
//! answer. A service never ends by itself: for status 7 it joins again, after a minute.
//!
//! A new session restores the application's settings: publication and mute, subscriptions, name, metadata and
//! attributes (`Engine::joined`). There are never two sessions at a time: a dial drops the previous connection, and the
//! server ends the older session.
//!
//! | wait, from the *start* of the join before | |
//! | --- | --- |
//! | nothing answered | 0.8 s ±25 %, for ever: it costs a SYN |
//! | removed, as a service | a minute doubling to ten, ±25 % |
//! | the server answered, and it came to nothing | 0.3 s doubling to 5 s, ±25 %, for ever; back to 0.3 s after a session of 10 s |
//!
//! So a session that was up is followed at once by the next dial, a refused resume too, and one that dies
//! at once is not.

use super::cause::Cause;
use crate::error::ExitStatus;
use crate::rtc::Peer;
use crate::signal::parameters::ResumeReason;
use crate::signal::refusal::Fault;

/// When to come back by ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retry {
    /// For ever once connected; the first connection is tried once.
    #[default]
    AfterFirst,
    /// For ever from the start.
    Forever,
    /// As a service: outside of the room until it is asked to enter, then for ever, also after it was removed, with
    /// long waits. Two boxes with one identity must not remove each other for ever.
    Service,
    /// Never with a new session: the first loss that a resume does not mend is the end.
    Never,
}

/// What the table is asked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RetryPolicy {
    /// When to come back.
    pub retry: Retry,
    /// The source of the token can be asked again.
    pub renews_token: bool,
}

/// How far the session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionStage {
    /// Dialing or joined: the primary peer connection was not up yet.
    Joining,
    /// The peer connections are up and sound flows.
    Active,
    /// The session is being mended.
    Resuming,
}

/// Where we stand when something is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How far the session has come.
    pub stage: SessionStage,
    /// Whether the same session can be taken up again.
    pub can_resume: bool,
    /// Whether any session was ever active.
    pub was_connected: bool,
    /// Limits from the settings.
    pub policy: RetryPolicy,
}

/// What is mended by a resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mend {
    /// The signal connection is made again; peer connections stay as they are, and sound continues.
    Signal,
    /// ICE is restarted too, on both peer connections.
    Path,
}

impl Mend {
    /// The reason for the server (`reconnect_reason`); `blamed` is the connection whose path has failed.
    pub fn reason(self, blamed: Option<Peer>) -> ResumeReason {
        match (self, blamed) {
            (Mend::Signal, _) => ResumeReason::SignalLost,
            (Mend::Path, None) => ResumeReason::Unknown,
            (Mend::Path, Some(Peer::Publisher)) => ResumeReason::PublisherFailed,
            (Mend::Path, Some(Peer::Subscriber)) => ResumeReason::SubscriberFailed,
        }
    }
}

/// How the program ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The program's exit status.
    pub status: ExitStatus,
    /// One line that names the cause and the remedy; empty if it ended as requested.
    pub text: String,
}

impl Outcome {
    /// The end that was asked for.
    pub fn as_asked() -> Outcome {
        Outcome { status: ExitStatus::AsAsked, text: String::new() }
    }
}

/// What is done about a loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Dial at once, for the same session.
    Resume(Mend),
    /// While resuming: dial again for the same session, after the wait of a probe.
    Probe,
    /// While resuming: the path is to be mended too.
    Widen,
    /// Drop the session and begin a new one, after the wait for the cause.
    Join,
    /// This is the end.
    End(Outcome),
}

/// Looks up what follows from `cause`.
pub fn next_step(cause: &Cause, standing: Standing) -> Step {
    match (standing.stage, cause) {
        (SessionStage::Active, _) if standing.can_resume => match cause {
            Cause::SignalLost(_) | Cause::SignalSilent => Step::Resume(Mend::Signal),
            Cause::PathLost(_) | Cause::PathMoved(_) | Cause::ToldToResume(_) | Cause::NetworkChanged => {
                Step::Resume(Mend::Path)
            }
            _ => join_or_end(cause, standing),
        },
        (SessionStage::Resuming, Cause::PathLost(_) | Cause::PathMoved(_)) => Step::Widen,
        // Only the server itself can end the session; meanwhile sound continues if it can.
        (SessionStage::Resuming, Cause::Refused(refusal)) if !refusal.is_livekits() => Step::Probe,
        (
            SessionStage::Resuming,
            Cause::Unreachable(_)
            | Cause::SignalLost(_)
            | Cause::SignalSilent
            | Cause::PathMissing
            | Cause::NetworkChanged
            | Cause::ToldToResume(_),
        ) => Step::Probe,
        _ => join_or_end(cause, standing),
    }
}

fn join_or_end(cause: &Cause, standing: Standing) -> Step {
    let end = |status| Step::End(Outcome { status, text: cause.to_string() });
    let status = match cause {
        Cause::Told(reason) if reason.is_removal() && standing.policy.retry != Retry::Service => {
            return end(ExitStatus::Removed);
        }
        Cause::Asked => return Step::Join,
        Cause::Refused(refusal) => refusal.exit_status(),
        _ => ExitStatus::Unreachable,
    };
    let comes_back = match standing.policy.retry {
        Retry::Never => false,
        Retry::AfterFirst => standing.was_connected,
        Retry::Forever | Retry::Service => true,
    };
    // The token in a service's file may be replaced, and clocks are set automatically.
    let is_clock = matches!(cause, Cause::Refused(refusal) if refusal.fault() == Fault::Clock);
    let may_help = status != ExitStatus::Credentials
        || is_clock
        || standing.policy.renews_token
        || standing.policy.retry == Retry::Service;
    if comes_back && may_help { Step::Join } else { end(status) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::leave::DisconnectReason as R;
    use crate::signal::refusal::Refusal;

    fn standing(stage: SessionStage, can_resume: bool, retry: Retry) -> Standing {
        let policy = RetryPolicy { retry, renews_token: false };
        Standing { stage, can_resume, was_connected: stage != SessionStage::Joining, policy }
    }

    /// The table above, row by row: cause, joining with `Retry::Forever`, active, resuming.
    #[test]
    fn the_table() {
        let refused = |status| Cause::Refused(Refusal::new(status, b""));
        let no_room = Cause::Refused(Refusal::new(404, b"requested room does not exist"));
        let no_upgrade = Cause::Refused(Refusal::new(404, b"").explained_by(200, b"success"));
        let (signal, path) = (Step::Resume(Mend::Signal), Step::Resume(Mend::Path));
        let join = || Step::Join;
        let end = |cause: &Cause, status| Step::End(Outcome { status, text: cause.to_string() });
        let rows = [
            (Cause::Unreachable("refused".into()), join(), join(), Step::Probe),
            (refused(503), join(), join(), Step::Probe),
            (refused(200), join(), join(), Step::Probe),
            (refused(302), join(), join(), Step::Probe),
            (refused(401), join(), join(), Step::Probe),
            (refused(403), join(), join(), Step::Probe),
            (refused(404), join(), join(), Step::Probe),
            (refused(511), join(), join(), Step::Probe),
            (no_upgrade, join(), join(), Step::Probe),
            (no_room, join(), join(), join()),
            (Cause::SignalLost("reset".into()), join(), signal.clone(), Step::Probe),
            (Cause::SignalSilent, join(), signal, Step::Probe),
            (Cause::PathLost(Peer::Subscriber), join(), path.clone(), Step::Widen),
            (Cause::PathMoved(Peer::Subscriber), join(), path.clone(), Step::Widen),
            (Cause::PathMissing, join(), join(), Step::Probe),
            (Cause::NetworkChanged, join(), path.clone(), Step::Probe),
            (Cause::PeerDead(Peer::Publisher, "DTLS".into()), join(), join(), join()),
            (Cause::TimedOut("resuming"), join(), join(), join()),
            (Cause::ToldToResume(R::ConnectionTimeout), join(), path, Step::Probe),
            (Cause::ToldToRejoin(R::StateMismatch), join(), join(), join()),
            (Cause::ToldToRejoin(R::DuplicateIdentity), join(), join(), join()),
            (Cause::Told(R::ServerShutdown), join(), join(), join()),
            (Cause::Told(R::Migration), join(), join(), join()),
            (Cause::Asked, join(), join(), join()),
        ];
        for (cause, joining, active, resuming) in rows {
            let step = |stage| next_step(&cause, standing(stage, true, Retry::Forever));
            let steps =
                (step(SessionStage::Joining), step(SessionStage::Active), step(SessionStage::Resuming));
            assert_eq!(steps, (joining, active, resuming), "{cause:?}");
            assert!(!cause.to_string().is_empty());
        }
        let removals = [R::ParticipantRemoved, R::DuplicateIdentity, R::RoomDeleted, R::RoomClosed];
        for cause in removals.map(Cause::Told) {
            for stage in [SessionStage::Joining, SessionStage::Active, SessionStage::Resuming] {
                let step = next_step(&cause, standing(stage, true, Retry::Forever));
                assert_eq!(step, end(&cause, ExitStatus::Removed), "{cause:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_resumed_is_joined_anew() {
        let lost = Cause::SignalLost("reset".into());
        assert_eq!(next_step(&lost, standing(SessionStage::Active, false, Retry::AfterFirst)), Step::Join);
    }

    #[test]
    fn when_a_join_is_the_end_instead() {
        let lost = Cause::TimedOut("resuming");
        let ended = |step| matches!(step, Step::End(outcome) if outcome.status == ExitStatus::Unreachable);
        assert!(ended(next_step(&lost, standing(SessionStage::Joining, true, Retry::AfterFirst))));
        assert!(ended(next_step(&lost, standing(SessionStage::Resuming, true, Retry::Never))));
        assert_eq!(next_step(&lost, standing(SessionStage::Resuming, true, Retry::AfterFirst)), Step::Join);
        let resumed = next_step(&Cause::SignalSilent, standing(SessionStage::Active, true, Retry::Never));
        assert_eq!(resumed, Step::Resume(Mend::Signal), "a resume is not a new session");
    }

    #[test]
    fn a_service_comes_back_whatever_happens() {
        let refused =
            Cause::Refused(Refusal::new(401, b"invalid token: x, error: token signature is invalid"));
        for cause in [refused, Cause::Told(R::DuplicateIdentity), Cause::Told(R::RoomDeleted)] {
            assert_eq!(
                next_step(&cause, standing(SessionStage::Active, true, Retry::Service)),
                Step::Join,
                "{cause:?}"
            );
        }
    }

    #[test]
    fn credentials_help_only_where_they_can_be_had_anew() {
        let refused =
            Cause::Refused(Refusal::new(401, b"invalid token: x, error: token signature is invalid"));
        for stage in [SessionStage::Active, SessionStage::Resuming] {
            let mut standing = standing(stage, true, Retry::Forever);
            let step = next_step(&refused, standing);
            assert!(matches!(step, Step::End(outcome) if outcome.status == ExitStatus::Credentials));
            let by_the_clock = Cause::Refused(
                Refusal::new(401, b"invalid token: x, error: token is expired").with_clock_behind(86_400),
            );
            assert_eq!(next_step(&by_the_clock, standing), Step::Join, "it will be set");
            standing.policy.renews_token = true;
            assert_eq!(next_step(&refused, standing), Step::Join);
        }
    }
}
