//! Applies the configuration: the settings of the device, the tones of the client.

use crate::command::{Command, Tone, ToneSound};
use crate::config::Config;
use crate::config::call::{AnsweredBy, CallConfig};
use crate::device::settings::{ButtonSettings, IntercomSettings, OutputSettings};
use crate::io::client::Commands;

/// Returns the settings of the device. Buttons are numbered first, then keys, in the order of the configuration.
pub(super) fn intercom_settings(config: &Config, is_muted: bool) -> IntercomSettings {
    let wiring = &config.wiring;
    let buttons =
        wiring.buttons.iter().map(|button| (&button.name, &button.line.line, button.press, button.hold));
    let keys = wiring.keys.iter().map(|key| (&key.name, &key.key, key.press, key.hold));
    let outputs = wiring.outputs.iter().map(|output| OutputSettings {
        name: output.name.clone(),
        pulse: output.pulse,
        rpc: output.rpc.clone(),
        dtmf: output.dtmf.clone(),
        allow: output.allow.clone(),
    });
    IntercomSettings {
        call: config.call.settings.clone(),
        heard: config.call.heard,
        gate: config.call.mode,
        is_answered_by_microphone: config.call.answered_by == AnsweredBy::Microphone,
        buttons: buttons
            .chain(keys)
            .map(|(name, line, press, hold)| {
                let (name, line) = (name.clone(), line.clone());
                ButtonSettings { name, line, press, hold }
            })
            .collect(),
        outputs: outputs.collect(),
        is_muted,
    }
}

/// Sets every tone as configured. WAV files are read once, when the box starts or its configuration changes. A file
/// that cannot be played causes a warning, and the built-in tone is used.
pub(super) fn set_tones(
    call: &CallConfig,
    commands: &Commands,
) -> [impl Future<Output = Option<String>> + 'static; Tone::ALL.len()] {
    Tone::ALL.map(|tone| {
        let sound = call.tones.get(&tone).cloned().unwrap_or_default();
        set_tone(tone, sound, commands.clone())
    })
}

async fn set_tone(tone: Tone, sound: ToneSound, commands: Commands) -> Option<String> {
    let error = commands.give(Command::ToneSound { tone, sound }).await.err()?;
    // The previous sound must not be played in its place.
    let _ = commands.give(Command::ToneSound { tone, sound: ToneSound::BuiltIn }).await;
    Some(format!("call.tones.{}: {error}; the built-in tone is used", tone.word()))
}
