//! Telephones as parties of a call: a telephone is in the room from the moment it is dialled.

use super::*;

fn phone(identity: &str, status: &str) -> ParticipantFacts {
    let attributes = [("sip.callStatus".to_owned(), status.to_owned())].into();
    ParticipantFacts { attributes, kind: ParticipantKind::Sip, ..participant(identity, "") }
}

fn is(identity: &str, status: &str) -> Event {
    Event::ParticipantChanged(phone(identity, status))
}

fn leaves(identity: &str, reason: &str) -> Event {
    left_because(phone(identity, "hangup"), reason)
}

/// A box with these `parties`, and telephones that were dialled after its bell was pressed.
fn rung(parties: &[&str], phones: &[&str]) -> Device {
    let mut door = Device::new(JoinWhen::Always, MicrophoneMode::Open);
    let mut settings = settings(JoinWhen::Always, MicrophoneMode::Open);
    settings.call.parties = Allow::new(parties.iter().map(|party| (*party).to_owned())).expect("usable");
    door.intercom.configure(settings, false, door.now);
    door.press(BELL);
    door.done();
    phones.iter().for_each(|identity| dial(&mut door, identity));
    assert_eq!(door.done(), "", "they ring");
    door
}

fn dial(door: &mut Device, identity: &str) {
    door.hear(Event::ParticipantJoined(phone(identity, "dialing")));
    door.hear(Event::ParticipantActive { identity: identity.into() });
    door.hear(unmuted(identity));
    door.wait(SECOND);
    door.hear(is(identity, "ringing"));
}

/// The reason of the last event about a call.
fn reason(door: &mut Device) -> String {
    let reason = |action| match action {
        Action::Tell(Event::CallMissed(facts) | Event::CallEnded(facts)) => Some(facts.reason),
        _ => None,
    };
    std::iter::from_fn(|| door.intercom.poll_action()).filter_map(reason).collect()
}

#[test]
fn it_answers_and_hangs_up_by_its_status() {
    let mut door = rung(&["sip_*"], &["sip_1"]);
    door.wait(5 * SECOND);
    assert_eq!(door.done(), "");
    door.hear(is("sip_1", "active"));
    assert_eq!(door.done(), "play(answered) call_answered");
    door.hear(is("sip_1", "hangup"));
    assert_eq!(reason(&mut door), "remote");
    door.hear(leaves("sip_1", "client_initiated"));
    assert_eq!(door.done(), "", "it is over already");
}

#[test]
fn a_standard_participant_with_the_identity_of_a_caller_is_not_a_party() {
    let mut door = rung(&["sip_*"], &[]);
    door.hear(Event::ParticipantJoined(participant("sip_1", "")));
    door.hear(Event::ParticipantActive { identity: "sip_1".into() });
    door.hear(unmuted("sip_1"));
    door.hear(says("sip_1", "answered"));
    assert_eq!(door.done(), "");
    assert_eq!(door.intercom.handle_rpc("sip_1", "answer", 1, door.now), Some(Err(Refused::NotAllowed)));
}

#[test]
fn a_lost_connection_is_waited_for_in_a_call_and_an_end_is_not() {
    for (reason_of_leaving, ends_after, word) in [
        ("client_initiated", 0, "remote"),
        ("media_failure", 0, "media_failure"),
        ("unknown_reason", 10, "left"),
    ] {
        let mut door = rung(&["sip_*"], &["sip_1"]);
        door.hear(is("sip_1", "active"));
        door.done();
        door.hear(leaves("sip_1", reason_of_leaving));
        if ends_after > 0 {
            door.wait((ends_after - 1) * SECOND);
            assert_eq!(reason(&mut door), "", "{reason_of_leaving}");
            door.wait(SECOND);
        }
        assert_eq!(reason(&mut door), word, "{reason_of_leaving}");
    }
}

#[test]
fn a_busy_telephone_rung_by_identity_ends_the_ring_at_once() {
    for why in ["user_rejected", "user_unavailable", "sip_trunk_failure"] {
        let mut door = Device::new(JoinWhen::Always, MicrophoneMode::Open);
        door.intercom.ring(Some("flat-1"), door.now).expect("idle");
        dial(&mut door, "flat-1");
        door.hear(is("flat-1", "hangup"));
        assert!(!door.done().contains("call_missed"), "the reason is not known yet");
        door.hear(leaves("flat-1", why));
        assert_eq!(reason(&mut door), why);
    }
}

#[test]
fn the_last_busy_telephone_ends_the_ring_unless_another_is_dialled() {
    let mut door = rung(&["sip_*"], &["sip_1", "sip_2"]);
    door.hear(leaves("sip_1", "user_rejected"));
    door.wait(8 * SECOND);
    assert_eq!(door.done(), "", "the other one rings");
    door.hear(leaves("sip_2", "user_unavailable"));
    door.wait(3 * SECOND);
    dial(&mut door, "sip_3");
    door.wait(8 * SECOND);
    assert_eq!(door.done(), "", "the next telephone rings");
    door.hear(leaves("sip_3", "user_rejected"));
    door.wait(4 * SECOND);
    assert_eq!(door.done(), "");
    door.wait(SECOND);
    assert_eq!(reason(&mut door), "user_rejected");
}

#[test]
fn a_busy_telephone_does_not_end_a_ring_that_somebody_else_may_answer() {
    let mut door = rung(&["sip_*", "flat-*"], &["sip_1"]);
    door.hear(leaves("sip_1", "user_rejected"));
    door.wait(20 * SECOND);
    assert_eq!(door.done(), "");
    door.hear(unmuted("flat-1"));
    assert_eq!(door.done(), "play(answered) call_answered");
}

#[test]
fn a_party_is_back_only_when_it_is_connected() {
    let mut door = Device::new(JoinWhen::Always, MicrophoneMode::Open);
    door.press(BELL);
    door.hear(unmuted("flat-1"));
    door.hear(left("flat-1"));
    door.hear(Event::ParticipantJoined(participant("flat-1", "")));
    door.done();
    door.wait(9 * SECOND);
    assert_eq!(door.done(), "");
    door.hear(Event::ParticipantActive { identity: "flat-1".into() });
    door.wait(20 * SECOND);
    assert_eq!(door.done(), "", "the call goes on");
    door.hear(left("flat-1"));
    door.hear(Event::ParticipantJoined(participant("flat-1", "")));
    door.wait(10 * SECOND);
    assert_eq!(reason(&mut door), "left", "it did not connect");
}
