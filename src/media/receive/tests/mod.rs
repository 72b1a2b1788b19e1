//! Tests of the whole receiving side, from packets to blocks.

mod exact;
mod properties;
mod recovery;
pub(crate) mod simulated_call;
mod stories;
mod table;
