//! What a story makes the server do: say things by itself, refuse, keep silent.

use crate::server::Sfu;
use livekit_protocol::ParticipantUpdate;
use livekit_protocol::signal_response::Message;
use std::time::Instant;

/// In what the server differs from itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quirks {
    /// Every `AddTrackRequest` is refused.
    pub refuses_tracks: bool,
    /// The room's SID is told with a later update only, as by servers that ask a database for it.
    pub names_rooms_late: bool,
    /// `UpdateParticipantMetadata` is carried out and not answered, as before protocol 14.
    pub answers_no_metadata: bool,
}

impl Sfu {
    /// From now on the server behaves like this.
    pub fn set_quirks(&mut self, quirks: Quirks) {
        self.quirks = quirks;
    }

    /// Says something to a participant that follows from nothing here.
    pub fn say(&mut self, identity: &str, message: Message, now: Instant) {
        for session in self.sessions_of(identity) {
            self.send(session, message.clone());
        }
        self.settle(now);
    }

    /// The client's own name of the first track of a participant.
    pub fn cid_of(&self, identity: &str) -> Option<String> {
        let session = self.sessions_of(identity).first().copied()?;
        self.participants.get(&session)?.tracks.first().map(|track| track.cid.clone())
    }

    /// What the room is told of a participant.
    pub fn told_of(&mut self, identity: &str) -> Option<ParticipantUpdate> {
        let session = *self.sessions_of(identity).first()?;
        let info = self.participants.get_mut(&session)?.info();
        Some(ParticipantUpdate { participants: vec![info] })
    }
}
