//! LiveKit's cloud: a region that does not serve us is left for another one.

use crate::client::Setup;
use crate::cloud::Cloud;
use crate::world::World;
use kinglet::command::{Command, Reply};
use kinglet::event::Event;
use kinglet::session::recovery::Retry;
use livekit_protocol::leave_request::Action;
use livekit_protocol::signal_response::Message;
use livekit_protocol::{DisconnectReason, LeaveRequest, RegionInfo, RegionSettings};

const HOME: &str = "home.livekit.cloud";
const EAST: &str = "east.livekit.cloud";
const WEST: &str = "west.livekit.cloud";

/// A client of the cloud, at some of whose names nobody answers. It has dialled, and was not refused yet.
fn enters(url: &str, gone: &[&str], retry: Retry) -> (World, usize) {
    let mut world = World::new();
    let hall = world.enter(Setup { url, retry, ..Setup::listener("hall") });
    let cloud = &mut world.client(hall).ports().cloud;
    cloud.gone = gone.iter().map(|host| host.to_string()).collect();
    cloud.list = Some(Cloud::list_of(&[HOME, EAST, WEST]));
    (world, hall)
}

fn is_there(world: &mut World, client: usize) -> bool {
    world.client(client).event(|event| matches!(event, Event::Connected { .. }).then_some(())).is_some()
}

/// The names that it has dialled since the last look, and how often it has asked for the list.
fn dialled(world: &mut World, client: usize) -> (Vec<String>, u32) {
    let cloud = &mut world.client(client).ports().cloud;
    (std::mem::take(&mut cloud.dialled), std::mem::take(&mut cloud.asked))
}

#[test]
fn the_next_region_is_tried_before_anybody_gives_up() {
    let (mut world, hall) = enters("wss://home.livekit.cloud", &[HOME, EAST], Retry::AfterFirst);
    world.run_ms(1_000);
    assert!(is_there(&mut world, hall));
    assert_eq!(dialled(&mut world, hall), (vec![HOME.into(), EAST.into(), WEST.into()], 1));
    // The region that serves us is kept.
    world.stop_server();
    world.start_server();
    world.run_ms(5_000);
    assert_eq!(world.sfu.log.joins, 1);
    let (names, asked) = dialled(&mut world, hall);
    assert!(names.iter().all(|name| name == WEST) && asked == 0, "{names:?}");
    // Until it does not any more.
    world.client(hall).ports().cloud.gone = vec![WEST.into()];
    world.stop_server();
    world.start_server();
    world.run_ms(25_000);
    let (names, asked) = dialled(&mut world, hall);
    assert_eq!((names.last().map(String::as_str), asked), (Some(HOME), 1), "{names:?}");
    assert_eq!(world.sfu.log.joins, 1);
}

#[test]
fn a_server_that_has_moved_is_found_where_its_token_endpoint_says() {
    let mut world = World::new();
    let url = "wss://before.example";
    let hall = world.enter(Setup { url, retry: Retry::Forever, ..Setup::listener("hall") });
    let now = world.clock.now();
    let client = world.client(hall);
    let cloud = &mut client.ports().cloud;
    (cloud.gone, cloud.named) = (vec!["before.example".into()], Some(url.into()));
    client.give_token(now);
    client.ports().cloud.named = Some("wss://after.example".into());
    world.run_ms(65_000);
    assert!(is_there(&mut world, hall));
    let (names, _) = dialled(&mut world, hall);
    let (after, before) = names.split_last().expect("dialled");
    assert!(after == "after.example" && before.iter().all(|name| name == "before.example"), "{names:?}");
    assert!(before.len() > 40, "probed all the time: {}", before.len());
    assert_eq!(world.client(hall).tokens_asked, 1, "and the endpoint once a minute");
}

#[test]
fn where_no_region_answers_the_first_connection_is_the_end_as_ever() {
    let (mut world, hall) = enters("wss://home.livekit.cloud", &[HOME, EAST, WEST], Retry::AfterFirst);
    world.run_ms(1_000);
    let ended = world.client(hall).event(|event| matches!(event, Event::Disconnected { .. }).then_some(()));
    assert!(ended.is_some());
    assert_eq!(dialled(&mut world, hall), (vec![HOME.into(), EAST.into(), WEST.into()], 1));
}

#[test]
fn a_service_goes_round_until_one_answers() {
    let (mut world, hall) = enters("wss://home.livekit.cloud", &[HOME, EAST, WEST], Retry::Forever);
    world.run_ms(20_000);
    let (names, asked) = dialled(&mut world, hall);
    let rounds = names.chunks(3).filter(|round| *round == [HOME, EAST, WEST]).count();
    assert!(rounds >= 10 && asked as usize >= rounds, "{names:?}");
    world.client(hall).ports().cloud.gone.clear();
    world.run_ms(2_000);
    assert!(is_there(&mut world, hall));
}

#[test]
fn a_list_that_does_not_come_is_not_waited_for() {
    let (mut world, hall) = enters("wss://home.livekit.cloud", &[HOME], Retry::Forever);
    world.client(hall).ports().cloud.list = None;
    world.run_ms(12_000);
    let (names, asked) = dialled(&mut world, hall);
    assert!(names.len() >= 3 && asked >= 3 && names.iter().all(|name| name == HOME), "{names:?} {asked}");
}

#[test]
fn a_server_of_ones_own_is_not_asked() {
    let (mut world, hall) = enters("wss://livekit.example.com", &["livekit.example.com"], Retry::Forever);
    world.run_ms(5_000);
    let (names, asked) = dialled(&mut world, hall);
    assert!(names.len() > 2 && asked == 0, "{names:?}");
}

#[test]
fn who_is_sent_elsewhere_goes_there() {
    let (mut world, hall) = enters("wss://home.livekit.cloud", &[], Retry::AfterFirst);
    world.run_ms(1_000);
    assert_eq!(dialled(&mut world, hall).0, [HOME]);
    let region = |url: &str| RegionInfo { url: url.into(), ..RegionInfo::default() };
    // A token is not shown to everybody on the way, whoever says so.
    let regions = vec![region("ws://plain.livekit.cloud"), region("wss://west.livekit.cloud")];
    let leave = Message::Leave(LeaveRequest {
        reason: DisconnectReason::ServerShutdown.into(),
        action: Action::Reconnect.into(),
        regions: Some(RegionSettings { regions }),
        ..LeaveRequest::default()
    });
    let now = world.clock.now();
    world.sfu.say("hall", leave, now);
    world.run_ms(1_000);
    assert_eq!(dialled(&mut world, hall), (vec![WEST.into()], 0));
    assert_eq!(world.sfu.log.joins, 2);
}

/// The server wants a new session, and says where: all of these.
fn send_away(world: &mut World, urls: &[&str]) {
    let region = |url: &&str| RegionInfo { url: url.to_string(), ..RegionInfo::default() };
    let leave = Message::Leave(LeaveRequest {
        action: Action::Reconnect.into(),
        regions: Some(RegionSettings { regions: urls.iter().map(region).collect() }),
        ..LeaveRequest::default()
    });
    let now = world.clock.now();
    world.sfu.say("hall", leave, now);
}

fn warnings(world: &mut World, client: usize) -> String {
    let text = |(_, event): &(_, Event)| match event {
        Event::Warning { text } => Some(text.clone()),
        _ => None,
    };
    world.client(client).events.iter().filter_map(text).collect::<Vec<_>>().join("\n")
}

fn server_in_status(world: &mut World, client: usize) -> String {
    let Reply::Now(Ok(status)) = world.ask(client, Command::Status) else { panic!("no status") };
    status["server_url"].as_str().unwrap_or_default().to_string()
}

#[test]
fn a_server_of_ones_own_sends_nobody_elsewhere() {
    let (mut world, hall) = enters("wss://livekit.example.com", &[], Retry::AfterFirst);
    world.run_ms(1_000);
    for urls in [&["http://evil.example", "wss://evil.example"][..], &["wss://evil.livekit.cloud"]] {
        send_away(&mut world, urls);
        world.run_ms(12_000);
    }
    let (names, asked) = dialled(&mut world, hall);
    assert_eq!((names, asked), (vec!["livekit.example.com".to_string(); 3], 0));
    assert!(is_there(&mut world, hall) && world.sfu.log.joins == 3);
    let told = warnings(&mut world, hall);
    assert!(told.contains("names other servers") && told.contains("wss://livekit.example.com"), "{told}");
    assert!(!told.contains("evil"), "{told}");
}

#[test]
fn the_cloud_leads_nowhere_but_to_the_cloud() {
    let (mut world, hall) = enters("wss://home.livekit.cloud", &[], Retry::AfterFirst);
    world.run_ms(1_000);
    assert_eq!(server_in_status(&mut world, hall), "wss://home.livekit.cloud");
    send_away(&mut world, &["wss://evil.example", "ws://east.livekit.cloud", "wss://west.livekit.cloud"]);
    world.run_ms(1_000);
    assert_eq!(dialled(&mut world, hall), (vec![HOME.into(), WEST.into()], 0));
    assert_eq!(server_in_status(&mut world, hall), "wss://west.livekit.cloud");
    let told = warnings(&mut world, hall);
    assert!(told.contains("the server is wss://west.livekit.cloud from now on"), "{told}");
}

#[test]
fn a_list_of_regions_leads_nowhere_but_to_the_cloud() {
    let (mut world, hall) = enters("wss://home.livekit.cloud", &[HOME], Retry::AfterFirst);
    world.client(hall).ports().cloud.list = Some(Cloud::list_of(&["evil.example", "livekit.cloud", WEST]));
    world.run_ms(1_000);
    assert_eq!(dialled(&mut world, hall), (vec![HOME.into(), WEST.into()], 1));
    assert!(is_there(&mut world, hall));
}

#[test]
fn a_region_is_left_for_the_configured_server_after_ten_minutes() {
    let (mut world, hall) = enters("wss://home.livekit.cloud", &[], Retry::AfterFirst);
    world.run_ms(1_000);
    send_away(&mut world, &["wss://west.livekit.cloud"]);
    world.run_ms(300_000);
    // A new session before that begins where the last one was.
    world.command(hall, Command::Reconnect);
    world.run_ms(301_000);
    assert_eq!(dialled(&mut world, hall).0, [HOME, WEST, WEST]);
    assert!(is_there(&mut world, hall));
    world.command(hall, Command::Reconnect);
    world.run_ms(1_000);
    assert_eq!(dialled(&mut world, hall).0, [HOME]);
    assert_eq!(server_in_status(&mut world, hall), "wss://home.livekit.cloud");
}
