//! Exact samples: the output is equal to that of a bare decoder for the same packets in order, for any order of
//! arrival; a hole is as long as what is missing, and everything behind it is in its place.

use crate::media::receive::loss_repair::{LossRepair, PacketOutcome};
use crate::media::receive::packet_buffer::PacketBuffer;
use crate::media::send::encode::{Encoder, EncoderSettings};
use crate::media::tests::voice::next;

const PACKET: usize = 960;

/// Packets of numbered samples: a slope whose value gives the position in the stream.
fn packets(count: u64) -> Vec<Vec<u8>> {
    let mut encoder =
        Encoder::new(EncoderSettings { bitrate_bps: 96_000, ..EncoderSettings::default() }).unwrap();
    let sample = |number: u64| {
        // Slow enough for a codec that leaves out what is below 50 Hz, and no two periods alike.
        let time_s = number as f64 / 48_000.0;
        (0.3 * (std::f64::consts::TAU * (200.0 * time_s + 15.0 * time_s * time_s)).sin()) as f32
    };
    let packet = |index: u64| {
        let samples: Vec<f32> = (0..PACKET as u64).map(|i| sample(index * PACKET as u64 + i)).collect();
        encoder.encode(&samples).unwrap().to_vec()
    };
    (0..count).map(packet).collect()
}

/// What a bare decoder makes of them; an empty one is concealed.
fn bare<'a>(payloads: impl Iterator<Item = &'a [u8]>) -> Vec<f32> {
    let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono).unwrap();
    let mut out = Vec::new();
    for payload in payloads {
        let mut samples = [0.0; PACKET];
        assert_eq!(decoder.decode_float(payload, &mut samples, false).unwrap(), PACKET);
        out.extend(samples);
    }
    out
}

/// Plays all that the buffer has from its first place to `count` packets, as `TrackReceiver` does.
fn play(packets: &mut PacketBuffer, repair: &mut LossRepair, count: u64) -> (Vec<f32>, Vec<PacketOutcome>) {
    let (mut out, mut made) = (Vec::new(), Vec::new());
    for sequence in 0..count {
        let first = packets.first().expect("a packet that ends the hole");
        made.push(if first.sequence == sequence {
            repair.play(packets, first)
        } else {
            let missing = first.sequence - sequence;
            repair.replace(packets, first, missing, missing as i64 * PACKET as i64)
        });
        packets.pass();
        out.extend(repair.queue.peek(0));
        repair.queue.pass(repair.queue.len());
    }
    (out, made)
}

/// Bit for bit. The first packet comes in on a ramp, so comparisons begin with the second.
fn are_same(played: &[f32], expected: &[f32]) -> bool {
    let differs = played.iter().zip(expected).position(|(a, b)| a.to_bits() != b.to_bits());
    if let Some(place) = differs {
        println!("differs from sample {place} on: {} for {}", played[place], expected[place]);
    }
    differs.is_none() && played.len() == expected.len()
}

#[test]
fn any_order_of_arrival_is_the_order_of_the_numbers() {
    let payloads = packets(48);
    let expected = bare(payloads.iter().map(Vec::as_slice));
    for seed in 1..=20 {
        let (mut state, mut packets, mut repair) = (seed, PacketBuffer::new(), LossRepair::new().unwrap());
        let mut order: Vec<u64> = (0..48).collect();
        for place in (1..order.len()).rev() {
            order.swap(place, (next(&mut state) % (place as u64 + 1)) as usize);
        }
        // Some come twice.
        order.extend((0..10).map(|_| next(&mut state) % 48));
        for sequence in order {
            packets.insert(sequence, sequence * PACKET as u64, 0, &payloads[sequence as usize]);
        }
        let (played, made) = play(&mut packets, &mut repair, 48);
        assert!(made.iter().all(|made| *made == PacketOutcome::Sound(PACKET)), "seed {seed}: {made:?}");
        assert!(are_same(&played[PACKET..], &expected[PACKET..]), "seed {seed}");
    }
}

#[test]
fn a_hole_is_as_long_as_what_is_missing() {
    let payloads = packets(40);
    for (first_missing, count) in [(10, 1), (10, 2), (25, 5)] {
        let missing = first_missing..first_missing + count;
        let (mut packets, mut repair) = (PacketBuffer::new(), LossRepair::new().unwrap());
        for (sequence, payload) in (0..40).zip(&payloads).filter(|(sequence, _)| !missing.contains(sequence))
        {
            packets.insert(sequence, sequence * PACKET as u64, 0, payload);
        }
        let (played, made) = play(&mut packets, &mut repair, 40);
        let expected = bare((0..40).zip(&payloads).map(|(sequence, payload)| {
            if missing.contains(&sequence) { &[][..] } else { payload.as_slice() }
        }));
        for (sequence, made) in (0..40).zip(&made) {
            let concealed = PacketOutcome::Concealed(PACKET);
            assert_eq!(
                *made,
                if missing.contains(&sequence) { concealed } else { PacketOutcome::Sound(PACKET) }
            );
        }
        assert_eq!(played.len(), expected.len());
        let (before, after) = (first_missing as usize * PACKET, (first_missing + count) as usize * PACKET);
        assert!(are_same(&played[PACKET..before], &expected[PACKET..before]), "{missing:?}");
        // What is invented leaves the decoder in another state, which is forgotten; each sample is in its place.
        let error = |shift: usize| -> f32 {
            let pairs = played[after + 5 * PACKET + shift..].iter().zip(&expected[after + 5 * PACKET..]);
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        assert!(error(0) < 0.005 && error(1) > 2.0 * error(0), "{missing:?}: {} {}", error(0), error(1));
    }
}

#[test]
fn copies_are_the_packets_themselves() {
    let payloads = packets(30);
    let expected = bare(payloads.iter().map(Vec::as_slice));
    let (mut packets, mut repair) = (PacketBuffer::new(), LossRepair::new().unwrap());
    // Every third packet is lost, and the next one carries it again.
    for sequence in (0..30).filter(|sequence| sequence % 3 != 1) {
        packets.insert(sequence, sequence * PACKET as u64, 0, &payloads[sequence as usize]);
        if sequence > 0 {
            let copy = sequence - 1;
            packets.insert_copy(copy, copy * PACKET as u64, 0, &payloads[copy as usize]);
        }
    }
    let (played, made) = play(&mut packets, &mut repair, 30);
    assert_eq!(made.iter().filter(|made| matches!(made, PacketOutcome::Copied(_))).count(), 10);
    assert!(are_same(&played[PACKET..], &expected[PACKET..]));
}
