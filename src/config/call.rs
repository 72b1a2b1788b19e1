//! `[call]`: how a call goes at this box.

use std::collections::BTreeMap;
use std::time::Duration;

use super::section::Section;
use crate::command::{Tone, ToneSound};
use crate::device::allow::Allow;
use crate::device::call::{CallSettings, JoinWhen};
use crate::device::hearing::Heard;
use crate::device::settings::MicrophoneMode;

/// How a call goes.
#[derive(Debug, Clone, PartialEq)]
pub struct CallConfig {
    /// Ring, answer, end.
    pub settings: CallSettings,
    /// Which participants hear the box in a call, and which it hears.
    pub heard: Heard,
    /// When what the microphone hears goes out.
    pub mode: MicrophoneMode,
    /// Whether nothing is sent while another participant speaks: for loudspeakers whose echo cannot be cancelled.
    pub is_half_duplex: bool,
    /// Whether an open microphone answers our ring, or only a command.
    pub answered_by: AnsweredBy,
    /// What is in the place of built-in tones.
    pub tones: BTreeMap<Tone, ToneSound>,
}

/// What counts as an answer to our ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnsweredBy {
    /// An open microphone of a party, or a command.
    Microphone,
    /// The RPC `answer`, or the attribute `kinglet.call` that becomes `answered`.
    Command,
}

/// People walk to a panel within half a minute.
const RING_TIMEOUT_S: i64 = 30;

/// A call that is never ended would let the room be overheard.
const CALL_MAX_S: i64 = 300;

impl Default for CallConfig {
    fn default() -> CallConfig {
        CallConfig {
            settings: CallSettings {
                join: JoinWhen::Always,
                ring_timeout: Duration::from_secs(RING_TIMEOUT_S as u64),
                call_max: Some(Duration::from_secs(CALL_MAX_S as u64)),
                parties: Allow::everybody(),
                answers_at_once: Allow::default(),
            },
            heard: Heard::default(),
            mode: MicrophoneMode::Open,
            is_half_duplex: false,
            answered_by: AnsweredBy::Microphone,
            tones: BTreeMap::new(),
        }
    }
}

impl CallConfig {
    pub(super) fn read(call: &mut Section<'_>) -> CallConfig {
        let usual = CallConfig::default();
        let join = call.word("join", &[("always", JoinWhen::Always), ("on-ring", JoinWhen::OnRing)]);
        let mode = call.word("mode", &MODES);
        let ring_timeout_s = call.number("ring_timeout_s", 5..=600).unwrap_or(RING_TIMEOUT_S);
        // 0: without end.
        let max_call_s = call.number("max_call_s", 0..=86_400).unwrap_or(CALL_MAX_S);
        let parties = call.allow("parties").unwrap_or(usual.settings.parties);
        let answers_at_once = call.allow("auto_answer").unwrap_or_default();
        let answered_by = call
            .word("answered_by", &[("microphone", AnsweredBy::Microphone), ("command", AnsweredBy::Command)]);
        let heard = call.word("heard", &HEARD).unwrap_or_default();
        let tones = call.section("tones", read_tones).unwrap_or_default();
        if mode == Some((MicrophoneMode::Always, false)) && join == Some(JoinWhen::OnRing) {
            call.wrong("mode", "\"always\" needs join = \"always\": the box is in the room for calls only");
        }
        CallConfig {
            settings: CallSettings {
                join: join.unwrap_or(usual.settings.join),
                // Both are within their ranges, which begin at zero.
                ring_timeout: Duration::from_secs(ring_timeout_s.unsigned_abs()),
                call_max: (max_call_s > 0).then(|| Duration::from_secs(max_call_s.unsigned_abs())),
                parties,
                answers_at_once,
            },
            heard,
            mode: mode.map_or(usual.mode, |(gate, _)| gate),
            is_half_duplex: mode.is_some_and(|(_, is_half_duplex)| is_half_duplex),
            answered_by: answered_by.unwrap_or(usual.answered_by),
            tones,
        }
    }
}

/// Half-duplex is an open gate that closes while another participant speaks.
const MODES: [(&str, (MicrophoneMode, bool)); 4] = [
    ("open", (MicrophoneMode::Open, false)),
    ("push-to-talk", (MicrophoneMode::PushToTalk, false)),
    ("half-duplex", (MicrophoneMode::Open, true)),
    ("always", (MicrophoneMode::Always, false)),
];

const HEARD: [(&str, Heard); 3] =
    [("party", Heard::Party), ("parties", Heard::Parties), ("room", Heard::Room)];

/// `[call.tones]`: a WAV file or `"none"` for each tone that is not to be the built-in one.
fn read_tones(tones: &mut Section<'_>) -> BTreeMap<Tone, ToneSound> {
    let mut read = |tone: Tone| {
        let text = tones.text(tone.word())?;
        Some((tone, if text == "none" { ToneSound::Silence } else { ToneSound::File(text) }))
    };
    Tone::ALL.into_iter().filter_map(&mut read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::section::read;
    use crate::event::ParticipantKind::Standard;

    #[test]
    fn reads_a_door_and_has_defaults() {
        let text = "join = 'on-ring'\nring_timeout_s = 20\nmax_call_s = 0\nparties = ['flat-*']\nmode = 'push-to-talk'";
        let (call, problems) = read(text, CallConfig::read);
        assert_eq!(problems, []);
        assert_eq!(call.settings.join, JoinWhen::OnRing);
        assert_eq!(call.settings.ring_timeout, Duration::from_secs(20));
        assert_eq!(call.settings.call_max, None);
        assert!(
            call.settings.parties.permits("flat-1", Standard)
                && !call.settings.parties.permits("door", Standard)
        );
        assert_eq!((call.mode, call.answered_by), (MicrophoneMode::PushToTalk, AnsweredBy::Microphone));
        assert_eq!(call.heard, Heard::Party);
        let (call, problems) = read("heard = 'room'", CallConfig::read);
        assert_eq!((call.heard, problems), (Heard::Room, Vec::new()));
        let (_, problems) = read("heard = 'everybody'", CallConfig::read);
        assert_eq!(problems.len(), 1);
        let (call, _) = read("", CallConfig::read);
        assert!(
            call.settings.parties.permits("anybody", Standard)
                && !call.settings.answers_at_once.permits("anybody", Standard)
        );
    }

    #[test]
    fn says_what_does_not_go_together() {
        let (_, problems) = read("join = 'on-ring'\nmode = 'always'", CallConfig::read);
        assert_eq!(problems.len(), 1);
        let (_, problems) = read("ring_timeout_s = 0\nparties = ['']", CallConfig::read);
        assert_eq!(problems.len(), 2, "{problems:?}");
    }
}
