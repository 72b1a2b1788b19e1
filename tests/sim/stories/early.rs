//! What is said on the way into the room is heard, and first.

use crate::card::{Sound, amplitude};
use crate::client::Setup;
use crate::link::Quality;
use crate::world::World;
use kinglet::event::Event;

/// Two seconds after somebody enters who says a first word while the path is made and goes on with another
/// tone: how loud the first word was at its loudest in the hall, and how loud the end of it all.
fn heard(keeps_early_sound: bool) -> (f64, f64) {
    let mut world = World::new();
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(2000);
    let far = Quality::delay(40.0);
    let word = Sound::Tone(1000.0);
    let door = world.enter(Setup { up: far, down: far, keeps_early_sound, ..Setup::talker("door", word) });
    world.run_ms(200);
    let published = |event: &Event| matches!(event, Event::LocalTrackPublished { .. }).then_some(());
    assert!(world.client(door).event(published).is_none(), "the word was said before the path was there");
    world.client(door).hear(Sound::Tone(400.0));
    world.run_ms(5000);
    let played = world.lately(hall, 5200);
    let loudest = |hertz: f64, played: &[crate::card::Played]| {
        played.chunks(10).map(|chunk| amplitude(chunk, hertz)).fold(0.0, f64::max)
    };
    (loudest(1000.0, played), loudest(400.0, &played[played.len() - 50..]))
}

#[test]
fn the_first_word_is_heard_where_it_is_kept() {
    let (word, after) = heard(true);
    assert!(word > 0.1 && after > 0.1, "{word} {after}");
    let (word, after) = heard(false);
    assert!(word < 0.01 && after > 0.1, "{word} {after}");
}

#[test]
fn nobody_comes_and_what_is_said_later_is_live() {
    let mut world = World::new();
    let setup = Setup::talker("door", Sound::Tone(1000.0));
    let door = world.enter(Setup { keeps_early_sound: true, ..setup });
    world.run_ms(4000);
    world.client(door).hear(Sound::Tone(400.0));
    world.run_ms(500);
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(3000);
    let played = world.lately(hall, 3000);
    assert!(played.chunks(10).all(|chunk| amplitude(chunk, 1000.0) < 0.02), "nothing old is sent");
    assert!(amplitude(&played[played.len() - 20..], 400.0) > 0.1);
}
