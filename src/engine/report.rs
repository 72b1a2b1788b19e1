//! What the client reports of itself: [`Report`] for `status`, `participants` and `metrics`; [`StatsInterval`] for `stats`.
//!
//! The names in JSON are those of the events. `status` is our own state, short enough for one screen; `participants` is the
//! room. The io ring adds to `stats` and `metrics` what only it knows: cards, CPU, memory.

use std::time::Instant;

use serde_json::{Value, json};

use super::audio::admission::{Admission, who};
use super::audio::hearing::Hearing;
use super::audio::local::{LocalTracks, MicrophoneStatus};
use super::counters::Counters;
use super::session::Session;
use super::transport::Transports;
use crate::event::{MetricKind, Metrics, Stats};
use crate::media::block::BLOCK_MS;
use crate::media::receive::counters::ReceiveCounters;
use crate::room::{Room, RoomCounters};
use crate::signal::truncated::Truncated;

/// A read-only view of the parts.
pub(super) struct Report<'e> {
    pub(super) session: &'e Session,
    pub(super) transports: &'e Transports,
    pub(super) room: &'e Room,
    pub(super) local: &'e LocalTracks,
    pub(super) hearing: &'e Hearing,
    pub(super) admission: &'e Admission,
    pub(super) counters: Counters,
}

impl Report<'_> {
    /// The answer to `status`.
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
            "sending": self.is_sending(microphone),
            "microphone_dbfs": microphone.and_then(|microphone| microphone.loudest_dbfs).map(f32::round),
            "heard_by": heard_by,
            "hears": hears,
            "hearing": hearing,
            "participants": self.room.participants().count(),
            "quality": own.and_then(|own| own.quality),
            "rtt_ms": self.round_trip_ms(),
        })
    }

    /// The answer to `participants`.
    pub(super) fn participants(&self) -> Value {
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

    /// Round trip to the server in milliseconds, on the path of our packets, or else of those that we receive. Before there
    /// is a path: of the signal connection, whose pings are few and do not wait behind the sound.
    pub(super) fn round_trip_ms(&self) -> u32 {
        match self.transports.round_trip() {
            Some(round_trip) => u32::try_from(round_trip.as_millis()).unwrap_or(u32::MAX).max(1),
            None => self.session.round_trip_ms(),
        }
    }

    /// Writes the totals since the start, and the present state.
    pub(super) fn write_metrics(&self, metrics: &mut Metrics) {
        let flag = |is_so| f64::from(u8::from(is_so));
        let is_connected = self.session.is_in_room();
        metrics.one(
            MetricKind::Gauge,
            "kinglet_connected",
            "Whether the client is in the room.",
            flag(is_connected),
        );
        let participants = self.room.participants().count() as f64;
        metrics.one(
            MetricKind::Gauge,
            "kinglet_participants",
            "Other participants in the room.",
            participants,
        );
        let round_trip_s = f64::from(self.session.round_trip_ms()) / 1000.0;
        let help = "Round trip of the signal connection.";
        metrics.one(MetricKind::Gauge, "kinglet_signal_round_trip_seconds", help, round_trip_s);
        let microphone = self.local.microphone_status();
        let is_sending = flag(self.is_sending(microphone));
        metrics.one(
            MetricKind::Gauge,
            "kinglet_sending",
            "Whether the microphone's sound is sent.",
            is_sending,
        );
        if let Some(microphone) = microphone {
            if let Some(loudest_dbfs) = microphone.loudest_dbfs {
                let help = "Loudest 10 ms of the microphone in the last two seconds, muted or not.";
                let loudest_dbfs = f64::from(loudest_dbfs);
                metrics.one(MetricKind::Gauge, "kinglet_microphone_loudest_dbfs", help, loudest_dbfs);
            }
            let help = "Opus payload sent.";
            let bytes = microphone.sent_bytes as f64;
            metrics.one(MetricKind::Counter, "kinglet_sent_bytes_total", help, bytes);
            let help = "Share of the sent packets that the server reports as lost.";
            let loss = f64::from(microphone.loss_permille) / 1000.0;
            metrics.one(MetricKind::Gauge, "kinglet_sent_loss_ratio", help, loss);
        }
        self.write_heard(metrics);
        self.write_dropped(metrics);
    }

    fn write_heard(&self, metrics: &mut Metrics) {
        let total = |count: fn(&ReceiveCounters) -> u64| self.hearing.total(count) as f64;
        let packets = [
            ("received", total(|c| c.received)),
            ("lost", total(|c| c.lost)),
            ("late", total(|c| c.late)),
            ("red_recovered", total(|c| c.red_recovered)),
            ("fec_recovered", total(|c| c.fec_recovered)),
            ("duplicate", total(|c| c.duplicate)),
        ];
        let help = "Received packets by result: lost, late, duplicate, or recovered.";
        metrics.each(MetricKind::Counter, ("kinglet_heard_packets_total", "what"), help, packets);
        let seconds = |blocks: f64| blocks * f64::from(BLOCK_MS) / 1000.0;
        let sound = [
            ("played", seconds(total(|c| c.played_blocks))),
            ("concealed", seconds(total(|c| c.concealed_blocks))),
            ("dropped", seconds(total(|c| c.dropped_blocks))),
        ];
        let help = "Sound of others in seconds: played, concealed because packets were missing, or dropped.";
        metrics.each(MetricKind::Counter, ("kinglet_heard_seconds_total", "what"), help, sound);
    }

    fn write_dropped(&self, metrics: &mut Metrics) {
        // Without `..`: a new counter must appear here.
        let Counters {
            events_lost,
            transmits_lost,
            datagrams_refused,
            actions_lost,
            messages_refused,
            truncated: Truncated { participants: participants_truncated, tracks, texts, entries },
            candidates_refused,
            packets_unknown,
            packets_unheard,
            data_refused,
            data_repeated,
            data_lost,
            streams_refused,
            early_lost,
        } = self.counters;
        let RoomCounters { refused: participants_refused, evicted } = self.room.counters();
        let dropped = [
            ("events", events_lost),
            ("datagrams", transmits_lost),
            ("foreign_datagrams", datagrams_refused),
            ("actions", actions_lost),
            ("messages", messages_refused),
            ("candidates", candidates_refused),
            ("participants", u64::from(participants_truncated) + u64::from(participants_refused)),
            ("evicted_participants", u64::from(evicted)),
            ("tracks", u64::from(tracks)),
            ("texts", u64::from(texts)),
            ("list_entries", u64::from(entries)),
            ("talkers_packets", packets_unheard),
            ("unknown_packets", packets_unknown),
            ("data", data_refused + data_lost),
            ("repeated_data", data_repeated),
            ("streams", streams_refused),
            ("early_packets", early_lost),
            ("encoded_packets", self.local.encoder_faults()),
        ];
        let dropped = dropped.map(|(what, count)| (what, count as f64));
        let help = "Items dropped because a limit was reached or they were invalid.";
        metrics.each(MetricKind::Counter, ("kinglet_dropped_total", "what"), help, dropped);
    }

    fn is_sending(&self, microphone: Option<MicrophoneStatus>) -> bool {
        self.local.is_publishing(self.transports.is_connected())
            && microphone.is_some_and(|microphone| microphone.is_open)
    }
}

/// The time since the last `stats`.
#[derive(Debug)]
pub(super) struct StatsInterval {
    began_at: Instant,
    /// Bytes that were sent until then.
    sent_bytes: u64,
}

impl StatsInterval {
    /// The first interval begins `now`.
    pub(super) fn new(now: Instant) -> StatsInterval {
        StatsInterval { began_at: now, sent_bytes: 0 }
    }

    /// Adds to `stats` what was sent in this interval, and begins the next.
    pub(super) fn take(&mut self, microphone: Option<MicrophoneStatus>, stats: Stats, now: Instant) -> Stats {
        let sent_bytes = microphone.map_or(0, |microphone| microphone.sent_bytes);
        let seconds = now.saturating_duration_since(self.began_at).as_secs_f64();
        let bits = sent_bytes.saturating_sub(self.sent_bytes) * 8;
        *self = StatsInterval { began_at: now, sent_bytes };
        Stats {
            bitrate_out: if seconds > 0.0 { (bits as f64 / seconds) as u32 } else { 0 },
            loss_out_permille: microphone.map_or(0, |microphone| microphone.loss_permille),
            ..stats
        }
    }
}
