//! The room and we in it: what was set comes back, what the server says is told once, refusals are said.

use crate::card::{Sound, amplitude};
use crate::client::Setup;
use crate::server::moderator::Quirks;
use crate::server::token::Claims;
use crate::world::World;
use kinglet::command::{Answer, Command, Reply};
use kinglet::event::Event;
use livekit_protocol::signal_response::Message;
use livekit_protocol::{
    AddTrackRequest, ParticipantInfo, ParticipantUpdate, RequestResponse, Room, RoomMovedResponse,
    StreamStateInfo, StreamStateUpdate, SubscriptionError, SubscriptionPermissionUpdate,
    SubscriptionResponse, participant_info, request_response,
};
use serde_json::{Value, json};

fn count(world: &mut World, client: usize, is_it: impl Fn(&Event) -> bool) -> usize {
    world.client(client).events.iter().filter(|(_, event)| is_it(event)).count()
}

fn status(world: &mut World, client: usize) -> Value {
    match world.ask(client, Command::Status) {
        Reply::Now(Ok(value)) => value,
        other => panic!("{other:?}"),
    }
}

/// The answer to a command that takes its time, after `ms`.
fn answer(world: &mut World, client: usize, command: Command, ms: u64) -> Option<Answer> {
    let Reply::Later(ticket) = world.ask(client, command) else { panic!("answered at once") };
    world.run_ms(ms);
    let answers = &world.client(client).answers;
    answers.iter().find(|(other, _)| *other == ticket).map(|(_, answer)| answer.clone())
}

fn attributes(pairs: &[(&str, &str)]) -> Command {
    Command::Attributes(pairs.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect())
}

/// What `hall` last heard of `door`.
fn seen_of_door(world: &mut World, hall: usize) -> Option<(String, Value)> {
    let events = world.client(hall).events.iter().rev();
    let mut facts = events.filter_map(|(_, event)| match event {
        Event::ParticipantJoined(who) | Event::ParticipantChanged(who) if who.identity == "door" => Some(who),
        _ => None,
    });
    facts.next().map(|who| (who.name.clone(), json!(who.attributes)))
}

fn track_of(world: &mut World, client: usize, identity: &str) -> String {
    let sid = world.client(client).event(|event| match event {
        Event::TrackSubscribed(track) if track.identity == identity => Some(track.sid.clone()),
        _ => None,
    });
    sid.expect("heard").1
}

#[test]
fn what_was_set_comes_back_in_a_new_session() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::talker("hall", Sound::Tone(700.0)));
    world.run_ms(2000);
    assert_eq!(answer(&mut world, door, Command::Name("Front door".into()), 500), Some(Ok(Value::Null)));
    assert_eq!(answer(&mut world, door, attributes(&[("lock", "open")]), 500), Some(Ok(Value::Null)));
    world.command(door, Command::HeardBy(vec!["hall".into()]));
    world.command(door, Command::Pause("hall".into()));
    world.run_ms(1000);
    assert!(amplitude(world.lately(door, 300), 700.0) < 0.01, "paused");

    world.command(door, Command::Reconnect);
    world.run_ms(6000);
    assert_eq!((world.sfu.log.joins, world.sfu.log.resumes), (3, 0));
    assert_eq!(count(&mut world, door, |event| matches!(event, Event::Reconnected { .. })), 1);
    assert_eq!(seen_of_door(&mut world, hall), Some(("Front door".into(), json!({"lock": "open"}))));
    assert_eq!(world.sfu.log.audiences, vec![(false, vec!["hall".to_string()]); 2]);
    assert!(amplitude(world.lately(door, 300), 700.0) < 0.01, "still paused");
    assert!(amplitude(world.lately(hall, 300), 400.0) > 0.15, "and heard");

    world.command(door, Command::Resume("hall".into()));
    world.run_ms(1000);
    assert!(amplitude(world.lately(door, 300), 700.0) > 0.15, "hears again");
    // A rule holds for whoever comes later, and over a resume.
    world.command(door, Command::Hear("!hall".into()));
    world.sfu.cut_signal("door");
    world.run_ms(2000);
    assert!(amplitude(world.lately(door, 300), 700.0) < 0.01, "not wanted");
    assert_eq!(status(&mut world, door)["hears"], "!hall");
    assert_eq!(world.sfu.log.complaints, Vec::<String>::new());
}

#[test]
fn a_change_that_nobody_answers_is_an_error_and_does_not_come_back() {
    let mut world = World::new();
    let door = world.enter(Setup::listener("door"));
    world.run_ms(1000);
    world.sfu.set_quirks(Quirks { answers_no_metadata: true, ..Quirks::default() });
    let code = |answer: Option<Answer>| answer.and_then(|answer| answer.err()).map(|error| error.code);
    assert_eq!(answer(&mut world, door, Command::Metadata("m".into()), 4000), None, "waits");
    world.run_ms(2000);
    let late = world.client(door).answers[0].1.clone();
    assert_eq!(code(Some(late)), Some("timeout"));
    let Reply::Later(_) = world.ask(door, Command::Metadata("n".into())) else { panic!("answered at once") };
    world.command(door, Command::Reconnect);
    world.run_ms(2000);
    let lost = world.client(door).answers[1].1.clone();
    assert_eq!(code(Some(lost)), Some("refused"), "the session took the answer with it");
    for _ in 0..40 {
        world.ask(door, Command::Metadata("x".into()));
    }
    let Reply::Now(Err(error)) = world.ask(door, Command::Metadata("x".into())) else { panic!("unbounded") };
    assert_eq!(error.code, "refused");
}

#[test]
fn the_talk_key_is_told_only_when_it_rests() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(2000);
    let mutes = |world: &mut World| {
        count(world, hall, |event| matches!(event, Event::TrackMuted(_) | Event::TrackUnmuted(_)))
    };
    for _ in 0..5 {
        world.ask(door, Command::Talk(false));
        world.run_ms(800);
        assert!(amplitude(world.lately(hall, 200), 400.0) < 0.05, "released");
        world.ask(door, Command::Talk(true));
        world.run_ms(800);
        assert!(amplitude(world.lately(hall, 200), 400.0) > 0.15, "held");
    }
    assert_eq!(mutes(&mut world), 0);
    world.ask(door, Command::Talk(false));
    world.run_ms(3000);
    assert_eq!(mutes(&mut world), 1);
    world.ask(door, Command::Talk(true));
    world.run_ms(500);
    assert_eq!(mutes(&mut world), 2);
}

#[test]
fn the_same_word_twice_is_one_event() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(2000);
    let track_sid = track_of(&mut world, hall, "door");
    let told = world.sfu.told_of("door").expect("in the room");
    let participant_sid = told.participants[0].sid.clone();
    let state = |state| {
        let info =
            StreamStateInfo { participant_sid: participant_sid.clone(), track_sid: track_sid.clone(), state };
        Message::StreamStateUpdate(StreamStateUpdate { stream_states: vec![info] })
    };
    let permission = |allowed| {
        let (participant_sid, track_sid) = (participant_sid.clone(), track_sid.clone());
        Message::SubscriptionPermissionUpdate(SubscriptionPermissionUpdate {
            participant_sid,
            track_sid,
            allowed,
        })
    };
    let before = world.client(hall).events.len();
    let messages = [state(1), permission(false), Message::Update(told), state(0), permission(true)];
    for message in messages {
        for _ in 0..2 {
            let now = world.clock.now();
            world.sfu.say("hall", message.clone(), now);
            world.run_ms(20);
        }
    }
    let told: Vec<Event> =
        world.client(hall).events[before..].iter().map(|(_, event)| event.clone()).collect();
    let is_of_track =
        |event: &&Event| matches!(event, Event::TrackStreamState { .. } | Event::TrackPermission { .. });
    assert_eq!(told.iter().filter(is_of_track).count(), 4, "{told:?}");
    assert!(
        !told.iter().any(|event| matches!(event, Event::ParticipantChanged(_) | Event::TrackPublished(_)))
    );
    let _ = door;
}

#[test]
fn a_track_that_cannot_be_had_is_said_and_not_asked_for_again() {
    let mut world = World::new();
    world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(2000);
    let track_sid = track_of(&mut world, hall, "door");
    let now = world.clock.now();
    let err = SubscriptionError::SeCodecUnsupported.into();
    world.sfu.say("hall", Message::SubscriptionResponse(SubscriptionResponse { track_sid, err }), now);
    world.run_ms(3000);
    let failed = |event: &Event| {
        matches!(event, Event::TrackSubscriptionFailed { identity, reason, .. }
            if identity == "door" && reason.contains("codec"))
    };
    assert_eq!(count(&mut world, hall, failed), 1);
    let Reply::Now(Ok(list)) = world.ask(hall, Command::Participants) else { panic!("a list") };
    assert_eq!(list[0]["tracks"][0]["subscribed"], false);
}

#[test]
fn a_track_may_come_before_its_participant() {
    let mut world = World::new();
    world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(2000);
    let told = world.sfu.told_of("door").expect("in the room");
    let gone = ParticipantInfo {
        state: participant_info::State::Disconnected.into(),
        ..told.participants[0].clone()
    };
    let now = world.clock.now();
    world.sfu.say("hall", Message::Update(ParticipantUpdate { participants: vec![gone] }), now);
    world.run_ms(1000);
    assert_eq!(count(&mut world, hall, |event| matches!(event, Event::TrackUnsubscribed(_))), 1);
    // The server goes on sending: its packets are of a track that nobody has announced.
    let now = world.clock.now();
    world.sfu.say("hall", Message::Update(told), now);
    world.run_ms(1500);
    assert_eq!(count(&mut world, hall, |event| matches!(event, Event::TrackSubscribed(_))), 2);
    assert!(amplitude(world.lately(hall, 300), 400.0) > 0.15);
}

#[test]
fn a_refused_track_is_said_and_the_rest_goes_on() {
    let mut world = World::new();
    let hall = world.enter(Setup::talker("hall", Sound::Tone(700.0)));
    world.run_ms(1000);
    world.sfu.set_quirks(Quirks { refuses_tracks: true, ..Quirks::default() });
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    world.run_ms(2000);
    let refused = |event: &Event| {
        matches!(event, Event::LocalTrackRefused { name, reason }
            if name == "microphone" && reason.contains("no more"))
    };
    assert_eq!(count(&mut world, door, refused), 1);
    assert!(amplitude(world.lately(door, 300), 700.0) > 0.15, "it hears");
    assert!(world.sfu.log.track_of("door").is_none());
    world.sfu.set_quirks(Quirks::default());
    world.command(door, Command::Publish);
    world.run_ms(2000);
    assert!(amplitude(world.lately(hall, 300), 400.0) > 0.15, "asked again, it is heard");
}

#[test]
fn a_queued_track_is_said() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    world.run_ms(1000);
    let cid = world.sfu.cid_of("door").expect("published");
    let add = AddTrackRequest { cid, ..AddTrackRequest::default() };
    let queued = RequestResponse {
        reason: request_response::Reason::Queued.into(),
        request: Some(request_response::Request::AddTrack(add)),
        ..RequestResponse::default()
    };
    let now = world.clock.now();
    world.sfu.say("door", Message::RequestResponse(queued), now);
    world.run_ms(100);
    let said = |event: &Event| matches!(event, Event::Warning { text } if text.contains("waits"));
    assert_eq!(count(&mut world, door, said), 1);
}

#[test]
fn the_room_may_be_named_late() {
    let mut world = World::new();
    world.sfu.set_quirks(Quirks { names_rooms_late: true, ..Quirks::default() });
    let door = world.enter(Setup::listener("door"));
    world.run_ms(1000);
    let connected = |event: &Event| matches!(event, Event::Connected { room_sid, .. } if room_sid.is_empty());
    let named = |event: &Event| matches!(event, Event::RoomChanged { room_sid, .. } if !room_sid.is_empty());
    assert_eq!((count(&mut world, door, connected), count(&mut world, door, named)), (1, 0));
    world.run_ms(4000);
    assert_eq!(count(&mut world, door, named), 1);
}

#[test]
fn the_servers_newest_token_is_used() {
    let mut world = World::new();
    let door = world.enter(Setup::listener("door"));
    world.run_ms(1000);
    let now = world.clock.now();
    world.sfu.say("door", Message::RefreshToken(Claims::token("garden", "door")), now);
    world.run_ms(100);
    world.command(door, Command::Reconnect);
    world.run_ms(1000);
    assert_eq!(status(&mut world, door)["room"], "garden");
}

#[test]
fn a_moved_room_is_another_room() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    world.enter(Setup::listener("hall"));
    // Who only listens is told with up to 3 s of others.
    world.run_ms(4000);
    let mut own = world.sfu.told_of("door").expect("in the room").participants.remove(0);
    own.sid = "PA_moved".to_string();
    let guest = ParticipantInfo {
        sid: "PA_guest".to_string(),
        identity: "guest".to_string(),
        state: participant_info::State::Active.into(),
        ..ParticipantInfo::default()
    };
    let room = Room { sid: "RM_garden".to_string(), name: "garden".to_string(), ..Room::default() };
    let moved = RoomMovedResponse {
        room: Some(room),
        token: Claims::token("garden", "door"),
        participant: Some(own),
        other_participants: vec![guest],
    };
    let now = world.clock.now();
    world.sfu.say("door", Message::RoomMoved(moved), now);
    world.run_ms(500);
    let is_moved = |event: &Event| {
        matches!(event, Event::RoomMoved { room, room_sid, sid }
            if room == "garden" && room_sid == "RM_garden" && sid == "PA_moved")
    };
    assert_eq!(count(&mut world, door, is_moved), 1);
    let left = |event: &Event| matches!(event, Event::ParticipantLeft(left) if left.who.identity == "hall");
    let came = |event: &Event| matches!(event, Event::ParticipantJoined(who) if who.identity == "guest");
    assert_eq!((count(&mut world, door, left), count(&mut world, door, came)), (1, 1));
    // The next session is in the new room: the old token would lead back.
    world.command(door, Command::Reconnect);
    world.run_ms(2000);
    let status = status(&mut world, door);
    assert_eq!((&status["state"], &status["room"]), (&json!("connected"), &json!("garden")));
}
