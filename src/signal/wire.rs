//! The types that `proto/build.rs` makes from `proto/livekit.proto`. Nobody outside `signal` and
//! `data` sees them: their strings and lists have no limits.

#![allow(missing_docs, clippy::all, clippy::pedantic)]
#![allow(dead_code, reason = "prost writes name look-ups for every enumeration")]

include!(concat!(env!("OUT_DIR"), "/livekit.rs"));
