//! One mutes, by own will or by the server's, and speaks again.

use crate::card::{HEARD_DBFS, Sound, amplitude, level_dbfs};
use crate::client::Setup;
use crate::world::World;
use kinglet::command::Command;
use kinglet::event::{By, Event};

#[test]
fn a_mute_is_silence_and_its_end_is_heard() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(2000);
    world.command(door, Command::Mute);
    world.run_ms(2000);
    let quiet = world.lately(hall, 1000);
    assert!(level_dbfs(quiet) < HEARD_DBFS, "{} dBFS", level_dbfs(quiet));
    let sent = world.sfu.log.track_of("door").expect("door spoke").packets.len();
    world.run_ms(1000);
    assert_eq!(world.sfu.log.track_of("door").expect("door spoke").packets.len(), sent, "nothing is sent");
    world.command(door, Command::Unmute);
    world.run_ms(1000);
    let loud = world.lately(hall, 500);
    assert!(amplitude(loud, 400.0) > 0.15);
    for wanted in [true, false] {
        let told = world.client(hall).event(|event| match event {
            Event::TrackMuted(track) => (wanted && track.identity == "door").then_some(()),
            Event::TrackUnmuted(track) => (!wanted && track.identity == "door").then_some(()),
            _ => None,
        });
        assert!(told.is_some(), "muted: {wanted}");
    }
}

#[test]
fn a_moderator_mutes() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    world.run_ms(2000);
    let now = world.clock.now();
    world.sfu.mute_by_server("door", now);
    world.run_ms(500);
    let by = world.client(door).event(|event| match event {
        Event::LocalMuted { by, .. } => Some(*by),
        _ => None,
    });
    assert_eq!(by.map(|(_, by)| by), Some(By::Server));
    let sent = world.sfu.log.track_of("door").expect("door spoke").packets.len();
    world.run_ms(1000);
    assert_eq!(world.sfu.log.track_of("door").expect("door spoke").packets.len(), sent);
}
