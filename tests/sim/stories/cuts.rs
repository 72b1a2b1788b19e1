//! Everything that can be cut, and how soon sound is back.
//!
//! | cut | what is asked |
//! | --- | --- |
//! | signal connection | the talker loses nothing, the listener 2 RTT + 20 ms: the server drops what it should forward between its ICE restart and the first check that is answered |
//! | UDP, or the whole network, for 3 s to 15 min | sound both ways within 2 s of its return |
//! | the server, for 20 s to 15 min | sound both ways within 2 s of its listening again |

use crate::card::{Sound, amplitude};
use crate::client::Setup;
use crate::link::Quality;
use crate::world::World;
use kinglet::event::Event;

const DOOR_HZ: f64 = 400.0;
const HALL_HZ: f64 = 700.0;
const BACK_WITHIN_MS: u64 = 2000;

/// Two who speak with each other, the network between each of them and the server taking `delay_ms` one way.
fn call(delay_ms: f64) -> (World, usize, usize) {
    let mut world = World::new();
    let (up, down) = (Quality::delay(delay_ms), Quality::delay(delay_ms));
    let door = world.enter(Setup { up, down, ..Setup::talker("door", Sound::Tone(DOOR_HZ)) });
    let hall = world.enter(Setup { up, down, ..Setup::talker("hall", Sound::Tone(HALL_HZ)) });
    world.run_ms(3000);
    assert!(hear_each_other(&world, door, hall));
    (world, door, hall)
}

fn hear_each_other(world: &World, door: usize, hall: usize) -> bool {
    amplitude(world.lately(hall, 100), DOOR_HZ) > 0.15 && amplitude(world.lately(door, 100), HALL_HZ) > 0.15
}

/// Waits until both hear each other; how long that took.
fn back_after_ms(world: &mut World, door: usize, hall: usize, ms_max: u64) -> Option<f64> {
    // What was played before is no sound of now.
    world.run_ms(100);
    let began = world.clock.elapsed_ms() - 100.0;
    world
        .run_until_done(ms_max, |world| hear_each_other(world, door, hall))
        .then(|| world.clock.elapsed_ms() - began)
}

#[test]
fn a_cut_signal_connection_is_a_hole_of_two_round_trips_on_one_way_only() {
    for delay_ms in [0.1, 5.0, 25.0, 50.0, 100.0] {
        let (mut world, _, hall) = call(delay_ms);
        world.client(hall).ports().take_audio_gap();
        world.sfu.cut_signal("hall");
        world.run_ms(3000);
        let track = world.sfu.log.track_of("hall").expect("hall speaks");
        assert_eq!(track.lost(), 0, "the way up loses nothing");
        let gap_ms = world.client(hall).ports().take_audio_gap().as_secs_f64() * 1000.0;
        // Packets are 20 ms apart without any hole.
        let (hole_ms, round_trip_ms) = (gap_ms - 20.0, 2.0 * delay_ms);
        println!("round trip {round_trip_ms} ms: hole on the way down {hole_ms:.1} ms, on the way up none");
        assert!(hole_ms <= 2.0 * round_trip_ms + 20.0, "{hole_ms} ms at {round_trip_ms} ms");
        let resumed = world.client(hall).event(|event| match event {
            Event::Resumed { gap_ms } => Some(*gap_ms),
            _ => None,
        });
        assert!(
            resumed.is_some_and(|(_, gap_ms)| gap_ms as f64 <= 5.0 * round_trip_ms + 20.0),
            "{resumed:?}"
        );
    }
}

#[test]
fn datagrams_that_vanish_for_a_while_are_waited_for() {
    for seconds in [3, 20, 120] {
        let (mut world, door, hall) = call(25.0);
        world.client(hall).ports().set_udp(false);
        world.run_ms(seconds * 1000);
        world.client(hall).ports().set_udp(true);
        let back_ms = back_after_ms(&mut world, door, hall, 60_000);
        println!(
            "UDP away for {seconds} s: sound both ways after {back_ms:.0?} ms, joins {}",
            world.sfu.log.joins
        );
        assert!(back_ms.is_some_and(|ms| ms <= BACK_WITHIN_MS as f64), "{back_ms:?} ms");
        assert!(seconds > 20 || world.sfu.log.joins == 2, "the same session");
    }
}

#[test]
fn a_network_that_returns_brings_the_sound_with_it() {
    for seconds in [3, 20, 120] {
        let (mut world, door, hall) = call(25.0);
        world.set_network(hall, false);
        world.run_ms(seconds * 1000);
        world.set_network(hall, true);
        let back_ms = back_after_ms(&mut world, door, hall, 60_000);
        println!("network away for {seconds} s: sound both ways after {back_ms:.0?} ms");
        assert!(back_ms.is_some_and(|ms| ms <= BACK_WITHIN_MS as f64), "{back_ms:?} ms");
    }
}

#[test]
fn a_server_that_listens_again_is_joined_again() {
    for seconds in [1, 20, 900] {
        let (mut world, door, hall) = call(25.0);
        world.stop_server();
        world.run_ms(seconds * 1000);
        world.start_server();
        let back_ms = back_after_ms(&mut world, door, hall, 60_000);
        println!("server away for {seconds} s: sound both ways after {back_ms:.0?} ms");
        assert!(back_ms.is_some_and(|ms| ms <= BACK_WITHIN_MS as f64), "{back_ms:?} ms");
        for client in [door, hall] {
            let told = world.client(client).events.iter();
            let disconnected = told.filter(|(_, event)| matches!(event, Event::Disconnected { .. })).count();
            assert!(disconnected <= 3, "told {disconnected} times in {seconds} s");
        }
    }
}
