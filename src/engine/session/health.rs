//! Whether the server answers on the signal connection: [`SignalHealth`], a [`Pinger`] with the server's times.

use std::time::{Duration, Instant};

use crate::signal::ping::{PingAction, Pinger};

/// The pings of the signal connection that is up, if one is.
#[derive(Debug, Default)]
pub(super) struct SignalHealth {
    pinger: Option<Pinger>,
    /// The ping interval of the last `join`.
    interval: Duration,
    timeout: Duration,
}

impl SignalHealth {
    /// A session has begun.
    pub(super) fn begin(&mut self, interval: Duration, timeout: Duration, now: Instant) {
        (self.interval, self.timeout) = (interval, timeout);
        self.begin_again(now);
    }

    /// The session continues on a new connection.
    pub(super) fn begin_again(&mut self, now: Instant) {
        self.pinger = Some(Pinger::new(self.interval, self.timeout, now));
    }

    /// The connection is gone.
    pub(super) fn stop(&mut self) {
        self.pinger = None;
    }

    /// The server has sent something.
    pub(super) fn heard(&mut self, now: Instant) {
        if let Some(pinger) = &mut self.pinger {
            pinger.heard(now);
        }
    }

    /// The server has answered the ping of that time.
    pub(super) fn handle_pong(&mut self, ping_timestamp_ms: u64, now: Instant) {
        if let Some(pinger) = &mut self.pinger {
            pinger.handle_pong(ping_timestamp_ms, now);
        }
    }

    /// What is due: a ping, or the verdict that the server is silent. `sound_flows`: silence is judged later then.
    pub(super) fn handle_timeout(&mut self, now: Instant, sound_flows: bool) -> Option<PingAction> {
        self.pinger.as_mut()?.handle_timeout(now, sound_flows)
    }

    /// When that is.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.pinger.as_ref()?.poll_timeout()
    }

    /// Whether the server was heard within `silence`.
    pub(super) fn is_heard_within(&self, silence: Duration, now: Instant) -> bool {
        let pinger = self.pinger.as_ref();
        pinger.is_some_and(|pinger| now.saturating_duration_since(pinger.heard_at()) < silence)
    }

    /// Round trip of the pings in ms, 0 if it is not known.
    pub(super) fn round_trip_ms(&self) -> u32 {
        self.pinger.as_ref().map_or(0, Pinger::rtt_ms)
    }
}
