//! The fastest and the slowest packet of each half second, for half a minute.
//!
//! ```text
//!   transit   ·  ·      ·                    ·            slowest of a span
//!             ·  ·  · · ·  ·  · ·   ·  · · · · ·  ·
//!             ──────────────────   ─────────────────      fastest of the spans around it
//!             └ span ┘                  a route became slower: lateness counts from its own level
//! ```
//!
//! A packet's *transit* is its arrival minus its RTP time. The offset of the two clocks is unknown, so only differences
//! have a meaning. Queues make packets late and never early: the fastest of some seconds shows the route and the
//! clocks, without the jitter. How *late* the slowest packet of a span was is judged in hindsight, against the fastest
//! of the spans before it or of those after it, whichever is slower. So a route that became slower or faster makes one
//! span late and not all that follow.

use super::clock::SAMPLES_PER_MS;

/// Length of a span.
const SPAN_SAMPLES: i64 = 500 * SAMPLES_PER_MS;

/// Spans remembered: 32 s, longer than the intervals of Wi-Fi scans and power saving.
const SPANS: usize = 64;

/// Spans whose fastest packet gives the level of the route: 4 s. Clocks 300 ppm apart move 1.2 ms in it.
const LEVEL_SPANS: usize = 8;

/// A second in which no packet came within this of the fastest is a slower route: 60 ms, more than jitter leaves
/// between the best packets of two seconds.
const ROUTE_SAMPLES: i64 = 60 * SAMPLES_PER_MS;

/// The length of that second, in spans.
const ROUTE_SPANS: usize = 2;

/// Spans in which a late packet is still fresh: 1 to 1.5 s.
const RECENT_SPANS: usize = 3;

/// With this many spans seen, the latest of them is taken for an accident that need not come again.
const ACCIDENT_SPANS: usize = 16;

#[derive(Debug, Clone, Copy)]
struct Span {
    since: i64,
    fastest: i64,
    slowest: i64,
}

/// What the arrivals of the last half minute were like.
#[derive(Debug, Clone)]
pub struct DelayHistory {
    spans: heapless::Vec<Span, SPANS>,
    /// Spans before this are of another route, as far as its level is concerned.
    route_since: i64,
}

impl DelayHistory {
    /// A history that has seen nothing.
    pub fn new() -> Self {
        DelayHistory { spans: heapless::Vec::new(), route_since: i64::MIN }
    }

    /// Takes the transit of a packet that arrived at local time `at`. Returns `false` if it gives no new information.
    pub fn push(&mut self, at: i64, transit: i64) -> bool {
        if let Some(span) = self.spans.last_mut()
            && at.saturating_sub(span.since) < SPAN_SAMPLES
        {
            let before = (span.fastest, span.slowest);
            span.fastest = span.fastest.min(transit);
            span.slowest = span.slowest.max(transit);
            return before != (span.fastest, span.slowest);
        }
        self.notice_route();
        if self.spans.is_full() {
            self.spans.remove(0);
        }
        // A place was just made.
        let _ = self.spans.push(Span { since: at, fastest: transit, slowest: transit });
        true
    }

    /// The route changed at local time `at`: older packets are not used for its level any more.
    pub fn begin_route(&mut self, at: i64) {
        self.route_since = at;
        // The span under way would mix both.
        if let Some(span) = self.spans.last_mut() {
            span.since = span.since.saturating_sub(SPAN_SAMPLES);
        }
    }

    /// Transit of the fastest packet of the last seconds.
    pub fn fastest(&self) -> Option<i64> {
        let newest = self.spans.last()?.since;
        self.level(self.spans.iter().rev(), newest, self.route_since)
    }

    /// The lateness of the slowest packets: of the latest span in half a minute, except a single one once the level is
    /// well known. Spans later than `outage` are ignored.
    pub fn lateness(&self, outage: i64) -> i64 {
        let (mut worst, mut second) = (0, 0);
        for index in 0..self.spans.len() {
            let lateness = self.lateness_of(index);
            if lateness > outage {
                continue;
            }
            if lateness > worst {
                (worst, second) = (lateness, worst);
            } else {
                second = second.max(lateness);
            }
        }
        if self.spans.len() < ACCIDENT_SPANS { worst } else { second }
    }

    /// How late the slowest packet of the last second was, against the route as it is known now.
    pub fn recent_lateness(&self) -> i64 {
        let Some(fastest) = self.fastest() else { return 0 };
        let recent = self.spans.iter().rev().take(RECENT_SPANS);
        recent.map(|span| span.slowest.saturating_sub(fastest)).max().unwrap_or(0)
    }

    /// Forgets all spans and the route.
    pub fn clear(&mut self) {
        *self = DelayHistory::new();
    }

    fn lateness_of(&self, index: usize) -> i64 {
        let Some(span) = self.spans.get(index) else { return 0 };
        let (before, after) = self.spans.split_at(index);
        let before = self.level(before.iter().rev(), span.since, i64::MIN).unwrap_or(span.fastest);
        let after = self.level(after.iter(), span.since, i64::MIN).unwrap_or(span.fastest);
        span.slowest.saturating_sub(before.min(span.fastest).max(after))
    }

    /// The fastest of the next spans, as far as they are near `at` and not before `since`.
    fn level<'a>(&self, spans: impl Iterator<Item = &'a Span>, at: i64, since: i64) -> Option<i64> {
        let reach = LEVEL_SPANS as i64 * SPAN_SAMPLES;
        let near = |span: &&Span| span.since.saturating_sub(at).saturating_abs() <= reach;
        let near = spans.take(LEVEL_SPANS).take_while(near).take_while(|span| span.since >= since);
        near.map(|span| span.fastest).min()
    }

    /// Whether all of the last second came late: then the route is a slower one.
    fn notice_route(&mut self) {
        let Some(fastest) = self.fastest() else { return };
        let second = &self.spans[self.spans.len().saturating_sub(ROUTE_SPANS)..];
        let best = second.iter().map(|span| span.fastest).min().unwrap_or(fastest);
        if best.saturating_sub(fastest) > ROUTE_SAMPLES {
            self.route_since = second.first().map_or(self.route_since, |span| span.since);
        }
    }
}

impl Default for DelayHistory {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTAGE: i64 = 200 * SAMPLES_PER_MS;

    /// Packets of 20 ms from `first` on, each late by `lateness_ms` of its index.
    fn push(history: &mut DelayHistory, packets: std::ops::Range<i64>, lateness_ms: impl Fn(i64) -> i64) {
        for packet in packets {
            let transit = lateness_ms(packet) * SAMPLES_PER_MS;
            history.push(packet * 960 + transit, transit);
        }
    }

    #[test]
    fn an_accident_is_forgiven_and_a_habit_is_not() {
        let mut history = DelayHistory::new();
        push(&mut history, 0..600, |packet| if packet == 500 { 120 } else { packet % 3 });
        assert_eq!(history.lateness(OUTAGE), 2 * SAMPLES_PER_MS);
        assert_eq!(history.recent_lateness(), 2 * SAMPLES_PER_MS);
        push(&mut history, 600..700, |packet| if packet == 650 { 90 } else { packet % 3 });
        assert_eq!(history.lateness(OUTAGE), 90 * SAMPLES_PER_MS);
        push(&mut history, 700..2300, |packet| packet % 3);
        assert_eq!(history.lateness(OUTAGE), 2 * SAMPLES_PER_MS, "after half a minute it is forgotten");
    }

    #[test]
    fn at_first_everything_counts_and_outages_never() {
        let mut history = DelayHistory::new();
        push(&mut history, 0..50, |packet| if packet == 30 { 70 } else { 0 });
        assert_eq!(history.lateness(OUTAGE), 70 * SAMPLES_PER_MS);
        push(&mut history, 50..100, |packet| if packet == 60 { 900 } else { 0 });
        assert_eq!(history.lateness(OUTAGE), 70 * SAMPLES_PER_MS);
    }

    #[test]
    fn another_route_makes_nobody_late() {
        for (before_ms, after_ms) in [(0, 200), (200, 0), (0, 1500), (0, 80)] {
            let mut history = DelayHistory::new();
            push(&mut history, 0..1000, |packet| before_ms + packet % 3);
            push(&mut history, 1000..1120, |packet| after_ms + packet % 3);
            assert_eq!(history.fastest(), Some(after_ms * SAMPLES_PER_MS), "{before_ms} {after_ms}");
            assert!(history.recent_lateness() <= 2 * SAMPLES_PER_MS);
            push(&mut history, 1120..1300, |packet| after_ms + packet % 3);
            assert!(history.lateness(OUTAGE) <= 2 * SAMPLES_PER_MS, "{before_ms} {after_ms}");
        }
    }

    #[test]
    fn after_a_pause_of_hours_only_what_is_new_counts() {
        let mut history = DelayHistory::new();
        push(&mut history, 0..100, |_| 0);
        // Two hours later the clocks are two seconds apart.
        let hours = 7200 * 50;
        push(&mut history, hours..hours + 2, |_| 2000);
        assert_eq!(history.fastest(), Some(2000 * SAMPLES_PER_MS));
        assert_eq!((history.lateness(OUTAGE), history.recent_lateness()), (0, 0));
    }

    #[test]
    fn a_route_that_begins_is_known_by_its_first_packet() {
        let mut history = DelayHistory::new();
        push(&mut history, 0..100, |_| 0);
        history.begin_route(100 * 960 + 150 * SAMPLES_PER_MS);
        push(&mut history, 100..101, |_| 150);
        assert_eq!(history.fastest(), Some(150 * SAMPLES_PER_MS));
        // The packets that follow show that it was a burst: the lateness is known all the same.
        push(&mut history, 101..140, |_| 0);
        assert_eq!((history.fastest(), history.lateness(OUTAGE)), (Some(0), 150 * SAMPLES_PER_MS));
    }

    #[test]
    fn extreme_times_do_not_overflow() {
        let mut history = DelayHistory::new();
        for (at, transit) in [(i64::MIN, i64::MAX), (i64::MAX, i64::MIN), (0, 0), (i64::MAX, i64::MAX)] {
            history.push(at, transit);
            let _ = (history.fastest(), history.lateness(OUTAGE), history.recent_lateness());
        }
    }
}
