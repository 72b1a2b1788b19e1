//! LiveKit's messages with structure: signal responses and data packets, their fields drawn from an input.

use std::collections::HashMap;

use livekit_protocol::signal_response::Message;
use livekit_protocol::*;
use prost::Message as _;

use crate::cursor::Cursor;
use crate::sdp;

/// Participants and tracks of one message: more than the limits.
const LIST_MAX: usize = 200;

/// The names that a message may use.
pub struct Names {
    /// SIDs of rooms, participants and tracks that there are.
    pub sids: Vec<String>,
    /// Identities that there are.
    pub identities: Vec<String>,
    /// The last description that the client has seen or sent.
    pub sdp: String,
}

/// One signal response.
pub fn signal_response(cursor: &mut Cursor<'_>, names: &Names) -> Vec<u8> {
    let message = message(cursor, names);
    SignalResponse { message: Some(message) }.encode_to_vec()
}

/// One packet of a data channel.
pub fn data_packet(cursor: &mut Cursor<'_>, names: &Names) -> Vec<u8> {
    let stream = || ["s1", "s2", "s3", "s4"];
    let id = cursor.choose(&stream()).to_string();
    let value = match cursor.byte() % 11 {
        0 => data_packet::Value::User(UserPacket {
            payload: cursor.bytes().to_vec(),
            topic: cursor.flag().then(|| text(cursor, names)),
            ..UserPacket::default()
        }),
        1 => data_packet::Value::ChatMessage(ChatMessage {
            id,
            message: text(cursor, names),
            ..ChatMessage::default()
        }),
        2 => {
            data_packet::Value::SipDtmf(SipDtmf { code: cursor.number() as u32, digit: text(cursor, names) })
        }
        3 => data_packet::Value::Transcription(Transcription {
            transcribed_participant_identity: identity(cursor, names),
            track_id: sid(cursor, names),
            segments: (0..cursor.byte() % 20)
                .map(|_| TranscriptionSegment {
                    id: text(cursor, names),
                    text: text(cursor, names),
                    r#final: cursor.flag(),
                    ..TranscriptionSegment::default()
                })
                .collect(),
        }),
        4 => data_packet::Value::RpcRequest(RpcRequest {
            id,
            method: (*cursor.choose(&["open", "ring", "x", ""])).to_owned(),
            payload: text(cursor, names),
            response_timeout_ms: cursor.number() as u32,
            version: u32::from(cursor.byte() % 3),
            compressed_payload: cursor.bytes().to_vec(),
        }),
        5 => data_packet::Value::RpcAck(RpcAck { request_id: text(cursor, names) }),
        6 => data_packet::Value::RpcResponse(RpcResponse {
            request_id: text(cursor, names),
            value: cursor.flag().then(|| rpc_response::Value::Payload(text(cursor, names))),
        }),
        7 => data_packet::Value::StreamHeader(data_stream::Header {
            stream_id: id,
            topic: text(cursor, names),
            mime_type: text(cursor, names),
            total_length: cursor.flag().then(|| cursor.number()),
            attributes: attributes(cursor, names),
            content_header: match cursor.byte() % 3 {
                0 => None,
                1 => Some(data_stream::header::ContentHeader::TextHeader(data_stream::TextHeader {
                    operation_type: i32::from(cursor.byte() % 6),
                    version: cursor.number() as i32,
                    reply_to_stream_id: text(cursor, names),
                    attached_stream_ids: vec![text(cursor, names)],
                    generated: cursor.flag(),
                })),
                _ => Some(data_stream::header::ContentHeader::ByteHeader(data_stream::ByteHeader {
                    name: text(cursor, names),
                })),
            },
            ..data_stream::Header::default()
        }),
        8 => data_packet::Value::StreamChunk(data_stream::Chunk {
            stream_id: id,
            chunk_index: cursor.number(),
            content: cursor.bytes().repeat(1 + usize::from(cursor.byte() % 64)),
            ..data_stream::Chunk::default()
        }),
        9 => data_packet::Value::StreamTrailer(data_stream::Trailer {
            stream_id: id,
            reason: text(cursor, names),
            attributes: attributes(cursor, names),
        }),
        _ => data_packet::Value::EncryptedPacket(EncryptedPacket {
            iv: cursor.bytes().to_vec(),
            key_index: u32::from(cursor.byte()),
            encrypted_value: cursor.bytes().to_vec(),
            ..EncryptedPacket::default()
        }),
    };
    let packet = DataPacket {
        participant_identity: identity(cursor, names),
        participant_sid: sid(cursor, names),
        destination_identities: vec![identity(cursor, names)],
        sequence: cursor.number() as u32,
        value: Some(value),
        ..DataPacket::default()
    };
    packet.encode_to_vec()
}

fn message(cursor: &mut Cursor<'_>, names: &Names) -> Message {
    match cursor.byte() % 26 {
        0 => Message::Join(JoinResponse {
            room: Some(room(cursor, names)),
            participant: Some(participant(cursor, names)),
            other_participants: participants(cursor, names),
            ice_servers: ice_servers(cursor, names),
            subscriber_primary: cursor.flag(),
            client_configuration: Some(configuration(cursor)),
            ping_timeout: cursor.number() as i32,
            ping_interval: cursor.number() as i32,
            fast_publish: cursor.flag(),
            ..JoinResponse::default()
        }),
        1 => Message::Answer(description("answer", cursor, names)),
        2 => Message::Offer(description("offer", cursor, names)),
        3 => Message::Trickle(TrickleRequest {
            candidate_init: match cursor.flag() {
                true => text(cursor, names),
                false => format!(
                    r#"{{"candidate":"candidate:{} {} {} {} {} {} typ {} {}"}}"#,
                    cursor.byte(),
                    cursor.byte() % 3,
                    cursor.choose(&["udp", "tcp", "tls"]),
                    cursor.number(),
                    cursor.choose(&["10.0.0.1", "127.0.0.1", "::1", "224.0.0.1", "fe80::1", "x.local"]),
                    cursor.number(),
                    cursor.choose(&["host", "srflx", "relay", "x"]),
                    cursor.choose(&["", "tcptype passive", "raddr 1.2.3.4 rport 5"]),
                ),
            },
            target: i32::from(cursor.byte() % 3),
            r#final: cursor.flag(),
        }),
        4 | 5 => Message::Update(ParticipantUpdate { participants: participants(cursor, names) }),
        6 => Message::TrackPublished(TrackPublishedResponse {
            cid: text(cursor, names),
            track: cursor.flag().then(|| track(cursor, names)),
        }),
        7 => Message::Leave(LeaveRequest {
            can_reconnect: cursor.flag(),
            reason: i32::from(cursor.byte() % 20),
            action: i32::from(cursor.byte() % 4),
            regions: cursor.flag().then(|| RegionSettings {
                regions: (0..cursor.byte() % 8)
                    .map(|number| RegionInfo {
                        region: format!("r{number}"),
                        url: text(cursor, names),
                        distance: cursor.number() as i64,
                    })
                    .collect(),
            }),
        }),
        8 => Message::Mute(MuteTrackRequest { sid: sid(cursor, names), muted: cursor.flag() }),
        9 => Message::SpeakersChanged(SpeakersChanged {
            speakers: (0..cursor.below(LIST_MAX))
                .map(|_| SpeakerInfo {
                    sid: sid(cursor, names),
                    level: f32::from_bits(cursor.number() as u32),
                    active: cursor.flag(),
                })
                .collect(),
        }),
        10 => Message::RoomUpdate(RoomUpdate { room: cursor.flag().then(|| room(cursor, names)) }),
        11 => Message::ConnectionQuality(ConnectionQualityUpdate {
            updates: (0..cursor.below(LIST_MAX))
                .map(|_| ConnectionQualityInfo {
                    participant_sid: sid(cursor, names),
                    quality: i32::from(cursor.byte()),
                    ..ConnectionQualityInfo::default()
                })
                .collect(),
        }),
        12 => Message::StreamStateUpdate(StreamStateUpdate {
            stream_states: (0..cursor.below(LIST_MAX))
                .map(|_| StreamStateInfo {
                    participant_sid: sid(cursor, names),
                    track_sid: sid(cursor, names),
                    state: i32::from(cursor.byte() % 3),
                })
                .collect(),
        }),
        13 => Message::SubscriptionPermissionUpdate(SubscriptionPermissionUpdate {
            participant_sid: sid(cursor, names),
            track_sid: sid(cursor, names),
            allowed: cursor.flag(),
        }),
        14 => Message::RefreshToken(text(cursor, names)),
        15 => Message::TrackUnpublished(TrackUnpublishedResponse { track_sid: sid(cursor, names) }),
        16 => Message::Pong(cursor.number() as i64),
        17 => Message::PongResp(Pong {
            last_ping_timestamp: cursor.number() as i64,
            timestamp: cursor.number() as i64,
        }),
        18 => Message::Reconnect(ReconnectResponse {
            ice_servers: ice_servers(cursor, names),
            client_configuration: Some(configuration(cursor)),
            last_message_seq: cursor.number() as u32,
            ..ReconnectResponse::default()
        }),
        19 => Message::SubscriptionResponse(SubscriptionResponse {
            track_sid: sid(cursor, names),
            err: i32::from(cursor.byte() % 4),
        }),
        20 => Message::RequestResponse(RequestResponse {
            request_id: cursor.number() as u32,
            reason: i32::from(cursor.byte() % 14),
            message: text(cursor, names),
            request: match cursor.byte() % 4 {
                0 => None,
                1 => Some(request_response::Request::AddTrack(AddTrackRequest {
                    cid: text(cursor, names),
                    ..AddTrackRequest::default()
                })),
                2 => Some(request_response::Request::Mute(MuteTrackRequest {
                    sid: sid(cursor, names),
                    muted: cursor.flag(),
                })),
                _ => Some(request_response::Request::Trickle(TrickleRequest::default())),
            },
        }),
        21 => Message::TrackSubscribed(TrackSubscribed { track_sid: sid(cursor, names) }),
        22 => Message::RoomMoved(RoomMovedResponse {
            room: Some(room(cursor, names)),
            token: text(cursor, names),
            participant: Some(participant(cursor, names)),
            other_participants: participants(cursor, names),
        }),
        23 => Message::MediaSectionsRequirement(MediaSectionsRequirement {
            num_audios: cursor.number() as u32,
            num_videos: cursor.number() as u32,
        }),
        24 => Message::SubscribedQualityUpdate(SubscribedQualityUpdate {
            track_sid: sid(cursor, names),
            ..SubscribedQualityUpdate::default()
        }),
        _ => Message::SubscribedAudioCodecUpdate(SubscribedAudioCodecUpdate {
            track_sid: sid(cursor, names),
            ..SubscribedAudioCodecUpdate::default()
        }),
    }
}

fn participants(cursor: &mut Cursor<'_>, names: &Names) -> Vec<ParticipantInfo> {
    let count = match cursor.byte() {
        few @ 0..=250 => usize::from(few % 5),
        _ => LIST_MAX,
    };
    (0..count).map(|_| participant(cursor, names)).collect()
}

fn participant(cursor: &mut Cursor<'_>, names: &Names) -> ParticipantInfo {
    ParticipantInfo {
        sid: sid(cursor, names),
        identity: identity(cursor, names),
        state: i32::from(cursor.byte() % 6),
        tracks: (0..cursor.byte() % 12).map(|_| track(cursor, names)).collect(),
        metadata: text(cursor, names),
        joined_at_ms: cursor.number() as i64,
        name: text(cursor, names),
        version: cursor.number() as u32,
        permission: cursor.flag().then(|| ParticipantPermission {
            can_subscribe: cursor.flag(),
            can_publish: cursor.flag(),
            can_publish_data: cursor.flag(),
            can_publish_sources: cursor.bytes().iter().map(|source| i32::from(*source)).collect(),
            hidden: cursor.flag(),
            ..ParticipantPermission::default()
        }),
        kind: i32::from(cursor.byte() % 9),
        attributes: attributes(cursor, names),
        disconnect_reason: i32::from(cursor.byte() % 20),
        ..ParticipantInfo::default()
    }
}

fn track(cursor: &mut Cursor<'_>, names: &Names) -> TrackInfo {
    TrackInfo {
        sid: sid(cursor, names),
        r#type: i32::from(cursor.byte() % 4),
        name: text(cursor, names),
        muted: cursor.flag(),
        source: i32::from(cursor.byte() % 6),
        mime_type: (*cursor.choose(&["audio/opus", "audio/red", "audio/PCMU", ""])).to_owned(),
        encryption: i32::from(cursor.byte() % 4),
        ..TrackInfo::default()
    }
}

fn room(cursor: &mut Cursor<'_>, names: &Names) -> Room {
    Room {
        sid: sid(cursor, names),
        name: text(cursor, names),
        metadata: text(cursor, names),
        num_participants: cursor.number() as u32,
        active_recording: cursor.flag(),
        ..Room::default()
    }
}

fn ice_servers(cursor: &mut Cursor<'_>, names: &Names) -> Vec<IceServer> {
    let urls = [
        "stun:10.0.0.9:3478",
        "turn:10.0.0.9:3478?transport=udp",
        "turns:x.example:443?transport=tcp",
        "turn:",
    ];
    (0..cursor.byte() % 6)
        .map(|_| IceServer {
            urls: vec![match cursor.flag() {
                true => (*cursor.choose(&urls)).to_owned(),
                false => text(cursor, names),
            }],
            username: text(cursor, names),
            credential: text(cursor, names),
        })
        .collect()
}

fn configuration(cursor: &mut Cursor<'_>) -> ClientConfiguration {
    ClientConfiguration {
        resume_connection: i32::from(cursor.byte() % 4),
        force_relay: i32::from(cursor.byte() % 4),
        ..ClientConfiguration::default()
    }
}

fn description(kind: &str, cursor: &mut Cursor<'_>, names: &Names) -> SessionDescription {
    let sdp = match cursor.byte() % 3 {
        0 => text(cursor, names),
        1 => sdp::description(cursor, &names.sdp),
        _ => sdp::hostile(cursor, kind),
    };
    let mid_to_track_id: HashMap<String, String> =
        (0..cursor.byte() % 4).map(|_| (text(cursor, names), sid(cursor, names))).collect();
    let kind = if cursor.byte() % 8 == 7 { text(cursor, names) } else { kind.to_owned() };
    SessionDescription { r#type: kind, sdp, id: cursor.number() as u32, mid_to_track_id }
}

fn attributes(cursor: &mut Cursor<'_>, names: &Names) -> HashMap<String, String> {
    (0..cursor.byte() % 6).map(|_| (text(cursor, names), text(cursor, names))).collect()
}

fn sid(cursor: &mut Cursor<'_>, names: &Names) -> String {
    match cursor.byte() {
        drawn @ 0..=199 if !names.sids.is_empty() => {
            names.sids[usize::from(drawn) % names.sids.len()].clone()
        }
        drawn @ 0..=249 => format!("{}{}", cursor.choose(&["PA_", "TR_", "RM_"]), drawn % 16),
        _ => text(cursor, names),
    }
}

fn identity(cursor: &mut Cursor<'_>, names: &Names) -> String {
    match cursor.byte() {
        drawn @ 0..=127 => names.identities[usize::from(drawn) % names.identities.len()].clone(),
        drawn @ 128..=249 => format!("guest {}", drawn % 32),
        _ => text(cursor, names),
    }
}

fn text(cursor: &mut Cursor<'_>, names: &Names) -> String {
    match cursor.byte() % 8 {
        0 | 1 => String::new(),
        2 => (*cursor.choose(&[
            "x",
            "lk.chat",
            "lk.rpc_request",
            "lk.agent.session",
            "lk.transcription",
            "door",
        ]))
        .to_owned(),
        3 => identity_of(cursor, names),
        // Long ones, at and past the limits.
        4 => "é".repeat(1 << (cursor.byte() % 15)),
        _ => cursor.text(),
    }
}

fn identity_of(cursor: &mut Cursor<'_>, names: &Names) -> String {
    let all = [&names.sids[..], &names.identities[..]].concat();
    if all.is_empty() { String::new() } else { cursor.choose(&all).clone() }
}
