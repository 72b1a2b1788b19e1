//! Tests of the data packets against the official types.

mod conformance;
