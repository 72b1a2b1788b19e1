//! The way up is slower than what is sent. What is sent becomes less, also where packets are lost; what is lost by chance
//! changes nothing about the sum.

use crate::card::Sound;
use crate::client::Setup;
use crate::link::{Loss, Quality};
use crate::world::World;
use kinglet::command::{Command, Reply};
use kinglet::media::send::profile::AudioProfile;

/// One who speaks for 20 s over a good line, and then into this one.
struct Call {
    world: World,
    door: usize,
    hall: usize,
}

impl Call {
    fn new(profile: AudioProfile) -> Call {
        let mut world = World::new();
        let up = Quality::delay(10.0);
        let voice = Setup { up, profile, ..Setup::talker("door", Sound::Glide) };
        let door = world.enter(voice);
        let hall = world.enter(Setup::listener("hall"));
        world.run_ms(20_000);
        Call { world, door, hall }
    }

    fn set_up(&mut self, up: Quality) {
        self.world.client(self.door).ports().up.set_quality(up);
    }

    /// Bits a second that were sent in the next `seconds`, IP headers and checks included.
    fn sent_bps(&mut self, seconds: u64) -> u64 {
        let before = self.world.client(self.door).ports().up.sent_bytes;
        self.world.run_ms(1000 * seconds);
        (self.world.client(self.door).ports().up.sent_bytes - before) * 8 / seconds
    }

    /// Whether the last two seconds were heard, but for a little.
    fn is_heard(&self) -> bool {
        let played = self.world.lately(self.hall, 2_000);
        let loud = played.iter().filter(|played| played.block.0.iter().any(|sample| sample.abs() > 0.005));
        loud.count() * 10 >= played.len() * 8
    }

    /// The round trip that is reported, in milliseconds.
    fn round_trip_ms(&mut self) -> u64 {
        let Reply::Now(Ok(stats)) = self.world.ask(self.door, Command::Stats) else { panic!("at once") };
        stats["rtt_ms"].as_u64().expect("a number")
    }
}

fn slow(rate_bits: u64) -> Quality {
    Quality { rate_bits, queue_ms: 300, ..Quality::delay(10.0) }
}

/// Bits a second before, and in each stretch of 10 s for a minute on a link of this rate.
fn sent_into(profile: AudioProfile, rate_bits: u64) -> (u64, Vec<u64>, Call) {
    let mut call = Call::new(profile);
    let before = call.sent_bps(10);
    call.set_up(slow(rate_bits));
    let sent: Vec<u64> = (0..6).map(|_| call.sent_bps(10)).collect();
    println!("{profile:?} into {rate_bits}: {before} before, then {sent:?} bit/s");
    (before, sent, call)
}

#[test]
fn a_link_of_64_kbit_per_second_is_not_overfilled() {
    for (_, profile) in AudioProfile::NAMES {
        let (before, sent, mut call) = sent_into(profile, 64_000);
        assert!(sent.iter().all(|bps| *bps <= 64_000), "{profile:?} {sent:?}");
        // A metered call fits as it is.
        if profile != AudioProfile::Metered {
            assert!(before > 64_000, "{before}");
            assert!(sent.iter().all(|bps| *bps < before), "{sent:?}");
        }
        // Most of the time the queue is short, so that what else there is gets through.
        let mut waits_ms: Vec<u128> = (0..40)
            .map(|_| {
                call.world.run_ms(1000);
                call.world.client(call.door).ports().up.take_longest_wait().as_millis()
            })
            .collect();
        waits_ms.sort_unstable();
        assert!(waits_ms[30] <= 50, "{waits_ms:?} ms");
        assert!(call.is_heard(), "in the codec that the track began with");
    }
}

#[test]
fn a_link_of_32_kbit_per_second_is_not_filled_with_copies() {
    for (_, profile) in AudioProfile::NAMES {
        let (_, sent, mut call) = sent_into(profile, 32_000);
        assert!(sent.iter().all(|bps| *bps <= 45_000), "{profile:?} {sent:?}");
        assert!(sent[1..].iter().all(|bps| *bps <= 32_000), "{profile:?} {sent:?}");
        let lost = call.world.client(call.door).ports().up.lost;
        call.world.run_ms(10_000);
        let lost = call.world.client(call.door).ports().up.lost - lost;
        assert!(lost <= 20, "{profile:?} {lost} datagrams in 10 s");
        assert!(call.is_heard(), "{profile:?}");
        // And when there is room again, it is used.
        if profile == AudioProfile::Default {
            call.set_up(Quality::delay(10.0));
            call.world.run_ms(180_000);
            let after = call.sent_bps(10);
            assert!(after > 70_000, "{after} bit/s");
        }
    }
}

#[test]
fn the_round_trip_that_is_reported_sees_the_queue() {
    let mut call = Call::new(AudioProfile::Default);
    let free = call.round_trip_ms();
    assert!((10..60).contains(&free), "{free} ms");
    call.set_up(slow(40_000));
    call.world.run_ms(3_000);
    let full = call.round_trip_ms();
    println!("{free} ms, then {full} ms");
    assert!(full > free + 80, "{free} ms, then {full} ms");
}

#[test]
fn loss_by_chance_is_repaired_by_copies_and_costs_no_more() {
    // Two copies leave 1 and 8 permille, one would leave 10 and 40.
    for (loss, concealed_max) in [(0.1, 5.0), (0.2, 20.0)] {
        let mut call = Call::new(AudioProfile::Default);
        let before = call.sent_bps(10);
        call.set_up(Quality { loss: Loss::Random(loss), ..Quality::delay(10.0) });
        let sent: Vec<u64> = (0..3).map(|_| call.sent_bps(10)).collect();
        println!("{loss} lost: {before} before, then {sent:?} bit/s");
        // Opus keeps its rate on average only.
        assert!(sent.iter().all(|bps| *bps <= before * 103 / 100), "{before}, then {sent:?}");
        call.world.command(call.hall, Command::Stats);
        call.world.run_ms(20_000);
        let Reply::Now(Ok(stats)) = call.world.ask(call.hall, Command::Stats) else { panic!("at once") };
        let concealed = stats["tracks"][0]["concealed_permille"].as_f64().expect("a number");
        println!("{concealed} permille made up");
        assert!(concealed <= concealed_max, "{concealed}");
    }
}
