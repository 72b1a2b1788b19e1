//! What a box wants done: [`Action`].

use crate::command::Tone;
use crate::command::admitted::Admitted;
use crate::event::Event;

/// What the caller is to do, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Sets who hears the box and whom it hears; all others are excluded.
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
    /// Drive an output, by its number, and report this event; call
    /// [`Intercom::not_driven`](super::intercom::Intercom::not_driven) if that fails.
    Pulse(usize, Event),
    /// Let an output rest, or [`Intercom::not_at_rest`](super::intercom::Intercom::not_at_rest).
    Rest(usize),
    /// Report an event, to programs and to clients that watch.
    Tell(Event),
}
