//! What a box wants done: [`Action`].

use crate::command::Tone;
use crate::command::admitted::Admitted;
use crate::event::Event;

/// What the caller is to do, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Let these hear the box, and hear these, and nobody else.
    Admit(Admitted),
    /// Join the room, unless we are in it.
    Enter,
    /// Leave the room.
    Leave,
    /// Send what the microphone hears, or not.
    Talk(bool),
    /// Privacy, and to be remembered over a power cut.
    Mute(bool),
    /// Play a tone from its beginning, in the place of what plays.
    Play(Tone),
    /// Drive an output, by its number, and tell this, or [`Intercom::not_driven`](super::intercom::Intercom::not_driven).
    Pulse(usize, Event),
    /// Let an output rest, or [`Intercom::not_at_rest`](super::intercom::Intercom::not_at_rest).
    Rest(usize),
    /// Tell what happened, to programs and to those who watch.
    Tell(Event),
}
