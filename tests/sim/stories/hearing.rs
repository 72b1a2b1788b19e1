//! Who hears a box, and whom it hears: its rule holds in every stage, over a resume and over a new session.

use crate::card::{Sound, amplitude};
use crate::client::Setup;
use crate::world::World;
use kinglet::command::Command;
use kinglet::command::admitted::Admitted;
use kinglet::command::allow::Allow;
use kinglet::session::recovery::Retry;
use serde_json::json;

const DOOR_HZ: f64 = 400.0;
/// The party, another flat and a stranger.
const OTHERS: [(&str, f64); 3] = [("flat-1", 700.0), ("flat-2", 1000.0), ("stranger", 1300.0)];
/// Clearly heard, and not at all.
const LOUD: f64 = 0.05;
const QUIET: f64 = 0.005;

fn parties() -> Admitted {
    Admitted { listed: Allow::new(["flat-*".to_owned()]).expect("usable"), ..Admitted::default() }
}

fn party() -> Admitted {
    Admitted { party: "flat-1".to_owned(), ..Admitted::default() }
}

struct Street {
    world: World,
    door: usize,
    others: Vec<usize>,
}

impl Street {
    /// Everybody speaks. The door stands by outside of the room, with the rule that it has without a call.
    fn new() -> Street {
        let mut world = World::new();
        let others: Vec<usize> = OTHERS
            .into_iter()
            .map(|(identity, hertz)| world.enter(Setup::talker(identity, Sound::Tone(hertz))))
            .collect();
        let setup = Setup { retry: Retry::Service, ..Setup::talker("door", Sound::Tone(DOOR_HZ)) };
        let door = world.enter(setup);
        world.command(door, Command::Admit(parties()));
        world.run_ms(2000);
        Street { world, door, others }
    }

    fn admit(&mut self, rule: Admitted) {
        self.world.command(self.door, Command::Admit(rule));
    }

    /// Who hears the door and whom it plays, as letters, by what the loudspeakers played in the last `ms`.
    fn heard(&mut self, ms: u64) -> (String, String) {
        let letter = |amplitude: f64, identity: &str| match amplitude {
            loud if loud > LOUD => identity.chars().last(),
            quiet if quiet < QUIET => None,
            between => panic!("{identity}: {between}"),
        };
        let mut both = (String::new(), String::new());
        for ((identity, hertz), client) in OTHERS.into_iter().zip(self.others.clone()) {
            both.0.extend(letter(amplitude(self.world.lately(client, ms), DOOR_HZ), identity));
            both.1.extend(letter(amplitude(self.world.lately(self.door, ms), hertz), identity));
        }
        both
    }

    fn expect(&mut self, hears: &str, when: &str) {
        assert_eq!(self.heard(500), (hears.to_owned(), hears.to_owned()), "{when}");
    }
}

#[test]
fn a_stranger_neither_hears_the_box_nor_is_played_and_the_party_has_no_gap() {
    let mut street = Street::new();
    street.world.command(street.door, Command::Enter);
    street.world.run_ms(2000);
    street.expect("12", "the flats, before the answer");
    for at in 0..20 {
        // From the first second on, not only at the end.
        let end = street.world.clock.now();
        let from = end - std::time::Duration::from_millis(2000 - 100 * at);
        let to = from + std::time::Duration::from_millis(100);
        let stranger = street.world.client(street.others[2]).loudspeaker();
        assert!(amplitude(stranger.between(from, to), DOOR_HZ) < QUIET, "{at}");
    }
    street.admit(party());
    street.world.run_ms(500);
    let of_party = street.world.lately(street.others[0], 500);
    let quietest = of_party.chunks(5).map(|chunk| amplitude(chunk, DOOR_HZ)).fold(1.0, f64::min);
    assert!(quietest > LOUD, "the party hears the answer without a gap: {quietest}");
    street.world.run_ms(500);
    street.expect("1", "the party alone");

    street.world.sfu.cut_signal("door");
    street.world.run_ms(3000);
    street.expect("1", "after a resume");
    assert_eq!((street.world.sfu.log.resumes, street.world.sfu.log.joins), (1, 4));
    street.world.command(street.door, Command::Reconnect);
    street.world.run_ms(6000);
    street.expect("1", "in a new session");
    assert_eq!((street.world.sfu.log.resumes, street.world.sfu.log.joins), (1, 5));
    // In every session it is said before there is a track: nobody has heard a packet meanwhile.
    let stranger = street.world.lately(street.others[2], 9000);
    assert!(stranger.chunks(10).all(|chunk| amplitude(chunk, DOOR_HZ) < QUIET));

    street.admit(parties());
    street.world.run_ms(1500);
    street.expect("12", "after the call");
    assert_eq!(street.world.sfu.log.complaints, Vec::<String>::new());
}

#[test]
fn who_comes_back_in_another_session_is_heard_and_hears() {
    let mut street = Street::new();
    street.world.command(street.door, Command::Enter);
    street.admit(party());
    street.world.run_ms(2000);
    street.world.command(street.others[0], Command::Reconnect);
    street.world.command(street.others[2], Command::Reconnect);
    street.world.run_ms(4000);
    street.expect("1", "the same identity");
}

#[test]
fn others_are_silenced_at_once_even_while_the_server_is_away() {
    let mut street = Street::new();
    street.world.command(street.door, Command::Enter);
    street.world.run_ms(2000);
    // A portal answers in its place, and sound flows on.
    street.world.sfu.refuse(Some((302, "")));
    street.world.sfu.cut_signal("door");
    street.world.run_ms(500);
    assert_eq!(street.heard(100).1, "12");
    street.admit(party());
    street.world.run_ms(30);
    street.world.client(street.door).forget();
    street.world.run_ms(100);
    assert_eq!(street.heard(100).1, "1");
}

#[test]
fn what_an_operator_allows_ends_with_the_next_stage_and_what_he_refuses_does_not() {
    let mut street = Street::new();
    let door = street.door;
    street.world.command(door, Command::Enter);
    street.world.command(door, Command::Subscribe("stranger".into()));
    street.world.command(door, Command::Unsubscribe("flat-2".into()));
    street.world.command(door, Command::HeardBy(vec!["stranger".into(), "flat-2".into()]));
    street.world.run_ms(2000);
    assert_eq!(street.heard(500), ("2r".to_owned(), "1r".to_owned()));
    street.admit(party());
    street.world.run_ms(1000);
    street.expect("1", "nothing is left of it");
    street.admit(parties());
    street.world.run_ms(1000);
    assert_eq!(street.heard(500), ("12".to_owned(), "1".to_owned()));
    street.world.command(door, Command::Hear("stranger".into()));
    street.world.run_ms(1000);
    assert_eq!(street.heard(500), ("12".to_owned(), "r".to_owned()), "hear is the operator's word");
    let status = street.world.ask(door, Command::Status);
    let kinglet::command::Reply::Now(Ok(status)) = status else { panic!("{status:?}") };
    assert_eq!((&status["hears"], &status["heard_by"]), (&json!("stranger"), &json!(["flat-1", "flat-2"])));
}

#[test]
fn what_was_said_under_one_rule_is_not_for_who_is_admitted_by_the_next() {
    let mut world = World::new();
    let flat = world.enter(Setup::listener("flat-1"));
    world.run_ms(2000);
    let secret = Setup::talker("door", Sound::Tone(1000.0));
    let door = world.enter(Setup { retry: Retry::Service, keeps_early_sound: true, ..secret });
    world.command(door, Command::Admit(Admitted { party: "concierge".to_owned(), ..Admitted::default() }));
    world.command(door, Command::Enter);
    // Published, and kept for the first who hears it.
    world.run_ms(1000);
    world.client(door).hear(Sound::Tone(DOOR_HZ));
    world.command(door, Command::Admit(parties()));
    world.run_ms(4000);
    let played = world.lately(flat, 5000);
    let loudest = |hertz: f64| played.chunks(10).map(|chunk| amplitude(chunk, hertz)).fold(0.0, f64::max);
    assert!(loudest(DOOR_HZ) > LOUD, "it hears the box now");
    assert!(loudest(1000.0) < QUIET, "and nothing of before: {}", loudest(1000.0));
}
