//! Microphones and loudspeakers, and what can stand in for them: files, pipes, a tone.
//!
//! ```text
//! card ── stream ─ capture ──┐           pair             ┌── playback ─ stream ── card
//! wav ─── wav_reader ─┐      ├─► Microphone   Loudspeaker ┤      ┌─ wav_writer ─── wav
//! raw ─── raw_reader ─┼ pace ┘   read(block)  write(block)└ pace ┴─ raw_writer ─── raw
//! tone ───────────────┘
//! ```
//!
//! Inside there are only [blocks](crate::media::block::Block): rate, channels and sample format end
//! here. A card is its own clock: it wakes the driver through its descriptors, capture pushes and
//! playback pulls. Everything else has no clock, so `pace` counts 10 ms steps of the caller's `now`.
//! A card that is lost wakes nobody and moves no blocks until it is opened again by the same name; the time
//! without a microphone is counted, so that RTP time goes on.
//!
//! Nothing here waits. Sound is never blocked by a full pipe or an empty one; what is lost is counted.

// Files are this module's business; the core has none (.clippy.toml).
#![allow(clippy::disallowed_types)]

mod absence;
pub mod auto;
pub mod board;
mod capture;
pub mod captured;
pub mod card;
pub mod counters;
mod end;
mod follow;
pub mod holder;
mod hotplug;
pub mod list;
pub mod loudspeaker;
pub mod microphone;
pub mod mixer;
pub mod note;
pub mod open_error;
mod pace;
pub mod pair;
mod pcm;
pub mod pcm_name;
mod playback;
mod raw_reader;
mod raw_writer;
mod readiness;
pub(crate) mod recording;
pub mod settings;
pub mod setup;
pub mod sizes;
pub mod spec;
mod stream;
#[cfg(test)]
mod tests;
mod tone;
pub mod trial;
mod watch;
mod wav_header;
mod wav_reader;
mod wav_writer;
mod xruns;

pub use auto::{AutoChoice, auto_choice};
pub use captured::Captured;
pub use counters::SoundCounters;
pub use loudspeaker::Loudspeaker;
pub use microphone::Microphone;
pub use open_error::OpenError;
pub use sizes::Way;
pub use spec::{InputSpec, OutputSpec};

/// Where a sound source or sink stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoundState {
    /// It works, or waits to be started.
    Open,
    /// The card is gone, and is being looked for.
    Lost,
    /// It has ended for good: the input is at its end, or nobody reads the output any more.
    Closed,
}
