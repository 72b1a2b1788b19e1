//! We in the room: who the token made us, what we may do, what the server holds of us.

use crate::event::{Event, Quality};
use crate::limits::TRACKS_PER_PARTICIPANT_MAX;
use crate::signal::participant::{ParticipantInfo, ParticipantState, Permission, TrackInfo};
use crate::signal::sid::Sid;

/// We, as the server sees us.
#[derive(Debug, Clone, PartialEq)]
pub struct Own {
    /// Our SID in this session.
    pub sid: Sid,
    /// Our identity, from the token.
    pub identity: String,
    /// Our display name.
    pub name: String,
    /// What we may do.
    pub permission: Permission,
    /// What the server holds published of us. `local` knows what we want published.
    pub tracks: Vec<TrackInfo>,
    /// The server's opinion of our connection, once it has one.
    pub quality: Option<Quality>,
    version: u32,
}

impl Own {
    pub(super) fn new(info: &ParticipantInfo) -> Own {
        Own {
            sid: info.sid,
            identity: info.identity.clone(),
            name: info.name.clone(),
            permission: info.permission,
            tracks: info.tracks.iter().take(TRACKS_PER_PARTICIPANT_MAX).cloned().collect(),
            quality: None,
            version: info.version,
        }
    }

    /// A new session begins.
    pub(super) fn renew(&mut self, info: &ParticipantInfo, sink: &mut impl FnMut(Event)) {
        let before = self.permission;
        *self = Own { quality: self.quality, ..Own::new(info) };
        self.tell_permission(before, sink);
    }

    /// An update that names us. Another SID is another session with our identity, and that the server
    /// has dropped us is said by its `leave`: neither changes what we are.
    pub(super) fn apply(&mut self, info: &ParticipantInfo, sink: &mut impl FnMut(Event)) {
        let is_ours = info.sid == self.sid && info.state != ParticipantState::Disconnected;
        if is_ours && info.version >= self.version {
            self.renew(info, sink);
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
