//! WAV files in the place of the built-in tones: read once, when the box starts or its configuration changes. One
//! that cannot be played is told, and the built-in tone is heard.

use std::path::PathBuf;

use crate::command::{Command, Tone};
use crate::config::call::ToneFiles;
use crate::io::client::Commands;

/// The work of putting them in place, a file each, or the tone itself. Each gives a warning where it cannot be.
pub(super) fn put_in_place(
    files: &ToneFiles,
    commands: &Commands,
) -> [impl Future<Output = Option<String>> + 'static; Tone::ALL.len()] {
    let ToneFiles { ringing, answered, ended, trouble } = files.clone();
    [
        (Tone::Ringing, "ringing", ringing),
        (Tone::Answered, "answered", answered),
        (Tone::Ended, "ended", ended),
        (Tone::Trouble, "trouble", trouble),
    ]
    .map(|(tone, key, path)| put(tone, key, path, commands.clone()))
}

async fn put(tone: Tone, key: &str, path: Option<PathBuf>, commands: Commands) -> Option<String> {
    let path = path.map(|path| path.to_string_lossy().into_owned());
    let error = commands.give(Command::ToneFile { tone, path }).await.err()?;
    // Whatever was there before is not what is asked for.
    let _ = commands.give(Command::ToneFile { tone, path: None }).await;
    Some(format!("call.tones.{key}: {error}; the built-in tone is heard"))
}
