//! Whether what the microphone hears goes out.
//!
//! | microphone | mute off | mute on |
//! | --- | --- | --- |
//! | no call | closed (open with [`MicrophoneMode::Always`]) | closed |
//! | call, [`MicrophoneMode::Open`] | open | closed |
//! | call, [`MicrophoneMode::PushToTalk`], key held | open | closed |
//! | call, [`MicrophoneMode::PushToTalk`], key released | closed | closed |
//!
//! Mute is privacy: a button or a command sets it, it outlives calls, sessions and power cuts, and nothing
//! but the same button or command ends it. What is closed by a call or a talk key is only not sent. A moderator
//! may mute us as well, for as long as we are in the room; whoever is at the box sees that, and may end it.

use super::settings::MicrophoneMode;
use crate::event::{By, Event};

/// The microphone's gate, and who holds it shut.
#[derive(Debug)]
pub struct MicrophoneGate {
    gate: MicrophoneMode,
    is_muted: bool,
    is_muted_by_server: bool,
    is_call_open: bool,
    is_key_held: bool,
    /// As it was last told.
    is_talking: bool,
}

impl MicrophoneGate {
    /// Without a call.
    pub fn new(gate: MicrophoneMode, is_muted: bool) -> MicrophoneGate {
        MicrophoneGate {
            gate,
            is_muted,
            is_muted_by_server: false,
            is_call_open: false,
            is_key_held: false,
            // A track is open unless it is told otherwise.
            is_talking: true,
        }
    }

    /// Another rule, from now on.
    pub fn set_gate(&mut self, gate: MicrophoneMode) {
        self.gate = gate;
    }

    /// A call needs it, or no longer.
    pub fn set_call_open(&mut self, is_open: bool) {
        self.is_call_open = is_open;
    }

    /// The talk key.
    pub fn set_key_held(&mut self, is_held: bool) {
        self.is_key_held = is_held;
    }

    /// What a moderator does.
    pub fn handle_event(&mut self, event: &Event) {
        match event {
            Event::LocalMuted { by: By::Server, .. } => self.is_muted_by_server = true,
            Event::LocalUnmuted { .. } | Event::Disconnected { will_retry: false, .. } => {
                self.is_muted_by_server = false;
            }
            _ => {}
        }
    }

    /// Privacy on or off; `false` where it is so already.
    pub fn set_muted(&mut self, is_muted: bool) -> bool {
        let is_change = self.is_muted != is_muted || (self.is_muted_by_server && !is_muted);
        self.is_muted = is_muted;
        self.is_muted_by_server &= is_muted;
        is_change
    }

    /// Whether privacy is on.
    pub fn is_muted(&self) -> bool {
        self.is_muted
    }

    /// Whether it is muted, here or by a moderator: what the mute button ends.
    pub fn is_held_shut(&self) -> bool {
        self.is_muted || self.is_muted_by_server
    }

    /// Whether what is said is sent, unless it is muted.
    pub fn is_talking(&self) -> bool {
        match self.gate {
            MicrophoneMode::Open => self.is_call_open,
            MicrophoneMode::PushToTalk => self.is_call_open && self.is_key_held,
            MicrophoneMode::Always => true,
        }
    }

    /// Whether it is open without a call, too.
    pub fn is_always_open(&self) -> bool {
        self.gate == MicrophoneMode::Always
    }

    /// What is to be told: whether what is said is sent, where that has changed.
    pub fn poll_talking(&mut self) -> Option<bool> {
        let is_talking = self.is_talking();
        (std::mem::replace(&mut self.is_talking, is_talking) != is_talking).then_some(is_talking)
    }
}
