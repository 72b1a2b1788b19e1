//! What happened to a talker's packets and blocks, as totals that only grow.

/// Totals since the talker was made; a restart keeps them. Rates are differences of two readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReceiveCounters {
    /// Packets that arrived, the useless ones included.
    pub received: u64,
    /// Packets that were not there when they were due. Those of them that came afterwards are `late` too.
    pub lost: u64,
    /// Packets that came after their place was played, and were thrown away.
    pub late: u64,
    /// Packets that were there already.
    pub duplicate: u64,
    /// Packets that came after one with a higher sequence number, and in time.
    pub reordered: u64,
    /// Packets that are not Opus. If the first bytes show that, their place counts as `lost`, too.
    pub invalid: u64,
    /// Packets thrown away unplayed: the buffer was full, or too much sound was waiting after a stall.
    pub dropped_packets: u64,
    /// Lost packets of which a later one carried a copy (RFC 2198).
    pub red_recovered: u64,
    /// Lost packets that the following packet's in-band FEC brought back.
    pub fec_recovered: u64,
    /// Blocks handed out while the talker was being played, concealed ones included.
    pub played_blocks: u64,
    /// Blocks that were concealed, or silent after a fade, because the packet was lost or late. Blocks in a stall are
    /// counted when the next packet shows its cause; pauses of the sender are never counted.
    pub concealed_blocks: u64,
    /// Blocks left out because a stream that stopped starts again from the target, or a buffer ran over.
    pub dropped_blocks: u64,
    /// Samples that time-scaling took out, to lower the delay.
    pub removed_samples: u64,
    /// Samples that time-scaling put in, to raise the delay.
    pub added_samples: u64,
    /// Packets that were played, and how long they waited for it together, in samples.
    pub played_packets: u64,
    /// Samples that the played packets waited for their playout, in total.
    pub waited_samples: u64,
    /// Times that the stream restarted: another SSRC, or a jump of its sequence numbers.
    pub restarts: u64,
}
