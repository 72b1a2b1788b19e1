//! Bytes ⇄ [`Packet`] and [`Outgoing`]: the protobuf of `DataPacket`.

use std::collections::{BTreeMap, HashMap};

use prost::Message;

use super::packet::{
    Content, Outgoing, Packet, PacketError, RpcFault, RpcRequest, Segment, StreamHeader, TooLong,
};
use crate::limits::{
    ATTRIBUTES_BYTES_MAX, ATTRIBUTES_MAX, DATA_ID_BYTES_MAX, DATA_NAME_BYTES_MAX, DATA_PACKET_BYTES_MAX,
    DATA_SENT_BYTES_MAX, IDENTITY_BYTES_MAX,
};
use crate::signal::sid::Sid;
use crate::signal::wire::data_packet::{Kind, Value};
use crate::signal::wire::data_stream::{self, header::ContentHeader};
use crate::signal::wire::{self, rpc_response};

impl Packet {
    /// Reads one message of a data channel.
    ///
    /// # Errors
    /// Why it is invalid.
    pub fn decode(bytes: &[u8]) -> Result<Packet, PacketError> {
        if bytes.len() > DATA_PACKET_BYTES_MAX {
            return Err(PacketError::TooLong);
        }
        let packet = wire::DataPacket::decode(bytes).map_err(|_| PacketError::Malformed)?;
        Ok(Packet {
            sender: bounded(packet.participant_identity, IDENTITY_BYTES_MAX, "sender")?,
            sender_sid: Sid::new(&packet.participant_sid),
            sequence: packet.sequence,
            content: packet.value.map_or(Ok(Content::Other), content)?,
        })
    }
}

impl Outgoing {
    /// The bytes of one message: reliable with its number, or lossy without.
    ///
    /// # Errors
    /// It is longer than one message may be.
    pub fn encode(&self, sequence: Option<u32>) -> Result<Vec<u8>, TooLong> {
        let kind = if sequence.is_some() { Kind::Reliable } else { Kind::Lossy };
        let packet = wire::DataPacket {
            kind: kind as i32,
            destination_identities: self.destinations.clone(),
            value: value(&self.content),
            sequence: sequence.unwrap_or(0),
            ..Default::default()
        };
        if packet.encoded_len() > DATA_SENT_BYTES_MAX {
            return Err(TooLong);
        }
        Ok(packet.encode_to_vec())
    }
}

fn content(value: Value) -> Result<Content, PacketError> {
    Ok(match value {
        Value::User(user) => {
            Content::User { topic: name(user.topic.unwrap_or_default())?, payload: user.payload }
        }
        Value::ChatMessage(chat) => Content::Chat {
            id: id(chat.id)?,
            text: chat.message,
            timestamp_ms: chat.timestamp,
            is_deleted: chat.deleted,
        },
        Value::SipDtmf(key) => Content::Dtmf { code: key.code, digit: bounded(key.digit, 1, "digit")? },
        Value::Transcription(said) => Content::Transcription {
            identity: bounded(said.transcribed_participant_identity, IDENTITY_BYTES_MAX, "identity")?,
            segments: said.segments.into_iter().map(segment).collect::<Result<_, _>>()?,
        },
        Value::RpcRequest(call) => Content::RpcRequest(RpcRequest {
            id: some_id(call.id)?,
            method: name(call.method)?,
            payload: call.payload,
            response_timeout_ms: call.response_timeout_ms,
            version: call.version,
        }),
        Value::RpcAck(ack) => Content::RpcAck { id: some_id(ack.request_id)? },
        Value::RpcResponse(response) => Content::RpcResponse {
            id: some_id(response.request_id)?,
            result: match response.value {
                Some(rpc_response::Value::Error(fault)) => {
                    Err(RpcFault { code: fault.code, message: fault.message, data: fault.data })
                }
                Some(rpc_response::Value::Payload(payload)) => Ok(payload),
                None => Ok(String::new()),
            },
        },
        Value::StreamHeader(header) => Content::StreamHeader(stream_header(header)?),
        Value::StreamChunk(chunk) => Content::StreamChunk {
            id: some_id(chunk.stream_id)?,
            index: chunk.chunk_index,
            content: chunk.content,
        },
        Value::StreamTrailer(trailer) => Content::StreamTrailer {
            id: some_id(trailer.stream_id)?,
            reason: name(trailer.reason)?,
            attributes: attributes(trailer.attributes)?,
        },
        Value::EncryptedPacket(_) => Content::Encrypted,
    })
}

fn stream_header(header: data_stream::Header) -> Result<StreamHeader, PacketError> {
    let byte_name = match header.content_header {
        Some(ContentHeader::ByteHeader(bytes)) => Some(name(bytes.name)?),
        Some(ContentHeader::TextHeader(_)) => None,
        None => return Err(PacketError::Field("content header")),
    };
    Ok(StreamHeader {
        id: some_id(header.stream_id)?,
        timestamp_ms: header.timestamp,
        topic: name(header.topic)?,
        mime_type: name(header.mime_type)?,
        total_bytes: header.total_length,
        attributes: attributes(header.attributes)?,
        byte_name,
    })
}

fn segment(segment: wire::TranscriptionSegment) -> Result<Segment, PacketError> {
    Ok(Segment { id: id(segment.id)?, text: segment.text, is_final: segment.r#final })
}

fn attributes(pairs: HashMap<String, String>) -> Result<BTreeMap<String, String>, PacketError> {
    let bytes: usize = pairs.iter().map(|(key, value)| key.len() + value.len()).sum();
    if pairs.len() > ATTRIBUTES_MAX || bytes > ATTRIBUTES_BYTES_MAX {
        return Err(PacketError::Field("attributes"));
    }
    Ok(pairs.into_iter().collect())
}

fn bounded(text: String, bytes_max: usize, field: &'static str) -> Result<String, PacketError> {
    if text.len() > bytes_max { Err(PacketError::Field(field)) } else { Ok(text) }
}

fn name(text: String) -> Result<String, PacketError> {
    bounded(text, DATA_NAME_BYTES_MAX, "name")
}

fn id(text: String) -> Result<String, PacketError> {
    bounded(text, DATA_ID_BYTES_MAX, "number")
}

/// What answers and chunks are matched by cannot be left out.
fn some_id(text: String) -> Result<String, PacketError> {
    if text.is_empty() { Err(PacketError::Field("number")) } else { id(text) }
}

fn value(content: &Content) -> Option<Value> {
    Some(match content.clone() {
        Content::User { topic, payload } => {
            Value::User(wire::UserPacket { payload, topic: (!topic.is_empty()).then_some(topic) })
        }
        Content::Chat { id, text, timestamp_ms, is_deleted } => Value::ChatMessage(wire::ChatMessage {
            id,
            timestamp: timestamp_ms,
            message: text,
            deleted: is_deleted,
        }),
        Content::Dtmf { code, digit } => Value::SipDtmf(wire::SipDtmf { code, digit }),
        Content::Transcription { identity, segments } => Value::Transcription(wire::Transcription {
            transcribed_participant_identity: identity,
            track_id: String::new(),
            segments: segments
                .into_iter()
                .map(|Segment { id, text, is_final }| wire::TranscriptionSegment {
                    id,
                    text,
                    r#final: is_final,
                })
                .collect(),
        }),
        Content::RpcRequest(call) => Value::RpcRequest(wire::RpcRequest {
            id: call.id,
            method: call.method,
            payload: call.payload,
            response_timeout_ms: call.response_timeout_ms,
            version: call.version,
        }),
        Content::RpcAck { id } => Value::RpcAck(wire::RpcAck { request_id: id }),
        Content::RpcResponse { id, result } => Value::RpcResponse(wire::RpcResponse {
            request_id: id,
            value: Some(match result {
                Ok(payload) => rpc_response::Value::Payload(payload),
                Err(RpcFault { code, message, data }) => {
                    rpc_response::Value::Error(wire::RpcError { code, message, data })
                }
            }),
        }),
        Content::StreamHeader(header) => Value::StreamHeader(data_stream::Header {
            stream_id: header.id,
            timestamp: header.timestamp_ms,
            topic: header.topic,
            mime_type: header.mime_type,
            total_length: header.total_bytes,
            attributes: header.attributes.into_iter().collect(),
            content_header: Some(match header.byte_name {
                Some(name) => ContentHeader::ByteHeader(data_stream::ByteHeader { name }),
                None => ContentHeader::TextHeader(data_stream::TextHeader {}),
            }),
        }),
        Content::StreamChunk { id, index, content } => {
            Value::StreamChunk(data_stream::Chunk { stream_id: id, chunk_index: index, content })
        }
        Content::StreamTrailer { id, reason, attributes } => Value::StreamTrailer(data_stream::Trailer {
            stream_id: id,
            reason,
            attributes: attributes.into_iter().collect(),
        }),
        Content::Encrypted | Content::Other => return None,
    })
}
