//! What a person reads.

use kinglet::command::usage::USAGE;

/// `kinglet --help`
pub const MAIN: &str = "\
kinglet puts this device into a LiveKit room as a voice.

usage: kinglet join [URL] [options]    join a room, speak and hear
       kinglet run --config FILE       run a box: calls, buttons, lamps, doors
       kinglet ctl COMMAND             ask the box that runs on this device
       kinglet token --room R --identity I [--ttl SECONDS]
                                       print an access token for development
       kinglet devices [--json]        list sound cards, and what `auto` would choose
       kinglet doctor [--config FILE]  what is wrong with this device
       kinglet --version

`kinglet COMMAND --help` tells more.
";

/// `kinglet join --help`
pub fn join() -> String {
    let lines = USAGE.iter().map(|(command, what)| format!("  {command:<22} {what}\n"));
    JOIN.replace("{commands}\n", &lines.collect::<String>())
}

const JOIN: &str = "\
usage: kinglet join [URL] [options]

Joins a room and stays until Ctrl-C, the end of a file or pipe, or --duration.

URL is that of the server (ws:// wss:// http:// https://), default $LIVEKIT_URL, or
what --token-endpoint says.

who we are (the first that is given)
  --token-file FILE      a file that holds the access token
  --token-command CMD    a command that prints it (run by sh -c, with all our variables)
  --token-endpoint URL   a service that makes one (LiveKit's standard token endpoint),
                         asked for --room and --identity where they are given
  --token-header-file F  header lines that the service wants, such as Authorization: …
  --token TOKEN          the token itself; any user of this device can read it in the
                         process list, so prefer a file, a command or $LIVEKIT_TOKEN
  --room R               make a token for this room with $LIVEKIT_API_KEY and
                         $LIVEKIT_API_SECRET (development only: a secret does not
                         belong on a device)
  --identity I           with --room: who we are (default: the host name)

for the token that is made or asked for, as `lk token create` has them
  --agent NAME           call this agent into the room, if the room is new
  --job-metadata TEXT    metadata of its job
  --deployment NAME      which deployment of it
  --metadata TEXT        our own metadata
  --attribute K=V        an attribute of ours; may be given again (with any token; one
                         that is given must have canUpdateOwnMetadata)

sound
  --input SPEC           where our voice comes from (default auto)
  --output SPEC          where the room's sound goes (default auto)
                           auto         the sound card of this device
                           alsa[:PCM]   an ALSA PCM, such as alsa:plughw:CARD=Device
                           wav:FILE     a WAV file of any rate (output: 48 kHz mono)
                           raw:FILE     s16le, 48 kHz, mono; raw:- is stdin or stdout
                           tone[:HZ]    a test tone (input only; default 440)
                           none
  --board NAME|FILE      the sound of this device: PCMs for auto, formats, mixer levels
                         (a name of those in boards/, or a file, ./NAME.toml)
  --loop                 start the input file again at its end
  --hear WHOM            microphones (default), all (screen sound too), none (by command),
                         or identities: 'hall panel-*', '!tv' for all but that one
  --volume PERCENT       loudness of the output, 0 to 150 (default 100)
  --muted                join muted
  --dtx on|off           send nothing in silence (default: on for cards, else off)
  --no-aec               leave the microphone's sound as it is. Otherwise, where input and
                         output are both cards, echo and noise are taken out of it
  --half-duplex          silence the microphone while the loudspeaker speaks, in place
                         of echo cancellation: for the smallest boards
  --profile NAME         default, low-latency (10 ms packets, short card buffers, noise
                         stays in) or metered (low rate, no repeats)
  --red auto|on|off      repeat earlier packets against loss (default: as the profile)

running
  --duration SECONDS     leave this long after the first connection
  --events human|json[:FILE]   what happens, on stdout (stderr where sound goes to
                         stdout) or in FILE (default human)
  --stats SECONDS        a `stats` event this often
  --control -            read commands from stdin, one a line (below)
  --files DIR            store files that others send here; else they are only told
  --rpc METHOD=COMMAND   answer calls of METHOD by this command (no shell): the payload is
                         its input, its output the answer; may be given again
  --rpc-environment NAME   a variable that these commands get too: without, PATH, HOME
                         and the like, and no secret of ours; may be given again
  --retry forever|never  forever: keep trying the first connection too;
                         never: end when the connection is lost
  --ca FILE              trust the certificates in this PEM file too
  -v                     more words: what messages say too

commands, each answered by a `command_result`
{commands}
exit status: 0 as asked, 2 command line, 3 a file cannot be used, 4 credentials
refused, 5 server not reached, 6 sound card, 7 removed from the room
";

/// `kinglet token --help`
pub const TOKEN: &str = "\
usage: kinglet token --room R --identity I [--ttl SECONDS] [--agent NAME]
         [--job-metadata TEXT] [--deployment NAME] [--metadata TEXT] [--attribute K=V]…

Prints an access token made with $LIVEKIT_API_KEY and $LIVEKIT_API_SECRET, valid for
6 hours unless --ttl says otherwise. For development: in production a server of yours
makes tokens, and the secret stays there.
";

/// `kinglet doctor --help`
pub const DOCTOR: &str = "\
usage: kinglet doctor [--config FILE] [--tone] [--json]

Says whether this device can be in a call, a line for each check, and what to do where one
is not ok: the configuration, scheduling, time, processor and Wi-Fi; sound cards, who has
them, two seconds of the microphone; the token, the server's name, TLS, its word on the
token; and, from the room, which it enters in silence for a moment with the identity of
the configuration, the server's addresses and the way by which sound gets there. Where the
service runs it is asked instead, and stays in the room.

  --config FILE   what `kinglet run` is told; without: /etc/kinglet/kinglet.toml
  --tone          play three chirps and listen for them: echo_delay_ms of the board file
  --json          one array of {state, check, text}

Exit status 1 where a line failed: without that there is no call.
";

/// `kinglet devices --help`
pub const DEVICES: &str = "\
usage: kinglet devices [--json]

Lists the sound cards with their PCMs, rates, channels and mixer controls, as this
program would open them, and what --input auto and --output auto would choose.
";

/// `kinglet run --help`
pub const RUN: &str = "\
usage: kinglet run --config FILE [--check] [-v]

Runs a box by its configuration, until SIGTERM. /etc/kinglet/kinglet.toml shows every key.

  --config FILE          the configuration
  --check                read everything, say all that is wrong, open nothing
  -v                     more words in the journal: what messages say too
";

/// `kinglet ctl --help`
pub fn ctl() -> String {
    let lines = USAGE.iter().map(|(command, what)| format!("  {command:<22} {what}\n"));
    format!(
        "usage: kinglet ctl [--socket PATH] [--json] COMMAND\n\n\
         Gives a command to the box that runs on this device (kinglet run), and prints its answer.\n\n\
         {}  {:<22} what happens, a JSON object a line\n\n\
         \u{20} --socket PATH          its control socket (default {})\n\
         \u{20} --json                 the answer as it comes\n",
        lines.collect::<String>(),
        "watch",
        kinglet::config::SOCKET,
    )
}
