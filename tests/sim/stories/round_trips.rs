//! How many round trips a join takes until one is heard and hears.
//!
//! ```text
//!  1 TCP · 2 upgrade → join · 3 offer → answer · 4 check · 5 nomination → ClientHello · 6 ServerHello → Finished + first packet
//! ```
//!
//! The subscriber takes as many: its offer comes with the join, and the server's nomination, after a check of ours that
//! follows its own, takes the round trip that our offer takes on the publisher. The tracks come in a second offer, which the
//! server holds back for 150 ms: at this distance that is over before DTLS is.

use crate::card::{HEARD_DBFS, Sound, level_dbfs};
use crate::client::Setup;
use crate::link::Quality;
use crate::world::World;
use kinglet::event::Event;
use std::time::Instant;

const ONE_WAY_MS: f64 = 50.0;
const ROUND_TRIP_MS: f64 = 2.0 * ONE_WAY_MS;

#[test]
fn a_join_wastes_no_round_trip() {
    let far = Quality::delay(ONE_WAY_MS);
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    world.run_ms(3000);
    let dialled = world.clock.now();
    let hall = world.enter(Setup { up: far, down: far, ..Setup::talker("hall", Sound::Tone(700.0)) });
    world.run_ms(3000);
    let after = |at: Instant| at.duration_since(dialled).as_secs_f64() * 1000.0;
    let event = |world: &mut World, what: fn(&Event) -> bool| {
        after(world.client(hall).event(|event| what(event).then_some(())).expect("it happened").0)
    };
    let connected = event(&mut world, |event| matches!(event, Event::Connected { .. }));
    let published = event(&mut world, |event| matches!(event, Event::LocalTrackPublished { .. }));
    // The packet left one way before it arrived.
    let track = world.sfu.log.track_of("hall").expect("hall speaks");
    let spoke = after(track.packets[0].at) - ONE_WAY_MS;
    let first_heard = |world: &mut World, client: usize, from: Instant| {
        let end = world.clock.now();
        let played = world.client(client).loudspeaker().between(from, end);
        let heard = played.iter().find(|played| level_dbfs(std::slice::from_ref(played)) > HEARD_DBFS);
        after(heard.expect("heard").at)
    };
    let hears = first_heard(&mut world, hall, dialled);
    let is_heard = first_heard(&mut world, door, dialled);
    let round_trips = |ms: f64| ms / ROUND_TRIP_MS;
    println!("one way {ONE_WAY_MS} ms, in round trips of {ROUND_TRIP_MS} ms since the dial:");
    for (what, ms) in [
        ("joined and track announced (TCP, upgrade, AddTrack)", published),
        ("connected (subscriber: offer came with the join; answer, check, nomination, DTLS)", connected),
        ("first packet sent (publisher: offer, check, nomination, DTLS)", spoke),
        ("heard by the other (and its playout)", is_heard),
        (
            "hears the other (the server's first packet comes a round trip after the last of DTLS, and playout)",
            hears,
        ),
    ] {
        println!("{:>6.2}  {ms:>6.0} ms  {what}", round_trips(ms));
    }
    assert!(round_trips(published) <= 3.05, "{published} ms");
    assert!(spoke <= 6.0 * ROUND_TRIP_MS + 25.0, "six round trips and a packet's 20 ms: {spoke} ms");
    assert!(is_heard <= spoke + ONE_WAY_MS + 5.0 + 100.0, "{is_heard} ms");
    assert!(connected <= 6.0 * ROUND_TRIP_MS + 5.0, "{connected} ms");
    assert!(hears <= 7.0 * ROUND_TRIP_MS + 100.0, "{hears} ms");
}
