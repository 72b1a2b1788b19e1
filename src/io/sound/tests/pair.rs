//! What becomes of both ends when cards come and go: cards that a test holds in its hand, and a clock that it moves.

use std::time::Duration;

use super::*;
use crate::io::runtime::clock;
use crate::io::sound::Captured;
use crate::io::sound::tests::scripted::{self, Script, pcm_of};
use crate::media::block::Block;

const BOTH: &[Way] = &[Way::Playback, Way::Capture];
const MICROPHONE: &[Way] = &[Way::Capture];

/// A device with these cards, none of which is plugged in at first.
struct Desk {
    cards: Vec<(&'static str, &'static [Way], Vec<Script>)>,
    plugged: Vec<&'static str>,
    pair: Option<Pair>,
    runs: bool,
    in_call: bool,
    now: Instant,
    heard: Vec<String>,
    turns: u32,
}

impl Desk {
    fn new(cards: &[(&'static str, &'static [Way])]) -> Desk {
        let script = |id: &str, way: Way| {
            let script = Script::new(pcm_of(id, way).trim_start_matches("scripted:"));
            script.plug(false);
            script
        };
        let cards =
            cards.iter().map(|&(id, ways)| (id, ways, ways.iter().map(|&way| script(id, way)).collect()));
        scripted::list(&[]);
        let (plugged, heard) = (Vec::new(), Vec::new());
        let (runs, in_call, turns) = (false, false, 0);
        Desk { cards: cards.collect(), plugged, pair: None, runs, in_call, now: clock::now(), heard, turns }
    }

    fn open(&mut self, input: &str, output: &str) {
        let setup = SoundSetup::default().waiting();
        self.pair =
            Some(Pair::open(&input.parse().unwrap(), false, &output.parse().unwrap(), setup).unwrap());
        self.wait_ms(1_000);
    }

    /// Cards in the order in which they are found.
    fn plug(&mut self, id: &'static str, is_in: bool) {
        self.plugged.retain(|other| *other != id);
        if is_in {
            self.plugged.push(id);
        }
        for (_, _, scripts) in self.cards.iter().filter(|card| card.0 == id) {
            scripts.iter().for_each(|script| script.plug(is_in));
        }
        self.list();
    }

    /// The kernel knows these cards, whether they can be opened or not.
    fn list(&mut self) {
        let ways = |id: &str| self.cards.iter().find(|card| card.0 == id).expect("a card").1;
        let listed: Vec<(&str, &[Way])> = self.plugged.iter().map(|&id| (id, ways(id))).collect();
        scripted::list(&listed);
        if let Some(pair) = &mut self.pair {
            pair.watch.wake(self.now);
        }
    }

    fn wait_ms(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        let pair = self.pair.as_mut().expect("open");
        while self.now < end {
            self.turns += 1;
            pair.attend(false, self.in_call, self.now);
            if self.runs {
                pair.microphone.start(self.now);
                pair.loudspeaker.start(self.now);
                for script in self.cards.iter().flat_map(|card| &card.2) {
                    script.run(480);
                }
                while pair.microphone.read(&mut Block::SILENCE.clone(), self.now) == Captured::Block {}
                for _ in 0..pair.loudspeaker.wanted(self.now) {
                    pair.loudspeaker.write(&Block::SILENCE, self.now);
                }
            }
            pair.changes(|event| {
                if let Event::AudioDevice { card, state, .. } = event {
                    self.heard.push(format!("{card} {state}"));
                }
            });
            let due = pair.next_due(self.now).unwrap_or(end);
            let pace = if self.runs { self.now + Duration::from_millis(10) } else { end };
            self.now = due.max(self.now).min(pace).min(end);
        }
    }

    /// Events since the last call.
    fn told(&mut self) -> String {
        std::mem::take(&mut self.heard).join(", ").replace("scripted:", "")
    }

    fn names(&self) -> (&str, &str) {
        let pair = self.pair.as_ref().expect("open");
        (pair.microphone.name(), pair.loudspeaker.name())
    }

    fn is_on(&self, id: &str) -> bool {
        self.names() == (&pcm_of(id, Way::Capture), &pcm_of(id, Way::Playback))
            && self.states() == [SoundState::Open; 2]
    }

    fn states(&self) -> [SoundState; 2] {
        let pair = self.pair.as_ref().expect("open");
        [pair.microphone.state(), pair.loudspeaker.state()]
    }
}

#[test]
fn the_pair_whatever_comes_first() {
    for order in [["camera", "jabra"], ["jabra", "camera"]] {
        for runs in [false, true] {
            let mut desk = Desk::new(&[("camera", MICROPHONE), ("jabra", BOTH)]);
            desk.plug(order[0], true);
            desk.open("auto", "auto");
            desk.runs = runs;
            desk.wait_ms(3_000);
            desk.plug(order[1], true);
            desk.wait_ms(500);
            assert!(desk.is_on("jabra"), "{order:?}: {:?}", desk.names());
            let why = desk.pair.as_ref().map(|pair| pair.why);
            assert_eq!(why, Some(Why::OneCard));
            let told = desk.told();
            assert!(told.ends_with("open") && told.contains("jabra-in capture open"), "{told}");
        }
    }
}

#[test]
fn another_model_takes_the_place_of_a_card_that_was_pulled_out() {
    for in_call in [false, true] {
        let mut desk = Desk::new(&[("poly", BOTH), ("jabra", BOTH)]);
        desk.plug("jabra", true);
        desk.open("auto", "auto");
        (desk.runs, desk.in_call) = (true, in_call);
        desk.wait_ms(2_000);
        desk.plug("jabra", false);
        desk.wait_ms(3_000);
        assert_eq!(desk.states(), [SoundState::Lost; 2]);
        desk.plug("poly", true);
        desk.wait_ms(1_000);
        assert!(desk.is_on("poly"), "{:?}", desk.names());
        let counters = desk.pair.as_ref().map(|pair| pair.microphone.counters());
        assert_eq!(counters.map(|counters| counters.reopens), Some(1));
        assert_eq!(
            desk.told(),
            "jabra-in capture open, jabra-out playback open, jabra-in capture lost, jabra-out playback lost, \
             poly-in capture open, poly-out playback open"
        );
    }
}

#[test]
fn a_card_that_is_lost_before_the_kernel_says_so_is_left() {
    let mut desk = Desk::new(&[("jabra", BOTH), ("poly", BOTH)]);
    desk.plug("jabra", true);
    desk.open("auto", "auto");
    desk.runs = true;
    desk.wait_ms(1_000);
    desk.plug("poly", true);
    desk.wait_ms(500);
    assert!(desk.is_on("jabra"), "{:?}", desk.names());
    // Nothing wakes, and the next look of each second is half a second away.
    let watched = desk.pair.take();
    desk.plug("jabra", false);
    desk.pair = watched;
    desk.wait_ms(300);
    assert!(desk.is_on("poly"), "{:?}", desk.names());
}

#[test]
fn in_a_call_nothing_moves_that_works() {
    let mut desk = Desk::new(&[("camera", MICROPHONE), ("jack", &[Way::Playback]), ("jabra", BOTH)]);
    desk.plug("camera", true);
    desk.plug("jack", true);
    desk.open("auto", "auto");
    (desk.runs, desk.in_call) = (true, true);
    desk.wait_ms(1_000);
    desk.plug("jabra", true);
    desk.wait_ms(10_000);
    assert_eq!(desk.names(), ("scripted:camera-in", "scripted:jack-out"));
    desk.in_call = false;
    desk.wait_ms(10);
    assert!(desk.is_on("jabra"), "at once when the call is over: {:?}", desk.names());
}

/// One that came back is a pair again: its loudspeaker alone would hear no echo reference, and be heard.
#[test]
fn a_pair_that_was_lost_in_a_call_comes_back_as_a_pair() {
    let mut desk = Desk::new(&[("camera", MICROPHONE), ("jabra", BOTH)]);
    desk.plug("camera", true);
    desk.plug("jabra", true);
    desk.open("auto", "auto");
    (desk.runs, desk.in_call) = (true, true);
    desk.wait_ms(1_000);
    desk.plug("jabra", false);
    desk.wait_ms(1_000);
    assert_eq!(desk.names().0, "scripted:camera-in", "meanwhile the microphone that there is");
    assert_eq!(desk.states(), [SoundState::Open, SoundState::Lost]);
    desk.plug("jabra", true);
    desk.wait_ms(1_000);
    assert!(desk.is_on("jabra"), "{:?}", desk.names());
    desk.plug("camera", false);
    desk.wait_ms(1_000);
    assert!(desk.is_on("jabra"));
}

#[test]
fn a_choice_that_cannot_be_opened_costs_nothing_and_is_asked_each_second() {
    let mut desk = Desk::new(&[("camera", MICROPHONE), ("jabra", BOTH)]);
    desk.plug("camera", true);
    desk.open("auto", "none");
    // Another program has it.
    desk.plugged.push("jabra");
    desk.list();
    desk.wait_ms(500);
    let turns = desk.turns;
    desk.wait_ms(20_000);
    assert_eq!(desk.names().0, "scripted:camera-in");
    assert_eq!(desk.states()[0], SoundState::Open);
    assert!(desk.turns - turns <= 21, "{} wake-ups in 20 s", desk.turns - turns);
    desk.cards.iter().flat_map(|card| &card.2).for_each(|script| script.plug(true));
    desk.wait_ms(1_100);
    assert_eq!(desk.names().0, "scripted:jabra-in");
}

#[test]
fn cards_are_watched_while_nobody_needs_them() {
    for spec in [["alsa:scripted:jabra-in", "alsa:scripted:jabra-out"], ["auto", "auto"]] {
        let mut desk = Desk::new(&[("jabra", BOTH)]);
        desk.plug("jabra", true);
        desk.open(spec[0], spec[1]);
        assert_eq!(desk.told(), "jabra-in capture open, jabra-out playback open");
        let turns = desk.turns;
        desk.wait_ms(60_000);
        assert!(desk.turns - turns <= 1, "no wake-up while all is well");
        desk.plug("jabra", false);
        desk.wait_ms(10);
        assert_eq!(desk.told(), "jabra-in capture lost, jabra-out playback lost");
        let turns = desk.turns;
        desk.wait_ms(60_000);
        assert!(desk.turns - turns <= 62, "{} wake-ups in a minute", desk.turns - turns);
        desk.plug("jabra", true);
        // As soon as the kernel says so, and `auto` has come to rest; not with the next look of each second.
        desk.wait_ms(250);
        assert_eq!(desk.told(), "jabra-in capture open, jabra-out playback open");
        let missed = desk.pair.as_mut().map(|pair| pair.microphone.take_missed(desk.now));
        assert_eq!(missed, Some(0), "nobody waited for its sound");
    }
}

#[test]
fn a_card_that_is_named_stays() {
    let mut desk = Desk::new(&[("camera", MICROPHONE), ("jabra", BOTH), ("poly", BOTH)]);
    desk.plug("camera", true);
    desk.plug("poly", true);
    desk.open("alsa:scripted:camera-in", "auto");
    desk.runs = true;
    desk.plug("jabra", true);
    desk.wait_ms(1_000);
    assert_eq!(desk.names(), ("scripted:camera-in", "scripted:jabra-out"), "only what is auto moves");
    desk.plug("camera", false);
    desk.wait_ms(5_000);
    assert_eq!((desk.names().0, desk.states()[0]), ("scripted:camera-in", SoundState::Lost));
}

#[test]
fn status_names_both_ends() {
    let mut desk = Desk::new(&[("jabra", BOTH)]);
    desk.plug("jabra", true);
    desk.open("auto", "auto");
    desk.plug("jabra", false);
    desk.wait_ms(10);
    let status = desk.pair.as_ref().map(Pair::status).unwrap_or_default();
    let both = (&status["input"], &status["output"]);
    assert_eq!(both, (&json!("scripted:jabra-in lost"), &json!("scripted:jabra-out lost")));
}
