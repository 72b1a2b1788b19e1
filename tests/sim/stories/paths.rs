//! UDP does not get through, from the start or from some moment on: sound goes over TCP.

use crate::card::{Sound, amplitude};
use crate::client::Setup;
use crate::world::World;
use kinglet::event::Event;
use livekit_protocol::{ClientConfigSetting, ClientConfiguration, IceServer};

fn hears(world: &World, listener: usize, hertz: f64) -> bool {
    amplitude(world.lately(listener, 200), hertz) > 0.15
}

#[test]
fn a_firewall_that_stops_udp_delays_the_join_and_no_more() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    world.run_ms(2000);
    let dialled = world.clock.elapsed_ms();
    let hall = world.enter(Setup::talker("hall", Sound::Tone(700.0)));
    world.client(hall).ports().set_udp(false);
    let both = |world: &mut World| hears(world, hall, 400.0) && hears(world, door, 700.0);
    assert!(world.run_until_done(8_000, both), "heard both ways");
    let took_ms = world.clock.elapsed_ms() - dialled;
    println!("joined and heard after {took_ms:.0} ms without UDP");
    // 2 s for UDP, 1 s of the server's for an address that it was not told, DTLS, the sound itself.
    assert!(took_ms < 4_500.0, "{took_ms} ms");
    let lost = world.client(hall).ports().up.lost;
    world.run_ms(10_000);
    assert!(both(&mut world), "and it stays");
    assert_eq!((world.sfu.log.joins, world.sfu.log.resumes), (2, 0));
    let tried = world.client(hall).ports().up.lost - lost;
    assert!(tried < 40, "UDP is hardly tried any more: {tried} datagrams in 10 s");
}

#[test]
fn a_server_that_goes_over_to_tcp_is_followed_at_once() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::talker("hall", Sound::Tone(700.0)));
    world.run_ms(5_000);
    let now = world.clock.now();
    world.sfu.switch_to_tcp("hall", now);
    world.run_ms(1_500);
    assert!(hears(&world, hall, 400.0) && hears(&world, door, 700.0));
    // Nothing but TCP is left, and another restart changes nothing about that.
    world.client(hall).ports().set_udp(false);
    world.run_ms(15_000);
    assert!(hears(&world, hall, 400.0) && hears(&world, door, 700.0));
    let now = world.clock.now();
    world.sfu.switch_to_tcp("hall", now);
    world.run_ms(1_500);
    assert!(hears(&world, hall, 400.0) && hears(&world, door, 700.0));
    assert_eq!(world.sfu.log.joins, 2, "the session is the same");
}

#[test]
fn udp_that_ends_during_a_call_is_replaced() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::talker("hall", Sound::Tone(700.0)));
    world.run_ms(5_000);
    let began = world.clock.elapsed_ms();
    world.client(hall).ports().set_udp(false);
    let silent = |world: &mut World| !hears(world, hall, 400.0);
    assert!(world.run_until_done(1_000, silent));
    let back = |world: &mut World| hears(world, hall, 400.0) && hears(world, door, 700.0);
    assert!(world.run_until_done(20_000, back), "heard again, both ways");
    println!("heard again {:.0} ms after UDP ended", world.clock.elapsed_ms() - began);
    assert_eq!(world.sfu.log.joins, 2, "the session is the same");
    let resumed = world.client(hall).event(|event| matches!(event, Event::Resumed { .. }).then_some(()));
    assert!(resumed.is_some());
    // The path is blamed, and the server may go over to TCP: it has named where it takes that.
    assert!(matches!(world.sfu.log.reasons.first(), Some(2 | 3)), "{:?}", world.sfu.log.reasons);
}

#[test]
fn a_network_that_is_gone_altogether_is_not_blamed_on_udp() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::talker("hall", Sound::Tone(700.0)));
    world.run_ms(5_000);
    world.set_network(hall, false);
    world.run_ms(8_000);
    world.set_network(hall, true);
    let back = |world: &mut World| hears(world, hall, 400.0) && hears(world, door, 700.0);
    assert!(world.run_until_done(20_000, back), "heard again, both ways");
    // Sound is back before the session is.
    world.run_ms(5_000);
    assert!(back(&mut world));
    // Blamed, the server would take TCP only for minutes.
    let reasons = &world.sfu.log.reasons;
    assert!(!reasons.is_empty() && reasons.iter().all(|reason| *reason < 2), "{reasons:?}");
}

#[test]
fn where_only_relays_are_allowed_no_address_of_ours_is_used() {
    let mut world = World::new();
    world.sfu.ice_servers = vec![IceServer {
        urls: vec!["turn:10.0.0.9:3478?transport=udp".to_string()],
        username: "user".to_string(),
        credential: "password".to_string(),
    }];
    let force_relay = ClientConfigSetting::Enabled.into();
    world.sfu.client_configuration =
        Some(ClientConfiguration { force_relay, ..ClientConfiguration::default() });
    world.enter(Setup::talker("hall", Sound::Tone(700.0)));
    world.run_ms(2_000);
    assert_eq!(world.sfu.log.joins, 1);
    assert!(world.allocations_asked >= 2, "at once, for both peer connections");
    assert_eq!(world.sfu.log.datagrams, 0, "nothing goes to the server by itself");
}
