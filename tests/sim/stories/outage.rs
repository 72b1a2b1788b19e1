//! The network goes away and comes back; so does the sound.

use crate::card::{Sound, amplitude};
use crate::client::Setup;
use crate::world::World;
use kinglet::event::Event;

fn has_sound(world: &World, listener: usize) -> bool {
    amplitude(world.lately(listener, 200), 400.0) > 0.15
}

#[test]
fn a_short_outage_is_no_loss_of_the_session() {
    let mut world = World::new();
    world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(3000);
    for up in [false, true] {
        let now = world.clock.now();
        world.client(hall).ports().set_network(up, now);
        world.run_ms(1500);
    }
    assert!(has_sound(&world, hall));
    assert_eq!((world.sfu.log.joins, world.sfu.log.resumes), (2, 0));
}

#[test]
fn a_long_outage_ends_in_a_new_session() {
    let mut world = World::new();
    world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(3000);
    let now = world.clock.now();
    world.client(hall).ports().set_network(false, now);
    world.run_ms(40_000);
    let lost = world.client(hall).event(|event| matches!(event, Event::Reconnecting { .. }).then_some(()));
    assert!(lost.is_some(), "forty seconds of silence are noticed");
    let now = world.clock.now();
    world.client(hall).ports().set_network(true, now);
    let back = world.run_until_done(20_000, |world| has_sound(world, hall));
    println!("sound after {} ms", world.clock.elapsed_ms() - 43_000.0);
    assert!(back);
}

#[test]
fn a_cut_web_socket_brings_everybody_back() {
    let mut world = World::new();
    world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(3000);
    world.sfu.cut_signal("hall");
    world.run_ms(5000);
    assert!(has_sound(&world, hall));
    assert!(world.client(hall).outcome().is_none());
}
