//! Our messages and the official Rust types, on each other's bytes, both ways.
//!
//! Official bytes decoded by us must hold every field that we name; ours decoded officially must hold
//! the same. Each field has a value of its own, so that two exchanged numbers are seen.

use livekit_protocol as official;
use livekit_protocol::simulate_scenario::Scenario as Simulated;
use prost::Message;

use super::samples;
use crate::signal::description::{Target, Trickle};
use crate::signal::request::{AddTrack, Audience, ProfileChange, PublishedTrack, Request, SyncState};
use crate::signal::response::{Decoded, Response};
use crate::signal::scenario::Scenario;
use crate::signal::sid::Sid;
use crate::signal::wire;

#[test]
fn responses_pass_through_the_official_types() {
    for message in samples::responses().into_iter().chain(one_flag_each()) {
        let ours = wire::SignalResponse { message: Some(message) };
        let theirs = official::SignalResponse::decode(&*ours.encode_to_vec()).unwrap();
        assert_eq!(wire::SignalResponse::decode(&*theirs.encode_to_vec()).unwrap(), ours);

        // Every field of ours exists there under the same name with the same value.
        let mut their_lines: Vec<_> = lines(&theirs);
        for line in lines(&ours) {
            let place = their_lines.iter().position(|theirs| *theirs == line);
            assert!(place.is_some(), "{line} is not in {theirs:#?}");
            place.map(|place| their_lines.swap_remove(place));
        }
    }
}

/// One `name: value` a line. Their order and further fields of theirs do not matter.
fn lines(message: &impl std::fmt::Debug) -> Vec<String> {
    format!("{message:#?}").lines().map(|line| line.trim().to_owned()).collect()
}

/// The samples have every flag set; two that are exchanged are seen only one by one.
fn one_flag_each() -> Vec<wire::signal_response::Message> {
    use wire::signal_response::Message;
    let mut messages = Vec::new();
    for flag in 0..3 {
        let permission = Some(wire::ParticipantPermission {
            can_subscribe: flag == 0,
            can_publish: flag == 1,
            can_publish_data: flag == 2,
            ..Default::default()
        });
        let participants = vec![wire::ParticipantInfo { permission, ..samples::participant(1) }];
        messages.push(Message::Update(wire::ParticipantUpdate { participants }));
        messages.push(Message::Join(wire::JoinResponse {
            subscriber_primary: flag == 0,
            fast_publish: flag == 1,
            ..Default::default()
        }));
    }
    messages
}

#[test]
fn every_kind_of_response_is_sampled() {
    let mut numbers: Vec<u32> = samples::responses()
        .into_iter()
        .map(|message| {
            let bytes = wire::SignalResponse { message: Some(message) }.encode_to_vec();
            prost::encoding::decode_key(&mut &*bytes).unwrap().0
        })
        .collect();
    numbers.dedup();
    numbers.sort();
    numbers.dedup();
    let expected = [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 15, 16, 17, 19, 20, 21, 22, 23, 24];
    assert_eq!(numbers, expected);
}

#[test]
fn official_names_are_ours() {
    let participant = samples::participant(3);
    let room = samples::room();
    let theirs = official::SignalResponse {
        message: Some(official::signal_response::Message::Join(official::JoinResponse {
            room: Some(official::Room {
                sid: room.sid.clone(),
                name: room.name.clone(),
                metadata: room.metadata.clone(),
                num_participants: room.num_participants,
                active_recording: room.active_recording,
                empty_timeout: 300,
                turn_password: "unused".into(),
                ..Default::default()
            }),
            participant: Some(official_participant(&participant)),
            other_participants: vec![official_participant(&samples::participant(4))],
            ice_servers: vec![official::IceServer {
                urls: vec!["turn:t".into()],
                username: "u".into(),
                credential: "c".into(),
            }],
            subscriber_primary: true,
            client_configuration: Some(official::ClientConfiguration {
                resume_connection: official::ClientConfigSetting::Disabled as i32,
                force_relay: official::ClientConfigSetting::Enabled as i32,
                ..Default::default()
            }),
            ping_timeout: 16,
            ping_interval: 6,
            server_info: Some(official::ServerInfo {
                edition: official::server_info::Edition::Cloud as i32,
                version: "1.13.5".into(),
                protocol: 17,
                region: "eu".into(),
                node_id: "ND_1".into(),
                debug_info: "unused".into(),
                agent_protocol: 9,
            }),
            sif_trailer: vec![1, 2, 3],
            fast_publish: true,
            ..Default::default()
        })),
    };
    let Decoded { response: Response::Join(join), truncated } =
        crate::signal::response::decode(&theirs.encode_to_vec()).unwrap()
    else {
        panic!("not a join")
    };
    assert!(truncated.is_empty());
    assert_eq!((join.room.name.as_str(), join.room.participants, join.room.recording), ("house", 3, true));
    assert_eq!((join.ping_interval.as_secs(), join.ping_timeout.as_secs()), (6, 16));
    assert!(join.subscriber_primary && join.fast_publish);
    assert!(join.configuration.resume_disabled && join.configuration.relay_only && join.server.is_cloud);
    assert_eq!((join.server.version.as_str(), join.server.protocol), ("1.13.5", 17));
    assert_eq!((join.ice_servers[0].username.as_str(), join.ice_servers[0].credential.reveal()), ("u", "c"));
    let own = &join.participant;
    assert_eq!((own.sid.as_str(), own.identity.as_str(), own.version), ("PA_3", "panel-3", 103));
    assert_eq!((own.joined_at_ms, own.tracks.len()), (1_700_000_000_003, 2));
    assert!(own.tracks[0].encrypted && own.tracks[0].muted);
    assert_eq!(own.tracks[1].kind, crate::event::TrackKind::Video);
    assert_eq!(join.other_participants[0].attributes["lang"], "de");
}

fn official_participant(info: &wire::ParticipantInfo) -> official::ParticipantInfo {
    let permission = info.permission.clone().unwrap_or_default();
    official::ParticipantInfo {
        sid: info.sid.clone(),
        identity: info.identity.clone(),
        state: info.state,
        tracks: info
            .tracks
            .iter()
            .map(|track| official::TrackInfo {
                sid: track.sid.clone(),
                r#type: track.r#type,
                name: track.name.clone(),
                muted: track.muted,
                source: track.source,
                encryption: track.encryption,
                mime_type: "audio/opus".into(),
                ..Default::default()
            })
            .collect(),
        metadata: info.metadata.clone(),
        name: info.name.clone(),
        version: info.version,
        permission: Some(official::ParticipantPermission {
            can_subscribe: permission.can_subscribe,
            can_publish: permission.can_publish,
            can_publish_data: permission.can_publish_data,
            can_publish_sources: permission.can_publish_sources,
            hidden: true,
            ..Default::default()
        }),
        kind: info.kind,
        attributes: info.attributes.clone(),
        disconnect_reason: info.disconnect_reason,
        joined_at_ms: info.joined_at_ms,
        joined_at: 1,
        ..Default::default()
    }
}

#[test]
fn our_requests_are_read_officially() {
    use official::signal_request::Message as M;
    let sid = |text| Sid::new(text).unwrap();
    let candidate = "candidate:1 1 udp 1 127.0.0.1 9 typ host";
    let requests = [
        (
            Request::Offer { sdp: "v=0".into(), id: 3 },
            M::Offer(official::SessionDescription {
                r#type: "offer".into(),
                sdp: "v=0".into(),
                id: 3,
                ..Default::default()
            }),
        ),
        (
            Request::Answer { sdp: "v=1".into(), id: 4 },
            M::Answer(official::SessionDescription {
                r#type: "answer".into(),
                sdp: "v=1".into(),
                id: 4,
                ..Default::default()
            }),
        ),
        (
            Request::Trickle(Trickle {
                candidate: candidate.into(),
                target: Target::Subscriber,
                is_final: false,
            }),
            M::Trickle(official::TrickleRequest {
                candidate_init: format!(
                    r#"{{"candidate":"{candidate}","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":null}}"#
                ),
                target: official::SignalTarget::Subscriber as i32,
                r#final: false,
            }),
        ),
        (
            Request::AddTrack(AddTrack {
                cid: "c".into(),
                name: "n".into(),
                muted: true,
                no_dtx: true,
                no_red: true,
                auto_gain_control: false,
                echo_cancellation: true,
                noise_suppression: true,
                preconnect_buffer: true,
            }),
            M::AddTrack(official::AddTrackRequest {
                cid: "c".into(),
                name: "n".into(),
                r#type: official::TrackType::Audio as i32,
                muted: true,
                source: official::TrackSource::Microphone as i32,
                disable_red: true,
                audio_features: vec![
                    official::AudioTrackFeature::TfNoDtx as i32,
                    official::AudioTrackFeature::TfEchoCancellation as i32,
                    official::AudioTrackFeature::TfNoiseSuppression as i32,
                    official::AudioTrackFeature::TfPreconnectBuffer as i32,
                ],
                ..Default::default()
            }),
        ),
        (
            Request::Mute { sid: sid("TR_1"), muted: true },
            M::Mute(official::MuteTrackRequest { sid: "TR_1".into(), muted: true }),
        ),
        (
            Request::Subscription { sids: vec![sid("TR_1"), sid("TR_2")], subscribe: true },
            M::Subscription(official::UpdateSubscription {
                track_sids: vec!["TR_1".into(), "TR_2".into()],
                subscribe: true,
                ..Default::default()
            }),
        ),
        (
            Request::SyncState(Box::new(SyncState {
                offer: "v=2".into(),
                answer: "v=3".into(),
                subscribed: vec![sid("TR_7"), sid("TR_8")],
                paused: vec![sid("TR_8")],
                published: vec![PublishedTrack {
                    cid: "c".into(),
                    sid: sid("TR_9"),
                    name: "microphone".into(),
                    muted: true,
                }],
                received: vec![(sid("PA_5"), 6)],
            })),
            M::SyncState(official::SyncState {
                offer: Some(official::SessionDescription {
                    r#type: "offer".into(),
                    sdp: "v=2".into(),
                    ..Default::default()
                }),
                answer: Some(official::SessionDescription {
                    r#type: "answer".into(),
                    sdp: "v=3".into(),
                    ..Default::default()
                }),
                subscription: Some(official::UpdateSubscription {
                    track_sids: vec!["TR_7".into(), "TR_8".into()],
                    subscribe: true,
                    ..Default::default()
                }),
                publish_tracks: vec![official::TrackPublishedResponse {
                    cid: "c".into(),
                    track: Some(official::TrackInfo {
                        sid: "TR_9".into(),
                        name: "microphone".into(),
                        muted: true,
                        source: official::TrackSource::Microphone as i32,
                        ..Default::default()
                    }),
                }],
                track_sids_disabled: vec!["TR_8".into()],
                datachannel_receive_states: vec![official::DataChannelReceiveState {
                    publisher_sid: "PA_5".into(),
                    last_seq: 6,
                }],
                ..Default::default()
            }),
        ),
        (
            Request::TrackSettings { sids: vec![sid("TR_1")], paused: true },
            M::TrackSetting(official::UpdateTrackSettings {
                track_sids: vec!["TR_1".into()],
                disabled: true,
                ..Default::default()
            }),
        ),
        (
            Request::SubscriptionPermission(Audience::Only(vec!["hall".into()])),
            M::SubscriptionPermission(official::SubscriptionPermission {
                all_participants: false,
                track_permissions: vec![official::TrackPermission {
                    participant_identity: "hall".into(),
                    all_tracks: true,
                    ..Default::default()
                }],
            }),
        ),
        (
            Request::SubscriptionPermission(Audience::Everybody),
            M::SubscriptionPermission(official::SubscriptionPermission {
                all_participants: true,
                track_permissions: vec![],
            }),
        ),
        (
            Request::UpdateMetadata {
                change: ProfileChange {
                    name: Some("Door".into()),
                    metadata: Some("{}".into()),
                    attributes: [("floor".to_owned(), "2".to_owned())].into(),
                },
                request_id: 5,
            },
            M::UpdateMetadata(official::UpdateParticipantMetadata {
                name: "Door".into(),
                metadata: "{}".into(),
                attributes: [("floor".to_owned(), "2".to_owned())].into(),
                request_id: 5,
            }),
        ),
        (
            Request::Leave,
            M::Leave(official::LeaveRequest {
                reason: official::DisconnectReason::ClientInitiated as i32,
                action: official::leave_request::Action::Disconnect as i32,
                ..Default::default()
            }),
        ),
        (
            Request::Simulate(Scenario::SwitchCandidateProtocolToTcp),
            simulated(Simulated::SwitchCandidateProtocol(official::CandidateProtocol::Tcp as i32)),
        ),
        (
            Request::Simulate(Scenario::LeaveRequestFullReconnect),
            simulated(Simulated::LeaveRequestFullReconnect(true)),
        ),
        (
            Request::Ping { timestamp_ms: 5000, rtt_ms: 12 },
            M::PingReq(official::Ping { timestamp: 5000, rtt: 12 }),
        ),
    ];
    for (request, expected) in requests {
        let read = official::SignalRequest::decode(&*request.encode()).unwrap();
        assert_eq!(read.message, Some(expected), "{request:?}");
    }
}

fn simulated(scenario: Simulated) -> official::signal_request::Message {
    official::signal_request::Message::Simulate(official::SimulateScenario { scenario: Some(scenario) })
}

#[test]
fn messages_that_we_do_not_know_are_ignored() {
    use official::signal_response::Message as M;
    for message in [
        M::Pong(1),
        M::SubscribedQualityUpdate(Default::default()),
        M::MediaSectionsRequirement(official::MediaSectionsRequirement { num_audios: 2, num_videos: 1 }),
        M::SubscribedAudioCodecUpdate(Default::default()),
    ] {
        let bytes = official::SignalResponse { message: Some(message) }.encode_to_vec();
        assert_eq!(crate::signal::response::decode(&bytes).unwrap().response, Response::Ignored);
    }
    assert_eq!(crate::signal::response::decode(&[]).unwrap().response, Response::Ignored);
}
