//! Every capacity of the program, each with where it comes from.
//!
//! Nothing that a remote party sends can grow memory past these numbers: what does not fit is
//! refused or dropped, and counted. Full buffers are normal, so each table says what happens then.
//!
//! ```text
//! network ─► message ≤ 4 MiB ─► ≤ 128 participants ─► ≤ 16 subscribed tracks ─► ≤ 8 decoded talkers
//!            datagram ≤ 2 KiB                          64 packets, 32 KiB each    10 ms blocks
//! ```

// ---- room ------------------------------------------------------------------------------------

/// Participants known at a time. A house has tens of panels; those without a microphone are
/// evicted first, and counted.
pub const PARTICIPANTS_MAX: usize = 128;

/// Tracks remembered per participant. Camera, microphone, screen and screen sound are four; twice
/// that leaves room for a second of each.
pub const TRACKS_PER_PARTICIPANT_MAX: usize = 8;

/// Remote audio tracks subscribed at a time. Each costs one m-line that the server recycles.
pub const SUBSCRIPTIONS_MAX: usize = 16;

/// Talkers decoded and mixed at a time: 8 × 1.1 % of an A53 core for Opus, and more voices at once
/// are not understood by anybody.
pub const TALKERS_MAX: usize = 8;

/// Active speakers kept from the server's deltas: all who can be known.
pub const SPEAKERS_MAX: usize = PARTICIPANTS_MAX;

// ---- text ------------------------------------------------------------------------------------

/// A participant, track or room SID: two letters, `_`, 12 to 26 characters (protocol `utils/guid`).
pub const SID_BYTES_MAX: usize = 48;

/// A participant's identity (the server refuses more than 256 bytes with a 400).
pub const IDENTITY_BYTES_MAX: usize = 256;

/// A participant's or track's name (the server's limit).
pub const NAME_BYTES_MAX: usize = 256;

/// A room name (the server's limit).
pub const ROOM_NAME_BYTES_MAX: usize = 256;

/// Metadata of a participant or room kept; the server allows 512 KiB, a box has no use for more
/// than a page of JSON. Longer metadata is dropped and counted.
pub const METADATA_BYTES_MAX: usize = 16 * 1024;

/// Attributes kept per participant, the sum of keys and values (the server allows 64 KiB).
pub const ATTRIBUTES_BYTES_MAX: usize = 16 * 1024;

/// A JWT. The server's own refresh tokens are below 1 KiB; 16 KiB is what proxies take in a header.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Text of the server shown to a person in one line, after control characters are taken out.
pub const SERVER_TEXT_BYTES_MAX: usize = 300;

// ---- signal connection -----------------------------------------------------------------------

/// One WebSocket message. The largest real one is a join of a full room (128 × ~4 KiB); the
/// WebSocket library's own default would be 64 MiB.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes waiting to be written to the WebSocket before the connection counts as stuck: a
/// description of 16 m-lines (~12 KiB) twenty times over.
pub const WRITE_BUFFER_BYTES_MAX: usize = 256 * 1024;

/// Messages between the WebSocket task and the driver, each way. A join is followed by about ten
/// messages at once; the reader waits when it is full.
pub const SIGNAL_MAILBOX_MESSAGES: usize = 32;

/// Body of an HTTP refusal that is read (the server answers in one line).
pub const REFUSAL_BODY_BYTES_MAX: usize = 4 * 1024;

/// A session description that we parse: 18 m-lines of ~700 bytes, four times over.
pub const SDP_BYTES_MAX: usize = 64 * 1024;

/// m-lines in a description: each subscription, the data section and one spare.
pub const M_LINES_MAX: usize = SUBSCRIPTIONS_MAX + 2;

/// One candidate line (IPv6, ufrag and network cost included: below 250 bytes).
pub const CANDIDATE_BYTES_MAX: usize = 512;

/// Remote candidates held back until they can be used, per peer connection. The server trickles
/// one for each of its addresses and protocols.
pub const CANDIDATES_HELD_MAX: usize = 32;

// ---- transport -------------------------------------------------------------------------------

/// Local addresses used for media: two interfaces with one IPv4 and two IPv6 addresses each, and loopback.
pub const LOCAL_ADDRESSES_MAX: usize = 8;

/// One UDP payload. WebRTC stays below 1200 bytes; the Ethernet MTU and a little.
pub const DATAGRAM_BYTES_MAX: usize = 2048;

/// Datagrams served in one turn of the loop, so that a flood cannot keep the sound waiting.
pub const DATAGRAMS_PER_TURN: usize = 16;

// ---- audio -----------------------------------------------------------------------------------

/// One Opus packet (RFC 6716 §3.4: 1275 bytes a frame).
pub const OPUS_PACKET_BYTES_MAX: usize = 1275;

/// An Opus packet that we send. One frame must fit one datagram, since no receiver joins two.
pub const OPUS_SENT_BYTES_MAX: usize = 1000;

/// Packets held per talker before their playout: 1.28 s of 20 ms packets.
pub const RING_PACKETS: usize = 64;

/// Payload bytes held per talker: 64 packets of 512 bytes (204 kbit/s). Fuller: the oldest goes.
pub const RING_BYTES: usize = 32 * 1024;

// ---- application -----------------------------------------------------------------------------

/// Events waiting for the application. A join of a full room makes one for each participant and
/// track; later ones are few. Fuller: the event is counted as lost and said once.
pub const EVENTS_MAX: usize = PARTICIPANTS_MAX * 4;

/// Commands waiting for the engine. A person types one at a time.
pub const COMMANDS_MAX: usize = 16;

/// One line on the control input.
pub const CONTROL_LINE_BYTES_MAX: usize = 16 * 1024;

const _: () = assert!(TALKERS_MAX <= SUBSCRIPTIONS_MAX);
const _: () = assert!(RING_PACKETS.is_power_of_two());
const _: () = assert!(RING_BYTES >= 2 * OPUS_PACKET_BYTES_MAX);
const _: () = assert!(OPUS_SENT_BYTES_MAX <= 1100, "one Opus frame, one datagram");
