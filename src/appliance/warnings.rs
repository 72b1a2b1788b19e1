//! Warnings about a usable configuration, which `kinglet run --check` prints.

use std::path::Path;

use crate::config::Config;
use crate::config::server::TokenSource;
use crate::io::kept_lines::{self, Kept};
use crate::io::process;
use crate::io::sound::board;

/// Returns the warnings, one line each.
pub(super) fn of(config: &Config) -> Vec<String> {
    let lines = config.board.as_deref().and_then(|name| board::load(name).ok()).unwrap_or_default().lines;
    let mut warnings = occupied(config, &lines);
    warnings.extend(exposed(&config.server.token));
    if !config.wiring.outputs.is_empty()
        && let kept @ (Kept::Yes | Kept::Unknown) = kept_lines::kept(Path::new("/"))
    {
        warnings.push(format!("gpio: {kept}"));
    }
    warnings
}

/// Returns a warning if other users of this device can read or replace the file with the secret.
fn exposed(token: &TokenSource) -> Option<String> {
    let (key, path) = match token {
        TokenSource::File(path) => ("file", path),
        TokenSource::KeyFile(path) => ("key_file", path),
        TokenSource::Endpoint { header_file: Some(path), .. } => ("header_file", path),
        TokenSource::Endpoint { header_file: None, .. }
        | TokenSource::Command(_)
        | TokenSource::Credential(_) => {
            return None;
        }
    };
    let why = process::open_to_others(path)?;
    let path = path.display();
    Some(format!("server.token.{key}: {path}: {why}; set its owner and mode (chown root:kinglet, chmod 640)"))
}

/// Returns a warning for each configured line that the board itself uses. A line of a button of the board may be a
/// button.
fn occupied(config: &Config, lines: &[(String, String)]) -> Vec<String> {
    let wiring = &config.wiring;
    let buttons = wiring.buttons.iter().map(|button| (&button.name, &button.line.line, true));
    let lamps = wiring.lamps.iter().map(|lamp| (&lamp.name, &lamp.line.line, false));
    let outputs = wiring.outputs.iter().map(|output| (&output.name, &output.line.line, false));
    buttons
        .chain(lamps)
        .chain(outputs)
        .filter_map(|(name, line, is_button)| {
            let (what, _) = lines.iter().find(|(_, occupied)| occupied == line)?;
            let is_meant = is_button && what.starts_with("button");
            let board = config.board.as_deref().unwrap_or_default();
            (!is_meant).then(|| {
                format!("gpio.{name}.line: {line} is used by the board {board} ({what}): take another line")
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn warnings(gpio: &str) -> Vec<String> {
        let text = format!(
            "board = 'zero2w-respeaker2mic'\n[server]\nurl = 'wss://a.example'\ntoken = {{ file = '/t' }}\n[gpio]\n{gpio}"
        );
        let config = Config::read(&text).0.expect("usable");
        let lines = board::load("zero2w-respeaker2mic").expect("built in").lines;
        occupied(&config, &lines)
    }

    #[test]
    fn a_line_that_the_board_uses_is_told_unless_its_button_is_read() {
        assert_eq!(
            warnings("door = { line = 'GPIO17', pulse_ms = 500 }"),
            ["gpio.door.line: GPIO17 is used by the board zero2w-respeaker2mic (button): take another line"]
        );
        assert_eq!(warnings("bell = { line = 'GPIO17', press = 'call' }"), Vec::<String>::new());
        assert_eq!(warnings("bell = { line = 'GPIO19', press = 'call' }").len(), 1);
        assert_eq!(warnings("lamp = { line = 'GPIO21', shows = 'state' }").len(), 1);
        assert_eq!(warnings("door = { line = 'GPIO26', pulse_ms = 500 }"), Vec::<String>::new());
    }

    #[test]
    fn a_secret_that_others_can_read_or_replace_is_reported() {
        let file = std::env::temp_dir().join(format!("kinglet-secret-{}", std::process::id()));
        std::fs::write(&file, "x").expect("a file");
        let told = |mode: u32| {
            std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).expect("its owner");
            exposed(&TokenSource::File(file.clone())).unwrap_or_default()
        };
        assert_eq!((told(0o600), told(0o640)), (String::new(), String::new()));
        assert!(told(0o644).contains("every user of this device may read it"));
        assert!(told(0o620).contains("others may replace it"));
        std::fs::remove_file(&file).expect("there");
        assert_eq!(exposed(&TokenSource::File(file)), None, "a missing file is reported where it is read");
    }

    /// The lines in the README and the example are free on every built-in board.
    #[test]
    fn the_lines_of_the_examples_are_free() {
        let example =
            include_str!("../../cross/package/kinglet.toml").to_owned() + include_str!("../../README.md");
        let used: Vec<&str> = example.split('"').filter(|word| word.starts_with("GPIO")).collect();
        assert!(used.contains(&"GPIO26"), "{used:?}");
        for (name, _) in crate::config::board::BUILT_IN {
            for (what, line) in board::load(name).expect("built in").lines {
                // The README describes how to use the button of a board.
                assert!(!used.contains(&line.as_str()), "{name}: {what} = {line}");
            }
        }
    }
}
