//! What is sent while the link is full: less, in steps, and never more because something is lost.
//!
//! ```text
//!   one long round trip ──► half of what was sent, 45 kbit/s at most ──► two short ones: free again
//!     └► a check that was sent since then is long as well: a queue stands
//!   a queue stands ──► the step that takes half of what was sent, or what arrived of it ──► stands again after 2 s ──► half of that
//!     at the least step: a queue that stays is not ours
//!     after a step up: two long round trips are enough
//!   drained for 10 s (doubled with each relapse, to 10 min) ──► the next step ──► … ──► free again
//! ```
//!
//! Copies are dropped first, because they cost the rate of a whole voice. Headers are reduced next: with 20 ms packets
//! they take 25 kbit/s at any rate of the voice.

use std::time::{Duration, Instant};

use super::encode::PacketDuration;
use super::profile::AudioProfile;
use super::queueing_delay::QueueingDelay;

/// A queue of this length is a full link in any case.
const FULL: Duration = Duration::from_millis(200);

/// A shorter one is, where packets are lost as well: a router with a small buffer.
const FULL_WITH_LOSS: Duration = Duration::from_millis(80);
const FULL_LOSS_PERMILLE: u16 = 20;

/// Where much is lost, most checks are lost, too, and one round trip that is this long is enough.
const FULL_WITH_MUCH_LOSS: Duration = Duration::from_millis(150);
const FULL_MUCH_LOSS_PERMILLE: u16 = 100;

/// A single round trip of this length on a free link may be a queue. Less is sent until the next checks give a result:
/// on a link that is much too slow most checks are lost, and three answers take seconds.
const SUSPICIOUS: Duration = Duration::from_millis(150);

/// What is sent at most under suspicion: what a link of 32 kbit/s may get in its first ten seconds.
const SUSPECT_BPS_MAX: u32 = 45_000;

/// Checks without a queue that end a suspicion.
const CLEARED_CHECKS: u32 = 2;

/// The link has drained.
const DRAINED: Duration = Duration::from_millis(40);

/// What a smaller rate takes until the round trips show it: four checks.
const REACTION: Duration = Duration::from_secs(2);

/// How long the lowest rate is tried before the queue counts as caused by other traffic.
const LEAST_PATIENCE: Duration = Duration::from_secs(10);

/// How long a drained link is left as it is before a little more is tried: at first, and at most.
const CLIMB_AFTER: Duration = Duration::from_secs(10);
const CLIMB_AFTER_MAX: Duration = Duration::from_secs(600);

/// A link that is full again so soon was never really free.
const RELAPSE: Duration = Duration::from_secs(120);

/// IP, UDP, RTP, its extensions and SRTP's tag, for each packet.
const HEADER_BYTES: u32 = 20 + 8 + 12 + 8 + 10;

/// One way to send, without copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// Bits a second of Opus.
    pub bitrate_bps: u32,
    /// Sound in one packet.
    pub packet: PacketDuration,
}

impl Rung {
    const fn new(bitrate_bps: u32, packet: PacketDuration) -> Rung {
        Rung { bitrate_bps, packet }
    }

    /// Bits a second on the wire, headers included.
    pub fn wire_bps(self) -> u32 {
        self.bitrate_bps + packets_per_second(self.packet) * HEADER_BYTES * 8
    }
}

/// Packets in a second of sound.
pub fn packets_per_second(packet: PacketDuration) -> u32 {
    // At most six blocks.
    100 / packet.blocks() as u32
}

/// The steps of each profile, the least first.
fn rungs(profile: AudioProfile) -> &'static [Rung] {
    use PacketDuration::{Ms10, Ms20, Ms40, Ms60};
    const DEFAULT: [Rung; 5] = [
        Rung::new(12_000, Ms60),
        Rung::new(16_000, Ms40),
        Rung::new(16_000, Ms20),
        Rung::new(24_000, Ms20),
        Rung::new(32_000, Ms20),
    ];
    const LOW_LATENCY: [Rung; 5] = [
        Rung::new(12_000, Ms60),
        Rung::new(16_000, Ms40),
        Rung::new(16_000, Ms20),
        Rung::new(24_000, Ms20),
        Rung::new(24_000, Ms10),
    ];
    const METERED: [Rung; 3] = [Rung::new(12_000, Ms60), Rung::new(12_000, Ms40), Rung::new(16_000, Ms40)];
    match profile {
        AudioProfile::Default => &DEFAULT,
        AudioProfile::LowLatency => &LOW_LATENCY,
        AudioProfile::Metered => &METERED,
    }
}

/// The highest step that takes no more than this, or the least.
fn rung_below(profile: AudioProfile, most_bps: u32) -> usize {
    rungs(profile).iter().rposition(|rung| rung.wire_bps() <= most_bps).unwrap_or(0)
}

/// Judges the link. Returns how to send while it is full.
#[derive(Debug)]
pub struct CongestionControl {
    profile: AudioProfile,
    queue: QueueingDelay,
    /// The step that is taken; `None` is a link that is free.
    step: Option<Step>,
    suspicion: Option<Suspicion>,
    climb_after: Duration,
    freed_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    rung: usize,
    since: Instant,
    /// Since when the link has been drained.
    drained_since: Option<Instant>,
    is_climb: bool,
}

/// A link that may be full.
#[derive(Debug, Clone, Copy)]
struct Suspicion {
    rung: usize,
    since: Instant,
    /// What was sent before.
    wire_bps: u32,
    /// Answers to checks that were sent since then.
    checks: u32,
}

impl CongestionControl {
    /// A link that is free.
    pub fn new(profile: AudioProfile) -> CongestionControl {
        CongestionControl {
            profile,
            queue: QueueingDelay::default(),
            step: None,
            suspicion: None,
            climb_after: CLIMB_AFTER,
            freed_at: None,
        }
    }

    /// A round trip was measured, while `loss_permille` was lost and `wire_bps` was sent.
    pub fn round_trip(&mut self, round_trip: Duration, loss_permille: u16, wire_bps: u32, now: Instant) {
        self.queue.add(round_trip, now);
        let standing = self.queue.standing();
        let is_full = standing >= FULL
            || loss_permille >= FULL_LOSS_PERMILLE && standing >= FULL_WITH_LOSS
            || loss_permille >= FULL_MUCH_LOSS_PERMILLE && self.queue.newest() >= FULL_WITH_MUCH_LOSS
            || self.is_confirmed(round_trip, now)
            || self.step.is_some_and(|step| step.is_climb) && self.queue.newest_two() >= SUSPICIOUS;
        match &mut self.step {
            _ if is_full => self.full(loss_permille, wire_bps, now),
            Some(step) if standing <= DRAINED => {
                let drained_since = *step.drained_since.get_or_insert(now);
                if now.saturating_duration_since(drained_since.max(step.since)) >= self.climb_after {
                    self.climb(now);
                }
            }
            Some(step) => step.drained_since = None,
            None => self.suspect(wire_bps, now),
        }
    }

    /// Whether a check that was sent under suspicion met the queue as well.
    fn is_confirmed(&mut self, round_trip: Duration, now: Instant) -> bool {
        let Some(suspicion) = &mut self.suspicion else { return false };
        if now.saturating_duration_since(suspicion.since) < round_trip {
            return false;
        }
        suspicion.checks += 1;
        self.queue.newest() >= FULL_WITH_LOSS
    }

    fn suspect(&mut self, wire_bps: u32, now: Instant) {
        match self.suspicion {
            Some(suspicion) if suspicion.checks >= CLEARED_CHECKS => self.suspicion = None,
            None if self.queue.newest() >= SUSPICIOUS => {
                let rung = rung_below(self.profile, (wire_bps / 2).min(SUSPECT_BPS_MAX));
                self.suspicion = Some(Suspicion { rung, since: now, wire_bps, checks: 0 });
            }
            _ => {}
        }
    }

    /// The path has changed: measurements of the old one are dropped.
    pub fn path_changed(&mut self) {
        self.queue.forget();
        self.suspicion = None;
    }

    /// How to send while the link is full; `None` if it is free.
    pub fn rung(&self) -> Option<Rung> {
        let rung = self.step.map(|step| step.rung).or(self.suspicion.map(|suspicion| suspicion.rung))?;
        rungs(self.profile).get(rung).copied()
    }

    fn full(&mut self, loss_permille: u16, wire_bps: u32, now: Instant) {
        let since = |at: Instant| now.saturating_duration_since(at);
        let is_relapse = match self.step {
            Some(step) if !step.is_climb && since(step.since) < REACTION => return,
            Some(step) if step.rung == 0 => {
                if since(step.since) >= LEAST_PATIENCE {
                    self.queue.accept();
                }
                return;
            }
            Some(step) => step.is_climb,
            None => self.freed_at.is_some_and(|at| since(at) < RELAPSE),
        };
        if is_relapse {
            self.climb_after = (2 * self.climb_after).min(CLIMB_AFTER_MAX);
        } else if self.step.is_none() {
            self.climb_after = CLIMB_AFTER;
        }
        let suspicion = self.suspicion.take();
        let (wire_bps, since) =
            suspicion.map_or((wire_bps, now), |suspicion| (suspicion.wire_bps, suspicion.since));
        // What arrives is what the link carries; a part of it is needed to drain the queue.
        let arrives_bps = wire_bps / 1000 * u32::from(1000_u16.saturating_sub(loss_permille));
        let most_bps = (wire_bps / 2).min(arrives_bps / 5 * 4);
        let rung = rung_below(self.profile, most_bps);
        self.step = Some(Step { rung, since, drained_since: None, is_climb: false });
    }

    fn climb(&mut self, now: Instant) {
        let Some(step) = self.step else { return };
        let rung = step.rung + 1;
        if rung < rungs(self.profile).len() {
            self.step = Some(Step { rung, since: now, drained_since: None, is_climb: true });
        } else {
            self.step = None;
            self.freed_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
    fn base() -> Instant {
        Instant::now()
    }

    /// A link of this rate with a queue of 300 ms, asked once a second; what was sent in each second.
    fn sent_into(profile: AudioProfile, link_bps: u32, free_bps: u32, seconds: u64) -> Vec<u32> {
        let (mut congestion, began) = (CongestionControl::new(profile), base());
        let (mut queue_ms, mut sent) = (0.0_f64, Vec::new());
        // Checks are answered before there is sound.
        congestion.round_trip(Duration::from_millis(20), 0, free_bps, began);
        for second in 0..seconds {
            let wire_bps = congestion.rung().map_or(free_bps, Rung::wire_bps);
            sent.push(wire_bps);
            let excess = f64::from(wire_bps) / f64::from(link_bps) - 1.0;
            queue_ms = (queue_ms + 1000.0 * excess).clamp(0.0, 300.0);
            let lost = (1.0 - f64::from(link_bps) / f64::from(wire_bps)).max(0.0);
            let loss = if queue_ms >= 300.0 { (1000.0 * lost) as u16 } else { 0 };
            let round_trip = Duration::from_micros(20_000 + (1000.0 * queue_ms) as u64);
            congestion.round_trip(round_trip, loss, wire_bps, began + Duration::from_secs(second));
        }
        sent
    }

    fn mean(sent: &[u32]) -> u32 {
        sent.iter().sum::<u32>() / sent.len() as u32
    }

    #[test]
    fn a_full_link_is_relieved_within_seconds_and_stays_so() {
        for (profile, link_bps, free_bps) in [
            (AudioProfile::Default, 64_000, 89_000),
            (AudioProfile::Default, 32_000, 89_000),
            (AudioProfile::LowLatency, 64_000, 114_000),
            (AudioProfile::Metered, 24_000, 32_000),
        ] {
            let sent = sent_into(profile, link_bps, free_bps, 600);
            println!("{profile:?} into {link_bps}: {:?} … {}", &sent[..20], mean(&sent[60..]));
            assert!(sent.iter().all(|bps| *bps <= free_bps), "it never rises");
            assert!(mean(&sent[10..70]) <= link_bps, "{}", mean(&sent[10..70]));
            assert!(mean(&sent[300..]) <= link_bps, "{}", mean(&sent[300..]));
            assert!(mean(&sent[300..]) >= link_bps / 2, "{}", mean(&sent[300..]));
        }
    }

    #[test]
    fn a_free_link_is_used() {
        assert!(sent_into(AudioProfile::Default, 1_000_000, 89_000, 600).iter().all(|bps| *bps == 89_000));
    }

    #[test]
    fn loss_alone_changes_nothing() {
        let mut congestion = CongestionControl::new(AudioProfile::Default);
        for second in 0..60 {
            let now = base() + Duration::from_secs(second);
            congestion.round_trip(Duration::from_millis(20 + second % 50), 200, 89_000, now);
        }
        assert_eq!(congestion.rung(), None);
    }

    /// What is sent after each of these round trips, at (ms since the start, its length in ms).
    fn sent_after(round_trips: &[(u64, u64)]) -> Vec<u32> {
        let (mut congestion, began) = (CongestionControl::new(AudioProfile::LowLatency), base());
        let sees = |&(at_ms, round_trip_ms): &(u64, u64)| {
            let wire_bps = congestion.rung().map_or(114_000, Rung::wire_bps);
            let now = began + Duration::from_millis(at_ms);
            congestion.round_trip(Duration::from_millis(round_trip_ms), 0, wire_bps, now);
            congestion.rung().map_or(114_000, Rung::wire_bps)
        };
        round_trips.iter().map(sees).collect()
    }

    #[test]
    fn one_long_round_trip_is_a_suspicion_and_no_more() {
        let spike = [(0, 20), (1000, 320), (1020, 20), (1520, 20)];
        assert_eq!(sent_after(&spike), [114_000, 39_200, 39_200, 114_000]);
        // This check waited in the same gap as the first.
        let gap = [(0, 20), (1000, 620), (1010, 320), (1520, 20), (2020, 20)];
        assert_eq!(sent_after(&gap), [114_000, 39_200, 39_200, 39_200, 114_000]);
    }

    #[test]
    fn a_queue_is_confirmed_by_a_check_that_was_sent_under_suspicion() {
        let queue = [(0, 20), (1000, 320), (1600, 150), (2000, 20), (2500, 20), (3000, 20), (11_000, 20)];
        assert_eq!(sent_after(&queue), [114_000, 39_200, 47_200, 47_200, 47_200, 47_200, 47_200]);
    }

    #[test]
    fn a_step_up_into_a_queue_is_taken_back_at_once() {
        let mut round_trips = vec![(0, 20), (1000, 320), (1600, 150)];
        round_trips.extend((4..30).map(|half| (500 * half, 20)));
        let up = sent_after(&round_trips).iter().position(|bps| *bps == 70_400).expect("a step up");
        let (at_ms, _) = round_trips[up];
        round_trips.truncate(up + 1);
        round_trips.extend([(at_ms + 700, 220), (at_ms + 1200, 320)]);
        assert_eq!(sent_after(&round_trips)[up..], [70_400, 70_400, 27_600]);
    }

    #[test]
    fn a_queue_that_is_not_ours_is_accepted() {
        let (mut congestion, began) = (CongestionControl::new(AudioProfile::Default), base());
        let mut sees = |second: u64, ms| {
            let wire_bps = congestion.rung().map_or(89_000, Rung::wire_bps);
            congestion.round_trip(
                Duration::from_millis(ms),
                0,
                wire_bps,
                began + Duration::from_secs(second),
            );
            congestion.rung()
        };
        assert_eq!(sees(0, 20), None);
        let seen: Vec<Option<Rung>> = (1..90).map(|second| sees(second, 400)).collect();
        assert!(seen[3..12].iter().all(Option::is_some));
        assert_eq!(seen.last(), Some(&None), "nothing that we did has changed it");
    }

    #[test]
    fn steps_rise_on_the_wire() {
        for profile in [AudioProfile::Default, AudioProfile::LowLatency, AudioProfile::Metered] {
            assert!(rungs(profile).is_sorted_by(|a, b| a.wire_bps() < b.wire_bps()), "{profile:?}");
        }
    }
}
