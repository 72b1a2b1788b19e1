//! Counters since the last report, for the `stats` event. What only the io ring knows (cards, CPU,
//! memory) it adds itself.

use std::time::Instant;

use super::Engine;
use crate::event::Stats;
use crate::signal::ping::Pinger;

/// What the last report said.
#[derive(Debug, Default)]
pub(super) struct Reported {
    at: Option<Instant>,
    sent_bytes: u64,
}

impl Engine {
    /// Counters since the last call, and the state now.
    pub fn take_stats(&mut self, now: Instant) -> Stats {
        let sent_bytes = self.microphone.as_ref().map_or(0, |microphone| microphone.outlet.sent_bytes);
        let since =
            self.reported.at.map_or_else(|| self.elapsed(now), |at| now.saturating_duration_since(at));
        let bits = sent_bytes.saturating_sub(self.reported.sent_bytes) * 8;
        self.reported = Reported { at: Some(now), sent_bytes };
        let room = &self.room;
        let tracks = self
            .listener
            .take_stats()
            .map(|(sid, mut stats)| {
                stats.sid = sid.to_string();
                stats.identity = room.track(sid).map_or_else(String::new, |track| track.identity.to_owned());
                stats
            })
            .collect();
        Stats {
            rtt_ms: self.pinger.as_ref().map_or(0, Pinger::rtt_ms),
            bitrate_out: if since.is_zero() { 0 } else { (bits as f64 / since.as_secs_f64()) as u32 },
            loss_out_permille: self.microphone.as_ref().map_or(0, |microphone| microphone.loss_permille),
            tracks,
            ..Stats::default()
        }
    }
}
