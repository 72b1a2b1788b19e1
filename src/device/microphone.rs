//! Whether what the microphone hears goes out.
//!
//! | microphone | mute off | mute on |
//! | --- | --- | --- |
//! | no call | closed (open with [`MicrophoneMode::Always`]) | closed |
//! | call, [`MicrophoneMode::Open`] | open | closed |
//! | call, [`MicrophoneMode::PushToTalk`], key held | open | closed |
//! | call, [`MicrophoneMode::PushToTalk`], key released | closed | closed |
//!
//! Mute is privacy: a button or a command sets it. It outlives calls, sessions and power cuts, and only the same button
//! or a command ends it. Sound that is blocked by a call or a talk key is not sent, but is not private. A moderator may
//! mute us as well, for as long as we are in the room; the person at the box sees that, and may end it.

use super::settings::MicrophoneMode;
use crate::event::{By, Event};
use crate::local::gates::Gates;

/// The microphone's gate: opened by mode, call and talk key, closed by mutes.
#[derive(Debug)]
pub struct MicrophoneGate {
    gate: MicrophoneMode,
    /// The gates of a track; its talk key is held while sound is sent.
    gates: Gates,
    is_call_open: bool,
    is_key_held: bool,
    /// The state that was reported last.
    told_talking: bool,
}

impl MicrophoneGate {
    /// Without a call.
    pub fn new(gate: MicrophoneMode, is_muted: bool) -> MicrophoneGate {
        let gates = Gates::new(is_muted);
        // A track is open unless this reports otherwise.
        let mut microphone =
            MicrophoneGate { gate, gates, is_call_open: false, is_key_held: false, told_talking: true };
        microphone.apply_rule();
        microphone
    }

    /// Another rule, from now on.
    pub fn set_gate(&mut self, gate: MicrophoneMode) {
        self.gate = gate;
        self.apply_rule();
    }

    /// A call needs it, or no longer.
    pub fn set_call_open(&mut self, is_open: bool) {
        self.is_call_open = is_open;
        self.apply_rule();
    }

    /// The talk key.
    pub fn set_key_held(&mut self, is_held: bool) {
        self.is_key_held = is_held;
        self.apply_rule();
    }

    /// What a moderator does.
    pub fn handle_event(&mut self, event: &Event) {
        match event {
            Event::LocalMuted { by: By::Server, .. } => self.gates.set_muted_by_server(true),
            Event::LocalUnmuted { .. } | Event::Disconnected { will_retry: false, .. } => {
                self.gates.set_muted_by_server(false);
            }
            _ => {}
        }
    }

    /// Privacy on or off; `false` if it is so already.
    pub fn set_muted(&mut self, is_muted: bool) -> bool {
        self.gates.set_muted(is_muted)
    }

    /// What holds it shut.
    pub fn gates(&self) -> &Gates {
        &self.gates
    }

    /// Whether it is open without a call, too.
    pub fn is_always_open(&self) -> bool {
        self.gate == MicrophoneMode::Always
    }

    /// Whether sound is to be sent, apart from mutes, if that has changed.
    pub fn poll_talking(&mut self) -> Option<bool> {
        let is_talking = !self.gates.is_paused();
        (std::mem::replace(&mut self.told_talking, is_talking) != is_talking).then_some(is_talking)
    }

    fn apply_rule(&mut self) {
        self.gates.set_key_held(match self.gate {
            MicrophoneMode::Open => self.is_call_open,
            MicrophoneMode::PushToTalk => self.is_call_open && self.is_key_held,
            MicrophoneMode::Always => true,
        });
    }
}
