//! Tests that need sound cards: run on the emulated board (two loopback cards, Mic and Speaker), where
//! what is played to device 0 of a card is heard on its device 1. There:
//! `cargo test --lib -- --ignored --test-threads 1 on_board`.

#![allow(clippy::disallowed_methods)] // a clock and a way to wait are what a driver has

use std::process::Command;
use std::time::{Duration, Instant};

use crate::io::sound::{Captured, Loudspeaker, Microphone, SoundCounters, SoundState};
use crate::limits::CARD_DESCRIPTORS_MAX;
use crate::media::block::{BLOCK_FRAMES, Block};

/// A driver in small: plays numbered samples, keeps what it records, on one thread.
struct Bench {
    microphone: Microphone,
    loudspeaker: Loudspeaker,
    next: u32,
    heard: Vec<i32>,
    turns: u32,
    delays_ms: (f32, f32),
}

impl Bench {
    fn open(input: &str, output: &str) -> Bench {
        let microphone = Microphone::open(&input.parse().unwrap(), false).unwrap();
        let loudspeaker = Loudspeaker::open(&output.parse().unwrap()).unwrap();
        Bench { microphone, loudspeaker, next: 0, heard: Vec::new(), turns: 0, delays_ms: (0.0, 0.0) }
    }

    fn run(&mut self, length: Duration) {
        let end = Instant::now() + length;
        self.microphone.start(Instant::now());
        self.loudspeaker.start(Instant::now());
        loop {
            let now = Instant::now();
            if now >= end {
                return;
            }
            self.turns += 1;
            for _ in 0..self.loudspeaker.wanted(now) {
                let block = Block(std::array::from_fn(|i| sample(self.next + i as u32)));
                self.next += BLOCK_FRAMES as u32;
                self.loudspeaker.write(&block, now);
            }
            let mut block = Block::SILENCE;
            while self.microphone.read(&mut block, now) == Captured::Block {
                self.heard.extend(block.0.iter().map(|s| (s * 32_768.0) as i32));
            }
            let (input, output) = &mut self.delays_ms;
            *input = input.max(self.microphone.delay_ms());
            *output = output.max(self.loudspeaker.delay_ms());
            let due =
                [self.microphone.next_due(now), self.loudspeaker.next_due(now)].into_iter().flatten().min();
            let wait = due.map_or(end, |due| due.min(end)).saturating_duration_since(now);
            let mut fds = heapless::Vec::<libc::pollfd, CARD_DESCRIPTORS_MAX>::new();
            self.microphone.descriptors(&mut fds);
            let mut own = heapless::Vec::new();
            self.loudspeaker.descriptors(&mut own);
            fds.extend_from_slice(&own).unwrap();
            alsa::poll::poll(&mut fds, wait.as_millis() as i32 + 1).unwrap();
        }
    }

    fn counters(&self) -> (SoundCounters, SoundCounters) {
        (self.microphone.counters(), self.loudspeaker.counters())
    }

    /// Places where the recorded numbers do not go on as played, silence at the beginning apart.
    fn breaks(&self) -> Vec<(usize, i32, i32)> {
        let begin = self.heard.iter().position(|&s| s != 0).unwrap_or(self.heard.len());
        let heard = &self.heard[begin..];
        let follows = |a: i32, b: i32| b == a + 1 || (a == PERIOD as i32 && b == 1);
        heard
            .windows(2)
            .enumerate()
            .filter(|(_, w)| !follows(w[0], w[1]))
            .map(|(i, w)| (i, w[0], w[1]))
            .collect()
    }
}

const PERIOD: u32 = 30_000;

/// Samples count from 1 to 30 000 and again, in units of s16; zero is none of them.
fn sample(n: u32) -> f32 {
    (n % PERIOD + 1) as f32 / 32_768.0
}

fn rig(command: &str) {
    assert!(Command::new("sh").args(["-c", command]).status().unwrap().success(), "{command}");
}

#[test]
#[ignore = "needs the emulated board"]
fn a_minute_without_a_fault() {
    let mut bench = Bench::open("alsa:hw:Speaker,1", "alsa:hw:Speaker,0");
    bench.run(Duration::from_secs(60));
    assert_eq!(bench.breaks(), []);
    assert_eq!(bench.counters(), Default::default());
    assert!(
        bench.heard.len() >= 59 * 48_000 && bench.turns < 13_000,
        "a wake-up for each period of each card"
    );
    assert!(bench.delays_ms.1 <= 31.0);
}

#[test]
#[ignore = "needs the emulated board"]
fn two_cards_and_plug_names() {
    let mut bench = Bench::open("alsa:plughw:CARD=Mic,DEV=1", "alsa:plughw:CARD=Speaker,DEV=0");
    bench.run(Duration::from_secs(5));
    assert_eq!(bench.counters(), Default::default());
    let mut auto = Bench::open("auto", "none");
    assert_eq!(auto.microphone.name(), "plughw:CARD=Mic,DEV=0");
    auto.run(Duration::from_secs(1));
    assert!(auto.heard.len() > 47_000);
}

#[test]
#[ignore = "needs the emulated board"]
fn a_card_in_use_is_told() {
    let _first = Bench::open("alsa:hw:Mic,1,0", "alsa:hw:Speaker,0,0");
    let error = Microphone::open(&"alsa:hw:Mic,1,0".parse().unwrap(), false).unwrap_err();
    assert_eq!((error.to_string().contains("in use"), error.exit_status().code()), (true, 6), "{error}");
    let cards = crate::io::sound::list::list();
    let first = &cards[0].pcms[0];
    assert_eq!((cards[0].id.as_str(), first.name.as_str()), ("Mic", "plughw:CARD=Mic,DEV=0"));
    assert!(first.opens_as.as_ref().is_some_and(|opens| opens.period_frames == 480));
}

#[test]
#[ignore = "needs the emulated board"]
fn overruns_are_filled_so_that_time_goes_on() {
    let mut bench = Bench::open("alsa:hw:Mic,1", "alsa:hw:Speaker,0");
    bench.run(Duration::from_secs(1));
    for _ in 0..3 {
        rig("rig xrun Mic pcm1c");
        bench.run(Duration::from_secs(1));
    }
    // The loop is busy elsewhere for longer than the ring is deep.
    std::thread::sleep(Duration::from_millis(300));
    bench.run(Duration::from_secs(1));
    let (input, output) = bench.counters();
    assert_eq!((input.xruns, output.xruns), (4, 1));
    let expected = 5_300 * 48;
    assert!((bench.heard.len() as i64 - expected).abs() <= 960, "{} of {expected}", bench.heard.len());
    rig("rig xrun Speaker pcm0p");
    bench.run(Duration::from_secs(1));
    assert_eq!(bench.counters().1.xruns, 2);
}

#[test]
#[ignore = "needs the emulated board"]
fn pulled_out_and_put_back() {
    let mut bench = Bench::open("alsa:plughw:CARD=Mic,DEV=1", "alsa:plughw:CARD=Speaker,DEV=0");
    bench.run(Duration::from_secs(1));
    for card in ["Mic", "Speaker"] {
        // Ends only when we have closed the card, so nobody waits for it here.
        let mut unplug = Command::new("rig").args(["unplug", card]).spawn().unwrap();
        let (turns, heard, played) = (bench.turns, bench.heard.len(), bench.next);
        bench.run(Duration::from_secs(3));
        let lost =
            (bench.microphone.state() == SoundState::Lost, bench.loudspeaker.state() == SoundState::Lost);
        assert_eq!(lost, (card == "Mic", card == "Speaker"));
        assert!(bench.turns - turns < 700);
        let close = |frames: usize| (frames as i64 - 3 * 48_000).abs() < 1_500;
        assert!(close(bench.heard.len() - heard), "{}", bench.heard.len() - heard);
        assert!(close((bench.next - played) as usize), "{}", bench.next - played);
        assert!(unplug.wait().unwrap().success());
        rig(&format!("rig plug {card}"));
        bench.run(Duration::from_secs(1));
        assert_eq!(
            (bench.microphone.state(), bench.loudspeaker.state()),
            (SoundState::Open, SoundState::Open)
        );
    }
    let (input, output) = bench.counters();
    assert_eq!((input.reopens, output.reopens), (1, 1));
}

#[test]
#[ignore = "needs the emulated board"]
fn other_rates_channels_and_formats_are_converted() {
    for (rate_hz, channels, format) in [
        (44_100, 2, "S32_LE"),
        (16_000, 1, "S16_LE"),
        (22_050, 2, "FLOAT_LE"),
        (96_000, 1, "S16_LE"),
        (48_000, 2, "S24_3LE"),
    ] {
        // The other end of a loopback decides what this end can be opened with.
        let other = |program: &str, device: &str| {
            Command::new(program)
                .args([
                    "-q",
                    "-D",
                    device,
                    "-t",
                    "raw",
                    "-c",
                    &channels.to_string(),
                    "-r",
                    &rate_hz.to_string(),
                ])
                .args(["-f", format, if program == "aplay" { "/dev/zero" } else { "/dev/null" }])
                .spawn()
                .unwrap()
        };
        let mut others = [other("aplay", "hw:Mic,0"), other("arecord", "hw:Speaker,1")];
        std::thread::sleep(Duration::from_millis(300));
        let mut bench = Bench::open("alsa:plughw:CARD=Mic,DEV=1", "alsa:plughw:CARD=Speaker,DEV=0");
        bench.run(Duration::from_secs(3));
        let counters = bench.counters();
        for child in &mut others {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!((counters.0.xruns, counters.1.xruns, counters.1.blocks_dropped), (0, 0, 0));
        assert!((bench.heard.len() as i64 - 3 * 48_000).abs() < 2_000, "{}", bench.heard.len());
        assert!((i64::from(bench.next) - 3 * 48_000).abs() < 3_000, "{}", bench.next);
    }
}
