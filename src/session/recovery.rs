//! The table cause → action.
//!
//! | cause | before the first `connected` | afterwards |
//! | --- | --- | --- |
//! | credentials refused (HTTP 400, 401, 403) | end, 4 | again where the source can be asked again, else end, 4 |
//! | removed, identity taken over, room deleted or closed | end, 7 | end, 7 |
//! | told to leave for another reason | as unreachable | again |
//! | not reached, refused, timed out | end, 5 | again |
//! | signal connection lost or silent | end, 5 | again |
//! | peer connection lost or dead | end, 5 | again |
//!
//! A session that was up is first resumed where it can be (`engine::resume`: the last two rows, and on
//! the server's wish), for 15 s at most. "Again" means a new session, after a wait of `time::backoff`. With [`Retry::Forever`] the first
//! column reads like the second; with [`Retry::Never`] the second reads like the first. Credentials
//! that cannot be had anew are final, because the same token gets the same answer.

use crate::error::ExitStatus;
use crate::rtc::Peer;
use crate::signal::leave::DisconnectReason;
use crate::signal::refusal::Refusal;

/// When to come back by ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retry {
    /// For ever once connected; the first connection is tried once.
    #[default]
    AfterFirst,
    /// For ever from the start.
    Forever,
    /// Never.
    Never,
}

/// What the table is asked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// When to come back.
    pub retry: Retry,
    /// The source of the token can be asked again.
    pub renews_token: bool,
}

/// Why there is no session (any more).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// No connection to the server, in words.
    Unreachable(String),
    /// The server answered the upgrade with another HTTP status.
    Refused(Refusal),
    /// The session was not up in time, and how far it came.
    TimedOut(&'static str),
    /// The signal connection ended, in words.
    SignalLost(String),
    /// The server did not answer pings.
    SignalSilent,
    /// ICE lost its path.
    PathLost(Peer),
    /// A peer connection is dead, in words.
    PeerDead(Peer, String),
    /// The server sent `leave`.
    Told(DisconnectReason),
    /// The server sent `leave`, and wants the session resumed.
    ToldToResume(DisconnectReason),
}

/// How the program ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Exit status.
    pub status: ExitStatus,
    /// One line that says what happened and what to do; empty where it ended as asked.
    pub text: String,
}

/// What follows from a cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Begin a new session.
    Again,
    /// This is the end.
    End(Outcome),
}

/// Looks a cause up in the table. `was_connected` is whether `connected` was ever reached.
pub fn decide(cause: &Cause, policy: Policy, was_connected: bool) -> Verdict {
    let end = |status| Verdict::End(Outcome { status, text: cause.to_string() });
    let status = match cause {
        Cause::Told(reason) if reason.is_removal() => return end(ExitStatus::Removed),
        Cause::Refused(refusal) => refusal.exit_status(),
        _ => ExitStatus::Unreachable,
    };
    let comes_back = match policy.retry {
        Retry::Never => false,
        Retry::AfterFirst => was_connected,
        Retry::Forever => true,
    };
    let may_help = status != ExitStatus::Credentials || policy.renews_token;
    if comes_back && may_help { Verdict::Again } else { end(status) }
}

impl Cause {
    /// LiveKit's name for it (`DisconnectReason`), as the `disconnected` event gives it.
    pub fn reason(&self) -> DisconnectReason {
        match self {
            Cause::Told(reason) | Cause::ToldToResume(reason) => *reason,
            Cause::Unreachable(_) | Cause::Refused(_) | Cause::TimedOut(_) => DisconnectReason::JoinFailure,
            Cause::SignalLost(_) | Cause::SignalSilent => DisconnectReason::SignalClose,
            Cause::PathLost(_) | Cause::PeerDead(..) => DisconnectReason::MediaFailure,
        }
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sound = |peer: &Peer| match peer {
            Peer::Publisher => "the connection for sound to the room",
            Peer::Subscriber => "the connection for sound from the room",
        };
        match self {
            Cause::Unreachable(text) | Cause::SignalLost(text) => f.write_str(text),
            Cause::Refused(refusal) => refusal.fmt(f),
            Cause::TimedOut(stage) => write!(f, "timed out while {stage}"),
            Cause::SignalSilent => f.write_str("the server no longer answers pings"),
            Cause::PathLost(peer) => write!(f, "{} lost its path", sound(peer)),
            Cause::PeerDead(peer, text) => write!(f, "{} failed: {text}", sound(peer)),
            Cause::ToldToResume(reason) => write!(f, "the server wants us to come back: {}", reason.words()),
            Cause::Told(reason) => {
                write!(f, "the server ended the session: {} ({})", reason.words(), reason.name())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let unreachable = || Cause::Unreachable("cannot connect".into());
        let refused = || Cause::Refused(Refusal::new(401, b"invalid token"));
        let told = Cause::Told;
        use DisconnectReason as R;
        use ExitStatus as E;
        // cause, before the first connected, afterwards; None is "again".
        let table = [
            (unreachable(), Some(E::Unreachable), None),
            (refused(), Some(E::Credentials), Some(E::Credentials)),
            (Cause::Refused(Refusal::new(503, b"")), Some(E::Unreachable), None),
            (told(R::ParticipantRemoved), Some(E::Removed), Some(E::Removed)),
            (told(R::DuplicateIdentity), Some(E::Removed), Some(E::Removed)),
            (told(R::ServerShutdown), Some(E::Unreachable), None),
            (told(R::StateMismatch), Some(E::Unreachable), None),
            (Cause::SignalSilent, Some(E::Unreachable), None),
            (Cause::PathLost(Peer::Subscriber), Some(E::Unreachable), None),
        ];
        let status = |verdict| match verdict {
            Verdict::End(outcome) => Some(outcome.status),
            Verdict::Again => None,
        };
        for (cause, before, after) in table {
            let asked = |retry| Policy { retry, renews_token: false };
            assert_eq!(status(decide(&cause, asked(Retry::AfterFirst), false)), before, "{cause}");
            assert_eq!(status(decide(&cause, asked(Retry::AfterFirst), true)), after, "{cause}");
            assert_eq!(status(decide(&cause, asked(Retry::Forever), false)), after, "{cause}");
            assert_eq!(status(decide(&cause, asked(Retry::Never), true)), before, "{cause}");
            assert!(!cause.to_string().is_empty());
        }
        let renewing = Policy { retry: Retry::AfterFirst, renews_token: true };
        assert_eq!(status(decide(&refused(), renewing, true)), None);
        assert_eq!(status(decide(&refused(), renewing, false)), Some(E::Credentials));
    }
}
