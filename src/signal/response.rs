//! A message of the server, decoded ([`decode`]) into a [`Response`] of bounded size.
//!
//! Items past a limit are left out and counted ([`Truncated`]); the rest of the message is used. A message that cannot
//! be used at all is an error with its reason; the session may continue after it.

use std::fmt;

use prost::Message;

use super::description::{Description, Trickle};
use super::join::{Join, Reconnect, RoomInfo, RoomMoved};
use super::leave::{DisconnectReason, LeaveAction};
use super::participant::{ParticipantInfo, TrackInfo};
use super::regions::Regions;
pub use super::request_response::{RequestAbout, RequestReason, SubscriptionError};
use super::secret::Secret;
use super::sid::Sid;
use super::text::one_line;
use super::token::can_be_sent;
use super::truncated::Truncated;
use super::{limit, wire};
use crate::event::Quality;
use crate::limits::{MESSAGE_BYTES_MAX, SERVER_TEXT_BYTES_MAX};

/// A message and what was left out of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The decoded message.
    pub response: Response,
    /// What was left out because it was past a limit.
    pub truncated: Truncated,
}

/// A message of the server (`SignalResponse`).
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// A new session.
    Join(Box<Join>),
    /// A resumed session.
    Reconnect(Box<Reconnect>),
    /// Answer to our publisher offer.
    Answer(Description),
    /// Offer for the subscriber.
    Offer(Description),
    /// A candidate of the server.
    Trickle(Trickle),
    /// Participants that changed.
    Update(Vec<ParticipantInfo>),
    /// Our `AddTrack` was accepted.
    TrackPublished {
        /// What we called the track.
        cid: String,
        /// What the server calls it, and knows of it.
        track: TrackInfo,
    },
    /// The server ended our track.
    TrackUnpublished {
        /// SID of our track.
        sid: Sid,
    },
    /// The session ends, or has to be mended.
    Leave {
        /// Why the server ends or interrupts the session.
        reason: DisconnectReason,
        /// The requested action.
        action: LeaveAction,
        /// Other regions that serve the room; empty if the server names none.
        regions: Regions,
    },
    /// A moderator mutes or unmutes our track.
    Mute {
        /// SID of our track.
        sid: Sid,
        /// Whether it shall be muted.
        muted: bool,
    },
    /// Those whose speaking changed: a delta.
    Speakers(Vec<SpeakerInfo>),
    /// The room changed.
    Room(RoomInfo),
    /// Connections whose quality changed.
    Quality(Vec<QualityInfo>),
    /// The token for the next connection.
    RefreshToken(Secret),
    /// Answer to a ping.
    Pong {
        /// Our ping's own timestamp.
        last_ping_timestamp_ms: u64,
        /// The server's clock, in milliseconds since 1970.
        timestamp_ms: i64,
    },
    /// A subscription that we asked for failed.
    Subscription {
        /// SID of the remote track.
        track_sid: Sid,
        /// Why the subscription failed.
        error: SubscriptionError,
    },
    /// Answer to a request other than the ones above; often a refusal.
    Request {
        /// Our number of the request; 0 for requests that have none.
        request_id: u32,
        /// The request that is answered.
        about: RequestAbout,
        /// Result of the request.
        reason: RequestReason,
        /// The server's words, one line; may be empty.
        message: String,
    },
    /// A participant has subscribed to our track.
    TrackSubscribed {
        /// SID of our track.
        sid: Sid,
    },
    /// A publisher allows or forbids us its track.
    SubscriptionPermission {
        /// SID of the publisher.
        participant_sid: Sid,
        /// SID of the remote track.
        track_sid: Sid,
        /// Whether we may hear it.
        allowed: bool,
    },
    /// The server pauses or continues tracks towards us, for lack of bandwidth.
    StreamState(Vec<StreamState>),
    /// We are in another room now.
    RoomMoved(Box<RoomMoved>),
    /// A message without meaning for an audio-only client: video, data tracks, an end-of-candidates mark, or something
    /// newer than this program.
    Ignored,
}

/// Why a message is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// Longer than [`MESSAGE_BYTES_MAX`].
    Oversized {
        /// Length of the message.
        bytes: usize,
    },
    /// Not a protobuf message of this shape.
    Malformed,
    /// A field without which the message means nothing is missing, unusable or past its limit.
    Lacking {
        /// `message.field`, in the protocol's names.
        field: &'static str,
    },
}

/// Whether a participant speaks, and how loud.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpeakerInfo {
    /// SID of the participant.
    pub sid: Sid,
    /// 0 to 1, linear.
    pub level: f32,
    /// Whether it speaks.
    pub active: bool,
}

/// Quality of a participant's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QualityInfo {
    /// SID of the participant.
    pub sid: Sid,
    /// The server's opinion.
    pub quality: Quality,
}

/// Whether the server forwards a track to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamState {
    /// SID of the publisher.
    pub participant_sid: Sid,
    /// SID of the remote track.
    pub track_sid: Sid,
    /// Whether the server forwards nothing of it for now.
    pub paused: bool,
}

/// Decodes one binary WebSocket message.
pub fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(DecodeError::Oversized { bytes: bytes.len() });
    }
    let mut truncated = Truncated::default();
    let within_limits = limit::limit(bytes, &mut truncated).ok_or(DecodeError::Malformed)?;
    let wire = wire::SignalResponse::decode(&*within_limits).map_err(|_| DecodeError::Malformed)?;
    let response = match wire.message {
        Some(message) => from_wire(message, &mut truncated)?,
        None => Response::Ignored,
    };
    Ok(Decoded { response, truncated })
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Oversized { bytes } => {
                write!(f, "a message of {bytes} bytes is longer than {MESSAGE_BYTES_MAX}")
            }
            DecodeError::Malformed => f.write_str("a message is not of LiveKit's signal protocol"),
            DecodeError::Lacking { field } => write!(f, "a message has no usable {field}"),
        }
    }
}

impl std::error::Error for DecodeError {}

fn from_wire(
    message: wire::signal_response::Message,
    truncated: &mut Truncated,
) -> Result<Response, DecodeError> {
    use wire::signal_response::Message;
    Ok(match message {
        Message::Join(join) => {
            Response::Join(Box::new(Join::from_wire(join, truncated).ok_or(lacking("join.participant"))?))
        }
        Message::Reconnect(reconnect) => Response::Reconnect(Box::new(Reconnect::from_wire(reconnect))),
        Message::Answer(answer) => {
            Response::Answer(Description::from_wire(answer).ok_or(lacking("answer.sdp"))?)
        }
        Message::Offer(offer) => Response::Offer(Description::from_wire(offer).ok_or(lacking("offer.sdp"))?),
        Message::Trickle(trickle) => {
            Trickle::from_wire(&trickle).map_or(Response::Ignored, Response::Trickle)
        }
        Message::Update(update) => {
            Response::Update(ParticipantInfo::list_from_wire(update.participants, truncated))
        }
        Message::TrackPublished(published) => Response::TrackPublished {
            cid: published.cid,
            track: published.track.and_then(TrackInfo::from_wire).ok_or(lacking("track_published.track"))?,
        },
        Message::TrackUnpublished(unpublished) => {
            Response::TrackUnpublished { sid: sid(&unpublished.track_sid, "track_unpublished.track_sid")? }
        }
        Message::Leave(leave) => Response::Leave {
            reason: DisconnectReason::from_wire(leave.reason),
            action: LeaveAction::from_wire(leave.action, leave.can_reconnect),
            regions: leave.regions.map(Regions::from_wire).unwrap_or_default(),
        },
        Message::Mute(mute) => Response::Mute { sid: sid(&mute.sid, "mute.sid")?, muted: mute.muted },
        Message::SpeakersChanged(changed) => {
            Response::Speakers(changed.speakers.iter().filter_map(SpeakerInfo::from_wire).collect())
        }
        Message::RoomUpdate(update) => {
            Response::Room(RoomInfo::from_wire(update.room.ok_or(lacking("room_update.room"))?))
        }
        Message::ConnectionQuality(quality) => {
            Response::Quality(quality.updates.iter().filter_map(QualityInfo::from_wire).collect())
        }
        Message::RefreshToken(token) if !can_be_sent(&token) => return Err(lacking("refresh_token")),
        Message::RefreshToken(token) => Response::RefreshToken(Secret::new(token)),
        Message::PongResp(pong) => Response::Pong {
            // Our timestamps are never negative; a negative one answers no ping of ours.
            last_ping_timestamp_ms: u64::try_from(pong.last_ping_timestamp).unwrap_or(0),
            timestamp_ms: pong.timestamp,
        },
        Message::SubscriptionResponse(response) => Response::Subscription {
            track_sid: sid(&response.track_sid, "subscription_response.track_sid")?,
            error: SubscriptionError::from_wire(response.err),
        },
        Message::RequestResponse(response) => Response::Request {
            request_id: response.request_id,
            reason: RequestReason::from_wire(response.reason),
            about: RequestAbout::from_wire(response.request),
            message: one_line(&response.message, SERVER_TEXT_BYTES_MAX),
        },
        Message::TrackSubscribed(subscribed) => {
            Response::TrackSubscribed { sid: sid(&subscribed.track_sid, "track_subscribed.track_sid")? }
        }
        Message::SubscriptionPermissionUpdate(update) => Response::SubscriptionPermission {
            participant_sid: sid(&update.participant_sid, "subscription_permission_update.participant_sid")?,
            track_sid: sid(&update.track_sid, "subscription_permission_update.track_sid")?,
            allowed: update.allowed,
        },
        Message::StreamStateUpdate(update) => {
            Response::StreamState(update.stream_states.iter().filter_map(StreamState::from_wire).collect())
        }
        Message::RoomMoved(moved) => Response::RoomMoved(Box::new(
            RoomMoved::from_wire(moved, truncated).ok_or(lacking("room_moved.participant"))?,
        )),
    })
}

fn lacking(field: &'static str) -> DecodeError {
    DecodeError::Lacking { field }
}

fn sid(text: &str, field: &'static str) -> Result<Sid, DecodeError> {
    Sid::new(text).ok_or(lacking(field))
}

impl SpeakerInfo {
    fn from_wire(wire: &wire::SpeakerInfo) -> Option<SpeakerInfo> {
        let level = if wire.level.is_nan() { 0.0 } else { wire.level.clamp(0.0, 1.0) };
        Some(SpeakerInfo { sid: Sid::new(&wire.sid)?, level, active: wire.active })
    }
}

impl QualityInfo {
    /// `None` also for a quality that we have no word for.
    fn from_wire(wire: &wire::ConnectionQualityInfo) -> Option<QualityInfo> {
        let quality = match wire::ConnectionQuality::try_from(wire.quality).ok()? {
            wire::ConnectionQuality::Poor => Quality::Poor,
            wire::ConnectionQuality::Good => Quality::Good,
            wire::ConnectionQuality::Excellent => Quality::Excellent,
            wire::ConnectionQuality::Lost => Quality::Lost,
        };
        Some(QualityInfo { sid: Sid::new(&wire.participant_sid)?, quality })
    }
}

impl StreamState {
    fn from_wire(wire: &wire::StreamStateInfo) -> Option<StreamState> {
        Some(StreamState {
            participant_sid: Sid::new(&wire.participant_sid)?,
            track_sid: Sid::new(&wire.track_sid)?,
            paused: wire.state() == wire::StreamState::Paused,
        })
    }
}
