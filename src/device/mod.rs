//! The decisions of a box at a door: its calls, buttons, lamp and outputs, and who may use them.
//!
//! This module performs no I/O: it takes inputs and the time `now`, and returns decisions and one deadline. The lines
//! of buttons, the sound of tones and the connection to the room are elsewhere.
//!
//! [`intercom::Intercom`] is the entry point.
//!
//! ```text
//!   line, key ─► button ─► touch ──┐                    ┌─► join or leave the room, microphone
//!   ctl ───────────────────────────┼─► call ─► Decision ┼─► tone
//!   RPC, DTMF ─► allow ────────────┤      │             ├─► event
//!                                  │      │             └─► hearing ─► who hears the box, and whom it hears
//!   participants join/leave ┬──────┘      └─► lamp ─► on or off at an instant
//!                           └─► chime ─► tone
//!   RPC ─► allow ──────────────┬─► output ─► pulse of a line
//!   DTMF ─► party ─► allow ─► code ─┘
//! ```

#![forbid(unsafe_code)]

pub mod action;
pub mod attribute;
pub mod button;
mod buttons;
pub mod call;
pub mod chime;
mod codes;
pub mod hearing;
pub mod intercom;
mod keypad;
pub mod lamp;
mod lockout;
pub mod microphone;
pub mod output;
mod outputs;
mod participants;
mod presses;
pub mod refused;
pub mod settings;
#[cfg(test)]
mod tests;

pub use crate::command::allow;
