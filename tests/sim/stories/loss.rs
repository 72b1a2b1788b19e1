//! Packets are lost, late and out of order, and the sound goes on.

use crate::card::{Played, Sound, amplitude};
use crate::client::Setup;
use crate::link::{Loss, Quality};
use crate::world::World;
use kinglet::command::{Command, Reply};
use kinglet::media::send::adapt::Redundancy;

/// Mean amplitude of the talker's tone in stretches of 200 ms: in longer ones the phase turns, when the buffer is read a
/// little faster or slower.
fn mean_amplitude(played: &[Played]) -> f64 {
    let chunks = played.chunks(20);
    let count = chunks.len();
    chunks.map(|chunk| amplitude(chunk, 400.0)).sum::<f64>() / count as f64
}

/// Amplitude of the talker's tone after ten seconds over this path, heard over four, and the weakest 200 ms of it.
fn heard_over(down: Quality) -> (f64, f64) {
    let mut world = World::new();
    world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup { down, ..Setup::listener("hall") });
    world.run_ms(10_000);
    let played = world.lately(hall, 4000);
    let weakest = played.chunks(20).map(|chunk| amplitude(chunk, 400.0)).fold(f64::MAX, f64::min);
    println!("{:.3} {weakest:.3} {:?}", mean_amplitude(played), down);
    (mean_amplitude(played), weakest)
}

#[test]
fn one_in_ten_lost_at_random_is_bridged() {
    let (whole, weakest) = heard_over(Quality { loss: Loss::Random(0.1), ..Quality::delay(20.0) });
    assert!(whole > 0.1 && weakest > 0.02, "{whole} {weakest}");
}

#[test]
fn bursts_are_survived() {
    let loss = Loss::Burst { enter: 0.02, leave: 0.5 };
    let (whole, _) = heard_over(Quality { loss, ..Quality::delay(20.0) });
    assert!(whole > 0.1, "{whole}");
}

#[test]
fn jitter_is_waited_for() {
    let jitter = Quality { jitter_ms: 30.0, ..Quality::delay(20.0) };
    let (whole, weakest) = heard_over(jitter);
    assert!(whole > 0.1 && weakest > 0.05, "{whole} {weakest}");
}

#[test]
fn the_way_up_loses_too() {
    let mut world = World::new();
    let up = Quality { loss: Loss::Random(0.05), ..Quality::delay(20.0) };
    world.enter(Setup { up, ..Setup::talker("door", Sound::Tone(400.0)) });
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(10_000);
    let track = world.sfu.log.track_of("door").expect("door speaks");
    let (lost, received) = (track.lost(), track.packets.len() as u64);
    assert!(lost > 0 && lost * 10 < received, "{lost} of {received}");
    let played = world.lately(hall, 4000);
    assert!(mean_amplitude(played) > 0.1);
}

/// Thousandths of the sound that had to be made up, of a talker whose way up loses one in ten at random.
fn concealed_permille(redundancy: Redundancy) -> f64 {
    let mut world = World::new();
    let up = Quality { loss: Loss::Random(0.1), ..Quality::delay(20.0) };
    world.enter(Setup { up, redundancy, ..Setup::talker("door", Sound::Voice(150.0)) });
    let hall = world.enter(Setup::listener("hall"));
    // The buffer learns the line, and the talker what becomes of its packets.
    world.run_ms(10_000);
    world.command(hall, Command::Stats);
    world.run_ms(30_000);
    let Reply::Now(Ok(stats)) = world.ask(hall, Command::Stats) else { panic!("stats are there at once") };
    let track = &stats["tracks"][0];
    println!("RED {redundancy:?}, 10 % lost on the way up: {track}");
    track["concealed_permille"].as_f64().expect("a number")
}

#[test]
fn copies_repair_what_the_way_up_loses() {
    let (with, without) = (concealed_permille(Redundancy::On), concealed_permille(Redundancy::Off));
    assert!(with <= 5.0 && without >= 30.0, "{with} {without}");
}

#[test]
fn a_line_that_grows_bad_during_the_call_is_followed() {
    let mut world = World::new();
    world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(5000);
    for jitter_ms in [60.0, 0.0] {
        let quality = Quality { jitter_ms, ..Quality::delay(20.0) };
        world.client(hall).ports().down.set_quality(quality);
        // The buffer has to learn the line first.
        world.run_ms(5000);
        world.run_ms(4000);
        assert!(mean_amplitude(world.lately(hall, 4000)) > 0.15, "jitter {jitter_ms} ms");
    }
}
