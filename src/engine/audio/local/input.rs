//! What is true of the other parts when [`LocalTracks`](super::LocalTracks) are called: [`LocalInput`].

use std::time::Instant;

use crate::event::ParticipantKind;
use crate::room::{Participant, Room};

/// Plain facts of the other parts.
pub(in crate::engine) struct LocalInput<'a> {
    /// The present time.
    pub(in crate::engine) now: Instant,
    /// The room, with our permissions.
    pub(in crate::engine) room: &'a Room,
    /// Whether a message to the server reaches it.
    pub(in crate::engine) has_signal: bool,
    /// Whether the publisher can send packets.
    pub(in crate::engine) is_connected: bool,
    /// Whether the publisher takes RED (RFC 2198).
    pub(in crate::engine) takes_red: bool,
    /// Whether a participant may hear us.
    pub(in crate::engine) may_hear: &'a dyn Fn(&Participant) -> bool,
}

impl<'a> LocalInput<'a> {
    /// Whether the token allows us a microphone.
    pub(super) fn may_speak(&self) -> bool {
        self.room.own().is_some_and(|own| own.permission.microphone)
    }

    /// Identities of the agents that may hear us: the recording is for them as the track is.
    pub(super) fn agents(&self) -> impl Iterator<Item = &'a str> {
        let may_hear = self.may_hear;
        let agents = self.room.participants().filter(|who| who.kind == ParticipantKind::Agent);
        agents.filter(move |agent| may_hear(agent)).map(|agent| agent.identity.as_str())
    }
}
