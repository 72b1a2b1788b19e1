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

/// Reasons of [`Event::Disconnected`] by which somebody meant us to be out of the room: the session stays away for a
/// minute or more then.
pub const REMOVALS: [&str; 4] = ["DUPLICATE_IDENTITY", "PARTICIPANT_REMOVED", "ROOM_DELETED", "ROOM_CLOSED"];

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
    /// Somebody is connected: can be heard, and receives messages. Before, it is in the room in name only.
    ParticipantActive {
        /// Who.
        identity: String,
    },
    /// Somebody left.
    ParticipantLeft(DepartureFacts),
    /// Name, metadata or attributes changed; of ourselves too.
    ParticipantChanged(ParticipantFacts),
    /// Somebody publishes a track; also told of those already there.
    TrackPublished(TrackFacts),
    /// A remote track ended.
    TrackUnpublished(TrackFacts),
    /// A remote track's sound can now be heard.
    TrackSubscribed(TrackFacts),
    /// A remote track's sound can no longer be heard.
    TrackUnsubscribed(TrackFacts),
    /// The server could not give us a remote track that we asked for.
    TrackSubscriptionFailed {
        /// Whose; empty where it is gone already.
        identity: String,
        /// Which.
        sid: String,
        /// Why, in words.
        reason: String,
    },
    /// The server holds a remote track back for lack of bandwidth, or no longer does.
    TrackStreamState {
        /// Whose.
        identity: String,
        /// Which.
        sid: String,
        /// Whether it is held back.
        paused: bool,
    },
    /// A publisher forbids us its track, or allows it again.
    TrackPermission {
        /// Whose.
        identity: String,
        /// Which.
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
        /// Its name.
        name: String,
    },
    /// The server does not publish our track.
    LocalTrackRefused {
        /// Its name.
        name: String,
        /// Why, in words.
        reason: String,
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
    /// The server has put us into another room; who is there is told by joins and leaves.
    RoomMoved {
        /// Name of the room.
        room: String,
        /// SID of the room; empty where the server names it later.
        room_sid: String,
        /// Our participant SID there.
        sid: String,
    },
    /// SID, metadata, head count or recording of the room changed.
    RoomChanged {
        /// SID of the room; some servers tell it only after `connected`.
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
    /// Bytes of somebody's application.
    Data(DataFacts),
    /// Somebody said something in the room's chat.
    Chat {
        /// Who.
        identity: String,
        /// What.
        text: String,
        /// The message's number.
        id: String,
    },
    /// Text that was sent as a stream, or a piece of a long one.
    TextStream(TextFacts),
    /// Bytes that were sent as a stream, all of them.
    ByteStream(FileFacts),
    /// Somebody calls one of our methods, and waits.
    RpcInvoked(RpcCallFacts),
    /// What a call of ours came to.
    RpcAnswered(RpcAnswerFacts),
    /// Somebody pressed a key of a telephone.
    Dtmf {
        /// Who.
        identity: String,
        /// `0`–`9`, `*`, `#`, `A`–`D`.
        digit: String,
    },
    /// What somebody said, as text.
    Transcription(TranscriptionFacts),
    /// Messages of ours that may not have arrived, since the session was lost before they were confirmed.
    DataUnconfirmed {
        /// What they were about.
        topic: String,
        /// How many.
        count: u32,
    },
    /// A call begins: we ring somebody, or somebody rings us.
    Ringing(CallFacts),
    /// Somebody answered: both hear each other.
    CallAnswered(CallFacts),
    /// A call that was answered is over.
    CallEnded(CallFacts),
    /// Nobody answered.
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
        /// Identity of who asked for it; empty for the box itself.
        by: String,
    },
    /// An output was asked for and is not driven.
    OutputRefused {
        /// The output, as the configuration calls it; empty where digits name none.
        name: String,
        /// Who asked for it.
        identity: String,
        /// How it was asked for: `dtmf` or `rpc`.
        path: &'static str,
        /// `not_allowed`, `no_call` (digits count in an answered call with the one who presses them), `wrong_code` or
        /// `locked_out` (after too many wrong codes).
        reason: &'static str,
    },
    /// Another configuration was taken: at once and in the room where nothing is named.
    Reloaded {
        /// The sections for which the box leaves the room and begins anew.
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
        /// One line.
        text: String,
    },
    /// What was found out or chosen, for whoever looks into it later.
    Log {
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

impl Event {
    /// Bytes of it as JSON. They are bounded in sum where events wait: all of an event counts, whatever its source.
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
