//! The actions of a box: [`Action`].

use crate::command::Tone;
use crate::command::admitted::Admitted;
use crate::event::Event;

/// An action for the caller to carry out. Actions are carried out in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Sets who hears the box and whom it hears; all others are excluded.
    Admit(Admitted),
    /// Join the room, unless the box is in it.
    Enter,
    /// Leave the room.
    Leave,
    /// Start or stop sending the microphone's sound.
    Talk(bool),
    /// Turn privacy on or off, and store it so that it survives a power cut.
    Mute(bool),
    /// Play a tone from its beginning; it replaces the tone that is playing.
    Play(Tone),
    /// Drive the output with this number, and report this event. If that fails, call
    /// [`Intercom::not_driven`](super::intercom::Intercom::not_driven).
    Pulse(usize, Event),
    /// Set the output with this number to rest. If that fails, call
    /// [`Intercom::not_at_rest`](super::intercom::Intercom::not_at_rest).
    Rest(usize),
    /// Report an event to programs and watching clients.
    Tell(Event),
}
