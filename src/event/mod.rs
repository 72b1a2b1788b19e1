//! What the application sees: [`Event`].
//!
//! Events are plain facts in the order in which they happened. Each serialises to one JSON object
//! whose `event` member is the variant's name in snake case; the command line adds `t_ms`. The
//! names are a contract: programs that read `--events json` depend on them.

mod data;
mod facts;
mod json;
mod metrics;
mod stats;

use serde::Serialize;

use crate::command::{Answer, CommandError};
pub use data::*;
pub use facts::*;
pub use json::escaped;
pub(crate) use json::is_hidden;
pub use metrics::{MetricKind, Metrics};
pub use stats::{Stats, TrackStats};

/// Reasons of [`Event::Disconnected`] for an intended removal from the room: the client stays away for a minute or more
/// then.
pub const REMOVALS: [&str; 4] = ["DUPLICATE_IDENTITY", "PARTICIPANT_REMOVED", "ROOM_DELETED", "ROOM_CLOSED"];

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The primary peer connection is up: sound can flow. Once per program run.
    Connected {
        /// Name of the room.
        room: String,
        /// SID of the room; empty if the server names it later.
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
    /// The same session continues.
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
        /// Time to the next attempt, in milliseconds; 0 if none follows.
        retry_in_ms: u64,
    },
    /// A participant is in the room; also reported for those already there.
    ParticipantJoined(ParticipantFacts),
    /// A participant is connected: can be heard, and receives messages. Before, it is only listed in the room.
    ParticipantActive {
        /// Identity of the participant.
        identity: String,
    },
    /// A participant left.
    ParticipantLeft(DepartureFacts),
    /// Name, metadata or attributes changed; of ourselves too.
    ParticipantChanged(ParticipantFacts),
    /// A participant publishes a track; also reported for existing tracks.
    TrackPublished(TrackFacts),
    /// A remote track ended.
    TrackUnpublished(TrackFacts),
    /// A remote track's sound can now be heard.
    TrackSubscribed(TrackFacts),
    /// A remote track's sound can no longer be heard.
    TrackUnsubscribed(TrackFacts),
    /// The server could not give us a remote track that we asked for.
    TrackSubscriptionFailed {
        /// Whose; empty if it is gone already.
        identity: String,
        /// SID of the track.
        sid: String,
        /// Why, in words.
        reason: String,
    },
    /// The server holds a remote track back for lack of bandwidth, or no longer does.
    TrackStreamState {
        /// Identity of the publisher.
        identity: String,
        /// SID of the track.
        sid: String,
        /// Whether it is held back.
        paused: bool,
    },
    /// A publisher forbids us its track, or allows it again.
    TrackPermission {
        /// Identity of the publisher.
        identity: String,
        /// SID of the track.
        sid: String,
        /// Whether we may hear it.
        allowed: bool,
    },
    /// A remote track was muted.
    TrackMuted(TrackFacts),
    /// A remote track was unmuted.
    TrackUnmuted(TrackFacts),
    /// Our track is published.
    LocalTrackPublished {
        /// The server's SID of our track.
        sid: String,
        /// Name of the track.
        name: String,
    },
    /// The server does not publish our track.
    LocalTrackRefused {
        /// Name of the track.
        name: String,
        /// Why, in words.
        reason: String,
    },
    /// Our track is not published any more.
    LocalTrackUnpublished {
        /// The server's SID of our track.
        sid: String,
        /// Name of the track.
        name: String,
        /// Who unpublished it.
        by: By,
    },
    /// Our track is muted.
    LocalMuted {
        /// The server's SID of our track.
        sid: String,
        /// Name of the track.
        name: String,
        /// Who muted it.
        by: By,
    },
    /// Our track is unmuted.
    LocalUnmuted {
        /// The server's SID of our track.
        sid: String,
        /// Name of the track.
        name: String,
        /// Who unmuted it.
        by: By,
    },
    /// Our track has at least one subscriber now.
    HeardBy {
        /// Identity of the subscriber; empty if the server does not name it.
        identity: String,
    },
    /// All participants who speak now, the loudest first.
    Speakers {
        /// The participants that the server counts as speaking.
        speakers: Vec<Speaker>,
    },
    /// Quality of a participant's connection in the server's opinion.
    ConnectionQuality {
        /// Identity of the participant.
        identity: String,
        /// `poor`, `good`, `excellent` or `lost`.
        quality: Quality,
    },
    /// The server has moved us into another room; its participants are reported by joins and leaves.
    RoomMoved {
        /// Name of the room.
        room: String,
        /// SID of the room; empty if the server names it later.
        room_sid: String,
        /// Our participant SID there.
        sid: String,
    },
    /// SID, metadata, head count or recording of the room changed.
    RoomChanged {
        /// SID of the room; some servers send it only after `connected`.
        room_sid: String,
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
    /// Bytes of another application.
    Data(DataFacts),
    /// A message in the room's chat.
    Chat {
        /// Identity of the sender.
        identity: String,
        /// The text.
        text: String,
        /// The message's number.
        id: String,
    },
    /// Text that was sent as a stream, or a piece of a long one.
    TextStream(TextFacts),
    /// Bytes that were sent as a stream, all of them.
    ByteStream(FileFacts),
    /// A participant calls one of our methods, and waits for the answer.
    RpcInvoked(RpcCallFacts),
    /// The result of a call of ours.
    RpcAnswered(RpcAnswerFacts),
    /// A key of a telephone was pressed.
    Dtmf {
        /// Identity of the telephone.
        identity: String,
        /// `0`–`9`, `*`, `#`, `A`–`D`.
        digit: String,
    },
    /// The speech of a participant, as text.
    Transcription(TranscriptionFacts),
    /// Messages of ours that may not have arrived: the session was lost before they were confirmed.
    DataUnconfirmed {
        /// What they were about.
        topic: String,
        /// Number of messages.
        count: u32,
    },
    /// A call begins: we ring a party, or a party rings us.
    Ringing(CallFacts),
    /// A party answered: both hear each other.
    CallAnswered(CallFacts),
    /// A call that was answered is over.
    CallEnded(CallFacts),
    /// No party answered.
    CallMissed(CallFacts),
    /// A hand was at a button.
    Button {
        /// The button, as the configuration calls it.
        name: String,
        /// `pressed`, `held` or `released`.
        action: &'static str,
    },
    /// An output is driven: the door opens.
    OutputPulsed {
        /// The output, as the configuration calls it.
        name: String,
        /// Identity of the requester; empty for the box itself.
        by: String,
    },
    /// An output was asked for and is not driven.
    OutputRefused {
        /// The output, as the configuration calls it; empty if digits name none.
        name: String,
        /// Identity of the requester.
        identity: String,
        /// How it was asked for: `dtmf` or `rpc`.
        path: &'static str,
        /// `not_allowed`, `no_call` (digits count only in an answered call with their sender), `wrong_code` or
        /// `locked_out` (after too many wrong codes).
        reason: &'static str,
    },
    /// Another configuration was taken: at once and in the room where nothing is named.
    Reloaded {
        /// The sections for which the box leaves the room and starts a new session.
        anew_for: Vec<&'static str>,
        /// When the present call is over, that is.
        after_call: bool,
    },
    /// A sound card was opened, lost or came back.
    AudioDevice {
        /// The PCM, by name.
        card: String,
        /// What became of it.
        state: CardState,
        /// Why it was chosen, where `auto` did.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Something a person should know; nothing has ended.
    Warning {
        /// The warning, in one line.
        text: String,
    },
    /// Information for a later diagnosis.
    Log {
        /// The information, in one line.
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
        /// The result, if the command returns one.
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<serde_json::Value>,
        /// Why it was not carried out.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<CommandError>,
    },
}

impl Event {
    /// Size of the event as JSON, in bytes. Queues of events are bounded by the sum of these sizes.
    pub fn bytes(&self) -> usize {
        let mut count = Count(0);
        // Events are plain data: they always serialise.
        let _ = serde_json::to_writer(&mut count, self);
        count.0
    }

    /// It as one line of JSON. Characters that a terminal would not show as such are escaped.
    pub fn to_json(&self) -> String {
        // Events are plain data: they always serialise.
        escaped(serde_json::to_string(self).unwrap_or_default())
    }

    /// The answer to a command that came as the line `command`.
    pub fn answered(command: String, answer: Answer) -> Event {
        let ok = answer.is_ok();
        let (result, error) = match answer {
            Ok(value) => (Some(value).filter(|value| !value.is_null()), None),
            Err(error) => (None, Some(error)),
        };
        Event::CommandResult { command, ok, result, error }
    }
}

/// Counts what is written, and keeps nothing.
struct Count(usize);

impl std::io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
