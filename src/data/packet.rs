//! One data packet: its sender ([`Packet`]) or its destinations ([`Outgoing`]), and its content ([`Content`]).
//!
//! Every text in a packet that was read is within the limits of `limits`; a packet with a longer one is refused as a
//! whole, since half a message may have another meaning.

use std::collections::BTreeMap;
use std::fmt;

use crate::limits::{DATA_PACKET_BYTES_MAX, DATA_SENT_BYTES_MAX};
use crate::signal::sid::Sid;

/// A packet that arrived. Its sender is set by the server.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    /// Identity of the sender; empty for what the server itself sends (its API).
    pub sender: String,
    /// The sender's session.
    pub sender_sid: Option<Sid>,
    /// Its number among the sender's reliable packets; 0 if it has none.
    pub sequence: u32,
    /// The content.
    pub content: Content,
}

/// Which participant sent a packet: the key that joins the packets of one stream.
///
/// The server stamps `participant_sid` on each packet (livekit-server `onReceivedDataMessage`). It stamps the
/// identity, too, except where an agent speaks on behalf of another participant: then a stream's header keeps
/// the identity that the agent wrote, and its chunks carry the agent's own. So identities join nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The sender's session.
    Session(Sid),
    /// Its identity, where the packet has no SID: it comes from the server's API, or from an older server.
    Identity(String),
}

/// A packet to send.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// Identities of the destinations; empty is everybody.
    pub destinations: Vec<String>,
    /// The content.
    pub content: Content,
}

/// The content of a packet.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Bytes of the application.
    User {
        /// What they are about; may be empty.
        topic: String,
        /// The application's bytes.
        payload: Vec<u8>,
    },
    /// A chat message of the older kind; newer ones are text streams.
    Chat {
        /// Id of the message.
        id: String,
        /// The text.
        text: String,
        /// When, in milliseconds since 1970 by the sender's clock.
        timestamp_ms: i64,
        /// Whether it withdraws the message with this number.
        is_deleted: bool,
    },
    /// A key of a telephone.
    Dtmf {
        /// RFC 4733 §3.2: 0 to 15.
        code: u32,
        /// The key: `0`–`9`, `*`, `#`, `A`–`D`.
        digit: String,
    },
    /// The speech of a participant, as text.
    Transcription {
        /// Identity of the speaker.
        identity: String,
        /// The parts of the transcription, in order.
        segments: Vec<Segment>,
    },
    /// A call of one of our methods, or of one of theirs.
    RpcRequest(RpcRequest),
    /// The call has arrived.
    RpcAck {
        /// Id of the call.
        id: String,
    },
    /// What the call came to.
    RpcResponse {
        /// Id of the call.
        id: String,
        /// The answer, or what went wrong.
        result: Result<String, RpcFault>,
    },
    /// A stream begins.
    StreamHeader(StreamHeader),
    /// The next part of a stream.
    StreamChunk {
        /// Id of the stream.
        id: String,
        /// From 0 on, without holes.
        index: u64,
        /// The next bytes.
        content: Vec<u8>,
    },
    /// A stream ends.
    StreamTrailer {
        /// Id of the stream.
        id: String,
        /// Why it is not complete; empty if it is.
        reason: String,
        /// Attributes that the header did not have yet.
        attributes: BTreeMap<String, String>,
    },
    /// An encrypted packet, for participants that have the key.
    Encrypted,
    /// Something that this program does not know.
    Other,
}

/// A part of a transcription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its number: later texts of the same number replace earlier ones.
    pub id: String,
    /// The text of the speech.
    pub text: String,
    /// No other text of this number follows.
    pub is_final: bool,
}

/// A call of a method (RPC).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcRequest {
    /// Id that the caller gave the call.
    pub id: String,
    /// What is called.
    pub method: String,
    /// The argument, any text.
    pub payload: String,
    /// How long the caller waits for the answer.
    pub response_timeout_ms: u32,
    /// Of the protocol; we know 1.
    pub version: u32,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcFault {
    /// LiveKit's number (1400 and on), or the application's own.
    pub code: u32,
    /// One line for a person.
    pub message: String,
    /// More, for a program.
    pub data: String,
}

/// The beginning of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamHeader {
    /// Id of the stream.
    pub id: String,
    /// When it began, in milliseconds since 1970 by the sender's clock.
    pub timestamp_ms: i64,
    /// What it is about; may be empty.
    pub topic: String,
    /// What its bytes are (RFC 6838).
    pub mime_type: String,
    /// How long it will be, where that is known.
    pub total_bytes: Option<u64>,
    /// Key-value pairs of the sender.
    pub attributes: BTreeMap<String, String>,
    /// The name of a byte stream; `None` for text.
    pub byte_name: Option<String>,
}

impl Packet {
    /// The sender, by which packets are joined.
    pub fn origin(&self) -> Origin {
        Origin::new(self.sender_sid, &self.sender)
    }
}

impl Origin {
    /// The sender with this session, or else with this identity.
    pub fn new(sid: Option<Sid>, identity: &str) -> Origin {
        sid.map_or_else(|| Origin::Identity(identity.to_owned()), Origin::Session)
    }

    /// The sender's session, where the packet names one.
    pub fn sid(&self) -> Option<Sid> {
        match self {
            Origin::Session(sid) => Some(*sid),
            Origin::Identity(_) => None,
        }
    }

    /// Whether the participant with this session and identity is the sender.
    pub fn is(&self, sid: Sid, identity: &str) -> bool {
        match self {
            Origin::Session(own) => *own == sid,
            Origin::Identity(own) => own == identity,
        }
    }
}

/// Why a packet cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketError {
    /// It is longer than [`DATA_PACKET_BYTES_MAX`].
    TooLong,
    /// The packet is not valid protobuf.
    Malformed,
    /// A text or list in it is past its limit, or lacks what cannot be left out.
    Field(&'static str),
}

/// A packet that is longer than may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PacketError::TooLong => write!(f, "longer than {DATA_PACKET_BYTES_MAX} bytes"),
            PacketError::Malformed => f.write_str("not a data packet"),
            PacketError::Field(name) => write!(f, "its {name} is too long, or missing"),
        }
    }
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "with its topic and destinations it is longer than {DATA_SENT_BYTES_MAX} bytes")
    }
}

impl std::error::Error for PacketError {}
impl std::error::Error for TooLong {}
