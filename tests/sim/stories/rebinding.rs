//! A NAT forgets its mappings in the middle of a call: the signal connection lives, the server sends sound to where nobody is
//! any more, and its answers to our checks come through.

use crate::card::{Sound, amplitude};
use crate::client::Setup;
use crate::link::Quality;
use crate::nat::Nat;
use crate::world::World;
use kinglet::event::Event;
use kinglet::rtc::Protocol;

const RTT_MS: f64 = 20.0;

fn hears(world: &World, listener: usize, hertz: f64, ms: u64) -> bool {
    amplitude(world.lately(listener, ms), hertz) > 0.15
}

fn nat(world: &mut World, client: usize) -> &mut Nat {
    world.client(client).ports().nat.as_mut().expect("a router")
}

/// Two who talk, one of them behind a NAT.
fn call(rtt_ms: f64) -> (World, usize, usize) {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let (up, down) = (Quality::delay(rtt_ms / 2.0), Quality::delay(rtt_ms / 2.0));
    let hall = Setup { up, down, ..Setup::talker("hall", Sound::Tone(700.0)) };
    let hall = world.enter_behind(Nat::new([203, 0, 113, 2].into()), hall);
    world.run_ms(5_000);
    assert!(hears(&world, hall, 400.0, 100) && hears(&world, door, 700.0, 100));
    (world, door, hall)
}

#[test]
fn sound_is_back_within_a_second_and_a_half_and_on_udp() {
    let (mut world, door, hall) = call(RTT_MS);
    let mut longest = 0.0_f64;
    // At all phases of the second between two checks.
    for number in 0..10 {
        world.run_ms(7_000 + 130 * number);
        nat(&mut world, hall).rebind();
        let began = world.clock.elapsed_ms();
        // What was under way is played first.
        world.run_ms(200);
        let back = |world: &mut World| hears(world, hall, 400.0, 60) && hears(world, door, 700.0, 60);
        assert!(world.run_until_done(8_000, back), "heard again, both ways");
        let took_ms = world.clock.elapsed_ms() - began;
        println!("heard again {took_ms:.0} ms after the rebinding");
        longest = longest.max(took_ms);
    }
    assert!(longest <= 1_500.0, "{longest} ms");
    world.run_ms(2_000);
    assert!(hears(&world, hall, 400.0, 100) && hears(&world, door, 700.0, 100));
    assert_eq!(world.sfu.log.joins, 2, "always the same session");
    // No path is blamed, or the server would take TCP only from then on.
    let reasons = &world.sfu.log.reasons;
    assert!((1..=10).contains(&reasons.len()) && reasons.iter().all(|reason| *reason < 2), "{reasons:?}");
    assert_eq!(world.client(hall).ports().carriers(), [Protocol::Udp; 2], "of both peer connections");
}

#[test]
fn a_router_that_moves_us_all_the_time_is_lived_with() {
    let (mut world, door, hall) = call(RTT_MS);
    let mut heard = 0;
    for _ in 0..60 {
        nat(&mut world, hall).rebind();
        world.run_ms(1_000);
        heard += u32::from(hears(&world, door, 700.0, 100));
    }
    let resumed =
        world.client(hall).events.iter().filter(|(_, event)| matches!(event, Event::Resumed { .. }));
    let resumed = resumed.count();
    println!("{resumed} resumes in a minute, heard at {heard} of 60 looks");
    assert!(resumed <= 13, "{resumed}");
    assert_eq!(world.sfu.log.joins, 2, "always the same session");
    world.run_ms(8_000);
    assert!(hears(&world, hall, 400.0, 100) && hears(&world, door, 700.0, 100));
}
