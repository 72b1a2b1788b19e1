//! Microphones and loudspeakers, and their substitutes: files, pipes, a tone.
//!
//! ```text
//! card ─ pcm_stream ─ capture ┐            pair             ┌ playback ─ pcm_stream ─ card
//! wav ── wav_reader ──┐       ├─► Microphone   Loudspeaker ─┤       ┌─ wav_writer ──── wav
//! raw ── raw_reader ──┼─ pace ┘   read(block)  write(block) └─ pace ┴─ raw_writer ──── raw
//! tone ───────────────┘
//! ```
//!
//! Inside there are only [blocks](crate::media::block::Block): rate, channels and sample format end here. A card is its
//! own clock: it wakes the driver through its descriptors, capture pushes and playback pulls. All other sources have no
//! clock, so `pace` counts 10 ms steps of the caller's `now`. A lost card causes no wake-ups and moves no blocks until
//! it is opened again by the same name; the time without a microphone is counted, so that RTP time continues.
//!
//! Nothing here waits. Sound is never blocked by a full pipe or an empty one; what is lost is counted.

#![expect(
    clippy::indexing_slicing,
    reason = "sample loops: bounds follow from sizes of our own; sizes in files are checked when the header is read"
)]
// Files are this module's business; the core has none (.clippy.toml).
#![allow(clippy::disallowed_types)]

pub mod auto;
pub mod board;
mod capture;
pub mod card;
mod card_end;
mod card_health;
mod follow;
pub mod holder;
mod hotplug;
pub mod list;
pub mod loudspeaker;
pub mod microphone;
pub mod mixer;
pub mod open_error;
mod pace;
pub mod pair;
mod pcm;
pub mod pcm_name;
pub mod pcm_settings;
mod pcm_stream;
mod playback;
mod raw_reader;
mod raw_writer;
pub(crate) mod recording;
pub mod self_test;
pub mod setup;
pub mod sizes;
pub mod spec;
pub mod status;
#[cfg(test)]
mod tests;
mod tone;
mod watch;
mod wav_header;
mod wav_reader;
mod wav_writer;

pub use auto::{AutoChoice, auto_choice};
pub use loudspeaker::Loudspeaker;
pub use microphone::Microphone;
pub use open_error::OpenError;
pub use sizes::StreamDirection;
pub use spec::{InputSpec, OutputSpec};
pub use status::{Captured, SoundCounters, SoundState};
