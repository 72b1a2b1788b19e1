//! Whether what we send waits on its way: round trips that have grown and stay long.
//!
//! ```text
//!   round trip ─► the shortest of the last three ─┐
//!            └──► the shortest of a minute or two ─┴─► difference: the standing queue
//! ```
//!
//! Jitter makes some round trips long, a queue that is never empty makes all of them long. So the shortest of a few
//! distinguishes them, and loss without a queue is loss by chance.

use std::time::{Duration, Instant};

/// Round trips of which the shortest counts.
const RECENT: usize = 3;

/// A way that was shorter is forgotten between one and two of these: the network may be another one.
const MEMORY: Duration = Duration::from_secs(60);

/// Estimates the queue on the way.
#[derive(Debug, Default)]
pub struct QueueingDelay {
    recent: heapless::HistoryBuf<Duration, RECENT>,
    /// The shortest of the minute that runs, and of the one before.
    shortest: [Option<Duration>; 2],
    minute_began: Option<Instant>,
}

impl QueueingDelay {
    /// One more round trip, as it was measured.
    pub fn add(&mut self, round_trip: Duration, now: Instant) {
        if self.minute_began.is_none_or(|began| now.saturating_duration_since(began) >= MEMORY) {
            self.minute_began = Some(now);
            self.shortest = [None, self.shortest[0]];
        }
        self.recent.write(round_trip);
        self.shortest[0] = self.shortest[0].into_iter().chain([round_trip]).min();
    }

    /// The delay of the standing queue; zero before there are enough round trips.
    pub fn standing(&self) -> Duration {
        if self.recent.is_full() { self.least_of(RECENT) } else { Duration::ZERO }
    }

    /// What waited the last time.
    pub fn newest(&self) -> Duration {
        self.least_of(1)
    }

    /// The least of what waited the last two times.
    pub fn newest_two(&self) -> Duration {
        self.least_of(2)
    }

    fn least_of(&self, count: usize) -> Duration {
        let shortest = self.shortest.iter().flatten().min();
        let skipped = self.recent.len().saturating_sub(count);
        let recent = self.recent.oldest_ordered().skip(skipped).min();
        recent.zip(shortest).map_or(Duration::ZERO, |(recent, shortest)| recent.saturating_sub(*shortest))
    }

    /// The way is as long as it is now: sending less does not make it shorter.
    pub fn accept(&mut self) {
        let recent = self.recent.oldest_ordered().min().copied();
        self.shortest = [recent, None];
    }

    /// The way is another one.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
    fn base() -> Instant {
        Instant::now()
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn standing(round_trips_ms: impl IntoIterator<Item = u64>) -> Duration {
        let (mut queue, mut now) = (QueueingDelay::default(), base());
        for round_trip in round_trips_ms {
            queue.add(ms(round_trip), now);
            now += ms(1000);
        }
        queue.standing()
    }

    #[test]
    fn a_queue_is_what_all_round_trips_have() {
        assert_eq!(standing([]), ms(0));
        assert_eq!(standing([20, 320]), ms(0), "too few to judge");
        assert_eq!(standing([20, 320, 330]), ms(0));
        assert_eq!(standing([20, 320, 330, 325]), ms(300));
        assert_eq!(standing([20, 320, 330, 325, 40]), ms(20), "it has drained");
    }

    #[test]
    fn the_newest_counts_by_itself() {
        let mut queue = QueueingDelay::default();
        let newest = [20, 320, 40].map(|rtt| {
            queue.add(ms(rtt), base());
            queue.newest()
        });
        assert_eq!(newest, [ms(0), ms(300), ms(20)]);
    }

    #[test]
    fn jitter_is_no_queue() {
        let mut random = fastrand::Rng::with_seed(1);
        let (mut queue, mut now, mut longest) = (QueueingDelay::default(), base(), ms(0));
        for _ in 0..1000 {
            queue.add(ms(20 + random.u64(0..50) + random.u64(0..50)), now);
            longest = longest.max(queue.standing());
            now += ms(1000);
        }
        assert!(longest < ms(80), "{longest:?}");
    }

    #[test]
    fn a_longer_way_is_learned() {
        let longer = [20].into_iter().chain([220; 130]);
        assert_eq!(standing(longer), ms(0), "after two minutes");
        let mut queue = QueueingDelay::default();
        [20, 220, 230, 240].into_iter().for_each(|rtt| queue.add(ms(rtt), base()));
        assert_eq!(queue.standing(), ms(200));
        queue.accept();
        assert_eq!(queue.standing(), ms(0), "or because nothing helps");
        queue.forget();
        assert_eq!(queue.standing(), ms(0));
    }
}
