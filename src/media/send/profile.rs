//! What a call is to be good at: three sets of numbers that belong together.
//!
//! | profile | packet | Opus, bit/s | RED copies | noise suppression | waits for late packets |
//! | --- | --- | --- | --- | --- | --- |
//! | default | 20 ms | 16 000 to 32 000 | 1, 2 under heavy loss | as wanted | 200 ms |
//! | low latency | 10 ms | 24 000 to 32 000 | 1, 2 under heavy loss | none: it looks ahead by 6 ms | 80 ms |
//! | metered | 40 ms | 12 000 to 20 000 | none: each doubles the bill | as wanted | 200 ms |

use std::ops::RangeInclusive;

use crate::media::receive::delay_target::TARGET_MS_MAX;
use crate::media::send::audio_processor::Duplex;
use crate::media::send::encode::PacketDuration;

/// A set of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AudioProfile {
    /// Good sound over an ordinary link.
    #[default]
    Default,
    /// 10 ms packets: half the delay that is ours, for twice the packets.
    LowLatency,
    /// A link that is paid by the megabyte.
    Metered,
}

impl AudioProfile {
    /// The names that users choose from.
    pub const NAMES: [(&str, AudioProfile); 3] = [
        ("default", AudioProfile::Default),
        ("low-latency", AudioProfile::LowLatency),
        ("metered", AudioProfile::Metered),
    ];

    /// Sound in one packet.
    pub fn packet(self) -> PacketDuration {
        match self {
            AudioProfile::Default => PacketDuration::Ms20,
            AudioProfile::LowLatency => PacketDuration::Ms10,
            AudioProfile::Metered => PacketDuration::Ms40,
        }
    }

    /// Bits a second of Opus, without copies and headers: from what a bad link gets to what a good one does.
    /// 10 ms packets need a third more for the same quality (PESQ-WB 4.00 at 32 000, against 3.95 of 20 ms
    /// packets at 24 000).
    pub fn bitrate_bps(self) -> RangeInclusive<u32> {
        match self {
            AudioProfile::Default => 16_000..=32_000,
            AudioProfile::LowLatency => 24_000..=32_000,
            AudioProfile::Metered => 12_000..=20_000,
        }
    }

    /// Bits a second at the start, before the receiver has reported anything.
    pub fn initial_bitrate_bps(self) -> u32 {
        match self {
            AudioProfile::Default => 24_000,
            AudioProfile::LowLatency => 32_000,
            AudioProfile::Metered => 16_000,
        }
    }

    /// The greatest delay that jitter may cost what is heard. Low latency gives up what is later than 80 ms: with both
    /// cards it is 150 ms at most then from mouth to ear, where ITU-T G.114 sees a conversation begin to suffer.
    pub fn target_ms_max(self) -> u32 {
        match self {
            AudioProfile::LowLatency => 80,
            AudioProfile::Default | AudioProfile::Metered => TARGET_MS_MAX,
        }
    }

    /// Whether lost packets may be repaired by sending each more than once.
    pub fn may_repeat(self) -> bool {
        self != AudioProfile::Metered
    }

    /// What of `wanted` it allows.
    pub fn allows(self, wanted: Duplex) -> Duplex {
        match (self, wanted) {
            (AudioProfile::LowLatency, Duplex::Full { level, .. }) => Duplex::Full { noise: false, level },
            (_, wanted) => wanted,
        }
    }
}
