//! Data: messages, calls, texts, files.

use super::PARTICIPANTS_MAX;

/// One data packet that is read: what the server itself reads and announces (`dataChannelBufferSize`).
/// Decoded, lists of empty entries could grow it to twelve times that for a moment.
pub const DATA_PACKET_BYTES_MAX: usize = 65_535;

/// One data packet that is sent, all fields together: what official clients allow themselves, since one
/// past the announced size would end the association.
pub const DATA_SENT_BYTES_MAX: usize = 64_000;

/// A topic, method, MIME type, or the name of a file: as long as a participant's name may be.
pub const DATA_NAME_BYTES_MAX: usize = 256;

/// The number of a stream, call, message or segment; a UUID has 36 characters.
pub const DATA_ID_BYTES_MAX: usize = 64;

/// Identities that one message is for: every participant that can be known.
pub const DESTINATIONS_MAX: usize = PARTICIPANTS_MAX;

/// Reliable packets that wait for the path or for their confirmation, in bytes: seventeen chunks of a stream, or two
/// seconds of a slow mobile line. Fuller: the sender gets an error.
pub const RELIABLE_BYTES_MAX: usize = 256 * 1024;

/// Reliable packets handed to SCTP and not confirmed yet, in bytes: 28 datagrams, which with those of the
/// sound fit into [`TRANSMITS_MAX`](super::TRANSMITS_MAX). At 100 ms of round trip it still moves 320 kB a second.
pub const RELIABLE_WINDOW_BYTES: usize = 32 * 1024;

/// Lossy packets that wait for their channel to open, once for each session. Fuller: the oldest goes.
pub const LOSSY_WAITING_MAX: usize = 16;

/// Data packets that one datagram can set free (those behind a hole); more are dropped and counted.
pub const DATA_PACKETS_PER_DRAIN: usize = 4096;

/// Content of one chunk of a stream that is sent (what all official clients use).
pub const STREAM_CHUNK_BYTES: usize = 15_000;

/// Streams that arrive at a time. More are refused, and counted.
pub const STREAMS_IN_MAX: usize = 8;

/// Text of a stream that is collected before it is reported; a longer one is reported in pieces of this size.
pub const STREAM_TEXT_BYTES_MAX: usize = 64 * 1024;

/// Text that is sent as one stream: what fits at once into [`RELIABLE_BYTES_MAX`], twice. Longer text is a file.
pub const TEXT_SENT_BYTES_MAX: usize = 100_000;

/// Bytes of one stream that are stored or counted. A door's picture has a few hundred kilobytes; a card of
/// 8 GB is not filled by one sender in a day.
pub const STREAM_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Files that are sent at a time.
pub const FILES_SENT_MAX: usize = 4;

/// Files that the io ring has open: those sent and received, and as many that are about to end.
pub const FILES_MAX: usize = 2 * (STREAMS_IN_MAX + FILES_SENT_MAX);

/// Orders that wait for the disk, for one file: each is what one datagram set free. Fuller: the disk is too
/// slow, and the file fails.
pub const FILE_ORDERS_MAX: usize = 64;

/// Bytes in the folder of received files beyond which none is added.
pub const STORED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Participants whose way of sending captions is remembered: a room has one or two agents, a large one some.
pub const CAPTION_SENDERS_MAX: usize = 16;

/// Captions of one sender that wait half a second for a stream: those of two speakers in that time.
pub const CAPTIONS_HELD_MAX: usize = 4;

/// Numbers of chat messages remembered, since many come twice: as a packet and as a stream.
pub const CHAT_IDS_MAX: usize = 32;

/// What a call carries there, and back (RPC version 1).
pub const RPC_PAYLOAD_BYTES_MAX: usize = 15_360;

/// The words of a call's failure (RPC version 1).
pub const RPC_MESSAGE_BYTES_MAX: usize = 256;

/// Calls that wait for their answers, in each direction. More are refused.
pub const RPC_PENDING_MAX: usize = 16;

/// Numbers of calls remembered, so that none is carried out twice: those pending, and three times as many again.
pub const RPC_REMEMBERED_MAX: usize = 4 * RPC_PENDING_MAX;
