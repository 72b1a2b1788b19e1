//! A server that floods the data channels: memory stays small, sound flows on, and messages of others still arrive.
//!
//! Time runs between the floods, so that SCTP moves; what was told is thrown away, as an application does.

use crate::alloc::meter::Meter;
use crate::card::amplitude;
use crate::random::Random;
use crate::stories::hostile::call;
use crate::world::World;
use kinglet::command::Command;
use kinglet::command::message::{Address, DataMessage};
use kinglet::event::Event;
use livekit_protocol::data_packet::Value;
use livekit_protocol::*;
use prost::Message as _;

/// What an engine in a call may hold at most while its channels are flooded: what waits in SCTP (1 MiB), the events that nobody
/// took, the pieces of streams, and the 200 kB of a call.
const HEAP_BYTES_MAX: usize = 4 << 20;

/// Writes as fast as SCTP takes it, for three seconds; how many went out.
fn flood(world: &mut World, hall: usize, mut message: impl FnMut(u64) -> (&'static str, Vec<u8>)) -> u64 {
    let mut written = 0;
    for _ in 0..300 {
        let now = world.clock.now();
        for _ in 0..100 {
            let (label, bytes) = message(written);
            if !world.sfu.write_data("hall", label, &bytes, now) {
                break;
            }
            written += 1;
        }
        world.run_ms(10);
        world.client(hall).events.clear();
    }
    written
}

fn assert_survived(world: &mut World, door: usize, hall: usize, what: &str) {
    world.run_ms(1000);
    let address = Address { topic: "after".to_string(), to: Vec::new() };
    let message = DataMessage { address, payload: b"still here".to_vec(), is_lossy: false };
    world.command(door, Command::Data(message));
    let arrived = |world: &mut World| {
        let after = |event: &Event| matches!(event, Event::Data(data) if data.topic == "after").then_some(());
        world.client(hall).event(after).is_some()
    };
    assert!(world.run_until_done(20_000, arrived), "{what}: messages arrive");
    let is_heard = |world: &mut World| {
        amplitude(world.lately(hall, 100), 400.0) > 0.15 && amplitude(world.lately(door, 100), 700.0) > 0.15
    };
    assert!(world.run_until_done(10_000, is_heard), "{what}: sound flows");
    let peak = Meter::take_peak();
    println!("{what}: heap at most {peak} bytes, now {}", Meter::bytes());
    assert!(peak <= HEAP_BYTES_MAX, "{what}: {peak} bytes");
    assert!(world.client(hall).outcome().is_none());
}

fn user(payload: Vec<u8>) -> Vec<u8> {
    let value = Value::User(UserPacket { payload, ..UserPacket::default() });
    DataPacket { value: Some(value), participant_identity: "x".into(), ..DataPacket::default() }
        .encode_to_vec()
}

#[test]
fn messages_as_large_and_as_many_as_they_come() {
    let (mut world, door, hall) = call();
    let written = flood(&mut world, hall, |_| ("_reliable", user(vec![7; 60_000])));
    assert!(written > 50, "{written}");
    assert_survived(&mut world, door, hall, &format!("{written} messages of 60 kB"));
    let written = flood(&mut world, hall, |_| ("_lossy", user(vec![7; 10])));
    assert!(written > 1000, "{written}");
    assert_survived(&mut world, door, hall, &format!("{written} small ones"));
}

#[test]
fn bytes_that_are_no_packets() {
    let (mut world, door, hall) = call();
    let mut random = Random::new(0x6761).fork("garbage");
    let written = flood(&mut world, hall, |number| {
        let bytes = (0..random.below(1500)).map(|_| random.next() as u8).collect();
        (["_reliable", "_lossy", "_data_track"][number as usize % 3], bytes)
    });
    assert!(written > 1000, "{written}");
    assert_survived(&mut world, door, hall, &format!("{written} messages of random bytes"));
}

#[test]
fn streams_and_calls_that_never_end() {
    let (mut world, door, hall) = call();
    let written = flood(&mut world, hall, |number| {
        let value = match number % 3 {
            0 => Value::StreamHeader(data_stream::Header {
                stream_id: format!("stream {number}"),
                topic: "t".repeat(500),
                total_length: Some(u64::MAX),
                content_header: Some(data_stream::header::ContentHeader::TextHeader(Default::default())),
                ..Default::default()
            }),
            1 => Value::StreamChunk(data_stream::Chunk {
                stream_id: format!("stream {}", number - 1),
                content: vec![b'x'; 15_000],
                ..Default::default()
            }),
            _ => Value::RpcRequest(RpcRequest {
                id: format!("call {number}"),
                method: "m".repeat(64),
                payload: "p".repeat(15_000),
                response_timeout_ms: u32::MAX,
                version: 1,
                ..Default::default()
            }),
        };
        let packet = DataPacket {
            value: Some(value),
            participant_identity: format!("guest {}", number % 50),
            ..Default::default()
        };
        ("_reliable", packet.encode_to_vec())
    });
    assert!(written > 200, "{written}");
    assert_survived(&mut world, door, hall, &format!("{written} streams, pieces and calls"));
}

#[test]
fn a_thousand_channels() {
    let (mut world, door, hall) = call();
    let labels = ["_reliable", "_lossy", "_data_track", "", "x"];
    for _ in 0..200 {
        let now = world.clock.now();
        world.sfu.open_channels("hall", &labels, now);
        world.run_ms(20);
    }
    let anew = world.client(hall).event(|event| match event {
        Event::Reconnecting { cause } => Some(cause.clone()),
        _ => None,
    });
    assert!(anew.is_some_and(|(_, cause)| cause.contains("data channel")), "the session is begun anew");
    assert_survived(&mut world, door, hall, "a thousand channels");
}

/// Of these str0m says nothing, and keeps 750 bytes of each; SCTP has 65 536 at most.
#[test]
fn data_on_streams_that_nobody_opened() {
    let (mut world, door, hall) = call();
    for number in 0..1000 {
        let now = world.clock.now();
        world.sfu.write_unannounced("hall", 100 + 2 * number, b"x", now);
        world.run_ms(5);
    }
    assert_survived(&mut world, door, hall, "a thousand streams");
}
