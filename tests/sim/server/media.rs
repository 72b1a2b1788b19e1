//! What comes over the peer connections: packets to forward, levels to tell, data to pass on.

use crate::server::log::Arrival;
use crate::server::participant::Participant;
use crate::server::speakers;
use crate::server::transport::Happening;
use crate::server::{Job, SessionId, Sfu};
use livekit_protocol::signal_response::Message;
use livekit_protocol::{DataPacket, SpeakersChanged};
use prost::Message as _;
use std::collections::BTreeMap;
use std::time::Instant;
use str0m::media::Mid;
use str0m::rtp::RtpPacket;

impl Sfu {
    /// Something happened on a publisher peer connection.
    pub(super) fn published(&mut self, session: SessionId, happening: Happening, now: Instant) {
        match happening {
            Happening::Connected => {
                self.check_active(session, now);
                self.publish_ready(session, now);
            }
            Happening::Rtp { mid, packet } => self.forward(session, mid, &packet, now),
            Happening::Data { label, bytes } => self.pass_data(session, &label, &bytes, now),
            Happening::ChannelOpen { .. } => {}
        }
    }

    /// Something happened on a subscriber peer connection. What a client sends there is not processed by the server.
    pub(super) fn subscribed(&mut self, session: SessionId, happening: Happening, now: Instant) {
        if let (Happening::ChannelOpen { label }, Some(participant)) =
            (&happening, self.participants.get_mut(&session))
        {
            participant.open_channels.push(label.clone());
        }
        self.check_active(session, now);
    }

    /// Tells a room who speaks, and comes again.
    pub(super) fn tell_speakers(&mut self, name: &str, now: Instant) {
        self.schedule.enter(now + speakers::INTERVAL, Job::Speakers(name.to_string()));
        let inside: Vec<SessionId> = self.participants.keys().copied().collect();
        let inside: Vec<SessionId> =
            inside.into_iter().filter(|session| self.participants[session].claims.room == name).collect();
        let mut speaking = BTreeMap::new();
        for session in &inside {
            let Some(participant) = self.participants.get_mut(session) else { continue };
            if let Some(level) = loudest(participant, now) {
                speaking.insert(participant.sid.clone(), level);
            }
        }
        let Some(room) = self.rooms.get_mut(name) else { return };
        let changes = room.speakers.changes(speaking);
        for session in inside {
            let participant = &self.participants[&session];
            let concerns = |sid: &str| {
                sid == participant.sid
                    || participant.subscriber.down_tracks().any(|down| down.publisher == sid)
            };
            let speakers: Vec<_> = changes.iter().filter(|change| concerns(&change.sid)).cloned().collect();
            if !speakers.is_empty() {
                self.send(session, Message::SpeakersChanged(SpeakersChanged { speakers }));
            }
        }
    }

    fn forward(&mut self, session: SessionId, mid: Mid, packet: &RtpPacket, now: Instant) {
        let Some(participant) = self.participants.get_mut(&session) else { return };
        let identity = participant.claims.identity.clone();
        let Some(track) = participant.track_by_mid(mid) else { return };
        let sid = track.info.sid.clone();
        let level = packet.header.ext_vals.audio_level;
        if let Some(level) = level {
            track.level.observe(level.unsigned_abs(), packet.header.timestamp, now);
        }
        let seen = self.log.tracks.entry(sid.clone()).or_default();
        seen.identity = identity;
        seen.packets.push(Arrival {
            at: now,
            sequence: *packet.seq_no,
            timestamp: packet.header.timestamp,
            payload_type: *packet.header.payload_type,
            length: packet.payload.len(),
            level,
            marker: packet.header.marker,
        });
        if track.info.muted {
            return;
        }
        for mate in self.room_of(session) {
            if let Some(mate) = self.participants.get_mut(&mate) {
                mate.subscriber.forward(&sid, packet, now);
            }
        }
    }

    /// `S:rtc/participant.go:handleReceivedDataMessage`: the sender is written in by the server, and reliable packets that
    /// do not count on from the last one are dropped without a word.
    fn pass_data(&mut self, session: SessionId, label: &str, bytes: &[u8], now: Instant) {
        let Ok(mut packet) = DataPacket::decode(bytes) else {
            self.log.complaints.push("not a DataPacket".to_string());
            return;
        };
        let Some(participant) = self.participants.get_mut(&session) else { return };
        if packet.sequence != 0 {
            if packet.sequence <= participant.data_sequence {
                return;
            }
            participant.data_sequence = packet.sequence;
        }
        packet.participant_identity = participant.claims.identity.clone();
        packet.participant_sid = participant.sid.clone();
        let destinations = std::mem::take(&mut packet.destination_identities);
        let bytes = packet.encode_to_vec();
        for mate in self.room_of(session).into_iter().filter(|mate| *mate != session) {
            let Some(mate) = self.participants.get_mut(&mate) else { continue };
            if destinations.is_empty() || destinations.contains(&mate.claims.identity) {
                mate.subscriber.transport.write_channel(label, &bytes, now);
            }
        }
    }
}

/// The level of the loudest track of a participant that speaks.
fn loudest(participant: &mut Participant, now: Instant) -> Option<f32> {
    let tracks = participant.tracks.iter_mut().filter(|track| !track.info.muted);
    tracks
        .filter_map(|track| Some(track.level.now(now)).filter(|(_, active)| *active))
        .map(|(level, _)| level)
        .reduce(f32::max)
}
