//! What becomes of both ends when cards come and go: cards that a test holds in its hand, and a clock that it moves.

use std::time::Duration;

use super::*;
use crate::io::runtime::clock;
use crate::io::sound::Captured;
use crate::io::sound::tests::scripted::{self, Script, pcm_of};
use crate::media::block::Block;

const BOTH: &[StreamDirection] = &[StreamDirection::Playback, StreamDirection::Capture];
const MICROPHONE: &[StreamDirection] = &[StreamDirection::Capture];

/// A device with these cards, none of which is plugged in at first.
struct TestDevice {
    cards: Vec<(&'static str, &'static [StreamDirection], Vec<Script>)>,
    plugged: Vec<&'static str>,
    pair: Option<Pair>,
    runs: bool,
    in_call: bool,
    now: Instant,
    heard: Vec<String>,
    turns: u32,
}

impl TestDevice {
    fn new(cards: &[(&'static str, &'static [StreamDirection])]) -> TestDevice {
        let script = |id: &str, direction: StreamDirection| {
            let script = Script::new(pcm_of(id, direction).trim_start_matches("scripted:"));
            script.plug(false);
            script
        };
        let cards = cards.iter().map(|&(id, directions)| {
            (id, directions, directions.iter().map(|&direction| script(id, direction)).collect())
        });
        scripted::list(&[]);
        let (plugged, heard) = (Vec::new(), Vec::new());
        let (runs, in_call, turns) = (false, false, 0);
        TestDevice {
            cards: cards.collect(),
            plugged,
            pair: None,
            runs,
            in_call,
            now: clock::now(),
            heard,
            turns,
        }
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
        let directions = |id: &str| self.cards.iter().find(|card| card.0 == id).expect("a card").1;
        let listed: Vec<(&str, &[StreamDirection])> =
            self.plugged.iter().map(|&id| (id, directions(id))).collect();
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
        self.names() == (&pcm_of(id, StreamDirection::Capture), &pcm_of(id, StreamDirection::Playback))
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
            let mut device = TestDevice::new(&[("camera", MICROPHONE), ("jabra", BOTH)]);
            device.plug(order[0], true);
            device.open("auto", "auto");
            device.runs = runs;
            device.wait_ms(3_000);
            device.plug(order[1], true);
            device.wait_ms(500);
            assert!(device.is_on("jabra"), "{order:?}: {:?}", device.names());
            let why = device.pair.as_ref().map(|pair| pair.why);
            assert_eq!(why, Some(Why::OneCard));
            let told = device.told();
            assert!(told.ends_with("open") && told.contains("jabra-in capture open"), "{told}");
        }
    }
}

#[test]
fn another_model_takes_the_place_of_a_card_that_was_pulled_out() {
    for in_call in [false, true] {
        let mut device = TestDevice::new(&[("poly", BOTH), ("jabra", BOTH)]);
        device.plug("jabra", true);
        device.open("auto", "auto");
        (device.runs, device.in_call) = (true, in_call);
        device.wait_ms(2_000);
        device.plug("jabra", false);
        device.wait_ms(3_000);
        assert_eq!(device.states(), [SoundState::Lost; 2]);
        device.plug("poly", true);
        device.wait_ms(1_000);
        assert!(device.is_on("poly"), "{:?}", device.names());
        let counters = device.pair.as_ref().map(|pair| pair.microphone.counters());
        assert_eq!(counters.map(|counters| counters.reopens), Some(1));
        assert_eq!(
            device.told(),
            "jabra-in capture open, jabra-out playback open, jabra-in capture lost, jabra-out playback lost, \
             poly-in capture open, poly-out playback open"
        );
    }
}

#[test]
fn a_card_that_is_lost_before_the_kernel_says_so_is_left() {
    let mut device = TestDevice::new(&[("jabra", BOTH), ("poly", BOTH)]);
    device.plug("jabra", true);
    device.open("auto", "auto");
    device.runs = true;
    device.wait_ms(1_000);
    device.plug("poly", true);
    device.wait_ms(500);
    assert!(device.is_on("jabra"), "{:?}", device.names());
    // Nothing wakes, and the next look of each second is half a second away.
    let watched = device.pair.take();
    device.plug("jabra", false);
    device.pair = watched;
    device.wait_ms(300);
    assert!(device.is_on("poly"), "{:?}", device.names());
}

#[test]
fn in_a_call_nothing_moves_that_works() {
    let mut device =
        TestDevice::new(&[("camera", MICROPHONE), ("jack", &[StreamDirection::Playback]), ("jabra", BOTH)]);
    device.plug("camera", true);
    device.plug("jack", true);
    device.open("auto", "auto");
    (device.runs, device.in_call) = (true, true);
    device.wait_ms(1_000);
    device.plug("jabra", true);
    device.wait_ms(10_000);
    assert_eq!(device.names(), ("scripted:camera-in", "scripted:jack-out"));
    device.in_call = false;
    device.wait_ms(10);
    assert!(device.is_on("jabra"), "at once when the call is over: {:?}", device.names());
}

/// One that came back is a pair again: its loudspeaker alone would hear no echo reference, and be heard.
#[test]
fn a_pair_that_was_lost_in_a_call_comes_back_as_a_pair() {
    let mut device = TestDevice::new(&[("camera", MICROPHONE), ("jabra", BOTH)]);
    device.plug("camera", true);
    device.plug("jabra", true);
    device.open("auto", "auto");
    (device.runs, device.in_call) = (true, true);
    device.wait_ms(1_000);
    device.plug("jabra", false);
    device.wait_ms(1_000);
    assert_eq!(device.names().0, "scripted:camera-in", "meanwhile the microphone that there is");
    assert_eq!(device.states(), [SoundState::Open, SoundState::Lost]);
    device.plug("jabra", true);
    device.wait_ms(1_000);
    assert!(device.is_on("jabra"), "{:?}", device.names());
    device.plug("camera", false);
    device.wait_ms(1_000);
    assert!(device.is_on("jabra"));
}

#[test]
fn a_choice_that_cannot_be_opened_costs_nothing_and_is_asked_each_second() {
    let mut device = TestDevice::new(&[("camera", MICROPHONE), ("jabra", BOTH)]);
    device.plug("camera", true);
    device.open("auto", "none");
    // Another program has it.
    device.plugged.push("jabra");
    device.list();
    device.wait_ms(500);
    let turns = device.turns;
    device.wait_ms(20_000);
    assert_eq!(device.names().0, "scripted:camera-in");
    assert_eq!(device.states()[0], SoundState::Open);
    assert!(device.turns - turns <= 21, "{} wake-ups in 20 s", device.turns - turns);
    device.cards.iter().flat_map(|card| &card.2).for_each(|script| script.plug(true));
    device.wait_ms(1_100);
    assert_eq!(device.names().0, "scripted:jabra-in");
}

#[test]
fn cards_are_watched_while_nobody_needs_them() {
    for spec in [["alsa:scripted:jabra-in", "alsa:scripted:jabra-out"], ["auto", "auto"]] {
        let mut device = TestDevice::new(&[("jabra", BOTH)]);
        device.plug("jabra", true);
        device.open(spec[0], spec[1]);
        assert_eq!(device.told(), "jabra-in capture open, jabra-out playback open");
        let turns = device.turns;
        device.wait_ms(60_000);
        assert!(device.turns - turns <= 1, "no wake-up while all is well");
        device.plug("jabra", false);
        device.wait_ms(10);
        assert_eq!(device.told(), "jabra-in capture lost, jabra-out playback lost");
        let turns = device.turns;
        device.wait_ms(60_000);
        assert!(device.turns - turns <= 62, "{} wake-ups in a minute", device.turns - turns);
        device.plug("jabra", true);
        // As soon as the kernel reports it and `auto` has settled; not with the check of each second.
        device.wait_ms(250);
        assert_eq!(device.told(), "jabra-in capture open, jabra-out playback open");
        let missed = device.pair.as_mut().map(|pair| pair.microphone.take_missed(device.now));
        assert_eq!(missed, Some(0), "its sound was not missed");
    }
}

#[test]
fn a_card_that_is_named_stays() {
    let mut device = TestDevice::new(&[("camera", MICROPHONE), ("jabra", BOTH), ("poly", BOTH)]);
    device.plug("camera", true);
    device.plug("poly", true);
    device.open("alsa:scripted:camera-in", "auto");
    device.runs = true;
    device.plug("jabra", true);
    device.wait_ms(1_000);
    assert_eq!(device.names(), ("scripted:camera-in", "scripted:jabra-out"), "only what is auto moves");
    device.plug("camera", false);
    device.wait_ms(5_000);
    assert_eq!((device.names().0, device.states()[0]), ("scripted:camera-in", SoundState::Lost));
}

#[test]
fn status_names_both_ends() {
    let mut device = TestDevice::new(&[("jabra", BOTH)]);
    device.plug("jabra", true);
    device.open("auto", "auto");
    device.plug("jabra", false);
    device.wait_ms(10);
    let status = device.pair.as_ref().map(Pair::status).unwrap_or_default();
    let both = (&status["input"], &status["output"]);
    assert_eq!(both, (&json!("scripted:jabra-in lost"), &json!("scripted:jabra-out lost")));
}
