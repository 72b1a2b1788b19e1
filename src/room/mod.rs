//! The room as the server reports it: its own facts, the participants, their tracks, and who speaks.
//!
//! ```text
//! Join, RoomMoved (everything) ──┐
//! Update (participants)          ├─► Room: own · participants ≤ 128 ─► tracks ≤ 8 each ─► Event for each difference
//! Speakers, Quality, Room        ┘                    speakers
//! ```
//!
//! Messages hold states, events hold changes: the same message twice is one event, and the
//! events replayed from the beginning give the present room. A join after a lost session is compared
//! with the room before, so that the application sees only real changes.

#![forbid(unsafe_code)]

mod forwarding;
mod participant;
mod participants;
mod speakers;
mod tracks;

#[cfg(test)]
mod tests;

pub use participant::Participant;
pub use participants::RoomCounters;
pub use tracks::ParticipantTrack;

use forwarding::Forwarding;
use participant::LocalParticipant;
use participants::{Participants, Trust};
use speakers::Speakers;

use crate::event::{Event, Speaker};
use crate::limits::PARTICIPANTS_MAX;
use crate::signal::join::{Join, RoomInfo, RoomMoved};
use crate::signal::participant::ParticipantInfo;
use crate::signal::response::{QualityInfo, SpeakerInfo, StreamState};
use crate::signal::sid::Sid;

/// The room as the server last reported it. Every `apply_…` passes the differences to `sink`, in order.
#[derive(Debug)]
pub struct Room {
    info: RoomInfo,
    own: Option<LocalParticipant>,
    participants: Participants,
    speakers: Speakers,
    forwarding: Forwarding,
}

impl Room {
    /// An empty room, before the first join.
    pub fn new() -> Room {
        Room::with_capacity(PARTICIPANTS_MAX)
    }

    fn with_capacity(participants_max: usize) -> Room {
        Room {
            info: RoomInfo::default(),
            own: None,
            participants: Participants::new(participants_max),
            speakers: Speakers::default(),
            forwarding: Forwarding::default(),
        }
    }

    /// A new session: the first, or one after a full reconnect. Participants who are not in it any more have left.
    pub fn apply_join(&mut self, join: &Join, sink: &mut impl FnMut(Event)) {
        self.apply_everything(&join.room, &join.participant, &join.other_participants, sink);
    }

    /// The server has put us into another room.
    pub fn apply_moved(&mut self, moved: &RoomMoved, sink: &mut impl FnMut(Event)) {
        self.apply_everything(&moved.room, &moved.participant, &moved.other_participants, sink);
    }

    /// Participants that changed; one of them may be our own.
    pub fn apply_update(&mut self, participants: &[ParticipantInfo], sink: &mut impl FnMut(Event)) {
        for info in participants {
            match &mut self.own {
                Some(own) if own.get().identity == info.identity => own.apply(info, sink),
                _ => self.participants.apply(info, Trust::IfNewer, sink),
            }
        }
        self.drop_unknown_speakers(sink);
        self.drop_unknown_marks();
    }

    /// A publisher allows or forbids us to hear a track.
    pub fn apply_permission(&mut self, sid: Sid, is_allowed: bool, sink: &mut impl FnMut(Event)) {
        let Some(identity) = self.track(sid).map(|track| track.identity.to_owned()) else { return };
        if self.forwarding.set_forbidden(sid, !is_allowed) {
            sink(Event::TrackPermission { identity, sid: sid.to_string(), allowed: is_allowed });
        }
    }

    /// The server has paused tracks for lack of bandwidth, or resumed them.
    pub fn apply_stream_states(&mut self, states: &[StreamState], sink: &mut impl FnMut(Event)) {
        for StreamState { track_sid: sid, paused, .. } in states {
            let Some(identity) = self.track(*sid).map(|track| track.identity.to_owned()) else { continue };
            if self.forwarding.set_held_back(*sid, *paused) {
                sink(Event::TrackStreamState { identity, sid: sid.to_string(), paused: *paused });
            }
        }
    }

    /// Participants who began or ended to speak, or whose level changed.
    pub fn apply_speakers(&mut self, changes: &[SpeakerInfo], sink: &mut impl FnMut(Event)) {
        let mut changed = false;
        for change in changes {
            if self.identity(change.sid).is_some() {
                changed |= self.speakers.apply(change);
            }
        }
        if changed {
            sink(self.speakers_event());
        }
    }

    /// Nobody counts as speaking until the server reports it again. To be called after a resume: changes may have
    /// been lost with the connection.
    pub fn forget_speakers(&mut self, sink: &mut impl FnMut(Event)) {
        if self.speakers.clear() {
            sink(self.speakers_event());
        }
    }

    /// Participants whose connection quality changed.
    pub fn apply_quality(&mut self, changes: &[QualityInfo], sink: &mut impl FnMut(Event)) {
        for change in changes {
            let (identity, known) = match &mut self.own {
                Some(own) if own.get().sid == change.sid => own.quality_mut(),
                _ => match self.participants.by_sid_mut(change.sid) {
                    Some(participant) => (participant.identity.as_str(), &mut participant.quality),
                    None => continue,
                },
            };
            if *known != Some(change.quality) {
                *known = Some(change.quality);
                sink(Event::ConnectionQuality { identity: identity.to_owned(), quality: change.quality });
            }
        }
    }

    /// Empties the room: we have left it. The counters stay.
    pub fn leave(&mut self) {
        (self.info, self.own) = (RoomInfo::default(), None);
        self.participants.clear();
        self.speakers = Speakers::default();
        self.forwarding.clear();
    }

    /// The room itself changed.
    pub fn apply_room(&mut self, info: &RoomInfo, sink: &mut impl FnMut(Event)) {
        // Some updates omit what cannot change.
        let sid = info.sid.or(self.info.sid);
        let visible = |info: &RoomInfo| (info.metadata.clone(), info.participants, info.recording);
        let changed = visible(info) != visible(&self.info) || sid != self.info.sid;
        let name = if info.name.is_empty() { self.info.name.clone() } else { info.name.clone() };
        self.info = RoomInfo { sid, name, ..info.clone() };
        if changed {
            let RoomInfo { metadata, participants, recording, .. } = info.clone();
            let room_sid = sid.map(|sid| sid.to_string()).unwrap_or_default();
            sink(Event::RoomChanged { room_sid, metadata, participants, recording });
        }
    }

    /// Name, SID, metadata and counts of the room; empty before the first join.
    pub fn info(&self) -> &RoomInfo {
        &self.info
    }

    /// The own participant, from the first join on.
    pub fn own(&self) -> Option<&Participant> {
        self.own.as_ref().map(LocalParticipant::get)
    }

    /// The other participants, the longest known first.
    pub fn participants(&self) -> impl Iterator<Item = &Participant> {
        self.participants.iter()
    }

    /// Every track of another participant that carries sound.
    pub fn audio_tracks(&self) -> impl Iterator<Item = ParticipantTrack<'_>> {
        self.participants().flat_map(Participant::tracks).filter(ParticipantTrack::is_audio)
    }

    /// The track of another participant with this SID.
    pub fn track(&self, sid: Sid) -> Option<ParticipantTrack<'_>> {
        self.participants().flat_map(Participant::tracks).find(|track| track.info.sid == sid)
    }

    /// SID and level of every participant who speaks.
    pub fn speakers(&self) -> impl Iterator<Item = (Sid, f32)> {
        self.speakers.iter()
    }

    /// Whether the publisher forbids us to hear this track.
    pub fn is_forbidden(&self, sid: Sid) -> bool {
        self.forwarding.is_forbidden(sid)
    }

    /// Whether the server has paused this track for lack of bandwidth.
    pub fn is_held_back(&self, sid: Sid) -> bool {
        self.forwarding.is_held_back(sid)
    }

    /// Identity of the participant with this SID; it may be our own.
    pub fn identity(&self, sid: Sid) -> Option<&str> {
        let own = self.own().filter(|own| own.sid == sid).map(|own| own.identity.as_str());
        own.or_else(|| {
            self.participants().find(|other| other.sid == sid).map(|other| other.identity.as_str())
        })
    }

    /// Participants for whom there was no place, since the start.
    pub fn counters(&self) -> RoomCounters {
        self.participants.counters()
    }

    fn apply_everything(
        &mut self,
        room: &RoomInfo,
        own: &ParticipantInfo,
        others: &[ParticipantInfo],
        sink: &mut impl FnMut(Event),
    ) {
        // SID and name belong to a new room or session; the old ones must not remain.
        self.info.sid = None;
        self.info.name.clear();
        self.apply_room(room, sink);
        match &mut self.own {
            Some(known) => known.renew(own, sink),
            None => self.own = Some(LocalParticipant::new(own)),
        }
        // The server reports speakers, permissions and paused tracks again in a new session.
        self.forget_speakers(sink);
        self.forwarding.clear();
        let is_there =
            |identity: &str| identity != own.identity && others.iter().any(|o| o.identity == identity);
        self.participants.retain(is_there, sink);
        // Participants with sound first: in a full table they need not replace others.
        let (audible, silent): (Vec<_>, Vec<_>) = others
            .iter()
            .filter(|info| info.identity != own.identity)
            .partition(|info| tracks::has_audio(&info.tracks));
        for info in audible.into_iter().chain(silent) {
            self.participants.apply(info, Trust::Always, sink);
        }
    }

    fn drop_unknown_speakers(&mut self, sink: &mut impl FnMut(Event)) {
        let mut speakers = std::mem::take(&mut self.speakers);
        let changed = speakers.retain(|sid| self.identity(sid).is_some());
        self.speakers = speakers;
        if changed {
            sink(self.speakers_event());
        }
    }

    fn drop_unknown_marks(&mut self) {
        let mut forwarding = std::mem::take(&mut self.forwarding);
        forwarding.retain(|sid| self.track(sid).is_some());
        self.forwarding = forwarding;
    }

    fn speakers_event(&self) -> Event {
        let named = self.speakers.iter().filter_map(|(sid, level)| {
            self.identity(sid).map(|identity| Speaker { identity: identity.to_owned(), level })
        });
        let mut speakers: Vec<_> = named.collect();
        speakers.sort_by(|a, b| b.level.total_cmp(&a.level).then_with(|| a.identity.cmp(&b.identity)));
        Event::Speakers { speakers }
    }
}

impl Default for Room {
    fn default() -> Room {
        Room::new()
    }
}
