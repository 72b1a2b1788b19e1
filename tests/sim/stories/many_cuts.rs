//! Two hundred cuts in a row, of every kind, from a seed: always back, in the state that was left, with flat memory.
//!
//! The model of the room is small: two sessions, one track each, muted as last asked; each sees the other, as it last told of
//! itself, and nobody else; who is not muted is heard. Reliable messages are sent while all that happens ([`Talk`]).

use crate::alloc::meter::Meter;
use crate::card::{HEARD_DBFS, Sound, amplitude, level_dbfs};
use crate::client::Setup;
use crate::random::Random;
use crate::world::World;
use kinglet::command::message::{Address, DataMessage};
use kinglet::command::{Command, Reply};
use kinglet::event::Event;
use livekit_protocol::DisconnectReason as Reason;
use livekit_protocol::leave_request::Action;
use std::collections::BTreeMap;

const CUTS: u64 = 200;
const NAMES: [&str; 2] = ["door", "hall"];
const HZ: [f64; 2] = [400.0, 700.0];
const TOPIC: &str = "cuts";

/// What must be true once everybody is back.
#[derive(Default)]
struct Model {
    is_muted: [bool; 2],
    /// What each last told of itself.
    told: [u64; 2],
    /// Whom each sees, and what of it, by the events so far.
    seen: [BTreeMap<String, String>; 2],
    /// What each says to the other.
    talk: [Talk; 2],
}

/// Numbered messages from one to the other: each arrives once and in order. What does not arrive was on its way when the
/// sender's session was lost, who reports it, or the other had no session.
#[derive(Default)]
struct Talk {
    next: u32,
    sent: Vec<u32>,
    got: Vec<u32>,
    /// As many as the sender has reported.
    unconfirmed: u32,
    /// The receiver had to join anew.
    is_receiver_new: bool,
}

impl Talk {
    /// Takes what is over; how many of it did not arrive.
    fn settle(&mut self, cut: u64) -> usize {
        assert!(
            self.got.is_sorted_by(|one, next| one < next),
            "cut {cut}: once and in order, {:?}",
            self.got
        );
        let missing = self.sent.iter().filter(|number| !self.got.contains(number)).count();
        assert!(
            missing as u32 <= self.unconfirmed || self.is_receiver_new,
            "cut {cut}: {missing} of {:?} missing, {} reported, got {:?}",
            self.sent,
            self.unconfirmed,
            self.got
        );
        *self = Talk { next: self.next, ..Talk::default() };
        missing
    }
}

impl Model {
    /// Takes the events since the last call.
    fn follow(&mut self, world: &mut World) {
        for (client, name) in NAMES.into_iter().enumerate() {
            for (_, event) in std::mem::take(&mut world.client(client).events) {
                match event {
                    Event::ParticipantJoined(who) => {
                        let told = who.attributes.get("told").cloned().unwrap_or_default();
                        let before = self.seen[client].insert(who.identity.clone(), told);
                        assert!(before.is_none(), "{} came twice", who.identity);
                    }
                    // One's own change is told, too.
                    Event::ParticipantChanged(who) if who.identity != name => {
                        let told = who.attributes.get("told").cloned().unwrap_or_default();
                        assert!(self.seen[client].insert(who.identity, told).is_some());
                    }
                    Event::ParticipantLeft(left) => {
                        let identity = left.who.identity;
                        assert!(self.seen[client].remove(&identity).is_some(), "{identity} left twice");
                    }
                    Event::Disconnected { reason, will_retry, .. } => {
                        assert!(will_retry, "{reason}");
                        self.talk[1 - client].is_receiver_new = true;
                    }
                    Event::Data(data) => {
                        let number = std::str::from_utf8(&data.payload).unwrap().parse().unwrap();
                        self.talk[1 - client].got.push(number);
                    }
                    Event::DataUnconfirmed { count, .. } => self.talk[client].unconfirmed += count,
                    _ => {}
                }
            }
        }
    }

    /// Says a few words each way, to whoever is there.
    fn say(&mut self, world: &mut World, count: u64) {
        for client in 0..2 {
            for _ in 0..count {
                let talk = &mut self.talk[client];
                let address = Address { topic: TOPIC.to_string(), to: Vec::new() };
                let payload = talk.next.to_string().into_bytes();
                let message = DataMessage { address, payload, is_lossy: false };
                // Outside of the room it is refused, and not sent.
                if let Reply::Now(Ok(_)) = world.ask(client, Command::Data(message)) {
                    talk.sent.push(talk.next);
                }
                talk.next += 1;
            }
        }
    }

    /// The last word of each has arrived, and all before it that will.
    fn is_said(&mut self, world: &mut World) -> bool {
        self.follow(world);
        self.talk.iter().all(|talk| talk.sent.last() == talk.got.last())
    }

    /// Each tells something else of itself; that is to outlast all that follows.
    fn tell(&mut self, world: &mut World, client: usize, number: u64) {
        self.told[client] = number;
        let told = BTreeMap::from([("told".to_string(), number.to_string())]);
        world.ask(client, Command::Attributes(told));
        world.run_ms(200);
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

    /// Whom each should see.
    fn is_seen_as_it_is(&self) -> bool {
        let wanted = [1, 0].map(|other| {
            let told = self.told[other];
            let told = if told == 0 { String::new() } else { told.to_string() };
            BTreeMap::from([(NAMES[other].to_string(), told)])
        });
        self.seen == wanted
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
    let mut model = Model::default();
    for (name, hz) in NAMES.into_iter().zip(HZ) {
        let client = world.enter(Setup::talker(name, Sound::Tone(hz)));
        world.client(client).ports().is_metered = true;
    }
    world.run_ms(2000);
    let (mut slowest_ms, mut joins, mut holes, mut memory) = (0.0f64, 0, 0, Vec::new());
    let (mut said, mut missing, mut reported) = (0, 0, 0);
    for number in 1..=CUTS {
        let joined_before = world.sfu.log.joins;
        if random.chance(0.2) {
            model.tell(&mut world, random.below(2) as usize, number);
        }
        model.say(&mut world, random.below(4));
        cut(&mut world, &mut random);
        model.say(&mut world, random.below(4));
        if random.chance(0.3) {
            world.run_ms(random.below(500));
            cut(&mut world, &mut random);
            model.say(&mut world, 1);
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
        model.say(&mut world, 1);
        let end = world.clock.elapsed_ms() + 5000.0;
        while !model.is_said(&mut world) {
            assert!(world.clock.elapsed_ms() < end, "after cut {number}: no message arrives");
            world.run_ms(20);
        }
        assert!(model.is_seen_as_it_is(), "after cut {number}: {:?}, told {:?}", model.seen, model.told);
        said += model.talk.iter().map(|talk| talk.sent.len()).sum::<usize>();
        reported += model.talk.iter().map(|talk| talk.unconfirmed).sum::<u32>();
        missing += model.talk.iter_mut().map(|talk| talk.settle(number)).sum::<usize>();
        joins += world.sfu.log.joins.saturating_sub(joined_before);
        world.forget();
        if number % 50 == 0 {
            memory.push(Meter::bytes());
        }
    }
    println!(
        "{CUTS} cuts: {joins} new sessions, {:.0} s, slowest return {slowest_ms:.0} ms, {holes} more holes, heap of both after each 50: {memory:?} bytes; \
         {said} messages, {missing} not arrived, {reported} reported",
        world.clock.elapsed_ms() / 1000.0
    );
    assert!(said > 1000 && missing * 2 < said, "{missing} of {said} messages did not arrive");
    // The first connections were made before the meter ran.
    let (second, last) = (memory[1], memory[memory.len() - 1]);
    assert!(last <= second + second / 10, "{memory:?}");
}
