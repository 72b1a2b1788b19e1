//! Opening a door by DTMF digits: in a call, by the other party, with the right code.

use super::*;
use crate::command::Tone;

/// A box with a door (42, for `flat-*` and callers), in a call with `party`.
fn in_call(party: &str, kind: ParticipantKind) -> Device {
    let mut door = Device::new(JoinWhen::Always, MicrophoneMode::Open);
    let mut settings = settings(JoinWhen::Always, MicrophoneMode::Open);
    settings.outputs[0].allow = list(&["flat-*", "sip_*"]);
    settings.call.parties = list(&["*"]);
    door.intercom.configure(settings, true, door.now);
    comes(&mut door, party, kind);
    door.press(BELL);
    door.hear(unmuted(party));
    assert!(door.done().ends_with("call_answered"));
    door
}

fn list(patterns: &[&str]) -> Allow {
    Allow::new(patterns.iter().map(|pattern| (*pattern).to_owned())).expect("usable")
}

fn comes(door: &mut Device, identity: &str, kind: ParticipantKind) {
    door.hear(Event::ParticipantJoined(ParticipantFacts { kind, ..participant(identity, "") }));
    door.hear(Event::ParticipantActive { identity: identity.into() });
}

/// Presses these keys. Returns the actions of the box, with the reasons of refusals.
fn keys(door: &mut Device, identity: &str, keys: &str) -> String {
    for key in keys.chars() {
        door.wait(SECOND / 5);
        door.hear(digit(identity, &key.to_string()));
    }
    reasons(door)
}

fn reasons(door: &mut Device) -> String {
    let word = |action| match action {
        Action::Tell(Event::OutputRefused { name, path, reason, .. }) => {
            Some(format!("{name} {path} {reason}"))
        }
        Action::Play(Tone::Refused) => Some("beep".to_owned()),
        Action::Pulse(..) => Some("drive".to_owned()),
        _ => None,
    };
    std::iter::from_fn(|| door.intercom.poll_action()).filter_map(word).collect::<Vec<_>>().join(", ")
}

#[test]
fn digits_count_only_for_the_party_of_the_call() {
    let mut door = in_call("flat-1", ParticipantKind::Standard);
    for stranger in ["flat-2", "guest"] {
        comes(&mut door, stranger, ParticipantKind::Standard);
    }
    assert_eq!(keys(&mut door, "flat-2", "42"), "door dtmf no_call, beep", "one refusal for all digits");
    assert_eq!(keys(&mut door, "guest", "42"), " dtmf not_allowed", "and no stranger makes the box sound");
    // The digits of two participants are not mixed.
    assert_eq!(keys(&mut door, "flat-1", "4"), "");
    assert_eq!(keys(&mut door, "flat-2", "2"), "door dtmf no_call, beep");
    assert_eq!(keys(&mut door, "flat-1", "2"), "drive");
    door.intercom.hang_up(door.now).expect("a call");
    door.wait(5 * SECOND);
    door.done();
    assert_eq!(keys(&mut door, "flat-1", "42"), "door dtmf no_call, beep", "without a call, as 0.1.0 did");
    // While the box rings, no party has answered.
    door.wait(5 * SECOND);
    door.press(BELL);
    assert_eq!(keys(&mut door, "flat-1", "42"), "door dtmf no_call, beep");
}

#[test]
fn the_identity_of_a_caller_is_not_enough() {
    for (kind, expected) in [
        (ParticipantKind::Sip, "drive"),
        (ParticipantKind::Standard, " dtmf not_allowed, beep"),
        (ParticipantKind::Agent, " dtmf not_allowed, beep"),
    ] {
        let mut door = in_call("sip_+1555", kind);
        assert_eq!(keys(&mut door, "sip_+1555", "42"), expected, "{kind:?}");
    }
}

#[test]
fn a_call_begins_without_digits_and_wrong_codes_survive_it() {
    let mut door = in_call("flat-1", ParticipantKind::Standard);
    assert_eq!(keys(&mut door, "flat-1", "4"), "");
    door.press(BELL);
    door.press(BELL);
    door.hear(unmuted("flat-1"));
    door.done();
    assert_eq!(keys(&mut door, "flat-1", "2"), "");
    door.wait(5 * SECOND);
    assert_eq!(keys(&mut door, "flat-1", "4"), "");
    door.wait(5 * SECOND);
    assert_eq!(keys(&mut door, "flat-1", "2"), "", "too late");
    door.wait(5 * SECOND);
    for call in 0..5 {
        assert_eq!(keys(&mut door, "flat-1", "24"), "door dtmf wrong_code, beep", "{call}");
        door.press(BELL);
        door.press(BELL);
        door.hear(unmuted("flat-1"));
        door.done();
    }
    assert_eq!(keys(&mut door, "flat-1", "42"), "door dtmf locked_out, beep");
    // New settings, in which the door has another number, do not reset the lock-out.
    let mut other = settings(JoinWhen::Always, MicrophoneMode::Open);
    let gate = OutputSettings { name: "gate".into(), dtmf: None, rpc: None, ..other.outputs[0].clone() };
    other.outputs.insert(0, gate);
    door.intercom.configure(other, true, door.now);
    assert_eq!(keys(&mut door, "flat-1", "42"), "door dtmf locked_out, beep");
    // An RPC call of the same party opens the door: it needs no code.
    assert_eq!(door.intercom.handle_rpc("flat-1", "open", 1, door.now), Some(Ok("")));
    door.wait(60 * SECOND);
    reasons(&mut door);
    assert_eq!(keys(&mut door, "flat-1", "42"), "drive");
}

#[test]
fn a_code_that_is_a_prefix_of_another_opens_after_a_pause() {
    let mut door = in_call("flat-1", ParticipantKind::Standard);
    let mut two = settings(JoinWhen::Always, MicrophoneMode::Open);
    let gate = OutputSettings { name: "gate".into(), dtmf: Some("4242".into()), ..two.outputs[0].clone() };
    two.outputs.push(gate);
    door.intercom.configure(two, true, door.now);
    assert_eq!(keys(&mut door, "flat-1", "42"), "");
    door.wait(4 * SECOND);
    assert!(matches!(door.intercom.poll_action(), Some(Action::Pulse(0, _))));
    assert_eq!(keys(&mut door, "flat-1", "42"), "");
    assert_eq!(keys(&mut door, "flat-1", "4"), "");
    door.hear(digit("flat-1", "2"));
    assert!(matches!(door.intercom.poll_action(), Some(Action::Pulse(1, _))));
    assert_eq!(
        keys(&mut door, "flat-1", "9999"),
        " dtmf wrong_code, beep",
        "it may have been meant for either"
    );
}

#[test]
fn digits_other_than_telephone_keys_are_ignored() {
    let mut door = in_call("flat-1", ParticipantKind::Standard);
    door.hear(digit("flat-1", "4"));
    for key in ["", "42", "x", "\u{661}"] {
        door.hear(digit("flat-1", key));
    }
    assert_eq!(keys(&mut door, "flat-1", "2"), "drive");
}
