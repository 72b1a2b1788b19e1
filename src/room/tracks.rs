//! The tracks of one participant: the difference between two complete lists, as events.

use crate::event::{Event, TrackFacts, TrackKind};
use crate::limits::TRACKS_PER_PARTICIPANT_MAX;
use crate::signal::participant::TrackInfo;

/// A published track, with the identity of its publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParticipantTrack<'a> {
    /// Identity of the publisher.
    pub identity: &'a str,
    /// The track as the server describes it.
    pub info: &'a TrackInfo,
}

impl ParticipantTrack<'_> {
    /// Whether it carries sound.
    pub fn is_audio(&self) -> bool {
        self.info.kind == TrackKind::Audio
    }

    /// The track as events describe it.
    pub fn facts(&self) -> TrackFacts {
        TrackFacts {
            identity: self.identity.to_owned(),
            sid: self.info.sid.to_string(),
            name: self.info.name.clone(),
            kind: self.info.kind,
            source: self.info.source,
            muted: self.info.muted,
        }
    }
}

/// At most [`TRACKS_PER_PARTICIPANT_MAX`] tracks, each SID once.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    list: Vec<TrackInfo>,
}

impl Tracks {
    /// Takes over the complete list `listed`. Ended tracks are reported first, so that their places are free for
    /// the new ones.
    pub(super) fn apply(&mut self, identity: &str, listed: &[TrackInfo], sink: &mut impl FnMut(Event)) {
        let facts = |info: &TrackInfo| ParticipantTrack { identity, info }.facts();
        let listed = listed.get(..TRACKS_PER_PARTICIPANT_MAX).unwrap_or(listed);

        self.list.retain(|known| {
            let stays = listed.iter().any(|info| info.sid == known.sid);
            if !stays {
                sink(Event::TrackUnpublished(facts(known)));
            }
            stays
        });
        for info in listed {
            match self.list.iter_mut().find(|known| known.sid == info.sid) {
                None => {
                    self.list.push(info.clone());
                    sink(Event::TrackPublished(facts(info)));
                }
                Some(known) => {
                    let was_muted = std::mem::replace(known, info.clone()).muted;
                    match (was_muted, info.muted) {
                        (false, true) => sink(Event::TrackMuted(facts(info))),
                        (true, false) => sink(Event::TrackUnmuted(facts(info))),
                        _ => {}
                    }
                }
            }
        }
    }

    /// Reports the end of every track: the publisher is gone.
    pub(super) fn end(self, identity: &str, sink: &mut impl FnMut(Event)) {
        for info in &self.list {
            sink(Event::TrackUnpublished(ParticipantTrack { identity, info }.facts()));
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &TrackInfo> {
        self.list.iter()
    }

    pub(super) fn has_audio(&self) -> bool {
        has_audio(&self.list)
    }
}

/// Whether any of them carries sound.
pub(super) fn has_audio(tracks: &[TrackInfo]) -> bool {
    tracks.iter().any(|track| track.kind == TrackKind::Audio)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::tests::model::track;

    /// Applies `lists` one after the other and names the events of the last.
    fn events_of_last(lists: &[&[TrackInfo]]) -> Vec<String> {
        let mut tracks = Tracks::default();
        let mut events = Vec::new();
        for list in lists {
            events.clear();
            tracks.apply("door", list, &mut |event| events.push(event));
        }
        events.iter().map(name).collect()
    }

    fn name(event: &Event) -> String {
        let (what, facts) = match event {
            Event::TrackPublished(facts) => ("published", facts),
            Event::TrackUnpublished(facts) => ("unpublished", facts),
            Event::TrackMuted(facts) => ("muted", facts),
            Event::TrackUnmuted(facts) => ("unmuted", facts),
            other => panic!("{other:?}"),
        };
        assert_eq!((facts.identity.as_str(), facts.kind), ("door", TrackKind::Audio));
        format!("{what} {}", facts.sid)
    }

    #[test]
    fn differences_between_two_lists() {
        let open = |sid| track(sid, TrackKind::Audio, false);
        let muted = |sid| track(sid, TrackKind::Audio, true);
        let cases: &[(&[TrackInfo], &[TrackInfo], &[&str])] = &[
            (&[], &[open("TR_a")], &["published TR_a"]),
            (&[], &[muted("TR_a")], &["published TR_a"]),
            (&[open("TR_a")], &[open("TR_a")], &[]),
            (&[open("TR_a")], &[muted("TR_a")], &["muted TR_a"]),
            (&[muted("TR_a")], &[open("TR_a")], &["unmuted TR_a"]),
            (&[open("TR_a")], &[], &["unpublished TR_a"]),
            (&[open("TR_a")], &[open("TR_b")], &["unpublished TR_a", "published TR_b"]),
            (&[open("TR_a"), open("TR_b")], &[open("TR_b"), open("TR_a")], &[]),
        ];
        for (before, after, expected) in cases {
            assert_eq!(events_of_last(&[before, after]), *expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn no_more_than_the_limit() {
        let many: Vec<_> = (0..TRACKS_PER_PARTICIPANT_MAX + 3)
            .map(|number| track(&format!("TR_{number}"), TrackKind::Audio, false))
            .collect();
        assert_eq!(events_of_last(&[&many]).len(), TRACKS_PER_PARTICIPANT_MAX);
    }
}
