//! What the application may ask: [`Command`], and its [`Answer`].
//!
//! Commands come from a program that holds the library, from the lines of `join --control -` and from
//! `kinglet ctl`; [`line`] is their common grammar. A new one is a variant here, an arm in
//! [`line::parse`] with a line of its usage, and an arm in `Engine::handle_command`.

pub mod line;

use serde::Serialize;

/// One thing the application asks for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Command {
    /// Stop sending our microphone, and tell the room.
    Mute,
    /// Send our microphone again.
    Unmute,
    /// Loudness of what we play, in percent of the unchanged level (0 to 150).
    Volume(u8),
    /// Hear this remote track (by SID), or all microphones of this identity.
    Subscribe(String),
    /// Stop hearing it.
    Unsubscribe(String),
    /// Let the server play a fault on us, by LiveKit's name of it (`SimulateScenario`): for tests.
    Simulate(String),
    /// Leave the room and end.
    Leave,
}

/// What a command came to: what it found (`null` where it asks for nothing), or why it was not carried out.
pub type Answer = Result<serde_json::Value, CommandError>;

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommandError {
    /// Short machine-readable word.
    pub code: &'static str,
    /// One line for a person.
    pub message: String,
}

impl CommandError {
    /// The words of the command are wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: "usage", message: message.into() }
    }

    /// It cannot be done, or not now.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { code: "refused", message: message.into() }
    }
}

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CommandError {}
