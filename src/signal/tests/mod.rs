//! Tests of the messages: against the official types, and mutated.

mod conformance;
mod mutation;
pub(crate) mod samples;
