//! How long sound should wait, so that the next packet is there when it is due.
//!
//! A packet's *lateness* is its transit (arrival minus RTP time) over the fastest one's of the last
//! seconds. Sound that is played `delay` behind the fastest packet hears every packet that is not
//! later than that. So the target is the greatest lateness of the last windows and one block; it
//! grows at once, since the next late packet may follow, and comes back in small steps.
//!
//! What is later than [`TARGET_MS_MAX`] is an outage and no jitter: it does not move the target, as
//! a conversation with that delay would be none, and the way back from it is a fresh start.

use super::clock::{Minimum, SAMPLES_PER_MS, rtp_gap};
use crate::media::block::BLOCK_FRAMES;

/// The target where nothing is late: two packets of 20 ms, so that one hiccup of a busy scheduler
/// is not heard.
pub const TARGET_MS_MIN: u32 = 40;

/// The greatest target. ITU-T G.114: 400 ms one way is the end of conversation; half of it may be ours.
pub const TARGET_MS_MAX: u32 = 200;

/// Fastest packets are remembered for one to two of these. A route that became slower is taken for
/// lateness that long; clocks 300 ppm apart move 1.2 ms in it.
const FASTEST_WINDOW_SAMPLES: i64 = 2000 * SAMPLES_PER_MS;

/// Lateness is remembered for one to two of these: longer than the interval of Wi-Fi scans.
const LATENESS_WINDOW_SAMPLES: i64 = 6000 * SAMPLES_PER_MS;

/// The target falls by at most this much each window.
const FALL_SAMPLES: i64 = 20 * SAMPLES_PER_MS;

/// Transit that changes by more than this is a new time line of the sender and no lateness.
const JUMP_SAMPLES: i64 = 2000 * SAMPLES_PER_MS;

const MIN_SAMPLES: i64 = TARGET_MS_MIN as i64 * SAMPLES_PER_MS;
const MAX_SAMPLES: i64 = TARGET_MS_MAX as i64 * SAMPLES_PER_MS;

/// Learns from arrivals how late packets are, and relates RTP time to local time.
#[derive(Debug, Clone)]
pub struct Target {
    /// RTP time that transits are counted from: differences stay small and may be negative.
    reference: Option<u64>,
    fastest: Minimum,
    /// Greatest lateness of this window and of the one before.
    peaks: [i64; 2],
    window_since: i64,
    samples: i64,
    is_outage: bool,
}

impl Target {
    /// A target that has seen no packet.
    pub fn new() -> Self {
        Target {
            reference: None,
            fastest: Minimum::new(FASTEST_WINDOW_SAMPLES),
            peaks: [0; 2],
            window_since: i64::MIN,
            samples: MIN_SAMPLES,
            is_outage: false,
        }
    }

    /// Learns that the packet of `rtp_time` arrived at local time `at` (in samples). `is_idle` says
    /// that nothing waits or is played: a packet that is far too late then starts a new time line.
    pub fn arrive(&mut self, rtp_time: u64, at: i64, is_idle: bool) {
        let transit = self.transit(rtp_time, at);
        if let Some(fastest) = self.fastest.get() {
            let lateness = transit.saturating_sub(fastest);
            if lateness.saturating_abs() > JUMP_SAMPLES || (is_idle && lateness > MAX_SAMPLES) {
                self.rebase();
            }
        }
        self.reference.get_or_insert(rtp_time);
        let transit = self.transit(rtp_time, at);
        self.fastest.push(at, transit);
        let lateness = transit - self.fastest.get().unwrap_or(transit);
        self.is_outage = lateness > if self.is_outage { MIN_SAMPLES } else { MAX_SAMPLES };
        self.roll(at);
        if !self.is_outage {
            self.peaks[0] = self.peaks[0].max(lateness);
            self.samples = self.samples.max(self.wanted());
        }
    }

    /// Forgets how RTP time relates to local time (a new sender), but not how late packets are.
    pub fn rebase(&mut self) {
        self.reference = None;
        self.fastest.clear();
        self.is_outage = false;
    }

    /// How far behind the fastest packet the sample of `rtp_time` is, if it is played at local time `now`.
    pub fn delay_samples(&self, rtp_time: u64, now: i64) -> i64 {
        self.transit(rtp_time, now).saturating_sub(self.fastest.get().unwrap_or(now))
    }

    /// How far behind the fastest packet sound should be played, in samples.
    pub fn target_samples(&self) -> i64 {
        self.samples
    }

    /// How far behind the fastest packet sound should be played.
    pub fn target_ms(&self) -> u32 {
        u32::try_from(self.samples / SAMPLES_PER_MS).unwrap_or(TARGET_MS_MAX)
    }

    fn transit(&self, rtp_time: u64, at: i64) -> i64 {
        at.saturating_sub(self.reference.map_or(0, |reference| rtp_gap(reference, rtp_time)))
    }

    fn wanted(&self) -> i64 {
        (self.peaks[0].max(self.peaks[1]) + BLOCK_FRAMES as i64).clamp(MIN_SAMPLES, MAX_SAMPLES)
    }

    fn roll(&mut self, at: i64) {
        if at.saturating_sub(self.window_since) >= LATENESS_WINDOW_SAMPLES {
            self.samples = self.wanted().max(self.samples - FALL_SAMPLES);
            self.peaks = [0, self.peaks[0]];
            self.window_since = at;
        }
    }
}

impl Default for Target {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of 20 ms, each late by the next of `lateness_ms`, from packet `first` on.
    fn arrive(target: &mut Target, first: i64, lateness_ms: &[i64]) {
        for (i, late) in (first..).zip(lateness_ms) {
            target.arrive(i as u64 * 960, i * 960 + late * SAMPLES_PER_MS, false);
        }
    }

    #[test]
    fn targets_after_arrivals() {
        let cases: [(&[i64], u32); 7] = [
            (&[0, 0, 0, 0], 40),
            (&[0, 30, 10, 25], 40),
            (&[0, 0, 60, 40, 20, 0], 70),
            (&[60, 40, 20, 0, 0], 40), // the first packets were late: only what follows is known to be
            (&[0, 190, 170], 200),
            (&[0, 500, 480, 460, 100, 60, 0], 40), // an outage, to its end
            (&[0, 500, 400, 300, 200, 100, 20, 0, 90], 100),
        ];
        for (lateness_ms, target_ms) in cases {
            let mut target = Target::new();
            arrive(&mut target, 0, lateness_ms);
            assert_eq!(target.target_ms(), target_ms, "{lateness_ms:?}");
        }
    }

    #[test]
    fn it_grows_at_once_and_falls_in_steps() {
        let mut target = Target::new();
        arrive(&mut target, 0, &[0, 0, 150]);
        let mut steps = vec![target.target_ms()];
        for i in 3..3000 {
            arrive(&mut target, i, &[0]);
            if target.target_ms() != *steps.last().unwrap() {
                steps.push(target.target_ms());
            }
        }
        assert_eq!(steps, [160, 140, 120, 100, 80, 60, 40]);
    }

    #[test]
    fn the_delay_counts_from_the_fastest_packet() {
        let mut target = Target::new();
        arrive(&mut target, 0, &[50, 0, 50]);
        assert_eq!(target.delay_samples(960, 960), 0);
        assert_eq!(target.delay_samples(960, 960 + 480), 480);
    }

    #[test]
    fn a_jump_of_the_senders_clock_is_a_new_time_line() {
        let mut target = Target::new();
        arrive(&mut target, 0, &[0, 0]);
        for (rtp_time, at) in
            [(u64::MAX / 2, 2880), (7, 3840), (u64::MAX, 4800), (1 << 63, i64::MAX), (0, i64::MIN)]
        {
            target.arrive(rtp_time, at, false);
            assert_eq!(target.target_ms(), 40);
        }
    }

    #[test]
    fn after_an_outage_the_first_packet_may_be_the_fastest() {
        let mut target = Target::new();
        arrive(&mut target, 0, &[0, 0, 0]);
        let at = 3 * 960 + 900 * SAMPLES_PER_MS;
        target.arrive(3 * 960, at, true);
        assert_eq!((target.delay_samples(3 * 960, at), target.target_ms()), (0, 40));
    }
}
