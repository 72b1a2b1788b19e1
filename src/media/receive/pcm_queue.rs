//! Decoded samples on their way out, and the last ones that were played: a packet is up to 120 ms, a pull takes about
//! 10, and a crossfade needs the samples that were just played.
//!
//! ```text
//!   │ history │ waiting …                     │ room │
//!   0         start                           end
//! ```

use crate::limits::{PCM_HISTORY_SAMPLES as HISTORY, PCM_QUEUE_SAMPLES};
use crate::media::block::SAMPLE_RATE_HZ;
use crate::media::gain::ramp;

/// Length of a crossfade from what was invented to what is real: 5 ms.
const JOIN_SAMPLES: usize = SAMPLE_RATE_HZ as usize / 200;

/// A short queue of samples in fixed memory.
pub struct PcmQueue {
    samples: Box<[f32; PCM_QUEUE_SAMPLES]>,
    start: usize,
    end: usize,
}

impl PcmQueue {
    /// An empty queue behind silence; its memory is taken here.
    pub fn new() -> Self {
        PcmQueue { samples: Box::new([0.0; PCM_QUEUE_SAMPLES]), start: HISTORY, end: HISTORY }
    }

    /// How many samples wait to be played.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether no sample waits.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The samples waiting, the next first, behind the last `before` that went, at most
    /// [`PCM_HISTORY_SAMPLES`](crate::limits::PCM_HISTORY_SAMPLES) of them.
    pub fn peek(&self, before: usize) -> &[f32] {
        &self.samples[self.start - before.min(HISTORY)..self.end]
    }

    /// The next `count` samples went.
    pub fn pass(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Lets `write` fill room at the end; it returns how many samples it wrote. The room is at least
    /// `OPUS_PACKET_SAMPLES_MAX` while no more than `PCM_AHEAD_SAMPLES` wait.
    pub fn fill<E>(&mut self, write: impl FnOnce(&mut [f32]) -> Result<usize, E>) -> Result<usize, E> {
        self.samples.copy_within(self.start - HISTORY..self.end, 0);
        (self.start, self.end) = (HISTORY, HISTORY + self.end - self.start);
        let room = &mut self.samples[self.end..];
        let room_len = room.len();
        let written = write(room)?.min(room_len);
        self.end += written;
        Ok(written)
    }

    /// Takes `period` samples away: the next ones become a crossfade to those behind them. False where there
    /// are not twice as many.
    pub fn shorten(&mut self, period: usize) -> bool {
        if period > HISTORY || 2 * period > self.len() {
            return false;
        }
        let (kept, following) = self.samples[self.start..self.start + 2 * period].split_at_mut(period);
        crossfade(following, kept, true);
        self.start += period;
        // The history must still be what was played.
        self.samples.copy_within(self.start - period - HISTORY..self.start - period, self.start - HISTORY);
        true
    }

    /// Adds `period` samples: a crossfade from the next ones back to those that were just played. Returns `false` if
    /// there are fewer, or there is no room.
    pub fn lengthen(&mut self, period: usize) -> bool {
        if period > HISTORY || period > self.len() || self.end + period > PCM_QUEUE_SAMPLES {
            return false;
        }
        self.samples.copy_within(self.start..self.end, self.start + period);
        // What waits stands twice now: the first time it is turned into what just went.
        let (before, inserted) = self.samples[self.start - period..self.start + period].split_at_mut(period);
        crossfade(inserted, before, false);
        self.end += period;
        true
    }

    /// Joins the last `fresh` samples to what was before the `invented` ones in front of them, which go; the
    /// join is a crossfade of up to 5 ms out of these.
    pub fn join(&mut self, invented: usize, fresh: usize) {
        let Some(sound) = self.end.checked_sub(fresh).filter(|sound| *sound >= self.start + invented) else {
            return;
        };
        let (before, after) = self.samples[sound - invented..self.end].split_at_mut(invented);
        let fade = invented.min(fresh).min(JOIN_SAMPLES);
        crossfade(&mut after[..fade], &before[..fade], true);
        self.samples.copy_within(sound..self.end, sound - invented);
        self.end -= invented;
    }

    /// Lets what is waiting end in silence.
    pub fn fade_out(&mut self) {
        ramp(&mut self.samples[self.start..self.end], 1.0, 0.0);
    }
}

impl Default for PcmQueue {
    fn default() -> Self {
        Self::new()
    }
}

/// Fades `into` from or to `other`, which has the same length: `from_other` selects the direction.
fn crossfade(into: &mut [f32], other: &[f32], from_other: bool) {
    let count = into.len().max(1) as f32;
    for (i, (sample, other)) in into.iter_mut().zip(other).enumerate() {
        let share = (i as f32 + 0.5) / count;
        let weight = if from_other { 1.0 - share } else { share };
        *sample += (other - *sample) * weight;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{OPUS_PACKET_SAMPLES_MAX, PCM_AHEAD_SAMPLES};

    /// A queue with numbered samples in it, of which `passed` went.
    fn numbered(count: usize, passed: usize) -> PcmQueue {
        let mut queue = PcmQueue::new();
        let write = |room: &mut [f32]| {
            room.iter_mut().take(count).enumerate().for_each(|(i, sample)| *sample = i as f32);
            Ok::<_, ()>(count)
        };
        queue.fill(write).unwrap();
        queue.pass(passed);
        queue
    }

    #[test]
    fn samples_come_out_in_order_whatever_the_sizes() {
        let mut queue = PcmQueue::new();
        let (mut next_in, mut next_out) = (0, 0);
        for size in [120, 480, 960, 5760, 240, 2880, 120, 120, 120, 120, 5760] {
            queue
                .fill(|room| {
                    for sample in &mut room[..size] {
                        *sample = next_in as f32;
                        next_in += 1;
                    }
                    Ok::<_, ()>(size)
                })
                .unwrap();
            while queue.len() >= 481 {
                let before = next_out.min(HISTORY);
                assert!(queue.peek(before).iter().zip(next_out - before..).all(|(s, n)| *s == n as f32));
                queue.pass(481);
                next_out += 481;
            }
        }
        assert_eq!(queue.len(), next_in - next_out);
    }

    #[test]
    fn a_whole_packet_fits_behind_what_is_left() {
        let mut queue = PcmQueue::new();
        queue.fill(|_| Ok::<_, ()>(PCM_AHEAD_SAMPLES)).unwrap();
        let room = queue.fill(|room| Ok::<_, ()>(room.len())).unwrap();
        assert!(room >= OPUS_PACKET_SAMPLES_MAX);
        assert_eq!(queue.fill(|room| Err::<usize, usize>(room.len())), Err(0), "a failure changes nothing");
        assert_eq!(queue.len() + HISTORY, PCM_QUEUE_SAMPLES);
    }

    #[test]
    fn a_period_goes_or_comes_and_the_ends_fit() {
        let mut queue = numbered(3000, 1000);
        assert!(queue.shorten(480));
        assert_eq!(queue.len(), 2000 - 480);
        let samples = queue.peek(HISTORY).to_vec();
        assert!(samples[..HISTORY].iter().zip(1000 - HISTORY..).all(|(s, n)| *s == n as f32), "as played");
        // From 1000 it glides to 1960 within 480 samples, then continues.
        assert!((samples[HISTORY] - 1000.5).abs() < 2.0 && (samples[HISTORY + 480] - 1960.0).abs() < 0.01);
        assert!(samples[HISTORY..].windows(2).all(|pair| (0.5..3.5).contains(&(pair[1] - pair[0]))));

        let mut queue = numbered(3000, 1000);
        assert!(queue.lengthen(480));
        assert_eq!(queue.len(), 2000 + 480);
        let samples = queue.peek(1);
        // From 1000 it glides back to 520…999, then 1000 comes again.
        assert!((samples[1] - 1000.0).abs() < 2.0 && (samples[480] - 999.0).abs() < 2.0);
        assert_eq!(samples[481], 1000.0);
    }

    #[test]
    fn what_was_invented_gives_way_to_what_is_real() {
        let mut queue = numbered(3000, 1000);
        queue.join(400, 1000);
        assert_eq!(queue.len(), 1600);
        let samples = queue.peek(0);
        assert!(samples[..600].iter().zip(1000..).all(|(s, n)| *s == n as f32));
        assert!((samples[600] - 1600.0).abs() < 2.0, "it begins as what was invented");
        assert!(samples[840..].iter().zip(2240..).all(|(s, n)| *s == n as f32));
        queue.join(601, 1000);
        assert_eq!(queue.len(), 1600, "more than there is");
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut queue = numbered(900, 0);
        assert!(!queue.shorten(451) && !queue.lengthen(901) && !queue.lengthen(HISTORY + 1));
        assert_eq!(queue.len(), 900);
        let mut full = PcmQueue::new();
        full.fill(|room| Ok::<_, ()>(room.len())).unwrap();
        assert!(!full.lengthen(480));
    }
}
