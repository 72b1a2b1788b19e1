//! What the application sees ([`Event`]) and what it may ask ([`Command`]).
//!
//! Events are plain facts in the order in which they happened. Each serialises to one JSON object
//! whose `event` member is the variant's name in snake case; the command line adds `t_ms`. The
//! names are a contract: programs that read `--events json` depend on them.

use serde::Serialize;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The primary peer connection is up: sound can flow. Once per program run.
    Connected {
        /// Name of the room.
        room: String,
        /// SID of the room; empty where the server names it later.
        room_sid: String,
        /// Our identity, from the token.
        identity: String,
        /// Our participant SID.
        sid: String,
        /// Server edition and version, for a person.
        server: String,
    },
    /// The session is lost and being brought back.
    Reconnecting {
        /// What was lost, in words.
        cause: String,
    },
    /// The same session goes on.
    Resumed {
        /// Time from the loss to the end of the repair, in milliseconds; sound may have flowed meanwhile.
        gap_ms: u64,
    },
    /// A new session took the lost one's place.
    Reconnected {
        /// Time without a session, in milliseconds.
        gap_ms: u64,
    },
    /// The session ended.
    Disconnected {
        /// LiveKit's name of the reason (`DisconnectReason`).
        reason: String,
        /// Whether another attempt follows.
        will_retry: bool,
        /// Time to the next attempt, in milliseconds; 0 where none follows.
        retry_in_ms: u64,
    },
    /// Somebody is in the room; also told of those already there.
    ParticipantJoined(ParticipantFacts),
    /// Somebody left.
    ParticipantLeft(ParticipantFacts),
    /// Name, metadata or attributes changed.
    ParticipantChanged(ParticipantFacts),
    /// Somebody publishes a track; also told of those already there.
    TrackPublished(TrackFacts),
    /// A remote track ended.
    TrackUnpublished(TrackFacts),
    /// A remote track's sound can now be heard.
    TrackSubscribed(TrackFacts),
    /// A remote track's sound can no longer be heard.
    TrackUnsubscribed(TrackFacts),
    /// A remote track was muted.
    TrackMuted(TrackFacts),
    /// A remote track was unmuted.
    TrackUnmuted(TrackFacts),
    /// Our track is published.
    LocalTrackPublished {
        /// The server's SID of our track.
        sid: String,
        /// Its name.
        name: String,
    },
    /// Our track is no longer published.
    LocalTrackUnpublished {
        /// The server's SID of our track.
        sid: String,
        /// Its name.
        name: String,
        /// Who ended it.
        by: By,
    },
    /// Our track is muted.
    LocalMuted {
        /// The server's SID of our track.
        sid: String,
        /// Its name.
        name: String,
        /// Who muted it.
        by: By,
    },
    /// Our track is unmuted.
    LocalUnmuted {
        /// The server's SID of our track.
        sid: String,
        /// Its name.
        name: String,
        /// Who unmuted it.
        by: By,
    },
    /// Our track has at least one subscriber now.
    HeardBy {
        /// Who hears us; empty where the server does not say.
        identity: String,
    },
    /// All who speak now, the loudest first.
    Speakers {
        /// Everybody whom the server counts as speaking.
        speakers: Vec<Speaker>,
    },
    /// The server's opinion of somebody's connection.
    ConnectionQuality {
        /// Whose connection.
        identity: String,
        /// `poor`, `good`, `excellent` or `lost`.
        quality: Quality,
    },
    /// Metadata, head count or recording of the room changed.
    RoomChanged {
        /// The room's metadata.
        metadata: String,
        /// Participants in it.
        participants: u32,
        /// Whether it is being recorded.
        recording: bool,
    },
    /// What we are allowed to do changed.
    PermissionsChanged {
        /// We may publish.
        publish: bool,
        /// We may subscribe.
        subscribe: bool,
        /// We may send data.
        data: bool,
    },
    /// A sound card was opened, lost or came back.
    AudioDevice {
        /// The PCM, by name.
        card: String,
        /// What became of it.
        state: String,
    },
    /// Something a person should know; nothing has ended.
    Warning {
        /// One line.
        text: String,
    },
    /// Counters since the last `stats`.
    Stats(Stats),
    /// Answer to a command that came with a request for one.
    CommandResult {
        /// The command as it was given.
        command: String,
        /// Whether it was carried out.
        ok: bool,
        /// What it found, where it asks for something.
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<serde_json::Value>,
        /// Why it was not carried out.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<CommandError>,
    },
}

/// What is known of a participant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParticipantFacts {
    /// Identity, from its token.
    pub identity: String,
    /// SID, from the server; new with each session.
    pub sid: String,
    /// Display name.
    pub name: String,
    /// Free text set by the participant or its token.
    pub metadata: String,
    /// Key-value pairs set by the participant or its token.
    pub attributes: std::collections::BTreeMap<String, String>,
    /// `standard`, `ingress`, `egress`, `sip`, `agent` or `connector`.
    pub kind: ParticipantKind,
}

/// What a participant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ParticipantKind {
    Standard,
    Ingress,
    Egress,
    Sip,
    Agent,
    Connector,
    Unknown,
}

/// What is known of a track.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrackFacts {
    /// Identity of its publisher.
    pub identity: String,
    /// SID, from the server.
    pub sid: String,
    /// Name given by the publisher.
    pub name: String,
    /// Sound, picture or data.
    pub kind: TrackKind,
    /// Where it comes from.
    pub source: TrackSource,
    /// Whether the publisher has muted it.
    pub muted: bool,
}

/// What a track carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TrackKind {
    Audio,
    Video,
    Data,
}

/// Where a track comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TrackSource {
    Unknown,
    Camera,
    Microphone,
    ScreenShare,
    ScreenShareAudio,
}

/// One who speaks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Speaker {
    /// Who.
    pub identity: String,
    /// 0 to 1, linear, as the server smooths it.
    pub level: f32,
}

/// The server's opinion of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Quality {
    Poor,
    Good,
    Excellent,
    Lost,
}

/// Who did something to our track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// We did.
    #[serde(rename = "self")]
    Us,
    /// The server, or a moderator through it.
    Server,
}

/// Counters since the last `stats` event. Rates are of that span, states are of its end.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stats {
    /// Round trip of the signal connection, in milliseconds.
    pub rtt_ms: u32,
    /// Sent, Opus payload, bits per second.
    pub bitrate_out: u32,
    /// Loss of our track as its receiver reports it, in thousandths.
    pub loss_out_permille: u32,
    /// Overruns of the capture card.
    pub xruns_in: u32,
    /// Underruns of the playback card.
    pub xruns_out: u32,
    /// Times a sound card was opened anew.
    pub reopens: u32,
    /// CPU time of this process over wall time.
    pub cpu_percent: f32,
    /// Resident memory, KiB.
    pub rss_kb: u32,
    /// Threads of this process.
    pub threads: u32,
    /// One for each remote track that is subscribed.
    pub tracks: Vec<TrackStats>,
}

/// Counters of one remote track.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TrackStats {
    /// Identity of the talker.
    pub identity: String,
    /// SID of the track.
    pub sid: String,
    /// Mean time that packets waited in our buffer, in milliseconds.
    pub buffer_ms: u32,
    /// What the buffer aims at, in milliseconds.
    pub target_ms: u32,
    /// Concealed sound, in thousandths of the time in which the talker was playing.
    pub concealed_permille: f32,
    /// Packets that arrived.
    pub received: u32,
    /// Packets that never arrived in time to be played.
    pub lost: u32,
    /// Packets that arrived after their playout.
    pub late: u32,
    /// Packets taken from a redundant copy (RFC 2198).
    pub red_recovered: u32,
    /// Packets rebuilt from in-band FEC (RFC 6716 §2.1.7).
    pub fec_recovered: u32,
    /// Estimated clock difference to the talker, in millionths.
    pub drift_ppm: f32,
    /// Level of what is played of it, dB below full scale; -127 is silence.
    pub level_dbfs: f32,
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommandError {
    /// Short machine-readable word.
    pub code: String,
    /// One line for a person.
    pub message: String,
}

/// One thing the application asks for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Command {
    /// Stop sending our microphone, and tell the room.
    Mute,
    /// Send our microphone again.
    Unmute,
    /// Loudness of what we play, in percent of the unchanged level (0 to 150).
    Volume(u8),
    /// Hear this remote track (by SID), or all microphones of this identity.
    Subscribe(String),
    /// Stop hearing it.
    Unsubscribe(String),
    /// Leave the room and end.
    Leave,
}
