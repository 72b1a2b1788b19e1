//! What can hold a microphone shut: [`Gates`], which the client and the box at the door share.
//!
//! | gate | closed | reported to the room |
//! | --- | --- | --- |
//! | mute | until it is lifted here | muted |
//! | a moderator's mute | until the moderator or a user here lifts it, or we leave | muted |
//! | talk key | while it is released | muted, once it rests |
//!
//! Mute is privacy: a moderator may mute us too, and lift that mute, but not one that was set here. A mute that is
//! lifted here is lifted, also one of a moderator: a user is present who decides that.
//!
//! Another gate (a wake word, for example) is another field here. It acts as a mute, or like the talk key as a pause
//! between words: callers of [`Gates::is_open`], [`Gates::is_muted`] and [`Gates::is_paused`] need no change.

/// Which gates are shut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gates {
    is_muted: bool,
    is_muted_by_server: bool,
    is_key_released: bool,
}

impl Gates {
    /// Nothing but perhaps the mute is shut.
    pub fn new(is_muted: bool) -> Gates {
        Gates { is_muted, ..Gates::default() }
    }

    /// Whether sound goes out.
    pub fn is_open(&self) -> bool {
        !self.is_muted() && !self.is_paused()
    }

    /// Whether the track is muted, here or by a moderator, with or without the talk key.
    pub fn is_muted(&self) -> bool {
        self.is_muted || self.is_muted_by_server
    }

    /// Whether it is muted here.
    pub fn is_muted_here(&self) -> bool {
        self.is_muted
    }

    /// Whether it is shut for a moment, mutes apart.
    pub fn is_paused(&self) -> bool {
        self.is_key_released
    }

    /// Whether the talk key is held, or none is in use.
    pub fn is_key_held(&self) -> bool {
        !self.is_key_released
    }

    /// Mutes here, or lifts every mute; whether that changes something.
    pub fn set_muted(&mut self, is_muted: bool) -> bool {
        let before = *self;
        self.is_muted = is_muted;
        self.is_muted_by_server &= is_muted;
        *self != before
    }

    /// What a moderator does.
    pub fn set_muted_by_server(&mut self, is_muted: bool) {
        self.is_muted_by_server = is_muted;
    }

    /// The talk key is held or released; while none is in use it counts as held.
    pub fn set_key_held(&mut self, is_held: bool) {
        self.is_key_released = !is_held;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_gate_holds_it_shut() {
        for bits in 0..8 {
            let [is_muted, by_server, is_held] = [1, 2, 4].map(|bit| bits & bit != 0);
            let mut gates = Gates::new(is_muted);
            gates.set_muted_by_server(by_server);
            gates.set_key_held(is_held);
            assert_eq!(gates.is_open(), !is_muted && !by_server && is_held);
            assert_eq!((gates.is_muted(), gates.is_paused()), (is_muted || by_server, !is_held));
        }
    }

    #[test]
    fn a_moderator_lifts_no_mute_but_its_own() {
        let mut gates = Gates::new(true);
        gates.set_muted_by_server(true);
        gates.set_muted_by_server(false);
        assert!(gates.is_muted() && gates.is_muted_here());
        assert!(!gates.set_muted(true), "it is so already");
        gates.set_muted_by_server(true);
        assert!(gates.set_muted(false) && gates.is_open(), "a user here may");
        gates.set_muted_by_server(true);
        assert!(!gates.is_muted_here() && gates.set_muted(false));
    }
}
