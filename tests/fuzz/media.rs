//! Received RTP of one track: any payload, in any order, at any time, through RED, the jitter buffer and the Opus decoder.
//!
//! ```text
//!  bytes ─► packets: sequence, RTP time, arrival, RED or not, payload ─► TrackReceiver ─► blocks
//! ```

use std::time::{Duration, Instant};

use kinglet::media::block::{BLOCK_FRAMES, Block};
use kinglet::media::receive::track_receiver::{ArrivedPacket, Pulled, TrackReceiver};

use crate::cursor::Cursor;
use crate::parsers::now;

/// Steps of one input: an Opus decoder costs up to a millisecond for each.
const STEPS_MAX: usize = 400;

/// Packets and blocks as the input says.
pub fn received(bytes: &[u8]) {
    let mut cursor = Cursor::new(bytes);
    let mut receiver = TrackReceiver::new().expect("memory for a decoder");
    let mut time = now();
    let (mut sequence, mut rtp_time) = (1_u64 << 16, 1_u64 << 32);
    for _ in 0..STEPS_MAX {
        if cursor.is_empty() {
            break;
        }
        match cursor.byte() % 8 {
            // The usual: the next packet, and two blocks are played.
            0..=2 => {
                (sequence, rtp_time) = (sequence + 1, rtp_time + 960);
                let is_red = cursor.flag();
                let payload = cursor.bytes();
                receiver.insert(ArrivedPacket { sequence, rtp_time, arrival: time, is_red, payload });
                pull(&mut receiver, time);
                pull(&mut receiver, time + Duration::from_millis(10));
                time += Duration::from_millis(20);
            }
            // Anywhere, at any time.
            3 => {
                let back = cursor.flag();
                let (packets, samples) = (cursor.number(), cursor.number());
                let arrival = time + Duration::from_millis(u64::from(cursor.byte()));
                let (at, is_red) = (sequence, cursor.flag());
                let payload = cursor.bytes();
                let moved =
                    |from: u64, by: u64| if back { from.wrapping_sub(by) } else { from.wrapping_add(by) };
                let (sequence, rtp_time) = (moved(at, packets), moved(rtp_time, samples));
                receiver.insert(ArrivedPacket { sequence, rtp_time, arrival, is_red, payload });
            }
            // Jumps, which stay.
            4 => {
                sequence = sequence.wrapping_add(cursor.number());
                rtp_time = rtp_time.wrapping_add(cursor.number());
            }
            5 => (0..cursor.byte()).for_each(|_| {
                pull(&mut receiver, time);
                time += Duration::from_millis(10);
            }),
            6 => time += Duration::from_millis(cursor.number() % 100_000),
            _ if cursor.flag() => receiver.restart(),
            _ => receiver.set_target_ms_max(u32::from(cursor.short())),
        }
        assert!(receiver.buffer_ms() <= 10_000, "the buffer is bounded: {} ms", receiver.buffer_ms());
        assert!(receiver.drift_ppm().is_finite() && receiver.level_dbfs() < 20.0);
    }
    let counters = receiver.counters();
    assert!(counters.played_packets <= 4 * counters.received + 8 * STEPS_MAX as u64);
}

fn pull(receiver: &mut TrackReceiver, now: Instant) {
    let mut block = Block([0.25; BLOCK_FRAMES]);
    match receiver.pull(&mut block, now) {
        Pulled::Silence => assert!(block.0.iter().all(|sample| *sample == 0.0), "exact zeros"),
        Pulled::Sound => assert!(block.0.iter().all(|sample| sample.is_finite()), "samples are numbers"),
    }
}
