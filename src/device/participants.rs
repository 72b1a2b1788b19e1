//! The other participants in the room, and their actions that answer or end a call.
//!
//! | event | meaning |
//! | --- | --- |
//! | a participant is connected and its microphone is open | it answers our ring |
//! | `sip.callStatus` becomes `active` | the telephone was answered |
//! | `sip.callStatus` becomes `hangup` in a call, or the telephone leaves for good | it hangs up, or is unreachable |
//! | any other participant leaves | it may come back |
//!
//! A telephone is in the room, with a microphone, from the moment it is called, but nobody has answered it until its
//! status is `active`. Likewise, a participant whose state is not ACTIVE yet has not answered.
//!
//! Most events carry only the identity of a participant. Its kind is kept here, from the events that carry everything.

use std::time::Instant;

use super::call::{Call, CallStage};
use crate::event::{DepartureFacts, Event, ParticipantFacts, ParticipantKind, TrackSource};
use crate::limits::PARTICIPANTS_MAX;

/// Every participant that was reported and has not left.
#[derive(Debug, Default)]
pub(super) struct Participants {
    known: heapless::Vec<KnownParticipant, PARTICIPANTS_MAX>,
}

/// The meaning of a participant's change for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// The participant is in the room, connected or not.
    Comes,
    /// The participant is connected.
    IsThere,
    /// The participant answers our ring, in this way.
    Answers(&'static str),
    /// The telephone's call is over. The reason follows when it leaves, directly afterwards.
    Closes,
    /// The participant hangs up, declines or cannot be reached, for this reason.
    HangsUp(&'static str),
    /// The participant left, and may come back.
    Leaves,
}

#[derive(Debug)]
struct KnownParticipant {
    identity: String,
    kind: ParticipantKind,
    is_active: bool,
    has_open_microphone: bool,
    telephone: Option<Telephone>,
}

/// The state of a telephone's call, from the attribute `sip.callStatus`. There is none if the gateway does not set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telephone {
    /// `dialing`, `ringing`, and every other state before `active`.
    Waits,
    Talks,
    HungUp,
}

/// The attribute with the state of a telephone's call, set by LiveKit's SIP service.
const STATUS: &str = "sip.callStatus";

/// The disconnect reasons that end a telephone's call, and the reason that the call reports. With any other reason, its
/// gateway has lost the connection and may come back.
const OVER: [(&str, &str); 6] = [
    ("client_initiated", "remote"),
    ("participant_removed", "remote"),
    ("user_unavailable", "user_unavailable"),
    ("user_rejected", "user_rejected"),
    ("sip_trunk_failure", "sip_trunk_failure"),
    ("media_failure", "media_failure"),
];

impl Participants {
    /// Takes an event about a participant, and applies its meaning to the call. Only our own ring can be answered, and
    /// only by a party; everything else has no effect.
    pub(super) fn follow(
        &mut self,
        event: &Event,
        call: &mut Call,
        is_answered_by_microphone: bool,
        now: Instant,
    ) {
        let Some((who, kind, sign)) = self.handle_event(event) else { return };
        match sign {
            Sign::Comes if call.is_party(who, kind) => call.reachable(),
            Sign::IsThere => call.came(who),
            Sign::Answers(by) => {
                call.came(who);
                if is_answered_by_microphone {
                    let _ = call.answered(who, kind, by, now);
                }
            }
            Sign::Leaves => call.went(who, now),
            Sign::Closes if call.stage() == CallStage::Talking => _ = call.hung_up_by(who, "remote", now),
            Sign::HangsUp(reason) => {
                let is_over = call.hung_up_by(who, reason, now).is_ok();
                let is_last = !self.known.iter().any(|known| call.is_party(&known.identity, known.kind));
                if !is_over && is_last && call.is_party(who, kind) && call.rings_telephones_only() {
                    call.unreachable(reason, now);
                }
            }
            Sign::Comes | Sign::Closes => {}
        }
    }

    /// Takes an event about a participant. Returns its meaning for a call.
    fn handle_event<'e>(&mut self, event: &'e Event) -> Option<(&'e str, ParticipantKind, Sign)> {
        let (identity, sign) = match event {
            Event::ParticipantJoined(who) => {
                self.known.retain(|known| known.identity != who.identity);
                // The list has room for every participant.
                let _ = self.known.push(KnownParticipant::new(who));
                (who.identity.as_str(), Some(Sign::Comes))
            }
            Event::ParticipantChanged(who) => (who.identity.as_str(), self.find(&who.identity)?.change(who)),
            Event::ParticipantActive { identity } => {
                let answers = self.find(identity).and_then(|known| {
                    known.is_active = true;
                    known.answers(known.has_open_microphone)
                });
                (identity.as_str(), Some(answers.unwrap_or(Sign::IsThere)))
            }
            Event::ParticipantLeft(left) => {
                self.known.retain(|known| known.identity != left.who.identity);
                return Some((left.who.identity.as_str(), left.who.kind, leaves(left)));
            }
            Event::TrackPublished(track) | Event::TrackUnmuted(track) | Event::TrackMuted(track)
                if track.source == TrackSource::Microphone =>
            {
                let answers = match self.find(&track.identity) {
                    Some(known) => {
                        known.has_open_microphone = !track.muted;
                        known.answers(true)
                    }
                    // A participant that is not known counts as connected.
                    None => Some(Sign::Answers("microphone")),
                };
                (track.identity.as_str(), answers.filter(|_| !track.muted))
            }
            Event::TrackUnpublished(track) if track.source == TrackSource::Microphone => {
                self.find(&track.identity)?.has_open_microphone = false;
                return None;
            }
            Event::Disconnected { will_retry: false, .. } => {
                self.known.clear();
                return None;
            }
            _ => return None,
        };
        Some((identity, self.kind(identity), sign?))
    }

    /// The kind of a participant; [`ParticipantKind::Unknown`] if the participant is not known.
    pub(super) fn kind(&self, identity: &str) -> ParticipantKind {
        self.known_kind(identity).unwrap_or(ParticipantKind::Unknown)
    }

    /// The kind of a participant; `None` if it is not in the room.
    pub(super) fn known_kind(&self, identity: &str) -> Option<ParticipantKind> {
        self.known.iter().find(|known| known.identity == identity).map(|known| known.kind)
    }

    /// Finds a known participant. Our own changes are reported too, but we are not in the list.
    fn find(&mut self, identity: &str) -> Option<&mut KnownParticipant> {
        self.known.iter_mut().find(|known| known.identity == identity)
    }
}

impl KnownParticipant {
    fn new(who: &ParticipantFacts) -> KnownParticipant {
        KnownParticipant {
            identity: who.identity.clone(),
            kind: who.kind,
            is_active: false,
            has_open_microphone: false,
            telephone: telephone(who),
        }
    }

    fn change(&mut self, who: &ParticipantFacts) -> Option<Sign> {
        self.kind = who.kind;
        let before = std::mem::replace(&mut self.telephone, telephone(who));
        match self.telephone {
            now if now == before => None,
            Some(Telephone::HungUp) => Some(Sign::Closes),
            Some(Telephone::Talks) => self.answers(true),
            _ => None,
        }
    }

    /// Returns the answer, if this change is one. `does`: whether the change would answer for a participant without a
    /// telephone status.
    fn answers(&self, does: bool) -> Option<Sign> {
        let by = match self.telephone {
            None if does => "microphone",
            Some(Telephone::Talks) => "sip",
            _ => return None,
        };
        self.is_active.then_some(Sign::Answers(by))
    }
}

fn telephone(who: &ParticipantFacts) -> Option<Telephone> {
    if who.kind != ParticipantKind::Sip {
        return None;
    }
    Some(match who.attributes.get(STATUS)?.as_str() {
        "active" => Telephone::Talks,
        "hangup" => Telephone::HungUp,
        _ => Telephone::Waits,
    })
}

fn leaves(left: &DepartureFacts) -> Sign {
    let over =
        OVER.iter().find(|(reason, _)| left.who.kind == ParticipantKind::Sip && left.reason == *reason);
    over.map_or(Sign::Leaves, |(_, word)| Sign::HangsUp(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{TrackFacts, TrackKind};

    fn who(identity: &str, kind: ParticipantKind, status: &str) -> ParticipantFacts {
        let attributes = [(STATUS.to_owned(), status.to_owned())].into_iter().filter(|_| !status.is_empty());
        let (sid, name, metadata) = Default::default();
        ParticipantFacts {
            identity: identity.to_owned(),
            sid,
            name,
            metadata,
            attributes: attributes.collect(),
            kind,
        }
    }

    fn left(who: ParticipantFacts, reason: &str) -> Event {
        Event::ParticipantLeft(DepartureFacts { who, reason: reason.to_owned() })
    }

    fn microphone(identity: &str, is_open: bool) -> TrackFacts {
        let (sid, name) = ("TR_1".to_owned(), "microphone".to_owned());
        let (kind, source) = (TrackKind::Audio, TrackSource::Microphone);
        TrackFacts { identity: identity.to_owned(), sid, name, kind, source, muted: !is_open }
    }

    fn active(identity: &str) -> Event {
        Event::ParticipantActive { identity: identity.to_owned() }
    }

    #[test]
    fn a_kind_is_known_until_the_participant_leaves() {
        let mut participants = Participants::default();
        let caller = who("sip_1", ParticipantKind::Sip, "");
        let flat = who("flat-1", ParticipantKind::Standard, "");
        assert_eq!(participants.kind("sip_1"), ParticipantKind::Unknown);
        participants.handle_event(&Event::ParticipantJoined(caller.clone()));
        participants.handle_event(&Event::ParticipantJoined(flat));
        assert_eq!(participants.kind("sip_1"), ParticipantKind::Sip);
        let changed = who("flat-1", ParticipantKind::Agent, "");
        participants.handle_event(&Event::ParticipantChanged(changed));
        assert_eq!(participants.known_kind("flat-1"), Some(ParticipantKind::Agent));
        participants.handle_event(&left(caller, "client_initiated"));
        assert_eq!(participants.known_kind("sip_1"), None);
        let reason = "ROOM_DELETED".to_owned();
        participants.handle_event(&Event::Disconnected { reason, will_retry: false, retry_in_ms: 0 });
        assert_eq!(participants.known.len(), 0);
    }

    #[test]
    fn a_crowd_uses_bounded_memory() {
        let mut participants = Participants::default();
        for number in 0..2 * PARTICIPANTS_MAX {
            let crowd = who(&number.to_string(), ParticipantKind::Sip, "");
            participants.handle_event(&Event::ParticipantJoined(crowd));
        }
        assert_eq!(participants.kind(&(2 * PARTICIPANTS_MAX - 1).to_string()), ParticipantKind::Unknown);
    }

    /// Returns the meaning of each event, in order.
    fn signs(events: impl IntoIterator<Item = Event>) -> Vec<Option<Sign>> {
        let mut participants = Participants::default();
        let mut sign = |event| participants.handle_event(&event).map(|(_, _, sign)| sign);
        events.into_iter().map(&mut sign).collect()
    }

    #[test]
    fn a_telephone_answers_when_a_person_picks_up() {
        let phone = |status: &str| who("sip_1", ParticipantKind::Sip, status);
        let by_status = signs([
            Event::ParticipantJoined(phone("dialing")),
            active("sip_1"),
            Event::TrackPublished(microphone("sip_1", true)),
            Event::ParticipantChanged(phone("ringing")),
            Event::TrackMuted(microphone("sip_1", false)),
            Event::TrackUnmuted(microphone("sip_1", true)),
            Event::ParticipantChanged(phone("active")),
            Event::ParticipantChanged(phone("active")),
            Event::TrackMuted(microphone("sip_1", false)),
            Event::ParticipantChanged(phone("hangup")),
        ]);
        let (there, taken) = (Some(Sign::IsThere), Some(Sign::Answers("sip")));
        let (comes, closes) = (Some(Sign::Comes), Some(Sign::Closes));
        assert_eq!(by_status, [comes, there, None, None, None, None, taken, None, None, closes]);
        let without_status = signs([
            Event::ParticipantJoined(phone("")),
            active("sip_1"),
            Event::TrackPublished(microphone("sip_1", true)),
        ]);
        assert_eq!(without_status, [comes, there, Some(Sign::Answers("microphone"))]);
        // The attribute of a participant that is not a telephone has no effect.
        let no_telephone = signs([
            Event::ParticipantJoined(who("flat-1", ParticipantKind::Standard, "ringing")),
            active("flat-1"),
            Event::TrackPublished(microphone("flat-1", true)),
        ]);
        assert_eq!(no_telephone, [comes, there, Some(Sign::Answers("microphone"))]);
    }

    #[test]
    fn a_participant_that_is_not_connected_does_not_answer() {
        let flat = who("flat-1", ParticipantKind::Standard, "");
        let told = signs([
            Event::ParticipantJoined(flat),
            Event::TrackPublished(microphone("flat-1", true)),
            active("flat-1"),
        ]);
        assert_eq!(told, [Some(Sign::Comes), None, Some(Sign::Answers("microphone"))]);
        let phone = |status: &str| who("sip_1", ParticipantKind::Sip, status);
        let told = signs([
            Event::ParticipantJoined(phone("dialing")),
            Event::ParticipantChanged(phone("active")),
            active("sip_1"),
        ]);
        assert_eq!(told, [Some(Sign::Comes), None, Some(Sign::Answers("sip"))]);
    }

    #[test]
    fn a_telephone_leaves_for_good_and_others_may_come_back() {
        for (kind, reason, expected) in [
            (ParticipantKind::Sip, "client_initiated", Sign::HangsUp("remote")),
            (ParticipantKind::Sip, "user_rejected", Sign::HangsUp("user_rejected")),
            (ParticipantKind::Sip, "user_unavailable", Sign::HangsUp("user_unavailable")),
            (ParticipantKind::Sip, "sip_trunk_failure", Sign::HangsUp("sip_trunk_failure")),
            // The gateway may come back with a new session.
            (ParticipantKind::Sip, "unknown_reason", Sign::Leaves),
            (ParticipantKind::Sip, "connection_timeout", Sign::Leaves),
            (ParticipantKind::Standard, "client_initiated", Sign::Leaves),
        ] {
            assert_eq!(signs([left(who("x", kind, ""), reason)]), [Some(expected)], "{reason}");
        }
    }
}
