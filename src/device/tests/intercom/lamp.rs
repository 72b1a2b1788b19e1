//! The states that the lamp shows.

use super::*;
use crate::event::{By, CardState};

#[test]
fn a_moderators_mute_is_shown_at_the_box_and_can_be_ended_there() {
    let (sid, name) = (String::new(), String::new());
    let muted = || Event::LocalMuted { sid: sid.clone(), name: name.clone(), by: By::Server };
    let unmuted_again = || Event::LocalUnmuted { sid: sid.clone(), name: name.clone(), by: By::Server };
    let mut door = Device::new(JoinWhen::Always, MicrophoneMode::Open);
    door.press(BELL);
    door.hear(unmuted("flat-1"));
    let is_steady = |door: &mut Device| {
        (0..400).all(|_| {
            door.wait(SECOND / 100);
            door.intercom.is_lit(door.now)
        })
    };
    assert!(is_steady(&mut door), "talking");
    door.hear(muted());
    assert!(!is_steady(&mut door), "talking, but not heard");
    assert!(!door.intercom.is_muted(), "it is not privacy");
    door.done();
    // The first press always turns privacy on: the person may not have seen the lamp.
    door.press(PRIVACY);
    assert_eq!(door.done(), "mute-true play(muted)");
    door.wait(SECOND);
    door.press(PRIVACY);
    assert_eq!(door.done(), "mute-false play(unmuted)");
    assert!(is_steady(&mut door));
    door.press(PRIVACY);
    door.hear(unmuted_again());
    assert!(door.intercom.is_muted(), "and privacy stays");
}

#[test]
fn a_box_that_should_be_in_the_room_shows_that_it_is_not() {
    let mut door = Device::new(JoinWhen::Always, MicrophoneMode::Open);
    let flashes = |door: &mut Device| {
        let is_lit = |_: &u32| {
            door.wait(SECOND / 100);
            door.intercom.is_lit(door.now)
        };
        (0..200).filter(is_lit).count()
    };
    assert_eq!(flashes(&mut door), 20, "two flashes of a tenth of a second in two seconds");
    door.hear(Event::Resumed { gap_ms: 1 });
    let card = |is_microphone, is_lost| Event::AudioDevice {
        card: "hw:0".into(),
        state: CardState { is_microphone, is_lost },
        why: None,
    };
    for (is_microphone, is_lost, count) in
        [(true, true, 30), (false, true, 30), (true, false, 30), (false, false, 0)]
    {
        door.hear(card(is_microphone, is_lost));
        assert_eq!(flashes(&mut door), count, "three flashes if a card is missing");
    }
    door.hear(card(false, true));
    door.press(BELL);
    assert_eq!(flashes(&mut door), 100, "ringing, with or without a card");
    door.hear(unmuted("flat-1"));
    assert_eq!(flashes(&mut door), 30, "a call without sound");
    door.hear(left("flat-1"));
    door.wait(20 * SECOND);
    door.hear(Event::Disconnected { reason: "SIGNAL_CLOSED".into(), will_retry: true, retry_in_ms: 60_000 });
    assert_eq!(flashes(&mut door), 20, "no server has priority");
}
