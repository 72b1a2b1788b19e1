//! What the application has said of single talkers, which counts more than a rule for all: [`Overrides`].
//!
//! A wish names a track, and ends with it, or an identity, and stays: it holds for the tracks of a later
//! session too. The last wish that fits a track decides.

use crate::limits::OVERRIDES_MAX;
use crate::signal::sid::Sid;

/// Whom a wish is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrackSelector {
    /// This track.
    Track(Sid),
    /// All microphones of this identity.
    Identity(String),
}

/// What is wished for each of those who were named, the last named last: yes or no, or how loud.
#[derive(Debug)]
pub struct Overrides<T> {
    list: Vec<(TrackSelector, T)>,
}

impl<T: Copy> Overrides<T> {
    /// Takes a wish, in the place of an earlier one about the same. Past [`OVERRIDES_MAX`] the oldest is
    /// forgotten.
    pub fn set(&mut self, whom: TrackSelector, wish: T) {
        self.list.retain(|(other, _)| *other != whom);
        if self.list.len() >= OVERRIDES_MAX {
            self.list.remove(0);
        }
        self.list.push((whom, wish));
    }

    /// What is wished of this track, if anything.
    pub fn of(&self, sid: Sid, identity: &str, is_microphone: bool) -> Option<T> {
        let fits = |whom: &TrackSelector| match whom {
            TrackSelector::Track(track) => *track == sid,
            TrackSelector::Identity(named) => is_microphone && named == identity,
        };
        self.list.iter().rev().find(|(whom, _)| fits(whom)).map(|(_, wish)| *wish)
    }

    /// Whether there is any.
    pub fn is_any(&self) -> bool {
        !self.list.is_empty()
    }

    /// Forgets all wishes but these.
    pub fn retain(&mut self, stays: impl Fn(T) -> bool) {
        self.list.retain(|(_, wish)| stays(*wish));
    }

    /// Forgets wishes about tracks that are gone.
    pub fn retain_tracks(&mut self, is_there: impl Fn(Sid) -> bool) {
        self.list.retain(|(whom, _)| match whom {
            TrackSelector::Track(sid) => is_there(*sid),
            TrackSelector::Identity(_) => true,
        });
    }
}

impl<T> Default for Overrides<T> {
    fn default() -> Self {
        Self { list: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_that_fits_decides() {
        let sid = |text| Sid::new(text).expect("usable");
        let mut wishes = Overrides::default();
        assert_eq!(wishes.of(sid("TR_1"), "door", true), None);
        wishes.set(TrackSelector::Track(sid("TR_1")), true);
        wishes.set(TrackSelector::Identity("door".into()), false);
        assert_eq!(wishes.of(sid("TR_1"), "door", true), Some(false));
        assert_eq!(wishes.of(sid("TR_2"), "door", true), Some(false), "also of another session");
        assert_eq!(wishes.of(sid("TR_1"), "door", false), Some(true), "an identity is its microphones");
        wishes.set(TrackSelector::Track(sid("TR_1")), true);
        assert_eq!(wishes.of(sid("TR_1"), "door", true), Some(true));
        wishes.retain_tracks(|_| false);
        assert_eq!(wishes.of(sid("TR_1"), "door", true), Some(false));
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let mut wishes = Overrides::default();
        for number in 0..=OVERRIDES_MAX {
            wishes.set(TrackSelector::Identity(format!("panel-{number}")), true);
        }
        let of = |who: &str| wishes.of(Sid::new("TR_1").expect("usable"), who, true);
        assert_eq!((of("panel-0"), of("panel-1")), (None, Some(true)));
    }
}
