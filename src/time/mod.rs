//! Time without a clock: deadlines with reasons, and how long to wait before trying again.

#![forbid(unsafe_code)]

pub mod backoff;
pub mod date;
pub mod deadline;
