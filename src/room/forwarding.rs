//! Subscribed tracks that the server does not forward: the publisher forbids it, or bandwidth is lacking.
//!
//! The server reports both as changes; at first every track is forwarded. A track that ends loses its marks.

use crate::limits::FORWARDING_MARKS_MAX;
use crate::signal::sid::Sid;

type Marks = heapless::Vec<Sid, FORWARDING_MARKS_MAX>;

/// Tracks that are not forwarded.
#[derive(Debug, Default)]
pub(super) struct Forwarding {
    forbidden: Marks,
    held_back: Marks,
}

impl Forwarding {
    /// Sets whether the publisher forbids the track; returns whether that is a change.
    pub(super) fn set_forbidden(&mut self, sid: Sid, is_forbidden: bool) -> bool {
        set(&mut self.forbidden, sid, is_forbidden)
    }

    /// Sets whether the server has paused the track; returns whether that is a change.
    pub(super) fn set_held_back(&mut self, sid: Sid, is_held_back: bool) -> bool {
        set(&mut self.held_back, sid, is_held_back)
    }

    /// Whether the publisher forbids the track.
    pub(super) fn is_forbidden(&self, sid: Sid) -> bool {
        self.forbidden.contains(&sid)
    }

    /// Whether the server has paused the track for lack of bandwidth.
    pub(super) fn is_held_back(&self, sid: Sid) -> bool {
        self.held_back.contains(&sid)
    }

    /// Keeps the marks of tracks that are still there.
    pub(super) fn retain(&mut self, is_there: impl Fn(Sid) -> bool) {
        self.forbidden.retain(|sid| is_there(*sid));
        self.held_back.retain(|sid| is_there(*sid));
    }

    /// Removes all marks: in a new session every track is forwarded at first.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

fn set(marks: &mut Marks, sid: Sid, is_set: bool) -> bool {
    let was_set = marks.contains(&sid);
    if is_set && !was_set {
        // Past the limit a mark is not kept, and its change not reported.
        return marks.push(sid).is_ok();
    }
    marks.retain(|other| is_set || *other != sid);
    was_set != is_set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_reported_once() {
        let sid = Sid::new("TR_1").expect("usable");
        let mut forwarding = Forwarding::default();
        assert!(!forwarding.set_forbidden(sid, false), "it never was");
        assert!(forwarding.set_forbidden(sid, true) && !forwarding.set_forbidden(sid, true));
        assert!(forwarding.set_held_back(sid, true));
        assert!(forwarding.is_forbidden(sid) && forwarding.is_held_back(sid));
        forwarding.retain(|_| false);
        assert!(!forwarding.is_forbidden(sid) && !forwarding.is_held_back(sid));
    }
}
