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
