//! The table of delay and holes: what the receiving side makes of jitter, loss and drift.
//!
//! `cargo test --test sim figures -- --nocapture` prints it, and from mouth to ear (`latency`); with `KINGLET_LONG=1` traces
//! are 300 s and drift runs for 8 hours with every pair of clocks. Beside ours stand NetEQ's numbers (libwebrtc, in the
//! official Python SDK), which `tests/bench/jitter` measured live with the same traces.

use crate::clock::Clock;
use crate::jitter::replay::{Measured, Setup, packets, replay};
use crate::jitter::trace::{Jitter, Loss, trace, write};
use kinglet::media::block::Block;
use kinglet::media::receive::packet_buffer::PacketBuffer;
use kinglet::media::receive::track_receiver::{ArrivedPacket, TrackReceiver};

/// What `tests/bench/jitter` has left: name, delay, wait, concealed thousandths.
const NETEQ: &str = include_str!("../../bench/neteq.csv");

/// Whether the long form was asked for.
fn is_long() -> bool {
    std::env::var("KINGLET_LONG").is_ok_and(|long| long == "1")
}

/// One line of the table.
struct Row {
    name: &'static str,
    jitter: Jitter,
    loss: Loss,
    setup: Setup,
    /// Ours at most: mean delay in milliseconds, concealed thousandths.
    bounds: (f64, f64),
}

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    let plain = Setup::default();
    let red = |red_copies| Setup { red_copies, ..plain };
    let interactive = Setup { target_ms_max: 80, ..plain };
    let row = |name, jitter, loss, setup, bounds| Row { name, jitter, loss, setup, bounds };
    let none = Jitter::None;
    let (random, bursty) = (Loss::Random, Loss::Bursty);
    vec![
        row("no jitter",            none,                     Loss::None,    plain,       (25.0, 1.0)),
        row("U(0,30)",              Jitter::Uniform(30.0),    Loss::None,    plain,       (48.0, 1.0)),
        row("U(0,100)",             Jitter::Uniform(100.0),   Loss::None,    plain,       (118.0, 1.0)),
        row("half-normal 10",       Jitter::HalfNormal(10.0), Loss::None,    plain,       (50.0, 1.0)),
        row("Wi-Fi spikes",         Jitter::Spikes,           Loss::None,    plain,       (185.0, 2.0)),
        row("Wi-Fi, interactive",   Jitter::Spikes,           Loss::None,    interactive, (110.0, 40.0)),
        row("bursts of 60 ms",      Jitter::Bursts(60.0),     Loss::None,    plain,       (80.0, 2.0)),
        row("steps of 200 ms",      Jitter::Steps(200.0),     Loss::None,    plain,       (200.0, 20.0)),
        row("reordered",            Jitter::Reordered,        Loss::None,    plain,       (50.0, 1.0)),
        row("1 % lost",             none,                     random(0.01),  plain,       (25.0, 13.0)),
        row("5 % lost",             none,                     random(0.05),  plain,       (25.0, 60.0)),
        row("10 % lost",            none,                     random(0.10),  plain,       (25.0, 120.0)),
        row("20 % lost",            none,                     random(0.20),  plain,       (25.0, 230.0)),
        row("1 % lost, RED",        none,                     random(0.01),  red(1),      (40.0, 1.0)),
        row("5 % lost, RED",        none,                     random(0.05),  red(1),      (40.0, 5.0)),
        row("10 % lost, RED",       none,                     random(0.10),  red(1),      (40.0, 14.0)),
        row("20 % lost, RED",       none,                     random(0.20),  red(1),      (40.0, 50.0)),
        row("10 % lost, RED × 2",   none,                     random(0.10),  red(2),      (60.0, 1.6)),
        row("20 % lost, RED × 2",   none,                     random(0.20),  red(2),      (60.0, 12.0)),
        row("1 % in bursts",        none,                     bursty(0.01),  plain,       (25.0, 20.0)),
        row("5 % in bursts",        none,                     bursty(0.05),  plain,       (25.0, 70.0)),
        row("10 % in bursts",       none,                     bursty(0.10),  plain,       (25.0, 120.0)),
        row("20 % in bursts",       none,                     bursty(0.20),  plain,       (25.0, 240.0)),
        row("1 % in bursts, RED",   none,                     bursty(0.01),  red(1),      (40.0, 15.0)),
        row("10 % in bursts, RED",  none,                     bursty(0.10),  red(1),      (40.0, 90.0)),
        row("10 % in bursts, RED × 2", none,                  bursty(0.10),  red(2),      (60.0, 54.0)),
        row("20 % in bursts, RED × 2", none,                  bursty(0.20),  red(2),      (60.0, 120.0)),
    ]
}

/// What NetEQ makes of the same trace: delay, wait, concealed thousandths; `None` where it was not measured.
fn neteq(name: &str) -> Option<[f64; 3]> {
    let line = NETEQ.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(','))?;
    let mut numbers = line.split(',').map(|number| number.parse().expect("a number"));
    Some(std::array::from_fn(|_| numbers.next().expect("three numbers")))
}

/// The row's trace as a file.
fn file_name(row: &str) -> String {
    let words = row.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("_")
}

#[test]
fn figures_of_delay_and_concealment() {
    let payloads = packets();
    let seconds = if is_long() { 300 } else { 120 };
    println!(
        "{:<26}{:>8}{:>8}{:>8}{:>8}{:>12}{:>12}   NetEQ",
        "", "delay", "max", "wait", "‰", "stretched", "shortened"
    );
    println!(
        "{:<26}{:>8}{:>8}{:>8}{:>8}{:>12}{:>12}   delay / wait / ‰",
        "", "ms", "ms", "ms", "", "ms", "ms"
    );
    let mut faults = Vec::new();
    for Row { name, jitter, loss, setup, bounds } in rows() {
        let trace = trace(seconds, jitter, loss, 0.0, 7);
        write(&file_name(name), &trace);
        // The first seconds are for learning, as everywhere.
        let Measured { delay_ms, delay_ms_max, wait_ms, concealed_permille, counters, .. } =
            replay(&trace, &payloads, Setup { from_s: 10.0, ..setup });
        let (added, removed) = (counters.added_samples / 48, counters.removed_samples / 48);
        let theirs = neteq(&file_name(name)).map_or_else(String::new, |[delay, wait, permille]| {
            format!("{delay:>6.0} /{wait:>5.0} /{permille:>5.1}")
        });
        println!(
            "{name:<26}{delay_ms:>8.1}{delay_ms_max:>8.0}{wait_ms:>8.1}{concealed_permille:>8.2}{added:>12}{removed:>12}   {theirs}"
        );
        if delay_ms > bounds.0 || concealed_permille > bounds.1 {
            faults.push(format!("{name}: {delay_ms:.1} ms, {concealed_permille:.2} ‰, at most {bounds:?}"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Clocks that are this much too fast, in ppm: the talker's card, the loudspeaker's.
const CLOCKS: [(f64, f64); 9] = [
    (-1000.0, 0.0),
    (-300.0, 0.0),
    (100.0, 0.0),
    (300.0, 0.0),
    (1000.0, 0.0),
    (150.0, -150.0),
    (0.0, 300.0),
    (0.0, -1000.0),
    (0.0, 1000.0),
];

#[test]
fn figures_of_drift() {
    let hours = if is_long() { 8.0 } else { 0.1 };
    drift(&CLOCKS, hours);
}

#[test]
fn figures_of_drift_in_eight_hours() {
    drift(&[(150.0, -150.0)], 8.0);
}

fn drift(clocks: &[(f64, f64)], hours: f64) {
    let payloads = packets();
    println!(
        "{:<20}{:>14}{:>10}{:>12}{:>12}   {hours} hours",
        "clocks off by, ppm", "found, ppm", "wait, ms", "time-scaled", "concealed"
    );
    for &(talker, loudspeaker) in clocks {
        let trace = trace((hours * 3600.0) as u64, Jitter::None, Loss::None, talker, 1);
        let measured = replay(&trace, &payloads, Setup { ppm: loudspeaker, ..Setup::default() });
        let Measured { counters, drift_ppm, wait_ms, .. } = measured;
        let scaled = counters.added_samples + counters.removed_samples;
        println!(
            "{talker:>6} and {loudspeaker:>6}{drift_ppm:>16.1}{wait_ms:>10.1}{scaled:>12}{:>12}",
            counters.concealed_blocks
        );
        let apart: f64 = talker - loudspeaker;
        assert!((f64::from(drift_ppm) - apart).abs() < 3.0, "{apart}: {drift_ppm}");
        assert_eq!((counters.lost, counters.dropped_blocks), (0, 0), "{apart}");
        // 1000 ppm are survived: before they are known the buffer may run dry once.
        let (concealed_max, scaled_max) = if apart.abs() <= 300.0 { (0, 0) } else { (2, 2400) };
        assert!(counters.concealed_blocks <= concealed_max && scaled <= scaled_max, "{apart}: {counters:?}");
    }
}

/// What each talker takes, all of it when it is made: ring, decoder, decoded samples.
#[test]
fn figures_of_memory() {
    const TALKERS: usize = 512;
    let resident_kb = || {
        let statm = std::fs::read_to_string("/proc/self/statm").expect("a Linux machine");
        let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
        4 * pages.unwrap_or(0_i64)
    };
    let payloads = packets();
    let clock = Clock::new();
    let before = resident_kb();
    let mut talkers: Vec<TrackReceiver> =
        (0..TALKERS).map(|_| TrackReceiver::new().expect("a decoder")).collect();
    for talker in &mut talkers {
        // So that every page is touched.
        for (sequence, payload) in (0..64).zip(&payloads) {
            let (rtp_time, arrival) = (960 * sequence, clock.at_ms(20 * sequence));
            talker.insert(ArrivedPacket { sequence, rtp_time, arrival, is_red: false, payload });
        }
        for block in 0..20 {
            talker.pull(&mut Block::SILENCE.clone(), clock.at_ms(1300 + 10 * block));
        }
    }
    // Other stories take and give memory meanwhile: by itself it prints the figure.
    let each_kb = (resident_kb() - before) as f64 / TALKERS as f64;
    println!("{each_kb:.0} KB a talker, {} of them its ring", std::mem::size_of::<PacketBuffer>() / 1024);
    assert!(each_kb < 500.0, "{each_kb} KB a talker");
}
