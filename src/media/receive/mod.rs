//! From arrived packets to blocks that are always full.
#[cfg(test)]
pub(crate) mod call;
pub mod cells;
pub mod clock;
pub mod counters;
pub mod decode;
pub mod envelope;
#[cfg(test)]
mod exact;
pub mod pending;
pub mod playout;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod recovery;
pub mod red;
pub mod rescue;
pub mod ring;
#[cfg(test)]
mod story;
pub mod stretch;
#[cfg(test)]
mod table;
pub mod talker;
pub mod target;
