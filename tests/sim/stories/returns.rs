//! A talker leaves and comes back: the same m-line carries another track under another SSRC. Then the server itself does.

use crate::card::{HEARD_DBFS, Sound, amplitude, level_dbfs};
use crate::client::Setup;
use crate::world::World;
use kinglet::command::Command;

#[test]
fn who_returns_is_heard_on_the_same_line() {
    let mut world = World::new();
    let hall = world.enter(Setup::listener("hall"));
    for (visit, hz) in [400.0, 700.0, 1100.0].into_iter().enumerate() {
        let door = world.enter(Setup::talker("door", Sound::Tone(hz)));
        world.run_ms(2000);
        let played = world.lately(hall, 500);
        assert!(amplitude(played, hz) > 0.15, "visit {visit}: {}", amplitude(played, hz));
        world.command(door, Command::Leave);
        world.run_ms(2000);
        let played = world.lately(hall, 500);
        assert!(level_dbfs(played) < HEARD_DBFS, "after visit {visit}: {} dBFS", level_dbfs(played));
    }
    assert_eq!(world.sfu.log.complaints, Vec::<String>::new());
}

#[test]
fn when_the_server_comes_back_so_do_all() {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(2000);
    world.stop_server();
    world.run_ms(5000);
    world.start_server();
    let back =
        |world: &mut World| [door, hall].into_iter().all(|client| world.client(client).has_reconnected());
    assert!(world.run_until_done(15_000, back));
    world.run_ms(3000);
    let played = world.lately(hall, 500);
    assert!(amplitude(played, 400.0) > 0.15);
}
