//! A client that stands by outside of the room: it goes in and out as it is told, and never ends by itself.

use crate::card::{HEARD_DBFS, Sound, amplitude, level_dbfs};
use crate::client::Setup;
use crate::world::World;
use kinglet::command::Command;
use kinglet::event::Event;
use kinglet::session::recovery::Retry;
use livekit_protocol::DisconnectReason;

fn service(identity: &str) -> Setup<'_> {
    Setup { retry: Retry::Service, ..Setup::talker(identity, Sound::Tone(400.0)) }
}

fn connections(world: &mut World, client: usize) -> usize {
    world.client(client).events.iter().filter(|(_, event)| matches!(event, Event::Connected { .. })).count()
}

#[test]
fn goes_in_and_out_as_it_is_told() {
    let mut world = World::new();
    let hall = world.enter(Setup::listener("hall"));
    let door = world.enter(service("door"));
    world.run_ms(60_000);
    assert_eq!(connections(&mut world, door), 0, "nobody told it to enter");
    for visit in 1..=3 {
        world.command(door, Command::Enter);
        world.run_ms(2000);
        assert_eq!(connections(&mut world, door), visit);
        let played = world.lately(hall, 500);
        assert!(amplitude(played, 400.0) > 0.15, "visit {visit}: {}", amplitude(played, 400.0));
        world.command(door, Command::Exit);
        world.run_ms(2000);
        assert!(world.client(door).outcome().is_none());
        assert!(level_dbfs(world.lately(hall, 500)) < HEARD_DBFS);
    }
    // Out and in again before the hang-up is through.
    world.command(door, Command::Enter);
    world.run_ms(2000);
    world.command(door, Command::Exit);
    world.command(door, Command::Enter);
    world.run_ms(2000);
    assert!(amplitude(world.lately(hall, 500), 400.0) > 0.15);
    assert_eq!(world.sfu.log.complaints, Vec::<String>::new());
}

#[test]
fn who_is_removed_comes_back_after_a_minute_and_later_each_time() {
    let mut world = World::new();
    let door = world.enter(service("door"));
    world.command(door, Command::Enter);
    for (kick, (earliest_ms, latest_ms)) in [(44_000, 78_000), (88_000, 155_000)].into_iter().enumerate() {
        // However long it was there.
        world.run_ms(200_000);
        let now = world.clock.now();
        world.sfu.kick("door", DisconnectReason::ParticipantRemoved, now);
        world.run_ms(earliest_ms);
        assert!(world.client(door).outcome().is_none());
        let seen = |world: &mut World| {
            let back = |event: &Event| matches!(event, Event::Connected { .. } | Event::Reconnected { .. });
            world.client(door).events.iter().filter(|(_, event)| back(event)).count()
        };
        assert_eq!(seen(&mut world), kick + 1, "not at once");
        world.run_ms(latest_ms - earliest_ms);
        assert_eq!(seen(&mut world), kick + 2);
    }
}

#[test]
fn a_service_ends_when_it_is_told_to() {
    let mut world = World::new();
    let door = world.enter(service("door"));
    world.run_ms(1000);
    world.command(door, Command::Leave);
    world.run_ms(10);
    assert!(world.client(door).outcome().is_some());
}
