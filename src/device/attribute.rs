//! What others say of the call by an attribute of theirs: a page or an SDK that cannot call a method sets one.
//!
//! | `kinglet.call` of theirs becomes | it means |
//! | --- | --- |
//! | `answered` | they answer our ring |
//! | `ended` | they hang up, or decline |
//!
//! An attribute stays where it was set, so only its changes count: one that is left from an earlier call, or that
//! somebody brings along, says nothing.

use crate::event::ParticipantFacts;
use crate::limits::PARTICIPANTS_MAX;

/// Its name; a box shows how its own call stands by the same one.
pub const CALL_ATTRIBUTE: &str = "kinglet.call";

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Answered,
    Ended,
}

/// Everybody whose attribute says something, and what.
#[derive(Debug, Default)]
pub(super) struct CallAttributes {
    known: heapless::Vec<(String, Option<Said>), PARTICIPANTS_MAX>,
}

impl CallAttributes {
    /// `who` is seen: what it says now and did not say before.
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

    /// Somebody is gone.
    pub(super) fn forget(&mut self, identity: &str) {
        self.known.retain(|(known, _)| known != identity);
    }
}
