//! Jitter cases as tables: when each packet of 20 ms arrives, and what is heard each 10 ms.

use super::simulated_call::an_instant;
use crate::media::block::{BLOCK_FRAMES, Block};
use crate::media::receive::track_receiver::{ArrivedPacket, TrackReceiver};
use crate::media::send::encode::{Encoder, EncoderSettings};
use crate::media::tests::voice::sine;
use std::time::Duration;

/// Packet `index` of a tone.
fn packets(count: u64) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(EncoderSettings::default()).unwrap();
    let mut packet = |index: u64| {
        let mut samples = [0.0; 2 * BLOCK_FRAMES];
        for (half, part) in samples.chunks_exact_mut(BLOCK_FRAMES).enumerate() {
            let mut block = Block::SILENCE;
            sine(300.0, 0.3, (2 * index + half as u64) * BLOCK_FRAMES as u64, &mut block);
            part.copy_from_slice(&block.0);
        }
        encoder.encode(&samples).unwrap().to_vec()
    };
    (0..count).map(&mut packet).collect()
}

/// The output in letters: `s` sound, `c` concealment of a packet known to be lost, `f` concealment with an unknown
/// cause, `.` silence. Each entry of `arrivals` is sequence number, RTP time in ms, arrival in ms.
fn heard(arrivals: &[(u64, u64, u64)], blocks: u64) -> (String, TrackReceiver) {
    let (start, mut receiver, payloads) = (an_instant(), TrackReceiver::new().unwrap(), packets(64));
    let mut arrivals = arrivals.to_vec();
    arrivals.sort_by_key(|arrival| arrival.2);
    let (mut heard, mut block) = (String::new(), Block::SILENCE);
    let mut remaining = arrivals.iter().peekable();
    for now_ms in (0..blocks).map(|block| block * 10) {
        while let Some(&(sequence, rtp_ms, at_ms)) = remaining.next_if(|arrival| arrival.2 <= now_ms) {
            let payload = &payloads[sequence as usize % payloads.len()];
            let arrival = start + Duration::from_millis(at_ms);
            receiver.insert(ArrivedPacket {
                sequence,
                rtp_time: rtp_ms * 48,
                arrival,
                is_red: false,
                payload,
            });
        }
        let before = *receiver.counters();
        receiver.pull(&mut block, start + Duration::from_millis(now_ms));
        let after = receiver.counters();
        heard.push(if block.is_silent() {
            '.'
        } else if after.played_blocks == before.played_blocks {
            'f'
        } else if after.lost > before.lost {
            'c'
        } else {
            's'
        });
    }
    (heard, receiver)
}

/// Packets in order, 20 ms apart, arriving at `at_ms`; a negative time is a lost packet.
fn in_order(at_ms: &[i64]) -> Vec<(u64, u64, u64)> {
    let numbered = (0_u64..).zip(at_ms).filter(|(_, at_ms)| **at_ms >= 0);
    numbered.map(|(sequence, &at_ms)| (sequence, 20 * sequence, at_ms as u64)).collect()
}

#[test]
fn arrivals_and_what_is_heard() {
    // What is played starts 20 ms after the first arrival. A fade is 100 ms. The last block before a hole
    // needs a few samples of what is not there, so it counts as `f`.
    let cases: [(&str, &[i64], &str); 6] = [
        ("on time", &[0, 20, 40, 60, 80], "..sssssssssfffffffffff......."),
        ("within the target", &[0, 30, 50, 70, 85], "..sssssssssffffffffffff......"),
        ("40 ms too late", &[0, 20, 100, 100, 100], "..sssfffffssssssfffffffffff.."),
        ("one lost", &[0, 20, -1, 60, 80], "..sssfcssssfffffffffff......."),
        ("reordered", &[0, 20, 40, 69, 65], "..sssssssssffffffffffff......"),
        ("too late for a fade", &[0, 20, 250, 250, 250], "..sssfffffffffff.........ssssssff"),
    ];
    for (name, at_ms, expected) in cases {
        let (heard, receiver) = heard(&in_order(at_ms), expected.len() as u64);
        assert_eq!(heard, expected, "{name}: {:?}", receiver.counters());
    }
}

#[test]
fn counters_after_arrivals() {
    let cases: [(&str, &[i64], [u64; 4]); 6] = [
        // lost, late, concealed blocks, reordered
        ("on time", &[0, 20, 40, 60, 80], [0, 0, 0, 0]),
        ("40 ms too late", &[0, 20, 100, 100, 100], [0, 0, 4, 0]),
        ("one lost", &[0, 20, -1, 60, 80], [1, 0, 2, 0]),
        ("two lost", &[0, 20, -1, -1, 80, 100], [2, 0, 4, 0]),
        ("long after the next", &[0, 20, 130, 60, 80, 100], [1, 1, 2, 0]),
        ("crossed", &[0, 20, 40, 69, 65], [0, 0, 0, 1]),
    ];
    for (name, at_ms, expected) in cases {
        let counters = *heard(&in_order(at_ms), 40).1.counters();
        let found = [counters.lost, counters.late, counters.concealed_blocks, counters.reordered];
        assert_eq!(found, expected, "{name}: {counters:?}");
    }
}

#[test]
fn a_gap_in_time_is_silence_and_a_chance_to_meet_the_target() {
    // Sequence numbers 0, 1, 2 without a hole, time with one of 200 ms; the last came 30 ms late.
    let arrivals = [(0, 0, 0), (1, 20, 20), (2, 240, 270), (3, 260, 270)];
    let (heard, receiver) = heard(&arrivals, 36);
    assert_eq!(heard, "..sssfffffffffff...........ssssfffff");
    let counters = receiver.counters();
    assert_eq!((counters.lost, counters.concealed_blocks, receiver.target_ms()), (0, 0, 42));
}

#[test]
fn a_packet_twice_is_heard_once() {
    let (heard, receiver) = heard(&[(7, 0, 0), (8, 20, 20), (7, 0, 25), (8, 20, 30), (7, 0, 95)], 12);
    assert_eq!(heard, "..ssssffffff");
    assert_eq!((receiver.counters().duplicate, receiver.counters().late), (1, 2));
}

#[test]
fn packets_of_any_length_and_stereo_are_played() {
    for channels in [opus::Channels::Mono, opus::Channels::Stereo] {
        for tenth_ms in [25, 50, 100, 200, 400, 600, 1200_u64] {
            let (samples, width) = (tenth_ms as usize * 48 / 10, channels as usize);
            let mut encoder = opus::Encoder::new(48_000, channels, opus::Application::Voip).unwrap();
            let (start, mut receiver) = (an_instant(), TrackReceiver::new().unwrap());
            let (mut sent, mut sounding) = (0_u64, 0);
            for now_ms in (0..2000).step_by(10) {
                while (sent + 1) * tenth_ms <= now_ms * 10 {
                    let from = sent as usize * samples;
                    let wave: Vec<f32> = (0..samples * width)
                        .map(|i| 0.3 * ((from + i / width) as f32 * 0.04).sin())
                        .collect();
                    let payload = encoder.encode_vec_float(&wave, 1275).unwrap();
                    let arrival = start + Duration::from_millis(now_ms);
                    let rtp_time = sent * samples as u64;
                    receiver.insert(ArrivedPacket {
                        sequence: sent,
                        rtp_time,
                        arrival,
                        is_red: false,
                        payload: &payload,
                    });
                    sent += 1;
                }
                let mut block = Block::SILENCE;
                receiver.pull(&mut block, start + Duration::from_millis(now_ms));
                sounding += u64::from(crate::media::level::level_dbfs(&block) > -20.0);
            }
            let counters = receiver.counters();
            assert_eq!((counters.lost, counters.invalid), (0, 0), "{tenth_ms} {counters:?}");
            assert!(sounding > 175 && counters.concealed_blocks == 0, "{tenth_ms} {sounding} {counters:?}");
        }
    }
}

#[test]
fn padding_is_no_sound_and_no_loss() {
    let (start, mut receiver, payloads) = (an_instant(), TrackReceiver::new().unwrap(), packets(20));
    let mut block = Block::SILENCE;
    for (i, payload) in payloads.iter().enumerate() {
        let arrival = start + Duration::from_millis(20 * i as u64);
        let (sequence, rtp_time) = (2 * i as u64, 960 * i as u64);
        receiver.insert(ArrivedPacket { sequence, rtp_time, arrival, is_red: false, payload });
        receiver.insert(ArrivedPacket {
            sequence: sequence + 1,
            rtp_time,
            arrival,
            is_red: false,
            payload: &[],
        });
        receiver.pull(&mut block, arrival);
        receiver.pull(&mut block, arrival + Duration::from_millis(10));
    }
    let counters = receiver.counters();
    assert_eq!((counters.received, counters.lost, counters.invalid), (40, 0, 0));
    assert_eq!(counters.concealed_blocks, 0);
}

/// A RED packet (RFC 2198): `copies` of 20 ms packets before it, the nearest last.
fn red(copies: &[&[u8]], primary: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (copy, back) in copies.iter().zip((1..=copies.len() as u64).rev()) {
        let (offset, len) = (960 * back, copy.len() as u64);
        payload.extend([0x80 | 111, (offset >> 6) as u8, ((offset & 63) << 2 | len >> 8) as u8, len as u8]);
    }
    payload.push(111);
    payload.extend(copies.iter().flat_map(|copy| copy.iter()).chain(primary));
    payload
}

#[test]
fn copies_stand_in_for_lost_packets() {
    // Which packets never arrive; packets recovered from copies, concealed blocks.
    let cases: [(usize, &[u64], u64, u64); 5] = [
        (1, &[], 0, 0),
        (1, &[10], 1, 0),
        (1, &[10, 12, 14, 16], 4, 0),
        (1, &[10, 11], 1, 2),
        (2, &[10, 11, 15, 20, 21], 5, 0),
    ];
    let payloads = packets(64);
    for (depth, lost, recovered, concealed) in cases {
        let (start, mut receiver, mut block) = (an_instant(), TrackReceiver::new().unwrap(), Block::SILENCE);
        for sequence in 0..40_u64 {
            let arrival = start + Duration::from_millis(20 * sequence);
            if !lost.contains(&sequence) {
                let copies = sequence.saturating_sub(depth as u64)..sequence;
                let copies: Vec<&[u8]> = copies.map(|copy| payloads[copy as usize].as_slice()).collect();
                let payload = &red(&copies, &payloads[sequence as usize]);
                let rtp_time = 960 * sequence;
                receiver.insert(ArrivedPacket { sequence, rtp_time, arrival, is_red: true, payload });
            }
            receiver.pull(&mut block, arrival);
            receiver.pull(&mut block, arrival + Duration::from_millis(10));
        }
        let counters = receiver.counters();
        assert_eq!((counters.lost, counters.red_recovered), (lost.len() as u64, recovered), "{lost:?}");
        // Two in a row are sooner due than the copy of the first may come, until the target has learnt it.
        let spread = if depth == 2 { 4 } else { 0 };
        assert!(
            (concealed..=concealed + spread).contains(&counters.concealed_blocks),
            "{lost:?} {counters:?}"
        );
        assert_eq!((counters.invalid, counters.duplicate), (0, 0), "{lost:?}");
    }
}
