//! Facts of events about messages, streams and transcriptions.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde::ser::SerializeStruct;

/// Bytes of another application. In JSON they are `text` if they are valid UTF-8, otherwise `base64`.
#[derive(Clone, PartialEq, Eq)]
pub struct DataFacts {
    /// Identity of the sender; empty for the server's API.
    pub identity: String,
    /// What they are about.
    pub topic: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// Whether they came over the reliable channel.
    pub reliable: bool,
}

/// Without the payload, which may be large, or not meant for a log.
impl std::fmt::Debug for DataFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { identity, topic, payload, reliable } = self;
        let way = if *reliable { "reliable" } else { "lossy" };
        write!(f, "DataFacts({way}, {identity:?}, {topic:?}, {} bytes)", payload.len())
    }
}

impl Serialize for DataFacts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut facts = serializer.serialize_struct("DataFacts", 4)?;
        facts.serialize_field("identity", &self.identity)?;
        facts.serialize_field("topic", &self.topic)?;
        match std::str::from_utf8(&self.payload) {
            Ok(text) => facts.serialize_field("text", text)?,
            Err(_) => facts.serialize_field("base64", &STANDARD.encode(&self.payload))?,
        }
        facts.serialize_field("reliable", &self.reliable)?;
        facts.end()
    }
}

/// Text that was sent as a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextFacts {
    /// Identity of the sender.
    pub identity: String,
    /// The stream's number.
    pub id: String,
    /// What it is about.
    pub topic: String,
    /// The text, or this piece of it.
    pub text: String,
    /// Key-value pairs of the sender.
    pub attributes: BTreeMap<String, String>,
    /// Which piece it is, from 0.
    pub part: u32,
    /// No other piece follows.
    pub last: bool,
}

/// Bytes that were sent as a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileFacts {
    /// Identity of the sender.
    pub identity: String,
    /// The stream's number.
    pub id: String,
    /// What they are about.
    pub topic: String,
    /// The sender's name for them: a file name, of no trustworthy form.
    pub name: String,
    /// What they are (RFC 6838).
    pub mime_type: String,
    /// How many they were.
    pub bytes: u64,
    /// Where they are stored; `null` where no folder for them is named.
    pub path: Option<String>,
    /// Key-value pairs of the sender.
    pub attributes: BTreeMap<String, String>,
}

/// The speech of a participant, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TranscriptionFacts {
    /// Identity of the speaker.
    pub identity: String,
    /// The text; replaces earlier texts of the same segment.
    pub text: String,
    /// No other text of this segment follows.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// The segment's number.
    pub segment: String,
}

/// A call of one of our methods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RpcCallFacts {
    /// Identity of the caller.
    pub identity: String,
    /// The call's number, for the answer.
    pub id: String,
    /// Name of the method.
    pub method: String,
    /// Argument of the call.
    pub payload: String,
}

/// The result of a call of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RpcAnswerFacts {
    /// Identity of the callee.
    pub identity: String,
    /// Name of the method.
    pub method: String,
    /// The answer, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// The error otherwise: LiveKit's code (1400 and on), or that of the other application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_text_or_base64() {
        let facts = |payload: &[u8]| DataFacts {
            identity: "anna".into(),
            topic: "door".into(),
            payload: payload.to_vec(),
            reliable: true,
        };
        let json = |payload: &[u8]| serde_json::to_value(facts(payload)).expect("serialises");
        assert_eq!(json("auf, Tür".as_bytes())["text"], "auf, Tür");
        assert_eq!(json(&[0xff, 0])["base64"], "/wA=");
        assert!(json(&[0xff, 0]).get("text").is_none());
    }
}
