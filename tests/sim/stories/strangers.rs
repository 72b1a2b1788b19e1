//! Datagrams of somebody who has nothing to do with the call, sent to the ports of its peer connections: nothing but checks
//! of ICE is taken from an address that ICE has not validated, so nobody breaks a handshake or keeps a dead path alive.

use crate::alloc::meter::Meter;
use crate::card::{Sound, amplitude};
use crate::client::Setup;
use crate::server::SERVER_ADDRESS;
use crate::world::World;
use kinglet::command::Command;
use kinglet::event::Event;
use kinglet::rtc::Peer;
use std::net::SocketAddr;

const PEERS: [Peer; 2] = [Peer::Publisher, Peer::Subscriber];

/// A fatal DTLS 1.2 alert (handshake_failure) of epoch 0, as anybody can write it.
const ALERT: [u8; 15] = [21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40];

/// Memory that datagrams which are refused may take: what one passes through.
const HEAP_BYTES_MAX: usize = 64 << 10;

fn stranger(number: u32) -> SocketAddr {
    let [a, b, c, d] = number.to_be_bytes();
    SocketAddr::from(([11 + a, b, c, d], 4000 + (number % 1000) as u16))
}

/// `hall` speaks to `door`, and is about to be on its way into the room.
fn enters() -> (World, usize, usize) {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    world.run_ms(2000);
    let hall = world.enter(Setup::talker("hall", Sound::Tone(700.0)));
    (world, door, hall)
}

/// One of these for both peer connections, from there.
fn send(world: &mut World, client: usize, source: SocketAddr, bytes: &[u8]) {
    for peer in PEERS {
        world.client(client).ports().inject_datagram(peer, source, bytes.to_vec());
    }
    world.poke(client);
}

fn both_hear(world: &World, door: usize, hall: usize) -> bool {
    amplitude(world.lately(hall, 200), 400.0) > 0.15 && amplitude(world.lately(door, 200), 700.0) > 0.15
}

fn refused(world: &mut World, client: usize) -> u64 {
    world.dropped(client, "foreign_datagrams")
}

#[test]
fn nobody_breaks_a_handshake() {
    let (mut world, door, hall) = enters();
    for number in 0..400u32 {
        send(&mut world, hall, stranger(number), &ALERT);
        world.run_ms(1);
    }
    assert!(world.run_until_done(2000, |world| both_hear(world, door, hall)));
    assert_eq!((world.sfu.log.joins, world.sfu.log.resumes), (2, 0));
    assert!(refused(&mut world, hall) > 700, "those before the sockets are there reach nobody");
}

#[test]
fn the_servers_own_address_is_checked_before_it_is_believed() {
    let (mut world, door, hall) = enters();
    let server = |port: u16| SocketAddr::from((SERVER_ADDRESS, port));
    // Before the first check has arrived, from each port that it could come from.
    let is_open = world.run_until_done(1000, |world| {
        send(world, hall, server(1), &ALERT);
        refused(world, hall) > 0
    });
    assert!(is_open);
    let before = refused(&mut world, hall);
    for port in 1024..u16::MAX {
        send(&mut world, hall, server(port), &ALERT);
    }
    assert!(refused(&mut world, hall) - before > 60_000);
    assert!(world.run_until_done(2000, |world| both_hear(world, door, hall)));
    assert_eq!((world.sfu.log.joins, world.sfu.log.resumes), (2, 0));
}

#[test]
fn a_check_with_wrong_credentials_validates_nobody() {
    let (mut world, door, hall) = enters();
    let has_check = |world: &mut World| world.client(hall).ports().last_check.is_some();
    assert!(world.run_until_done(1000, has_check));
    let good = world.client(hall).ports().last_check.clone().expect("a check of the server");
    // All but the checksum at its end, which any change of a check needs anew.
    for (place, number) in (20..good.len() - 8).zip(0..) {
        let mut check = good.clone();
        check[place] ^= 1;
        send(&mut world, hall, stranger(number), &check);
        send(&mut world, hall, stranger(number), &ALERT);
    }
    assert!(world.run_until_done(2000, |world| both_hear(world, door, hall)));
    assert_eq!((world.sfu.log.joins, world.sfu.log.resumes), (2, 0));
}

#[test]
fn strangers_do_not_keep_a_dead_path_alive() {
    let (mut world, door, hall) = enters();
    assert!(world.run_until_done(2000, |world| both_hear(world, door, hall)));
    world.client(hall).ports().set_udp(false);
    let rtp = [128, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4];
    for number in 0..80 {
        for bytes in [&ALERT[..], &rtp, &[128, 200, 0, 1, 0, 0, 0, 1]] {
            send(&mut world, hall, stranger(number), bytes);
        }
        world.run_ms(100);
    }
    let lost = world.client(hall).event(|event| matches!(event, Event::Reconnecting { .. }).then_some(()));
    assert!(lost.is_some(), "after five seconds without the server");
    let told = world.ask(hall, Command::Paths);
    assert!(!format!("{told:?}").contains("11.0.0."), "{told:?}");
}

#[test]
fn a_flood_from_many_addresses_costs_nothing_that_stays() {
    let (mut world, door, hall) = enters();
    world.client(hall).ports().is_metered = true;
    assert!(world.run_until_done(2000, |world| both_hear(world, door, hall)));
    world.run_ms(3000);
    let before = Meter::bytes();
    let began = refused(&mut world, hall);
    let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    for number in 0..100_000 {
        let bytes: &[u8] = match number % 4 {
            0 => &ALERT,
            1 => &stun,
            2 => &[128, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4],
            _ => &[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        };
        let peer = PEERS[number as usize / 4 % 2];
        world.client(hall).ports().inject_datagram(peer, stranger(number), bytes.to_vec());
        if number % 100 == 0 {
            world.poke(hall);
            world.run_ms(1);
        }
    }
    world.run_ms(500);
    assert!(both_hear(&world, door, hall));
    let grown = Meter::bytes().saturating_sub(before);
    println!("{grown} bytes more after 100 000 datagrams of strangers");
    assert!(grown <= HEAP_BYTES_MAX, "{grown} bytes");
    assert_eq!(refused(&mut world, hall) - began, 100_000);
    assert_eq!((world.sfu.log.joins, world.sfu.log.resumes), (2, 0));
}
