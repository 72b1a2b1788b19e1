//! Facts of events about participants, tracks, speakers and connections.

use serde::{Serialize, Serializer};

/// What is known of a participant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParticipantFacts {
    /// Identity, from its token.
    pub identity: String,
    /// SID, from the server; new with each session.
    pub sid: String,
    /// Display name of the participant.
    pub name: String,
    /// Free text set by the participant or its token.
    pub metadata: String,
    /// Key-value pairs set by the participant or its token.
    pub attributes: std::collections::BTreeMap<String, String>,
    /// `standard`, `ingress`, `egress`, `sip`, `agent` or `connector`.
    pub kind: ParticipantKind,
}

/// A participant who left, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DepartureFacts {
    /// The participant as it was last.
    #[serde(flatten)]
    pub who: ParticipantFacts,
    /// LiveKit's `DisconnectReason` in lower case: `client_initiated`, `user_rejected` …; `unknown_reason` if the
    /// server does not give one.
    pub reason: String,
}

/// What became of a sound card: `capture open`, `playback lost`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardState {
    /// Of the microphone, or of the loudspeaker.
    pub is_microphone: bool,
    /// It is gone, and is being looked for; or it works.
    pub is_lost: bool,
}

impl std::fmt::Display for CardState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let direction = if self.is_microphone { "capture" } else { "playback" };
        write!(f, "{direction} {}", if self.is_lost { "lost" } else { "open" })
    }
}

impl Serialize for CardState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a participant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ParticipantKind {
    Standard,
    Ingress,
    Egress,
    Sip,
    Agent,
    Connector,
    Unknown,
}

/// What is known of a track.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrackFacts {
    /// Identity of its publisher.
    pub identity: String,
    /// SID, from the server.
    pub sid: String,
    /// Name given by the publisher.
    pub name: String,
    /// Sound, picture or data.
    pub kind: TrackKind,
    /// Where it comes from.
    pub source: TrackSource,
    /// Whether the publisher has muted it.
    pub muted: bool,
}

/// What a track carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TrackKind {
    Audio,
    Video,
    Data,
}

/// Where a track comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TrackSource {
    Unknown,
    Camera,
    Microphone,
    ScreenShare,
    ScreenShareAudio,
}

/// A participant who speaks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Speaker {
    /// Identity of the participant.
    pub identity: String,
    /// 0 to 1, linear, as the server smooths it.
    pub level: f32,
}

/// The server's opinion of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Quality {
    Poor,
    Good,
    Excellent,
    Lost,
}

/// Who changed our track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// This client.
    #[serde(rename = "self")]
    Us,
    /// The server, or a moderator through it.
    Server,
}

/// What is known of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallFacts {
    /// Identity of the other party; empty while any party may answer.
    pub identity: String,
    /// How it came to this: `button`, `ctl`, `rpc` …
    pub reason: &'static str,
    /// How long the state before lasted: the ringing, or the talk.
    pub seconds: u64,
}
