//! Tests of the sound against cards: scripted ones, which a test moves, and those of the emulated board.
//!
//! The stories of `card.rs` and `pair.rs` see the private fields of their subjects, which name them.

mod on_board;
pub(super) mod scripted;
