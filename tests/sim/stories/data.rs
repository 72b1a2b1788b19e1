//! Messages over everything that happens to sessions: a resume loses none and doubles none, a new session says what may
//! be lost.

use crate::card::Sound;
use crate::client::Setup;
use crate::random::Random;
use crate::world::World;
use kinglet::command::message::{Address, DataMessage};
use kinglet::command::{Command, Reply};
use kinglet::event::Event;

fn message(topic: &str, number: u32, is_lossy: bool) -> Command {
    let address = Address { topic: topic.to_string(), to: Vec::new() };
    Command::Data(DataMessage { address, payload: number.to_string().into_bytes(), is_lossy })
}

/// The numbers that a client got on a topic, in order.
fn received(world: &mut World, client: usize, topic: &str) -> Vec<u32> {
    let events = &world.client(client).events;
    let numbers = events.iter().filter_map(|(_, event)| match event {
        Event::Data(data) if data.topic == topic => std::str::from_utf8(&data.payload).ok()?.parse().ok(),
        _ => None,
    });
    numbers.collect()
}

#[test]
fn a_listener_connects_its_publisher_for_the_first_message() {
    let mut world = World::new();
    let (door, hall) = (world.enter(Setup::listener("door")), world.enter(Setup::listener("hall")));
    world.run_ms(1000);
    // A lossy one waits for its channel too.
    world.command(door, message("lossy", 1, true));
    world.command(door, message("reliable", 2, false));
    let got = |world: &mut World| !received(world, hall, "lossy").is_empty();
    assert!(world.run_until_done(1000, got));
    assert_eq!(received(&mut world, hall, "reliable"), [2]);
    world.command(hall, message("back", 3, false));
    world.run_ms(1000);
    assert_eq!(received(&mut world, door, "back"), [3]);
    assert_eq!(world.sfu.log.complaints, Vec::<String>::new());
}

#[test]
fn messages_through_random_cuts_arrive_each_once_and_in_order() {
    let mut world = World::new();
    let mut random = Random::new(0xda7a);
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(2000);
    for number in 0..200 {
        world.command(door, message("up", number, false));
        world.command(hall, message("down", number, false));
        world.run_ms(random.next() % 400);
        if number % 11 == 3 {
            let cut = ["door", "hall"][(random.next() % 2) as usize];
            world.sfu.cut_signal(cut);
        }
    }
    world.run_ms(5000);
    let all: Vec<u32> = (0..200).collect();
    assert_eq!(received(&mut world, hall, "up"), all);
    assert_eq!(received(&mut world, door, "down"), all);
    assert_eq!(world.sfu.log.joins, 2, "every cut was mended in the same session");
    assert!(world.sfu.log.resumes >= 10, "{} resumes", world.sfu.log.resumes);
}

#[test]
fn messages_sent_while_the_network_is_gone_arrive_when_it_is_back() {
    let mut world = World::new();
    let door = world.enter(Setup::listener("door"));
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(1000);
    world.command(door, message("up", 0, false));
    world.run_ms(1000);
    let now = world.clock.now();
    world.client(door).ports().set_network(false, now);
    let noticed = |world: &mut World| {
        world.client(door).event(|event| matches!(event, Event::Reconnecting { .. }).then_some(())).is_some()
    };
    for number in 1..10 {
        // Some before the loss is noticed, which wait in SCTP, some after it, which wait here.
        world.command(door, message("up", number, false));
        world.run_ms(1900);
    }
    assert!(noticed(&mut world));
    let now = world.clock.now();
    world.client(door).ports().set_network(true, now);
    let all: Vec<u32> = (0..10).collect();
    let wanted = all.clone();
    assert!(world.run_until_done(30_000, move |world| received(world, hall, "up").len() >= wanted.len()));
    world.run_ms(5000);
    assert_eq!(received(&mut world, hall, "up"), all);
    assert_eq!(world.sfu.log.joins, 2);
}

#[test]
fn a_new_session_reports_what_was_not_confirmed_and_begins_anew() {
    let mut world = World::new();
    let (door, hall) = (world.enter(Setup::listener("door")), world.enter(Setup::listener("hall")));
    world.run_ms(1000);
    for number in 0..5 {
        world.command(door, message("up", number, false));
    }
    world.run_ms(1000);
    assert_eq!(received(&mut world, hall, "up"), [0, 1, 2, 3, 4]);
    world.stop_server();
    world.command(door, message("up", 5, false));
    world.command(door, message("other", 6, false));
    world.run_ms(100);
    world.command(door, message("up", 7, false));
    world.run_ms(3000);
    world.start_server();
    let back =
        |world: &mut World| [door, hall].into_iter().all(|client| world.client(client).has_reconnected());
    assert!(world.run_until_done(30_000, back));
    let unconfirmed: Vec<(String, u32)> = world
        .client(door)
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::DataUnconfirmed { topic, count } => Some((topic.clone(), *count)),
            _ => None,
        })
        .collect();
    assert_eq!(unconfirmed, [("up".to_string(), 2), ("other".to_string(), 1)], "5 and 7, and 6");
    world.command(door, message("up", 8, false));
    world.run_ms(2000);
    assert_eq!(
        received(&mut world, hall, "up"),
        [0, 1, 2, 3, 4, 8],
        "numbers begin anew, nothing is sent again"
    );
}

#[test]
fn a_flood_costs_bounded_memory_and_the_session_lives() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(1000);
    let large = "x".repeat(15_000);
    let mut refused = 0;
    for burst in 0..400 {
        let address = Address { topic: "flood".to_string(), to: Vec::new() };
        let payload = large.clone().into_bytes();
        let reply = world.ask(door, Command::Data(DataMessage { address, payload, is_lossy: false }));
        refused += u32::from(matches!(reply, Reply::Now(Err(_))));
        if burst % 25 == 0 {
            world.run_ms(25);
        }
    }
    world.run_ms(3000);
    assert!(refused > 50, "a sender that is too fast is told so: {refused}");
    let got = world.client(hall).events.iter().filter(|(_, event)| matches!(event, Event::Data(_))).count();
    assert_eq!(got as u32 + refused, 400, "what was taken arrived");
    assert!(crate::card::amplitude(world.lately(hall, 300), 400.0) > 0.15, "and sound flows beside it");
}
