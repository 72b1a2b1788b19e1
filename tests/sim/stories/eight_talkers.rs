//! Eight talk at once and a ninth hears every one of them.

use crate::card::{Sound, amplitude};
use crate::client::Setup;
use crate::world::World;
use kinglet::limits::TALKERS_MAX;

/// A third apart, so that none is another's harmonic within the first few.
fn pitch_hz(talker: usize) -> f64 {
    300.0 * 1.26_f64.powi(talker as i32)
}

#[test]
fn everybody_is_heard() {
    let mut world = World::new();
    let names: Vec<String> = (0..TALKERS_MAX).map(|talker| format!("talker {talker}")).collect();
    for (talker, name) in names.iter().enumerate() {
        world.enter(Setup::talker(name, Sound::Tone(pitch_hz(talker))));
        world.run_ms(100);
    }
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(4000);
    let played = world.lately(hall, 1000);
    for talker in 0..TALKERS_MAX {
        let level = amplitude(played, pitch_hz(talker));
        assert!(level > 0.03, "talker {talker} at {} Hz: {level}", pitch_hz(talker));
    }
    assert!(amplitude(played, 250.0) < 0.01, "nobody speaks there");
}

#[test]
fn a_ninth_who_speaks_takes_the_place_of_one_who_is_silent() {
    let mut world = World::new();
    let names: Vec<String> = (0..TALKERS_MAX).map(|talker| format!("talker {talker}")).collect();
    for (talker, name) in names.iter().enumerate() {
        // Without DTX silence is sent, too.
        let sound = if talker == 3 { Sound::Silence } else { Sound::Tone(pitch_hz(talker)) };
        world.enter(Setup::talker(name, sound));
        world.run_ms(100);
    }
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(3000);
    world.enter(Setup::talker("ninth", Sound::Tone(250.0)));
    world.run_ms(4000);
    let played = world.lately(hall, 1000);
    assert!(amplitude(played, 250.0) > 0.03, "the ninth: {}", amplitude(played, 250.0));
    for talker in (0..TALKERS_MAX).filter(|&talker| talker != 3) {
        assert!(amplitude(played, pitch_hz(talker)) > 0.03, "talker {talker} keeps its place");
    }
}
