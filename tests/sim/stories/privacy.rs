//! What was said before the microphone closes does not leave afterwards, by any way: not to an agent that comes later, not
//! to people, not as copies in later packets.

use crate::card::{Played, Sound, amplitude};
use crate::client::Setup;
use crate::link::Quality;
use crate::world::World;
use kinglet::command::Command;
use kinglet::event::Event;
use kinglet::media::send::adapt::Redundancy;
use kinglet::media::send::audio_processor::Duplex;

/// What is said before, and what is said afterwards: a listener knows them apart.
const BEFORE_HZ: f64 = 1000.0;
const AFTER_HZ: f64 = 400.0;

/// Who speaks from the start, and is kept until somebody hears it.
fn door() -> Setup<'static> {
    Setup { keeps_early_sound: true, ..Setup::talker("door", Sound::Tone(BEFORE_HZ)) }
}

fn agent() -> Setup<'static> {
    Setup { is_agent: true, stores_files: true, ..Setup::listener("agent") }
}

/// How loud a tone is where it is loudest.
fn loudest(hertz: f64, played: &[Played]) -> f64 {
    played.chunks(10).map(|chunk| amplitude(chunk, hertz)).fold(0.0, f64::max)
}

/// How loud a tone is in 10 ms of a recording for an agent (s16le, 24 kHz), where it is loudest.
fn loudest_in(hertz: f64, pcm: &[u8]) -> f64 {
    let samples =
        pcm.chunks_exact(2).map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0);
    let samples: Vec<f64> = samples.collect();
    let of_window = |window: &[f64]| {
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (index, sample) in window.iter().enumerate() {
            let phase = std::f64::consts::TAU * hertz * index as f64 / 24_000.0;
            real += sample * phase.cos();
            imaginary += sample * phase.sin();
        }
        2.0 * f64::hypot(real, imaginary) / window.len() as f64
    };
    samples.chunks_exact(240).map(of_window).fold(0.0, f64::max)
}

/// The recordings that a client got whole.
fn recordings(world: &mut World, client: usize) -> Vec<Vec<u8>> {
    let events = &world.client(client).events;
    let count = events.iter().filter(|(_, event)| matches!(event, Event::ByteStream(_))).count();
    let files = world.client(client).ports().disk.files.values().cloned().collect::<Vec<_>>();
    assert_eq!(files.len(), count.min(1), "each is stored under the same name");
    files
}

#[test]
fn an_agent_that_comes_after_a_mute_gets_nothing_from_before_it() {
    for (how, close, open) in [
        ("mute", Command::Mute, Command::Unmute),
        ("talk key", Command::Talk(false), Command::Talk(true)),
        ("unpublish", Command::Unpublish, Command::Publish),
    ] {
        let mut world = World::new();
        let door = world.enter(door());
        world.run_ms(2000);
        world.command(door, close);
        world.client(door).hear(Sound::Tone(AFTER_HZ));
        world.run_ms(1000);
        let agent = world.enter(agent());
        world.run_ms(1000);
        world.command(door, open);
        // The server announces a participant without a track within three seconds.
        world.run_ms(4000);
        let recordings = recordings(&mut world, agent);
        assert_eq!(recordings.len(), usize::from(how != "unpublish"), "{how}");
        for pcm in recordings {
            assert!(loudest_in(BEFORE_HZ, &pcm) < 0.01, "{how}: {} bytes", pcm.len());
            assert!(loudest_in(AFTER_HZ, &pcm) > 0.1, "{how}: what is said afterwards is kept as before");
        }
        let played = world.lately(agent, 6000);
        assert!(loudest(BEFORE_HZ, played) < 0.02, "{how}: {}", loudest(BEFORE_HZ, played));
        let lately = world.lately(agent, 500);
        assert!(amplitude(lately, AFTER_HZ) > 0.1, "{how}: heard again");
    }
}

#[test]
fn a_moderator_s_mute_is_one() {
    let mut world = World::new();
    let door = world.enter(door());
    world.run_ms(2000);
    let now = world.clock.now();
    world.sfu.mute_by_server("door", now);
    world.run_ms(500);
    world.client(door).hear(Sound::Tone(AFTER_HZ));
    let agent = world.enter(agent());
    world.run_ms(4000);
    assert_eq!(recordings(&mut world, agent), [Vec::<u8>::new()], "an empty one, since agents wait for it");
}

/// A recording is on its way over a slow line when the microphone closes: it ends there, and says so.
#[test]
fn a_recording_on_its_way_is_cut_short() {
    let mut world = World::new();
    let slow = Quality { rate_bits: 400_000, ..Quality::delay(20.0) };
    let door = world.enter(Setup { up: slow, ..door() });
    world.run_ms(4000);
    let agent = world.enter(agent());
    let is_begun = |world: &mut World| {
        let told = |event: &Event| {
            matches!(event, Event::Log { text } if text.contains("earlier sound")).then_some(())
        };
        world.client(door).event(told).is_some()
    };
    assert!(world.run_until_done(4000, is_begun));
    world.run_ms(500);
    world.command(door, Command::Mute);
    world.run_ms(10_000);
    assert_eq!(recordings(&mut world, agent), Vec::<Vec<u8>>::new(), "not a whole one");
    let why = world.client(agent).event(|event| match event {
        Event::Warning { text } => text.contains("the microphone was closed").then_some(()),
        _ => None,
    });
    assert!(why.is_some(), "it is told why it ends");
}

/// People come while a talk key is held; it is released before anybody is there to hear.
#[test]
fn people_who_come_after_a_key_s_release_hear_nothing_from_before_it() {
    let mut world = World::new();
    let far = Quality::delay(40.0);
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(2000);
    let door = world.enter(Setup { up: far, down: far, ..door() });
    world.command(door, Command::Talk(true));
    world.run_ms(250);
    world.command(door, Command::Talk(false));
    world.client(door).hear(Sound::Tone(AFTER_HZ));
    world.run_ms(300);
    world.command(door, Command::Talk(true));
    world.run_ms(4000);
    let played = world.lately(hall, 4600);
    assert!(loudest(BEFORE_HZ, played) < 0.02, "{}", loudest(BEFORE_HZ, played));
    assert!(loudest(AFTER_HZ, played) > 0.1);
}

/// Packets with two copies of earlier ones each, all lost for a while before a mute that lasts a moment: what follows
/// would bring them, if they were still there. So would the canceller, which holds 13 ms.
#[test]
fn copies_and_remains_do_not_follow_after_a_mute() {
    for duplex in [Duplex::Untouched, Duplex::ALL] {
        let mut world = World::new();
        let setup = Setup { redundancy: Redundancy::On, duplex, ..Setup::talker("door", Sound::Silence) };
        let door = world.enter(setup);
        let hall = world.enter(Setup::listener("hall"));
        world.run_ms(2000);
        world.client(door).ports().up.set_up(false);
        world.client(door).hear(Sound::Tone(BEFORE_HZ));
        world.run_ms(200);
        world.command(door, Command::Mute);
        world.client(door).hear(Sound::Silence);
        world.command(door, Command::Unmute);
        world.client(door).ports().up.set_up(true);
        world.run_ms(1000);
        let played = world.lately(hall, 1200);
        assert!(loudest(BEFORE_HZ, played) < 0.005, "{duplex}: {}", loudest(BEFORE_HZ, played));
    }
}
