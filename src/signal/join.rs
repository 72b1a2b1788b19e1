//! The server's messages at the start of a session ([`Join`]), of a resumed one ([`Reconnect`]), and of one moved to
//! another room ([`RoomMoved`]).

use std::time::Duration;

use super::participant::ParticipantInfo;
use super::secret::Secret;
use super::sid::Sid;
use super::token::can_be_sent;
use super::truncated::Truncated;
use super::wire;

/// The first message of a new session (`JoinResponse`).
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// The room that the token named.
    pub room: RoomInfo,
    /// The local participant.
    pub participant: ParticipantInfo,
    /// The other participants that are visible to us.
    pub other_participants: Vec<ParticipantInfo>,
    /// STUN and TURN servers to use.
    pub ice_servers: Vec<IceServer>,
    /// The subscriber peer connection is the primary one: the server offers it by itself. Otherwise the
    /// publisher is, and no offer comes from the server.
    pub subscriber_primary: bool,
    /// The server would like the publisher's offer at once.
    pub fast_publish: bool,
    /// Time between two pings; zero if the server does not set it.
    pub ping_interval: Duration,
    /// Time without any message after which the connection counts as dead; zero if the server does not set it.
    pub ping_timeout: Duration,
    /// The server's settings for this client.
    pub configuration: Configuration,
    /// Which server it is.
    pub server: ServerInfo,
}

/// The first message of a resumed session (`ReconnectResponse`).
#[derive(Debug, Clone, PartialEq)]
pub struct Reconnect {
    /// STUN and TURN servers to use from now on.
    pub ice_servers: Vec<IceServer>,
    /// The server's settings for this client.
    pub configuration: Configuration,
    /// Which server it is.
    pub server: ServerInfo,
    /// Highest sequence number of our reliable data packets that the server has; 0 before the first.
    pub last_message_seq: u32,
}

/// The server has put us into another room (`RoomMovedResponse`).
#[derive(Debug, Clone, PartialEq)]
pub struct RoomMoved {
    /// The new room.
    pub room: RoomInfo,
    /// Access token for it, where it is one that can be sent; the old one leads back to the old room.
    pub token: Option<Secret>,
    /// Ourselves, in the new room.
    pub participant: ParticipantInfo,
    /// The other participants of the new room.
    pub other_participants: Vec<ParticipantInfo>,
}

/// What is known of the room.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoomInfo {
    /// SID of the room; some servers send it only with a later update.
    pub sid: Option<Sid>,
    /// Its name, as in the token.
    pub name: String,
    /// Free text, at most `METADATA_BYTES_MAX` bytes.
    pub metadata: String,
    /// Participants in it.
    pub participants: u32,
    /// Whether it is being recorded.
    pub recording: bool,
}

/// A STUN or TURN server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:`, `turn:` and `turns:` URLs of the same server.
    pub urls: Vec<String>,
    /// User name for TURN; empty for STUN.
    pub username: String,
    /// Password for TURN; empty for STUN.
    pub credential: Secret,
}

/// The server's settings for this client (`ClientConfiguration`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Configuration {
    /// Never resume, always begin a new session.
    pub resume_disabled: bool,
    /// Use relayed candidates only.
    pub relay_only: bool,
}

/// Which server it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerInfo {
    /// LiveKit Cloud rather than the open-source server.
    pub is_cloud: bool,
    /// Version of the server, such as `1.13.5`.
    pub version: String,
    /// Highest protocol version of the server; 0 if it does not report it.
    pub protocol: u32,
    /// Where it stands; often empty.
    pub region: String,
    /// Which node of a cluster it is.
    pub node_id: String,
}

impl Join {
    /// `None` without a usable own participant: a session needs our SID.
    pub(super) fn from_wire(wire: wire::JoinResponse, truncated: &mut Truncated) -> Option<Join> {
        // Servers before 1.1 have no `server_info`.
        let server = wire.server_info.unwrap_or_else(|| wire::ServerInfo {
            version: wire.server_version,
            region: wire.server_region,
            ..Default::default()
        });
        Some(Join {
            room: RoomInfo::from_wire(wire.room.unwrap_or_default()),
            participant: ParticipantInfo::from_wire(wire.participant?, truncated)?,
            other_participants: ParticipantInfo::list_from_wire(wire.other_participants, truncated),
            ice_servers: wire.ice_servers.into_iter().map(IceServer::from_wire).collect(),
            subscriber_primary: wire.subscriber_primary,
            fast_publish: wire.fast_publish,
            ping_interval: seconds(wire.ping_interval),
            ping_timeout: seconds(wire.ping_timeout),
            configuration: Configuration::from_wire(wire.client_configuration.unwrap_or_default()),
            server: ServerInfo::from_wire(server),
        })
    }
}

impl Reconnect {
    pub(super) fn from_wire(wire: wire::ReconnectResponse) -> Reconnect {
        Reconnect {
            ice_servers: wire.ice_servers.into_iter().map(IceServer::from_wire).collect(),
            configuration: Configuration::from_wire(wire.client_configuration.unwrap_or_default()),
            server: ServerInfo::from_wire(wire.server_info.unwrap_or_default()),
            last_message_seq: wire.last_message_seq,
        }
    }
}

impl RoomMoved {
    /// `None` without a usable own participant.
    pub(super) fn from_wire(wire: wire::RoomMovedResponse, truncated: &mut Truncated) -> Option<RoomMoved> {
        Some(RoomMoved {
            room: RoomInfo::from_wire(wire.room.unwrap_or_default()),
            token: can_be_sent(&wire.token).then(|| Secret::new(wire.token)),
            participant: ParticipantInfo::from_wire(wire.participant?, truncated)?,
            other_participants: ParticipantInfo::list_from_wire(wire.other_participants, truncated),
        })
    }
}

impl RoomInfo {
    pub(super) fn from_wire(wire: wire::Room) -> RoomInfo {
        RoomInfo {
            sid: Sid::new(&wire.sid),
            name: wire.name,
            metadata: wire.metadata,
            participants: wire.num_participants,
            recording: wire.active_recording,
        }
    }
}

impl IceServer {
    fn from_wire(wire: wire::IceServer) -> IceServer {
        IceServer { urls: wire.urls, username: wire.username, credential: Secret::new(wire.credential) }
    }
}

impl Configuration {
    fn from_wire(wire: wire::ClientConfiguration) -> Configuration {
        Configuration {
            resume_disabled: wire.resume_connection() == wire::ClientConfigSetting::Disabled,
            relay_only: wire.force_relay() == wire::ClientConfigSetting::Enabled,
        }
    }
}

impl ServerInfo {
    fn from_wire(wire: wire::ServerInfo) -> ServerInfo {
        ServerInfo {
            is_cloud: wire.edition() == wire::server_info::Edition::Cloud,
            version: wire.version,
            protocol: u32::try_from(wire.protocol).unwrap_or(0),
            region: wire.region,
            node_id: wire.node_id,
        }
    }
}

/// Negative spans are as good as none.
fn seconds(number: i32) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or(0))
}
