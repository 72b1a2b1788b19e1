//! From the configuration to what the box decides by.

use crate::config::Config;
use crate::config::call::AnsweredBy;
use crate::device::settings::{ButtonSettings, IntercomSettings, OutputSettings};

/// Buttons and keys are numbered in this order.
pub(super) fn intercom(config: &Config, is_muted: bool) -> IntercomSettings {
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
