//! A door whose microphone hears its loudspeaker, in a call: the whole client, with two cards, a network, a server and a
//! second party who must not hear himself.
//!
//! ```text
//! cargo test --test sim coupled -- --nocapture
//! ```

use crate::acoustics::Place;
use crate::card::{Sound, level_dbfs};
use crate::client::Setup;
use crate::world::World;
use kinglet::media::send::audio_processor::Duplex;

const ECHO_ONLY: Duplex = Duplex::Full { noise: false, level: false };

/// The pitch of who speaks in the hall, and at the door.
const HALL_HZ: f64 = 120.0;
const DOOR_HZ: f64 = 210.0;

/// The crystals of the door's microphone and loudspeaker, in millionths.
type Ppm = (f64, f64);

/// A call in which the hall speaks from the first word on: the world, the door, the hall.
fn call(duplex: Duplex, (microphone, loudspeaker): Ppm, gain: f32) -> (World, usize, usize) {
    let mut world = World::new();
    let door = world.enter(Setup {
        duplex,
        air: Some((Place::Wall, gain)),
        ahead_ms: 30,
        ppm: microphone,
        loudspeaker_ppm: Some(loudspeaker),
        ..Setup::talker("door", Sound::Silence)
    });
    let hall = world.enter(Setup::talker("hall", Sound::Speech(HALL_HZ)));
    world.run_ms(6_000);
    (world, door, hall)
}

/// What the hall hears of itself in the next two seconds, in dBFS.
fn echo_dbfs(world: &mut World, hall: usize) -> f64 {
    world.run_ms(2_000);
    level_dbfs(world.lately(hall, 2_000))
}

/// What the hall hears when the door begins to speak too, in dBFS.
fn voice_dbfs(world: &mut World, door: usize, hall: usize) -> f64 {
    world.client(door).hear(Sound::Speech(DOOR_HZ));
    world.run_ms(4_000);
    level_dbfs(world.lately(hall, 3_000))
}

#[test]
fn nobody_hears_himself_and_the_door_is_heard_while_both_speak() {
    println!("{:<24} {:>18} {:>22}", "cards, ppm", "echo in the hall", "the door meanwhile");
    for ppm in [(0.0, 0.0), (150.0, -150.0)] {
        let [bare, ours, full] = [Duplex::Untouched, ECHO_ONLY, Duplex::ALL].map(|duplex| {
            let (mut world, door, hall) = call(duplex, ppm, 0.5);
            let echo = echo_dbfs(&mut world, hall);
            (echo, voice_dbfs(&mut world, door, hall))
        });
        let (mut world, door, hall) = call(Duplex::Untouched, ppm, 0.0);
        world.run_ms(2_000);
        let near_db = ours.1 - voice_dbfs(&mut world, door, hall);
        println!(
            "{:<24} {:>6.1} → {:.1}, {:.1} dBFS {near_db:>12.1} dB",
            format!("{} and {}", ppm.0, ppm.1),
            bare.0,
            ours.0,
            full.0
        );
        assert!(bare.0 > -35.0, "no echo, nothing to take out: {} dBFS", bare.0);
        assert!(bare.0 - ours.0 >= 30.0, "{ppm:?}: {bare:?} and {ours:?}");
        assert!(bare.0 - full.0 >= 27.0, "{ppm:?}: {bare:?} and {full:?}");
        assert!(near_db > -5.0, "{ppm:?}: the door's voice by {near_db} dB");
    }
}

#[test]
fn after_an_xrun_of_either_card_there_is_no_echo() {
    let bare = {
        let (mut world, _, hall) = call(Duplex::Untouched, (0.0, 0.0), 0.5);
        echo_dbfs(&mut world, hall)
    };
    for (name, break_off) in [
        ("underrun", (|ports| ports.loudspeaker.underrun(2)) as fn(&mut crate::ports::SimulatedPorts)),
        ("overrun", |ports| ports.microphone.as_mut().expect("a microphone").deafen(2)),
    ] {
        let (mut world, door, hall) = call(ECHO_ONLY, (0.0, 0.0), 0.5);
        break_off(world.client(door).ports());
        // Its 20 ms, the time in which the canceller may be wrong, and the way to the hall.
        world.run_ms(20 + 300 + 80);
        let echo = echo_dbfs(&mut world, hall);
        println!("{name}: {bare:.1} → {echo:.1} dBFS from 0.3 s on");
        assert!(bare - echo >= 25.0, "{name}: {echo} dBFS");
    }
}

#[test]
fn cards_that_are_pulled_out_are_a_pause_and_nothing_else() {
    let (mut world, door, hall) = call(ECHO_ONLY, (0.0, 0.0), 0.5);
    let before = voice_dbfs(&mut world, door, hall);
    let packets = |world: &World| world.sfu.log.track_of("door").map_or(0, |track| track.packets.len());
    let now = world.clock.now();
    world.client(door).plug(false, now);
    world.run_ms(500);
    let sent = packets(&world);
    world.run_ms(2_500);
    assert_eq!(packets(&world), sent, "nothing is sent without a microphone");
    assert!(level_dbfs(world.lately(hall, 2_000)) < -60.0, "a pause in the hall");
    let back_at = world.clock.now();
    world.client(door).plug(true, back_at);
    world.run_ms(500);
    let heard = world.lately(hall, 500);
    let first = heard.iter().find(|played| level_dbfs(std::slice::from_ref(*played)) > -50.0);
    let after_ms = first.map(|played| played.at.duration_since(back_at).as_millis());
    println!("the hall hears the door {after_ms:?} ms after its cards are back");
    assert!(after_ms.is_some_and(|ms| ms <= 500), "{after_ms:?}");
    assert!(level_dbfs(world.lately(door, 400)) > -35.0, "the door hears the hall");
    let after = voice_dbfs(&mut world, door, hall);
    assert!((after - before).abs() < 2.0, "{after}, and {before} before");
    world.client(door).hear(Sound::Silence);
    world.run_ms(1_000);
    let echo = echo_dbfs(&mut world, hall);
    assert!(echo < -55.0, "the canceller is in step again: {echo} dBFS");
}

#[test]
fn two_rooms_coupled_at_six_decibels_do_not_howl() {
    let mut world = World::new();
    let enter = |world: &mut World, name, sound| {
        let setup = Setup::talker(name, sound);
        world.enter(Setup { duplex: ECHO_ONLY, air: Some((Place::Wall, 2.0)), ahead_ms: 30, ..setup })
    };
    let door = enter(&mut world, "door", Sound::Silence);
    let hall = enter(&mut world, "hall", Sound::Speech(HALL_HZ));
    world.run_ms(5_000);
    assert!(level_dbfs(world.lately(door, 2_000)) > -40.0, "the door hears the hall");
    world.client(hall).hear(Sound::Silence);
    world.run_ms(10_000);
    for (name, who) in [("door", door), ("hall", hall)] {
        let level = level_dbfs(world.lately(who, 2_000));
        println!("{name}: {level:.1} dBFS, eight seconds after the last word");
        assert!(level < -50.0, "{name}: {level} dBFS");
    }
}
