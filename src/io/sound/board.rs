//! A board by its name or its file.

use std::path::Path;

use crate::config::board::{BUILT_IN, Board};
use crate::io::sound::open_error::OpenError;
use crate::limits::CONFIG_BYTES_MAX;

/// The board of that name, or of that file if the name has a slash or ends with `.toml`. Every problem of the file is
/// an error here: the file was named explicitly.
pub fn load(name: &str) -> Result<Board, OpenError> {
    let fail = |reason: String| OpenError::File { name: name.to_owned(), reason };
    let is_file = name.contains('/') || name.ends_with(".toml");
    let built_in = BUILT_IN.iter().find(|(known, _)| !is_file && *known == name);
    let (board, problems) = match built_in {
        Some((_, text)) => Board::read(text),
        None if is_file => Board::read(&read(Path::new(name)).map_err(|error| fail(error.to_string()))?),
        None => {
            let names: Vec<&str> = BUILT_IN.iter().map(|(known, _)| *known).collect();
            return Err(fail(format!(
                "is not a known board; there are {}, or give a file, ./NAME.toml",
                names.join(", ")
            )));
        }
    };
    match (board, problems.as_slice()) {
        (Some(board), []) => Ok(board),
        (_, []) => Err(fail("cannot be used".to_owned())),
        (_, [only]) => Err(fail(only.to_string())),
        (_, [first, others @ ..]) => Err(fail(format!("{first} (and {} more)", others.len()))),
    }
}

/// One byte more than a board file may have, so that longer files are noticed.
fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    file.take(CONFIG_BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::tests::temp::TempFile;

    #[test]
    fn by_name_and_by_file() {
        assert_eq!(load("rig").map(|board| board.capture.pcm), Ok(Some("hw:CARD=Mic,DEV=1".to_owned())));
        let file = TempFile::new(
            "board.toml",
            b"title = 'T'\ntested_on = 'nothing yet'\n[capture]\nrate_hz = 44100\n",
        );
        let board = load(&file.path().display().to_string()).expect("a board");
        assert_eq!(board.capture.rate_hz, Some(44_100));
    }

    #[test]
    fn what_is_wrong_is_one_line_with_status_3() {
        let wrong = TempFile::new(
            "wrong.toml",
            b"title = 'T'\ntested_on = '-'\n[capture]\nrate = 1\nperiod_ms = 1\n",
        );
        for (name, part) in [
            ("pi9", "there are pi3-usb-speakerphone"),
            ("./nowhere.toml", "No such file"),
            (wrong.path().to_str().expect("a name"), "line 4: capture.rate: no such key"),
        ] {
            let error = load(name).expect_err("no board");
            let text = error.to_string();
            assert!(text.contains(part) && !text.contains('\n'), "{text}");
            assert_eq!(error.exit_status().code(), 3);
        }
    }
}
