//! The texts of `--help`.

use kinglet::command::usage::USAGE;

/// `kinglet --help`
pub const MAIN: &str = "\
kinglet puts this device into a LiveKit room as a voice.

usage: kinglet join [URL] [options]    join a room, speak and hear
       kinglet run --config FILE       run a box: calls, buttons, lamps, doors
       kinglet ctl COMMAND             control the box that runs on this device
       kinglet token --room R --identity I [--ttl SECONDS]
                                       print an access token for development
       kinglet devices [--json]        list sound cards, and the choice of `auto`
       kinglet doctor [--config FILE]  check this device, and name faults and remedies
       kinglet --version

See `kinglet COMMAND --help` for the options of a command.
";

/// `kinglet join --help`
pub fn join() -> String {
    let lines = USAGE.iter().map(|(command, what)| format!("  {command:<22} {what}\n"));
    JOIN.replace("{commands}\n", &lines.collect::<String>())
}

const JOIN: &str = "\
usage: kinglet join [URL] [options]

Joins a room and stays until Ctrl-C, the end of a file or pipe, or --duration.

URL is the server's (ws:// wss:// http:// https://). Default: $LIVEKIT_URL, or the URL
that the token endpoint names.

access token (the first that is given)
  --token-file FILE      a file that holds the access token
  --token-command CMD    a command that prints it (run by sh -c, with all variables of
                         this process)
  --token-endpoint URL   a service that makes one (LiveKit's standard token endpoint),
                         requested for --room and --identity if they are given
  --token-header-file F  header lines for the service, such as Authorization: …
  --token TOKEN          the token itself; any user of this device can read it in the
                         process list, so prefer a file, a command or $LIVEKIT_TOKEN
  --room R               make a token for this room with $LIVEKIT_API_KEY and
                         $LIVEKIT_API_SECRET (development only: a secret does not
                         belong on a device)
  --identity I           with --room: the identity (default: the host name)

for a token that is made or requested, as for `lk token create`
  --agent NAME           dispatch this agent to the room, if the room is new
  --job-metadata TEXT    metadata of the agent's job
  --deployment NAME      deployment of the agent
  --metadata TEXT        metadata of this participant
  --attribute K=V        an attribute of this participant; may be repeated (with any
                         token; a given one must have canUpdateOwnMetadata)

sound
  --input SPEC           the source of the sound that is sent (default auto)
  --output SPEC          the destination of the room's sound (default auto)
                           auto         the sound card of this device
                           alsa[:PCM]   an ALSA PCM, such as alsa:plughw:CARD=Device
                           wav:FILE     a WAV file of any rate (output: 48 kHz mono)
                           raw:FILE     s16le, 48 kHz, mono; raw:- is stdin or stdout
                           tone[:HZ]    a test tone (input only; default 440)
                           none
  --board NAME|FILE      the sound of this device: PCMs for auto, formats, mixer levels
                         (a name of those in boards/, or a file, ./NAME.toml)
  --loop                 start the input file again at its end
  --hear WHOM            tracks to subscribe to: microphones (default), all (screen sound
                         too), none (only by command), or identities: 'hall panel-*',
                         '!tv' for all but that one
  --volume PERCENT       volume of the output, 0 to 150 (default 100)
  --muted                join muted
  --dtx on|off           send nothing in silence (default: on for cards, else off)
  --no-aec               do not process the microphone's sound. By default, echo and noise
                         are removed if input and output are both cards
  --half-duplex          silence the microphone while the loudspeaker plays a voice,
                         instead of echo cancellation: for the smallest boards
  --profile NAME         default, low-latency (10 ms packets, short card buffers, noise
                         is not removed) or metered (low bit rate, no repeats)
  --red auto|on|off      repeat earlier packets against loss (default: by profile)

running
  --duration SECONDS     leave this long after the first connection
  --events human|json[:FILE]   print events to stdout (to stderr if sound goes to
                         stdout) or to FILE (default human)
  --stats SECONDS        interval of the `stats` event
  --control -            read commands from stdin, one per line (see below)
  --files DIR            store received files in this folder; without it they are only
                         reported
  --rpc METHOD=COMMAND   answer calls of METHOD with this command (no shell): the payload
                         is its input, its output the answer; may be repeated
  --rpc-environment NAME   pass this variable to these commands, besides PATH, HOME and
                         the like; secrets are never passed; may be repeated
  --retry forever|never  forever: also repeat the first connection until it succeeds;
                         never: end when the connection is lost
  --ca FILE              trust the certificates in this PEM file too
  -v                     print more, including the contents of messages

commands, each answered by a `command_result`
{commands}
exit status: 0 as requested, 2 command line, 3 a file cannot be used, 4 credentials
refused, 5 server not reached, 6 sound card, 7 removed from the room
";

/// `kinglet token --help`
pub const TOKEN: &str = "\
usage: kinglet token --room R --identity I [--ttl SECONDS] [--agent NAME]
         [--job-metadata TEXT] [--deployment NAME] [--metadata TEXT] [--attribute K=V]…

Prints an access token made with $LIVEKIT_API_KEY and $LIVEKIT_API_SECRET, valid for
6 hours or --ttl. For development only: in production, make tokens on a server of
yours, and keep the secret there.
";

/// `kinglet doctor --help`
pub const DOCTOR: &str = "\
usage: kinglet doctor [--config FILE] [--tone] [--json]

Checks whether this device can take part in a call. Prints a line for each check, with the
remedy if it fails: configuration, scheduling, time, processor and Wi-Fi; sound cards,
their users, two seconds of the microphone; the token, the server's name, TLS, and the
server's validation of the token. Then it enters the room in silence for a moment, with
the configured identity, and checks the server's addresses and the path of sound. If the
service runs on this device, it is asked instead, and stays in the room.

  --config FILE   the configuration of `kinglet run` (default /etc/kinglet/kinglet.toml)
  --tone          play three chirps and record them: measures echo_delay_ms for the board
  --json          print an array of {state, check, text}

Exit status 1 if a check failed without which no call is possible.
";

/// `kinglet devices --help`
pub const DEVICES: &str = "\
usage: kinglet devices [--json]

Lists the sound cards with their PCMs, rates, channels and mixer controls, as kinglet
would open them, and the choice of --input auto and --output auto.
";

/// `kinglet run --help`
pub const RUN: &str = "\
usage: kinglet run --config FILE [--check] [-v]

Runs a box by its configuration, until SIGTERM. /etc/kinglet/kinglet.toml documents every key.

  --config FILE          the configuration
  --check                read everything and report all problems; open no device
  -v                     log more, including the contents of messages
";

/// `kinglet ctl --help`
pub fn ctl() -> String {
    let lines = USAGE.iter().map(|(command, what)| format!("  {command:<22} {what}\n"));
    format!(
        "usage: kinglet ctl [--socket PATH] [--json] COMMAND\n\n\
         Gives a command to the box that runs on this device (kinglet run), and prints its answer.\n\n\
         {}  {:<22} print events, one JSON object per line\n\n\
         \u{20} --socket PATH          the control socket (default {})\n\
         \u{20} --json                 print the answer as JSON\n",
        lines.collect::<String>(),
        "watch",
        kinglet::config::SOCKET,
    )
}
