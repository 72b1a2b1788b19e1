//! The device changes its network in the middle of a call.

use crate::card::{Sound, amplitude};
use crate::client::Setup;
use crate::world::World;
use kinglet::event::Event;
use livekit_protocol::IceServer;
use std::net::IpAddr;

fn hears(world: &World, listener: usize, hertz: f64) -> bool {
    amplitude(world.lately(listener, 100), hertz) > 0.15
}

fn resumes(world: &mut World, client: usize) -> usize {
    world.client(client).events.iter().filter(|(_, event)| matches!(event, Event::Resumed { .. })).count()
}

#[test]
fn another_address_costs_less_than_a_second_of_sound() {
    moves_ten_times(World::new());
}

/// It is asked again from each new address, in the middle of the resume.
#[test]
fn a_stun_server_makes_no_difference() {
    let mut world = World::new();
    let urls = vec!["stun:10.0.0.9:3478".to_string()];
    world.sfu.ice_servers = vec![IceServer { urls, ..IceServer::default() }];
    moves_ten_times(world);
}

fn moves_ten_times(mut world: World) {
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::talker("hall", Sound::Tone(700.0)));
    world.run_ms(5_000);
    for number in 0..10 {
        let now = world.clock.now();
        world.client(hall).move_to(IpAddr::from([10, 0, 2, 10 + number]), now);
        // What was under way is played first.
        world.run_ms(250);
        let began = world.clock.elapsed_ms() - 250.0;
        let back = |world: &mut World| hears(world, hall, 400.0) && hears(world, door, 700.0);
        assert!(world.run_until_done(5_000, back), "heard again, both ways");
        let took_ms = world.clock.elapsed_ms() - began;
        println!("heard again {took_ms:.0} ms after the address changed");
        assert!(took_ms < 1_000.0, "{took_ms} ms");
        world.run_ms(3_000);
        assert!(back(&mut world));
    }
    assert_eq!((world.sfu.log.joins, resumes(&mut world, hall)), (2, 10), "always the same session");
}

#[test]
fn a_network_that_is_back_is_used_at_once() {
    let mut world = World::new();
    world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::talker("hall", Sound::Tone(700.0)));
    world.run_ms(5_000);
    let now = world.clock.now();
    world.client(hall).ports().set_network(false, now);
    world.run_ms(120_000);
    let now = world.clock.now();
    world.client(hall).ports().set_network(true, now);
    world.client(hall).tell_network(now);
    let began = world.clock.elapsed_ms();
    let back = |world: &mut World| hears(world, hall, 400.0);
    assert!(world.run_until_done(5_000, back));
    let took_ms = world.clock.elapsed_ms() - began;
    println!("heard again {took_ms:.0} ms after the network was back");
    assert!(took_ms < 1_000.0, "{took_ms} ms");
}

#[test]
fn one_address_more_disturbs_nobody() {
    let mut world = World::new();
    world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::talker("hall", Sound::Tone(700.0)));
    world.run_ms(5_000);
    for _ in 0..20 {
        let now = world.clock.now();
        world.client(hall).tell_network(now);
        world.run_ms(200);
    }
    assert!(hears(&world, hall, 400.0));
    assert_eq!((world.sfu.log.joins, world.sfu.log.resumes), (2, 0));
}
