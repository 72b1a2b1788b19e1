//! We in the room: who the token made us, what we may do, what the server holds of us.

use std::collections::BTreeMap;

use crate::event::{Event, ParticipantFacts, ParticipantKind, Quality};
use crate::limits::TRACKS_PER_PARTICIPANT_MAX;
use crate::signal::participant::{ParticipantInfo, ParticipantState, Permission, TrackInfo};
use crate::signal::sid::Sid;

/// We, as the server sees us.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalParticipant {
    /// Our SID in this session.
    pub sid: Sid,
    /// Our identity, from the token.
    pub identity: String,
    /// Our display name.
    pub name: String,
    /// Our free text.
    pub metadata: String,
    /// Our key-value pairs.
    pub attributes: BTreeMap<String, String>,
    /// What we are.
    pub kind: ParticipantKind,
    /// What we may do.
    pub permission: Permission,
    /// What the server holds published of us. `local` knows what we want published.
    pub tracks: Vec<TrackInfo>,
    /// The server's opinion of our connection, once it has one.
    pub quality: Option<Quality>,
    version: u32,
}

impl LocalParticipant {
    pub(super) fn new(info: &ParticipantInfo) -> LocalParticipant {
        LocalParticipant {
            sid: info.sid,
            identity: info.identity.clone(),
            name: info.name.clone(),
            metadata: info.metadata.clone(),
            attributes: info.attributes.clone(),
            kind: info.kind,
            permission: info.permission,
            tracks: info.tracks.iter().take(TRACKS_PER_PARTICIPANT_MAX).cloned().collect(),
            quality: None,
            version: info.version,
        }
    }

    /// A new session begins.
    pub(super) fn renew(&mut self, info: &ParticipantInfo, sink: &mut impl FnMut(Event)) {
        let before = self.permission;
        *self = LocalParticipant { quality: self.quality, ..LocalParticipant::new(info) };
        self.tell_permission(before, sink);
    }

    /// An update that names us. Another SID is another session with our identity, and that the server
    /// has dropped us is said by its `leave`: neither changes what we are.
    pub(super) fn apply(&mut self, info: &ParticipantInfo, sink: &mut impl FnMut(Event)) {
        let is_ours = info.sid == self.sid && info.state != ParticipantState::Disconnected;
        if is_ours && info.version >= self.version {
            let is_changed = self.name != info.name
                || self.metadata != info.metadata
                || self.attributes != info.attributes;
            self.renew(info, sink);
            // Ours is told like anybody's: a moderator may change it too.
            if is_changed {
                sink(Event::ParticipantChanged(self.facts()));
            }
        }
    }

    /// What an event says of us.
    pub fn facts(&self) -> ParticipantFacts {
        ParticipantFacts {
            identity: self.identity.clone(),
            sid: self.sid.to_string(),
            name: self.name.clone(),
            metadata: self.metadata.clone(),
            attributes: self.attributes.clone(),
            kind: self.kind,
        }
    }

    fn tell_permission(&self, before: Permission, sink: &mut impl FnMut(Event)) {
        let now = self.permission;
        // Compared as the application sees them: whether sources are narrowed is not among it.
        if (before.publish, before.subscribe, before.data) != (now.publish, now.subscribe, now.data) {
            sink(Event::PermissionsChanged {
                publish: now.publish,
                subscribe: now.subscribe,
                data: now.data,
            });
        }
    }
}
