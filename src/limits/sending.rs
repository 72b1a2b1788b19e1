//! What is kept on its way from the microphone to the room.

use super::{OPUS_SENT_BYTES_MAX, RELIABLE_BYTES_MAX};

/// Bytes that may wait in the outbox before more of a file or recording is put into it: three windows, so that
/// messages between the chunks do not wait long.
pub const FILE_AHEAD_BYTES: usize = RELIABLE_BYTES_MAX * 3 / 8;

/// Packets kept from before anybody hears us: as many as a receiver's buffer may hold, 1.28 s of 20 ms packets. Fuller:
/// the oldest is dropped, and counted.
pub const PRECONNECT_PACKETS: usize = 64;

/// Samples a second of the sound that is kept for agents, as the official SDKs for telephones have it.
pub const PRECONNECT_SAMPLE_RATE_HZ: u32 = 24_000;

/// Sound that is kept for an agent that is still on its way, in samples: 10 s, after which the official SDKs
/// give up. 480 kB, held until an agent has it or the time is over. Fuller: the oldest goes.
pub const PRECONNECT_SAMPLES_MAX: usize = 10 * PRECONNECT_SAMPLE_RATE_HZ as usize;

const _: () = assert!(PRECONNECT_PACKETS * OPUS_SENT_BYTES_MAX <= 64 * 1024, "taken once, at the start");
