//! A participant: [`Participant`], another one or ourselves; and what an update about ourselves means.

use std::collections::BTreeMap;

use super::tracks::{ParticipantTrack, Tracks};
use crate::event::{DepartureFacts, Event, ParticipantFacts, ParticipantKind, Quality};
use crate::signal::leave::DisconnectReason;
use crate::signal::participant::{ParticipantInfo, ParticipantState, Permission};
use crate::signal::sid::Sid;

/// A participant, as the server sees it.
#[derive(Debug)]
pub struct Participant {
    /// SID of the participant in its present session.
    pub sid: Sid,
    /// Identity, from the token.
    pub identity: String,
    /// Display name.
    pub name: String,
    /// Metadata: any text.
    pub metadata: String,
    /// Attributes: key-value pairs.
    pub attributes: BTreeMap<String, String>,
    /// Kind of participant: a person or program, an agent, a telephone …
    pub kind: ParticipantKind,
    /// What the participant may do.
    pub permission: Permission,
    /// Connection quality in the server's opinion, once it has one.
    pub quality: Option<Quality>,
    /// Whether the participant is connected: its state is ACTIVE.
    is_active: bool,
    pub(super) version: u32,
    pub(super) joined_at_ms: i64,
    tracks: Tracks,
}

impl Participant {
    /// Every track that the server holds published for this participant. For our own, `local` knows what we want published.
    pub fn tracks(&self) -> impl Iterator<Item = ParticipantTrack<'_>> {
        self.tracks.iter().map(|info| ParticipantTrack { identity: &self.identity, info })
    }

    /// The participant as events describe it.
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

    /// A participant without its state and tracks: [`Participant::apply_presence`] adds them.
    pub(super) fn new(info: &ParticipantInfo) -> Participant {
        Participant {
            sid: info.sid,
            identity: info.identity.clone(),
            name: info.name.clone(),
            metadata: info.metadata.clone(),
            attributes: info.attributes.clone(),
            kind: info.kind,
            permission: info.permission,
            quality: None,
            is_active: false,
            version: info.version,
            joined_at_ms: info.joined_at_ms,
            tracks: Tracks::default(),
        }
    }

    /// Takes over an update of the same session.
    pub(super) fn update(&mut self, info: &ParticipantInfo, sink: &mut impl FnMut(Event)) {
        self.version = info.version;
        self.permission = info.permission;
        let is_changed = self.name != info.name
            || self.metadata != info.metadata
            || self.attributes != info.attributes
            || self.kind != info.kind;
        if is_changed {
            self.name.clone_from(&info.name);
            self.metadata.clone_from(&info.metadata);
            self.attributes.clone_from(&info.attributes);
            self.kind = info.kind;
            sink(Event::ParticipantChanged(self.facts()));
        }
        self.apply_presence(info, sink);
    }

    /// Takes over state and tracks. The state is reported first: only then the tracks can be heard.
    pub(super) fn apply_presence(&mut self, info: &ParticipantInfo, sink: &mut impl FnMut(Event)) {
        let was_active = std::mem::replace(&mut self.is_active, info.state == ParticipantState::Active);
        if self.is_active && !was_active {
            sink(Event::ParticipantActive { identity: self.identity.clone() });
        }
        self.tracks.apply(&self.identity, &info.tracks, sink);
    }

    /// Whether any track carries sound.
    pub(super) fn has_audio(&self) -> bool {
        self.tracks.has_audio()
    }

    /// Reports the end of the tracks and of the participant.
    pub(super) fn end(self, reason: DisconnectReason, sink: &mut impl FnMut(Event)) {
        let facts = DepartureFacts { who: self.facts(), reason: reason.name().to_ascii_lowercase() };
        self.tracks.end(&self.identity, sink);
        sink(Event::ParticipantLeft(facts));
    }
}

/// The own participant. Its tracks and state are reported by other events, so that only its facts and permissions are here.
#[derive(Debug)]
pub(super) struct LocalParticipant(Participant);

impl LocalParticipant {
    pub(super) fn new(info: &ParticipantInfo) -> LocalParticipant {
        let mut own = Participant::new(info);
        own.apply_presence(info, &mut |_| {});
        LocalParticipant(own)
    }

    pub(super) fn get(&self) -> &Participant {
        &self.0
    }

    /// Identity and connection quality, which messages about quality change.
    pub(super) fn quality_mut(&mut self) -> (&str, &mut Option<Quality>) {
        (&self.0.identity, &mut self.0.quality)
    }

    /// A new session begins.
    pub(super) fn renew(&mut self, info: &ParticipantInfo, sink: &mut impl FnMut(Event)) {
        let (before, quality) = (self.0.permission, self.0.quality);
        *self = LocalParticipant::new(info);
        self.0.quality = quality;
        let now = self.0.permission;
        // Compared as the application sees them, which does not see whether sources are restricted.
        if (before.publish, before.subscribe, before.data) != (now.publish, now.subscribe, now.data) {
            sink(Event::PermissionsChanged {
                publish: now.publish,
                subscribe: now.subscribe,
                data: now.data,
            });
        }
    }

    /// Takes over an update with our identity. Another SID is another session with our identity, and the server reports by
    /// its `leave` that it has dropped us: neither changes our own participant.
    pub(super) fn apply(&mut self, info: &ParticipantInfo, sink: &mut impl FnMut(Event)) {
        let own = &self.0;
        let is_ours = info.sid == own.sid && info.state != ParticipantState::Disconnected;
        if is_ours && info.version >= own.version {
            let is_changed =
                own.name != info.name || own.metadata != info.metadata || own.attributes != info.attributes;
            self.renew(info, sink);
            // Reported like a change of any other participant: a moderator may have made it.
            if is_changed {
                sink(Event::ParticipantChanged(self.0.facts()));
            }
        }
    }
}
