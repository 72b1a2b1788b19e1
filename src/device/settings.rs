//! The settings of a box.

use std::time::Duration;

use super::allow::Allow;
use super::call::CallSettings;
use super::hearing::Heard;

/// When what the microphone hears goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MicrophoneMode {
    /// In a call.
    Open,
    /// In a call, while the talk key is held.
    PushToTalk,
    /// Always, call or not: ears and mouth of a voice agent.
    Always,
}

/// What a press does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Press {
    /// Ring; while it rings or in a call: nothing.
    Ring,
    /// Answer the participant that rings us.
    Answer,
    /// End the call.
    HangUp,
    /// What makes sense: ring, answer, or end.
    Call,
    /// Heard while it is held.
    Talk,
    /// Privacy on or off.
    Mute,
}

/// The settings of a box.
#[derive(Debug, Clone)]
pub struct IntercomSettings {
    /// How calls begin and end.
    pub call: CallSettings,
    /// Which participants hear the box in a call, and which it hears.
    pub heard: Heard,
    /// When the microphone is open.
    pub gate: MicrophoneMode,
    /// Whether an open microphone in the room answers our ring.
    pub is_answered_by_microphone: bool,
    /// Buttons and keys, in the order in which the caller numbers them.
    pub buttons: Vec<ButtonSettings>,
    /// Outputs, in the order in which the caller numbers them.
    pub outputs: Vec<OutputSettings>,
    /// Privacy, as it was when the box was switched off.
    pub is_muted: bool,
}

/// A button or key.
#[derive(Debug, Clone)]
pub struct ButtonSettings {
    /// Its owner's name for it.
    pub name: String,
    /// The line or key that it hangs on, for messages.
    pub line: String,
    /// What a press does.
    pub press: Option<Press>,
    /// What a long press does besides.
    pub hold: Option<Press>,
}

/// What opens something.
#[derive(Debug, Clone)]
pub struct OutputSettings {
    /// Its owner's name for it.
    pub name: String,
    /// For how long it is driven.
    pub pulse: Duration,
    /// The RPC method that drives the output.
    pub rpc: Option<String>,
    /// The DTMF digits that ask for it.
    pub dtmf: Option<String>,
    /// Participants that may request it.
    pub allow: Allow,
}
