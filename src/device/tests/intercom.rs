//! Scenario tests of the whole box: buttons, events of the room, and the actions of the box.

#![allow(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]

use std::time::{Duration, Instant};

use crate::device::allow::Allow;
use crate::device::call::{CallSettings, JoinWhen, Refused};
use crate::device::hearing::Heard;
use crate::device::intercom::{Action, Intercom};
use crate::device::settings::{ButtonSettings, IntercomSettings, MicrophoneMode, OutputSettings, Press};
use crate::event::{
    DepartureFacts, Event, ParticipantFacts, ParticipantKind, TrackFacts, TrackKind, TrackSource,
};

mod digits;
mod hands;
mod hearing;
mod lamp;
mod telephone;

const SECOND: Duration = Duration::from_secs(1);
const BELL: usize = 0;
const TALK: usize = 1;
const PRIVACY: usize = 2;

struct Device {
    intercom: Intercom,
    now: Instant,
}

fn settings(join: JoinWhen, gate: MicrophoneMode) -> IntercomSettings {
    let allow = |pattern: &str| Allow::new([pattern.to_owned()]).expect("usable");
    let button = |name: &str, press| ButtonSettings {
        name: name.into(),
        line: "GPIO23".into(),
        press: Some(press),
        hold: None,
    };
    IntercomSettings {
        call: CallSettings {
            join,
            ring_timeout: 30 * SECOND,
            call_max: Some(300 * SECOND),
            parties: allow("flat-*"),
            answers_at_once: Allow::default(),
        },
        heard: Heard::Party,
        gate,
        is_answered_by_microphone: true,
        buttons: vec![
            button("bell", Press::Call),
            button("talk", Press::Talk),
            button("privacy", Press::Mute),
        ],
        outputs: vec![OutputSettings {
            name: "door".into(),
            pulse: 3 * SECOND,
            rpc: Some("open".into()),
            dtmf: Some("42".into()),
            allow: allow("flat-*"),
        }],
        is_muted: false,
    }
}

impl Device {
    fn new(join: JoinWhen, gate: MicrophoneMode) -> Device {
        Device::of(settings(join, gate))
    }

    fn of(settings: IntercomSettings) -> Device {
        let now = Instant::now();
        Device { intercom: Intercom::new(settings, now), now }
    }

    fn press(&mut self, button: usize) {
        self.intercom.handle_level(button, true, self.now);
        self.wait(SECOND / 5);
        self.intercom.handle_level(button, false, self.now);
    }

    fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.intercom.poll_timeout(self.now).filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.intercom.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn hear(&mut self, event: Event) {
        self.intercom.handle_event(&event, self.now);
    }

    /// The actions in words, without button events, pulse lengths and admissions (tested in `hearing`).
    fn done(&mut self) -> String {
        let word = |action| match action {
            Action::Tell(Event::Button { .. }) | Action::Admit(_) => None,
            Action::Tell(event) => {
                let json = serde_json::to_value(&event).expect("serialises");
                Some(json["event"].as_str().unwrap_or_default().to_owned())
            }
            Action::Talk(on) => Some(format!("talk-{on}")),
            Action::Mute(on) => Some(format!("mute-{on}")),
            Action::Pulse(..) => Some("drive".to_owned()),
            Action::Rest(_) => Some("rest".to_owned()),
            other => Some(format!("{other:?}").to_lowercase()),
        };
        std::iter::from_fn(|| self.intercom.poll_action()).filter_map(word).collect::<Vec<_>>().join(" ")
    }
}

fn unmuted(identity: &str) -> Event {
    Event::TrackUnmuted(TrackFacts {
        identity: identity.into(),
        sid: "TR_1".into(),
        name: "microphone".into(),
        kind: TrackKind::Audio,
        source: TrackSource::Microphone,
        muted: false,
    })
}

fn participant(identity: &str, says: &str) -> ParticipantFacts {
    ParticipantFacts {
        identity: identity.into(),
        sid: "PA_1".into(),
        name: String::new(),
        metadata: String::new(),
        attributes: [("kinglet.call".to_owned(), says.to_owned())].into(),
        kind: ParticipantKind::Standard,
    }
}

fn connected() -> Event {
    let (room, identity, sid) = ("house".into(), "door".into(), "PA_0".into());
    Event::Connected { room, room_sid: String::new(), identity, sid, server: String::new() }
}

fn left(identity: &str) -> Event {
    left_because(participant(identity, ""), "client_initiated")
}

fn left_because(who: ParticipantFacts, reason: &str) -> Event {
    Event::ParticipantLeft(DepartureFacts { who, reason: reason.into() })
}

fn says(identity: &str, says: &str) -> Event {
    Event::ParticipantChanged(participant(identity, says))
}

fn digit(identity: &str, digit: &str) -> Event {
    Event::Dtmf { identity: identity.into(), digit: digit.into() }
}

#[test]
fn a_bell_is_pressed_and_an_open_microphone_answers() {
    let mut door = Device::new(JoinWhen::OnRing, MicrophoneMode::Open);
    assert_eq!(door.done(), "mute-false talk-false", "switched on");
    door.press(BELL);
    assert_eq!(door.done(), "enter play(ringing) ringing talk-true", "the first words are kept");
    door.hear(unmuted("stranger"));
    assert_eq!(door.done(), "");
    door.hear(unmuted("flat-1"));
    assert_eq!(door.done(), "play(answered) call_answered");
    door.wait(5 * SECOND);
    door.press(BELL);
    assert_eq!(door.done(), "play(ended) call_ended talk-false", "the same button ends it");
    door.wait(5 * SECOND);
    assert_eq!(door.done(), "leave");
}

#[test]
fn the_door_opens_once_for_each_rpc_call_and_not_for_strangers() {
    let mut door = Device::new(JoinWhen::Always, MicrophoneMode::Open);
    door.done();
    assert_eq!(door.intercom.handle_rpc("stranger", "open", 1, door.now), Some(Err(Refused::NotAllowed)));
    assert_eq!(door.done(), "output_refused", "a stranger cannot make the box sound");
    assert_eq!(door.intercom.handle_rpc("flat-1", "close", 2, door.now), None);
    assert_eq!(door.intercom.handle_rpc("flat-1", "open", 3, door.now), Some(Ok("")));
    assert_eq!(door.done(), "drive");
    door.wait(3 * SECOND);
    assert_eq!(door.done(), "rest");
    assert_eq!(door.intercom.handle_rpc("flat-1", "open", 3, door.now), Some(Ok("")), "a copy");
    assert_eq!(door.done(), "");
}

#[test]
fn an_output_that_cannot_be_set_to_rest_is_retried_until_it_rests() {
    let mut door = Device::new(JoinWhen::Always, MicrophoneMode::Open);
    assert_eq!(door.intercom.handle_rpc("flat-1", "open", 1, door.now), Some(Ok("")));
    door.wait(3 * SECOND);
    assert!(door.done().ends_with("rest"));
    assert!(door.intercom.not_at_rest(0, door.now), "first");
    assert_eq!(door.done(), "");
    for _ in 0..3 {
        door.wait(SECOND / 10);
        assert_eq!(door.done(), "rest");
        assert!(!door.intercom.not_at_rest(0, door.now), "known");
    }
    door.wait(SECOND / 10);
    assert_eq!(door.done(), "rest");
    door.wait(SECOND);
    assert_eq!(door.done(), "", "it rests");
}

#[test]
fn a_talk_key_opens_the_gate_in_a_call_only() {
    let mut door = Device::new(JoinWhen::Always, MicrophoneMode::PushToTalk);
    door.done();
    door.intercom.handle_level(TALK, true, door.now);
    assert_eq!(door.done(), "");
    door.intercom.ring(None, door.now).expect("idle");
    assert_eq!(door.done(), "enter play(ringing) ringing talk-true");
    door.wait(SECOND);
    door.intercom.handle_level(TALK, false, door.now);
    assert_eq!(door.done(), "talk-false");
}

#[test]
fn a_button_sets_privacy_and_the_lamp_shows_it() {
    let mut door = Device::new(JoinWhen::OnRing, MicrophoneMode::Open);
    door.done();
    door.press(PRIVACY);
    assert_eq!(door.done(), "mute-true play(muted)");
    assert!(door.intercom.is_lit(door.now - SECOND / 5), "a short flash now and then");
    door.press(BELL);
    door.hear(unmuted("flat-1"));
    door.hear(left("flat-1"));
    door.wait(20 * SECOND);
    assert!(door.done().ends_with("call_ended talk-false leave"), "only the button ends mute");
    door.press(PRIVACY);
    assert_eq!(door.done(), "mute-false play(unmuted)");
}

#[test]
fn tones_report_participants_and_a_lost_server_in_a_call() {
    let came = |identity: &str| Event::ParticipantJoined(participant(identity, ""));
    let cut = || Event::Reconnecting { cause: "cut".into() };
    let mut door = Device::new(JoinWhen::OnRing, MicrophoneMode::Open);
    door.press(BELL);
    door.hear(connected());
    door.hear(came("flat-1"));
    door.hear(Event::ParticipantActive { identity: "flat-1".into() });
    door.hear(unmuted("flat-1"));
    door.done();
    door.hear(came("flat-2"));
    assert_eq!(door.done(), "", "it was in the room before the box");
    door.wait(2 * SECOND);
    door.hear(came("guest"));
    door.hear(left("guest"));
    assert_eq!(door.done(), "play(joined) play(left)");
    door.hear(cut());
    door.wait(SECOND);
    door.hear(Event::Resumed { gap_ms: 1000 });
    door.wait(5 * SECOND);
    assert_eq!(door.done(), "", "soon back");
    door.hear(cut());
    door.wait(5 * SECOND);
    assert_eq!(door.done(), "play(lost)", "once");
    door.hear(connected());
    door.hear(came("flat-3"));
    assert_eq!(door.done(), "", "it joined during the outage");
    door.press(BELL);
    door.wait(SECOND);
    door.done();
    door.hear(came("guest"));
    door.hear(cut());
    door.wait(5 * SECOND);
    assert_eq!(door.done(), "leave", "the microphone is closed");
}

#[test]
fn a_button_that_is_held_does_not_do_what_a_press_does() {
    let mut door = Device::new(JoinWhen::OnRing, MicrophoneMode::Open);
    let mut both = settings(JoinWhen::OnRing, MicrophoneMode::Open);
    both.buttons[BELL].hold = Some(Press::Mute);
    door.intercom.configure(both, true, door.now);
    door.done();
    for mute in ["mute-true play(muted)", "mute-false play(unmuted)"] {
        door.intercom.handle_level(BELL, true, door.now);
        door.wait(SECOND);
        door.intercom.handle_level(BELL, false, door.now);
        door.wait(SECOND);
        assert_eq!(door.done(), mute, "and no party was rung");
    }
    door.press(BELL);
    assert_eq!(door.done(), "enter play(ringing) ringing talk-true", "short enough to be no hold");
}

#[test]
fn a_box_that_is_removed_from_the_room_ends_its_call_and_can_ring_at_once() {
    let removed =
        || Event::Disconnected { reason: "ROOM_DELETED".into(), will_retry: true, retry_in_ms: 60_000 };
    let mut door = Device::new(JoinWhen::OnRing, MicrophoneMode::Open);
    door.press(BELL);
    door.hear(unmuted("flat-1"));
    door.done();
    door.hear(removed());
    assert_eq!(door.done(), "play(ended) call_ended talk-false");
    door.wait(5 * SECOND);
    assert_eq!(door.done(), "leave");
    door.press(BELL);
    assert_eq!(door.done(), "enter play(ringing) ringing talk-true");
    assert_eq!(door.intercom.hang_up(door.now), Ok(()));
    assert_eq!(
        door.intercom.ring(Some("stranger"), door.now),
        Err(Refused::NotAllowed),
        "which could not answer"
    );
}

#[test]
fn new_settings_apply_during_a_call_which_continues() {
    let mut door = Device::new(JoinWhen::OnRing, MicrophoneMode::Open);
    door.press(BELL);
    door.hear(unmuted("flat-1"));
    door.press(PRIVACY);
    door.done();
    door.intercom.configure(settings(JoinWhen::Always, MicrophoneMode::PushToTalk), false, door.now);
    assert_eq!(door.done(), "enter talk-false", "always in the room, push to talk");
    assert!(door.intercom.is_muted() && door.intercom.call().party() == "flat-1");
    assert!(!door.intercom.is_idle(door.now));
    door.hear(left("flat-1"));
    door.wait(20 * SECOND);
    assert_eq!(door.done(), "play(ended) call_ended");
    // Back to a box that is in the room for calls only, while an output is driven.
    door.intercom.pulse("door", door.now).expect("there is one");
    assert!(!door.intercom.is_idle(door.now));
    door.done();
    door.intercom.configure(settings(JoinWhen::OnRing, MicrophoneMode::Open), true, door.now);
    assert!(door.intercom.is_idle(door.now), "its line rests: it was released");
    door.wait(5 * SECOND);
    assert_eq!(door.done(), "leave");
    assert!(door.intercom.pulse("gate", door.now).is_err());
}

#[test]
fn an_attribute_answers_and_hangs_up_when_it_changes() {
    let mut door = Device::new(JoinWhen::Always, MicrophoneMode::Open);
    // A value from an earlier call.
    door.hear(Event::ParticipantJoined(participant("flat-1", "answered")));
    door.hear(Event::ParticipantJoined(participant("stranger", "")));
    door.press(BELL);
    door.done();
    door.hear(says("flat-1", "answered"));
    door.hear(says("stranger", "answered"));
    assert_eq!(door.done(), "", "neither an old value nor a participant that is not a party");
    door.hear(says("flat-1", ""));
    door.hear(says("flat-1", "answered"));
    assert_eq!(door.done(), "play(answered) call_answered");
    door.hear(says("stranger", "ended"));
    assert_eq!(door.done(), "");
    door.hear(says("flat-1", "ended"));
    assert_eq!(door.done(), "play(ended) call_ended talk-false");
    // The value of a participant that has left and come back is not a change.
    door.press(BELL);
    door.done();
    door.hear(left("flat-1"));
    door.hear(Event::ParticipantJoined(participant("flat-1", "answered")));
    assert_eq!(door.done(), "");
}
