//! A message to the server: a [`Request`] and its bytes.

use std::collections::BTreeMap;

use prost::Message;

use super::description::Trickle;
use super::leave::DisconnectReason;
use super::scenario::Scenario;
use super::sid::Sid;
use super::wire;

/// A message to the server (`SignalRequest`).
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Offer for the publisher.
    Offer {
        /// The session description, as SDP.
        sdp: String,
        /// Our number of the exchange, from 1, growing: the answer repeats it.
        id: u32,
    },
    /// Answer to the server's offer for the subscriber.
    Answer {
        /// The session description, as SDP.
        sdp: String,
        /// The offer's number.
        id: u32,
    },
    /// A candidate of ours. The server accepts the bare attribute only, `candidate:…`: with any other form it ends the
    /// session.
    Trickle(Trickle),
    /// Announces a track, before the offer that carries it.
    AddTrack(AddTrack),
    /// Reports that our track is muted or not; we stop the packets ourselves.
    Mute {
        /// SID of our track.
        sid: Sid,
        /// Whether it is muted.
        muted: bool,
    },
    /// Subscribes to tracks, or unsubscribes.
    Subscription {
        /// SIDs of the remote tracks.
        sids: Vec<Sid>,
        /// Whether we want them.
        subscribe: bool,
    },
    /// Pauses tracks that we hear, or continues them: the server forwards no packet of a paused one.
    TrackSettings {
        /// SIDs of the remote tracks.
        sids: Vec<Sid>,
        /// Whether they are paused.
        paused: bool,
    },
    /// Sets who may hear us; before the first request everybody may.
    SubscriptionPermission(Audience),
    /// Changes what others see of us; `RequestResponse` with this number answers it.
    UpdateMetadata {
        /// The fields that change.
        change: ProfileChange,
        /// Our number of the request, not 0.
        request_id: u32,
    },
    /// We leave. Without it the server waits some 20 s for us to come back.
    Leave,
    /// What we have of a resumed session.
    SyncState(Box<SyncState>),
    /// Lets the server play a fault on us; for tests.
    Simulate(Scenario),
    /// Keeps the connection alive and measures it.
    Ping {
        /// Our clock, any epoch: the pong repeats it.
        timestamp_ms: u64,
        /// The last round trip, 0 before the first.
        rtt_ms: u32,
    },
}

/// The client's state of a session that is resumed (`SyncState`): a server with a different state requests a new
/// session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SyncState {
    /// The server's last offer for the subscriber; empty before the first.
    pub offer: String,
    /// Our answer to it.
    pub answer: String,
    /// Remote tracks that we hear.
    pub subscribed: Vec<Sid>,
    /// Those of them that are paused.
    pub paused: Vec<Sid>,
    /// Our tracks, as far as they are published.
    pub published: Vec<PublishedTrack>,
    /// Sender and number of the last reliable data packet that we have of each.
    pub received: Vec<(Sid, u32)>,
}

/// Participants that may hear us (`SubscriptionPermission`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Audience {
    /// Every participant may hear us.
    #[default]
    Everybody,
    /// Only these identities.
    Only(Vec<String>),
}

/// What changes of what others see of us (`UpdateParticipantMetadata`). The server takes an empty name or
/// metadata for one that stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProfileChange {
    /// The new display name.
    pub name: Option<String>,
    /// The new metadata, any text.
    pub metadata: Option<String>,
    /// Attributes that are set; an empty value removes one.
    pub attributes: BTreeMap<String, String>,
}

/// A track that is published, as the server named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedTrack {
    /// Our name of the track.
    pub cid: String,
    /// The server's SID of the track.
    pub sid: Sid,
    /// What people see.
    pub name: String,
    /// Whether it is muted.
    pub muted: bool,
}

/// A track of sound to publish (`AddTrackRequest`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddTrack {
    /// Our name of the track: the second token of the m-line's `a=msid`.
    pub cid: String,
    /// What people see, at most `NAME_BYTES_MAX` bytes.
    pub name: String,
    /// Whether the track begins muted.
    pub muted: bool,
    /// Silence is sent too: the encoder has no DTX.
    pub no_dtx: bool,
    /// RED shall not be used even if both sides know it.
    pub no_red: bool,
    /// The speech has gone through gain control.
    pub auto_gain_control: bool,
    /// The speech has gone through echo cancellation.
    pub echo_cancellation: bool,
    /// The speech has gone through noise suppression.
    pub noise_suppression: bool,
    /// Sound from before the first subscriber is sent to agents as a stream of bytes.
    pub preconnect_buffer: bool,
}

impl Request {
    /// The bytes of one binary WebSocket message.
    pub fn encode(&self) -> Vec<u8> {
        wire::SignalRequest { message: Some(self.to_wire()) }.encode_to_vec()
    }

    fn to_wire(&self) -> wire::signal_request::Message {
        use wire::signal_request::Message;
        match self {
            Request::Offer { sdp, id } => Message::Offer(description("offer", sdp, *id)),
            Request::Answer { sdp, id } => Message::Answer(description("answer", sdp, *id)),
            Request::Trickle(trickle) => Message::Trickle(trickle.to_wire()),
            Request::AddTrack(track) => Message::AddTrack(track.to_wire()),
            Request::Mute { sid, muted } => {
                Message::Mute(wire::MuteTrackRequest { sid: sid.to_string(), muted: *muted })
            }
            Request::Subscription { sids, subscribe } => Message::Subscription(wire::UpdateSubscription {
                track_sids: sids.iter().map(Sid::to_string).collect(),
                subscribe: *subscribe,
            }),
            Request::TrackSettings { sids, paused } => Message::TrackSetting(wire::UpdateTrackSettings {
                track_sids: sids.iter().map(Sid::to_string).collect(),
                disabled: *paused,
            }),
            Request::SubscriptionPermission(audience) => Message::SubscriptionPermission(audience.to_wire()),
            Request::UpdateMetadata { change, request_id } => {
                Message::UpdateMetadata(wire::UpdateParticipantMetadata {
                    metadata: change.metadata.clone().unwrap_or_default(),
                    name: change.name.clone().unwrap_or_default(),
                    attributes: change.attributes.clone().into_iter().collect(),
                    request_id: *request_id,
                })
            }
            Request::Leave => Message::Leave(wire::LeaveRequest {
                regions: None,
                can_reconnect: false,
                reason: DisconnectReason::ClientInitiated.to_wire() as i32,
                action: wire::leave_request::Action::Disconnect as i32,
            }),
            Request::SyncState(state) => Message::SyncState(state.to_wire()),
            Request::Simulate(scenario) => Message::Simulate(scenario.to_wire()),
            Request::Ping { timestamp_ms, rtt_ms } => Message::PingReq(wire::Ping {
                timestamp: i64::try_from(*timestamp_ms).unwrap_or(i64::MAX),
                rtt: i64::from(*rtt_ms),
            }),
        }
    }
}

impl SyncState {
    fn to_wire(&self) -> wire::SyncState {
        let described = |kind, sdp: &str| (!sdp.is_empty()).then(|| description(kind, sdp, 0));
        wire::SyncState {
            answer: described("answer", &self.answer),
            offer: described("offer", &self.offer),
            subscription: Some(wire::UpdateSubscription {
                track_sids: self.subscribed.iter().map(Sid::to_string).collect(),
                // With `auto_subscribe=0` those that are subscribed are listed.
                subscribe: true,
            }),
            publish_tracks: self.published.iter().map(PublishedTrack::to_wire).collect(),
            track_sids_disabled: self.paused.iter().map(Sid::to_string).collect(),
            datachannel_receive_states: self.received.iter().map(received_to_wire).collect(),
        }
    }
}

impl Audience {
    fn to_wire(&self) -> wire::SubscriptionPermission {
        let permission = |identity: &String| wire::TrackPermission {
            all_tracks: true,
            participant_identity: identity.clone(),
        };
        match self {
            Audience::Everybody => {
                wire::SubscriptionPermission { all_participants: true, ..Default::default() }
            }
            Audience::Only(identities) => wire::SubscriptionPermission {
                all_participants: false,
                track_permissions: identities.iter().map(permission).collect(),
            },
        }
    }
}

impl PublishedTrack {
    fn to_wire(&self) -> wire::TrackPublishedResponse {
        let track = wire::TrackInfo {
            sid: self.sid.to_string(),
            r#type: wire::TrackType::Audio as i32,
            name: self.name.clone(),
            muted: self.muted,
            source: wire::TrackSource::Microphone as i32,
            encryption: wire::encryption::Type::None as i32,
        };
        wire::TrackPublishedResponse { cid: self.cid.clone(), track: Some(track) }
    }
}

impl AddTrack {
    fn to_wire(&self) -> wire::AddTrackRequest {
        use wire::AudioTrackFeature as Feature;
        let features = [
            (self.no_dtx, Feature::TfNoDtx),
            (self.auto_gain_control, Feature::TfAutoGainControl),
            (self.echo_cancellation, Feature::TfEchoCancellation),
            (self.noise_suppression, Feature::TfNoiseSuppression),
            (self.preconnect_buffer, Feature::TfPreconnectBuffer),
        ];
        wire::AddTrackRequest {
            cid: self.cid.clone(),
            name: self.name.clone(),
            r#type: wire::TrackType::Audio as i32,
            muted: self.muted,
            source: wire::TrackSource::Microphone as i32,
            disable_red: self.no_red,
            encryption: wire::encryption::Type::None as i32,
            audio_features: features.iter().filter(|(is_on, _)| *is_on).map(|(_, f)| *f as i32).collect(),
        }
    }
}

fn received_to_wire(&(publisher, last_seq): &(Sid, u32)) -> wire::DataChannelReceiveState {
    wire::DataChannelReceiveState { publisher_sid: publisher.to_string(), last_seq }
}

fn description(kind: &str, sdp: &str, id: u32) -> wire::SessionDescription {
    wire::SessionDescription { r#type: kind.into(), sdp: sdp.into(), id, ..Default::default() }
}
