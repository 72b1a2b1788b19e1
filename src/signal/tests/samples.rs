//! For tests: one message of each kind with every field filled, and a seeded source of numbers.

use crate::signal::wire::{self, signal_response::Message};

/// SplitMix64: enough to mutate and to choose, the same on each run.
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `bound` - 1.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

pub(in crate::signal) fn participant(number: u32) -> wire::ParticipantInfo {
    wire::ParticipantInfo {
        sid: format!("PA_{number}"),
        identity: format!("panel-{number}"),
        state: 2,
        tracks: vec![track(number * 10), wire::TrackInfo { r#type: 1, source: 1, ..track(number * 10 + 1) }],
        metadata: format!(r#"{{"floor":{number}}}"#),
        name: format!("Panel {number}"),
        version: 100 + number,
        permission: Some(wire::ParticipantPermission {
            can_subscribe: true,
            can_publish: true,
            can_publish_data: true,
            can_publish_sources: vec![2, 4],
        }),
        kind: 4,
        attributes: [("lang".into(), "de".into()), ("door".into(), "open".into())].into(),
        disconnect_reason: 7,
        joined_at_ms: 1_700_000_000_000 + i64::from(number),
    }
}

pub(in crate::signal) fn track(number: u32) -> wire::TrackInfo {
    wire::TrackInfo {
        sid: format!("TR_{number}"),
        r#type: 0,
        name: format!("mic {number}"),
        muted: true,
        source: 2,
        encryption: 1,
    }
}

pub(in crate::signal) fn room() -> wire::Room {
    wire::Room {
        sid: "RM_1".into(),
        name: "house".into(),
        metadata: "quiet".into(),
        num_participants: 3,
        active_recording: true,
    }
}

pub(in crate::signal) fn description(kind: &str) -> wire::SessionDescription {
    wire::SessionDescription {
        r#type: kind.into(),
        sdp: "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n".into(),
        id: 77,
        mid_to_track_id: [("0".into(), "TR_10".into()), ("1".into(), "TR_20".into())].into(),
    }
}

pub(in crate::signal) fn trickle() -> wire::TrickleRequest {
    wire::TrickleRequest {
        candidate_init:
            r#"{"candidate":"candidate:1 1 udp 2130706431 127.0.0.1 7882 typ host","sdpMid":"0"}"#.into(),
        target: 1,
        r#final: true,
    }
}

pub(in crate::signal) fn add_track() -> wire::AddTrackRequest {
    wire::AddTrackRequest {
        cid: "mic-1".into(),
        name: "microphone".into(),
        r#type: 0,
        muted: true,
        source: 2,
        disable_red: true,
        encryption: 1,
        audio_features: vec![1, 2, 3, 4],
    }
}

fn ice_servers() -> Vec<wire::IceServer> {
    vec![wire::IceServer {
        urls: vec!["turn:t.example:3478?transport=udp".into(), "turns:t.example:443?transport=tcp".into()],
        username: "user".into(),
        credential: "credential".into(),
    }]
}

fn configuration() -> wire::ClientConfiguration {
    wire::ClientConfiguration { resume_connection: 1, force_relay: 2 }
}

fn server() -> wire::ServerInfo {
    wire::ServerInfo {
        edition: 1,
        version: "1.13.5".into(),
        protocol: 17,
        region: "eu".into(),
        node_id: "ND_1".into(),
    }
}

/// One message of each kind that we read.
pub(in crate::signal) fn responses() -> Vec<Message> {
    vec![
        Message::Join(wire::JoinResponse {
            room: Some(room()),
            participant: Some(participant(1)),
            other_participants: vec![participant(2), participant(3)],
            server_version: "1.13.4".into(),
            ice_servers: ice_servers(),
            subscriber_primary: true,
            client_configuration: Some(configuration()),
            server_region: "us".into(),
            ping_timeout: 15,
            ping_interval: 5,
            server_info: Some(server()),
            fast_publish: true,
        }),
        Message::Reconnect(wire::ReconnectResponse {
            ice_servers: ice_servers(),
            client_configuration: Some(configuration()),
            server_info: Some(server()),
            last_message_seq: 12,
        }),
        Message::Answer(description("answer")),
        Message::Offer(description("offer")),
        Message::Trickle(trickle()),
        Message::Update(wire::ParticipantUpdate { participants: vec![participant(4), participant(5)] }),
        Message::TrackPublished(wire::TrackPublishedResponse { cid: "mic-1".into(), track: Some(track(6)) }),
        Message::Leave(wire::LeaveRequest {
            can_reconnect: true,
            reason: 4,
            action: 1,
            regions: Some(wire::RegionSettings {
                regions: vec![wire::RegionInfo {
                    region: "eu".into(),
                    url: "wss://eu.livekit.cloud".into(),
                    distance: 12,
                }],
            }),
        }),
        Message::Mute(wire::MuteTrackRequest { sid: "TR_6".into(), muted: true }),
        Message::SpeakersChanged(wire::SpeakersChanged {
            speakers: vec![wire::SpeakerInfo { sid: "PA_2".into(), level: 0.375, active: true }],
        }),
        Message::RoomUpdate(wire::RoomUpdate { room: Some(room()) }),
        Message::ConnectionQuality(wire::ConnectionQualityUpdate {
            updates: vec![wire::ConnectionQualityInfo {
                participant_sid: "PA_2".into(),
                quality: 2,
                score: 4.25,
            }],
        }),
        Message::StreamStateUpdate(wire::StreamStateUpdate {
            stream_states: vec![wire::StreamStateInfo {
                participant_sid: "PA_2".into(),
                track_sid: "TR_20".into(),
                state: 1,
            }],
        }),
        Message::SubscriptionPermissionUpdate(wire::SubscriptionPermissionUpdate {
            participant_sid: "PA_3".into(),
            track_sid: "TR_30".into(),
            allowed: true,
        }),
        Message::RefreshToken("header.claims.signature".into()),
        Message::TrackUnpublished(wire::TrackUnpublishedResponse { track_sid: "TR_6".into() }),
        Message::PongResp(wire::Pong { last_ping_timestamp: 5000, timestamp: 1_700_000_000_123 }),
        Message::SubscriptionResponse(wire::SubscriptionResponse { track_sid: "TR_21".into(), err: 2 }),
        Message::RequestResponse(wire::RequestResponse {
            request_id: 3,
            reason: 2,
            message: "no".into(),
            request: Some(wire::request_response::Request::AddTrack(add_track())),
        }),
        Message::RequestResponse(wire::RequestResponse {
            request_id: 4,
            reason: 1,
            message: "no track".into(),
            request: Some(wire::request_response::Request::Mute(wire::MuteTrackRequest {
                sid: "TR_7".into(),
                muted: true,
            })),
        }),
        Message::RequestResponse(wire::RequestResponse {
            request_id: 5,
            reason: 6,
            message: "no candidate".into(),
            request: Some(wire::request_response::Request::Trickle(trickle())),
        }),
        Message::TrackSubscribed(wire::TrackSubscribed { track_sid: "TR_6".into() }),
        Message::RoomMoved(wire::RoomMovedResponse {
            room: Some(room()),
            token: "another.token.signature".into(),
            participant: Some(participant(1)),
            other_participants: vec![participant(8)],
        }),
    ]
}
