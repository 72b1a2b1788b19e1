//! A proxy, a portal or a firewall answers in the server's place. What it says is no word of LiveKit: a call goes on, and
//! nobody gives up a token or a session for it.

use crate::card::{Sound, amplitude};
use crate::client::Setup;
use crate::world::World;
use kinglet::error::ExitStatus;
use kinglet::event::Event;
use kinglet::session::recovery::Retry;

/// Status and body, as they are met.
const PAGES: [(u16, &str); 8] = [
    (200, "<html>Welcome! Please log in"),
    (302, ""),
    (400, "<html>400 Bad Request"),
    (401, "Unauthorized"),
    (403, "<html>Blocked by your administrator"),
    (404, "404 page not found"),
    (407, ""),
    (511, "<html>Network Authentication Required"),
];

fn count(world: &mut World, client: usize, what: fn(&Event) -> bool) -> usize {
    world.client(client).events.iter().filter(|(_, event)| what(event)).count()
}

#[test]
fn a_page_in_the_servers_place_is_no_end_of_a_call() {
    for page in PAGES {
        let mut world = World::new();
        let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
        let hall = world.enter(Setup::talker("hall", Sound::Tone(700.0)));
        world.run_ms(3000);
        world.sfu.refuse(Some(page));
        world.sfu.cut_signal("hall");
        // Longer than a resume may take without sound.
        for part in 0..80 {
            world.run_ms(250);
            let heard =
                (amplitude(world.lately(hall, 200), 400.0), amplitude(world.lately(door, 200), 700.0));
            assert!(heard.0 > 0.15 && heard.1 > 0.15, "{page:?}: {heard:?} in part {part}");
        }
        assert_eq!(count(&mut world, hall, |event| matches!(event, Event::Resumed { .. })), 0, "{page:?}");
        world.sfu.refuse(None);
        world.run_ms(2000);
        assert_eq!(count(&mut world, hall, |event| matches!(event, Event::Resumed { .. })), 1, "{page:?}");
        assert_eq!(
            count(&mut world, hall, |event| matches!(event, Event::Disconnected { .. })),
            0,
            "{page:?}"
        );
        assert_eq!((world.sfu.log.joins, world.client(hall).tokens_asked), (2, 0), "{page:?}");
    }
}

#[test]
fn nobody_who_may_wait_gives_up_before_a_page() {
    for page in PAGES {
        let mut world = World::new();
        world.sfu.refuse(Some(page));
        let patient = world.enter(Setup { retry: Retry::Forever, ..Setup::listener("patient") });
        let hasty = world.enter(Setup::listener("hasty"));
        world.run_ms(60_000);
        let ended = world.client(hasty).outcome().expect("the first connection is tried once").clone();
        assert_eq!(ended.status, ExitStatus::Unreachable, "{page:?}: {}", ended.text);
        assert!(!ended.text.contains("token"), "{}", ended.text);
        assert!(world.client(patient).outcome().is_none(), "{page:?}");
        assert_eq!(world.client(patient).tokens_asked, 0, "{page:?}");
        world.sfu.refuse(None);
        world.run_ms(10_000);
        assert_eq!(
            count(&mut world, patient, |event| matches!(event, Event::Connected { .. })),
            1,
            "{page:?}"
        );
    }
}

#[test]
fn livekits_own_words_count_as_ever() {
    let mut world = World::new();
    let hall = world.enter(Setup::listener("hall"));
    world.run_ms(3000);
    world.sfu.refuse(Some((
        401,
        "invalid token: x, error: go-jose/go-jose/jwt: validation failed, token is expired (exp)",
    )));
    world.sfu.cut_signal("hall");
    world.run_ms(3000);
    assert!(world.client(hall).tokens_asked > 0, "its source is asked for another one");
    world.sfu.refuse(None);
    world.run_ms(10_000);
    assert_eq!(count(&mut world, hall, |event| matches!(event, Event::Reconnected { .. })), 1);
}
