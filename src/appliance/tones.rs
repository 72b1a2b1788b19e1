//! What the configuration has in the place of built-in tones: WAV files are read once, when the box starts or its
//! configuration changes. One that cannot be played is told, and the built-in tone is heard.

use crate::command::{Command, Tone, ToneSound};
use crate::config::call::CallConfig;
use crate::io::client::Commands;

/// The work of putting them in place, all tones that there are. Each gives a warning where it cannot be.
pub(super) fn put_in_place(
    call: &CallConfig,
    commands: &Commands,
) -> [impl Future<Output = Option<String>> + 'static; Tone::ALL.len()] {
    Tone::ALL.map(|tone| {
        let sound = call.tones.get(&tone).cloned().unwrap_or_default();
        put(tone, sound, commands.clone())
    })
}

async fn put(tone: Tone, sound: ToneSound, commands: Commands) -> Option<String> {
    let error = commands.give(Command::ToneSound { tone, sound }).await.err()?;
    // Whatever was there before is not what is asked for.
    let _ = commands.give(Command::ToneSound { tone, sound: ToneSound::BuiltIn }).await;
    Some(format!("call.tones.{}: {error}; the built-in tone is heard", tone.word()))
}
