//! What the attribute `kinglet.call` of a participant says about the call. A page or an SDK that cannot call a method
//! sets it.
//!
//! | `kinglet.call` of theirs becomes | it means |
//! | --- | --- |
//! | `answered` | they answer our ring |
//! | `ended` | they hang up, or decline |
//!
//! An attribute keeps its value, so only its changes count. A value that is left from an earlier call, or that a
//! participant has when it joins, has no effect.

use crate::event::ParticipantFacts;
use crate::limits::PARTICIPANTS_MAX;

/// Its name; a box shows how its own call stands by the same one.
pub const CALL_ATTRIBUTE: &str = "kinglet.call";

/// Meaning of the attribute's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Answered,
    Ended,
}

/// Every participant with the attribute, and its value.
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
                // As many places as participants.
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
