//! LiveKit's cloud: a region that does not serve us is left for another one.

use crate::client::Setup;
use crate::cloud::Cloud;
use crate::world::World;
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
