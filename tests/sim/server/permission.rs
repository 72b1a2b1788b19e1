//! Who may hear whom: a publisher's `SubscriptionPermission`.
//!
//! As livekit-server has it (`S:rtc/uptrackmanager.go`): everybody may until something is said; what is said names
//! identities, ends subscriptions of others at once, and brings them about for those who asked before.

use crate::server::{SessionId, Sfu};
use livekit_protocol::signal_response::Message;
use livekit_protocol::{SubscriptionPermission, SubscriptionPermissionUpdate, TrackInfo};
use std::time::Instant;

impl Sfu {
    /// A participant says who may hear it.
    pub(super) fn set_permission(
        &mut self,
        publisher: SessionId,
        permission: &SubscriptionPermission,
        now: Instant,
    ) {
        let named = permission.track_permissions.iter();
        let identities: Vec<String> = named.map(|named| named.participant_identity.clone()).collect();
        self.log.audiences.push((permission.all_participants, identities.clone()));
        let Some(participant) = self.participants.get_mut(&publisher) else { return };
        participant.audience = (!permission.all_participants).then_some(identities);
        let infos: Vec<TrackInfo> = participant.tracks.iter().map(|track| track.info.clone()).collect();
        for mate in self.room_of(publisher).into_iter().filter(|mate| *mate != publisher) {
            for info in &infos {
                let Some(subscriber) = self.participants.get_mut(&mate) else { continue };
                if subscriber.denied.remove(&info.sid) {
                    self.subscribe(mate, publisher, info, now);
                } else if subscriber.subscriber.carries(&info.sid)
                    && !self.is_permitted(mate, publisher, &info.sid)
                {
                    self.revoke(mate, publisher, &info.sid, now);
                }
            }
        }
    }

    /// Whether `session` may hear `publisher`; who may not is told, and subscribed when it may.
    pub(super) fn is_permitted(&mut self, session: SessionId, publisher: SessionId, sid: &str) -> bool {
        let Some(audience) = self.participants.get(&publisher).map(|publisher| publisher.audience.clone())
        else {
            return false;
        };
        let Some(participant) = self.participants.get_mut(&session) else { return false };
        let identity = &participant.claims.identity;
        let is_permitted = audience.is_none_or(|audience| audience.contains(identity));
        if !is_permitted {
            participant.denied.insert(sid.to_string());
        }
        is_permitted
    }

    fn revoke(&mut self, session: SessionId, publisher: SessionId, sid: &str, now: Instant) {
        let Some(publisher) = self.participants.get(&publisher).map(|publisher| publisher.sid.clone()) else {
            return;
        };
        if let Some(participant) = self.participants.get_mut(&session) {
            participant.subscriber.unsubscribe(sid, now);
        }
        self.tell_permission(session, &publisher, sid, false);
    }

    /// Tells a subscriber whether it may hear a track.
    pub(super) fn tell_permission(&mut self, session: SessionId, publisher: &str, sid: &str, allowed: bool) {
        let (participant_sid, track_sid) = (publisher.to_string(), sid.to_string());
        let update = SubscriptionPermissionUpdate { participant_sid, track_sid, allowed };
        self.send(session, Message::SubscriptionPermissionUpdate(update));
    }
}
