//! Capacities of a box at a door, and of the files that people write for it.

// ---- configuration ---------------------------------------------------------------------------

/// A configuration or board file. The commented example of every key is a tenth of it.
pub const CONFIG_BYTES_MAX: usize = 64 * 1024;

/// One text of it: a URL with a long query, a command's argument.
pub const CONFIG_TEXT_BYTES_MAX: usize = 4096;

/// Entries of one list: the arguments of a command, the identities that may do something.
pub const CONFIG_LIST_MAX: usize = 128;

/// Tables with names of the user's: the lines of a Pi's header are 28.
pub const CONFIG_SECTIONS_MAX: usize = 32;

/// Problems reported of one file. A file with more is repaired from the top.
pub const CONFIG_PROBLEMS_MAX: usize = 64;

/// Body of a token endpoint's answer: a URL and a token, which a server refuses past 8 KiB of header.
pub const TOKEN_ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Header lines that a token endpoint wants: a bearer token, which is a header of 4 KiB at most places, and a few more.
pub const TOKEN_HEADERS_BYTES_MAX: usize = 8 * 1024;

// ---- the box at the door ---------------------------------------------------------------------

/// Patterns in one list of identities: the flats of a house, or one `flat-*` for all of them.
pub const ALLOW_PATTERNS_MAX: usize = 128;

/// One such pattern: as long as an identity may be (livekit-server: `MaxParticipantIdentityLength`).
pub const ALLOW_PATTERN_BYTES_MAX: usize = 256;

/// Requests that an output remembers, so that none is granted twice. One a second for the minute that each is
/// remembered; only participants that may open the door can push out older ones.
pub const OUTPUT_WISHES_REMEMBERED: usize = 64;

/// Digits of an output's code. Eight are a hundred million codes; more are hard to remember.
pub const DIGITS_MAX: usize = 8;

/// Wrong codes for one output before none is accepted for a while (`device/lockout.rs`). A person who mistypes succeeds
/// by the third time; of the 10 000 codes of four digits this many are a chance of 1 in 2000.
pub const WRONG_CODES_MAX: u32 = 5;

/// The same for all outputs of a box together: two people may mistype at two doors, and a box with 32 outputs does not
/// give 32 times as many guesses.
pub const WRONG_CODES_OF_BOX_MAX: u32 = 2 * WRONG_CODES_MAX;

/// Decisions of a call that wait to be carried out: one input makes at most five.
pub const CALL_DECISIONS_MAX: usize = 16;

/// Actions of a box that wait to be carried out. One input makes at most the decisions of a call, an action for each
/// output, five of its own, and two refusals with their tones.
pub const INTERCOM_ACTIONS_MAX: usize = CALL_DECISIONS_MAX + CONFIG_SECTIONS_MAX + 9;

/// Output of a program that prints a token: a server refuses a header past 8 KiB, and white space is free.
pub const TOKEN_COMMAND_BYTES_MAX: usize = 16 * 1024;

/// A recording that is played at the box, at 48 kHz: a minute, 5.8 MB for as long as it plays. Longer: it is refused.
pub const RECORDING_SAMPLES_MAX: usize = 60 * 48_000;

/// Recordings that are being read: one for each tone, and as many that are to be played.
pub const RECORDINGS_LOADING_MAX: usize = 20;

/// Programs that run at a time because of an event: one for each of eight occasions, and one more for calls that others
/// begin.
pub const PROGRAMS_MAX: usize = 9;

/// Clients of the control socket at a time: a person, a panel, a collector of figures, and as many again.
pub const CONTROL_CLIENTS_MAX: usize = 8;

/// Clients that watch at a time: all but one, so that a command can always be given.
pub const WATCHERS_MAX: usize = CONTROL_CLIENTS_MAX - 1;

/// Events that wait for watching clients. A join of a full room makes as many. Slower: they are lost, and the client
/// gets the number.
pub const WATCHED_EVENTS_MAX: usize = super::EVENTS_MAX;

/// The same in bytes, for all watching clients together: ten of the largest messages.
pub const WATCHED_BYTES_MAX: usize = 1024 * 1024;

/// What is on its way to a box's decisions: one of each line, key and client at a time, and some events.
pub const APPLIANCE_INPUTS_MAX: usize = 2 * CONFIG_SECTIONS_MAX + CONTROL_CLIENTS_MAX + 24;
