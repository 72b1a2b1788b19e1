//! Eight talk at once and a ninth hears every one of them; of nine, those who have something to say; each as loud as
//! wished.

use crate::card::{Sound, amplitude};
use crate::client::Setup;
use crate::world::World;
use kinglet::command::Command;
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

#[test]
fn a_talker_is_as_loud_as_wished() {
    let mut world = World::new();
    world.enter(Setup::talker("door", Sound::Tone(400.0)));
    world.enter(Setup::talker("gate", Sound::Tone(700.0)));
    let hall = world.enter(Setup::listener("hall"));
    // Said before anybody is there.
    world.command(hall, Command::TalkerVolume { whom: "gate".to_string(), percent: 50 });
    world.run_ms(3000);
    let levels = |world: &World| [400.0, 700.0].map(|hz| amplitude(world.lately(hall, 200), hz));
    let [door, gate] = levels(&world);
    assert!((gate / door - 0.5).abs() < 0.05, "{door} {gate}");
    world.command(hall, Command::TalkerVolume { whom: "door".to_string(), percent: 0 });
    world.run_ms(1000);
    let [silent, same] = levels(&world);
    assert!(silent < 0.001 && (same / gate - 1.0).abs() < 0.05, "{silent} {same}");
    world.command(hall, Command::TalkerVolume { whom: "door".to_string(), percent: 100 });
    world.run_ms(1000);
    assert!((levels(&world)[0] / door - 1.0).abs() < 0.05);
}
