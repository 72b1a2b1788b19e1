//! The others in the room, as far as a box's decisions need to know them.
//!
//! Most events name a participant by its identity alone. What else decides (its kind) is kept here, from the events
//! that carry all of it.

use crate::event::{Event, ParticipantFacts, ParticipantKind};
use crate::limits::PARTICIPANTS_MAX;

/// Everybody who was reported and has not left.
#[derive(Debug, Default)]
pub(super) struct Participants {
    known: heapless::Vec<Known, PARTICIPANTS_MAX>,
}

#[derive(Debug)]
struct Known {
    identity: String,
    kind: ParticipantKind,
}

impl Participants {
    /// Takes what an event says of a participant.
    pub(super) fn handle_event(&mut self, event: &Event) {
        match event {
            Event::ParticipantJoined(who) => self.learn(who),
            // Changes of our own are reported by the same event.
            Event::ParticipantChanged(who) => {
                self.known.iter_mut().filter(|k| k.identity == who.identity).for_each(|k| k.kind = who.kind);
            }
            Event::ParticipantLeft(who) => self.known.retain(|known| known.identity != who.identity),
            Event::Disconnected { will_retry: false, .. } => self.known.clear(),
            _ => {}
        }
    }

    /// The kind of a participant; [`ParticipantKind::Unknown`] where nothing is known of it.
    pub(super) fn kind(&self, identity: &str) -> ParticipantKind {
        self.known_kind(identity).unwrap_or(ParticipantKind::Unknown)
    }

    /// The kind of a participant that is in the room.
    pub(super) fn known_kind(&self, identity: &str) -> Option<ParticipantKind> {
        self.known.iter().find(|known| known.identity == identity).map(|known| known.kind)
    }

    fn learn(&mut self, who: &ParticipantFacts) {
        match self.known.iter_mut().find(|known| known.identity == who.identity) {
            Some(known) => known.kind = who.kind,
            None => {
                // There are as many places as the room has participants.
                let _ = self.known.push(Known { identity: who.identity.clone(), kind: who.kind });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(identity: &str, kind: ParticipantKind) -> ParticipantFacts {
        let (identity, attributes) = (identity.to_owned(), Default::default());
        let (sid, name, metadata) = Default::default();
        ParticipantFacts { identity, sid, name, metadata, attributes, kind }
    }

    #[test]
    fn a_kind_is_known_from_the_first_event_to_the_last() {
        let mut participants = Participants::default();
        let (caller, flat) = (who("sip_1", ParticipantKind::Sip), who("flat-1", ParticipantKind::Standard));
        assert_eq!(participants.kind("sip_1"), ParticipantKind::Unknown);
        participants.handle_event(&Event::ParticipantJoined(caller.clone()));
        participants.handle_event(&Event::ParticipantJoined(flat));
        assert_eq!(participants.kind("sip_1"), ParticipantKind::Sip);
        participants.handle_event(&Event::ParticipantChanged(who("flat-1", ParticipantKind::Agent)));
        assert_eq!(participants.known_kind("flat-1"), Some(ParticipantKind::Agent));
        participants.handle_event(&Event::ParticipantLeft(caller));
        assert_eq!(participants.known_kind("sip_1"), None);
        let reason = "ROOM_DELETED".to_owned();
        participants.handle_event(&Event::Disconnected { reason, will_retry: false, retry_in_ms: 0 });
        assert_eq!(participants.known_kind("flat-1"), None);
    }

    #[test]
    fn a_crowd_takes_no_memory() {
        let mut participants = Participants::default();
        for number in 0..2 * PARTICIPANTS_MAX {
            let crowd = who(&number.to_string(), ParticipantKind::Sip);
            participants.handle_event(&Event::ParticipantJoined(crowd));
        }
        assert_eq!(participants.kind(&(2 * PARTICIPANTS_MAX - 1).to_string()), ParticipantKind::Unknown);
    }
}
