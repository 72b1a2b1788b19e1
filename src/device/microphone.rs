//! The gate of the microphone: whether its sound is sent.
//!
//! | microphone | mute off | mute on |
//! | --- | --- | --- |
//! | no call | closed (open with [`MicrophoneMode::Always`]) | closed |
//! | call, [`MicrophoneMode::Open`] | open | closed |
//! | call, [`MicrophoneMode::PushToTalk`], key held | open | closed |
//! | call, [`MicrophoneMode::PushToTalk`], key released | closed | closed |
//!
//! Mute is privacy: a button or a command sets it. It survives calls, sessions and power cuts, and only the same button
//! or a command ends it. Sound that is blocked by the state of the call or the talk key is not sent, but that is not
//! privacy. A moderator can mute the box too, for as long as it is in the room; the person at the box sees that, and
//! can end it.

use super::settings::MicrophoneMode;
use crate::event::{By, Event};
use crate::local::gates::Gates;

/// The gate of the microphone: opened by mode, call and talk key, closed by mutes.
#[derive(Debug)]
pub struct MicrophoneGate {
    gate: MicrophoneMode,
    /// The gates of the track. Its talk key counts as held while sound is to be sent.
    gates: Gates,
    is_call_open: bool,
    is_key_held: bool,
    /// The last reported state.
    told_talking: bool,
}

impl MicrophoneGate {
    /// Creates the gate, without a call.
    pub fn new(gate: MicrophoneMode, is_muted: bool) -> MicrophoneGate {
        let gates = Gates::new(is_muted);
        // A track is open until the first report.
        let mut microphone =
            MicrophoneGate { gate, gates, is_call_open: false, is_key_held: false, told_talking: true };
        microphone.apply_rule();
        microphone
    }

    /// Replaces the mode.
    pub fn set_gate(&mut self, gate: MicrophoneMode) {
        self.gate = gate;
        self.apply_rule();
    }

    /// Opens or closes the microphone for a call.
    pub fn set_call_open(&mut self, is_open: bool) {
        self.is_call_open = is_open;
        self.apply_rule();
    }

    /// Sets whether the talk key is held.
    pub fn set_key_held(&mut self, is_held: bool) {
        self.is_key_held = is_held;
        self.apply_rule();
    }

    /// Takes an event: a moderator may mute or unmute the microphone.
    pub fn handle_event(&mut self, event: &Event) {
        match event {
            Event::LocalMuted { by: By::Server, .. } => self.gates.set_muted_by_server(true),
            Event::LocalUnmuted { .. } | Event::Disconnected { will_retry: false, .. } => {
                self.gates.set_muted_by_server(false);
            }
            _ => {}
        }
    }

    /// Turns privacy on or off. Returns `false` if nothing changes.
    pub fn set_muted(&mut self, is_muted: bool) -> bool {
        self.gates.set_muted(is_muted)
    }

    /// The reasons for which the microphone is closed.
    pub fn gates(&self) -> &Gates {
        &self.gates
    }

    /// Whether the microphone is open without a call too.
    pub fn is_always_open(&self) -> bool {
        self.gate == MicrophoneMode::Always
    }

    /// Returns whether sound is to be sent, apart from mutes, if that has changed.
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
