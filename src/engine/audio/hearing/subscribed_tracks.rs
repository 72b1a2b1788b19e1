//! The subscribed tracks: those that the subscriber carries and that are to be heard, as they were reported.
//!
//! ```text
//!   tracks of the last offer ─► those to be heard ─┬─► not in the room yet: not announced, not played
//!                                                  └─► SubscribedTracks ─► TrackSubscribed … TrackUnsubscribed
//! ```
//!
//! The server may offer a track before it names the publisher, and may end a track before it offers without it. The
//! facts of a track are kept here: at its end the room may have forgotten them.

use crate::engine::outbox::Outbox;
use crate::event::{Event, TrackFacts};
use crate::limits::SUBSCRIPTIONS_MAX;
use crate::local::subscription::Sids;
use crate::room::Room;
use crate::signal::sid::Sid;

/// How a subscribed track is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::engine) struct TrackState {
    /// Its own volume, a factor.
    pub(in crate::engine) volume: f32,
    /// Whether the server counts its publisher as speaking.
    pub(in crate::engine) is_speaking: bool,
}

/// At most [`SUBSCRIPTIONS_MAX`] tracks.
#[derive(Debug, Default)]
pub(in crate::engine) struct SubscribedTracks {
    list: heapless::Vec<SubscribedTrack, SUBSCRIPTIONS_MAX>,
}

#[derive(Debug)]
struct SubscribedTrack {
    sid: Sid,
    facts: TrackFacts,
    volume: f32,
    is_speaking: bool,
}

impl SubscribedTracks {
    /// Takes over `wanted`, the tracks that are carried and to be heard, and reports the difference. Returns what ended.
    pub(in crate::engine) fn update(
        &mut self,
        wanted: &Sids,
        room: &Room,
        volume_of: impl Fn(Sid, &TrackFacts) -> f32,
        out: &mut Outbox,
    ) -> Sids {
        let ended = self.end_all_but(wanted, out);
        for &sid in wanted {
            let facts = room.track(sid).map(|track| track.facts());
            let Some(facts) = facts.filter(|_| self.state(sid).is_none()) else { continue };
            let volume = volume_of(sid, &facts);
            let is_speaking = is_speaking(room, &facts.identity);
            // As many places as tracks are wanted.
            let _ = self.list.push(SubscribedTrack { sid, facts: facts.clone(), volume, is_speaking });
            out.emit(Event::TrackSubscribed(facts));
        }
        ended
    }

    /// Ends all tracks but `stay`, and reports it. Returns what ended.
    pub(in crate::engine) fn end_all_but(&mut self, stay: &[Sid], out: &mut Outbox) -> Sids {
        let mut ended = Sids::new();
        while let Some(place) = self.list.iter().position(|track| !stay.contains(&track.sid)) {
            let track = self.list.remove(place);
            // As many places as tracks.
            let _ = ended.push(track.sid);
            out.emit(Event::TrackUnsubscribed(track.facts));
        }
        ended
    }

    /// Follows the room's list of speakers: speaking participants are heard first if there are more talkers than slots.
    pub(in crate::engine) fn set_speakers(&mut self, room: &Room) {
        for track in &mut self.list {
            track.is_speaking = is_speaking(room, &track.facts.identity);
        }
    }

    /// Sets the volume of every track; calls `changed` with each.
    pub(in crate::engine) fn set_volumes(
        &mut self,
        volume_of: impl Fn(Sid, &TrackFacts) -> f32,
        mut changed: impl FnMut(Sid, f32),
    ) {
        for track in &mut self.list {
            track.volume = volume_of(track.sid, &track.facts);
            changed(track.sid, track.volume);
        }
    }

    /// How this track is played; `None` if it is not subscribed.
    pub(in crate::engine) fn state(&self, sid: Sid) -> Option<TrackState> {
        let track = self.list.iter().find(|track| track.sid == sid)?;
        Some(TrackState { volume: track.volume, is_speaking: track.is_speaking })
    }
}

fn is_speaking(room: &Room, identity: &str) -> bool {
    room.speakers().any(|(sid, _)| room.identity(sid) == Some(identity))
}
