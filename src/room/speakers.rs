//! Who speaks. The server sends changes, every 400 ms; the application gets the whole list.

#![expect(
    clippy::indexing_slicing,
    reason = "places come from a search of the same table, or number its fixed entries"
)]

use crate::limits::SPEAKERS_MAX;
use crate::signal::response::SpeakerInfo;
use crate::signal::sid::Sid;

/// Everybody who speaks now, in no order.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    /// At most [`SPEAKERS_MAX`]: `Room` asks only for known participants.
    list: Vec<(Sid, f32)>,
}

impl Speakers {
    /// Whether anything changed.
    pub(super) fn apply(&mut self, change: &SpeakerInfo) -> bool {
        let place = self.list.iter().position(|(sid, _)| *sid == change.sid);
        match (place, change.active) {
            (Some(place), true) => {
                let before = std::mem::replace(&mut self.list[place].1, change.level);
                before != change.level
            }
            (Some(place), false) => {
                self.list.swap_remove(place);
                true
            }
            (None, true) if self.list.len() < SPEAKERS_MAX => {
                self.list.push((change.sid, change.level));
                true
            }
            (None, _) => false,
        }
    }

    /// Keeps those that `is_known`. Whether anybody went.
    pub(super) fn retain(&mut self, is_known: impl Fn(Sid) -> bool) -> bool {
        let before = self.list.len();
        self.list.retain(|(sid, _)| is_known(*sid));
        self.list.len() != before
    }

    /// Whether there was anybody.
    pub(super) fn clear(&mut self) -> bool {
        let was_there = !self.list.is_empty();
        self.list.clear();
        was_there
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Sid, f32)> {
        self.list.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(sid: &str, level: f32, active: bool) -> SpeakerInfo {
        SpeakerInfo { sid: Sid::new(sid).unwrap(), level, active }
    }

    #[test]
    fn deltas_make_a_list() {
        let mut speakers = Speakers::default();
        assert!(speakers.apply(&change("PA_a", 0.5, true)));
        assert!(!speakers.apply(&change("PA_a", 0.5, true)), "nothing new");
        assert!(speakers.apply(&change("PA_a", 0.625, true)));
        assert!(!speakers.apply(&change("PA_b", 0.0, false)), "was silent before");
        assert!(speakers.apply(&change("PA_a", 0.0, false)));
        assert!(!speakers.clear());
    }

    #[test]
    fn stays_within_its_limit() {
        let mut speakers = Speakers::default();
        for number in 0..SPEAKERS_MAX + 5 {
            speakers.apply(&change(&format!("PA_{number}"), 0.5, true));
        }
        assert_eq!(speakers.iter().count(), SPEAKERS_MAX);
    }
}
