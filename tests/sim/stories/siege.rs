//! A hostile server, hostile peers, strangers on the network and a busy local user, all at once, for ten minutes (an hour with
//! `KINGLET_LONG=1`): the call goes on, and memory stays where it was when all tables were full.

use crate::alloc::meter::Meter;
use crate::card::amplitude;
use crate::random::Random;
use crate::stories::hostile::call;
use crate::world::World;
use kinglet::command::{Command, Reply, line};
use kinglet::event::Event;
use kinglet::limits::PARTICIPANTS_MAX;
use kinglet::rtc::Peer;
use livekit_protocol::signal_response::Message;
use livekit_protocol::*;
use prost::Message as _;
use std::net::SocketAddr;

const MINUTES: u64 = 10;

/// When the tables are full: 128 participants of ten updates a second.
const FULL_MINUTE: u64 = 3;

/// What an engine may hold more later on: other participants have longer metadata.
const GROWTH_BYTES_MAX: i64 = 256 << 10;

/// Commands that change nothing for good.
const COMMANDS: [&str; 8] = [
    "status",
    "participants",
    "metrics",
    "stats",
    "chat again and again",
    "volume 90",
    "subscribe guest-7",
    "quiet",
];

#[test]
fn everything_at_once_for_a_long_time() {
    let minutes = if std::env::var_os("KINGLET_LONG").is_some() { 60 } else { MINUTES };
    let (mut world, door, hall) = call();
    let mut random = Random::new(0x51e6).fork("siege");
    let (mut silent_seconds, mut full_bytes) = (0, 0);
    for second in 0..60 * minutes {
        for _ in 0..10 {
            attack(&mut world, hall, &mut random);
            world.run_ms(100);
        }
        let hears = amplitude(world.lately(hall, 500), 400.0) > 0.15;
        let is_heard = amplitude(world.lately(door, 500), 700.0) > 0.15;
        silent_seconds += u64::from(!hears || !is_heard);
        if second % 60 == 59 {
            world.forget();
            let bytes = Meter::bytes() as i64;
            let minute = second / 60 + 1;
            println!("minute {minute}: {bytes} bytes");
            full_bytes = if minute <= FULL_MINUTE { bytes } else { full_bytes };
            assert!(bytes - full_bytes <= GROWTH_BYTES_MAX, "{full_bytes} bytes, then {bytes}");
        }
    }
    assert!(world.client(hall).outcome().is_none());
    assert!(silent_seconds <= minutes, "{silent_seconds} seconds of {} were disturbed", 60 * minutes);
    for what in ["messages", "foreign_datagrams", "data"] {
        assert!(world.dropped(hall, what) > 50 * minutes, "{what}");
    }
    let Reply::Now(Ok(participants)) = world.ask(hall, Command::Participants) else { panic!("no list") };
    assert!(participants.as_array().is_some_and(|list| list.len() <= PARTICIPANTS_MAX));
    let warned = world.client(hall).events.iter().filter(|(_, event)| matches!(event, Event::Warning { .. }));
    assert!(warned.count() < 100, "in the last minute");
}

/// One thing of each kind.
fn attack(world: &mut World, hall: usize, random: &mut Random) {
    let now = world.clock.now();
    let participant = ParticipantInfo {
        sid: format!("PA_guest{}", random.below(400)),
        identity: format!("guest-{}", random.below(400)),
        metadata: "m".repeat(random.below(4000) as usize),
        version: random.below(1000) as u32,
        state: random.below(4) as i32,
        ..ParticipantInfo::default()
    };
    let update = Message::Update(ParticipantUpdate { participants: vec![participant] });
    let mut bytes = SignalResponse { message: Some(update) }.encode_to_vec();
    world.client(hall).ports().inject(bytes.clone());
    // The same, cut: no field ends where its length says.
    bytes.truncate(bytes.len() - 1 - random.below(8) as usize);
    world.client(hall).ports().inject(bytes);
    let source: SocketAddr =
        format!("203.0.113.{}:{}", random.below(250), 1000 + random.below(60_000)).parse().expect("one");
    // Never empty, which SCTP forbids (RFC 9260 §3.3.1).
    let noise: Vec<u8> = (0..1 + random.below(200)).map(|_| random.next() as u8).collect();
    for peer in [Peer::Publisher, Peer::Subscriber] {
        world.client(hall).ports().inject_datagram(peer, source, noise.clone());
    }
    world.sfu.write_data("hall", "_reliable", &noise, now);
    let command = COMMANDS[random.below(COMMANDS.len() as u64) as usize];
    let _ = world.ask(hall, line::parse(command).expect("a command"));
}
