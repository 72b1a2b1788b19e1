//! Scenario tests of calls: inputs of a box, and its decisions.

#![allow(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]

use std::time::{Duration, Instant};

use crate::device::allow::Allow;
use crate::device::call::{Call, CallSettings, CallStage, Decision, JoinWhen, RETURN_PATIENCE, Refused};
use crate::event::ParticipantKind::Standard;
use crate::event::{CallFacts, Event};

const SECOND: Duration = Duration::from_secs(1);

/// A call with a clock, whose decisions are compared as words.
struct Door {
    call: Call,
    now: Instant,
}

impl Door {
    fn new(join: JoinWhen) -> Door {
        let now = Instant::now();
        let allow = |pattern: &str| Allow::new([pattern.to_owned()]).expect("usable");
        let settings = CallSettings {
            join,
            ring_timeout: 30 * SECOND,
            call_max: Some(300 * SECOND),
            parties: allow("flat-*"),
            answers_at_once: allow("flat-9"),
        };
        Door { call: Call::new(settings, now), now }
    }

    /// Lets time pass, deadline by deadline.
    fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.call.poll_timeout().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.call.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn decided(&mut self) -> String {
        let word = |decision| match decision {
            Decision::Enter => "enter".to_owned(),
            Decision::Leave => "leave".to_owned(),
            Decision::Microphone(true) => "open".to_owned(),
            Decision::Microphone(false) => "close".to_owned(),
            Decision::Play(tone) => format!("{tone:?}").to_lowercase(),
            Decision::Tell(Event::Ringing(facts)) => told("ringing", &facts),
            Decision::Tell(Event::CallAnswered(facts)) => told("call_answered", &facts),
            Decision::Tell(Event::CallEnded(facts)) => told("call_ended", &facts),
            Decision::Tell(Event::CallMissed(facts)) => told("call_missed", &facts),
            Decision::Tell(other) => format!("{other:?}"),
        };
        std::iter::from_fn(|| self.call.poll_decision()).map(word).collect::<Vec<_>>().join(" ")
    }
}

fn told(name: &str, facts: &CallFacts) -> String {
    format!("{name}({},{},{})", facts.identity, facts.reason, facts.seconds)
}

#[test]
fn a_bell_is_rung_and_answered_and_the_party_hangs_up() {
    let mut door = Door::new(JoinWhen::OnRing);
    assert_eq!(door.decided(), "", "not in the room before the first ring");
    door.call.ring(None, "button", door.now).expect("idle");
    assert_eq!(door.decided(), "enter open ringing ringing(,button,0)");
    door.wait(4 * SECOND);
    assert_eq!(door.call.answered("stranger", Standard, "microphone", door.now), Err(Refused::NotAllowed));
    door.call.answered("flat-1", Standard, "rpc", door.now).expect("rings");
    assert_eq!(door.decided(), "answered open call_answered(flat-1,rpc,4)");
    door.wait(20 * SECOND);
    assert_eq!(door.call.hung_up_by("flat-2", "remote", door.now), Err(Refused::NoCall));
    door.call.hung_up_by("flat-1", "remote", door.now).expect("a call");
    assert_eq!(door.decided(), "close ended call_ended(flat-1,remote,20)");
    door.wait(10 * SECOND);
    assert_eq!(door.decided(), "leave");
    assert_eq!(door.call.poll_timeout(), None);
}

#[test]
fn nobody_answers() {
    let mut door = Door::new(JoinWhen::OnRing);
    door.call.ring(None, "button", door.now).expect("idle");
    door.decided();
    door.wait(31 * SECOND);
    assert_eq!(door.decided(), "close trouble call_missed(,timeout,30)");
    door.wait(2 * SECOND);
    assert_eq!(door.decided(), "leave");
}

#[test]
fn a_second_press_changes_nothing_and_a_new_ring_keeps_the_box_in_the_room() {
    let mut door = Door::new(JoinWhen::OnRing);
    door.call.ring(None, "button", door.now).expect("idle");
    assert_eq!(door.call.ring(None, "button", door.now), Err(Refused::Busy));
    door.call.hang_up("button", door.now).expect("rings");
    door.decided();
    door.wait(SECOND);
    door.call.ring(Some(("flat-3", None)), "ctl", door.now).expect("idle again");
    assert_eq!(door.decided(), "enter open ringing ringing(flat-3,ctl,0)");
    door.wait(10 * SECOND);
    assert_eq!(door.decided(), "", "it does not leave while it rings");
    assert_eq!(
        door.call.answered("flat-1", Standard, "rpc", door.now),
        Err(Refused::NotAllowed),
        "another party is rung"
    );
    door.call.answered("flat-3", Standard, "rpc", door.now).expect("the party that is rung");
}

#[test]
fn a_call_ends_at_its_maximum_length() {
    let mut door = Door::new(JoinWhen::Always);
    assert_eq!(door.decided(), "enter");
    door.call.ring(None, "button", door.now).expect("idle");
    door.call.answered("flat-1", Standard, "rpc", door.now).expect("rings");
    door.decided();
    door.wait(301 * SECOND);
    assert_eq!(door.decided(), "close ended call_ended(flat-1,longest,300)");
    door.wait(60 * SECOND);
    assert_eq!(door.decided(), "", "it stays in the room");
}

#[test]
fn somebody_rings_the_box() {
    let mut door = Door::new(JoinWhen::Always);
    door.decided();
    assert_eq!(door.call.rung("stranger", Standard, door.now), Err(Refused::NotAllowed));
    door.call.rung("flat-1", Standard, door.now).expect("idle");
    assert_eq!(
        door.decided(),
        "enter ringing ringing(flat-1,rpc,0)",
        "the microphone is closed before the answer"
    );
    assert_eq!(door.call.rung("flat-2", Standard, door.now), Err(Refused::Busy));
    door.wait(3 * SECOND);
    door.call.answer("button", door.now).expect("rings");
    assert_eq!(door.decided(), "answered open call_answered(flat-1,button,3)");
    door.call.hang_up("button", door.now).expect("a call");
    door.decided();
    door.call.rung("flat-9", Standard, door.now).expect("idle");
    assert_eq!(
        door.decided(),
        "enter ringing ringing(flat-9,rpc,0) answered open call_answered(flat-9,list,0)"
    );
}

#[test]
fn a_party_that_leaves_may_come_back() {
    let mut door = Door::new(JoinWhen::Always);
    door.call.ring(None, "button", door.now).expect("idle");
    door.call.answered("flat-1", Standard, "rpc", door.now).expect("rings");
    door.decided();
    door.call.went("flat-1", door.now);
    door.wait(5 * SECOND);
    door.call.came("flat-1");
    door.wait(20 * SECOND);
    assert_eq!(door.call.stage(), CallStage::Talking);
    door.call.went("flat-2", door.now);
    door.call.went("flat-1", door.now);
    door.wait(RETURN_PATIENCE);
    assert_eq!(door.decided(), "close ended call_ended(flat-1,left,35)");
}

#[test]
fn a_caller_who_gives_up_is_a_missed_call() {
    let mut door = Door::new(JoinWhen::Always);
    door.call.rung("flat-1", Standard, door.now).expect("idle");
    door.decided();
    door.wait(7 * SECOND);
    door.call.went("flat-1", door.now);
    assert_eq!(door.decided(), "close ended call_missed(flat-1,left,7)");
}

/// Inputs in any order: no decision is lost, no ring or call exceeds its maximum length, and the microphone is open
/// only in a call.
#[test]
fn any_order_of_inputs_keeps_the_invariants() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut door = Door::new(if seed % 2 == 0 { JoinWhen::Always } else { JoinWhen::OnRing });
        let mut is_open = false;
        for _ in 0..200 {
            let who = ["flat-1", "flat-2", "flat-9", "stranger", ""][random.usize(..5)];
            let now = door.now;
            match random.u8(..8) {
                0 => _ = door.call.ring(Some((who, None)).filter(|(who, _)| !who.is_empty()), "button", now),
                1 => _ = door.call.rung(who, Standard, now),
                2 => _ = door.call.answer("button", now),
                3 => _ = door.call.answered(who, Standard, "rpc", now),
                4 => _ = door.call.hung_up_by(who, "remote", now),
                5 => door.call.came(who),
                6 => door.call.went(who, now),
                _ => door.wait(Duration::from_millis(random.u64(..40_000))),
            }
            while let Some(decision) = door.call.poll_decision() {
                if let Decision::Microphone(open) = decision {
                    is_open = open;
                }
            }
            let stage = door.call.stage();
            assert_eq!(
                stage == CallStage::Idle,
                door.call.party().is_empty() && stage != CallStage::RingingOut
            );
            assert_eq!(is_open, matches!(stage, CallStage::RingingOut | CallStage::Talking));
            let longest = if stage == CallStage::Talking { 300 } else { 30 };
            assert!(stage == CallStage::Idle || door.call.lasts(door.now) < longest * SECOND);
        }
    }
}
