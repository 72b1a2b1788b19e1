//! Everybody else in the room: a table with a limit, keyed by identity.
//!
//! By identity, because a participant that reconnects comes with a new SID, often without a word that
//! the old one is gone (protocol above 11): the new SID takes the old one's place, and the application sees
//! one leave and one join. Whatever is then said about the old SID is history.
//!
//! A full table prefers those who can be heard: a newcomer with sound takes the place of the longest known
//! participant without; a newcomer without sound is not taken in, but may be with a later update.

use std::collections::BTreeMap;

use super::tracks::{self, RemoteTrack, Tracks};
use crate::event::{DepartureFacts, Event, ParticipantFacts, ParticipantKind, Quality};
use crate::signal::leave::DisconnectReason;
use crate::signal::participant::{ParticipantInfo, ParticipantState};
use crate::signal::sid::Sid;

/// Somebody else in the room.
#[derive(Debug)]
pub struct Participant {
    /// Its SID in its present session.
    pub sid: Sid,
    /// Who it is.
    pub identity: String,
    /// The display name.
    pub name: String,
    /// Metadata of the participant, any text.
    pub metadata: String,
    /// Key-value pairs.
    pub attributes: BTreeMap<String, String>,
    /// What it is.
    pub kind: ParticipantKind,
    /// The server's opinion of its connection, once it has one.
    pub quality: Option<Quality>,
    /// It is connected: its state is ACTIVE.
    is_active: bool,
    version: u32,
    joined_at_ms: i64,
    tracks: Tracks,
}

/// How often there was no place for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RoomCounters {
    /// Updates about somebody without sound that found the table full.
    pub refused: u32,
    /// Participants without sound that made place for one with. For the application they left.
    pub evicted: u32,
}

/// How far an update's word counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Unless something newer is known: updates may overtake each other inside the server.
    IfNewer,
    /// Whatever is known: a join tells everything anew.
    Always,
}

#[derive(Debug)]
pub(super) struct Participants {
    /// The longest known first.
    table: Vec<Participant>,
    participants_max: usize,
    pub(super) counters: RoomCounters,
}

impl Participant {
    /// Everything that it publishes.
    pub fn tracks(&self) -> impl Iterator<Item = RemoteTrack<'_>> {
        self.tracks.iter().map(|info| RemoteTrack { identity: &self.identity, info })
    }

    /// What an event says of it.
    pub fn facts(&self) -> ParticipantFacts {
        ParticipantFacts {
            identity: self.identity.clone(),
            sid: self.sid.to_string(),
            name: self.name.clone(),
            metadata: self.metadata.clone(),
            attributes: self.attributes.clone(),
            kind: self.kind,
        }
    }

    /// Without its tracks, which are told one by one.
    fn new(info: &ParticipantInfo) -> Participant {
        Participant {
            sid: info.sid,
            identity: info.identity.clone(),
            name: info.name.clone(),
            metadata: info.metadata.clone(),
            attributes: info.attributes.clone(),
            kind: info.kind,
            quality: None,
            is_active: false,
            version: info.version,
            joined_at_ms: info.joined_at_ms,
            tracks: Tracks::default(),
        }
    }

    fn update(&mut self, info: &ParticipantInfo, sink: &mut impl FnMut(Event)) {
        self.version = info.version;
        let changed = self.name != info.name
            || self.metadata != info.metadata
            || self.attributes != info.attributes
            || self.kind != info.kind;
        if changed {
            self.name.clone_from(&info.name);
            self.metadata.clone_from(&info.metadata);
            self.attributes.clone_from(&info.attributes);
            self.kind = info.kind;
            sink(Event::ParticipantChanged(self.facts()));
        }
        self.apply_state(info.state, sink);
        self.tracks.apply(&self.identity, &info.tracks, sink);
    }

    /// Told before its tracks: what it publishes can be heard.
    fn apply_state(&mut self, state: ParticipantState, sink: &mut impl FnMut(Event)) {
        let was_active = std::mem::replace(&mut self.is_active, state == ParticipantState::Active);
        if self.is_active && !was_active {
            sink(Event::ParticipantActive { identity: self.identity.clone() });
        }
    }

    fn end(self, reason: DisconnectReason, sink: &mut impl FnMut(Event)) {
        let facts = DepartureFacts { who: self.facts(), reason: reason.name().to_ascii_lowercase() };
        self.tracks.end(&self.identity, sink);
        sink(Event::ParticipantLeft(facts));
    }
}

impl Participants {
    pub(super) fn new(participants_max: usize) -> Participants {
        Participants { table: Vec::new(), participants_max, counters: RoomCounters::default() }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Participant> {
        self.table.iter()
    }

    pub(super) fn by_sid_mut(&mut self, sid: Sid) -> Option<&mut Participant> {
        self.table.iter_mut().find(|participant| participant.sid == sid)
    }

    pub(super) fn apply(&mut self, info: &ParticipantInfo, trust: Trust, sink: &mut impl FnMut(Event)) {
        let is_gone = info.state == ParticipantState::Disconnected;
        let Some(place) = self.table.iter().position(|known| known.identity == info.identity) else {
            if !is_gone {
                self.admit(info, sink);
            }
            return;
        };
        let known = &mut self.table[place];
        if known.sid != info.sid {
            let is_older = info.joined_at_ms != 0 && info.joined_at_ms < known.joined_at_ms;
            if !is_gone && (trust == Trust::Always || !is_older) {
                // The server does not say how the session before ended.
                self.table.remove(place).end(DisconnectReason::Unknown, sink);
                self.admit(info, sink);
            }
        } else if is_gone {
            self.table.remove(place).end(info.disconnect_reason, sink);
        } else if trust == Trust::Always || info.version >= known.version {
            // Equal versions are equal facts, except where the server was caught in the middle of a change.
            known.update(info, sink);
        }
    }

    /// Those whose identity is not `is_there` have left.
    pub(super) fn retain(&mut self, is_there: impl Fn(&str) -> bool, sink: &mut impl FnMut(Event)) {
        let mut place = 0;
        while place < self.table.len() {
            if is_there(&self.table[place].identity) {
                place += 1;
            } else {
                self.table.remove(place).end(DisconnectReason::Unknown, sink);
            }
        }
    }

    fn admit(&mut self, info: &ParticipantInfo, sink: &mut impl FnMut(Event)) {
        if self.table.len() >= self.participants_max {
            let silent = self.table.iter().position(|known| !known.tracks.has_audio());
            match silent.filter(|_| tracks::has_audio(&info.tracks)) {
                Some(silent) => {
                    self.counters.evicted = self.counters.evicted.saturating_add(1);
                    self.table.remove(silent).end(DisconnectReason::Unknown, sink);
                }
                None => {
                    self.counters.refused = self.counters.refused.saturating_add(1);
                    return;
                }
            }
        }
        let mut participant = Participant::new(info);
        sink(Event::ParticipantJoined(participant.facts()));
        participant.apply_state(info.state, sink);
        participant.tracks.apply(&participant.identity, &info.tracks, sink);
        self.table.push(participant);
    }
}
