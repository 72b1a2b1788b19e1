//! Files between clients, over everything that happens to sessions.

use crate::client::Setup;
use crate::link::Quality;
use crate::world::World;
use kinglet::command::message::{Address, FileMessage};
use kinglet::command::{Command, Reply};
use kinglet::event::Event;

fn picture(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|number| (number * 7 % 251) as u8).collect()
}

fn house(up: Quality) -> (World, usize, usize) {
    let mut world = World::new();
    let door = world.enter(Setup { up, ..Setup::listener("door") });
    let hall = world.enter(Setup { stores_files: true, ..Setup::listener("hall") });
    world.run_ms(1000);
    (world, door, hall)
}

fn send(world: &mut World, client: usize, path: &str) -> Reply {
    let path = path.to_string();
    world.ask(client, Command::File(FileMessage { address: Address::default(), path, is_text: false }))
}

/// Names and lengths of the files that a client was told of.
fn told(world: &mut World, client: usize) -> Vec<(String, u64)> {
    let events = &world.client(client).events;
    let files = events.iter().filter_map(|(_, event)| match event {
        Event::ByteStream(file) => Some((file.path.clone().unwrap_or_default(), file.bytes)),
        _ => None,
    });
    files.collect()
}

#[test]
fn files_of_every_size_arrive_whole() {
    let (mut world, door, hall) = house(Quality::delay(20.0));
    for bytes in [0, 1, 15_000, 15_001, 1_000_000] {
        let (name, content) = (format!("{bytes}.jpg"), picture(bytes));
        world.client(door).ports().disk.files.insert(name.clone(), content.clone());
        assert!(matches!(send(&mut world, door, &name), Reply::Later(_)));
        let wanted = (name.clone(), bytes as u64);
        let done = wanted.clone();
        assert!(world.run_until_done(10_000, move |world| told(world, hall).contains(&done)), "{name}");
        assert!(world.client(hall).ports().disk.files[&name] == content, "{name} is the same");
    }
    let answers = &world.client(door).answers;
    assert_eq!(answers.iter().filter(|(_, answer)| answer.is_ok()).count(), 5);
}

#[test]
fn a_file_survives_cuts_and_is_given_up_with_the_session() {
    let (mut world, door, hall) = house(Quality::delay(20.0));
    let content = picture(400_000);
    world.client(door).ports().disk.files.insert("a.bin".to_string(), content.clone());
    send(&mut world, door, "a.bin");
    world.run_ms(100);
    world.sfu.cut_signal("door");
    world.run_ms(400);
    world.sfu.cut_signal("hall");
    let whole = |world: &mut World| !told(world, hall).is_empty();
    assert!(world.run_until_done(20_000, whole));
    assert!(world.client(hall).ports().disk.files["a.bin"] == content);
    send(&mut world, door, "a.bin");
    world.run_ms(100);
    world.stop_server();
    world.run_ms(3000);
    world.start_server();
    world.run_ms(15_000);
    let failed = world.client(door).answers.iter().any(|(_, answer)| answer.is_err());
    assert!(failed && told(&mut world, hall).len() == 1, "said to be lost, and not half there");
}

#[test]
fn what_cannot_be_read_is_said() {
    let (mut world, door, _) = house(Quality::delay(5.0));
    send(&mut world, door, "nothing.jpg");
    world.run_ms(500);
    let (_, answer) = &world.client(door).answers[0];
    assert!(answer.as_ref().is_err_and(|error| error.message.contains("no such file")));
}
