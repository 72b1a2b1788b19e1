//! What the application may ask: [`Command`], and its [`Answer`].
//!
//! Commands come from a program that uses the library, from the lines of `join --control -` and from `kinglet ctl`;
//! [`line`](mod@line) is their common grammar. A new one is a variant here, an arm in [`line::parse`] with a line of
//! its usage, and an arm in `Engine::handle_command`; a command whose answer comes from the server or a participant
//! takes a [`Ticket`] there.

pub mod admitted;
pub mod allow;
pub(crate) mod glob;
pub mod line;
pub mod message;
mod message_line;
pub mod usage;
pub mod words;

use std::collections::BTreeMap;

use serde::Serialize;

use admitted::Admitted;
use message::{DataMessage, FileMessage, RpcAnswer, RpcCommand, TextMessage};

/// A request of the application.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Command {
    /// Stop sending our microphone, and report the mute to the room.
    Mute,
    /// Send our microphone again.
    Unmute,
    /// The state of the client.
    Status,
    /// The participants of the room, with tracks.
    Participants,
    /// The addresses that the server has named for sound, and the path in use.
    Paths,
    /// Counters since the last `stats`.
    Stats,
    /// Totals since the start, as Prometheus's text.
    Metrics,
    /// The talk key is held (`true`) or released. From the first time on packets follow it; a mute is reported to the
    /// room only when it stays released.
    Talk(bool),
    /// Publish our track again after it ended.
    Publish,
    /// End our track until it is published again.
    Unpublish,
    /// Loudness of what we play, in percent of the unchanged level (0 to 150).
    Volume(u8),
    /// Play this WAV file at this device, at most a minute.
    Play(String),
    /// Play this WAV file into the room, at most a minute, as a track of its own beside the microphone.
    Announce(String),
    /// End what plays, here and in the room.
    Quiet,
    /// Play a tone at this device, from its beginning.
    Tone(Tone),
    /// What is to be heard as a tone from now on.
    ToneSound {
        /// The tone to replace.
        tone: Tone,
        /// The sound that takes its place.
        sound: ToneSound,
    },
    /// The subscription policy for tracks without a choice of their own, see [`crate::local::policy`].
    Hear(String),
    /// Hear this remote track (by SID), or all microphones of this identity, whenever it comes.
    Subscribe(String),
    /// Stop hearing it.
    Unsubscribe(String),
    /// Keep it subscribed, without its packets.
    Pause(String),
    /// Its packets again.
    Resume(String),
    /// Loudness of one talker, in percent of what it sends (0 to 400): a track, or all microphones of an identity.
    TalkerVolume {
        /// SID or identity.
        whom: String,
        /// Loudness in percent.
        percent: u16,
    },
    /// Participants that may hear us: `all`, `none`, or identities.
    HeardBy(Vec<String>),
    /// The rule of a box: who hears it, and whom it hears. It replaces the rule before, and `hear`, `heard-by` and
    /// `subscribe` until one of them is given again.
    Admit(Admitted),
    /// Our display name; the token must allow it (`canUpdateOwnMetadata`), as for the next two.
    Name(String),
    /// Our metadata, any text.
    Metadata(String),
    /// Our attributes; an empty value removes one, others stay.
    Attributes(BTreeMap<String, String>),
    /// Ring this identity, or every party. This and the next four are for a box (`kinglet run`).
    Ring(Option<String>),
    /// Answer the participant that rings us.
    Answer,
    /// End the call.
    HangUp,
    /// Drive this output once.
    Pulse(String),
    /// Read the configuration again.
    Reload,
    /// Let the server play a fault on us, by LiveKit's name of it (`SimulateScenario`): for tests.
    Simulate(String),
    /// Go into the room, for a client that stands by outside ([`Retry::Service`](crate::session::recovery::Retry)).
    Enter,
    /// Go out of the room, and stand by.
    Exit,
    /// Send a message to the room's chat.
    Chat(String),
    /// Send bytes to the applications of others.
    Data(DataMessage),
    /// Send text as a stream; the result is its number (`id`).
    Text(TextMessage),
    /// Send a file as a stream; the result comes when all of it is on its way.
    File(FileMessage),
    /// Call a method of a participant; the result is the answer (`payload`).
    Rpc(RpcCommand),
    /// Answer a call of one of our methods.
    RpcAnswer(RpcAnswer),
    /// Press these keys of a telephone.
    Dtmf(String),
    /// Begin a new session at once, instead of the present one or of waiting.
    Reconnect,
    /// Leave the room and end.
    Leave,
}

/// What a person at the device hears, besides the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// It rings, here or there. Repeats.
    Ringing,
    /// The call was answered.
    Answered,
    /// The call is over.
    Ended,
    /// The call was not answered.
    Trouble,
    /// The microphone was muted here.
    Muted,
    /// Privacy has ended.
    Unmuted,
    /// Another participant entered the room.
    Joined,
    /// A participant left the room.
    Left,
    /// In a call, the server is out of reach.
    Lost,
    /// An output was asked for in vain.
    Refused,
}

impl Tone {
    /// Each of them.
    pub const ALL: [Tone; 10] = [
        Tone::Ringing,
        Tone::Answered,
        Tone::Ended,
        Tone::Trouble,
        Tone::Muted,
        Tone::Unmuted,
        Tone::Joined,
        Tone::Left,
        Tone::Lost,
        Tone::Refused,
    ];

    /// Whether it only remarks something: it is not heard where another sound plays.
    pub fn is_remark(self) -> bool {
        use Tone::*;
        matches!(self, Muted | Unmuted | Joined | Left | Lost | Refused)
    }

    /// The word for it, as the configuration has it.
    pub fn word(self) -> &'static str {
        match self {
            Tone::Ringing => "ringing",
            Tone::Answered => "answered",
            Tone::Ended => "ended",
            Tone::Trouble => "trouble",
            Tone::Muted => "muted",
            Tone::Unmuted => "unmuted",
            Tone::Joined => "joined",
            Tone::Left => "left",
            Tone::Lost => "lost",
            Tone::Refused => "refused",
        }
    }
}

/// What is heard as a tone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ToneSound {
    /// The tone that is made here.
    #[default]
    BuiltIn,
    /// A WAV file.
    File(String),
    /// No sound at all.
    Silence,
}

/// The result of a command (`null` for one that returns nothing), or why it failed.
pub type Answer = Result<serde_json::Value, CommandError>;

/// A command whose answer comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(pub u32);

/// When the answer to a command comes.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// It is answered already.
    Now(Answer),
    /// The answer comes from the server, or from another participant.
    Later(Ticket),
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Reply::Now(answer)
    }
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommandError {
    /// Short machine-readable word.
    pub code: &'static str,
    /// One line for a person.
    pub message: String,
}

impl CommandError {
    /// The words of the command are wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: "usage", message: message.into() }
    }

    /// It cannot be done, or not now.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { code: "refused", message: message.into() }
    }
}

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CommandError {}
