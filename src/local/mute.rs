//! Whether our track sends, and the mute state that is reported to the room: mute × talk key.
//!
//! | muted | talk key | packets | reported to the room |
//! | --- | --- | --- | --- |
//! | no | not in use | sent | unmuted |
//! | no | held | sent | unmuted |
//! | no | released | none | muted, once it stays released for [`TALK_HOLD`] |
//! | yes | any | none | muted |
//!
//! A talk key is pressed and released every few seconds, and a receiver that is informed of each mute takes one to two
//! seconds to play the next word (livekit issue 219). So packets follow the key at once, like a pause in speech, and a
//! mute is reported only when the key rests. A mute by command, by its button or by the server is reported at once.
//!
//! What holds it shut is kept by [`Gates`].

use std::time::{Duration, Instant};

use super::gates::Gates;

/// A released talk key counts as a mute after this: longer than the pauses of a dialogue.
pub const TALK_HOLD: Duration = Duration::from_secs(2);

/// Mute and talk key of one track of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mute {
    gates: Gates,
    /// A talk key has been used.
    has_key: bool,
    /// Since when a gate that is not a mute has paused it.
    paused_since: Option<Instant>,
    /// What the server knows, as far as we know.
    told: Option<bool>,
    /// The state that was reported to the application.
    shown: bool,
}

impl Mute {
    /// A track without a talk key so far.
    pub fn new(is_muted: bool) -> Self {
        let gates = Gates::new(is_muted);
        Self { gates, has_key: false, paused_since: None, told: None, shown: is_muted }
    }

    /// Whether packets are sent.
    pub fn is_open(&self) -> bool {
        self.gates.is_open()
    }

    /// Whether the track is muted, here or by the server, with or without the talk key.
    pub fn is_muted(&self) -> bool {
        self.gates.is_muted()
    }

    /// Whether the talk key is held; `None` if none is in use.
    pub fn is_talking(&self) -> Option<bool> {
        self.has_key.then(|| self.gates.is_key_held())
    }

    /// Mutes or unmutes.
    pub fn set(&mut self, is_muted: bool) {
        self.gates.set_muted(is_muted);
    }

    /// The talk key is pressed or released; from the first time on it is in use.
    pub fn talk(&mut self, is_held: bool, now: Instant) {
        self.has_key = true;
        self.gates.set_key_held(is_held);
        self.paused_since = self.gates.is_paused().then(|| self.paused_since.unwrap_or(now));
    }

    /// The server has set the mute, and knows that.
    pub fn set_by_server(&mut self, is_muted: bool) {
        self.gates.set_muted_by_server(is_muted);
        self.told = Some(is_muted);
    }

    /// We left the room: a moderator's mute ends with the visit.
    pub fn left(&mut self) {
        self.gates.set_muted_by_server(false);
    }

    /// The server shows the track as open; returns whether it was muted, and has to be muted again.
    pub fn seen_open(&mut self) -> bool {
        let is_wrong = self.told == Some(true);
        if is_wrong {
            self.told = None;
        }
        is_wrong
    }

    /// The session is resumed: the last report may have been lost with the connection.
    pub fn resumed(&mut self) {
        self.told = None;
    }

    /// The track is announced to the server: how. A released key needs no hold then.
    pub fn announce(&mut self) -> bool {
        let is_muted = !self.is_open();
        self.told = Some(is_muted);
        is_muted
    }

    /// The mute state to report to the server now, if it does not know it.
    pub fn poll_server(&mut self, now: Instant) -> Option<bool> {
        let told = self.for_room(now).filter(|muted| Some(*muted) != self.told)?;
        self.told = Some(told);
        Some(told)
    }

    /// The mute state to report to the application now, if it does not know it.
    pub fn poll_application(&mut self, now: Instant) -> Option<bool> {
        let shown = self.for_room(now).filter(|muted| *muted != self.shown)?;
        self.shown = shown;
        Some(shown)
    }

    /// When a released key becomes a mute, where it has not yet.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let is_known = self.is_muted() || self.told == Some(true) && self.shown;
        self.paused_since.filter(|_| !is_known).map(|since| since + TALK_HOLD)
    }

    /// What the room shall know; `None` while a released key is still held open.
    fn for_room(&self, now: Instant) -> Option<bool> {
        match self.paused_since {
            _ if self.is_muted() => Some(true),
            Some(since) => (now >= since + TALK_HOLD).then_some(true),
            None => Some(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
    fn base() -> Instant {
        Instant::now()
    }

    #[test]
    fn the_truth_table() {
        let base = base();
        // muted, talk key; packets, reported at once, reported after the hold.
        let table = [
            (false, None, true, false, false),
            (false, Some(true), true, false, false),
            (false, Some(false), false, false, true),
            (true, None, false, true, true),
            (true, Some(true), false, true, true),
            (true, Some(false), false, true, true),
        ];
        for (is_muted, key, is_open, at_once, later) in table {
            let mut mute = Mute::new(false);
            mute.announce();
            mute.set(is_muted);
            if let Some(is_held) = key {
                mute.talk(is_held, base);
            }
            let case = format!("muted {is_muted}, key {key:?}");
            assert_eq!(mute.is_open(), is_open, "{case}");
            assert_eq!(mute.poll_server(base), at_once.then_some(true), "{case}");
            let told_later = mute.poll_server(base + TALK_HOLD);
            assert_eq!(at_once || told_later == Some(true), later, "{case}");
            assert_eq!(mute.poll_application(base + TALK_HOLD), later.then_some(true), "{case}");
            assert_eq!(mute.poll_timeout(), None, "{case}: nothing is left to report");
        }
    }

    #[test]
    fn a_dialogue_is_not_told_word_by_word() {
        let mut now = base();
        let mut mute = Mute::new(false);
        mute.announce();
        let mut told: Vec<bool> = Vec::new();
        for _ in 0..10 {
            for (is_held, ms) in [(true, 800), (false, 900)] {
                mute.talk(is_held, now);
                told.extend(mute.poll_server(now));
                now += Duration::from_millis(ms);
                told.extend(mute.poll_server(now));
            }
        }
        assert!(told.is_empty(), "the key never rested");
        // Pressed or released again and again, the hold counts from the first release.
        mute.talk(false, now);
        assert_eq!(mute.poll_timeout(), Some(now - Duration::from_millis(900) + TALK_HOLD));
        assert_eq!(mute.poll_server(now + TALK_HOLD), Some(true));
        mute.talk(true, now + TALK_HOLD);
        assert_eq!(mute.poll_server(now + TALK_HOLD), Some(false), "at once");
    }

    #[test]
    fn the_server_is_not_told_what_it_said() {
        let now = base();
        let mut mute = Mute::new(false);
        mute.set_by_server(true);
        assert_eq!((mute.poll_server(now), mute.poll_application(now)), (None, Some(true)));
        assert!(!mute.is_open());
        mute.set_by_server(false);
        assert_eq!((mute.poll_server(now), mute.is_open()), (None, true));
        // A moderator's unmute does not press the key.
        mute.talk(false, now);
        mute.set_by_server(false);
        assert!(!mute.is_open());
    }

    #[test]
    fn a_moderator_lifts_no_mute_but_its_own() {
        let now = base();
        let mut mute = Mute::new(true);
        mute.announce();
        mute.set_by_server(false);
        assert!(!mute.is_open());
        assert_eq!(mute.poll_server(now), Some(true), "the mute is reported again");
        mute.set_by_server(true);
        mute.set(false);
        assert!(mute.is_open(), "a user here may");
        mute.set_by_server(true);
        assert_eq!((mute.is_open(), mute.announce()), (false, true), "in a new session, too");
        mute.left();
        assert_eq!((mute.is_open(), mute.announce()), (true, false), "but in no other visit");
    }

    #[test]
    fn a_new_session_is_told_as_it_is() {
        let now = base();
        let mut mute = Mute::new(false);
        mute.talk(false, now);
        assert!(mute.announce(), "a released key is announced as a mute");
        assert_eq!(mute.poll_server(now), None);
        mute.talk(true, now);
        assert_eq!(mute.poll_server(now), Some(false));
        mute.resumed();
        assert_eq!((mute.poll_server(now), mute.poll_server(now)), (Some(false), None), "perhaps lost");
    }
}
