//! Decoded samples on their way out: a packet is up to 120 ms, a pull takes 10.

use crate::limits::PENDING_SAMPLES;
use crate::media::block::BLOCK_FRAMES;
use crate::media::gain::ramp;

/// A short queue of samples in fixed memory.
pub struct Pending {
    samples: Box<[f32; PENDING_SAMPLES]>,
    start: usize,
    end: usize,
}

impl Pending {
    /// An empty queue; its memory is taken here.
    pub fn new() -> Self {
        Pending { samples: Box::new([0.0; PENDING_SAMPLES]), start: 0, end: 0 }
    }

    /// Samples waiting.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether no sample waits.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The samples waiting, the next first.
    pub fn peek(&self) -> &[f32] {
        &self.samples[self.start..self.end]
    }

    /// Takes one block, if there is one.
    pub fn take(&mut self) -> Option<[f32; BLOCK_FRAMES]> {
        let block = *self.peek().first_chunk::<BLOCK_FRAMES>()?;
        self.start += BLOCK_FRAMES;
        Some(block)
    }

    /// Lets `write` fill room at the end; it returns how many samples it wrote. The room is at
    /// least `OPUS_PACKET_SAMPLES_MAX` while less than two blocks wait.
    pub fn fill<E>(&mut self, write: impl FnOnce(&mut [f32]) -> Result<usize, E>) -> Result<usize, E> {
        self.samples.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let room = &mut self.samples[self.end..];
        let room_len = room.len();
        let written = write(room)?.min(room_len);
        self.end += written;
        Ok(written)
    }

    /// Lets what is waiting end in silence.
    pub fn fade_out(&mut self) {
        ramp(&mut self.samples[self.start..self.end], 1.0, 0.0);
    }
}

impl Default for Pending {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::OPUS_PACKET_SAMPLES_MAX;

    #[test]
    fn samples_come_out_in_order_whatever_the_sizes() {
        let mut pending = Pending::new();
        let (mut next_in, mut next_out) = (0, 0);
        for size in [120, 480, 960, 5760, 240, 2880, 120, 120, 120, 120, 5760] {
            pending
                .fill(|room| {
                    for sample in &mut room[..size] {
                        *sample = next_in as f32;
                        next_in += 1;
                    }
                    Ok::<_, ()>(size)
                })
                .unwrap();
            while let Some(block) = pending.take() {
                for sample in block {
                    assert_eq!(sample, next_out as f32);
                    next_out += 1;
                }
            }
        }
        assert_eq!(pending.len(), next_in - next_out);
    }

    #[test]
    fn a_whole_packet_fits_behind_what_is_left() {
        let mut pending = Pending::new();
        pending.fill(|_| Ok::<_, ()>(2 * BLOCK_FRAMES - 1)).unwrap();
        let room = pending.fill(|room| Ok::<_, ()>(room.len())).unwrap();
        assert!(room >= OPUS_PACKET_SAMPLES_MAX);
        assert_eq!(
            pending.fill(|room| Err::<usize, usize>(room.len())),
            Err(0),
            "a failure leaves it as it was"
        );
        assert_eq!(pending.len(), PENDING_SAMPLES);
    }
}
