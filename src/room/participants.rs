//! The other participants of the room: a bounded table, keyed by identity.
//!
//! The key is the identity, because a participant that reconnects has a new SID, often without a message that
//! the old one is gone (protocol above 11): the new SID replaces the old one, and the application sees
//! one leave and one join. Later messages about the old SID are ignored.
//!
//! A full table prefers participants with sound: a new participant with sound replaces the longest known
//! participant without. A new participant without sound is not admitted, but may be with a later update.

#![expect(
    clippy::indexing_slicing,
    reason = "places come from a search of the same table, or number its fixed entries"
)]

use super::participant::Participant;
use super::tracks;
use crate::event::Event;
use crate::signal::leave::DisconnectReason;
use crate::signal::participant::{ParticipantInfo, ParticipantState};
use crate::signal::sid::Sid;

/// Participants for whom there was no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RoomCounters {
    /// Updates about a participant without sound that found the table full.
    pub refused: u32,
    /// Participants without sound that were replaced by one with sound. For the application they left.
    pub evicted: u32,
}

/// When an update replaces what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// If its version is not older: updates may overtake each other inside the server.
    IfNewer,
    /// Always: a join holds the complete state.
    Always,
}

#[derive(Debug)]
pub(super) struct Participants {
    /// Ordered by how long they are known, the longest first.
    table: Vec<Participant>,
    participants_max: usize,
    counters: RoomCounters,
}

impl Participants {
    pub(super) fn new(participants_max: usize) -> Participants {
        Participants { table: Vec::new(), participants_max, counters: RoomCounters::default() }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Participant> {
        self.table.iter()
    }

    pub(super) fn counters(&self) -> RoomCounters {
        self.counters
    }

    /// Removes everybody without events; the counters stay.
    pub(super) fn clear(&mut self) {
        self.table.clear();
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
                // The server does not report how the previous session ended.
                self.table.remove(place).end(DisconnectReason::Unknown, sink);
                self.admit(info, sink);
            }
        } else if is_gone {
            self.table.remove(place).end(info.disconnect_reason, sink);
        } else if trust == Trust::Always || info.version >= known.version {
            // Equal versions hold equal facts, except if the server sent them in the middle of a change.
            known.update(info, sink);
        }
    }

    /// Ends every participant whose identity is not `is_there`.
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
            let silent = self.table.iter().position(|known| !known.has_audio());
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
        participant.apply_presence(info, sink);
        self.table.push(participant);
    }
}
