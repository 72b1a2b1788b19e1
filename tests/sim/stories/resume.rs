//! What is lost is mended without a new session: the signal connection, the path of sound, or both.

use crate::card::{Sound, amplitude};
use crate::client::Setup;
use crate::world::World;
use kinglet::command::Command;
use kinglet::event::Event;

fn resumed_gap_ms(world: &mut World, client: usize) -> Option<u64> {
    let gap = world.client(client).event(|event| match event {
        Event::Resumed { gap_ms } => Some(*gap_ms),
        _ => None,
    });
    gap.map(|(_, gap_ms)| gap_ms)
}

#[test]
fn a_cut_signal_connection_costs_the_talker_nothing() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(3000);
    world.sfu.cut_signal("door");
    world.sfu.cut_signal("hall");
    world.run_ms(3000);
    assert_eq!((world.sfu.log.joins, world.sfu.log.resumes), (2, 2));
    for client in [door, hall] {
        let gap_ms = resumed_gap_ms(&mut world, client).expect("resumed");
        assert!(gap_ms < 100, "{gap_ms} ms");
    }
    let track = world.sfu.log.track_of("door").expect("door speaks");
    let sequences: Vec<u64> = track.packets.iter().map(|packet| packet.sequence).collect();
    assert!(sequences.windows(2).all(|pair| pair[1] == pair[0] + 1), "every packet arrived, in order");
    let played = world.lately(hall, 3000);
    let holes = played.chunks(20).filter(|chunk| amplitude(chunk, 400.0) < 0.1).count();
    assert!(
        holes <= 1,
        "the way down misses a packet around the ICE restart, no more: {holes} holes of 200 ms"
    );
}

#[test]
fn a_lost_path_is_found_again_in_the_same_session() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::talker("hall", Sound::Tone(700.0)));
    world.run_ms(3000);
    let now = world.clock.now();
    world.client(hall).ports().set_network(false, now);
    let noticed = |world: &mut World| {
        world.client(hall).event(|event| matches!(event, Event::Reconnecting { .. }).then_some(())).is_some()
    };
    // Pings go unanswered for 15 s; the server gives the session up 5 s after that.
    assert!(world.run_until_done(16_000, noticed), "a dead network is noticed");
    world.run_ms(1000);
    let now = world.clock.now();
    world.client(hall).ports().set_network(true, now);
    let back = |world: &mut World| resumed_gap_ms(world, hall).is_some();
    assert!(world.run_until_done(10_000, back), "resumed");
    world.run_ms(1000);
    assert_eq!(world.sfu.log.joins, 2, "no new session");
    assert!(amplitude(world.lately(hall, 300), 400.0) > 0.15, "hears");
    assert!(amplitude(world.lately(door, 300), 700.0) > 0.15, "is heard");
}

#[test]
fn a_mute_while_the_server_is_away_is_told_when_it_is_back() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(2000);
    world.sfu.cut_signal("door");
    world.run_until_done(500, |world| {
        world.client(door).event(|event| matches!(event, Event::Reconnecting { .. }).then_some(())).is_some()
    });
    world.command(door, Command::Mute);
    world.run_ms(2000);
    assert!(resumed_gap_ms(&mut world, door).is_some());
    let muted = world.client(hall).event(|event| matches!(event, Event::TrackMuted(_)).then_some(()));
    assert!(muted.is_some());
}

#[test]
fn a_server_that_cuts_every_connection_is_not_hammered() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    world.run_ms(2000);
    for _ in 0..400 {
        world.sfu.cut_signal("door");
        world.run_ms(50);
    }
    let attempts = world.sfu.log.resumes + world.sfu.log.joins;
    assert!(attempts < 25, "{attempts} sessions and resumes in 20 s");
    assert!(world.client(door).outcome().is_none());
    world.run_ms(10_000);
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(2000);
    assert!(amplitude(world.lately(hall, 300), 400.0) > 0.15, "and comes back once it is left alone");
}
