//! What reading from a source of sound comes to.

/// What a call of [`Microphone::read`](super::Microphone::read) brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Captured {
    /// A block; there may be more.
    Block,
    /// Nothing yet: wait for the descriptors, or [`Microphone::next_due`](super::Microphone::next_due).
    NotYet,
    /// The input has ended; it stays so.
    End,
}
