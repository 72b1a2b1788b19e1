//! What a microphone or loudspeaker reports: its state, the result of a read, counters, notes about its card.

use crate::io::sound::open_error::OpenError;

/// The state of a sound source or sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoundState {
    /// It works, or waits to be started.
    Open,
    /// The card is gone, and is being looked for.
    Lost,
    /// It has ended for good: the input is at its end, or the output has no reader any more.
    Closed,
}

/// The result of [`Microphone::read`](super::Microphone::read).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Captured {
    /// A block; there may be more.
    Block,
    /// Nothing yet: wait for the descriptors, or [`Microphone::next_due`](super::Microphone::next_due).
    NotYet,
    /// The input has ended; it stays so.
    End,
}

/// Counters of a microphone or a loudspeaker. They only grow; the difference of two readings
/// belongs to the time between them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SoundCounters {
    /// Overruns (capture) or underruns (playback) of the card.
    pub xruns: u32,
    /// Frames, at 48 kHz, that silence stood in for after overruns.
    pub frames_lost: u64,
    /// Times the card was opened again after it was lost.
    pub reopens: u32,
    /// Wake-ups by the card that brought nothing.
    pub empty_wakes: u32,
    /// Blocks for which a pipe had nothing to read; silence was taken.
    pub blocks_starved: u32,
    /// Blocks that could not be delivered: the reader is slow or gone, the disk is full, the card is away.
    pub blocks_dropped: u32,
    /// Times the loop was so late that the clock of a source without a card was set again.
    pub late_turns: u32,
}

/// A change of a card that a person should know of, reported once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardNote {
    /// It xruns again and again, and has this period now.
    PeriodRaised {
        /// Time between two wake-ups.
        period_ms: u32,
    },
    /// It reports that it is ready when it is not; our clock serves it.
    ServedByClock,
    /// It cannot be had yet, and is waited for.
    Awaited(OpenError),
}

impl CardNote {
    /// As a sentence; `direction` is what is done with the card, `name` its PCM.
    pub fn words(&self, direction: &str, name: &str) -> String {
        match self {
            CardNote::PeriodRaised { period_ms } => format!(
                "{direction} of '{name}' broke off three times in ten seconds: from now on its period is {period_ms} ms"
            ),
            CardNote::ServedByClock => {
                format!(
                    "{direction} of '{name}' reports that it is ready when it is not: served by the clock from now on"
                )
            }
            CardNote::Awaited(error) => format!("{direction} begins later: {error}"),
        }
    }
}
