//! Why a session ended or cannot begin: [`Cause`], in words for people and by LiveKit's name.

use std::fmt;

use crate::rtc::Peer;
use crate::signal::leave::DisconnectReason;
use crate::signal::refusal::Refusal;

/// Why a session ended or cannot begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// No connection to the server, in words.
    Unreachable(String),
    /// The server answered the upgrade with another HTTP status.
    Refused(Refusal),
    /// The session was not up, or not mended, in time, and how far it came.
    TimedOut(&'static str),
    /// The signal connection ended, in words.
    SignalLost(String),
    /// The server did not answer pings.
    SignalSilent,
    /// ICE lost its path.
    PathLost(Peer),
    /// A NAT has given us another address, and the server sends to the old one. UDP itself works.
    PathMoved(Peer),
    /// The server took us back, and ICE found no path in time.
    PathMissing,
    /// A peer connection is dead, in words.
    PeerDead(Peer, String),
    /// The device has another address, or a network again.
    NetworkChanged,
    /// The server sent `leave`: the session is over.
    Told(DisconnectReason),
    /// The server sent `leave`, and wants the session resumed.
    ToldToResume(DisconnectReason),
    /// The server sent `leave`, and wants a new session.
    ToldToRejoin(DisconnectReason),
    /// The application wants a new session.
    Asked,
}

impl Cause {
    /// LiveKit's name for it (`DisconnectReason`), as the `disconnected` event gives it.
    pub fn reason(&self) -> DisconnectReason {
        match self {
            Cause::Told(reason) | Cause::ToldToResume(reason) | Cause::ToldToRejoin(reason) => *reason,
            Cause::Unreachable(_) | Cause::Refused(_) | Cause::TimedOut(_) => DisconnectReason::JoinFailure,
            Cause::SignalLost(_) | Cause::SignalSilent => DisconnectReason::SignalClose,
            Cause::PathLost(_) | Cause::PathMoved(_) | Cause::PathMissing | Cause::PeerDead(..) => {
                DisconnectReason::MediaFailure
            }
            Cause::NetworkChanged => DisconnectReason::ConnectionTimeout,
            Cause::Asked => DisconnectReason::ClientInitiated,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
            Cause::PathMoved(peer) => {
                write!(f, "{} lost its path: a router gave us another address", sound(peer))
            }
            Cause::PathMissing => f.write_str("no path for sound was found"),
            Cause::PeerDead(peer, text) => write!(f, "{} failed: {text}", sound(peer)),
            Cause::NetworkChanged => f.write_str("this device's network changed"),
            Cause::ToldToResume(reason) => write!(f, "the server requests a resume: {}", reason.words()),
            Cause::ToldToRejoin(reason) => {
                write!(f, "the server requests a new session: {}", reason.words())
            }
            Cause::Told(reason) => {
                write!(f, "the server ended the session: {} ({})", reason.words(), reason.name())
            }
            Cause::Asked => f.write_str("a new session was asked for"),
        }
    }
}
