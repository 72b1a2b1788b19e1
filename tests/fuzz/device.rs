//! A box by its rules: [`Intercom`], fed with any order of presses, room events, digits, RPCs, commands and time.
//!
//! What must hold whatever happens:
//! - an output is driven only for the control socket, or for an identity that its list admits: by RPC, or by digits in a
//!   call with it;
//! - an output is driven no longer than its pulse, and rests at the end;
//! - privacy is lifted by the privacy button or a command only, never by the room.

use std::time::{Duration, Instant};

use kinglet::device::allow::Allow;
use kinglet::device::call::{CallSettings, CallStage, JoinWhen};
use kinglet::device::hearing::Heard;
use kinglet::device::intercom::{Action, Intercom};
use kinglet::device::settings::{ButtonSettings, IntercomSettings, MicrophoneMode, OutputSettings, Press};
use kinglet::event::*;

use crate::cursor::Cursor;
use crate::parsers::now;

const STEPS_MAX: usize = 500;
/// Timeouts at one instant before the clock counts as stuck.
const ROUNDS_MAX: usize = 100;
const PULSE: Duration = Duration::from_secs(3);
/// Between a failed attempt to let an output rest and the next, with a margin.
const REST_MARGIN: Duration = Duration::from_millis(200);
const PRESSES: [Press; 6] =
    [Press::Call, Press::Talk, Press::Mute, Press::Ring, Press::Answer, Press::HangUp];
const IDENTITIES: [&str; 6] = ["flat-1", "flat-2", "sip_+4930", "stranger", "door", ""];
const KINDS: [ParticipantKind; 4] =
    [ParticipantKind::Standard, ParticipantKind::Sip, ParticipantKind::Agent, ParticipantKind::Egress];
const METHODS: [&str; 6] = ["open", "gate", "ring", "answer", "hangup", "none"];
const OUTPUTS: [&str; 3] = ["door", "gate", "none"];
/// The outputs admit these, and nobody else.
const ADMITTED: [&str; 1] = ["flat-*"];

/// Steps as the input says, and the rules after each.
pub fn intercom(bytes: &[u8]) {
    let mut cursor = Cursor::new(bytes);
    let mut fuzzed = Fuzzed::new(&mut cursor);
    for _ in 0..STEPS_MAX {
        if cursor.is_empty() {
            break;
        }
        fuzzed.step(&mut cursor);
        fuzzed.check();
    }
    // Everything rests in the end.
    fuzzed.wait(PULSE + REST_MARGIN);
    fuzzed.check();
    assert!(fuzzed.intercom.are_outputs_resting(fuzzed.now), "an output is driven for ever");
}

struct Fuzzed {
    intercom: Intercom,
    now: Instant,
    /// Since when each output is driven.
    driven: [Option<Instant>; 2],
    /// The last action on an output: which, and whether it was driven.
    last: Option<(usize, bool)>,
    /// Whether the line of an output could not be let go of.
    is_stuck: [bool; 2],
    /// What may drive an output in this step.
    granted: Granted,
    /// Whose digits came last: a code that could be longer is taken when time shows that it is not.
    digits_by: &'static str,
    is_muted: bool,
    may_unmute: bool,
    /// What the present step does, for messages.
    step: u8,
}

/// What may drive an output in one step.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Granted {
    /// The control socket. No button of this box drives one.
    Command,
    /// An RPC of this identity.
    Rpc(&'static str),
    /// Digits of this identity, in a call with it.
    Digits(&'static str),
    Nothing,
}

impl Fuzzed {
    fn new(cursor: &mut Cursor<'_>) -> Fuzzed {
        let now = now();
        let settings = settings(cursor);
        let is_muted = settings.is_muted;
        let intercom = Intercom::new(settings, now);
        let mut fuzzed = Fuzzed {
            intercom,
            now,
            driven: [None; 2],
            last: None,
            is_stuck: [false; 2],
            granted: Granted::Nothing,
            digits_by: "",
            is_muted,
            may_unmute: false,
            step: 0,
        };
        fuzzed.check();
        fuzzed
    }

    fn step(&mut self, cursor: &mut Cursor<'_>) {
        (self.granted, self.may_unmute) = (Granted::Nothing, false);
        self.step = cursor.byte() % 12;
        match self.step {
            0 | 1 => {
                let (button, is_down) = (cursor.below(PRESSES.len() + 2), cursor.flag());
                self.may_unmute = true;
                self.intercom.handle_level(button, is_down, self.now);
            }
            2 => self.intercom.handle_start(cursor.below(PRESSES.len()), cursor.flag(), self.now),
            3 => {
                let millis = cursor.number() % 400_000;
                self.wait(Duration::from_millis(millis));
            }
            4 | 5 => {
                let identity = IDENTITIES[cursor.below(IDENTITIES.len())];
                (self.granted, self.digits_by) = (Granted::Digits(identity), identity);
                for digit in cursor.bytes().iter().take(16) {
                    let digit = char::from(b'0' + digit % 10).to_string();
                    self.event(Event::Dtmf { identity: identity.to_owned(), digit });
                    self.check();
                }
            }
            6 => {
                let identity = IDENTITIES[cursor.below(IDENTITIES.len())];
                let method = METHODS[cursor.below(METHODS.len())];
                self.granted = Granted::Rpc(identity);
                let _ = self.intercom.handle_rpc(identity, method, cursor.number(), self.now);
            }
            7 => {
                let whom = cursor.flag().then(|| IDENTITIES[cursor.below(IDENTITIES.len())]);
                let _ = match cursor.byte() % 3 {
                    0 => self.intercom.ring(whom, self.now),
                    1 => self.intercom.answer(self.now),
                    _ => self.intercom.hang_up(self.now),
                };
            }
            8 => {
                self.granted = Granted::Command;
                let _ = self.intercom.pulse(OUTPUTS[cursor.below(OUTPUTS.len())], self.now);
            }
            9 => {
                self.may_unmute = true;
                self.intercom.set_muted(cursor.flag(), self.now);
            }
            10 => {
                // The line did not do what the last action said.
                match self.last.take() {
                    Some((number, true)) => {
                        self.intercom.not_driven(number, self.now);
                        self.driven[number] = self.is_stuck[number].then_some(self.now);
                    }
                    Some((number, false)) => {
                        self.intercom.not_at_rest(number, self.now);
                        (self.driven[number], self.is_stuck[number]) = (Some(self.now), true);
                    }
                    None => {}
                }
            }
            _ => {
                let event = room_event(cursor);
                self.event(event);
            }
        }
    }

    fn event(&mut self, event: Event) {
        self.intercom.handle_event(&event, self.now);
    }

    fn wait(&mut self, span: Duration) {
        // A press counts when the contact has settled, and a code that could be longer when no digit follows.
        (self.granted, self.may_unmute) = (Granted::Digits(self.digits_by), true);
        let end = self.now + span;
        let mut rounds = 0;
        while let Some(at) = self.intercom.poll_timeout(self.now).filter(|at| *at <= end) {
            rounds = if at <= self.now { rounds + 1 } else { 0 };
            assert!(rounds < ROUNDS_MAX, "time stands still: {:?}", self.intercom);
            self.now = at.max(self.now);
            self.intercom.handle_timeout(self.now);
            self.check();
        }
        self.now = end;
    }

    /// Takes the actions, and compares them with the rules.
    fn check(&mut self) {
        while let Some(action) = self.intercom.poll_action() {
            match action {
                Action::Pulse(number, Event::OutputPulsed { by, .. }) => {
                    let is_talking = self.intercom.call().stage() == CallStage::Talking;
                    let is_granted = match self.granted {
                        Granted::Command => by.is_empty(),
                        Granted::Rpc(identity) => by == identity && by.starts_with("flat-"),
                        Granted::Digits(identity) => by == identity && by.starts_with("flat-") && is_talking,
                        Granted::Nothing => false,
                    };
                    assert!(is_granted, "output {number} is driven for {by:?}: {:?}", self.granted);
                    self.driven[number] = Some(self.now);
                    self.last = Some((number, true));
                }
                Action::Rest(number) => {
                    (self.driven[number], self.is_stuck[number]) = (None, false);
                    self.last = Some((number, false));
                }
                Action::Mute(is_muted) => {
                    assert!(
                        is_muted || !self.is_muted || self.may_unmute,
                        "privacy was lifted by step {}",
                        self.step
                    );
                    self.is_muted = is_muted;
                }
                _ => {}
            }
        }
        for (number, since) in self.driven.iter().enumerate() {
            let driven = since.map_or(Duration::ZERO, |since| self.now - since);
            assert!(driven <= PULSE + REST_MARGIN, "output {number} is driven for {driven:?}");
        }
        assert_eq!(self.intercom.is_muted(), self.is_muted, "privacy is remembered as it is");
    }
}

fn settings(cursor: &mut Cursor<'_>) -> IntercomSettings {
    let admitted = || Allow::new(ADMITTED.map(str::to_owned)).expect("patterns");
    let output = |name: &str, rpc: &str, digits: &str| OutputSettings {
        name: name.to_owned(),
        pulse: PULSE,
        rpc: Some(rpc.to_owned()),
        dtmf: Some(digits.to_owned()),
        allow: admitted(),
    };
    IntercomSettings {
        call: CallSettings {
            join: *cursor.choose(&[JoinWhen::Always, JoinWhen::OnRing]),
            ring_timeout: Duration::from_secs(30),
            call_max: cursor.flag().then_some(Duration::from_secs(300)),
            parties: if cursor.flag() { admitted() } else { Allow::everybody() },
            answers_at_once: if cursor.flag() { admitted() } else { Allow::default() },
        },
        heard: *cursor.choose(&[Heard::Party, Heard::Parties, Heard::Room]),
        gate: *cursor.choose(&[MicrophoneMode::Open, MicrophoneMode::PushToTalk, MicrophoneMode::Always]),
        is_answered_by_microphone: cursor.flag(),
        buttons: PRESSES.map(button).into(),
        outputs: vec![output("door", "open", "4711"), output("gate", "gate", "47112")],
        is_muted: cursor.flag(),
    }
}

fn button(press: Press) -> ButtonSettings {
    ButtonSettings { name: format!("{press:?}"), line: "GPIO23".to_owned(), press: Some(press), hold: None }
}

fn room_event(cursor: &mut Cursor<'_>) -> Event {
    let identity = IDENTITIES[cursor.below(IDENTITIES.len())].to_owned();
    let says = *cursor.choose(&["", "ringing", "answered", "ended", "x"]);
    let facts = ParticipantFacts {
        identity: identity.clone(),
        sid: format!("PA_{}", cursor.byte() % 4),
        name: String::new(),
        metadata: String::new(),
        attributes: [("kinglet.call".to_owned(), says.to_owned())].into(),
        kind: *cursor.choose(&KINDS),
    };
    let track = TrackFacts {
        identity: identity.clone(),
        sid: format!("TR_{}", cursor.byte() % 4),
        name: "microphone".to_owned(),
        kind: TrackKind::Audio,
        source: *cursor.choose(&[TrackSource::Microphone, TrackSource::Unknown]),
        muted: cursor.flag(),
    };
    match cursor.byte() % 12 {
        0 => Event::Connected {
            room: "house".into(),
            room_sid: String::new(),
            identity: "door".into(),
            sid: "PA_0".into(),
            server: String::new(),
        },
        1 => Event::ParticipantJoined(facts),
        2 => Event::ParticipantChanged(facts),
        3 => {
            let reason = (*cursor.choose(&["unknown", "client_initiated"])).to_owned();
            Event::ParticipantLeft(DepartureFacts { who: facts, reason })
        }
        4 => Event::ParticipantActive { identity },
        5 => Event::TrackPublished(track),
        6 => Event::TrackUnmuted(track),
        7 => Event::TrackMuted(track),
        8 => Event::TrackUnpublished(track),
        9 => Event::LocalMuted { sid: track.sid, name: track.name, by: By::Server },
        10 => Event::LocalUnmuted { sid: track.sid, name: track.name, by: By::Server },
        _ => Event::Disconnected {
            reason: (*cursor.choose(&["PARTICIPANT_REMOVED", "ROOM_CLOSED", "UNKNOWN_REASON"])).to_owned(),
            will_retry: cursor.flag(),
            retry_in_ms: 0,
        },
    }
}
