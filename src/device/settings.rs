//! The settings of a box.

use std::time::Duration;

use super::allow::Allow;
use super::call::CallSettings;
use super::hearing::Heard;

/// When the sound of the microphone is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MicrophoneMode {
    /// In a call.
    Open,
    /// In a call, while the talk key is held.
    PushToTalk,
    /// Always, with or without a call, as for a voice agent.
    Always,
}

/// The function of a press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Press {
    /// Ring the parties. Has no effect while the box rings or is in a call.
    Ring,
    /// Answer the participant that rings us.
    Answer,
    /// End the call.
    HangUp,
    /// Ring, answer or end the call, depending on its state.
    Call,
    /// Talk key: sound is sent while it is held.
    Talk,
    /// Turn privacy on or off.
    Mute,
}

/// The settings of a box.
#[derive(Debug, Clone)]
pub struct IntercomSettings {
    /// The settings of calls.
    pub call: CallSettings,
    /// Which participants hear the box in a call, and which it hears.
    pub heard: Heard,
    /// When the sound of the microphone is sent.
    pub gate: MicrophoneMode,
    /// Whether an open microphone in the room answers our ring.
    pub is_answered_by_microphone: bool,
    /// Buttons and keys. The position is the number that the caller uses.
    pub buttons: Vec<ButtonSettings>,
    /// Outputs. The position is the number that the caller uses.
    pub outputs: Vec<OutputSettings>,
    /// Privacy, as it was when the box was switched off.
    pub is_muted: bool,
}

/// A button or key.
#[derive(Debug, Clone)]
pub struct ButtonSettings {
    /// The configured name.
    pub name: String,
    /// The name of the line or key, for messages.
    pub line: String,
    /// The function of a press; `None` for none.
    pub press: Option<Press>,
    /// The function of a long press; `None` for none.
    pub hold: Option<Press>,
}

/// An output.
#[derive(Debug, Clone)]
pub struct OutputSettings {
    /// The configured name.
    pub name: String,
    /// How long the output is driven.
    pub pulse: Duration,
    /// The RPC method that drives the output, if any.
    pub rpc: Option<String>,
    /// The DTMF code that drives the output, if any.
    pub dtmf: Option<String>,
    /// The participants that may request the output.
    pub allow: Allow,
}
