//! Tests with configurations of 0.1.0: each is still accepted, and its doors open for the allowed participants only.
//!
//! | request | 0.1.0 | now |
//! | --- | --- | --- |
//! | RPC, by participants on the list | opens | opens; a `sip_*` pattern means SIP participants |
//! | DTMF, by participants on the list | opens, with or without a call | opens in a call with them |

use std::time::{Duration, Instant};

use super::apply;
use crate::config::{Config, Severity};
use crate::device::intercom::{Action, Intercom};
use crate::event::ParticipantKind::{self, Sip, Standard};
use crate::event::{Event, ParticipantFacts, TrackFacts, TrackKind, TrackSource};

/// The example configuration of the package.
const PACKAGE: &str = include_str!("upgrade/package-0.1.0.toml");

/// The door of the README.
const README: &str = include_str!("upgrade/readme-0.1.0.toml");

/// The voice assistant of the README, which has no door.
const ASSISTANT: &str = include_str!("upgrade/assistant-0.1.0.toml");

/// The doors of the tests, and some typical ones.
const SERVER: &str = "[server]\nurl = 'wss://a.example'\ntoken = { file = '/t' }\n";
const SKETCH: &str = "[call]\njoin = 'on-ring'\nring_timeout_s = 30\nmax_call_s = 300\n[gpio]\n\
    bell = { line = 'GPIO23', press = 'ring' }\nlamp = { line = 'GPIO24', shows = 'state' }\n\
    door = { line = 'GPIO17', pulse_ms = 3000, rpc = 'open', dtmf = '5', allow = ['flat-*', 'sip_*'] }\n";
const METHOD_ONLY: &str =
    "[gpio]\ndoor = { line = 'GPIO17', pulse_ms = 1000, rpc = 'open', allow = ['flat-*'] }\n";
const CLOSED: &str = "[gpio]\ndoor = { line = 'GPIO17', pulse_ms = 500 }\n";
const EVERYBODY: &str = "[gpio]\ndoor = { line = 'L1', rpc = 'open', dtmf = '5', allow = ['*'] }\n";

/// Participants that try to open the door: in the room, with or without a call.
const PEOPLE: [(&str, ParticipantKind); 4] =
    [("flat-1", Standard), ("sip_+1555", Sip), ("sip_+1555", Standard), ("guest", Standard)];

fn uncommented(text: &str) -> String {
    text.lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
        .map(|line| format!("{line}\n"))
        .collect()
}

fn read(text: &str) -> (Config, Vec<String>) {
    let (config, problems) = Config::read(text);
    assert!(problems.iter().all(|problem| problem.severity == Severity::Risky), "{problems:?}");
    (config.expect("a file of 0.1.0 can be used"), problems.iter().map(ToString::to_string).collect())
}

/// Whether the door opens for `who`: by RPC without a call, by digits without a call, by digits in a call.
#[allow(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]
fn opens(config: &Config, (identity, kind): (&str, ParticipantKind)) -> [bool; 3] {
    let mut now = Instant::now();
    let door = &config.wiring.outputs[0];
    let (rpc, code) = (door.rpc.clone().unwrap_or_default(), door.dtmf.clone().unwrap_or_default());
    let mut attempt = |is_call: bool, is_digits: bool| {
        let mut intercom = Intercom::new(apply::intercom_settings(config, false), now);
        let mut is_driven = false;
        let mut drain = |intercom: &mut Intercom| {
            while let Some(action) = intercom.poll_action() {
                is_driven |= matches!(action, Action::Pulse(..));
            }
            is_driven
        };
        let who = ParticipantFacts {
            identity: identity.to_owned(),
            sid: "PA_1".to_owned(),
            name: String::new(),
            metadata: String::new(),
            attributes: Default::default(),
            kind,
        };
        let track = TrackFacts {
            identity: identity.to_owned(),
            sid: "TR_1".to_owned(),
            name: String::new(),
            kind: TrackKind::Audio,
            source: TrackSource::Microphone,
            muted: false,
        };
        drain(&mut intercom);
        if is_call {
            let _ = intercom.ring(None, now);
            drain(&mut intercom);
        }
        for event in [
            Event::ParticipantJoined(who),
            Event::ParticipantActive { identity: identity.to_owned() },
            Event::TrackPublished(track),
        ] {
            intercom.handle_event(&event, now);
            drain(&mut intercom);
        }
        if is_digits {
            for digit in code.chars() {
                now += Duration::from_millis(200);
                let (identity, digit) = (identity.to_owned(), digit.to_string());
                intercom.handle_event(&Event::Dtmf { identity, digit }, now);
            }
        } else {
            let _ = intercom.handle_rpc(identity, &rpc, 1, now);
        }
        drain(&mut intercom)
    };
    [attempt(false, false), attempt(false, true), attempt(true, true)]
}

#[test]
fn each_door_opens_only_for_participants_that_are_safe() {
    const NOBODY: [bool; 3] = [false; 3];
    const METHOD: [bool; 3] = [true, false, false];
    const BOTH: [bool; 3] = [true, false, true];
    let all_keys = uncommented(PACKAGE);
    let of = |text: &str| format!("{SERVER}{text}");
    for (name, text, [flat, caller, false_caller, guest]) in [
        ("package", all_keys, [BOTH, BOTH, NOBODY, NOBODY]),
        // Callers are not parties in this file, so they cannot have a call, which is a warning.
        ("readme", README.to_owned(), [BOTH, METHOD, NOBODY, NOBODY]),
        ("sketch", of(SKETCH), [BOTH, BOTH, NOBODY, NOBODY]),
        ("method only", of(METHOD_ONLY), [METHOD, NOBODY, NOBODY, NOBODY]),
        ("closed", of(CLOSED), [NOBODY; 4]),
        ("everybody", of(EVERYBODY), [BOTH; 4]),
    ] {
        let (config, _) = read(&text);
        let expected = [flat, caller, false_caller, guest];
        for (who, expected) in PEOPLE.into_iter().zip(expected) {
            assert_eq!(opens(&config, who), expected, "{name}: {who:?}");
        }
    }
}

/// A door that opens for fewer participants than before, or for too many, is reported by line and key, with a remedy.
#[test]
fn changed_permissions_are_reported() {
    let risks = |text: &str| read(text).1.join("\n");
    let package = risks(&uncommented(PACKAGE));
    for expected in
        ["line 93: gpio.door.allow: permits everybody who dials in; list", "line 93: gpio.door.dtmf: has 1"]
    {
        assert!(package.contains(expected), "{package}");
    }
    let readme = risks(README);
    assert!(readme.contains("gpio.door.dtmf: opens for none of \"sip_*\""), "{readme}");
    assert!(readme.contains("call.parties has none of them; add them there"), "{readme}");
    let everybody = risks(&format!("{SERVER}{EVERYBODY}"));
    assert!(everybody.contains("gpio.door.allow: permits everybody in the room; list"), "{everybody}");
    assert!(risks(ASSISTANT).is_empty() && read(ASSISTANT).0.wiring.outputs.is_empty());
    for silent in [METHOD_ONLY, CLOSED] {
        assert_eq!(risks(&format!("{SERVER}{silent}")), "");
    }
    assert_eq!(risks(PACKAGE), "", "the installed file has no door");
}
