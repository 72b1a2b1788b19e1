//! Files that people write: TOML → checked types, or all that is wrong with line, key and what is allowed.

#![forbid(unsafe_code)]

mod problem;
pub mod section;

pub use problem::{Problem, Severity};
