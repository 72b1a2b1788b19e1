//! Sound: blocks and packets in, packets and blocks out. No device, no clock.
pub mod block;
