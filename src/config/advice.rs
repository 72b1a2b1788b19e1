//! Settings of a door that are valid but hardly wanted: it opens for everybody, its code is easily found by trying, or
//! nobody can enter the code. The file can still be used, because a box must start with a file that worked before;
//! `--check` and the start of `run` report each one with its line, its key and a replacement.

use super::call::{AnsweredBy, CallConfig};
use super::gpio::OutputConfig;
use super::section::Section;
use crate::event::ParticipantKind;

/// The shortest code that is not advised against: with the lock-outs of `device/lockout.rs`, the 10 000 codes of this
/// length are found after 200 days on average.
const CODE_DIGITS_ADVISED: usize = 4;

/// Reports what is risky about an output.
pub(super) fn output(output: &OutputConfig, call: &CallConfig, gpio: &Section<'_>) {
    if output.rpc.is_some() || output.dtmf.is_some() {
        match output.allow.unlimited() {
            Some(None) => gpio.risky("allow", format!("permits everybody in the room; {LIST}")),
            Some(Some(ParticipantKind::Sip)) => {
                gpio.risky("allow", format!("permits everybody who dials in; {LIST}"));
            }
            _ => {}
        }
    }
    let Some(code) = &output.dtmf else { return };
    if code.len() < CODE_DIGITS_ADVISED {
        // The code itself is a secret.
        gpio.risky(
            "dtmf",
            format!(
                "has {} of the {CODE_DIGITS_ADVISED} digits that a code should have: it is found by trying; write a longer \
                 one, as in \"4711\"",
                code.len()
            ),
        );
    }
    let parties = &call.settings.parties;
    // A pattern may be meant for participants that call a method, which telephones cannot.
    let (silent, others): (Vec<_>, Vec<_>) = output
        .allow
        .apart_from(parties)
        .partition(|(_, kind)| output.rpc.is_none() || *kind == Some(ParticipantKind::Sip));
    let is_nobody = silent.len() + others.len() == output.allow.len();
    let can_command = |kind| output.allow.intersects(parties, kind);
    let never = "opens for nobody: digits count in a call with somebody on `allow`, and";
    if output.allow.is_empty() {
        gpio.risky("dtmf", format!("{never} that list is empty; {LIST}"));
    } else if parties.is_empty() {
        gpio.risky("dtmf", format!("{never} call.parties is empty, so that there is none; list them there"));
    } else if is_nobody {
        gpio.risky("dtmf", format!("{never} call.parties has none of them; add them there"));
    } else if !silent.is_empty() {
        let names: Vec<String> = silent.into_iter().map(|(name, _)| format!("\"{name}\"")).collect();
        gpio.risky(
            "dtmf",
            format!(
                "opens for none of {} of `allow`: digits count in a call, and call.parties has none of them; add them \
                 there",
                names.join(", ")
            ),
        );
    }
    let is_command =
        call.answered_by == AnsweredBy::Command && output.allow.intersects(parties, ParticipantKind::Sip);
    if is_command && !can_command(ParticipantKind::Standard) && !can_command(ParticipantKind::Agent) {
        gpio.risky(
            "dtmf",
            format!(
                "{never} telephones cannot answer by the command that call.answered_by asks for; write \"microphone\" \
                 there"
            ),
        );
    }
}

const LIST: &str = "list those who may, as in [\"flat-*\", \"sip:+4930123456\"]";

#[cfg(test)]
mod tests {
    use crate::config::section::read;
    use crate::config::{CallConfig, Severity, Wiring};

    /// What is risky about a door with these keys in a box with these calls.
    fn risks(door: &str, call: &str) -> Vec<String> {
        let text = format!("[call]\n{call}\n[gpio]\ndoor = {{ line = 'X', {door} }}\n");
        let (_, problems) = read(&text, |root| {
            let call = root.section("call", CallConfig::read).unwrap_or_default();
            Wiring::read(root, &call)
        });
        assert!(problems.iter().all(|problem| problem.severity == Severity::Risky), "{problems:?}");
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_door_that_anybody_opens_or_nobody_is_reported() {
        for (door, call, expected) in [
            ("dtmf = '4711', rpc = 'open', allow = ['flat-*', 'sip:+4930123456']", "", &[][..]),
            ("pulse_ms = 500", "", &[]),
            ("rpc = 'open', allow = ['*']", "", &["gpio.door.allow: permits everybody in the room"]),
            (
                "rpc = 'open', allow = ['sip_*', 'x']",
                "",
                &["gpio.door.allow: permits everybody who dials in"],
            ),
            (
                "dtmf = '5', allow = ['flat-*', 'sip_*']",
                "",
                &["gpio.door.allow: permits everybody who dials in", "gpio.door.dtmf: has 1 of the 4 digits"],
            ),
            (
                "dtmf = '4711', allow = ['flat-*']",
                "parties = ['reception']",
                &["call.parties has none of them"],
            ),
            ("dtmf = '4711', allow = ['flat-*']", "parties = ['*-1']", &[]),
            ("dtmf = '4711', allow = ['flat-*']", "parties = ['sip_*']", &["call.parties has none of them"]),
            ("dtmf = '4711', allow = ['sip:+49*']", "parties = ['sip_+4930*']", &[]),
            ("dtmf = '4711', allow = ['flat-*']", "parties = []", &["call.parties is empty"]),
            // By a method they need no call; a telephone has no other way.
            ("rpc = 'open', dtmf = '4711', allow = ['flat-*', 'app-*']", "parties = ['flat-*']", &[]),
            (
                "rpc = 'open', dtmf = '4711', allow = ['flat-*', 'sip:+4930*']",
                "parties = ['flat-*']",
                &["opens for none of \"sip:+4930*\""],
            ),
            (
                "dtmf = '4711', allow = ['flat-*', 'app-*']",
                "parties = ['flat-*']",
                &["opens for none of \"app-*\""],
            ),
            ("dtmf = '4711', allow = []", "", &["that list is empty"]),
            (
                "dtmf = '4711', allow = ['sip:+49*']",
                "answered_by = 'command'",
                &["cannot answer by the command"],
            ),
            ("dtmf = '4711', allow = ['flat-*', 'sip:+49*']", "answered_by = 'command'", &[]),
            // An RPC needs no call.
            ("rpc = 'open', allow = ['flat-*']", "parties = []", &[]),
        ] {
            let risks = risks(door, call);
            assert_eq!(risks.len(), expected.len(), "{door} {call}: {risks:?}");
            for (risk, expected) in risks.iter().zip(expected) {
                assert!(risk.starts_with("line 4: ") && risk.contains(expected), "{door} {call}: {risk}");
            }
            assert!(!risks.concat().contains("4711'"), "a code is a secret");
        }
    }
}
