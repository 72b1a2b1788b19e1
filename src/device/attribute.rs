//! The participant attribute `kinglet.call`, by which a participant answers or ends a call. It is for pages and SDKs
//! that cannot call an RPC method.
//!
//! | new value of `kinglet.call` | meaning |
//! | --- | --- |
//! | `answered` | the participant answers our ring |
//! | `ended` | the participant hangs up, or declines |
//!
//! An attribute keeps its value, so only changes count. A value from an earlier call, or one that a participant has
//! when it joins, has no effect.

use crate::event::ParticipantFacts;
use crate::limits::PARTICIPANTS_MAX;

/// The name of the attribute. A box publishes the state of its own call under the same name.
pub const CALL_ATTRIBUTE: &str = "kinglet.call";

/// The meaning of the attribute's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Answered,
    Ended,
}

/// The last value of the attribute, for each participant.
#[derive(Debug, Default)]
pub(super) struct CallAttributes {
    known: heapless::Vec<(String, Option<Said>), PARTICIPANTS_MAX>,
}

impl CallAttributes {
    /// Takes the attributes of `who`. Returns the meaning of the value if it is new.
    pub(super) fn handle(&mut self, who: &ParticipantFacts) -> Option<Said> {
        let says = match who.attributes.get(CALL_ATTRIBUTE).map(String::as_str) {
            Some("answered") => Some(Said::Answered),
            Some("ended") => Some(Said::Ended),
            _ => None,
        };
        match self.known.iter_mut().find(|(identity, _)| *identity == who.identity) {
            Some((_, known)) => {
                let before = std::mem::replace(known, says);
                says.filter(|_| before != says)
            }
            None => {
                // The list has room for every participant.
                let _ = self.known.push((who.identity.clone(), says));
                None
            }
        }
    }

    /// Removes a participant who has left.
    pub(super) fn forget(&mut self, identity: &str) {
        self.known.retain(|(known, _)| known != identity);
    }
}
