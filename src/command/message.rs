//! Messages to send over the data channels, to some participants or to all.

use crate::limits::{DATA_NAME_BYTES_MAX, DESTINATIONS_MAX, IDENTITY_BYTES_MAX};

use super::CommandError;

/// Destinations and topic of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    /// What it is about; may be empty.
    pub topic: String,
    /// Identities of the destinations; empty is everybody.
    pub to: Vec<String>,
}

/// Bytes for the applications of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataMessage {
    /// Topic and recipients.
    pub address: Address,
    /// The bytes to send.
    pub payload: Vec<u8>,
    /// Sent once, out of order, and lost where the network loses it; otherwise repeated until it arrives.
    pub is_lossy: bool,
}

/// Text, as a text stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextMessage {
    /// Topic and recipients.
    pub address: Address,
    /// The text to send.
    pub text: String,
}

/// A file, as a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMessage {
    /// Topic and recipients.
    pub address: Address,
    /// Path of the file.
    pub path: String,
    /// Its text as a text stream, and not its bytes as a byte stream.
    pub is_text: bool,
}

/// A call of a participant's method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcCommand {
    /// Identity of the participant to call.
    pub to: String,
    /// Name of the method.
    pub method: String,
    /// The argument, any text; may be empty.
    pub payload: String,
}

/// The answer to a call of one of our methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcAnswer {
    /// The call's number, from `rpc_invoked`.
    pub id: String,
    /// The answer, or why there is none.
    pub result: Result<String, RpcRefusal>,
}

/// Why a call of one of our methods failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RpcRefusal {
    /// The application's own number; `None` is LiveKit's for it (1500).
    pub code: Option<u32>,
    /// One line for a person.
    pub message: String,
    /// More, for a program.
    pub data: String,
}

impl Address {
    /// Whether it is one that can be sent.
    ///
    /// # Errors
    /// What is too long, in words.
    pub fn check(&self) -> Result<(), CommandError> {
        if self.topic.len() > DATA_NAME_BYTES_MAX {
            return Err(CommandError::usage(format!("a topic has at most {DATA_NAME_BYTES_MAX} bytes")));
        }
        if self.to.len() > DESTINATIONS_MAX {
            return Err(CommandError::usage(format!(
                "a message is for at most {DESTINATIONS_MAX} identities"
            )));
        }
        if self.to.iter().any(|identity| identity.is_empty() || identity.len() > IDENTITY_BYTES_MAX) {
            return Err(CommandError::usage(format!("an identity has 1 to {IDENTITY_BYTES_MAX} bytes")));
        }
        Ok(())
    }
}
