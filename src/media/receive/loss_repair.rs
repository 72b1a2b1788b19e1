//! Makes samples of what is due, the best that is there: the packet itself or its redundant copy, else
//! in-band FEC of the next one, else concealment that fades to silence.
//!
//! The choice is made when the sound is due and not when packets arrive, so that it sees the newest.

use super::decode::{Decoder, DecoderError, FRAME_SAMPLES_MIN, frame_samples, has_fec, packet_samples};
use super::packet_buffer::{BufferedPacket, PacketBuffer};
use super::pcm_queue::PcmQueue;
use crate::limits::{OPUS_PACKET_BYTES_MAX, OPUS_PACKET_SAMPLES_MAX};

/// What became of a packet that was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketOutcome {
    /// So many samples of its own sound.
    Sound(usize),
    /// Its sound, from a copy that a later packet carried.
    Copied(usize),
    /// Its sound, brought back from the in-band FEC of the next packet.
    Recovered(usize),
    /// Concealment in its place: it is lost.
    Concealed(usize),
    /// Concealment in its place: it is there, but Opus cannot read it.
    Unreadable(usize),
    /// Nothing: it was padding.
    Padding,
}

impl PacketOutcome {
    /// Samples that were put behind the pending ones.
    pub fn samples(self) -> usize {
        match self {
            PacketOutcome::Sound(samples)
            | PacketOutcome::Copied(samples)
            | PacketOutcome::Recovered(samples) => samples,
            PacketOutcome::Concealed(samples) | PacketOutcome::Unreadable(samples) => samples,
            PacketOutcome::Padding => 0,
        }
    }
}

/// The decoder and what it made. All memory is taken at construction.
pub struct LossRepair {
    decoder: Decoder,
    payload: Box<[u8; OPUS_PACKET_BYTES_MAX]>,
    /// Samples made and not yet played.
    pub queue: PcmQueue,
}

impl LossRepair {
    /// Nothing made yet.
    pub fn new() -> Result<Self, DecoderError> {
        let payload = Box::new([0; OPUS_PACKET_BYTES_MAX]);
        Ok(LossRepair { decoder: Decoder::new()?, payload, queue: PcmQueue::new() })
    }

    /// Decodes a packet that waits in the buffer.
    pub fn play(&mut self, packets: &PacketBuffer, packet: BufferedPacket) -> PacketOutcome {
        let payload = packets.read(packet.sequence, &mut self.payload);
        let Some(samples) = packet_samples(payload) else { return PacketOutcome::Padding };
        let decoder = &mut self.decoder;
        match self.queue.fill(|room| decoder.decode(payload, room)) {
            Ok(samples) if packet.is_copy => PacketOutcome::Copied(samples),
            Ok(samples) => PacketOutcome::Sound(samples),
            // Its first byte looked well, the rest does not.
            Err(_) => PacketOutcome::Unreadable(self.conceal(samples)),
        }
    }

    /// Replaces the first of `missing` packets that together lasted `hole` samples, with `next` behind them.
    pub fn replace(
        &mut self,
        packets: &PacketBuffer,
        next: BufferedPacket,
        missing: u64,
        hole: i64,
    ) -> PacketOutcome {
        let share = usize::try_from(hole).unwrap_or(0) / usize::try_from(missing).unwrap_or(1).max(1);
        let share = (share - share % FRAME_SAMPLES_MIN).min(OPUS_PACKET_SAMPLES_MAX);
        let payload = packets.read(next.sequence, &mut self.payload);
        if missing == 1 && has_fec(payload) && frame_samples(payload) == Some(share) {
            let decoder = &mut self.decoder;
            if let Ok(samples) = self.queue.fill(|room| decoder.recover(payload, &mut room[..share])) {
                return PacketOutcome::Recovered(samples);
            }
        }
        PacketOutcome::Concealed(self.conceal(share))
    }

    /// Invents `samples`, a multiple of 2.5 ms; silence once it has faded.
    pub fn conceal(&mut self, samples: usize) -> usize {
        let decoder = &mut self.decoder;
        let concealed = self.queue.fill(|room| {
            let len = samples.min(room.len());
            decoder.conceal(&mut room[..len]);
            Ok::<_, std::convert::Infallible>(len)
        });
        concealed.unwrap_or(0)
    }

    /// How long concealment lasts until it is silence, after what was played last.
    pub fn fade_samples(&self) -> usize {
        self.decoder.fade_samples()
    }

    /// Something is left out here: what is pending ends in silence, and what follows comes in on a ramp.
    pub fn interrupt(&mut self) {
        self.decoder.interrupt();
        self.queue.fade_out();
    }

    /// Ends the sound of one sender: another one follows.
    pub fn reset(&mut self) {
        self.decoder.reset();
        self.queue.fade_out();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(packets: &mut PacketBuffer, sequence: u64, payload: &[u8]) -> BufferedPacket {
        packets.insert(sequence, 960 * sequence, 0, payload);
        BufferedPacket { sequence, rtp_time: 960 * sequence, arrived: 0, is_copy: false }
    }

    #[test]
    fn what_is_made_of_what_is_there() {
        let (mut repair, mut packets) = (LossRepair::new().unwrap(), PacketBuffer::new());
        let silence = waiting(&mut packets, 0, &[0xf8, 0xff, 0xfe]);
        let padding = waiting(&mut packets, 1, &[]);
        // Code 1 is two frames of the same length, and here is an odd number of bytes for them.
        let unreadable = waiting(&mut packets, 2, &[0xf8 | 1, 1, 2, 3]);
        assert_eq!(repair.play(&packets, silence), PacketOutcome::Sound(960));
        assert_eq!(repair.play(&packets, padding), PacketOutcome::Padding);
        assert_eq!(repair.play(&packets, unreadable), PacketOutcome::Unreadable(1920));
        assert_eq!(repair.queue.len(), 960 + 1920);
    }

    #[test]
    fn a_hole_is_shared_among_the_missing() {
        let (mut packets, cases) =
            (PacketBuffer::new(), [(1, 960, 960), (2, 1920, 960), (3, 2900, 960), (1, 90, 0), (0, -5, 0)]);
        let next = waiting(&mut packets, 5, &[0xf8, 0xff, 0xfe]);
        for (missing, hole, share) in cases {
            let mut repair = LossRepair::new().unwrap();
            assert_eq!(repair.replace(&packets, next, missing, hole), PacketOutcome::Concealed(share));
        }
        assert_eq!(
            LossRepair::new().unwrap().replace(&packets, next, 1, i64::MAX),
            PacketOutcome::Concealed(OPUS_PACKET_SAMPLES_MAX)
        );
    }
}
