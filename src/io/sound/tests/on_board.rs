//! Tests that need sound cards: run on the emulated board (two loopback cards, Mic and Speaker), where
//! what is played to device 0 of a card is heard on its device 1. There:
//! `cargo test --lib -- --ignored --test-threads 1 on_board`.

#![allow(clippy::disallowed_methods)] // a clock and a way to wait are what a driver has

use std::process::Command;
use std::time::{Duration, Instant};

use crate::io::sound::pair::Pair;
use crate::io::sound::setup::SoundSetup;
use crate::io::sound::sizes::Buffering;
use crate::io::sound::{Captured, Microphone, SoundCounters, SoundState};
use crate::media::block::{BLOCK_FRAMES, Block};

/// A driver in small: plays numbered samples, keeps what it records, on one thread.
struct Bench {
    sound: Pair,
    next: u32,
    heard: Vec<i32>,
    /// When blocks were last moved, in either direction.
    moved_at: Option<Instant>,
    missed_blocks: u32,
    wakes: u32,
    delays_ms: (f32, f32),
}

impl Bench {
    fn open(input: &str, output: &str) -> Bench {
        Bench::with(input, output, SoundSetup::default())
    }

    fn with(input: &str, output: &str, setup: SoundSetup) -> Bench {
        let sound = Pair::open(&input.parse().unwrap(), false, &output.parse().unwrap(), setup).unwrap();
        let (heard, moved_at, delays_ms) = (Vec::new(), None, (0.0, 0.0));
        Bench { sound, next: 0, heard, moved_at, missed_blocks: 0, wakes: 0, delays_ms }
    }

    fn run(&mut self, length: Duration) {
        let end = Instant::now() + length;
        self.run_until(end, |_| false);
    }

    /// Runs until blocks move; how long that took.
    fn run_until_moved(&mut self) -> Duration {
        let begin = Instant::now();
        self.run_until(begin + Duration::from_secs(10), |bench| bench.moved_at.is_some_and(|at| at > begin));
        begin.elapsed()
    }

    fn run_until(&mut self, end: Instant, is_over: impl Fn(&Bench) -> bool) {
        let begin = Instant::now();
        self.sound.microphone.start(begin);
        self.sound.loudspeaker.start(begin);
        loop {
            let now = Instant::now();
            if now >= end || is_over(self) {
                return;
            }
            self.wakes += 1;
            self.sound.attend(true, false, now);
            for _ in 0..self.sound.loudspeaker.wanted(now) {
                let block = Block(std::array::from_fn(|i| sample(self.next + i as u32)));
                self.next += BLOCK_FRAMES as u32;
                self.sound.loudspeaker.write(&block, now);
                self.moved_at = Some(now);
            }
            let mut block = Block::SILENCE;
            while self.sound.microphone.read(&mut block, now) == Captured::Block {
                self.heard.extend(block.0.iter().map(|s| (s * 32_768.0) as i32));
                self.moved_at = Some(now);
            }
            self.missed_blocks += self.sound.microphone.take_missed(now);
            let (input, output) = &mut self.delays_ms;
            *input = input.max(self.sound.microphone.delay_ms());
            *output = output.max(self.sound.loudspeaker.delay_ms());
            let due = self.sound.next_due(now).map_or(end, |due| due.min(end));
            let wait_ms = due.saturating_duration_since(Instant::now()).as_millis() as i32 + 1;
            alsa::poll::poll(&mut self.sound.descriptors(), wait_ms).unwrap();
        }
    }

    fn states(&self) -> (SoundState, SoundState) {
        (self.sound.microphone.state(), self.sound.loudspeaker.state())
    }

    fn counters(&self) -> (SoundCounters, SoundCounters) {
        (self.sound.microphone.counters(), self.sound.loudspeaker.counters())
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

/// Samples count from 1 to 30 000 and again, in units of s16; none of them is zero.
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
        bench.heard.len() >= 59 * 48_000 && bench.wakes < 13_000,
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
    assert_eq!(auto.sound.microphone.name(), "plughw:CARD=Mic,DEV=0");
    auto.run(Duration::from_secs(1));
    assert!(auto.heard.len() > 47_000);
}

#[test]
#[ignore = "needs the emulated board"]
fn its_own_board_file() {
    let setup = SoundSetup::of_board(&crate::io::sound::board::load("rig").unwrap());
    let mut bench = Bench::with("auto", "auto", setup);
    assert_eq!(bench.sound.microphone.name(), "hw:CARD=Mic,DEV=1");
    assert_eq!(bench.sound.loudspeaker.name(), "hw:CARD=Speaker,DEV=0");
    bench.run(Duration::from_secs(5));
    assert_eq!(bench.counters(), Default::default());
    assert!(bench.heard.len() > 4 * 48_000 && bench.next > 4 * 48_000);
}

#[test]
#[ignore = "needs the emulated board"]
fn a_card_in_use_is_told() {
    let _first = Bench::open("alsa:hw:Mic,1,0", "alsa:hw:Speaker,0,0");
    let error =
        Microphone::open(&"alsa:hw:Mic,1,0".parse().unwrap(), false, &SoundSetup::default()).unwrap_err();
    assert_eq!((error.to_string().contains("in use"), error.exit_status().code()), (true, 6), "{error}");
    let cards = crate::io::sound::list::list();
    let first = &cards[0].pcms[0];
    assert_eq!((cards[0].id.as_str(), first.name.as_str()), ("Mic", "plughw:CARD=Mic,DEV=0"));
    assert!(first.opens_as.as_ref().is_some_and(|opens| opens.period_frames == 480));
    let held =
        cards[0].pcms.iter().find(|pcm| pcm.name == "plughw:CARD=Mic,DEV=1" && !pcm.holders.is_empty());
    // A thread of ours, as the kernel counts.
    let pid = held.map_or(0, |pcm| pcm.holders[0].pid);
    assert!(std::path::Path::new(&format!("/proc/self/task/{pid}")).exists(), "{pid}");
}

/// Both directions of one cable: what is lost shows as a hole in the numbers, and how long it was silent.
#[test]
#[ignore = "needs the emulated board"]
fn after_an_xrun_there_is_sound_within_two_periods() {
    let mut bench = Bench::open("alsa:hw:Speaker,1", "alsa:hw:Speaker,0");
    bench.run(Duration::from_secs(1));
    for pcm in ["pcm1c", "pcm0p"] {
        let before = bench.heard.len();
        rig(&format!("rig xrun Speaker {pcm}"));
        let injected = Instant::now();
        let recovered = bench.run_until_moved();
        bench.run(Duration::from_secs(12));
        let silent = bench.heard[before..].iter().filter(|&&sample| sample == 0).count();
        println!("xrun of {pcm}: blocks after {recovered:.1?}, {:.1} ms of silence", silent as f64 / 48.0);
        assert!(silent <= 2 * 480, "{pcm}: {silent} frames of silence");
        assert!(recovered <= Duration::from_millis(20));
        let expected = injected.elapsed().as_millis() as i64 * 48;
        assert!((bench.heard.len() as i64 - before as i64 - expected).abs() <= 960, "{pcm}: time continues");
    }
    let (input, output) = bench.counters();
    assert_eq!((input.xruns, output.xruns), (1, 1));
}

#[test]
#[ignore = "needs the emulated board"]
fn overruns_are_filled_and_repeated_ones_lengthen_the_period() {
    let mut bench = Bench::open("alsa:hw:Mic,1", "alsa:hw:Speaker,0");
    bench.run(Duration::from_secs(1));
    for _ in 0..3 {
        rig("rig xrun Mic pcm1c");
        bench.run(Duration::from_secs(1));
    }
    let mut told = Vec::new();
    bench.sound.changes(|event| told.push(format!("{event:?}")));
    assert!(
        told.iter().any(|text| text.contains("capture of 'hw:Mic,1'") && text.contains("20 ms")),
        "{told:?}"
    );
    // The loop is busy elsewhere for longer than the ring is deep.
    std::thread::sleep(Duration::from_millis(300));
    bench.run(Duration::from_secs(1));
    let (input, output) = bench.counters();
    assert_eq!((input.xruns, output.xruns, input.reopens), (4, 1, 0));
    let expected = 5_300 * 48;
    assert!((bench.heard.len() as i64 - expected).abs() <= 1_440, "{} of {expected}", bench.heard.len());
}

/// Pulls out a card and puts it back: at most five wake-ups a second without it, sound half a second after its return.
fn pull(card: &str, input: &str, output: &str) {
    let mut bench = Bench::open(input, output);
    let begin = Instant::now();
    bench.run(Duration::from_secs(1));
    // Ends only when we have closed the card, so it is not awaited here.
    let mut unplug = Command::new("rig").args(["unplug", card]).spawn().unwrap();
    bench.run(Duration::from_secs(2));
    assert!([bench.states().0, bench.states().1].contains(&SoundState::Lost), "{card} is not missed");
    let wakes = bench.wakes;
    bench.run(Duration::from_secs(60));
    let wakes_a_second = f64::from(bench.wakes - wakes) / 60.0;
    assert!(unplug.wait().unwrap().success());
    let mut plug = Command::new("rig").args(["plug", card]).spawn().unwrap();
    let back = bench.run_until_moved();
    println!(
        "{input} {output}: {wakes_a_second:.1} wake-ups a second while away, blocks {back:.1?} after the return"
    );
    assert!(wakes_a_second <= 5.0 && back <= Duration::from_millis(500), "{input} {output}");
    assert!(plug.wait().unwrap().success());
    bench.run(Duration::from_secs(1));
    if input != "none" {
        let counted = (bench.heard.len() / BLOCK_FRAMES) as i64 + i64::from(bench.missed_blocks);
        let passed = begin.elapsed().as_millis() as i64 / 10;
        assert!((passed - counted).abs() <= 5, "{counted} of {passed} blocks are accounted for");
    }
    let reopens = bench.counters().0.reopens + bench.counters().1.reopens;
    assert_eq!((bench.states(), reopens), ((SoundState::Open, SoundState::Open), 1));
}

#[test]
#[ignore = "needs the emulated board"]
fn pulled_out_and_put_back() {
    pull("Mic", "alsa:plughw:CARD=Mic,DEV=1", "none");
    pull("Speaker", "none", "alsa:plughw:CARD=Speaker,DEV=0");
}

/// `default` on most cards: softvol over plug over dmix, which does not notice that its card is gone and reports for
/// ever that there is no room.
#[test]
#[ignore = "needs the emulated board"]
fn a_shared_card_pulled_out_and_put_back() {
    pull("Speaker", "none", "alsa:sysdefault:CARD=Speaker");
}

/// The kernel's dummy card has a mixer as USB cards have.
#[test]
#[ignore = "needs the emulated board"]
fn volume_and_levels_by_the_mixer() {
    let shows = |control: &str, part: &str| {
        let output = Command::new("amixer").args(["-c", "Dummy", "sget", control]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(part), "{control}: {part}: {text}");
    };
    let board =
        "title='T'\ntested_on='rig'\nmixer=['Line capture = on', 'Line capture = 50 %', 'Nothing = on']\n";
    let setup = SoundSetup::of_board(&crate::config::board::Board::read(board).0.unwrap());
    let mut bench = Bench::with("none", "alsa:hw:CARD=Dummy", setup);
    assert_eq!(bench.sound.volume_control(), Some("Master"));
    assert_eq!(bench.sound.set_levels(), ["Nothing"]);
    shows("Line", "25 [50%] [-22.50dB] Capture [on]");
    for (percent, part) in [(100, "100 [100%] [0.00dB]"), (50, "[-6.00dB]"), (0, "-50 [0%] [-45.00dB]")] {
        assert!(bench.sound.set_volume(percent));
        shows("Master", part);
    }
    bench.run(Duration::from_secs(2));
    assert_eq!(bench.counters(), Default::default());
    // A control that `default` has left behind changes nothing of what we play.
    let _default = Bench::open("none", "alsa:sysdefault:CARD=Speaker");
    assert_eq!(crate::io::sound::mixer::Volume::find("Speaker", None), None);
}

/// One of two cards is away: the other continues undisturbed.
#[test]
#[ignore = "needs the emulated board"]
fn the_other_card_goes_on() {
    let mut bench = Bench::open("alsa:plughw:CARD=Mic,DEV=1", "alsa:plughw:CARD=Speaker,DEV=0");
    bench.run(Duration::from_secs(1));
    let mut unplug = Command::new("rig").args(["unplug", "Mic"]).spawn().unwrap();
    let (played, wakes) = (bench.next, bench.wakes);
    bench.run(Duration::from_secs(3));
    assert_eq!(bench.states(), (SoundState::Lost, SoundState::Open));
    assert!((i64::from(bench.next - played) - 3 * 48_000).abs() < 1_500 && bench.wakes - wakes < 350);
    assert!(unplug.wait().unwrap().success());
    rig("rig plug Mic");
    bench.run(Duration::from_secs(1));
    assert_eq!(
        (bench.states(), bench.counters().1),
        ((SoundState::Open, SoundState::Open), Default::default())
    );
}

#[test]
#[ignore = "needs the emulated board"]
fn low_latency_waits_for_fifteen_milliseconds() {
    let setup = SoundSetup::default().with_buffering(Buffering::LOW_LATENCY);
    let mut bench = Bench::with("alsa:hw:Speaker,1", "alsa:hw:Speaker,0", setup);
    bench.run(Duration::from_secs(30));
    assert_eq!((bench.breaks(), bench.counters()), (vec![], Default::default()));
    println!(
        "low latency: at most {:.1} ms before and {:.1} ms behind us",
        bench.delays_ms.1, bench.delays_ms.0
    );
    assert!(bench.delays_ms.1 <= 16.0);
}

/// One clock for both directions of a codec: where the card fixes the rate of one, the other follows.
#[test]
#[ignore = "needs the emulated board"]
fn both_directions_of_a_card_have_one_rate() {
    let mut other = Command::new("aplay")
        .args(["-q", "-D", "hw:Mic,0,0", "-t", "raw", "-c", "1", "-r", "16000", "-f", "S16_LE", "/dev/zero"])
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let bench = Bench::open("alsa:hw:Mic,1,0", "alsa:hw:Mic,0,1");
    assert_eq!(bench.sound.microphone.card_rate_hz(), Some(16_000));
    assert_eq!(bench.sound.loudspeaker.card_rate_hz(), Some(16_000));
    other.kill().unwrap();
    other.wait().unwrap();
}

/// A crystal with a wrong frequency is not a fault here: the card is the clock.
#[test]
#[ignore = "needs the emulated board"]
fn clocks_that_run_fast_and_slow() {
    for (ppm, blocks_apart) in [(300, 0..=6), (1_000, 7..=15)] {
        rig(&format!("rig ppm Mic {ppm} && rig ppm Speaker -{ppm}"));
        let mut bench = Bench::open("alsa:hw:Mic,1", "alsa:hw:Speaker,0");
        bench.run(Duration::from_secs(60));
        rig("rig ppm Mic 0 && rig ppm Speaker 0");
        assert_eq!(bench.counters(), Default::default());
        let (recorded, played) = (bench.heard.len() / BLOCK_FRAMES, bench.next as usize / BLOCK_FRAMES);
        println!("at +{ppm} and -{ppm} ppm: {recorded} blocks recorded, {played} played in a minute");
        // What is played includes the three blocks of a full buffer.
        assert!(blocks_apart.contains(&(recorded + 3 - played)));
    }
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
