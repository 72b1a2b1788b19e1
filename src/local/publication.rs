//! Our one track, from the wish to publish it to its end.
//!
//! ```text
//!   Idle ── announce ──► Announced ── track_published ──► Published(sid)
//!    ▲                       │ refused                        │ track_unpublished by the server
//!    └── new session ────────┴──────────► Ended ◄─────────────┘  (never republished on our own)
//! ```
//!
//! Mute survives all of it: a box that was muted comes back muted. The server may mute us; unmuting
//! is then up to whoever sits at the box, or to a moderator where the server allows it.

use crate::signal::sid::Sid;

/// What is known of our track.
#[derive(Debug)]
pub struct Publication {
    cid: String,
    name: String,
    state: State,
    is_muted: bool,
    /// What the server was told of the mute in this session.
    told_muted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Announced,
    Published(Sid),
    Ended,
}

impl Publication {
    /// A track named `name`, known as `cid` until the server names it.
    pub fn new(cid: String, name: String, is_muted: bool) -> Self {
        Self { cid, name, state: State::Idle, is_muted, told_muted: is_muted }
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
            State::Published(sid) => Some(sid),
            _ => None,
        }
    }

    /// Whether the track is muted.
    pub fn is_muted(&self) -> bool {
        self.is_muted
    }

    /// `AddTrackRequest` was sent. `false` if it must not be: it is announced already, or the server
    /// ended it in this session.
    pub fn announce(&mut self) -> bool {
        let may = self.state == State::Idle;
        if may {
            self.state = State::Announced;
            self.told_muted = self.is_muted;
        }
        may
    }

    /// Whether the server was asked for the track in this session, and has not ended it.
    pub fn is_announced(&self) -> bool {
        matches!(self.state, State::Announced | State::Published(_))
    }

    /// `track_published` for `cid`; `false` if it is not about our track.
    pub fn published(&mut self, cid: &str, sid: Sid) -> bool {
        let ours = cid == self.cid && self.state == State::Announced;
        if ours {
            self.state = State::Published(sid);
        }
        ours
    }

    /// `track_unpublished` for `sid`, or a refusal of the announcement (`None`). `true` if it ended.
    pub fn ended(&mut self, sid: Option<Sid>) -> bool {
        let ends = match sid {
            Some(sid) => self.state == State::Published(sid),
            None => self.state == State::Announced,
        };
        if ends {
            self.state = State::Ended;
        }
        ends
    }

    /// Sets the mute; `false` if it was so already.
    pub fn set_muted(&mut self, muted: bool) -> bool {
        let changed = self.is_muted != muted;
        self.is_muted = muted;
        changed
    }

    /// What the server must be told of the mute: the SID and the mute, where it does not know it yet.
    pub fn poll_mute(&mut self) -> Option<(Sid, bool)> {
        let sid = self.sid().filter(|_| self.told_muted != self.is_muted)?;
        self.told_muted = self.is_muted;
        Some((sid, self.is_muted))
    }

    /// What the server was told of the mute may not have reached it: `poll_mute` gives it again.
    pub fn forget_told_mute(&mut self) {
        self.told_muted = !self.is_muted;
    }

    /// The server itself has set the mute.
    pub fn muted_by_server(&mut self, muted: bool) -> bool {
        self.told_muted = muted;
        self.set_muted(muted)
    }

    /// A new session begins: the server knows nothing of the track.
    pub fn session_lost(&mut self) {
        self.state = State::Idle;
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
        assert!(publication.announce() && !publication.announce());
        assert!(!publication.published("other", sid("TR_1")));
        assert!(publication.published("cid", sid("TR_1")));
        assert_eq!(publication.sid(), Some(sid("TR_1")));
        assert!(!publication.ended(Some(sid("TR_2"))));
        assert!(publication.ended(Some(sid("TR_1"))));
        assert!(!publication.announce(), "the server ended it");
        publication.session_lost();
        assert!(publication.announce());
        assert!(publication.ended(None), "refused");
    }

    #[test]
    fn a_mute_is_told_when_there_is_something_to_tell_it_of() {
        let mut publication = Publication::new("cid".into(), "microphone".into(), true);
        publication.announce();
        publication.set_muted(false);
        assert_eq!(publication.poll_mute(), None, "the server has no name for it yet");
        publication.published("cid", sid("TR_1"));
        assert_eq!(publication.poll_mute(), Some((sid("TR_1"), false)));
        assert_eq!(publication.poll_mute(), None);
        publication.forget_told_mute();
        assert_eq!(publication.poll_mute(), Some((sid("TR_1"), false)));
        assert!(publication.muted_by_server(true));
        assert_eq!(publication.poll_mute(), None, "it knows");
    }

    #[test]
    fn mute_survives_a_new_session() {
        let mut publication = Publication::new("cid".into(), "microphone".into(), false);
        assert!(publication.set_muted(true) && !publication.set_muted(true));
        publication.session_lost();
        assert!(publication.is_muted());
    }
}
