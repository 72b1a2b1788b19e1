//! What the application wants for single tracks or identities, which overrides the rule for all: [`Overrides`].
//!
//! An override for a track ends with the track. One for an identity stays: it holds for the tracks of a later
//! session too. The last override that fits a track decides.

use crate::limits::OVERRIDES_MAX;
use crate::signal::sid::Sid;

/// The tracks that an override applies to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrackSelector {
    /// One track, by its SID.
    Track(Sid),
    /// All microphones of this identity.
    Identity(String),
}

/// The overrides of one setting, the newest last.
#[derive(Debug)]
pub struct Overrides<T> {
    list: Vec<(TrackSelector, T)>,
}

impl<T: Copy> Overrides<T> {
    /// Adds an override, or replaces an earlier one with the same selector. Past [`OVERRIDES_MAX`] the oldest is
    /// removed.
    pub fn set(&mut self, selector: TrackSelector, value: T) {
        self.list.retain(|(other, _)| *other != selector);
        if self.list.len() >= OVERRIDES_MAX {
            self.list.remove(0);
        }
        self.list.push((selector, value));
    }

    /// The override that applies to this track, if there is one.
    pub fn of(&self, sid: Sid, identity: &str, is_microphone: bool) -> Option<T> {
        let fits = |selector: &TrackSelector| match selector {
            TrackSelector::Track(track) => *track == sid,
            TrackSelector::Identity(named) => is_microphone && named == identity,
        };
        self.list.iter().rev().find(|(selector, _)| fits(selector)).map(|(_, value)| *value)
    }

    /// Whether there is any.
    pub fn is_any(&self) -> bool {
        !self.list.is_empty()
    }

    /// Keeps only the overrides whose value `stays` accepts.
    pub fn retain(&mut self, stays: impl Fn(T) -> bool) {
        self.list.retain(|(_, value)| stays(*value));
    }

    /// Removes overrides for tracks that are gone.
    pub fn retain_tracks(&mut self, is_there: impl Fn(Sid) -> bool) {
        self.list.retain(|(selector, _)| match selector {
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
        let mut overrides = Overrides::default();
        assert_eq!(overrides.of(sid("TR_1"), "door", true), None);
        overrides.set(TrackSelector::Track(sid("TR_1")), true);
        overrides.set(TrackSelector::Identity("door".into()), false);
        assert_eq!(overrides.of(sid("TR_1"), "door", true), Some(false));
        assert_eq!(overrides.of(sid("TR_2"), "door", true), Some(false), "also of another session");
        assert_eq!(overrides.of(sid("TR_1"), "door", false), Some(true), "an identity is its microphones");
        overrides.set(TrackSelector::Track(sid("TR_1")), true);
        assert_eq!(overrides.of(sid("TR_1"), "door", true), Some(true));
        overrides.retain_tracks(|_| false);
        assert_eq!(overrides.of(sid("TR_1"), "door", true), Some(false));
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let mut overrides = Overrides::default();
        for number in 0..=OVERRIDES_MAX {
            overrides.set(TrackSelector::Identity(format!("panel-{number}")), true);
        }
        let of = |who: &str| overrides.of(Sid::new("TR_1").expect("usable"), who, true);
        assert_eq!((of("panel-0"), of("panel-1")), (None, Some(true)));
    }
}
