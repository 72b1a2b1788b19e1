//! A recording is played into the room, beside the microphone.

use crate::card::{Sound, amplitude};
use crate::client::Setup;
use crate::world::World;
use kinglet::command::{Answer, Command, Reply, Ticket};
use kinglet::event::Event;

/// `door`, which has a second of 900 Hz on its disk, and `hall`, which listens.
fn hall_listens_to(door: Setup<'_>) -> (World, usize, usize) {
    let mut world = World::new();
    let door = world.enter(door);
    let hall = world.enter(Setup::listener("hall"));
    let sample = |n: u32| (8_000.0 * (std::f64::consts::TAU * 900.0 * f64::from(n) / 48_000.0).sin()) as i16;
    world.client(door).ports().disk.recording = (0..48_000).map(sample).collect();
    world.run_ms(2_000);
    (world, door, hall)
}

fn announce(world: &mut World, client: usize) -> Ticket {
    match world.ask(client, Command::Announce("closed.wav".into())) {
        Reply::Later(ticket) => ticket,
        Reply::Now(answer) => panic!("{answer:?}"),
    }
}

fn answer(world: &mut World, client: usize, ticket: Ticket) -> Option<Answer> {
    let answers = &world.client(client).answers;
    answers.iter().find(|(other, _)| *other == ticket).map(|(_, answer)| answer.clone())
}

/// Runs until it is over; how long 900 Hz was heard meanwhile, in milliseconds, and whether 400 Hz was heard with it.
fn hear_it(world: &mut World, (door, hall): (usize, usize), ticket: Ticket) -> (u32, bool) {
    let (mut heard_ms, mut is_mixed) = (0, false);
    while answer(world, door, ticket).is_none() {
        world.run_ms(20);
        let sound = world.lately(hall, 20);
        if amplitude(sound, 900.0) > 0.1 {
            heard_ms += 20;
            is_mixed |= amplitude(sound, 400.0) > 0.1;
        }
        assert!(heard_ms < 5_000);
    }
    (heard_ms, is_mixed)
}

#[test]
fn an_announcement_is_heard_whole_and_beside_the_microphone() {
    let (mut world, door, hall) = hall_listens_to(Setup::talker("door", Sound::Tone(400.0)));
    for round in 0..3 {
        let ticket = announce(&mut world, door);
        assert!(
            matches!(world.ask(door, Command::Announce("other.wav".into())), Reply::Now(Err(_))),
            "one at a time"
        );
        let (heard_ms, is_mixed) = hear_it(&mut world, (door, hall), ticket);
        assert!((960..=1_060).contains(&heard_ms) && is_mixed, "round {round}: {heard_ms} ms");
        assert_eq!(answer(&mut world, door, ticket).unwrap().unwrap()["seconds"], 1.0);
        world.run_ms(1_000);
        assert!(amplitude(world.lately(hall, 500), 400.0) > 0.15, "the microphone goes on");
        assert!(amplitude(world.lately(hall, 500), 900.0) < 0.01, "and the announcement does not");
    }
    let of_it = |event: &Event| match event {
        Event::LocalTrackPublished { name, .. } => (name == "announcement").then_some(1),
        Event::LocalTrackUnpublished { name, .. } => (name == "announcement").then_some(-1),
        _ => None,
    };
    let told: Vec<i32> = world.client(door).events.iter().filter_map(|(_, event)| of_it(event)).collect();
    assert_eq!(told, [1, -1, 1, -1, 1, -1]);
}

#[test]
fn who_is_muted_or_has_no_microphone_can_announce() {
    let muted = Setup { is_muted: true, ..Setup::talker("door", Sound::Tone(400.0)) };
    for door in [muted, Setup::listener("door")] {
        let (mut world, door, hall) = hall_listens_to(door);
        let ticket = announce(&mut world, door);
        let (heard_ms, is_mixed) = hear_it(&mut world, (door, hall), ticket);
        assert!((960..=1_060).contains(&heard_ms) && !is_mixed, "{heard_ms} ms");
    }
}

#[test]
fn nobody_is_left_waiting_for_its_end() {
    let (mut world, door, _) = hall_listens_to(Setup::talker("door", Sound::Tone(400.0)));
    let ticket = announce(&mut world, door);
    world.run_ms(500);
    world.command(door, Command::Quiet);
    let ended = answer(&mut world, door, ticket).expect("answered").expect_err("ended");
    assert!(ended.to_string().contains("ended"), "{ended}");
    // It goes with its session, and can be begun again in the next one.
    let ticket = announce(&mut world, door);
    world.run_ms(500);
    world.command(door, Command::Reconnect);
    assert!(answer(&mut world, door, ticket).expect("answered").is_err());
    world.run_ms(2_000);
    let ticket = announce(&mut world, door);
    world.run_ms(5_000);
    assert!(answer(&mut world, door, ticket).expect("answered").is_ok());
}

#[test]
fn an_announcement_outlives_a_lost_signal_connection() {
    let (mut world, door, hall) = hall_listens_to(Setup::talker("door", Sound::Tone(400.0)));
    let ticket = announce(&mut world, door);
    world.run_ms(900);
    world.sfu.cut_signal("door");
    let (heard_ms, _) = hear_it(&mut world, (door, hall), ticket);
    assert!(heard_ms >= 500, "{heard_ms} ms");
    assert_eq!((world.sfu.log.joins, world.sfu.log.resumes), (2, 1));
    world.run_ms(1_000);
    assert!(amplitude(world.lately(hall, 500), 400.0) > 0.15);
}
