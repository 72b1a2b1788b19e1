//! How we stay in the room: what each cause of a lost session leads to.

#![forbid(unsafe_code)]

pub mod recovery;
