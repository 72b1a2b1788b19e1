//! Our data packets and the official Rust types, on each other's bytes, both ways; then damaged ones.

use livekit_protocol as official;
use livekit_protocol::data_packet::Value;
use livekit_protocol::data_stream;
use prost::Message;

use crate::data::packet::{
    Content, Outgoing, Packet, PacketError, RpcFault, RpcRequest, Segment, StreamHeader,
};
use crate::limits::{ATTRIBUTES_BYTES_MAX, DATA_ID_BYTES_MAX, DATA_NAME_BYTES_MAX, DATA_PACKET_BYTES_MAX};

/// One of each kind, every field with a value of its own.
fn contents() -> Vec<(Content, Value)> {
    let attributes = [("key".to_owned(), "value".to_owned())];
    let official_attributes: std::collections::HashMap<_, _> = attributes.clone().into();
    let header = |byte_name: Option<&str>| StreamHeader {
        id: "s1".into(),
        timestamp_ms: 1_700_000_000_001,
        topic: "pictures".into(),
        mime_type: "image/png".into(),
        total_bytes: Some(77),
        attributes: attributes.clone().into(),
        byte_name: byte_name.map(str::to_owned),
    };
    let official_header = |content_header| {
        Value::StreamHeader(data_stream::Header {
            stream_id: "s1".into(),
            timestamp: 1_700_000_000_001,
            topic: "pictures".into(),
            mime_type: "image/png".into(),
            total_length: Some(77),
            attributes: official_attributes.clone(),
            content_header: Some(content_header),
            ..Default::default()
        })
    };
    let response =
        |value| Value::RpcResponse(official::RpcResponse { request_id: "r1".into(), value: Some(value) });
    vec![
        (
            Content::User { topic: "door".into(), payload: vec![1, 0, 255] },
            Value::User(official::UserPacket {
                payload: vec![1, 0, 255],
                topic: Some("door".into()),
                ..Default::default()
            }),
        ),
        (
            Content::Chat { id: "c1".into(), text: "hello".into(), timestamp_ms: 5, is_deleted: true },
            Value::ChatMessage(official::ChatMessage {
                id: "c1".into(),
                timestamp: 5,
                message: "hello".into(),
                deleted: true,
                ..Default::default()
            }),
        ),
        (
            Content::Dtmf { code: 11, digit: "#".into() },
            Value::SipDtmf(official::SipDtmf { code: 11, digit: "#".into() }),
        ),
        (
            Content::Transcription {
                identity: "anna".into(),
                segments: vec![Segment { id: "g1".into(), text: "open it".into(), is_final: true }],
            },
            Value::Transcription(official::Transcription {
                transcribed_participant_identity: "anna".into(),
                segments: vec![official::TranscriptionSegment {
                    id: "g1".into(),
                    text: "open it".into(),
                    r#final: true,
                    ..Default::default()
                }],
                ..Default::default()
            }),
        ),
        (
            Content::RpcRequest(RpcRequest {
                id: "r1".into(),
                method: "open".into(),
                payload: "now".into(),
                response_timeout_ms: 15_000,
                version: 1,
            }),
            Value::RpcRequest(official::RpcRequest {
                id: "r1".into(),
                method: "open".into(),
                payload: "now".into(),
                response_timeout_ms: 15_000,
                version: 1,
                ..Default::default()
            }),
        ),
        (Content::RpcAck { id: "r1".into() }, Value::RpcAck(official::RpcAck { request_id: "r1".into() })),
        (
            Content::RpcResponse { id: "r1".into(), result: Ok("done".into()) },
            response(official::rpc_response::Value::Payload("done".into())),
        ),
        (
            Content::RpcResponse {
                id: "r1".into(),
                result: Err(RpcFault { code: 1500, message: "stuck".into(), data: "{}".into() }),
            },
            response(official::rpc_response::Value::Error(official::RpcError {
                code: 1500,
                message: "stuck".into(),
                data: "{}".into(),
            })),
        ),
        (
            Content::StreamHeader(header(None)),
            official_header(data_stream::header::ContentHeader::TextHeader(Default::default())),
        ),
        (
            Content::StreamHeader(header(Some("a.png"))),
            official_header(data_stream::header::ContentHeader::ByteHeader(data_stream::ByteHeader {
                name: "a.png".into(),
            })),
        ),
        (
            Content::StreamChunk { id: "s1".into(), index: 3, content: vec![9; 10] },
            Value::StreamChunk(data_stream::Chunk {
                stream_id: "s1".into(),
                chunk_index: 3,
                content: vec![9; 10],
                ..Default::default()
            }),
        ),
        (
            Content::StreamTrailer {
                id: "s1".into(),
                reason: "cancelled".into(),
                attributes: attributes.into(),
            },
            Value::StreamTrailer(data_stream::Trailer {
                stream_id: "s1".into(),
                reason: "cancelled".into(),
                attributes: official_attributes,
            }),
        ),
    ]
}

#[test]
fn ours_are_read_officially_and_theirs_by_us() {
    for (content, value) in contents() {
        let outgoing =
            Outgoing { destinations: vec!["anna".into(), "bert".into()], content: content.clone() };
        let read = official::DataPacket::decode(&*outgoing.encode(Some(7)).unwrap()).unwrap();
        assert_eq!(read.value, Some(value.clone()), "{content:?}");
        assert_eq!(
            (read.sequence, read.destination_identities),
            (7, vec!["anna".to_owned(), "bert".to_owned()])
        );
        let lossy = official::DataPacket::decode(&*outgoing.encode(None).unwrap()).unwrap();
        #[allow(deprecated, reason = "official clients still set it")]
        let kinds = (read.kind, lossy.kind);
        assert_eq!(kinds, (0, 1));

        let theirs = official::DataPacket {
            participant_identity: "carl".into(),
            participant_sid: "PA_3".into(),
            sequence: 9,
            value: Some(value),
            ..Default::default()
        };
        let packet = Packet::decode(&theirs.encode_to_vec()).unwrap();
        assert_eq!((packet.sender.as_str(), packet.sequence), ("carl", 9));
        assert!(packet.sender_sid.is_some_and(|sid| sid == "PA_3"));
        assert_eq!(packet.content, content);
    }
}

#[test]
fn what_is_past_a_limit_is_refused_as_a_whole() {
    let long = "x".repeat(DATA_NAME_BYTES_MAX + 1);
    let values = [
        Value::User(official::UserPacket { topic: Some(long.clone()), ..Default::default() }),
        Value::RpcRequest(official::RpcRequest {
            id: "x".repeat(DATA_ID_BYTES_MAX + 1),
            ..Default::default()
        }),
        Value::RpcRequest(official::RpcRequest { id: String::new(), ..Default::default() }),
        Value::RpcRequest(official::RpcRequest {
            id: "r".into(),
            method: long.clone(),
            ..Default::default()
        }),
        Value::SipDtmf(official::SipDtmf { code: 1, digit: "11".into() }),
        Value::StreamHeader(data_stream::Header { stream_id: "s".into(), ..Default::default() }),
        Value::StreamTrailer(data_stream::Trailer {
            stream_id: "s".into(),
            attributes: [("k".to_owned(), "v".repeat(ATTRIBUTES_BYTES_MAX))].into(),
            ..Default::default()
        }),
    ];
    for value in values {
        let bytes = official::DataPacket { value: Some(value.clone()), ..Default::default() }.encode_to_vec();
        assert!(matches!(Packet::decode(&bytes), Err(PacketError::Field(_))), "{value:?}");
    }
    assert_eq!(Packet::decode(&vec![0; DATA_PACKET_BYTES_MAX + 1]), Err(PacketError::TooLong));
    let large = Outgoing {
        destinations: Vec::new(),
        content: Content::User { topic: String::new(), payload: vec![0; DATA_PACKET_BYTES_MAX] },
    };
    assert!(large.encode(None).is_err());
}

#[test]
fn unknown_kinds_and_random_bytes_do_no_harm() {
    let metrics = official::DataPacket {
        value: Some(Value::Metrics(official::MetricsBatch { timestamp_ms: 5, ..Default::default() })),
        ..Default::default()
    };
    assert_eq!(Packet::decode(&metrics.encode_to_vec()).unwrap().content, Content::Other);
    let mut random = fastrand::Rng::with_seed(31);
    let originals: Vec<Vec<u8>> = contents()
        .into_iter()
        .map(|(content, _)| Outgoing { destinations: vec!["anna".into()], content }.encode(Some(1)).unwrap())
        .collect();
    let (mut read, mut refused) = (0, 0);
    for round in 0..40_000 {
        let mut bytes = originals[round % originals.len()].clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(0..bytes.len());
            match random.u32(0..4) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes.insert(at, random.u8(..)),
                _ => bytes[at] = random.u8(..),
            }
        }
        match Packet::decode(&bytes) {
            Ok(packet) => {
                read += 1;
                assert!(packet.sender.len() <= DATA_PACKET_BYTES_MAX);
            }
            Err(_) => refused += 1,
        }
    }
    assert!(read > 1000 && refused > 1000, "both happen: {read} read, {refused} refused");
}
