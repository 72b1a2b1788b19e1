//! From arrived packets to blocks that are always full.
#[cfg(test)]
pub(crate) mod call;
pub mod clock;
pub mod counters;
pub mod decode;
pub mod delay_history;
pub mod delay_target;
#[cfg(test)]
mod exact;
pub mod loss_repair;
pub mod packet_buffer;
pub mod payload_slab;
pub mod pcm_queue;
pub mod playout;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod recovery;
pub mod red;
#[cfg(test)]
mod story;
#[cfg(test)]
mod table;
pub mod time_scaler;
pub mod track_receiver;
