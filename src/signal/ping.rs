//! Keeps the signal connection alive and notices when it is dead.
//!
//! A ping goes out each interval; its pong gives the round trip. Any message at all shows that the
//! connection lives; none for the timeout means that it does not. Both spans are the server's wish
//! (`JoinResponse.ping_interval`, `ping_timeout`), held within limits.

use std::time::{Duration, Instant};

use crate::limits::{PING_INTERVAL_SECONDS, PING_TIMEOUT_SECONDS};

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PingAction {
    /// Send this ping: the fields of [`Request::Ping`](super::request::Request::Ping).
    Send {
        /// Our clock: milliseconds since the pinger was made.
        timestamp_ms: u64,
        /// The smoothed round trip, 0 before the first pong.
        rtt_ms: u32,
    },
    /// The connection is dead. Said once; afterwards nothing is due any more.
    Dead,
}

/// The ping timer of one signal connection.
#[derive(Debug)]
pub struct Pinger {
    interval: Duration,
    timeout: Duration,
    /// Timestamps count from here.
    epoch: Instant,
    next_ping: Instant,
    heard: Instant,
    rtt: Option<Duration>,
    is_dead: bool,
}

impl Pinger {
    /// For a connection that is up since `now`. Spans outside the limits are moved to the nearest one;
    /// the timeout is at least two intervals, or an answer would have no time to come.
    pub fn new(interval: Duration, timeout: Duration, now: Instant) -> Pinger {
        let interval = held_within(interval, PING_INTERVAL_SECONDS, 5);
        let timeout = held_within(timeout, PING_TIMEOUT_SECONDS, 15).max(2 * interval);
        Pinger {
            interval,
            timeout,
            epoch: now,
            next_ping: now + interval,
            heard: now,
            rtt: None,
            is_dead: false,
        }
    }

    /// A message has arrived, of whatever kind.
    pub fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// When the last message arrived.
    pub fn heard_at(&self) -> Instant {
        self.heard
    }

    /// The pong to the ping of this timestamp has arrived.
    pub fn handle_pong(&mut self, last_ping_timestamp_ms: u64, now: Instant) {
        self.heard(now);
        // Echoes of what we never sent, and of pings older than the connection may live, say nothing.
        let Some(sample_ms) = self.now_ms(now).checked_sub(last_ping_timestamp_ms) else { return };
        let sample = Duration::from_millis(sample_ms);
        if last_ping_timestamp_ms == 0 || sample > self.timeout {
            return;
        }
        // RFC 6298 §2.3, alpha = 1/8.
        self.rtt = Some(self.rtt.map_or(sample, |rtt| (rtt * 7 + sample) / 8));
    }

    /// When [`Pinger::handle_timeout`] has something to do; changes with every call of the others. `None`
    /// once the connection is dead.
    pub fn poll_timeout(&self) -> Option<Instant> {
        (!self.is_dead).then(|| self.next_ping.min(self.heard + self.timeout))
    }

    /// What is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<PingAction> {
        if self.is_dead {
            return None;
        }
        if now >= self.heard + self.timeout {
            self.is_dead = true;
            return Some(PingAction::Dead);
        }
        if now < self.next_ping {
            return None;
        }
        self.next_ping = now + self.interval;
        Some(PingAction::Send { timestamp_ms: self.now_ms(now), rtt_ms: self.rtt_ms() })
    }

    /// The smoothed round trip in milliseconds, at least 1; 0 before the first pong.
    pub fn rtt_ms(&self) -> u32 {
        self.rtt.map_or(0, |rtt| u32::try_from(rtt.as_millis()).unwrap_or(u32::MAX).max(1))
    }

    fn now_ms(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.epoch).as_millis()).unwrap_or(u64::MAX)
    }
}

/// Zero is what servers say that do not care: they get `usual_seconds`, official clients' own default.
fn held_within(span: Duration, seconds: std::ops::RangeInclusive<u64>, usual_seconds: u64) -> Duration {
    if span.is_zero() {
        return Duration::from_secs(usual_seconds);
    }
    span.clamp(Duration::from_secs(*seconds.start()), Duration::from_secs(*seconds.end()))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pinger() -> (Pinger, Instant) {
        let start = Instant::now();
        (Pinger::new(5 * SECOND, 15 * SECOND, start), start)
    }

    #[test]
    fn pings_each_interval_and_measures() {
        let (mut pinger, start) = pinger();
        assert_eq!(pinger.poll_timeout(), Some(start + 5 * SECOND));
        assert_eq!(pinger.handle_timeout(start + 4 * SECOND), None);
        let ping = pinger.handle_timeout(start + 5 * SECOND);
        assert_eq!(ping, Some(PingAction::Send { timestamp_ms: 5000, rtt_ms: 0 }));

        pinger.handle_pong(5000, start + 5 * SECOND + Duration::from_millis(80));
        assert_eq!(pinger.rtt_ms(), 80);
        let ping = pinger.handle_timeout(start + 10 * SECOND);
        assert_eq!(ping, Some(PingAction::Send { timestamp_ms: 10_000, rtt_ms: 80 }));
        pinger.handle_pong(10_000, start + 10 * SECOND + Duration::from_millis(160));
        assert_eq!(pinger.rtt_ms(), 90);
    }

    #[test]
    fn silence_is_death_and_said_once() {
        let (mut pinger, start) = pinger();
        pinger.heard(start + 3 * SECOND);
        for at in [5, 10, 15] {
            assert!(matches!(pinger.handle_timeout(start + at * SECOND), Some(PingAction::Send { .. })));
        }
        assert_eq!(pinger.poll_timeout(), Some(start + 18 * SECOND));
        assert_eq!(pinger.handle_timeout(start + 18 * SECOND), Some(PingAction::Dead));
        assert_eq!(pinger.handle_timeout(start + 19 * SECOND), None);
        assert_eq!(pinger.poll_timeout(), None);
    }

    #[test]
    fn foreign_pongs_measure_nothing() {
        let (mut pinger, start) = pinger();
        for timestamp_ms in [0, 30_000, u64::MAX] {
            pinger.handle_pong(timestamp_ms, start + 20 * SECOND);
        }
        pinger.handle_pong(1, start + 20 * SECOND);
        assert_eq!(pinger.rtt_ms(), 0);
    }

    #[test]
    fn a_servers_wish_has_limits() {
        let cases = [((0, 0), (5, 15)), ((5, 15), (5, 15)), ((1000, 1000), (60, 120)), ((20, 5), (20, 40))];
        for ((interval, timeout), expected) in cases {
            let start = Instant::now();
            let pinger = Pinger::new(interval * SECOND, timeout * SECOND, start);
            assert_eq!((pinger.interval, pinger.timeout), (expected.0 * SECOND, expected.1 * SECOND));
        }
        let start = Instant::now();
        assert_eq!(Pinger::new(SECOND / 100, SECOND / 100, start).timeout, 3 * SECOND);
    }
}
