//! Every capacity of the program, each with where it comes from.
//!
//! Nothing that a remote party sends can grow memory past these numbers: items that do not fit are refused or dropped,
//! and counted. Full buffers are normal, so each table names the consequence.
//!
//! ```text
//! network ─► message ≤ 4 MiB ─► ≤ 128 participants ─► ≤ 16 subscribed tracks ─► ≤ 8 decoded talkers
//!            datagram ≤ 2 KiB                          64 packets, 32 KiB each    10 ms blocks
//! ```

mod data;
mod device;
mod sending;

pub use data::*;
pub use device::*;
pub use sending::*;

// ---- room ------------------------------------------------------------------------------------

/// Participants known at a time. A house has tens of panels; those without a microphone are
/// evicted first, and counted.
pub const PARTICIPANTS_MAX: usize = 128;

/// Participants read from one message: four times what is kept, so that [`room`](crate::room) can choose
/// those with a microphone among them. At ~1.2 KiB each with full track lists, and without the texts (which
/// the message's own size bounds), 600 KiB for a moment.
pub const PARTICIPANTS_PER_MESSAGE_MAX: usize = 4 * PARTICIPANTS_MAX;

/// Tracks remembered per participant. Camera, microphone, screen and screen sound are four; twice
/// that leaves room for a second of each.
pub const TRACKS_PER_PARTICIPANT_MAX: usize = 8;

/// Remote audio tracks subscribed at a time. Each costs one m-line that the server recycles.
pub const SUBSCRIPTIONS_MAX: usize = 16;

/// Tracks remembered that are kept from us, by their publishers or for lack of bandwidth: each that we
/// can ask for, and as many that we have asked for before.
pub const FORWARDING_MARKS_MAX: usize = 2 * SUBSCRIPTIONS_MAX;

/// Overrides for single tracks or identities: one for each participant that can be known. Past it the oldest is
/// removed.
pub const OVERRIDES_MAX: usize = PARTICIPANTS_MAX;

/// Identities in a subscription policy or an audience. More than that is a group, and has a `*`.
pub const PATTERNS_MAX: usize = 32;

/// Talkers decoded and mixed at a time: 8 × 1.1 % of an A53 core for Opus, and more voices at once cannot be
/// understood.
pub const TALKERS_MAX: usize = 8;

/// Active speakers kept from the server's deltas: all participants that can be known.
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

/// Attributes per participant: at 16 KiB together, 128 of them still have 128 bytes each.
pub const ATTRIBUTES_MAX: usize = 128;

/// Our own name of a track, as the server repeats it (36 characters in official clients).
pub const CID_BYTES_MAX: usize = 64;

/// An m-line's `a=mid` (RFC 8843 §7.1: should be 1 to 3 bytes; str0m keeps 16).
pub const MID_BYTES_MAX: usize = 16;

/// STUN and TURN servers taken from a join, and URLs of each. A LiveKit server names two or three.
pub const ICE_SERVERS_MAX: usize = 8;

/// One URL of a STUN or TURN server (a host name is at most 253 bytes), its user name or credential.
pub const ICE_SERVER_TEXT_BYTES_MAX: usize = 512;

/// Track sources named in a permission; the protocol knows five.
pub const PERMITTED_SOURCES_MAX: usize = 16;

/// A version, region or node name of the server.
pub const SERVER_FACT_BYTES_MAX: usize = 128;

/// Metadata and attributes that go into one token, together: in base64 5.5 KiB of the 8 KiB that a server takes in a header.
pub const TOKEN_DETAILS_BYTES_MAX: usize = 4096;

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

/// A message of the server past which no other is read before the driver has it: joins of crowded rooms. So those that wait
/// are at most 2 MiB of smaller ones, and a large one.
pub const SIGNAL_MESSAGE_LARGE_BYTES: usize = 64 * 1024;

/// Head of a proxy's answer to `CONNECT`: a status line and a few headers, of which nothing but the status is used.
pub const PROXY_ANSWER_BYTES_MAX: usize = 4 * 1024;

/// Body of an HTTP refusal that is read (the server answers in one line).
pub const REFUSAL_BODY_BYTES_MAX: usize = 4 * 1024;

/// Regions of LiveKit's cloud that are tried, nearest first: it names about ten, and if none of the first eight can be
/// reached there is no network.
pub const REGIONS_MAX: usize = 8;

/// The list of regions: 100 bytes each, ten times over.
pub const REGIONS_BYTES_MAX: usize = 8 * 1024;

/// A session description that we parse: 34 m-lines of ~700 bytes, twice over.
pub const SDP_BYTES_MAX: usize = 64 * 1024;

/// m-lines in a description: each subscription, as many that ended and are not given to another track
/// yet, the data section and one spare.
pub const M_LINES_MAX: usize = 2 * SUBSCRIPTIONS_MAX + 2;

/// Data channels of one peer connection: LiveKit has three, and str0m keeps a kilobyte of each that was ever opened.
pub const CHANNELS_MAX: usize = 16;

/// One candidate line (IPv6, ufrag and network cost included: below 250 bytes).
pub const CANDIDATE_BYTES_MAX: usize = 512;

/// SSRCs of one m-line: one stream, and its spares (RTX is not negotiated).
pub const SSRCS_PER_LINE_MAX: usize = 4;

/// Remote candidates, per peer connection and generation of ICE. The server trickles one for each of
/// its addresses and protocols.
pub const CANDIDATES_MAX: usize = 32;

/// Shortest and longest time between two pings. The server sets 5 s.
pub const PING_INTERVAL_SECONDS: std::ops::RangeInclusive<u64> = 1..=60;

/// Shortest and longest silence until the signal connection counts as dead. The server sets 15 s.
pub const PING_TIMEOUT_SECONDS: std::ops::RangeInclusive<u64> = 3..=120;

// ---- transport -------------------------------------------------------------------------------

/// Local addresses used for media: two interfaces with one IPv4 and two IPv6 addresses each, and loopback.
pub const LOCAL_ADDRESSES_MAX: usize = 8;

/// One UDP payload. WebRTC stays below 1200 bytes; the Ethernet MTU and a little.
pub const DATAGRAM_BYTES_MAX: usize = 2048;

/// STUN servers that are asked how they see us, of all that a join names: one may be gone.
pub const STUN_SERVERS_MAX: usize = 2;

/// Binding requests of one peer connection that wait for a response: one from each socket to each server.
pub const BINDINGS_MAX: usize = LOCAL_ADDRESSES_MAX * STUN_SERVERS_MAX;

/// Checks of one peer connection that wait for their answers: each of its pairs is checked once a second, seldom more
/// than two of them after the first seconds, and a path with a round trip of several seconds is unusable for a call.
pub const CHECKS_MAX: usize = 16;

/// Addresses that are used of one STUN or TURN server's name: one for each family, and a spare.
pub const ICE_SERVER_ADDRESSES_MAX: usize = 4;

/// Addresses of the server that a TURN server lets through to us: each that it may name.
pub const RELAY_PEERS_MAX: usize = CANDIDATES_MAX;

/// Addresses of the server that got a channel on a TURN server: the nominated one, and those of a few restarts.
/// The next ones get longer headers.
pub const RELAY_CHANNELS_MAX: usize = 8;

/// Datagrams that wait for a permission of a TURN server, or to be sent to it: a check to each address that is
/// probable, and an SCTP burst of 16 KiB.
pub const RELAY_WAITING_MAX: usize = 16;

/// Links whose carrier is followed: Ethernet, Wi-Fi, a modem, and twice as many that bridges and containers make.
pub const LINKS_MAX: usize = 16;

/// One read of the kernel's network messages, which have at most 8 KiB (`NLMSG_GOODSIZE`).
pub const NETLINK_BYTES: usize = 8 * 1024;

/// TCP addresses of the server that are kept per peer connection, to be tried one after the other: it names
/// one for each of its own addresses.
pub const STREAM_ADDRESSES_MAX: usize = 8;

/// Addresses that a good check of ICE came from, per peer connection: each that the server may name, by UDP and by
/// TCP. Past it the one that was silent longest must be checked again before anything else is taken from it.
pub const VALIDATED_ADDRESSES_MAX: usize = CANDIDATES_MAX + STREAM_ADDRESSES_MAX;

/// TCP connections that carry datagrams: for each of the two peer connections one to the server and one to a TURN server.
pub const STREAMS_MAX: usize = 4;

/// Bytes waiting for a slow TCP connection (ICE-TCP): two SCTP bursts of 16 KiB, or 8 s of sound. Fuller:
/// the datagram is lost and counted.
pub const STREAM_QUEUE_BYTES: usize = 32 * 1024;

/// Datagrams served in one turn of the loop, so that a flood cannot keep the sound waiting.
pub const DATAGRAMS_PER_TURN: usize = 16;

// ---- audio -----------------------------------------------------------------------------------

/// One Opus packet (RFC 6716 §3.4: 1275 bytes a frame).
pub const OPUS_PACKET_BYTES_MAX: usize = 1275;

/// An Opus packet that we send. One frame must fit one datagram, since no receiver joins two.
pub const OPUS_SENT_BYTES_MAX: usize = 1000;

/// Sound in one Opus packet, in samples of 48 kHz: 120 ms (RFC 6716 §3.2.5, R5).
pub const OPUS_PACKET_SAMPLES_MAX: usize = 48_000 * 120 / 1000;

/// Packets held per talker before their playout: 1.28 s of 20 ms packets.
pub const PACKET_BUFFER_PACKETS: usize = 64;

/// Payload bytes held per talker: 64 packets of 512 bytes (204 kbit/s). Fuller: the oldest goes.
pub const PAYLOAD_SLAB_BYTES: usize = 32 * 1024;

/// Unit in which those bytes are given to packets: one 20 ms packet of 48 kbit/s, what browsers send.
pub const PAYLOAD_CELL_BYTES: usize = 128;

/// Earlier packets taken from one RED packet (RFC 2198). Browsers send one, we up to two; more would come too
/// late to be played.
pub const RED_COPIES_MAX: usize = 4;

/// Earlier packets that one of ours carries again at most. With two, one packet in a hundred is missing at 20 % loss; a
/// third would cost as much again for one in five hundred.
pub const RED_SENT_COPIES_MAX: usize = 2;

/// Blocks of a RED packet that are looked at: offsets of 14 bits reach 341 ms back, 17 packets of 20 ms.
pub const RED_BLOCKS_MAX: usize = 17;

/// Sound of a talker that may wait: 400 ms, twice the largest delay for jitter. More is dropped.
pub const WAITING_MS_MAX: u32 = 400;

/// Samples of a talker kept after they were played: the longest period of a voice, 12.5 ms (80 Hz).
pub const PCM_HISTORY_SAMPLES: usize = 600;

/// Decoded samples that wait when the next packet is decoded: two periods, to be compared.
pub const PCM_AHEAD_SAMPLES: usize = 2 * PCM_HISTORY_SAMPLES;

/// Decoded samples held per talker: those played, those ahead, one packet, and one period more during time-scaling.
pub const PCM_QUEUE_SAMPLES: usize =
    PCM_HISTORY_SAMPLES + PCM_AHEAD_SAMPLES + OPUS_PACKET_SAMPLES_MAX + PCM_HISTORY_SAMPLES;

/// Played samples that are kept until the microphone has heard them: what waits in two cards whose
/// periods were lengthened to 80 ms (3 and 4 of them), and a block on each side. 0.68 s.
pub const REFERENCE_SAMPLES: usize = 32_768;

// ---- sound cards and files -------------------------------------------------------------------

/// Descriptors of one PCM: one for a card, two or three for plugins that join or share cards.
pub const CARD_DESCRIPTORS_MAX: usize = 8;

/// Notes of one card that wait to be reported: one for each of its periods, and that our clock serves it.
pub const CARD_NOTES_MAX: usize = 4;

/// Subdevices of a PCM whose holders are looked up. Cards that mix have up to 32.
pub const CARD_HOLDERS_MAX: usize = 32;

/// Mixer controls that a board file sets. A WM8960 needs about ten.
pub const BOARD_LEVELS_MAX: usize = 32;

/// Channels of a card that we open. The widest microphone arrays and interfaces have 32.
pub const CARD_CHANNELS_MAX: u32 = 32;

/// Rate of a card that we open: above the highest that is sold with a fixed rate.
pub const CARD_RATE_HZ_MAX: u32 = 192_000;

/// Channels of a WAV file: WAVE_FORMAT_EXTENSIBLE names 18 places; three times over.
pub const WAV_CHANNELS_MAX: u16 = 64;

/// Rate of a WAV file: the highest that recorders write.
pub const WAV_RATE_HZ_MAX: u32 = 384_000;

/// Chunks of a WAV file looked at before its samples. Tagged files have tens.
pub const WAV_CHUNKS_MAX: usize = 1024;

/// Bytes read ahead from a pipe: 100 ms of s16 at 48 kHz. Beyond that the writer waits, so that
/// what it writes now is heard now.
pub const RAW_INPUT_BYTES: usize = 9_600;

/// Bytes waiting for a slow reader of our raw output: 64 KiB, as much as a pipe holds (0.7 s).
/// Fuller: the block is dropped and counted.
pub const RAW_OUTPUT_BYTES: usize = 64 * 1024;

/// Bytes gathered before a WAV file is written to: 100 ms, ten writes a second.
pub const WAV_WRITE_BYTES: usize = 9_600;

/// Blocks that a source or sink without a card makes up for after a late turn of the loop. An input that is later (100
/// ms) continues from now; an output catches up over several turns.
pub const CATCH_UP_BLOCKS_MAX: usize = 10;

/// Milliseconds of silence in the place of capture lost in an overrun, at most: longer gaps need no exact length.
pub const CAPTURE_GAP_MS_MAX: u32 = 1_000;

// ---- application -----------------------------------------------------------------------------

/// Events waiting for the application. A join of a full room makes one for each participant and track; later ones are
/// few. Fuller: the event is counted as lost, and one warning reports it.
pub const EVENTS_MAX: usize = PARTICIPANTS_MAX * 4;

/// Events waiting for the application, in bytes as JSON: those of the largest message of the server. Fuller: as above.
pub const EVENT_BYTES_MAX: usize = MESSAGE_BYTES_MAX;

/// Events handed to the program that it has not taken yet, in bytes as JSON: ten of the largest messages. Fuller: they
/// wait with the engine.
pub const CLIENT_QUEUE_EVENT_BYTES_MAX: usize = 1024 * 1024;

/// Actions waiting for the io ring. A join makes about ten, each turn takes all.
pub const ACTIONS_MAX: usize = 64;

/// Datagrams waiting to be sent, of both peer connections. One input makes a handful (an SCTP burst
/// of 16 KiB is 14); each turn takes all. Fuller: the network would have lost them as well.
pub const TRANSMITS_MAX: usize = 64;

/// Commands waiting for the engine. A person types one at a time.
pub const COMMANDS_MAX: usize = 16;

/// Commands that wait for an answer of the server or of another participant: 16 remote calls, and as
/// many requests to the server. More are refused.
pub const ANSWERS_MAX: usize = 32;

/// One line on the control input: 16 KiB of text, of which each byte may need an escape.
pub const CONTROL_LINE_BYTES_MAX: usize = 32 * 1024;

const _: () = assert!(PARTICIPANTS_MAX <= PARTICIPANTS_PER_MESSAGE_MAX);
const _: () = assert!(TALKERS_MAX <= SUBSCRIPTIONS_MAX);
const _: () = assert!(PACKET_BUFFER_PACKETS.is_power_of_two());
const _: () = assert!(PAYLOAD_SLAB_BYTES >= 2 * OPUS_PACKET_BYTES_MAX);
const _: () = assert!(PAYLOAD_SLAB_BYTES.is_multiple_of(PAYLOAD_CELL_BYTES));
const _: () = assert!(OPUS_SENT_BYTES_MAX <= 1100, "one Opus frame, one datagram");
const _: () =
    assert!(RAW_OUTPUT_BYTES.is_multiple_of(2) && RAW_INPUT_BYTES.is_multiple_of(2), "whole samples");
