//! From arrived packets to blocks that are always full.
pub mod clock;
pub mod counters;
pub mod decode;
pub mod delay_history;
pub mod delay_target;
pub mod loss_repair;
pub mod packet_buffer;
pub mod payload_slab;
pub mod pcm_queue;
pub mod playout;
pub mod red;
#[cfg(test)]
pub(crate) mod tests;
pub mod time_scaler;
pub mod track_receiver;
