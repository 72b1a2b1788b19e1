//! Nothing gets through but a TURN server: sound goes by it, and stays there.

use crate::card::{Sound, amplitude};
use crate::client::Setup;
use crate::nat::STUN_SERVER;
use crate::turn::Turn;
use crate::world::World;
use kinglet::event::Event;
use livekit_protocol::{ClientConfigSetting, ClientConfiguration};
use std::net::{IpAddr, SocketAddr};

/// A world with a TURN server, of which everybody is told.
fn world() -> World {
    let mut world = World::new();
    world.turn = Some(Turn::new(world.clock.now()));
    world.sfu.ice_servers = vec![Turn::ice_server()];
    world
}

/// `door`, which has no firewall, and `hall`, which has one.
fn enter(world: &mut World) -> (usize, usize) {
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    world.run_ms(2_000);
    let hall = world.enter(Setup::talker("hall", Sound::Tone(700.0)));
    world.client(hall).ports().only_to = Some(SocketAddr::from(STUN_SERVER));
    (door, hall)
}

fn both_hear(world: &World, (door, hall): (usize, usize)) -> bool {
    let hears = |listener: usize, hertz: f64| amplitude(world.lately(listener, 200), hertz) > 0.15;
    hears(hall, 400.0) && hears(door, 700.0)
}

#[test]
fn a_site_that_lets_out_turn_only_is_joined_and_stays() {
    let mut world = world();
    let pair = enter(&mut world);
    let dialled = world.clock.elapsed_ms();
    assert!(world.run_until_done(10_000, |world| both_hear(world, pair)), "heard both ways");
    println!("joined and heard after {:.0} ms by TURN only", world.clock.elapsed_ms() - dialled);
    // An allocation is refreshed within ten minutes, a permission within five, a channel within ten (RFC 8656 §7, §9, §12).
    for minute in 0..35 {
        world.run_ms(60_000);
        assert!(both_hear(&world, pair), "minute {minute}");
    }
    assert_eq!((world.sfu.log.joins, world.sfu.log.resumes), (2, 0));
    assert!(world.turn.as_ref().is_some_and(|turn| turn.relayed > 100_000));
}

#[test]
fn a_cut_and_another_address_are_mended_through_it() {
    let mut world = world();
    let (door, hall) = enter(&mut world);
    assert!(world.run_until_done(10_000, |world| both_hear(world, (door, hall))));
    world.run_ms(2_000);
    world.sfu.cut_signal("hall");
    world.run_ms(3_000);
    assert!(both_hear(&world, (door, hall)));
    world.client(hall).ports().set_udp(false);
    world.run_ms(3_000);
    world.client(hall).ports().set_udp(true);
    assert!(
        world.run_until_done(2_000, |world| both_hear(world, (door, hall))),
        "after a cut of three seconds"
    );
    let allocations = world.turn.as_ref().map(|turn| turn.allocations);
    let now = world.clock.now();
    world.client(hall).move_to(IpAddr::from([10, 0, 7, 7]), now);
    let moved = world.clock.elapsed_ms();
    world.run_ms(300);
    assert!(world.run_until_done(10_000, |world| both_hear(world, (door, hall))), "at another address");
    println!("heard again {:.0} ms after another address, by TURN only", world.clock.elapsed_ms() - moved);
    assert!(world.turn.as_ref().map(|turn| turn.allocations) > allocations);
    assert_eq!(world.sfu.log.joins, 2, "the session is the same");
}

#[test]
fn where_only_relays_are_allowed_nothing_else_is_waited_for() {
    let mut world = world();
    let force_relay = ClientConfigSetting::Enabled.into();
    world.sfu.client_configuration =
        Some(ClientConfiguration { force_relay, ..ClientConfiguration::default() });
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::talker("hall", Sound::Tone(700.0)));
    let dialled = world.clock.elapsed_ms();
    assert!(world.run_until_done(5_000, |world| both_hear(world, (door, hall))), "heard both ways");
    let took_ms = world.clock.elapsed_ms() - dialled;
    println!("joined and heard after {took_ms:.0} ms where only relays are allowed");
    assert!(took_ms < 2_500.0, "{took_ms} ms");
    let warned = world.client(hall).event(|event| matches!(event, Event::Warning { .. }).then_some(()));
    assert!(warned.is_none());
}
