//! The types that `proto/build.rs` makes from `proto/livekit.proto`. They are used in `signal` and `data` only: their
//! strings and lists have no limits.

#![allow(missing_docs, clippy::all, clippy::pedantic)]
#![allow(dead_code, reason = "prost writes name look-ups for every enumeration")]

include!(concat!(env!("OUT_DIR"), "/livekit.rs"));
