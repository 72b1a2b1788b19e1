//! Captured blocks in, packets out: the talk gate, the level and the encoder in one place.
//!
//! ```text
//! push(block) ─► gain (ramp of the talk gate) ─► level ─► encoder ─► SentPacket
//! ```
//!
//! Capture is the sender's clock: RTP time counts captured samples and nothing else, also while
//! muted, and the far end follows. A mute is privacy: sound that was captured before it and has not left
//! yet is discarded, in the packet under way and in the encoder. What follows is a packet or two of
//! silence, from which the far end's decoder fades out without a click:
//!
//! ```text
//! Open ── mute: encoder reset ─► Closing: silence until the packet is full ─► Closed: no packets
//!   ▲◄─ unmute: ramp up ────────────┘                                              │
//!   └───────────────────────── unmute: encoder reset, ramp up ─────────────────────┘
//! ```

use super::encode::{Encoder, EncoderError, EncoderSettings, PACKET_SAMPLES_MAX, PacketDuration};
use crate::media::block::{BLOCK_FRAMES, Block};
use crate::media::gain::Gain;
use crate::media::level::{AudioLevel, LevelMeter};

/// An Opus packet that is this short holds no sound: DTX (a table-of-contents byte, perhaps one of
/// padding). libwebrtc reads it the same way (`webrtc_opus.cc`).
pub(crate) const DTX_BYTES_MAX: usize = 2;

/// One packet to send, borrowed from the sender until the next push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentPacket<'a> {
    /// Samples captured before the first of this packet, since the sender was made.
    pub rtp_time: u64,
    /// Loudness of what was captured, behind the gate.
    pub level: AudioLevel,
    /// First packet ever, after a mute or after DTX held packets back: RTP's marker bit (RFC 7587 §4.1).
    pub starts_talkspurt: bool,
    /// One Opus packet, at most [`OPUS_SENT_BYTES_MAX`](crate::limits::OPUS_SENT_BYTES_MAX).
    pub payload: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TalkGate {
    Open,
    Closing { blocks_left: usize },
    Closed,
}

/// Makes packets of captured blocks. All memory is taken at construction.
pub struct Packetizer {
    encoder: Encoder,
    gain: Gain,
    meter: LevelMeter,
    gate: TalkGate,
    samples: [f32; PACKET_SAMPLES_MAX],
    filled: usize,
    captured: u64,
    in_dtx: bool,
    starts_talkspurt: bool,
    encoder_faults: u64,
    /// What the next packet holds.
    packet: PacketDuration,
}

impl Packetizer {
    /// A sender whose gate is open.
    pub fn new(settings: EncoderSettings) -> Result<Self, EncoderError> {
        Ok(Packetizer {
            encoder: Encoder::new(settings)?,
            gain: Gain::new(1.0),
            meter: LevelMeter::new(),
            gate: TalkGate::Open,
            samples: [0.0; PACKET_SAMPLES_MAX],
            filled: 0,
            captured: 0,
            in_dtx: false,
            starts_talkspurt: true,
            encoder_faults: 0,
            packet: settings.packet,
        })
    }

    /// Takes the next captured block. There is a packet when it is full, the gate is not closed and
    /// DTX does not hold it back.
    pub fn push(&mut self, block: &Block) -> Option<SentPacket<'_>> {
        self.captured += BLOCK_FRAMES as u64;
        if self.gate == TalkGate::Closed {
            return None;
        }
        if self.filled == 0 {
            self.encoder.set_packet(self.packet);
        }
        let mut block = *block;
        self.gain.apply(&mut block);
        self.meter.add(&block);
        self.samples[self.filled..self.filled + BLOCK_FRAMES].copy_from_slice(&block.0);
        self.filled += BLOCK_FRAMES;
        if let TalkGate::Closing { blocks_left } = &mut self.gate {
            *blocks_left = blocks_left.saturating_sub(1);
        }
        if self.filled < self.packet_samples() {
            return None;
        }
        self.finish_packet()
    }

    /// Takes note that `blocks` blocks of time passed in which nothing was captured: RTP time continues without
    /// packets, and a packet that began before is not finished with later sound.
    pub fn skip(&mut self, blocks: u32) {
        self.captured += u64::from(blocks) * BLOCK_FRAMES as u64;
        self.filled = 0;
        self.starts_talkspurt = true;
        self.in_dtx = false;
    }

    /// Discards the sound that was captured and has not left yet. Packets, RTP time and settings stay.
    pub fn discard(&mut self) {
        self.samples[..self.filled].fill(0.0);
        self.meter = LevelMeter::new();
        self.gain = Gain::new(0.0);
        if self.gate == TalkGate::Open {
            self.gain.set(1.0);
        }
        if self.encoder.reset().is_err() {
            self.encoder_faults += 1;
        }
    }

    /// Closes or opens the gate. Closing discards what has not left yet, and takes a packet or two of silence.
    pub fn set_muted(&mut self, muted: bool) {
        match (muted, self.gate) {
            (true, TalkGate::Open) if self.filled == 0 && self.starts_talkspurt => {
                // No sound since the gate opened: there is nothing to ramp down.
                self.gain = Gain::new(0.0);
                self.gate = TalkGate::Closed;
            }
            (true, TalkGate::Open) => {
                self.gate = TalkGate::Closing { blocks_left: 1 + self.lookahead_whole_blocks() };
                self.discard();
            }
            (false, TalkGate::Closing { .. }) => {
                self.gain.set(1.0);
                self.gate = TalkGate::Open;
            }
            (false, TalkGate::Closed) => {
                // What the encoder remembers is from before the mute; predicting from it is noise.
                if self.encoder.reset().is_err() {
                    self.encoder_faults += 1;
                }
                self.gain = Gain::new(0.0);
                self.gain.set(1.0);
                self.gate = TalkGate::Open;
                (self.starts_talkspurt, self.in_dtx) = (true, false);
            }
            (true, TalkGate::Closing { .. } | TalkGate::Closed) | (false, TalkGate::Open) => {}
        }
    }

    /// Whether the gate is closed or closing.
    pub fn is_muted(&self) -> bool {
        self.gate != TalkGate::Open
    }

    /// Blocks of silence to push at the end of the input, so that its last sample has left in a
    /// packet: the rest of the packet under way and what the encoder looks ahead.
    pub fn lookahead_blocks(&self) -> usize {
        if self.gate == TalkGate::Closed || self.captured == 0 {
            return 0;
        }
        let packet = self.encoder.settings().packet.blocks();
        let under_way = self.filled / BLOCK_FRAMES;
        let least = under_way + self.lookahead_whole_blocks();
        least.next_multiple_of(packet) - under_way
    }

    /// What the far end lost lately, in packets of a thousand; above zero in-band FEC is on.
    pub fn set_loss_permille(&mut self, loss_permille: u16) -> Result<(), EncoderError> {
        self.encoder.set_loss_permille(loss_permille)
    }

    /// Changes the bit rate from the next packet on.
    pub fn set_bitrate_bps(&mut self, bitrate_bps: u32) -> Result<(), EncoderError> {
        self.encoder.set_bitrate_bps(bitrate_bps)
    }

    /// Changes how much sound a packet holds, from the next one on.
    pub fn set_packet(&mut self, packet: PacketDuration) {
        self.packet = packet;
    }

    /// Samples of one packet: what RTP time grows by.
    pub fn packet_samples(&self) -> usize {
        self.encoder.settings().packet.blocks() * BLOCK_FRAMES
    }

    /// Times that Opus failed. Those packets are missing, the others are sent.
    pub fn encoder_faults(&self) -> u64 {
        self.encoder_faults
    }

    fn finish_packet(&mut self) -> Option<SentPacket<'_>> {
        let rtp_time = self.captured - self.filled as u64;
        let level = self.meter.take();
        let samples = &self.samples[..self.filled];
        self.filled = 0;
        if self.gate == (TalkGate::Closing { blocks_left: 0 }) {
            self.gate = TalkGate::Closed;
        }
        let payload = match self.encoder.encode(samples) {
            Ok(payload) => payload,
            Err(_) => {
                self.encoder_faults += 1;
                return None;
            }
        };
        // The first packet without sound is sent, the others are not: it shows the far end that silence follows and not
        // loss (as libwebrtc does). Every 400 ms Opus makes one with sound.
        let was_in_dtx = self.in_dtx;
        self.in_dtx = payload.len() <= DTX_BYTES_MAX;
        if self.in_dtx && was_in_dtx {
            self.starts_talkspurt = true;
            return None;
        }
        let starts_talkspurt = std::mem::take(&mut self.starts_talkspurt);
        Some(SentPacket { rtp_time, level, starts_talkspurt, payload })
    }

    fn lookahead_whole_blocks(&self) -> usize {
        self.encoder.lookahead_samples().div_ceil(BLOCK_FRAMES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::tests::voice::voice;

    fn spoken(index: u64) -> Block {
        let mut block = Block::SILENCE;
        voice(index, &mut block);
        block
    }

    /// RTP time and marker of each packet made of `blocks`.
    fn sent(packetizer: &mut Packetizer, blocks: impl Iterator<Item = Block>) -> Vec<(u64, bool, usize)> {
        blocks
            .filter_map(|block| {
                packetizer.push(&block).map(|p| (p.rtp_time, p.starts_talkspurt, p.payload.len()))
            })
            .collect()
    }

    #[test]
    fn rtp_time_counts_captured_samples_and_the_first_packet_is_marked() {
        for (packet, samples) in
            [(PacketDuration::Ms10, 480), (PacketDuration::Ms20, 960), (PacketDuration::Ms60, 2880)]
        {
            let mut packetizer =
                Packetizer::new(EncoderSettings { packet, ..EncoderSettings::default() }).unwrap();
            let packets = sent(&mut packetizer, (0..60).map(spoken));
            assert_eq!(packets.len(), 60 / packet.blocks());
            for (i, (rtp_time, marked, _)) in packets.into_iter().enumerate() {
                assert_eq!((rtp_time, marked), (i as u64 * samples, i == 0));
            }
        }
    }

    #[test]
    fn a_mute_ends_with_silence_and_then_nothing_is_sent() {
        let mut packetizer = Packetizer::new(EncoderSettings::default()).unwrap();
        sent(&mut packetizer, (0..51).map(spoken));
        packetizer.set_muted(true);
        assert!(packetizer.is_muted());
        let tail = sent(&mut packetizer, (51..200).map(spoken));
        assert_eq!(tail.iter().map(|p| p.0).collect::<Vec<_>>(), [50 * 480, 52 * 480]);
        assert_eq!(packetizer.lookahead_blocks(), 0);
        packetizer.set_muted(false);
        let again = sent(&mut packetizer, (200..204).map(spoken));
        assert_eq!(
            again.iter().map(|p| (p.0, p.1)).collect::<Vec<_>>(),
            [(200 * 480, true), (202 * 480, false)]
        );
    }

    #[test]
    fn nothing_captured_before_a_mute_leaves_after_it() {
        for packet in [PacketDuration::Ms20, PacketDuration::Ms60] {
            for loss_permille in [0, 100] {
                let mut packetizer =
                    Packetizer::new(EncoderSettings { packet, ..EncoderSettings::default() }).unwrap();
                // In-band FEC repeats the packet before, which is from before the mute.
                packetizer.set_loss_permille(loss_permille).unwrap();
                for index in 0..60 + packet.blocks() as u64 - 1 {
                    packetizer.push(&spoken(index));
                }
                let voice = spoken(62).0.iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
                assert!(voice > 0.05, "{voice}");
                packetizer.set_muted(true);
                let mut tail = 0;
                for index in 100..120 {
                    let Some(sent) = packetizer.push(&spoken(index)) else { continue };
                    tail += 1;
                    assert_eq!(sent.level, AudioLevel::SILENCE);
                    for fec in [false, true] {
                        // A decoder of its own: what it plays is what this packet holds.
                        let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono).unwrap();
                        let mut played = [0.0; PACKET_SAMPLES_MAX];
                        let played = &mut played[..packet.blocks() * BLOCK_FRAMES];
                        decoder.decode_float(sent.payload, played, fec).unwrap();
                        let loudest = played.iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
                        // What conceals nothing is comfort noise.
                        assert!(loudest < 0.01, "{packet:?}, loss {loss_permille}, FEC {fec}: {loudest}");
                    }
                }
                assert!((1..=2).contains(&tail), "{tail} packets");
            }
        }
    }

    #[test]
    fn muted_before_the_first_word_sends_nothing_and_a_mute_taken_back_loses_nothing() {
        let mut packetizer = Packetizer::new(EncoderSettings::default()).unwrap();
        packetizer.set_muted(true);
        assert!(sent(&mut packetizer, (0..10).map(spoken)).is_empty());
        packetizer.set_muted(false);
        assert_eq!(sent(&mut packetizer, (10..13).map(spoken)).len(), 1);
        packetizer.set_muted(true);
        packetizer.set_muted(false);
        let packets = sent(&mut packetizer, (13..23).map(spoken));
        assert_eq!(packets.iter().map(|p| p.0).collect::<Vec<_>>(), [12, 14, 16, 18, 20].map(|b| b * 480));
        assert!(packets.iter().all(|p| !p.1), "no talk spurt starts where none ended");
    }

    #[test]
    fn dtx_sends_one_packet_without_sound_and_a_refresh_now_and_then() {
        let mut packetizer =
            Packetizer::new(EncoderSettings { dtx: true, ..EncoderSettings::default() }).unwrap();
        sent(&mut packetizer, (0..100).map(spoken));
        let mut quiet = Block::SILENCE;
        let mut random = 3;
        let packets = sent(
            &mut packetizer,
            (0..400).map(|_| {
                crate::media::tests::voice::noise(1e-4, &mut random, &mut quiet);
                quiet
            }),
        );
        assert!(packets.len() < 60, "200 packets of silence became {}", packets.len());
        for pair in packets.windows(2) {
            assert_eq!(pair[1].1, pair[1].0 - pair[0].0 > 960, "marked where packets were held back");
            assert!(pair[1].0 - pair[0].0 <= 21 * 960, "a sign of life every 400 ms");
        }
        assert!(packets.iter().any(|p| p.2 <= DTX_BYTES_MAX));
        let spoken_again = sent(&mut packetizer, (100..110).map(spoken));
        assert!(spoken_again.len() >= 4 && spoken_again[0].1);
    }

    #[test]
    fn the_blocks_to_drain_fill_the_packet_and_cover_the_lookahead() {
        for packet in [PacketDuration::Ms10, PacketDuration::Ms20, PacketDuration::Ms40] {
            let mut packetizer =
                Packetizer::new(EncoderSettings { packet, ..EncoderSettings::default() }).unwrap();
            assert_eq!(packetizer.lookahead_blocks(), 0, "there was no sound");
            for pushed in 1..=packet.blocks() {
                packetizer.push(&spoken(pushed as u64));
                let drain = packetizer.lookahead_blocks();
                assert_eq!((pushed + drain) % packet.blocks(), 0);
                assert!(drain >= 1 && drain <= packet.blocks());
            }
        }
    }

    #[test]
    fn the_level_is_that_of_the_packet() {
        let mut packetizer = Packetizer::new(EncoderSettings::default()).unwrap();
        assert!(packetizer.push(&Block::SILENCE).is_none());
        assert_eq!(packetizer.push(&Block::SILENCE).unwrap().level, AudioLevel::SILENCE);
        packetizer.push(&Block([0.5; BLOCK_FRAMES]));
        assert_eq!(packetizer.push(&Block([0.5; BLOCK_FRAMES])).unwrap().level.minus_dbov, 6);
    }
}
