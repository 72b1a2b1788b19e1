//! Which remote tracks we hear: up to [`SUBSCRIPTIONS_MAX`], unmuted microphones first.
//!
//! We join with `auto_subscribe=0`, so video is never offered to us (a video section that we cannot
//! answer makes the server start the session anew, for ever). Each change in the room is compared
//! with what is subscribed; the difference goes to the server.
//!
//! Who has a place keeps it while it is unmuted; a mute gives it up only when somebody unmuted
//! waits for one, so that a muted talker comes back without a negotiation.

use crate::limits::SUBSCRIPTIONS_MAX;
use crate::signal::sid::Sid;

/// One remote audio track that could be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    /// The server's name of it.
    pub sid: Sid,
    /// Whether its publisher has muted it.
    pub is_muted: bool,
    /// A microphone, as opposed to the sound of a shared screen.
    pub is_microphone: bool,
}

/// What to tell the server.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Subscribe these.
    pub subscribe: heapless::Vec<Sid, SUBSCRIPTIONS_MAX>,
    /// Unsubscribe these.
    pub unsubscribe: heapless::Vec<Sid, SUBSCRIPTIONS_MAX>,
}

/// The tracks that we asked for.
#[derive(Debug, Default)]
pub struct Subscriptions {
    wanted: heapless::Vec<Sid, SUBSCRIPTIONS_MAX>,
    refused: heapless::Vec<Sid, SUBSCRIPTIONS_MAX>,
    silenced: heapless::Vec<Sid, SUBSCRIPTIONS_MAX>,
}

impl Subscriptions {
    /// Compares what is in the room with what is subscribed. Tracks that ended need no message.
    pub fn update(&mut self, offered: &[Offered]) -> Change {
        self.wanted.retain(|sid| offered.iter().any(|track| track.sid == *sid));
        self.refused.retain(|sid| offered.iter().any(|track| track.sid == *sid));
        self.silenced.retain(|sid| offered.iter().any(|track| track.sid == *sid));
        let mut best: Vec<&Offered> = offered
            .iter()
            .filter(|track| !self.refused.contains(&track.sid) && !self.silenced.contains(&track.sid))
            .collect();
        // Stable: among equals, those who have a place and came earlier stay.
        best.sort_by_key(|track| (track.is_muted, !track.is_microphone, !self.wanted.contains(&track.sid)));
        best.truncate(SUBSCRIPTIONS_MAX);
        let wanted: heapless::Vec<Sid, SUBSCRIPTIONS_MAX> = best.iter().map(|track| track.sid).collect();
        let change = Change {
            subscribe: wanted.iter().filter(|sid| !self.wanted.contains(sid)).copied().collect(),
            unsubscribe: self.wanted.iter().filter(|sid| !wanted.contains(sid)).copied().collect(),
        };
        self.wanted = wanted;
        change
    }

    /// The tracks that we asked for.
    pub fn wanted(&self) -> &[Sid] {
        &self.wanted
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

    /// The application does (`true`) or does not want to hear this one, whatever the policy says.
    /// The next `update` carries it out.
    pub fn set_wanted(&mut self, sid: Sid, wanted: bool) {
        self.silenced.retain(|silenced| *silenced != sid);
        if wanted {
            self.refused.retain(|refused| *refused != sid);
            return;
        }
        if self.silenced.is_full() {
            self.silenced.remove(0);
        }
        let _ = self.silenced.push(sid);
    }

    /// A new session begins: nothing is subscribed there.
    pub fn session_lost(&mut self) {
        self.wanted.clear();
        self.refused.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(number: usize, is_muted: bool) -> Offered {
        Offered { sid: Sid::new(&format!("TR_{number}")).expect("usable"), is_muted, is_microphone: true }
    }

    #[test]
    fn what_is_new_is_asked_for_once() {
        let mut subscriptions = Subscriptions::default();
        let room = [track(1, false), track(2, true)];
        assert_eq!(subscriptions.update(&room).subscribe.len(), 2);
        assert_eq!(subscriptions.update(&room), Change::default());
        assert_eq!(subscriptions.update(&room[..1]), Change::default(), "an ended track needs no message");
    }

    #[test]
    fn unmuted_microphones_take_the_places_first() {
        let mut subscriptions = Subscriptions::default();
        let mut room: Vec<Offered> =
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
        assert_eq!(subscriptions.update(&room), Change::default());
        subscriptions.set_wanted(room[0].sid, true);
        assert_eq!(subscriptions.update(&room).subscribe.len(), 1);
        subscriptions.set_wanted(room[0].sid, false);
        assert_eq!(subscriptions.update(&room).unsubscribe.len(), 1);
    }
}
