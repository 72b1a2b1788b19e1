//! What the application asks to be told: `status` and `participants`, as JSON.
//!
//! The names are those of the events. `status` is one screen: how we stand; `participants` is the room.

use std::time::Instant;

use serde_json::{Value, json};

use super::Engine;
use super::audio::admission::who;

impl Engine {
    pub(super) fn status(&self) -> Value {
        let info = self.room.info();
        let own = self.room.own();
        let permission = own.map(|own| own.permission).unwrap_or_default();
        let hearing: Vec<&str> = self
            .room
            .audio_tracks()
            .filter(|track| self.hearing.is_subscribed(track.info.sid))
            .map(|track| track.identity)
            .collect();
        let heard_by = self.admission.heard_by(self.room.participants().map(who));
        let hears = match self.admission.hearing_rule() {
            Some(rule) => rule.to_string(),
            None => self.hearing.policy().to_string(),
        };
        let microphone = self.local.microphone_status();
        json!({
            "state": self.session.words(),
            "server": self.session.server(),
            // Before the first dial it is not known: a token endpoint may name it.
            "server_url": self.session.server_url().map(ToString::to_string),
            "room": info.name,
            "room_sid": info.sid.map(|sid| sid.to_string()),
            "identity": own.map(|own| own.identity.as_str()),
            "sid": own.map(|own| own.sid.to_string()),
            "name": own.map(|own| own.name.as_str()),
            "metadata": own.map(|own| own.metadata.as_str()),
            "attributes": own.map(|own| &own.attributes),
            "permissions": {
                "publish": permission.publish,
                "microphone": permission.microphone,
                "subscribe": permission.subscribe,
                "data": permission.data,
            },
            "track": self.local.sid().map(|sid| sid.to_string()),
            "muted": microphone.is_none_or(|microphone| microphone.is_muted),
            "talking": microphone.and_then(|microphone| microphone.is_talking),
            "sending": self.is_publishing() && microphone.is_some_and(|microphone| microphone.is_open),
            "microphone_dbfs": microphone.and_then(|microphone| microphone.loudest_dbfs).map(f32::round),
            "heard_by": heard_by,
            "hears": hears,
            "hearing": hearing,
            "participants": self.room.participants().count(),
            "quality": own.and_then(|own| own.quality),
            "rtt_ms": self.round_trip_ms(),
        })
    }

    pub(super) fn list_participants(&self) -> Value {
        let participants = self.room.participants().map(|who| {
            let tracks = who.tracks().map(|track| {
                let sid = track.info.sid;
                json!({
                    "sid": sid.to_string(),
                    "name": track.info.name,
                    "kind": track.info.kind,
                    "source": track.info.source,
                    "muted": track.info.muted,
                    "subscribed": self.hearing.wanted().contains(&sid),
                    "heard": self.hearing.is_subscribed(sid),
                    "paused": self.hearing.paused().contains(&sid),
                    "forbidden": self.room.is_forbidden(sid),
                    "held_back": self.room.is_held_back(sid),
                })
            });
            json!({
                "identity": who.identity,
                "sid": who.sid.to_string(),
                "name": who.name,
                "metadata": who.metadata,
                "attributes": who.attributes,
                "kind": who.kind,
                "quality": who.quality,
                "speaking": self.room.speakers().any(|(sid, _)| sid == who.sid),
                "tracks": tracks.collect::<Vec<_>>(),
            })
        });
        Value::Array(participants.collect())
    }

    /// `stats` as far as the engine knows; the io ring adds cards, CPU and memory.
    pub(super) fn stats_value(&mut self, now: Instant) -> Value {
        // Plain numbers and texts: they always serialise.
        serde_json::to_value(self.take_stats(now)).unwrap_or_default()
    }
}
