//! Keeps the signal connection alive and notices when it is dead.
//!
//! A ping is sent each interval; its pong gives the round trip. Any message shows that the connection is alive; without
//! one for the timeout it counts as dead. The server sets both (`JoinResponse.ping_interval`, `ping_timeout`); they are
//! held within limits.
//!
//! While sound flows, silence may last three timeouts: on a full link TCP comes last and is late, which does not matter
//! as long as it moves at all. The kernel ends a connection without any progress before that (`io/signal/tcp.rs`).

use std::time::{Duration, Instant};

use crate::limits::{PING_INTERVAL_SECONDS, PING_TIMEOUT_SECONDS};

/// Timeouts without a message that are borne while sound flows.
const TIMEOUTS_WITH_SOUND: u32 = 3;

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
    /// The connection is dead. Returned once; afterwards nothing is due any more.
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
    /// Its silence was borne up to now, and is judged again then.
    borne_until: Option<Instant>,
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
            borne_until: None,
            rtt: None,
            is_dead: false,
        }
    }

    /// A message of any kind has arrived.
    pub fn heard(&mut self, now: Instant) {
        (self.heard, self.borne_until) = (now, None);
    }

    /// When the last message arrived.
    pub fn heard_at(&self) -> Instant {
        self.heard
    }

    /// The pong to the ping of this timestamp has arrived.
    pub fn handle_pong(&mut self, last_ping_timestamp_ms: u64, now: Instant) {
        self.heard(now);
        // Echoes of pings that were never sent, or that are older than the connection may live, are ignored.
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
        (!self.is_dead).then(|| self.next_ping.min(self.judged_at()))
    }

    /// What is due at `now`, while sound flows or not.
    pub fn handle_timeout(&mut self, now: Instant, sound_flows: bool) -> Option<PingAction> {
        if self.is_dead {
            return None;
        }
        if now >= self.judged_at() {
            if !sound_flows || now >= self.heard + TIMEOUTS_WITH_SOUND * self.timeout {
                self.is_dead = true;
                return Some(PingAction::Dead);
            }
            self.borne_until = Some(now + self.interval);
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

    fn judged_at(&self) -> Instant {
        self.borne_until.unwrap_or(self.heard + self.timeout)
    }

    fn now_ms(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.epoch).as_millis()).unwrap_or(u64::MAX)
    }
}

/// Servers without a preference send zero: then `usual_seconds` is used, the default of official clients.
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
        assert_eq!(pinger.handle_timeout(start + 4 * SECOND, false), None);
        let ping = pinger.handle_timeout(start + 5 * SECOND, false);
        assert_eq!(ping, Some(PingAction::Send { timestamp_ms: 5000, rtt_ms: 0 }));

        pinger.handle_pong(5000, start + 5 * SECOND + Duration::from_millis(80));
        assert_eq!(pinger.rtt_ms(), 80);
        let ping = pinger.handle_timeout(start + 10 * SECOND, false);
        assert_eq!(ping, Some(PingAction::Send { timestamp_ms: 10_000, rtt_ms: 80 }));
        pinger.handle_pong(10_000, start + 10 * SECOND + Duration::from_millis(160));
        assert_eq!(pinger.rtt_ms(), 90);
    }

    #[test]
    fn silence_is_death_and_said_once() {
        let (mut pinger, start) = pinger();
        pinger.heard(start + 3 * SECOND);
        for at in [5, 10, 15] {
            assert!(matches!(
                pinger.handle_timeout(start + at * SECOND, false),
                Some(PingAction::Send { .. })
            ));
        }
        assert_eq!(pinger.poll_timeout(), Some(start + 18 * SECOND));
        assert_eq!(pinger.handle_timeout(start + 18 * SECOND, false), Some(PingAction::Dead));
        assert_eq!(pinger.handle_timeout(start + 19 * SECOND, false), None);
        assert_eq!(pinger.poll_timeout(), None);
    }

    #[test]
    fn late_pongs_are_borne_while_sound_flows() {
        let (mut pinger, start) = pinger();
        let mut pings = 0;
        // No deadline is in the past once it was served.
        while let Some(due) = pinger.poll_timeout() {
            match pinger.handle_timeout(due, true) {
                Some(PingAction::Send { .. }) => pings += 1,
                Some(PingAction::Dead) => assert_eq!(due, start + 45 * SECOND),
                None => assert!(pinger.poll_timeout() > Some(due)),
            }
        }
        assert!((8..=9).contains(&pings), "{pings}");
        let (mut pinger, start) = self::pinger();
        assert!(pinger.handle_timeout(start + 15 * SECOND, true).is_some());
        pinger.handle_pong(15_000, start + 17 * SECOND);
        assert!(pinger.handle_timeout(start + 31 * SECOND, false).is_some());
        assert_eq!(pinger.handle_timeout(start + 32 * SECOND, false), Some(PingAction::Dead), "and no sound");
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
