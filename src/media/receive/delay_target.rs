//! How long sound should wait, so that the next packet is there when it is due.
//!
//! Sound that is played `delay` behind the fastest packet hears every packet that is not later than that. So
//! the target is the lateness that [`DelayHistory`] knows, one block, since a block is due with its first sample, and
//! a little for the clocks:
//!
//! ```text
//!   fastest packet ─┬─ lateness ──────────┬─ block ─┬─ slack ─┬─► target
//!                   └─ of the last second, if greater ────────┴─► held: nothing is hurried before that is over
//! ```
//!
//! It grows at once with the second late packet of half a minute and shrinks when both are forgotten. What is
//! later than [`TARGET_MS_MAX`] is an outage and no jitter: it does not move the target, as a conversation with
//! that delay would be none, and the way back from it is a fresh start.

use super::clock::{SAMPLES_PER_MS, rtp_gap};
use super::decode::FADE_END_SAMPLES;
use super::delay_history::DelayHistory;
use crate::media::block::BLOCK_FRAMES;

/// The target where nothing is late: one packet of 20 ms. Half of it is the block, the rest covers a
/// hiccup of the scheduler.
pub const TARGET_MS_MIN: u32 = 20;

/// The greatest target. ITU-T G.114: 400 ms one way is the end of conversation; half of it may be ours.
pub const TARGET_MS_MAX: u32 = 200;

/// What the clocks may be wrong by within the memory of the fastest packet, and what the loop leaves of it.
const SLACK_SAMPLES: i64 = 2 * SAMPLES_PER_MS;

/// Transit that changes by more than this is a new time line of the sender and no lateness.
pub(super) const JUMP_SAMPLES: i64 = 2000 * SAMPLES_PER_MS;

const MIN_SAMPLES: i64 = TARGET_MS_MIN as i64 * SAMPLES_PER_MS;
const MAX_SAMPLES: i64 = TARGET_MS_MAX as i64 * SAMPLES_PER_MS;

/// Learns from arrivals how late packets are, and relates RTP time to local time.
#[derive(Debug, Clone)]
pub struct DelayTarget {
    /// RTP time that transits are counted from: differences stay small and may be negative.
    reference: Option<u64>,
    history: DelayHistory,
    max_samples: i64,
    samples: i64,
}

impl DelayTarget {
    /// A target that has seen no packet.
    pub fn new() -> Self {
        DelayTarget {
            reference: None,
            history: DelayHistory::new(),
            max_samples: MAX_SAMPLES,
            samples: MIN_SAMPLES,
        }
    }

    /// From now on no target is greater than this: where a quick answer is worth more than a packet that was
    /// late. At most [`TARGET_MS_MAX`].
    pub fn set_max_ms(&mut self, max_ms: u32) {
        self.max_samples = (i64::from(max_ms) * SAMPLES_PER_MS).clamp(MIN_SAMPLES, MAX_SAMPLES);
        self.samples = self.wanted();
    }

    /// The packet of `rtp_time` arrived at local time `at` (in samples). `is_idle` means that nothing waits or is
    /// played: a packet that is far too late then begins a new route.
    pub fn arrive(&mut self, rtp_time: u64, at: i64, is_idle: bool) {
        let transit = self.transit(rtp_time, at);
        if let Some(fastest) = self.history.fastest() {
            let lateness = transit.saturating_sub(fastest);
            if lateness.saturating_abs() > JUMP_SAMPLES {
                self.rebase();
            } else if is_idle && lateness > FADE_END_SAMPLES as i64 {
                self.history.begin_route(at);
            }
        }
        self.reference.get_or_insert(rtp_time);
        let transit = self.transit(rtp_time, at);
        if self.history.push(at, transit) {
            self.samples = self.wanted();
        }
    }

    /// Forgets how RTP time relates to local time: a new sender, or a new time line of it.
    pub fn rebase(&mut self) {
        self.reference = None;
        self.history.clear();
    }

    /// How far behind the fastest packet the sample of `rtp_time` is, if it is played at local time `now`.
    pub fn delay_samples(&self, rtp_time: u64, now: i64) -> i64 {
        self.transit(rtp_time, now).saturating_sub(self.history.fastest().unwrap_or(now))
    }

    /// How far behind the fastest packet sound should be played, in samples.
    pub fn target_samples(&self) -> i64 {
        self.samples
    }

    /// Up to where nothing need be done about a greater delay: a late packet of the last second may have
    /// been the first of a slower route.
    pub fn held_samples(&self) -> i64 {
        self.bounded(self.history.recent_lateness()).max(self.samples)
    }

    /// How far behind the fastest packet sound should be played.
    pub fn target_ms(&self) -> u32 {
        u32::try_from(self.samples / SAMPLES_PER_MS).unwrap_or(TARGET_MS_MAX)
    }

    fn transit(&self, rtp_time: u64, at: i64) -> i64 {
        at.saturating_sub(self.reference.map_or(0, |reference| rtp_gap(reference, rtp_time)))
    }

    fn wanted(&self) -> i64 {
        self.bounded(self.history.lateness(MAX_SAMPLES))
    }

    fn bounded(&self, lateness: i64) -> i64 {
        let samples = lateness.saturating_add(BLOCK_FRAMES as i64 + SLACK_SAMPLES);
        samples.clamp(MIN_SAMPLES, self.max_samples)
    }
}

impl Default for DelayTarget {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of 20 ms, each late by the next of `lateness_ms`, from packet `first` on.
    fn arrive(target: &mut DelayTarget, first: i64, lateness_ms: &[i64]) {
        for (i, late) in (first..).zip(lateness_ms) {
            target.arrive(i as u64 * 960, i * 960 + late * SAMPLES_PER_MS, false);
        }
    }

    #[test]
    fn targets_after_arrivals() {
        let cases: [(&[i64], u32); 7] = [
            (&[0, 0, 0, 0], 20),
            (&[0, 30, 10, 25], 42),
            (&[0, 0, 60, 40, 20, 0], 72),
            (&[60, 40, 20, 0, 0], 72), // the first packets were late, as the following tell
            (&[0, 190, 170], 200),
            (&[0, 500, 480, 460, 440, 0], 20), // an outage
            (&[3, 4, 8, 3, 5], 20),
        ];
        for (lateness_ms, target_ms) in cases {
            let mut target = DelayTarget::new();
            arrive(&mut target, 0, lateness_ms);
            assert_eq!(target.target_ms(), target_ms, "{lateness_ms:?}");
        }
    }

    #[test]
    fn it_grows_at_once_and_forgets_after_half_a_minute() {
        let mut target = DelayTarget::new();
        arrive(&mut target, 0, &[0, 0, 150]);
        let mut steps = vec![(0, target.target_ms())];
        for i in 3..3400 {
            arrive(&mut target, i, &[if i == 1500 || i == 1600 { 90 } else { 0 }]);
            if target.target_ms() != steps.last().unwrap().1 {
                steps.push((i, target.target_ms()));
            }
        }
        let targets: Vec<u32> = steps.iter().map(|step| step.1).collect();
        // The 150 ms count until they may be called an accident (8 s); of 90 ms the second makes it a habit
        // as long as it is remembered together with the first.
        assert_eq!(targets, [162, 20, 102, 20], "{steps:?}");
        assert!(steps[1].0 >= 375 && steps[2].0 <= 1501 && steps[3].0 >= 3000, "{steps:?}");
    }

    #[test]
    fn a_cap_is_kept_and_can_be_taken_back() {
        let mut target = DelayTarget::new();
        arrive(&mut target, 0, &[0, 150, 0]);
        target.set_max_ms(80);
        assert_eq!((target.target_ms(), target.held_samples()), (80, 80 * SAMPLES_PER_MS));
        target.set_max_ms(1000);
        assert_eq!(target.target_ms(), 162);
    }

    #[test]
    fn the_delay_counts_from_the_fastest_packet() {
        let mut target = DelayTarget::new();
        arrive(&mut target, 0, &[50, 0, 50]);
        assert_eq!(target.delay_samples(960, 960), 0);
        assert_eq!(target.delay_samples(960, 960 + 480), 480);
    }

    #[test]
    fn a_jump_of_the_senders_clock_is_a_new_time_line() {
        let mut target = DelayTarget::new();
        arrive(&mut target, 0, &[0, 0]);
        for (rtp_time, at) in
            [(u64::MAX / 2, 2880), (7, 3840), (u64::MAX, 4800), (1 << 63, i64::MAX), (0, i64::MIN)]
        {
            target.arrive(rtp_time, at, false);
            // The last but two is 20 ms late.
            assert!([20, 32].contains(&target.target_ms()), "{}", target.target_ms());
        }
    }

    #[test]
    fn after_an_outage_the_first_packet_may_be_the_fastest() {
        let mut target = DelayTarget::new();
        arrive(&mut target, 0, &[0, 0, 0]);
        let at = 3 * 960 + 900 * SAMPLES_PER_MS;
        target.arrive(3 * 960, at, true);
        assert_eq!((target.delay_samples(3 * 960, at), target.target_ms()), (0, 20));
    }
}
