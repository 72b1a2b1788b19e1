//! One joins a room in which somebody speaks.

use crate::card::{Sound, amplitude};
use crate::client::Setup;
use crate::link::{Loss, Quality};
use crate::world::World;
use kinglet::command::Command;
use kinglet::error::ExitStatus;
use kinglet::event::Event;
use kinglet::session::recovery::Retry;
use std::time::Instant;

fn ms(world: &World, at: Instant) -> f64 {
    at.duration_since(world.clock.at_ms(0)).as_secs_f64() * 1000.0
}

#[test]
fn two_meet_and_hear_each_other() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::talker("hall", Sound::Tone(700.0)));
    world.run_ms(3000);
    for (listener, other) in [(door, 700.0), (hall, 400.0)] {
        let played = world.lately(listener, 1000);
        assert!(amplitude(played, other) > 0.15, "{} at {other} Hz", amplitude(played, other));
        let connected =
            world.client(listener).events.iter().filter(|(_, e)| matches!(e, Event::Connected { .. }));
        assert_eq!(connected.count(), 1);
    }
    assert!(world.sfu.log.video_subscriptions.is_empty());
    assert_eq!(world.sfu.log.complaints, Vec::<String>::new());
}

#[test]
fn a_join_takes_the_server_s_timers_and_little_more() {
    let mut world = World::new();
    let near = Quality::delay(0.1);
    world.enter(Setup { up: near, down: near, ..Setup::talker("door", Sound::Tone(400.0)) });
    world.run_ms(2000);
    let dialled = ms(&world, world.clock.now());
    let hall = world.enter(Setup { up: near, down: near, ..Setup::talker("hall", Sound::Tone(700.0)) });
    world.run_ms(1000);
    let connected = world.client(hall).event(|event| matches!(event, Event::Connected { .. }).then_some(()));
    let connected = ms(&world, connected.expect("connected").0) - dialled;
    assert!(connected <= 20.0, "connected after {connected} ms");
    let track = world.sfu.log.track_of("hall").expect("hall speaks");
    let first_packet = ms(&world, track.packets[0].at) - dialled;
    assert!(first_packet <= 60.0, "first packet after {first_packet} ms");
    let heard = world.client(hall).loudspeaker().first_sound().expect("hall hears");
    let heard = ms(&world, heard) - dialled;
    println!("connected {connected:.1} ms, first packet {first_packet:.1} ms, first sound {heard:.1} ms");
    // 150 ms of debounce, the frame grid of 20 ms twice, the delay of playout.
    assert!((150.0..=230.0).contains(&heard), "first sound after {heard} ms");
}

#[test]
fn one_leaves_as_asked() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(1000);
    world.command(door, Command::Leave);
    world.run_ms(1000);
    assert!(world.client(door).outcome().is_some_and(|outcome| outcome.text.is_empty()));
    let left = world.client(hall).event(|event| match event {
        Event::ParticipantLeft(left) => Some((left.who.identity.clone(), left.reason.clone())),
        _ => None,
    });
    assert_eq!(left.map(|(_, left)| left), Some(("door".to_string(), "client_initiated".to_string())));
}

#[test]
fn who_is_removed_stays_away() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    world.run_ms(1000);
    let now = world.clock.now();
    world.sfu.kick("door", livekit_protocol::DisconnectReason::ParticipantRemoved, now);
    world.run_ms(60_000);
    assert!(world.client(door).outcome().is_some());
    assert_eq!(world.sfu.log.joins, 1);
}

#[test]
fn a_camera_in_the_room_is_left_alone() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(500);
    let now = world.clock.now();
    world.sfu.publish_video("door", now);
    world.run_ms(3000);
    assert_eq!((world.sfu.log.joins, world.sfu.log.video_subscriptions.len()), (2, 0));
    let played = world.lately(hall, 1000);
    assert!(amplitude(played, 400.0) > 0.15);
    assert!(world.client(door).outcome().is_none());
}

#[test]
fn a_refused_token_is_the_end_and_a_full_server_is_not() {
    let mut world = World::new();
    world.sfu.refuse(Some((401, "invalid API key")));
    let door = world.enter(Setup::listener("door"));
    world.run_ms(1000);
    assert!(world.client(door).outcome().is_some_and(|outcome| outcome.status == ExitStatus::Credentials));
    world.sfu.refuse(Some((503, "node limits exceeded")));
    let hall = world.enter(Setup { retry: Retry::Forever, ..Setup::listener("hall") });
    world.run_ms(10_000);
    assert!(world.client(hall).outcome().is_none());
    world.sfu.refuse(None);
    let connected = |world: &mut World| {
        world.client(hall).event(|event| matches!(event, Event::Connected { .. }).then_some(())).is_some()
    };
    assert!(world.run_until_done(15_000, connected));
}

#[test]
fn a_token_that_ran_out_during_the_call_is_renewed() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    world.run_ms(2000);
    world.stop_server();
    world.run_ms(500);
    world.start_server();
    world.sfu.refuse(Some((401, "invalid token: x, error: token is expired")));
    world.run_ms(20_000);
    assert!(world.client(door).outcome().is_none(), "it has a source to ask");
    assert!(world.client(door).tokens_asked >= 2, "again and again");
    world.sfu.refuse(None);
    assert!(world.run_until_done(15_000, |world| world.client(door).has_reconnected()));
}

#[test]
fn one_seed_is_one_story() {
    let told = || {
        // One in which no datagram of the handshake is lost: DTLS repeats with a jitter of its own.
        let mut world = World::with_seed(6);
        let loss = Loss::Random(0.05);
        let down = Quality { loss, jitter_ms: 20.0, ..Quality::delay(20.0) };
        let door = world.enter(Setup::talker("door", Sound::Voice(120.0)));
        let hall = world.enter(Setup { down, ..Setup::talker("hall", Sound::Voice(200.0)) });
        world.run_ms(3000);
        let begin = world.clock.at_ms(0);
        let mut story = Vec::new();
        for client in [door, hall] {
            let events = &world.client(client).events;
            story.extend(events.iter().map(|(at, event)| (at.duration_since(begin), format!("{event:?}"))));
        }
        let packets = world.sfu.log.track_of("door").expect("door speaks").packets.iter();
        story.extend(
            packets.map(|packet| (packet.at.duration_since(begin), format!("{} bytes", packet.length))),
        );
        (story, world.lately(hall, 1000).iter().map(|played| played.block).collect::<Vec<_>>())
    };
    assert_eq!(told(), told());
}
