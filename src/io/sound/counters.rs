//! What went wrong on one side of the sound, counted since it was opened.

/// Counters of a microphone or a loudspeaker. They only grow; the difference of two readings
/// belongs to the time between them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SoundCounters {
    /// Overruns (capture) or underruns (playback) of the card.
    pub xruns: u32,
    /// Frames, at 48 kHz, that silence stood in for after overruns.
    pub frames_lost: u64,
    /// Times the card was opened anew after it was lost.
    pub reopens: u32,
    /// Wake-ups by the card that brought nothing.
    pub empty_wakes: u32,
    /// Blocks for which a pipe had nothing to read; silence was taken.
    pub blocks_starved: u32,
    /// Blocks that could not be delivered: the reader is slow or gone, the disk is full, the card is away.
    pub blocks_dropped: u32,
    /// Times the loop came so late that the clock of a source without a card was set anew.
    pub late_turns: u32,
}
