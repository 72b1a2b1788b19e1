//! One participant as the server knows it: who it is, what it publishes, its two peer connections.

use crate::server::ConnectionId;
use crate::server::sdp::Description;
use crate::server::speakers::Level;
use crate::server::subscriber::Subscriber;
use crate::server::token::Claims;
use crate::server::transport::Transport;
use livekit_protocol::participant_info::{Kind, State};
use livekit_protocol::{
    AddTrackRequest, AudioTrackFeature, DisconnectReason, ParticipantInfo, ParticipantPermission,
    SimulcastCodecInfo, TrackInfo, TrackType,
};
use std::collections::{BTreeSet, HashMap};
use std::time::Instant;
use str0m::media::Mid;

/// One session of one identity.
pub struct Participant {
    /// What its token says.
    pub claims: Claims,
    /// `PA_…`, new with each session.
    pub sid: String,
    /// The WebSocket, while there is one.
    pub connection: Option<ConnectionId>,
    /// Whether it is subscribed to all that is published.
    pub auto_subscribe: bool,
    /// Where it stands.
    pub state: State,
    /// Why it left.
    pub reason: DisconnectReason,
    /// Where it publishes.
    pub publisher: Transport,
    /// The client's ICE user on it: a new one means candidates are trickled again.
    pub publisher_ufrag: Option<String>,
    /// Where it subscribes.
    pub subscriber: Subscriber,
    /// What it publishes.
    pub tracks: Vec<Track>,
    /// Announced and not seen on a line yet.
    pub pending: Vec<Pending>,
    /// When a peer connection failed; it is removed five seconds later.
    pub failed_at: Option<Instant>,
    /// Highest sequence of reliable data received.
    pub data_sequence: u32,
    /// Labels of open channels on the subscriber peer connection.
    pub open_channels: Vec<String>,
    /// Metadata, name and attributes as set by the participant itself.
    pub attributes: HashMap<String, String>,
    /// Who may hear it; `None`: everybody.
    pub audience: Option<Vec<String>>,
    /// Tracks that it asked for and may not hear, by SID.
    pub denied: BTreeSet<String>,
    version: u32,
}

/// A track that is published.
pub struct Track {
    /// What everybody is told.
    pub info: TrackInfo,
    /// The client's own name for it.
    pub cid: String,
    /// Its line on the publisher peer connection; `None` for one that exists on paper only.
    pub mid: Option<Mid>,
    /// How loud it is.
    pub level: Level,
    /// Somebody subscribes to it, and its publisher has been told.
    pub heard: bool,
}

/// A track that is announced.
pub struct Pending {
    /// The client's own name for it.
    pub cid: String,
    /// What everybody will be told.
    pub info: TrackInfo,
    /// `track_published` waits until the track of the same cid has ended.
    pub queued: bool,
    /// The line that carries it, once an offer has named it.
    pub mid: Option<Mid>,
}

impl Track {
    /// What was announced is published.
    pub fn new(pending: Pending) -> Track {
        Track {
            info: pending.info,
            cid: pending.cid,
            mid: pending.mid,
            level: Level::default(),
            heard: false,
        }
    }
}

impl Participant {
    /// A participant that has just joined.
    pub fn new(claims: Claims, sid: String, publisher: Transport, subscriber: Subscriber) -> Participant {
        Participant {
            claims,
            sid,
            connection: None,
            auto_subscribe: true,
            state: State::Joining,
            reason: DisconnectReason::UnknownReason,
            publisher,
            publisher_ufrag: None,
            subscriber,
            tracks: Vec::new(),
            pending: Vec::new(),
            failed_at: None,
            data_sequence: 0,
            open_channels: Vec::new(),
            attributes: HashMap::new(),
            audience: None,
            denied: BTreeSet::new(),
            version: 0,
        }
    }

    /// What others are told, under a version of its own.
    pub fn info(&mut self) -> ParticipantInfo {
        self.version += 1;
        ParticipantInfo {
            sid: self.sid.clone(),
            identity: self.claims.identity.clone(),
            name: self.claims.name.clone(),
            metadata: self.claims.metadata.clone(),
            attributes: self.attributes.clone(),
            state: self.state.into(),
            tracks: self.tracks.iter().map(|track| track.info.clone()).collect(),
            version: self.version,
            permission: Some(ParticipantPermission {
                can_subscribe: self.claims.can_subscribe,
                can_publish: self.claims.can_publish,
                can_publish_data: self.claims.can_publish,
                ..ParticipantPermission::default()
            }),
            is_publisher: !self.tracks.is_empty(),
            kind: if self.claims.is_agent { Kind::Agent } else { Kind::Standard }.into(),
            disconnect_reason: self.reason.into(),
            ..ParticipantInfo::default()
        }
    }

    /// The track on a line.
    pub fn track_by_mid(&mut self, mid: Mid) -> Option<&mut Track> {
        self.tracks.iter_mut().find(|track| track.mid == Some(mid))
    }

    /// A published or announced track, by SID.
    pub fn info_by_sid(&mut self, sid: &str) -> Option<&mut TrackInfo> {
        let published = self.tracks.iter_mut().map(|track| &mut track.info);
        published.chain(self.pending.iter_mut().map(|pending| &mut pending.info)).find(|info| info.sid == sid)
    }

    /// Announces a track under this SID. Returns false where one of the same cid is still published.
    pub fn announce(&mut self, request: AddTrackRequest, sid: String) -> (TrackInfo, bool) {
        let queued = self.tracks.iter().any(|track| track.cid == request.cid)
            || self.pending.iter().any(|pending| pending.cid == request.cid);
        let info = TrackInfo {
            sid,
            r#type: request.r#type,
            name: request.name,
            muted: request.muted,
            width: request.width,
            height: request.height,
            source: request.source,
            disable_red: request.disable_red,
            encryption: request.encryption,
            // `S:rtc/participant.go`: a microphone's stream is "camera" unless it says otherwise.
            stream: if request.stream.is_empty() { "camera".to_string() } else { request.stream },
            audio_features: request.audio_features,
            ..TrackInfo::default()
        };
        self.pending.push(Pending { cid: request.cid, info: info.clone(), queued, mid: None });
        (info, !queued)
    }

    /// Matches the lines of an answered publisher offer with what was announced (`participant.go:getPendingTrack`: the
    /// cid, else any), and ends the tracks whose line sends no longer. Returns the infos of those that ended.
    pub fn match_lines(&mut self, offer: &Description, answer: &Description) -> Vec<TrackInfo> {
        let mut ended = Vec::new();
        for section in offer.sections.iter().filter(|section| section.is_audio()) {
            let mid = Mid::from(section.mid());
            if !section.sends() {
                let gone = self.tracks.extract_if(.., |track| track.mid == Some(mid));
                ended.extend(gone.map(|track| track.info));
                continue;
            }
            let known = self.tracks.iter().any(|track| track.mid == Some(mid))
                || self.pending.iter().any(|pending| pending.mid == Some(mid));
            if known {
                continue;
            }
            let cid = section.track_id().unwrap_or_default();
            let free =
                |pending: &Pending| pending.mid.is_none() && pending.info.r#type == TrackType::Audio as i32;
            let by_cid = self.pending.iter().position(|pending| free(pending) && pending.cid == cid);
            let index = by_cid.or_else(|| self.pending.iter().position(free));
            let Some(pending) = index.map(|index| &mut self.pending[index]) else { continue };
            let answered = answer.sections.iter().find(|answered| answered.mid() == section.mid());
            let has_red = answered.is_some_and(|answered| answered.payload_type("red").is_some());
            let red = has_red && !pending.info.disable_red;
            pending.mid = Some(mid);
            pending.info.mid = section.mid().to_string();
            pending.info.mime_type = if red { "audio/red" } else { "audio/opus" }.to_string();
            pending.info.codecs = vec![SimulcastCodecInfo {
                mime_type: pending.info.mime_type.clone(),
                mid: pending.info.mid.clone(),
                cid: cid.to_string(),
                ..SimulcastCodecInfo::default()
            }];
        }
        ended
    }

    /// Publishes what is announced and has a line, once the peer connection is up. Returns the SIDs.
    pub fn publish_pending(&mut self) -> Vec<String> {
        if !self.publisher.connected {
            return Vec::new();
        }
        let ready: Vec<Pending> = self.pending.extract_if(.., |pending| pending.mid.is_some()).collect();
        let sids = ready.iter().map(|pending| pending.info.sid.clone()).collect();
        self.tracks.extend(ready.into_iter().map(Track::new));
        sids
    }

    /// Whether an encoder of this participant is advised to use DTX.
    pub fn wants_dtx(&self) -> bool {
        let no_dtx = AudioTrackFeature::TfNoDtx as i32;
        !self.pending.iter().any(|pending| pending.info.audio_features.contains(&no_dtx))
    }
}
