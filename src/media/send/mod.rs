//! From captured blocks to packets.
pub mod capture;
pub mod encode;
