//! Who is admitted to the sound of a call, and the order of admission and microphone.

use super::*;

/// The actions that concern the sound.
fn sound(door: &mut Device) -> String {
    let word = |action| match action {
        Action::Admit(rule) => Some(format!("admit({rule})")),
        Action::Talk(on) => Some(format!("talk-{on}")),
        Action::Enter => Some("enter".to_owned()),
        _ => None,
    };
    std::iter::from_fn(|| door.intercom.poll_action()).filter_map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_rule_is_set_before_the_box_joins_the_room() {
    for join in [JoinWhen::Always, JoinWhen::OnRing] {
        let first = Device::new(join, MicrophoneMode::Open).intercom.poll_action();
        assert!(matches!(first, Some(Action::Admit(rule)) if rule.to_string() == "flat-*"), "{join:?}");
    }
}

#[test]
fn the_first_to_answer_is_admitted_alone_until_the_microphone_has_closed() {
    let mut door = Device::new(JoinWhen::OnRing, MicrophoneMode::Open);
    sound(&mut door);
    door.press(BELL);
    assert_eq!(
        sound(&mut door),
        "admit(flat-*) enter talk-true",
        "every party hears the box from the ring on"
    );
    door.hear(unmuted("stranger"));
    assert_eq!(sound(&mut door), "");
    door.hear(unmuted("flat-1"));
    assert_eq!(sound(&mut door), "admit(flat-1)");
    door.hear(unmuted("flat-2"));
    assert_eq!(sound(&mut door), "", "too late");
    door.hear(left("flat-1"));
    door.hear(Event::ParticipantJoined(participant("flat-1", "")));
    door.hear(Event::ParticipantActive { identity: "flat-1".into() });
    door.wait(20 * SECOND);
    assert_eq!(sound(&mut door), "", "the same identity, in any session");
    door.press(BELL);
    assert_eq!(sound(&mut door), "talk-false admit(flat-*)");
}

#[test]
fn a_party_rung_by_identity_is_admitted_alone_before_the_microphone_opens() {
    let mut door = Device::new(JoinWhen::Always, MicrophoneMode::Open);
    sound(&mut door);
    door.intercom.ring(Some("flat-2"), door.now).expect("idle");
    assert_eq!(sound(&mut door), "admit(flat-2) enter talk-true");
    door.hear(unmuted("flat-1"));
    door.wait(40 * SECOND);
    assert_eq!(sound(&mut door), "talk-false admit(flat-*)", "missed");
}

#[test]
fn a_party_that_rings_is_admitted_alone_even_if_answered_at_once() {
    let mut door = Device::new(JoinWhen::Always, MicrophoneMode::Open);
    sound(&mut door);
    assert_eq!(door.intercom.handle_rpc("flat-1", "ring", 1, door.now), Some(Ok("")));
    assert_eq!(sound(&mut door), "admit(flat-1) enter");
    door.intercom.answer(door.now).expect("rung");
    assert_eq!(sound(&mut door), "admit(flat-1) talk-true");
    door.intercom.hang_up(door.now).expect("a call");
    sound(&mut door);
    let mut at_once = settings(JoinWhen::Always, MicrophoneMode::Open);
    at_once.call.answers_at_once = Allow::everybody();
    door.intercom.configure(at_once, false, door.now);
    assert_eq!(door.intercom.handle_rpc("flat-1", "ring", 2, door.now), Some(Ok("")));
    assert_eq!(sound(&mut door), "admit(flat-1) enter talk-true");
}

#[test]
fn an_always_open_microphone_is_for_the_party_alone_in_a_call() {
    let mut ears = Device::new(JoinWhen::Always, MicrophoneMode::Always);
    assert_eq!(sound(&mut ears), "admit(flat-*) enter");
    ears.press(BELL);
    ears.hear(unmuted("flat-1"));
    assert_eq!(sound(&mut ears), "admit(flat-*) enter admit(flat-1)");
    ears.press(BELL);
    assert_eq!(sound(&mut ears), "admit(flat-*)");
}

#[test]
fn a_reload_changes_the_rule_in_a_call() {
    let mut door = Device::new(JoinWhen::OnRing, MicrophoneMode::Open);
    door.press(BELL);
    door.hear(unmuted("flat-1"));
    sound(&mut door);
    for (heard, rule) in [
        (Heard::Parties, "admit(flat-1 flat-*)"),
        (Heard::Room, "admit(microphones)"),
        (Heard::Party, "admit(flat-1)"),
    ] {
        let settings = IntercomSettings { heard, ..settings(JoinWhen::OnRing, MicrophoneMode::Open) };
        door.intercom.configure(settings, false, door.now);
        assert_eq!(sound(&mut door), rule);
    }
}
