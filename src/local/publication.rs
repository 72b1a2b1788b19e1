//! One track of ours, from its announcement to its end.
//!
//! ```text
//!   Idle ── announce ──► Announced ── track_published ──► Published(sid)
//!    ▲ ▲                   │ refused                         │ new session
//!    │ └─── new session ───┤                                 ├──► Idle
//!    │                     ▼       unpublished by the server │
//!    └── allow ───────── Ended ◄─────────────────────────────┘  or by ourselves
//! ```
//!
//! A track that a moderator has ended is not published again automatically, not even in a new session: only if
//! the user of the box requests it, or the server grants the permission again that it took.
//!
//! Mute survives every change of state: a box that was muted comes back muted. The server may mute us; only the user
//! of the box unmutes us then, or a moderator if the server allows it.

use super::mute::Mute;
use crate::signal::sid::Sid;

/// The state of our track.
#[derive(Debug)]
pub struct Publication {
    cid: String,
    name: String,
    state: PublicationState,
    last_sid: Option<Sid>,
    mute: Mute,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PublicationState {
    Idle,
    Announced,
    Published(Sid),
    /// For this session.
    Refused,
    /// Until it is allowed again.
    Ended,
}

impl Publication {
    /// A track named `name`, known as `cid` until the server names it.
    pub fn new(cid: String, name: String, is_muted: bool) -> Self {
        Self { cid, name, state: PublicationState::Idle, last_sid: None, mute: Mute::new(is_muted) }
    }

    /// Our own name of the track: `cid` of `AddTrackRequest`, second token of `a=msid`.
    pub fn cid(&self) -> &str {
        &self.cid
    }

    /// The track's name, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server's name of the track, while it is published.
    pub fn sid(&self) -> Option<Sid> {
        match self.state {
            PublicationState::Published(sid) => Some(sid),
            _ => None,
        }
    }

    /// Mute and talk key of the track.
    pub fn mute(&self) -> &Mute {
        &self.mute
    }

    /// Mute and talk key of the track, to be changed.
    pub fn mute_mut(&mut self) -> &mut Mute {
        &mut self.mute
    }

    /// Announces the track: `AddTrackRequest` must be sent, with the returned mute state. `None` if it must not be sent,
    /// because the track is announced already or has ended.
    pub fn announce(&mut self) -> Option<bool> {
        if self.state != PublicationState::Idle {
            return None;
        }
        self.state = PublicationState::Announced;
        Some(self.mute.announce())
    }

    /// Whether the server was asked for the track in this session, and has not ended it.
    pub fn is_announced(&self) -> bool {
        matches!(self.state, PublicationState::Announced | PublicationState::Published(_))
    }

    /// `track_published` for `cid`; `false` if it is not about our track.
    pub fn published(&mut self, cid: &str, sid: Sid) -> bool {
        let ours = cid == self.cid && self.state == PublicationState::Announced;
        if ours {
            self.state = PublicationState::Published(sid);
            self.last_sid = Some(sid);
        }
        ours
    }

    /// The server refuses the announcement. `true` if there was one.
    pub fn refused(&mut self) -> bool {
        let ends = self.state == PublicationState::Announced;
        if ends {
            self.state = PublicationState::Refused;
        }
        ends
    }

    /// `track_unpublished` for `sid`. `true` if it ended.
    pub fn unpublished_by_server(&mut self, sid: Sid) -> bool {
        let ends = self.state == PublicationState::Published(sid);
        if ends {
            self.state = PublicationState::Ended;
        }
        ends
    }

    /// We end it ourselves. What the server called it, if it was published.
    pub fn unpublish(&mut self) -> Option<Sid> {
        let sid = self.sid();
        self.state = PublicationState::Ended;
        sid
    }

    /// It may be announced again after it ended or was refused.
    pub fn allow(&mut self) {
        if matches!(self.state, PublicationState::Ended | PublicationState::Refused) {
            self.state = PublicationState::Idle;
        }
    }

    /// A new session begins: the server knows nothing of the track.
    pub fn session_lost(&mut self) {
        if self.state != PublicationState::Ended {
            self.state = PublicationState::Idle;
        }
        self.last_sid = None;
    }

    /// The last SID of the track in this session, to distinguish it from a new one: the server takes 200 ms to forget
    /// it, and would take the new track's sound for the old one's until then.
    pub fn last_sid(&self) -> Option<Sid> {
        self.last_sid
    }

    /// Whether it is to be announced as soon as the server has forgotten the last one.
    pub fn awaits_end(&self) -> bool {
        self.state == PublicationState::Idle && self.last_sid.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sid(text: &str) -> Sid {
        Sid::new(text).expect("usable")
    }

    #[test]
    fn is_announced_once_and_never_against_the_servers_will() {
        let mut publication = Publication::new("cid".into(), "microphone".into(), false);
        assert_eq!((publication.announce(), publication.announce()), (Some(false), None));
        assert!(!publication.published("other", sid("TR_1")));
        assert!(publication.published("cid", sid("TR_1")));
        assert_eq!(publication.sid(), Some(sid("TR_1")));
        assert!(!publication.unpublished_by_server(sid("TR_2")));
        assert!(publication.unpublished_by_server(sid("TR_1")));
        assert_eq!(publication.announce(), None, "the server ended it");
        publication.session_lost();
        assert_eq!(publication.announce(), None, "in the next session as well");
        publication.allow();
        assert!(publication.announce().is_some());
    }

    #[test]
    fn a_refusal_is_of_its_session() {
        let mut publication = Publication::new("cid".into(), "microphone".into(), false);
        assert!(!publication.refused(), "there was nothing to refuse");
        publication.announce();
        assert!(publication.refused());
        assert_eq!(publication.announce(), None);
        publication.session_lost();
        assert!(publication.announce().is_some());
    }

    #[test]
    fn what_we_end_stays_ended() {
        let mut publication = Publication::new("cid".into(), "microphone".into(), true);
        publication.announce();
        publication.published("cid", sid("TR_1"));
        assert_eq!(publication.unpublish(), Some(sid("TR_1")));
        publication.session_lost();
        assert_eq!(publication.announce(), None);
        publication.allow();
        assert_eq!(publication.announce(), Some(true), "and still muted");
    }
}
