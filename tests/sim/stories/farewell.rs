//! Messages that are followed at once by a good-bye: they arrive, or the answer says which have not.

use crate::card::Sound;
use crate::client::Setup;
use crate::link::Quality;
use crate::world::World;
use kinglet::command::message::{Address, DataMessage, FileMessage};
use kinglet::command::{Answer, Command, Reply};
use kinglet::event::Event;
use kinglet::session::recovery::Retry;
use serde_json::{Value, json};

fn message(topic: &str, is_lossy: bool) -> Command {
    let address = Address { topic: topic.to_string(), to: Vec::new() };
    Command::Data(DataMessage { address, payload: b"x".to_vec(), is_lossy })
}

fn file(path: &str) -> Command {
    let address = Address { topic: "files".to_string(), to: Vec::new() };
    Command::File(FileMessage { address, path: path.to_string(), is_text: false })
}

/// Topics that a client got, files included.
fn received(world: &mut World, client: usize) -> Vec<String> {
    let topics = world.client(client).events.iter().filter_map(|(_, event)| match event {
        Event::Data(data) => Some(data.topic.clone()),
        Event::ByteStream(file) => Some(file.topic.clone()),
        _ => None,
    });
    topics.collect()
}

/// The answer to a command that was answered later, and how long after `since_ms` its client had ended.
fn ended(world: &mut World, client: usize, reply: &Reply, since_ms: f64) -> (Answer, f64) {
    let Reply::Later(ticket) = *reply else { panic!("{reply:?}") };
    assert!(world.run_until_done(5000, |world| world.client(client).outcome().is_some()));
    let took = world.clock.elapsed_ms() - since_ms;
    let answers = &world.client(client).answers;
    let (_, answer) = answers.iter().find(|(other, _)| *other == ticket).expect("answered");
    (answer.clone(), took)
}

#[test]
fn what_was_given_before_leave_arrives() {
    for setup in [Setup::listener("door"), Setup::talker("door", Sound::Tone(400.0))] {
        let far = Quality::delay(20.0);
        let mut world = World::new();
        let door = world.enter(Setup { up: far, down: far, ..setup });
        let hall = world.enter(Setup::listener("hall"));
        world.run_ms(2000);
        world.client(door).ports().disk.files.insert("a.jpg".to_string(), vec![7; 40_000]);
        world.command(door, message("reliable", false));
        world.command(door, message("lossy", true));
        let Reply::Later(sent) = world.ask(door, file("a.jpg")) else { panic!("later") };
        let since = world.clock.elapsed_ms();
        let reply = world.ask(door, Command::Leave);
        assert!(matches!(world.ask(door, message("late", false)), Reply::Now(Err(_))), "the door is closed");
        let (answer, took) = ended(&mut world, door, &reply, since);
        assert_eq!(answer, Ok(Value::Null));
        assert!(took < 1500.0, "{took} ms");
        let answers = &world.client(door).answers;
        assert!(answers.iter().any(|(ticket, answer)| *ticket == sent && answer.is_ok()), "the file, too");
        world.run_ms(500);
        let mut got = received(&mut world, hall);
        got.sort();
        assert_eq!(got, ["files", "lossy", "reliable"]);
    }
}

/// `leave` may follow the answer of `file`: the server still has to pass on what it has confirmed.
#[test]
fn what_was_just_confirmed_is_passed_on_before_the_good_bye() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let far = Quality::delay(60.0);
    let hall = world.enter(Setup { up: far, down: far, ..Setup::listener("hall") });
    world.run_ms(2000);
    world.client(door).ports().disk.files.insert("a.jpg".to_string(), vec![7; 40_000]);
    world.ask(door, file("a.jpg"));
    assert!(world.run_until_done(1000, |world| !world.client(door).answers.is_empty()));
    world.run_ms(15);
    let reply = world.ask(door, Command::Leave);
    let since = world.clock.elapsed_ms();
    let (answer, took) = ended(&mut world, door, &reply, since);
    assert_eq!(answer, Ok(Value::Null));
    assert!((150.0..700.0).contains(&took), "{took} ms");
    world.run_ms(500);
    assert_eq!(received(&mut world, hall), ["files"]);
}

#[test]
fn nothing_under_way_is_no_wait() {
    let mut world = World::new();
    let door = world.enter(Setup::listener("door"));
    world.run_ms(1000);
    world.command(door, Command::Leave);
    world.run_ms(100);
    assert!(world.client(door).outcome().is_some());
}

#[test]
fn what_cannot_be_sent_is_in_the_answer_and_costs_a_second() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    world.run_ms(2000);
    world.client(door).ports().disk.files.insert("a.jpg".to_string(), vec![7; 400_000]);
    let now = world.clock.now();
    world.client(door).ports().set_network(false, now);
    world.command(door, message("hello", false));
    world.command(door, message("hello", false));
    world.ask(door, file("a.jpg"));
    let since = world.clock.elapsed_ms();
    let reply = world.ask(door, Command::Leave);
    let (answer, took) = ended(&mut world, door, &reply, since);
    let unsent = json!({ "unsent": [{ "topic": "hello", "count": 2 }, { "topic": "files", "count": 1 }] });
    assert_eq!(answer, Ok(unsent));
    // A second for messages, and one for the hang-up itself.
    assert!((900.0..2200.0).contains(&took), "{took} ms");
}

#[test]
fn nothing_is_said_while_messages_are_waited_for() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    world.enter(Setup::listener("hall"));
    world.run_ms(2000);
    world.client(door).ports().disk.files.insert("a.jpg".to_string(), vec![7; 4_000_000]);
    world.ask(door, file("a.jpg"));
    world.run_ms(50);
    assert!(matches!(world.ask(door, Command::Leave), Reply::Later(_)));
    world.run_ms(20);
    let sent = |world: &World| world.sfu.log.track_of("door").expect("door spoke").packets.len();
    let before = sent(&world);
    world.run_ms(700);
    assert_eq!(sent(&world), before, "the microphone is closed at once");
    assert!(world.client(door).outcome().is_none(), "the file is still on its way");
}

#[test]
fn a_server_that_goes_meanwhile_ends_the_wait() {
    let mut world = World::new();
    let door = world.enter(Setup::listener("door"));
    world.run_ms(1000);
    world.command(door, message("hello", false));
    let since = world.clock.elapsed_ms();
    let reply = world.ask(door, Command::Leave);
    world.stop_server();
    let (answer, took) = ended(&mut world, door, &reply, since);
    assert!(answer.expect("left").to_string().contains("hello"));
    assert!(took < 2200.0, "{took} ms");
    assert_eq!(world.client(door).tokens_asked, 0, "it does not come back");
}

/// A call ends with a message, and another begins at once.
#[test]
fn out_and_in_again_waits_for_the_message() {
    let mut world = World::new();
    let setup = Setup { retry: Retry::Service, ..Setup::listener("door") };
    let (door, hall) = (world.enter(setup), world.enter(Setup::listener("hall")));
    world.command(door, Command::Enter);
    world.run_ms(1000);
    world.command(door, message("bye", false));
    assert!(matches!(world.ask(door, Command::Exit), Reply::Later(_)));
    world.command(door, Command::Enter);
    world.run_ms(3000);
    assert_eq!(received(&mut world, hall), ["bye"]);
    let came = |event: &Event| matches!(event, Event::Connected { .. });
    assert_eq!(world.client(door).events.iter().filter(|(_, event)| came(event)).count(), 2);
}
