//! Which remote tracks we hear: up to [`SUBSCRIPTIONS_MAX`], unmuted microphones first.
//!
//! ```text
//!   tracks in the room ─► overrides (single talkers) ─► policy (all others) ─► places ─► SubscriptionChange ─► server
//! ```
//!
//! We join with `auto_subscribe=0`, so video is never offered to us (a video section that we cannot answer makes the
//! server start the session again, for ever). Each change in the room is compared with the subscriptions; the
//! difference is sent to the server.
//!
//! A track keeps its place while it is unmuted; a muted one loses it only when an unmuted one waits, so that a muted
//! talker comes back without a negotiation. A paused track keeps its place too: it can be resumed at once.

use super::overrides::{Overrides, TrackSelector};
use super::policy::SubscriptionPolicy;
use crate::limits::SUBSCRIPTIONS_MAX;
use crate::signal::sid::Sid;

/// As many tracks as we hear.
pub type Sids = heapless::Vec<Sid, SUBSCRIPTIONS_MAX>;

/// One remote audio track that could be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered<'a> {
    /// The server's name of it.
    pub sid: Sid,
    /// Identity of the publisher.
    pub identity: &'a str,
    /// Whether its publisher has muted it.
    pub is_muted: bool,
    /// A microphone, as opposed to the sound of a shared screen.
    pub is_microphone: bool,
    /// Whether a box's rule lets it be heard.
    pub is_admitted: bool,
}

/// The changes to send to the server.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SubscriptionChange {
    /// Tracks to subscribe.
    pub subscribe: Sids,
    /// Tracks to unsubscribe.
    pub unsubscribe: Sids,
    /// Tracks to pause.
    pub pause: Sids,
    /// Paused tracks to resume.
    pub resume: Sids,
}

/// The tracks that we asked for, and why.
#[derive(Debug, Default)]
pub struct Subscriptions {
    policy: SubscriptionPolicy,
    overrides: Overrides<bool>,
    pauses: Overrides<bool>,
    wanted: Sids,
    /// The tracks of them that the server was asked to pause.
    paused: Sids,
    refused: Sids,
}

impl Subscriptions {
    /// No subscriptions yet; `policy` decides which follow.
    pub fn new(policy: SubscriptionPolicy) -> Self {
        Self { policy, ..Self::default() }
    }

    /// Compares what is in the room with what is subscribed. Tracks that ended need no message.
    pub fn update(&mut self, offered: &[Offered<'_>]) -> SubscriptionChange {
        let is_there = |sid: Sid| offered.iter().any(|track| track.sid == sid);
        for list in [&mut self.wanted, &mut self.refused, &mut self.paused] {
            list.retain(|sid| is_there(*sid));
        }
        for overrides in [&mut self.overrides, &mut self.pauses] {
            overrides.retain_tracks(is_there);
        }
        let mut best: Vec<&Offered<'_>> = offered.iter().filter(|track| self.is_wished(track)).collect();
        // Stable: among equals, tracks with a place and earlier tracks stay.
        best.sort_by_key(|track| (track.is_muted, !track.is_microphone, !self.wanted.contains(&track.sid)));
        best.truncate(SUBSCRIPTIONS_MAX);
        let wanted: Sids = best.iter().map(|track| track.sid).collect();
        let is_paused = |track: &Offered<'_>| {
            self.pauses.of(track.sid, track.identity, track.is_microphone) == Some(true)
        };
        let paused: Sids = best.iter().filter(|track| is_paused(track)).map(|track| track.sid).collect();
        // What is not subscribed any more is not paused either.
        self.paused.retain(|sid| wanted.contains(sid));
        let change = SubscriptionChange {
            subscribe: not_in(&wanted, &self.wanted),
            unsubscribe: not_in(&self.wanted, &wanted),
            pause: not_in(&paused, &self.paused),
            resume: not_in(&self.paused, &paused),
        };
        (self.wanted, self.paused) = (wanted, paused);
        change
    }

    /// The session is resumed, and earlier requests may have been lost with the connection. Returns the changes that
    /// the server does not learn from `SyncState`, which names only subscribed and paused tracks. `carried` are the
    /// tracks of its last offer.
    pub fn resumed(&self, carried: impl Iterator<Item = Sid>) -> SubscriptionChange {
        let has_paused = self.pauses.is_any();
        SubscriptionChange {
            unsubscribe: carried.filter(|sid| !self.wanted.contains(sid)).take(SUBSCRIPTIONS_MAX).collect(),
            resume: if has_paused { not_in(&self.wanted, &self.paused) } else { Sids::new() },
            ..SubscriptionChange::default()
        }
    }

    /// The tracks that we asked for.
    pub fn wanted(&self) -> &[Sid] {
        &self.wanted
    }

    /// Those of them that the server does not forward because we do not want it to.
    pub fn paused(&self) -> &[Sid] {
        &self.paused
    }

    /// What is subscribed where nothing else is wished.
    pub fn policy(&self) -> &SubscriptionPolicy {
        &self.policy
    }

    /// From now on this is heard. The next `update` carries it out.
    pub fn set_policy(&mut self, policy: SubscriptionPolicy) {
        self.policy = policy;
    }

    /// A box's rule begins: what was wanted beyond the one before ends. What was not wanted stays so. The next
    /// `update` carries it out.
    pub fn forget_wanted(&mut self, policy: SubscriptionPolicy) {
        self.policy = policy;
        self.overrides.retain(|is_wanted| !is_wanted);
    }

    /// The server refused this one: it is not asked for again in this session.
    pub fn refused(&mut self, sid: Sid) {
        self.wanted.retain(|wanted| *wanted != sid);
        // More refusals than places: the oldest may be tried again.
        if self.refused.is_full() {
            self.refused.remove(0);
        }
        let _ = self.refused.push(sid);
    }

    /// The application subscribes (`true`) or unsubscribes, with precedence over the policy. The next `update` carries
    /// it out.
    pub fn set_wanted(&mut self, selector: TrackSelector, wanted: bool) {
        if wanted {
            // A refused track is asked for again when the application does.
            self.refused.clear();
        }
        self.overrides.set(selector, wanted);
    }

    /// The application wants this one paused, or no longer. The next `update` carries it out.
    pub fn set_paused(&mut self, selector: TrackSelector, paused: bool) {
        self.pauses.set(selector, paused);
    }

    /// A new session begins: nothing is subscribed there.
    pub fn session_lost(&mut self) {
        self.wanted.clear();
        self.paused.clear();
        self.refused.clear();
    }

    /// Whether this track is heard where there is a place for it.
    pub fn is_wished(&self, track: &Offered<'_>) -> bool {
        let Offered { sid, identity, is_microphone, is_admitted, .. } = *track;
        let value = self.overrides.of(sid, identity, is_microphone);
        let is_usual = || is_admitted && self.policy.admits(identity, is_microphone);
        !self.refused.contains(&sid) && value.unwrap_or_else(is_usual)
    }
}

fn not_in(these: &Sids, those: &Sids) -> Sids {
    these.iter().filter(|sid| !those.contains(sid)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(number: usize, is_muted: bool) -> Offered<'static> {
        let sid = Sid::new(&format!("TR_{number}")).expect("usable");
        Offered { sid, identity: "panel", is_muted, is_microphone: true, is_admitted: true }
    }

    #[test]
    fn what_is_new_is_asked_for_once() {
        let mut subscriptions = Subscriptions::default();
        let room = [track(1, false), track(2, true)];
        assert_eq!(subscriptions.update(&room).subscribe.len(), 2);
        assert_eq!(subscriptions.update(&room), SubscriptionChange::default());
        assert_eq!(
            subscriptions.update(&room[..1]),
            SubscriptionChange::default(),
            "an ended track needs no message"
        );
    }

    #[test]
    fn unmuted_microphones_take_the_places_first() {
        let mut subscriptions = Subscriptions::default();
        let mut room: Vec<Offered<'_>> =
            (0..SUBSCRIPTIONS_MAX + 2).map(|number| track(number, number < SUBSCRIPTIONS_MAX)).collect();
        let change = subscriptions.update(&room);
        assert!(change.subscribe.contains(&track(SUBSCRIPTIONS_MAX, false).sid));
        assert!(change.subscribe.contains(&track(SUBSCRIPTIONS_MAX + 1, false).sid));
        assert_eq!(change.subscribe.len(), SUBSCRIPTIONS_MAX);
        // The two left out unmute: two muted ones give way.
        let left_out: Vec<usize> =
            (0..SUBSCRIPTIONS_MAX).filter(|&n| !change.subscribe.contains(&room[n].sid)).collect();
        for &number in &left_out {
            room[number].is_muted = false;
        }
        let change = subscriptions.update(&room);
        assert_eq!((change.subscribe.len(), change.unsubscribe.len()), (2, 2));
        assert!(left_out.iter().all(|&n| change.subscribe.contains(&room[n].sid)));
    }

    #[test]
    fn a_refusal_is_not_repeated_and_a_wish_is_obeyed() {
        let mut subscriptions = Subscriptions::default();
        let room = [track(1, false)];
        subscriptions.update(&room);
        subscriptions.refused(room[0].sid);
        assert_eq!(subscriptions.update(&room), SubscriptionChange::default());
        subscriptions.set_wanted(TrackSelector::Track(room[0].sid), true);
        assert_eq!(subscriptions.update(&room).subscribe.len(), 1);
        subscriptions.set_wanted(TrackSelector::Track(room[0].sid), false);
        assert_eq!(subscriptions.update(&room).unsubscribe.len(), 1);
    }

    #[test]
    fn a_policy_and_a_wish_hold_over_sessions() {
        let mut subscriptions = Subscriptions::new("none".parse().expect("a policy"));
        assert_eq!(subscriptions.update(&[track(1, false)]), SubscriptionChange::default());
        subscriptions.set_wanted(TrackSelector::Identity("panel".into()), true);
        assert_eq!(subscriptions.update(&[track(1, false)]).subscribe.len(), 1);
        subscriptions.session_lost();
        assert_eq!(subscriptions.update(&[track(2, false)]).subscribe.len(), 1, "another SID of the same");
        subscriptions.set_policy("!panel".parse().expect("a policy"));
        assert_eq!(
            subscriptions.update(&[track(2, false)]),
            SubscriptionChange::default(),
            "the value counts more"
        );
    }

    #[test]
    fn a_pause_is_told_once_a_session() {
        let mut subscriptions = Subscriptions::default();
        let room = [track(1, false)];
        subscriptions.set_paused(TrackSelector::Identity("panel".into()), true);
        let change = subscriptions.update(&room);
        assert_eq!((change.subscribe.len(), change.pause.len()), (1, 1));
        assert_eq!(subscriptions.update(&room), SubscriptionChange::default());
        subscriptions.session_lost();
        assert_eq!(subscriptions.update(&room).pause.len(), 1);
        subscriptions.set_paused(TrackSelector::Track(room[0].sid), false);
        assert_eq!(subscriptions.update(&room).resume.len(), 1);
        assert!(subscriptions.paused().is_empty());
        let again = subscriptions.resumed([track(1, false).sid, track(2, false).sid].into_iter());
        assert_eq!((again.resume.len(), &again.unsubscribe[..]), (1, &[track(2, false).sid][..]));
    }
}
