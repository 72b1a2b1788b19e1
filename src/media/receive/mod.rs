//! From arrived packets to blocks that are always full.
pub mod cells;
pub mod clock;
pub mod counters;
pub mod decode;
pub mod envelope;
pub mod pending;
pub mod playout;
pub mod red;
pub mod rescue;
pub mod ring;
#[cfg(test)]
pub(crate) mod story;
pub mod stretch;
#[cfg(test)]
mod table;
pub mod talker;
pub mod target;
