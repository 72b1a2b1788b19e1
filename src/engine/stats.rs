//! Counters since the last report, for the `stats` event, and totals for `metrics`. What only the io ring knows (cards, CPU,
//! memory) it adds itself.

use std::time::Instant;

use super::Engine;
use crate::event::{MetricKind, Metrics, Stats};
use crate::media::block::BLOCK_MS;
use crate::media::receive::counters::ReceiveCounters;

/// What the last report said.
#[derive(Debug, Default)]
pub(super) struct Reported {
    at: Option<Instant>,
    sent_bytes: u64,
}

impl Engine {
    /// Counters since the last call, and the state now.
    pub fn take_stats(&mut self, now: Instant) -> Stats {
        let microphone = self.local.microphone_status();
        let sent_bytes = microphone.map_or(0, |microphone| microphone.sent_bytes);
        let since =
            self.reported.at.map_or_else(|| self.elapsed(now), |at| now.saturating_duration_since(at));
        let bits = sent_bytes.saturating_sub(self.reported.sent_bytes) * 8;
        self.reported = Reported { at: Some(now), sent_bytes };
        Stats {
            rtt_ms: self.round_trip_ms(),
            bitrate_out: if since.is_zero() { 0 } else { (bits as f64 / since.as_secs_f64()) as u32 },
            loss_out_permille: microphone.map_or(0, |microphone| microphone.loss_permille),
            tracks: self.hearing.take_stats(&self.room),
            ..Stats::default()
        }
    }

    /// To the server and back, on the path of our sound, or of what we hear; before there is one, of the signal
    /// connection, whose pings do not wait behind the sound and are few.
    pub(super) fn round_trip_ms(&self) -> u32 {
        match self.transports.round_trip() {
            Some(round_trip) => u32::try_from(round_trip.as_millis()).unwrap_or(u32::MAX).max(1),
            None => self.session.round_trip_ms(),
        }
    }

    /// Totals since the start, and the state now.
    pub fn write_metrics(&self, metrics: &mut Metrics) {
        let flag = |is_so| f64::from(u8::from(is_so));
        let is_connected = self.session.is_in_room();
        metrics.one(
            MetricKind::Gauge,
            "kinglet_connected",
            "Whether we are in the room.",
            flag(is_connected),
        );
        let participants = self.room.participants().count() as f64;
        metrics.one(MetricKind::Gauge, "kinglet_participants", "Others in the room.", participants);
        let round_trip_s = f64::from(self.session.round_trip_ms()) / 1000.0;
        let help = "Round trip of the signal connection.";
        metrics.one(MetricKind::Gauge, "kinglet_signal_round_trip_seconds", help, round_trip_s);
        let microphone = self.local.microphone_status();
        let is_sending = self.is_publishing() && microphone.is_some_and(|microphone| microphone.is_open);
        metrics.one(MetricKind::Gauge, "kinglet_sending", "Whether our sound goes out.", flag(is_sending));
        if let Some(microphone) = microphone {
            if let Some(loudest_dbfs) = microphone.loudest_dbfs {
                let help = "Loudest 10 ms of the microphone in the last two seconds, muted or not.";
                let loudest_dbfs = f64::from(loudest_dbfs);
                metrics.one(MetricKind::Gauge, "kinglet_microphone_loudest_dbfs", help, loudest_dbfs);
            }
            let help = "Opus payload sent.";
            let bytes = microphone.sent_bytes as f64;
            metrics.one(MetricKind::Counter, "kinglet_sent_bytes_total", help, bytes);
            let help = "Share of our packets that the server says it lacks.";
            let loss = f64::from(microphone.loss_permille) / 1000.0;
            metrics.one(MetricKind::Gauge, "kinglet_sent_loss_ratio", help, loss);
        }
        self.write_heard(metrics);
        let counters = self.counters();
        let lost = [
            ("events", counters.events_lost),
            ("datagrams", counters.transmits_lost),
            ("foreign_datagrams", counters.datagrams_refused),
            ("actions", counters.actions_lost),
            ("messages", counters.messages_refused),
            ("talkers_packets", counters.packets_unheard),
            ("data", counters.data_refused + counters.data_lost),
            ("streams", counters.streams_refused),
        ];
        let lost = lost.map(|(what, count)| (what, count as f64));
        let help = "What did not fit, or could not be read.";
        metrics.each(MetricKind::Counter, ("kinglet_dropped_total", "what"), help, lost);
    }

    fn write_heard(&self, metrics: &mut Metrics) {
        let total = |count: fn(&ReceiveCounters) -> u64| self.hearing.total(count) as f64;
        let packets = [
            ("received", total(|c| c.received)),
            ("lost", total(|c| c.lost)),
            ("late", total(|c| c.late)),
            ("red_recovered", total(|c| c.red_recovered)),
            ("fec_recovered", total(|c| c.fec_recovered)),
        ];
        let help = "Packets of others, and what became of those that were missing.";
        metrics.each(MetricKind::Counter, ("kinglet_heard_packets_total", "what"), help, packets);
        let seconds = |blocks: f64| blocks * f64::from(BLOCK_MS) / 1000.0;
        let sound = [
            ("played", seconds(total(|c| c.played_blocks))),
            ("concealed", seconds(total(|c| c.concealed_blocks))),
        ];
        let help = "Sound of others that was played, and how much of it was made up.";
        metrics.each(MetricKind::Counter, ("kinglet_heard_seconds_total", "what"), help, sound);
    }
}
