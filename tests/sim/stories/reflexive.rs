//! Behind a NAT: what it costs to be heard, with and without a STUN server that says how we are seen.

use crate::card::{Sound, amplitude};
use crate::client::Setup;
use crate::nat::Nat;
use crate::world::World;
use kinglet::event::Event;
use livekit_protocol::IceServer;

/// From the dial until sound is heard both ways, for a client behind a NAT, in milliseconds.
fn joins_behind_a_nat(ice_servers: &[&str]) -> f64 {
    let mut world = World::new();
    let urls = ice_servers.iter().map(|url| url.to_string()).collect();
    world.sfu.ice_servers = vec![IceServer { urls, ..IceServer::default() }];
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    world.run_ms(3000);
    let dialled = world.clock.elapsed_ms();
    let hall =
        world.enter_behind(Nat::new([203, 0, 113, 2].into()), Setup::talker("hall", Sound::Tone(700.0)));
    let hears = |world: &World, who, hertz| amplitude(world.lately(who, 100), hertz) > 0.15;
    let both = |world: &mut World| hears(world, hall, 400.0) && hears(world, door, 700.0);
    assert!(world.run_until_done(8_000, both), "heard both ways");
    let took_ms = world.clock.elapsed_ms() - dialled;
    // It lasts, and nothing was tried anew for it.
    world.run_ms(5_000);
    assert!(both(&mut world));
    assert_eq!((world.sfu.log.joins, world.sfu.log.resumes), (2, 0));
    let warning = world.client(hall).event(|event| matches!(event, Event::Warning { .. }).then_some(()));
    assert!(warning.is_none());
    took_ms
}

#[test]
fn a_nat_costs_half_a_second_less_with_a_stun_server() {
    let without = joins_behind_a_nat(&[]);
    let number = joins_behind_a_nat(&["stun:10.0.0.9:3478"]);
    let name = joins_behind_a_nat(&["stun:stun.example"]);
    // A TURN server over UDP is one too; one that is gone delays nothing.
    let second =
        joins_behind_a_nat(&["turns:turn.example:443", "stun:10.0.0.8", "turn:10.0.0.9?transport=udp"]);
    println!("joined and heard behind a NAT: {without:.0} ms, with a STUN server {number:.0} ms");
    // The server's own waits: 1 s for an address that it was not told of, 0.5 s at a tick of 0.2 s for one
    // that it was told is a NAT's.
    assert!((1_000.0..1_400.0).contains(&without), "{without} ms");
    for with in [number, name, second] {
        assert!((500.0..without - 300.0).contains(&with), "{with} ms, without {without} ms");
    }
}

#[test]
fn a_client_without_a_nat_is_not_delayed_by_the_question() {
    let joined = |ice_servers: Vec<IceServer>| {
        let mut world = World::new();
        world.sfu.ice_servers = ice_servers;
        let hall = world.enter(Setup::talker("hall", Sound::Tone(700.0)));
        world.run_ms(2_000);
        let connected =
            world.client(hall).event(|event| matches!(event, Event::Connected { .. }).then_some(()));
        let (up, began) = (world.client(hall).ports().up.delivered, world.clock.at_ms(0));
        (connected.expect("connected").0 - began, up)
    };
    let (plain, packets) = joined(Vec::new());
    let gone = IceServer { urls: vec!["stun:10.0.0.8".to_string()], ..IceServer::default() };
    let (asked, packets_asked) = joined(vec![gone]);
    assert_eq!(plain, asked);
    // One request of each socket, and none after the path is there.
    assert!(packets_asked - packets <= 4, "{packets_asked} and {packets} datagrams");
}
