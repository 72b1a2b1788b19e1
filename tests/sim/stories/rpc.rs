//! Calls between participants, and every way in which they fail.

use crate::client::Setup;
use crate::world::World;
use kinglet::command::message::{RpcAnswer, RpcCommand, RpcRefusal};
use kinglet::command::{Answer, Command, Reply};
use kinglet::event::{Event, RpcCallFacts};

fn call(world: &mut World, client: usize, to: &str, method: &str, payload: &str) -> Reply {
    let (to, method, payload) = (to.to_string(), method.to_string(), payload.to_string());
    world.ask(client, Command::Rpc(RpcCommand { to, method, payload }))
}

/// The calls that a client was asked to answer so far.
fn invoked(world: &mut World, client: usize) -> Vec<RpcCallFacts> {
    let events = &world.client(client).events;
    let calls = events.iter().filter_map(|(_, event)| match event {
        Event::RpcInvoked(call) => Some(call.clone()),
        _ => None,
    });
    calls.collect()
}

/// Payloads and codes of a client's calls, in the order of their ends.
fn answered(world: &mut World, client: usize) -> Vec<Result<String, u32>> {
    let events = &world.client(client).events;
    let answers = events.iter().filter_map(|(_, event)| match event {
        Event::RpcAnswered(answer) => Some(answer.payload.clone().ok_or(answer.code.unwrap_or_default())),
        _ => None,
    });
    answers.collect()
}

fn house() -> (World, usize, usize) {
    let mut world = World::new();
    let door = world.enter(Setup { rpc_methods: &["open", "echo"], ..Setup::listener("door") });
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(1000);
    (world, door, hall)
}

#[test]
fn a_call_is_answered_to_whoever_asked() {
    let (mut world, door, hall) = house();
    let Reply::Later(ticket) = call(&mut world, hall, "door", "open", "for 5 s") else {
        panic!("not answered yet")
    };
    world.run_ms(500);
    let calls = invoked(&mut world, door);
    assert_eq!((calls.len(), calls[0].payload.as_str(), calls[0].identity.as_str()), (1, "for 5 s", "hall"));
    let answer = RpcAnswer { id: calls[0].id.clone(), result: Ok("opened".to_string()) };
    world.command(door, Command::RpcAnswer(answer.clone()));
    world.run_ms(500);
    assert_eq!(answered(&mut world, hall), [Ok("opened".to_string())]);
    let told: Vec<&Answer> = world
        .client(hall)
        .answers
        .iter()
        .filter(|(other, _)| *other == ticket)
        .map(|(_, answer)| answer)
        .collect();
    assert!(told[0].as_ref().is_ok_and(|value| value["payload"] == "opened"));
    assert!(matches!(world.ask(door, Command::RpcAnswer(answer)), Reply::Now(Err(_))), "answered once");
}

#[test]
fn refusals_have_their_numbers() {
    let (mut world, door, hall) = house();
    call(&mut world, hall, "door", "close", "");
    call(&mut world, hall, "nobody", "open", "");
    call(&mut world, hall, "door", "open", &"x".repeat(15_361));
    call(&mut world, hall, "door", "open", "");
    world.run_ms(500);
    let calls = invoked(&mut world, door);
    assert_eq!(calls.len(), 1);
    let refusal = RpcRefusal { code: Some(7), message: "locked".to_string(), data: String::new() };
    let answer = RpcAnswer { id: calls[0].id.clone(), result: Err(refusal) };
    world.command(door, Command::RpcAnswer(answer));
    world.run_ms(500);
    let codes: Vec<u32> = answered(&mut world, hall).into_iter().filter_map(Result::err).collect();
    assert_eq!(codes, [1401, 1402, 1400, 7], "two are known at once, two come back");
}

#[test]
fn who_does_not_answer_is_not_waited_for_for_ever() {
    let (mut world, door, hall) = house();
    call(&mut world, hall, "door", "open", "");
    world.run_ms(14_000);
    assert_eq!(answered(&mut world, hall), []);
    world.run_ms(2000);
    assert_eq!(answered(&mut world, hall), [Err(1502)]);
    // One who cannot hear.
    let now = world.clock.now();
    world.client(door).ports().set_network(false, now);
    call(&mut world, hall, "door", "open", "");
    world.run_ms(6_500);
    assert_eq!(answered(&mut world, hall).len(), 1);
    world.run_ms(1000);
    assert_eq!(answered(&mut world, hall), [Err(1502), Err(1501)]);
}

#[test]
fn who_leaves_takes_the_answers_along() {
    let (mut world, door, hall) = house();
    call(&mut world, hall, "door", "open", "");
    world.run_ms(500);
    assert_eq!(invoked(&mut world, door).len(), 1);
    // That the call has come is just being told: the good-bye waits for it.
    assert!(matches!(world.ask(door, Command::Leave), Reply::Later(_)));
    world.run_ms(4000);
    assert_eq!(answered(&mut world, hall), [Err(1503)]);
}

#[test]
fn a_call_survives_a_resume_and_ends_with_the_session() {
    let (mut world, door, hall) = house();
    // Both publishers are there: an offer that a cut leaves without its answer would end the session.
    call(&mut world, hall, "door", "close", "");
    world.run_ms(1000);
    world.sfu.cut_signal("door");
    world.sfu.cut_signal("hall");
    world.run_ms(1);
    call(&mut world, hall, "door", "open", "");
    world.run_ms(2000);
    let calls = invoked(&mut world, door);
    assert_eq!(calls.len(), 1, "carried out once, although it was sent during a cut");
    world.sfu.cut_signal("door");
    let answer = RpcAnswer { id: calls[0].id.clone(), result: Ok("opened".to_string()) };
    world.command(door, Command::RpcAnswer(answer));
    world.run_ms(3000);
    assert_eq!(answered(&mut world, hall), [Err(1400), Ok("opened".to_string())]);
    call(&mut world, hall, "door", "open", "");
    world.run_ms(500);
    world.stop_server();
    world.run_ms(3000);
    world.start_server();
    world.run_ms(15_000);
    assert_eq!(answered(&mut world, hall).last(), Some(&Err(1501)));
}

#[test]
fn more_calls_than_places_are_refused_and_the_places_come_back() {
    let (mut world, door, hall) = house();
    for _ in 0..20 {
        call(&mut world, hall, "door", "echo", "x");
    }
    world.run_ms(500);
    let calls = invoked(&mut world, door);
    assert_eq!(calls.len(), 16);
    let refused = answered(&mut world, hall);
    assert_eq!(refused, [Err(1505), Err(1505), Err(1505), Err(1505)]);
    for call in calls {
        world.command(door, Command::RpcAnswer(RpcAnswer { id: call.id, result: Ok(call.payload) }));
    }
    world.run_ms(500);
    assert_eq!(answered(&mut world, hall).iter().filter(|answer| answer.is_ok()).count(), 16);
    call(&mut world, hall, "door", "echo", "again");
    world.run_ms(500);
    assert_eq!(invoked(&mut world, door).len(), 17);
}
