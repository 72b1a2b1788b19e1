//! Stories of a whole call: a voice is captured, sent over a link of the story's choice, and heard.

use super::simulated_call::{SimulatedCall, an_instant};
use crate::media::block::{BLOCK_FRAMES, Block};
use crate::media::receive::track_receiver::{ArrivedPacket, TrackReceiver};
use crate::media::send::encode::EncoderSettings;
use crate::media::tests::voice::{next, uniform, voice};
use std::time::Duration;

#[test]
fn a_clean_link_is_heard_as_said_and_nothing_is_corrected() {
    let mut call = SimulatedCall::new(EncoderSettings::default());
    call.run(3000, voice, |_| Some(5));
    let counters = *call.receiver.counters();
    assert_eq!(
        (counters.lost, counters.concealed_blocks, counters.dropped_blocks),
        (0, 0, 0),
        "{counters:?}"
    );
    assert_eq!((call.receiver.target_ms(), counters.late, counters.invalid), (20, 0, 0));
    for from in [200, 1500, 2800] {
        let (delay_ms, alike) = call.likeness(from);
        // A packet, the codec, the target and less than a pull.
        assert!((20.0 + 6.5..10.0 + 10.0 + 6.5 + 5.0 + 25.0).contains(&delay_ms), "{delay_ms}");
        assert!(alike > 0.8, "{alike}");
    }
}

#[test]
fn jitter_within_the_target_costs_nothing() {
    let (mut call, mut state) = (SimulatedCall::new(EncoderSettings::default()), 11);
    call.run(6000, voice, |_| Some(10 + next(&mut state) % 30));
    let counters = call.receiver.counters();
    assert_eq!((counters.lost, counters.dropped_blocks), (0, 0), "{counters:?}");
    assert!(counters.concealed_blocks <= 2, "{counters:?}");
}

#[test]
fn bursts_are_met_once_and_then_expected() {
    let mut call = SimulatedCall::new(EncoderSettings::default());
    // A scheduler that holds everything back for 60 ms, each second.
    let hiccup = |now_ms: u64| Some(60_u64.saturating_sub(now_ms % 1000));
    call.run(300, voice, |_| Some(0));
    call.run(500, voice, hiccup);
    let met = call.receiver.counters().concealed_blocks;
    assert!(met <= 6, "{met}");
    call.run(3000, voice, hiccup);
    assert_eq!(call.receiver.counters().concealed_blocks, met);
    assert_eq!(call.receiver.counters().dropped_blocks, 0);
}

#[test]
fn our_own_lateness_is_met_once_and_then_expected() {
    let mut call = SimulatedCall::new(EncoderSettings::default());
    call.busy_ms = 70;
    call.run(500, voice, |_| Some(0));
    let met = call.receiver.counters().concealed_blocks;
    assert!(met <= 6, "{met}");
    call.run(3000, voice, |_| Some(0));
    assert_eq!(call.receiver.counters().concealed_blocks, met, "{:?}", call.receiver.counters());
    assert_eq!(call.receiver.counters().dropped_blocks, 0);
}

#[test]
fn in_band_fec_brings_lost_packets_back() {
    let mut call = SimulatedCall::new(EncoderSettings::default());
    call.packetizer.set_loss_permille(150).unwrap();
    let mut count = 0;
    call.run(2000, voice, |_| {
        count += 1;
        (count % 8 != 0).then_some(5)
    });
    let counters = call.receiver.counters();
    assert!((120..=126).contains(&counters.lost), "{counters:?}");
    assert!(counters.fec_recovered > 80, "{counters:?}");
    assert!(counters.concealed_blocks <= 2 * (counters.lost - counters.fec_recovered), "{counters:?}");
    let (_, alike) = call.likeness(1500);
    assert!(alike > 0.8, "{alike}");
}

#[test]
fn a_mute_is_a_gap_and_no_loss() {
    let mut call = SimulatedCall::new(EncoderSettings::default());
    call.run(201, voice, |_| Some(5));
    for pause in [3, 17, 500] {
        call.packetizer.set_muted(true);
        call.run(pause, voice, |_| Some(5));
        call.packetizer.set_muted(false);
        call.run(200, voice, |_| Some(5));
        let counters = call.receiver.counters();
        assert_eq!((counters.lost, counters.concealed_blocks), (0, 0), "after {pause}: {counters:?}");
        assert!(call.likeness(call.step - 150).1 > 0.8, "after {pause}");
    }
}

#[test]
fn dtx_is_not_loss_either() {
    let mut call = SimulatedCall::new(EncoderSettings { dtx: true, ..EncoderSettings::default() });
    let talk_and_pause = |index: u64, block: &mut Block| {
        if (index / 200).is_multiple_of(2) {
            voice(index, block);
        } else {
            *block = Block::SILENCE;
        }
    };
    call.run(4000, talk_and_pause, |_| Some(5));
    let counters = call.receiver.counters();
    assert_eq!((counters.lost, counters.concealed_blocks), (0, 0), "{counters:?}");
    assert!(counters.received < 1200, "pauses are not sent: {}", counters.received);
    assert!(call.likeness(2420).1 > 0.8);
}

#[test]
fn after_an_outage_the_old_sound_is_left_out_and_the_delay_is_back() {
    for outage_ms in [150, 500, 1200, 5000] {
        let mut call = SimulatedCall::new(EncoderSettings::default());
        call.run(300, voice, |_| Some(5));
        // Everything sent in the outage comes at its end, at once.
        call.run(1200, voice, |now_ms| {
            Some(if now_ms < 3000 + outage_ms { 3000 + outage_ms - now_ms } else { 5 })
        });
        assert!(call.receiver.buffer_ms() <= 260, "{outage_ms}: {}", call.receiver.buffer_ms());
        call.run(4000, voice, |_| Some(5));
        let (delay_ms, alike) = call.likeness(call.step - 140);
        assert!(
            delay_ms < 150.0 && alike > 0.8,
            "{outage_ms} ms: {delay_ms} {alike} {:?}",
            call.receiver.counters()
        );
    }
}

#[test]
fn the_end_of_a_stream_fades_and_is_silence() {
    let mut call = SimulatedCall::new(EncoderSettings::default());
    call.run(300, voice, |_| Some(5));
    call.run(20, voice, |_| None);
    call.heard.clear();
    call.run(500, voice, |_| None);
    assert!(call.heard.iter().all(|&sample| sample == 0.0));
    assert_eq!((call.receiver.counters().concealed_blocks, call.receiver.buffer_ms()), (0, 0));
    assert_eq!(call.receiver.level_dbfs(), crate::media::level::SILENCE_DBFS);
    // The stream continues with the same sequence numbers, which show that the sender was not silent.
    call.run(300, voice, |_| Some(5));
    let counters = call.receiver.counters();
    assert_eq!(counters.lost, 260, "{counters:?}");
    assert!((500..=530).contains(&counters.concealed_blocks), "{counters:?}");
}

#[test]
fn random_loss_and_reorder_keep_the_books() {
    for seed in 1..=10 {
        let (mut call, mut state) = (SimulatedCall::new(EncoderSettings::default()), seed);
        let (loss, spread) = (0.02 * seed as f64, 5 + 10 * seed);
        let mut lost = 0;
        call.run(2000, voice, |_| {
            let is_lost = uniform(&mut state) < loss;
            lost += u64::from(is_lost);
            (!is_lost).then(|| 5 + next(&mut state) % spread)
        });
        call.run(60, voice, |_| None);
        let counters = *call.receiver.counters();
        assert_eq!(counters.received + lost, 1000, "seed {seed}");
        assert!(counters.lost <= lost + counters.late, "seed {seed}: {counters:?}, really lost {lost}");
        assert!(counters.lost + 3 >= lost, "seed {seed}: {counters:?}, really lost {lost}");
        assert_eq!((counters.invalid, counters.duplicate, counters.restarts), (0, 0, 0), "seed {seed}");
        assert!(counters.concealed_blocks <= counters.played_blocks, "seed {seed}: {counters:?}");
        let bound = 2 * counters.lost + 40;
        assert!(counters.concealed_blocks <= bound, "seed {seed}: {counters:?}");
        assert!(call.receiver.target_ms() <= 200, "seed {seed}");
    }
}

#[test]
fn clocks_that_differ_never_let_the_delay_run_away() {
    for ppm in [-1000_i64, 1000] {
        let mut call = SimulatedCall::new(EncoderSettings::default());
        // The sender's packets come earlier and earlier, or later and later.
        call.run(12_000, voice, |now_ms| Some((250 - now_ms as i64 * ppm / 1_000_000) as u64));
        let counters = call.receiver.counters();
        let (delay_ms, alike) = call.likeness(11_800);
        let drift_ms = 120 * ppm / 1000;
        let link_ms = (250 - drift_ms) as f64;
        assert!(counters.lost == 0 && alike > 0.3, "{ppm}: {alike}");
        let corrected = counters.concealed_blocks + counters.dropped_blocks;
        assert!(corrected <= 2 + drift_ms.unsigned_abs() / 10, "{ppm}: {counters:?}");
        assert!(delay_ms - link_ms < 150.0, "{ppm}: {delay_ms} over {link_ms}");
        assert!(call.receiver.buffer_ms() < 140, "{ppm}: {}", call.receiver.buffer_ms());
    }
}

#[test]
fn hostile_packets_never_panic_and_never_grow() {
    let (mut receiver, mut state, start) = (TrackReceiver::new().unwrap(), 5, an_instant());
    let mut block = Block::SILENCE;
    let mut now = start;
    for i in 0..20_000_u64 {
        let len = match next(&mut state) % 8 {
            0 => 0,
            1 => 1 + next(&mut state) % 3,
            2 => next(&mut state) % 2000,
            _ => next(&mut state) % 90,
        };
        let payload: Vec<u8> = (0..len).map(|_| next(&mut state) as u8).collect();
        let (sequence, rtp_time) = match next(&mut state) % 50 {
            0 => (next(&mut state), next(&mut state)),
            1 => (u64::MAX, u64::MAX),
            2 => (0, 0),
            _ => (i + next(&mut state) % 8, i * 960 + next(&mut state) % 4000),
        };
        let arrival = if next(&mut state).is_multiple_of(20) { start } else { now };
        receiver.insert(ArrivedPacket { sequence, rtp_time, arrival, is_red: false, payload: &payload });
        for _ in 0..next(&mut state) % 4 {
            receiver.pull(&mut block, now);
            assert!(block.0.iter().all(|sample| sample.abs() <= 4.0));
        }
        now += Duration::from_millis(next(&mut state) % 40);
    }
    assert!(receiver.buffer_ms() <= 64 * 120 + 140);
    assert_eq!(receiver.counters().received, 20_000);
}

#[test]
fn a_new_sender_is_heard_after_a_restart_and_after_a_jump() {
    for told in [true, false] {
        let mut call = SimulatedCall::new(EncoderSettings::default());
        call.run(300, voice, |_| Some(5));
        call.in_flight.clear();
        (call.sequence, call.rtp_base) = (call.sequence + 1_000_000, 17);
        if told {
            call.receiver.restart();
        }
        call.run(300, voice, |_| Some(5));
        let counters = call.receiver.counters();
        assert_eq!((counters.restarts, counters.lost), (1, 0), "{counters:?}");
        let (delay_ms, alike) = call.likeness(400);
        assert!(delay_ms < 75.0 && alike > 0.8, "{delay_ms} {alike}");
    }
}

#[test]
fn a_place_that_was_empty_is_heard_at_once() {
    for empty_ms in [20, 100, 300, 450, 600, 3000] {
        let mut call = SimulatedCall::new(EncoderSettings::default());
        call.run(300, voice, |_| Some(5));
        call.in_flight.clear();
        call.receiver.restart();
        // The loudspeaker does not pull, and packets are not sent; time passes for the voice.
        let unheard = call.heard.len();
        call.step += empty_ms / 10;
        call.heard.resize(unheard + empty_ms as usize / 10 * BLOCK_FRAMES, 0.0);
        call.said.resize(call.heard.len(), 0.0);
        (call.sequence, call.rtp_base) = (call.sequence + 1_000_000, 17);
        call.receiver.restart();
        call.run(300, voice, |_| Some(5));
        let (delay_ms, alike) = call.likeness(300 + empty_ms / 10 + 20);
        assert!(delay_ms < 75.0 && alike > 0.7, "{empty_ms} ms: {delay_ms} {alike}");
    }
}
