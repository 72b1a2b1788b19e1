//! Two hundred cuts in a row, of every kind, from a seed: always back, in the state that was left, with flat memory.
//!
//! The model of the room is small: two sessions, one track each, muted as last asked; each sees the other and nobody else;
//! who is not muted is heard.

use crate::alloc::meter::Meter;
use crate::card::{HEARD_DBFS, Sound, amplitude, level_dbfs};
use crate::client::Setup;
use crate::random::Random;
use crate::world::World;
use kinglet::command::Command;
use kinglet::event::Event;
use livekit_protocol::DisconnectReason as Reason;
use livekit_protocol::leave_request::Action;
use std::collections::BTreeSet;

const CUTS: u64 = 200;
const NAMES: [&str; 2] = ["door", "hall"];
const HZ: [f64; 2] = [400.0, 700.0];

/// What must be true once everybody is back.
struct Model {
    is_muted: [bool; 2],
    /// Whom each sees, by the events so far.
    seen: [BTreeSet<String>; 2],
}

impl Model {
    /// Takes the events since the last call.
    fn follow(&mut self, world: &mut World) {
        for client in 0..2 {
            for (_, event) in std::mem::take(&mut world.client(client).events) {
                match event {
                    Event::ParticipantJoined(who) => {
                        assert!(
                            self.seen[client].insert(who.identity.clone()),
                            "{} came twice",
                            who.identity
                        );
                    }
                    Event::ParticipantLeft(who) => {
                        assert!(self.seen[client].remove(&who.identity), "{} left twice", who.identity);
                    }
                    Event::Disconnected { reason, will_retry, .. } => assert!(will_retry, "{reason}"),
                    _ => {}
                }
            }
        }
    }

    fn holds(&self, world: &World) -> bool {
        (0..2).all(|client| {
            let other = 1 - client;
            let sessions = world.sfu.tracks_of(NAMES[client]);
            let played = world.lately(client, 100);
            let is_heard = amplitude(played, HZ[other]) > 0.15;
            let is_silent = level_dbfs(played) < HEARD_DBFS;
            sessions == [[self.is_muted[client]]] && if self.is_muted[other] { is_silent } else { is_heard }
        })
    }
}

/// One cut; what was cut is whole again when it returns.
fn cut(world: &mut World, random: &mut Random) {
    let client = random.below(2) as usize;
    let (identity, now) = (NAMES[client], world.clock.now());
    match random.below(8) {
        0 => world.sfu.cut_signal(identity),
        1 => {
            world.client(client).ports().set_udp(false);
            world.run_ms(200 + random.below(6000));
            world.client(client).ports().set_udp(true);
        }
        2 => {
            world.set_network(client, false);
            world.run_ms(200 + random.below(8000));
            world.set_network(client, true);
        }
        3 => {
            world.stop_server();
            world.run_ms(100 + random.below(3000));
            world.start_server();
        }
        4 => world.sfu.send_leave(identity, Reason::ConnectionTimeout, Action::Resume, now),
        5 => world.sfu.send_leave(identity, Reason::StateMismatch, Action::Reconnect, now),
        6 => world.sfu.send_leave(identity, Reason::ServerShutdown, Action::Disconnect, now),
        _ => {
            for _ in 0..3 {
                world.sfu.cut_signal(identity);
                world.run_ms(20 + random.below(300));
            }
        }
    }
}

#[test]
fn two_hundred_cuts_in_a_row() {
    let mut world = World::new();
    let mut random = Random::new(0x2475).fork("cuts");
    let mut model = Model { is_muted: [false; 2], seen: Default::default() };
    for (name, hz) in NAMES.into_iter().zip(HZ) {
        let client = world.enter(Setup::talker(name, Sound::Tone(hz)));
        world.client(client).ports().is_metered = true;
    }
    world.run_ms(2000);
    let (mut slowest_ms, mut joins, mut holes, mut memory) = (0.0f64, 0, 0, Vec::new());
    for number in 1..=CUTS {
        let joined_before = world.sfu.log.joins;
        cut(&mut world, &mut random);
        if random.chance(0.3) {
            world.run_ms(random.below(500));
            cut(&mut world, &mut random);
        }
        if random.chance(0.3) {
            let client = random.below(2) as usize;
            model.is_muted[client] ^= true;
            let command = if model.is_muted[client] { Command::Mute } else { Command::Unmute };
            world.command(client, command);
        }
        // Until then the last sound before the cut would be taken for the first after it.
        let began_ms = world.clock.elapsed_ms();
        world.run_ms(150);
        // For good: a resume that still runs when sound is back may cost it one more hole.
        let mut is_back = false;
        while !is_back && world.run_until_done(40_000, |world| model.holds(world)) {
            slowest_ms = slowest_ms.max(world.clock.elapsed_ms() - began_ms);
            world.run_ms(500);
            is_back = model.holds(&world);
            holes += u32::from(!is_back);
            assert!(world.clock.elapsed_ms() - began_ms < 60_000.0, "after cut {number}: it does not settle");
        }
        assert!(is_back, "after cut {number}: {:?}", NAMES.map(|name| world.sfu.tracks_of(name)));
        model.follow(&mut world);
        assert_eq!(
            model.seen,
            [1, 0].map(|other| BTreeSet::from([NAMES[other].to_string()])),
            "cut {number}"
        );
        joins += world.sfu.log.joins.saturating_sub(joined_before);
        world.forget();
        if number % 50 == 0 {
            memory.push(Meter::bytes());
        }
    }
    println!(
        "{CUTS} cuts: {joins} new sessions, {:.0} s, slowest return {slowest_ms:.0} ms, {holes} more holes, heap of both after each 50: {memory:?} bytes",
        world.clock.elapsed_ms() / 1000.0
    );
    // The first connections were made before the meter ran.
    let (second, last) = (memory[1], memory[memory.len() - 1]);
    assert!(last <= second + second / 10, "{memory:?}");
}
