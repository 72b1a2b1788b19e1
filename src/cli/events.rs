//! `--events`: where events go, and how they look.

use std::path::PathBuf;

use super::Failed;

/// `--events`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Events {
    /// JSON, as opposed to words.
    pub json: bool,
    /// A file, as opposed to a standard stream.
    pub file: Option<PathBuf>,
}

/// Reads the option's value.
///
/// # Errors
/// What it must be.
pub fn events(word: &str) -> Result<Events, Failed> {
    let (form, file) = match word.split_once(':') {
        Some((form, file)) => (form, Some(PathBuf::from(file))),
        None => (word, None),
    };
    let json = match form {
        "human" => false,
        "json" => true,
        _ => {
            return Err(Failed::usage(format!(
                "--events {word}: it must be human or json, with :FILE or without"
            )));
        }
    };
    Ok(Events { json, file })
}
