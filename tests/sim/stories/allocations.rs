//! In a steady call memory is taken once for each packet sent, and for nothing else.

use crate::alloc::Recorder;
use crate::alloc::owner::{Owner, Place, Report};
use crate::card::{Sound, amplitude};
use crate::client::Setup;
use crate::world::World;

/// 500 packets each way, after which every table has its size.
const WARM_UP_MS: u64 = 10_000;

/// Two more reports of RTCP, pings and everything else that repeats slowly.
const STEADY_MS: u64 = 10_000;

/// What the server asks for.
const PING_INTERVAL_MS: u64 = 5_000;

#[test]
fn a_steady_call_allocates_once_per_sent_packet() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::talker("hall", Sound::Tone(700.0)));
    let packets_of = |world: &World, who| world.sfu.log.track_of(who).map_or(0, |track| track.packets.len());
    let sent = |world: &World| packets_of(world, "door") + packets_of(world, "hall");
    world.run_ms(WARM_UP_MS);
    let sent_before = sent(&world);
    let recorder = Recorder::new();
    recorder.watch_this_thread();
    recorder.start();
    world.run_ms(STEADY_MS);
    recorder.stop();
    let sent = (sent(&world) - sent_before) as u64;

    let heard = [(door, 700.0), (hall, 400.0)].map(|(who, hz)| amplitude(world.lately(who, 1000), hz));
    assert!(heard.iter().all(|&level| level > 0.15), "the call is not a call: {heard:?}");
    let report = Report::new(recorder);
    println!("{sent} packets sent and as many received: ours {}, str0m's {}", report.ours, report.str0m);
    // A ping each 5 s is a message, not sound.
    let (messages, sound): (Vec<&Place>, Vec<&Place>) = report
        .of(Owner::Ours)
        .partition(|place| place.frames.iter().any(|frame| frame.contains("(src/signal/")));
    let pings: u64 = messages.iter().map(|place| place.count).sum();
    assert!(pings <= 2 * STEADY_MS.div_ceil(PING_INTERVAL_MS), "messages in a steady call: {messages:#?}");
    assert_eq!(sound.iter().map(|place| place.count).sum::<u64>(), sent, "{sound:#?}");
    // str0m 0.25: 1.3. More is worth a look at its next version.
    assert!(report.str0m < 2 * (2 * sent), "{:#?}", report.of(Owner::Str0m).take(5).collect::<Vec<_>>());
}
