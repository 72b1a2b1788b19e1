//! One participant in a message ([`ParticipantInfo`]), its tracks ([`TrackInfo`]) and its permissions ([`Permission`]).
//!
//! A `ParticipantInfo` is always complete: all tracks, all attributes. `room` finds out what changed.

use std::collections::{BTreeMap, HashMap};

use super::leave::DisconnectReason;
use super::sid::Sid;
use super::truncated::Truncated;
use super::wire;
use crate::event::{ParticipantKind, TrackKind, TrackSource};
use crate::limits::{ATTRIBUTES_BYTES_MAX, TRACKS_PER_PARTICIPANT_MAX};

/// Everything known of one participant at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct ParticipantInfo {
    /// The server's name of this participant in this session.
    pub sid: Sid,
    /// Identity, from the token: stays the same over sessions. 1 to `IDENTITY_BYTES_MAX` bytes.
    pub identity: String,
    /// How far its connection has come.
    pub state: ParticipantState,
    /// Every track that it publishes, at most `TRACKS_PER_PARTICIPANT_MAX`.
    pub tracks: Vec<TrackInfo>,
    /// Display name, at most `NAME_BYTES_MAX` bytes; may be empty.
    pub name: String,
    /// Free text, at most `METADATA_BYTES_MAX` bytes.
    pub metadata: String,
    /// Key-value pairs, `ATTRIBUTES_BYTES_MAX` bytes together.
    pub attributes: BTreeMap<String, String>,
    /// Grows with every change within one session.
    pub version: u32,
    /// Time of the join, in milliseconds since 1970 by the server's clock; 0 from old servers.
    pub joined_at_ms: i64,
    /// Permissions of the participant. Servers always send them.
    pub permission: Permission,
    /// What it is.
    pub kind: ParticipantKind,
    /// Why it left; of meaning only with [`ParticipantState::Disconnected`].
    pub disconnect_reason: DisconnectReason,
}

/// How far a participant's connection has come (`ParticipantInfo.State`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParticipantState {
    /// Signal connection only.
    Joining,
    /// The server has its offer.
    Joined,
    /// The media connection is up.
    Active,
    /// The participant has left.
    Disconnected,
}

/// What a participant may do (`ParticipantPermission`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permission {
    /// May publish something.
    pub publish: bool,
    /// May publish a microphone: `publish`, and its sources are not narrowed to others.
    pub microphone: bool,
    /// May subscribe to tracks.
    pub subscribe: bool,
    /// May send data.
    pub data: bool,
}

/// What is known of one track at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackInfo {
    /// The server's name of the track.
    pub sid: Sid,
    /// Sound, picture or data.
    pub kind: TrackKind,
    /// Where it comes from.
    pub source: TrackSource,
    /// Name given by the publisher, at most `NAME_BYTES_MAX` bytes.
    pub name: String,
    /// Whether its publisher has muted it.
    pub muted: bool,
    /// Whether its packets are encrypted end to end.
    pub encrypted: bool,
}

impl ParticipantInfo {
    /// `None`, and counted, where the SID or identity is missing or unusable.
    pub(super) fn from_wire(
        wire: wire::ParticipantInfo,
        truncated: &mut Truncated,
    ) -> Option<ParticipantInfo> {
        let Some(sid) = Sid::new(&wire.sid).filter(|_| !wire.identity.is_empty()) else {
            truncated.participants += 1;
            return None;
        };
        let mut tracks = Vec::with_capacity(wire.tracks.len().min(TRACKS_PER_PARTICIPANT_MAX));
        for track in wire.tracks {
            let Some(track) = TrackInfo::from_wire(track) else {
                truncated.tracks += 1;
                continue;
            };
            // Two entries of one SID would be published and unpublished in turn for ever.
            if tracks.iter().any(|known: &TrackInfo| known.sid == track.sid) {
                truncated.tracks += 1;
                continue;
            }
            tracks.push(track);
        }
        Some(ParticipantInfo {
            sid,
            identity: wire.identity,
            state: match wire::participant_info::State::try_from(wire.state) {
                Ok(wire::participant_info::State::Joining) => ParticipantState::Joining,
                Ok(wire::participant_info::State::Joined) => ParticipantState::Joined,
                Ok(wire::participant_info::State::Disconnected) => ParticipantState::Disconnected,
                Ok(wire::participant_info::State::Active) | Err(_) => ParticipantState::Active,
            },
            tracks,
            name: wire.name,
            metadata: wire.metadata,
            attributes: bounded_attributes(wire.attributes, truncated),
            version: wire.version,
            joined_at_ms: wire.joined_at_ms,
            permission: Permission::from_wire(wire.permission.unwrap_or_default()),
            kind: match wire::participant_info::Kind::try_from(wire.kind) {
                Ok(wire::participant_info::Kind::Standard) => ParticipantKind::Standard,
                Ok(wire::participant_info::Kind::Ingress) => ParticipantKind::Ingress,
                Ok(wire::participant_info::Kind::Egress) => ParticipantKind::Egress,
                Ok(wire::participant_info::Kind::Sip) => ParticipantKind::Sip,
                Ok(wire::participant_info::Kind::Agent) => ParticipantKind::Agent,
                Ok(wire::participant_info::Kind::Connector) => ParticipantKind::Connector,
                Ok(wire::participant_info::Kind::Bridge) | Err(_) => ParticipantKind::Unknown,
            },
            disconnect_reason: DisconnectReason::from_wire(wire.disconnect_reason),
        })
    }

    /// Those of `wire` that are usable.
    pub(super) fn list_from_wire(
        wire: Vec<wire::ParticipantInfo>,
        truncated: &mut Truncated,
    ) -> Vec<ParticipantInfo> {
        wire.into_iter().filter_map(|info| ParticipantInfo::from_wire(info, truncated)).collect()
    }
}

impl TrackInfo {
    /// `None` if the SID is unusable.
    pub(super) fn from_wire(wire: wire::TrackInfo) -> Option<TrackInfo> {
        Some(TrackInfo {
            sid: Sid::new(&wire.sid)?,
            kind: match wire::TrackType::try_from(wire.r#type) {
                Ok(wire::TrackType::Audio) => TrackKind::Audio,
                Ok(wire::TrackType::Video) => TrackKind::Video,
                Ok(wire::TrackType::Data) | Err(_) => TrackKind::Data,
            },
            source: match wire::TrackSource::try_from(wire.source) {
                Ok(wire::TrackSource::Camera) => TrackSource::Camera,
                Ok(wire::TrackSource::Microphone) => TrackSource::Microphone,
                Ok(wire::TrackSource::ScreenShare) => TrackSource::ScreenShare,
                Ok(wire::TrackSource::ScreenShareAudio) => TrackSource::ScreenShareAudio,
                Ok(wire::TrackSource::Unknown) | Err(_) => TrackSource::Unknown,
            },
            name: wire.name,
            muted: wire.muted,
            encrypted: wire.encryption != wire::encryption::Type::None as i32,
        })
    }
}

impl Permission {
    fn from_wire(wire: wire::ParticipantPermission) -> Permission {
        let sources = &wire.can_publish_sources;
        let microphone = sources.is_empty() || sources.contains(&(wire::TrackSource::Microphone as i32));
        Permission {
            publish: wire.can_publish,
            microphone: wire.can_publish && microphone,
            subscribe: wire.can_subscribe,
            data: wire.can_publish_data,
        }
    }
}

/// Keeps as many pairs as fit, in the order of their keys, so that two equal updates keep the same ones.
fn bounded_attributes(wire: HashMap<String, String>, truncated: &mut Truncated) -> BTreeMap<String, String> {
    let mut attributes: BTreeMap<_, _> = wire.into_iter().collect();
    let mut bytes = 0;
    attributes.retain(|key, value| {
        let fits = bytes + key.len() + value.len() <= ATTRIBUTES_BYTES_MAX;
        if fits {
            bytes += key.len() + value.len();
        } else {
            truncated.texts += 1;
        }
        fits
    });
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(wire: wire::ParticipantInfo) -> (Option<ParticipantInfo>, Truncated) {
        let mut truncated = Truncated::default();
        (ParticipantInfo::from_wire(wire, &mut truncated), truncated)
    }

    fn wire(sid: &str, identity: &str) -> wire::ParticipantInfo {
        wire::ParticipantInfo { sid: sid.into(), identity: identity.into(), ..Default::default() }
    }

    #[test]
    fn the_nameless_are_left_out_and_counted() {
        for (sid, identity) in [("", "door"), ("PA_1", ""), ("PA 1", "door")] {
            let (info, truncated) = decode(wire(sid, identity));
            assert_eq!((info, truncated.participants), (None, 1), "{sid:?} {identity:?}");
        }
    }

    #[test]
    fn a_track_counts_once() {
        let track = wire::TrackInfo { sid: "TR_1".into(), ..Default::default() };
        let nameless = wire::TrackInfo::default();
        let (info, truncated) = decode(wire::ParticipantInfo {
            tracks: vec![track.clone(), nameless, track],
            ..wire("PA_1", "door")
        });
        assert_eq!(info.unwrap().tracks.len(), 1);
        assert_eq!(truncated.tracks, 2);
    }

    #[test]
    fn a_microphone_may_be_forbidden_alone() {
        let may = |publish, sources: &[i32]| {
            let can_publish_sources = sources.to_vec();
            Permission::from_wire(wire::ParticipantPermission {
                can_publish: publish,
                can_publish_sources,
                ..Default::default()
            })
            .microphone
        };
        assert!(may(true, &[]) && may(true, &[1, 2]));
        assert!(!may(true, &[1]) && !may(false, &[]) && !may(false, &[2]));
    }

    #[test]
    fn attributes_stop_at_their_limit() {
        let value = "v".repeat(ATTRIBUTES_BYTES_MAX / 2);
        let attributes = ["a", "b", "c"].map(|key| (key.to_owned(), value.clone())).into();
        let (info, truncated) = decode(wire::ParticipantInfo { attributes, ..wire("PA_1", "door") });
        assert_eq!(info.unwrap().attributes.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(truncated.texts, 2);
    }
}
