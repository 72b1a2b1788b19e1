//! What may be written on a line, for people.

use super::CommandError;

/// Every command: its words, and what it does.
pub const USAGE: &[(&str, &str)] = &[
    ("status", "the state of this client"),
    ("participants", "the participants of the room, with tracks"),
    ("paths", "the server's addresses, and which of them is used"),
    ("stats", "counters since the last stats"),
    ("metrics", "totals since the start, as Prometheus reads them"),
    ("mute", "stop sending"),
    ("unmute", "send again"),
    ("talk on|off", "the talk key: off sends nothing, and is reported to the room after a while"),
    ("publish", "publish our track again after it ended"),
    ("unpublish", "end our track"),
    ("volume PERCENT", "loudness of the output, 0 to 150"),
    (
        "hear microphones|all|none|ID…",
        "which participants to hear: identities with * and ?, !ID for all but that one",
    ),
    ("subscribe ID|SID", "hear this one, with precedence over hear"),
    ("unsubscribe ID|SID", "do not hear this one"),
    ("pause ID|SID", "the server forwards nothing of this one for now"),
    ("resume ID|SID", "and again"),
    ("talker-volume ID|SID PERCENT", "loudness of this one, 0 to 400"),
    ("heard-by all|none|ID…", "participants that may hear us"),
    ("name TEXT", "our display name"),
    ("metadata TEXT", "our metadata"),
    ("attributes K=V…", "our attributes, also as a JSON object; an empty value removes one"),
    ("chat TEXT", "send a message to the room's chat"),
    ("data [--topic T] [--to ID]… [--lossy] TEXT", "send bytes to the applications of others"),
    ("text [--topic T] [--to ID]… TEXT", "send a text stream, up to 100 kB"),
    ("file [--topic T] [--to ID]… PATH", "send a file, up to 64 MiB"),
    ("text-file [--topic T] [--to ID]… PATH", "send the text in a file as a text stream, up to 64 MiB"),
    ("rpc ID METHOD [PAYLOAD]", "call somebody's method"),
    ("dtmf DIGITS", "press keys of a telephone: 0-9 * # A-D"),
    ("ring [ID]", "ring this participant, or every party (kinglet run)"),
    ("answer", "answer the participant that rings us (kinglet run)"),
    ("hangup", "end the call (kinglet run)"),
    ("pulse OUTPUT", "drive an output once (kinglet run)"),
    ("reload", "read the configuration again, without leaving the room if possible (kinglet run)"),
    ("reconnect", "begin a new session at once; what was set comes back"),
    ("play FILE", "play a WAV file at this device, up to a minute"),
    ("announce FILE", "play a WAV file into the room, up to a minute; the answer comes at its end"),
    ("quiet", "end what plays, here and in the room"),
    ("leave", "leave the room and end"),
];

pub(super) fn usage(word: &str) -> CommandError {
    let line = USAGE.iter().find(|(line, _)| line.split(' ').next() == Some(word));
    CommandError::usage(format!("usage: {}", line.map_or(word, |(line, _)| line)))
}
