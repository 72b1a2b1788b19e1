//! Two crystals disagree, and nobody hears it.

use crate::card::{Sound, amplitude};
use crate::client::Setup;
use crate::world::World;

/// What a tone of amplitude 0.25 may lose to the codec and to a slowly turning phase over 200 ms.
const WEAKEST: f64 = 0.15;

#[test]
fn three_hundred_ppm_leave_no_gap() {
    for ppm in [-300.0, 300.0] {
        let mut world = World::new();
        world.enter(Setup { ppm, ..Setup::talker("door", Sound::Tone(400.0)) });
        let hall = world.enter(Setup { ppm: -ppm, ..Setup::listener("hall") });
        world.run_ms(10_000);
        for minute in 0..5 {
            world.run_ms(60_000);
            let weakest = world
                .lately(hall, 59_000)
                .chunks(20)
                .map(|chunk| amplitude(chunk, 400.0))
                .fold(f64::MAX, f64::min);
            assert!(weakest > WEAKEST, "{ppm} ppm, minute {minute}: {weakest}");
        }
    }
}

#[test]
fn xruns_are_survived() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(3000);
    for _ in 0..5 {
        if let Some(microphone) = &mut world.client(door).ports().microphone {
            microphone.overrun(5);
        }
        world.client(hall).ports().loudspeaker.underrun(7);
        world.run_ms(3000);
        assert!(amplitude(world.lately(hall, 1000), 400.0) > WEAKEST);
    }
}
