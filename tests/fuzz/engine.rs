//! The engine as a whole: a client in a room of the simulated world, with a real DTLS session, against a server, peers, a
//! network and a local user of whom none can be trusted. The input says what they do, and when.
//!
//! ```text
//!  bytes ─► setup ─► steps: message, data packet, datagram, command, cut, time … ─► rules after each step
//!                                                          the server is honest again ─► ended, or connected
//! ```

use std::net::SocketAddr;

use kinglet::command::{Command, Reply, line};
use kinglet::limits::{METADATA_BYTES_MAX, PARTICIPANTS_MAX, TRACKS_PER_PARTICIPANT_MAX};
use kinglet::rtc::Peer;
use kinglet::session::recovery::Retry;
use serde_json::Value;

use crate::card::Sound;
use crate::client::Setup;
use crate::cursor::Cursor;
use crate::messages::{self, Names};
use crate::world::World;

/// Steps of one input, and the time that they may take together.
const STEPS_MAX: usize = 64;
const STEPS_MS_MAX: u64 = 20_000;

/// Time in which the client is in the room again, or has ended, once the server is honest: the longest wait between two
/// attempts is a minute.
const RECOVERY_MS_MAX: u64 = 120_000;

const PEERS: [Peer; 2] = [Peer::Publisher, Peer::Subscriber];

/// One session.
pub fn session(bytes: &[u8]) {
    let mut cursor = Cursor::new(bytes);
    let flags = cursor.byte();
    let mut world = World::with_seed(7);
    let setup = Setup {
        sound: (flags & 1 == 1).then_some(Sound::Tone(700.0)),
        is_muted: flags & 2 == 2,
        keeps_early_sound: flags & 4 == 4,
        stores_files: flags & 8 == 8,
        rpc_methods: &["open"],
        retry: Retry::Forever,
        ..Setup::listener("hall")
    };
    if flags & 16 == 16 {
        world.enter(Setup::talker("door", Sound::Tone(400.0)));
        world.run_ms(400);
    }
    let hall = world.enter(setup);
    // Some inputs begin before the session is there.
    world.run_ms(if flags & 32 == 32 { u64::from(cursor.byte()) } else { 600 });
    let began_ms = world.clock.elapsed_ms();
    for _ in 0..STEPS_MAX {
        if cursor.is_empty() || world.client(hall).outcome().is_some() {
            break;
        }
        step(&mut world, hall, &mut cursor);
        check(&mut world, hall);
        if world.clock.elapsed_ms() - began_ms > STEPS_MS_MAX as f64 {
            break;
        }
    }
    settle(&mut world, hall);
}

fn step(world: &mut World, hall: usize, cursor: &mut Cursor<'_>) {
    match cursor.byte() % 16 {
        0..=4 => {
            let names = names(world, hall);
            let message = messages::signal_response(cursor, &names);
            world.client(hall).ports().inject(message);
            world.poke(hall);
        }
        5 => {
            world.client(hall).ports().inject(cursor.bytes().to_vec());
            world.poke(hall);
        }
        6 | 7 => {
            let names = names(world, hall);
            let label = *cursor.choose(&["_reliable", "_lossy", "_data_track"]);
            let packet = messages::data_packet(cursor, &names);
            let now = world.clock.now();
            // A server that has lost the client takes nothing.
            if world.client(hall).outcome().is_none() {
                world.sfu.write_data("hall", label, &packet, now);
            }
            world.run_ms(20);
        }
        8 => {
            let sources = ["10.0.0.1:50000", "10.0.0.1:50001", "203.0.113.5:4000"];
            let source: SocketAddr = cursor.choose(&sources).parse().expect("an address");
            let peer = *cursor.choose(&PEERS);
            world.client(hall).ports().inject_datagram(peer, source, cursor.bytes().to_vec());
            world.poke(hall);
        }
        9 | 10 => {
            if let Ok(command) = line::parse(&cursor.text()) {
                let _ = world.ask(hall, command);
            }
        }
        11 => world.sfu.cut_signal("hall"),
        12 => {
            let is_up = cursor.flag();
            world.set_network(hall, is_up);
        }
        13 => match cursor.flag() {
            true => world.stop_server(),
            false => world.start_server(),
        },
        _ => world.run_ms(u64::from(cursor.byte()) * 8),
    }
    if cursor.flag() {
        world.run_ms(10);
    }
}

/// SIDs and identities that the client knows.
fn names(world: &mut World, hall: usize) -> Names {
    let status = ask(world, hall, Command::Status);
    let mut sids: Vec<String> = ["sid", "room_sid", "track"]
        .iter()
        .filter_map(|key| status[key].as_str().map(str::to_owned))
        .collect();
    for participant in ask(world, hall, Command::Participants).as_array().into_iter().flatten().take(8) {
        sids.extend(participant["sid"].as_str().map(str::to_owned));
        let tracks = participant["tracks"].as_array().into_iter().flatten();
        sids.extend(tracks.filter_map(|track| track["sid"].as_str().map(str::to_owned)));
    }
    let identities = ["hall", "door", "agent"].map(str::to_owned).into();
    Names { sids, identities, sdp: String::new() }
}

/// What holds after every step, whatever it was.
fn check(world: &mut World, hall: usize) {
    let participants = ask(world, hall, Command::Participants);
    let participants = participants.as_array().expect("a list");
    assert!(participants.len() <= PARTICIPANTS_MAX, "{} participants", participants.len());
    for participant in participants {
        let tracks = participant["tracks"].as_array().map_or(0, Vec::len);
        assert!(tracks <= TRACKS_PER_PARTICIPANT_MAX, "{tracks} tracks");
        assert!(participant["metadata"].as_str().is_some_and(|text| text.len() <= METADATA_BYTES_MAX));
    }
    let metrics = ask(world, hall, Command::Metrics);
    for line in metrics.as_str().expect("text").lines().filter(|line| !line.starts_with('#')) {
        let value = line.rsplit_once(' ').and_then(|(_, value)| value.parse::<f64>().ok());
        assert!(value.is_some_and(f64::is_finite), "not a sample: {line}");
    }
    assert!(ask(world, hall, Command::Status)["state"].is_string());
    assert!(ask(world, hall, Command::Paths).is_object());
}

/// The server is honest and the network is there: the client has ended, or is in the room.
fn settle(world: &mut World, hall: usize) {
    world.start_server();
    world.set_network(hall, true);
    let is_settled = |world: &mut World| {
        world.client(hall).outcome().is_some() || ask(world, hall, Command::Status)["state"] == "connected"
    };
    // In steps: every look at the status costs something.
    for _ in 0..RECOVERY_MS_MAX / 200 {
        if is_settled(world) {
            // It is in the room by its own account; the server must agree, or it finds out.
            return;
        }
        world.run_ms(200);
        world.client(hall).forget();
    }
    panic!("neither ended nor connected: {}", ask(world, hall, Command::Status));
}

fn ask(world: &mut World, hall: usize, command: Command) -> Value {
    match world.ask(hall, command) {
        Reply::Now(Ok(value)) => value,
        other => panic!("{other:?}"),
    }
}
