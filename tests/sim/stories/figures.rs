//! The table of delay and holes: what the receiving side makes of jitter, loss and drift.
//!
//! `cargo test --test sim figures -- --nocapture` prints it; with `KINGLET_LONG=1` traces are 300 s and drift runs for 8 hours.
//! Beside ours stand NetEQ's numbers (libwebrtc, in the official Python SDK): the delay over the fastest packet from a
//! simulation of its logic, the wait in its buffer and the concealment measured in live calls.

use crate::jitter::replay::{Measured, Setup, packets, replay};
use crate::jitter::trace::{Jitter, Loss, trace, write};

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
    /// NetEQ: delay over the fastest packet, wait, concealed thousandths.
    neteq: &'static str,
    /// Ours at most: mean delay in milliseconds, concealed thousandths.
    bounds: (f64, f64),
}

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    let plain = Setup::default();
    let red = |red_copies| Setup { red_copies, ..plain };
    let interactive = Setup { target_ms_max: 80, ..plain };
    let row = |name, jitter, loss, setup, neteq, bounds| Row { name, jitter, loss, setup, neteq, bounds };
    let none = Jitter::None;
    vec![
        row("no jitter",            none,                     Loss::None,         plain,       "35 / 30 / 0",     (25.0, 1.0)),
        row("U(0,30)",              Jitter::Uniform(30.0),    Loss::None,         plain,       "81 / 66 / 0",     (48.0, 1.0)),
        row("U(0,100)",             Jitter::Uniform(100.0),   Loss::None,         plain,       "126 / 79 / 0",    (118.0, 1.0)),
        row("half-normal 10",       Jitter::HalfNormal(10.0), Loss::None,         plain,       "60 / 62 / 0",     (50.0, 1.0)),
        row("Wi-Fi spikes",         Jitter::Spikes,           Loss::None,         plain,       "181 / 185 / 0.7", (185.0, 2.0)),
        row("Wi-Fi, interactive",   Jitter::Spikes,           Loss::None,         interactive, "",                (110.0, 40.0)),
        row("bursts of 60 ms",      Jitter::Bursts(60.0),     Loss::None,         plain,       "",                (80.0, 2.0)),
        row("steps of 200 ms",      Jitter::Steps(200.0),     Loss::None,         plain,       "",                (200.0, 20.0)),
        row("reordered",            Jitter::Reordered,        Loss::None,         plain,       "",                (50.0, 1.0)),
        row("1 % lost",             none,                     Loss::Random(0.01), plain,       "",                (25.0, 13.0)),
        row("5 % lost",             none,                     Loss::Random(0.05), plain,       "",                (25.0, 60.0)),
        row("10 % lost",            none,                     Loss::Random(0.10), plain,       "",                (25.0, 120.0)),
        row("20 % lost",            none,                     Loss::Random(0.20), plain,       "",                (25.0, 230.0)),
        row("1 % lost, RED",        none,                     Loss::Random(0.01), red(1),      "",                (40.0, 1.0)),
        row("5 % lost, RED",        none,                     Loss::Random(0.05), red(1),      "",                (40.0, 5.0)),
        row("10 % lost, RED",       none,                     Loss::Random(0.10), red(1),      "",                (40.0, 14.0)),
        row("10 % lost, RED × 2",   none,                     Loss::Random(0.10), red(2),      "– / 37 / 1.6",    (60.0, 1.6)),
        row("20 % lost, RED × 2",   none,                     Loss::Random(0.20), red(2),      "",                (60.0, 12.0)),
        row("10 % in bursts",       none,                     Loss::Bursty(0.10), plain,       "",                (25.0, 120.0)),
        row("10 % in bursts, RED × 2", none,                  Loss::Bursty(0.10), red(2),      "– / 41 / 54",     (60.0, 54.0)),
    ]
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
    for Row { name, jitter, loss, setup, neteq, bounds } in rows() {
        let trace = trace(seconds, jitter, loss, 0.0, 7);
        write(&name.replace([' ', ',', '(', ')', '%', '×'], "_"), &trace);
        // The first seconds are for learning, as everywhere.
        let Measured { delay_ms, delay_ms_max, wait_ms, concealed_permille, counters, .. } =
            replay(&trace, &payloads, Setup { from_s: 10.0, ..setup });
        let (added, removed) = (counters.added_samples / 48, counters.removed_samples / 48);
        println!(
            "{name:<26}{delay_ms:>8.1}{delay_ms_max:>8.0}{wait_ms:>8.1}{concealed_permille:>8.2}{added:>12}{removed:>12}   {neteq}"
        );
        if delay_ms > bounds.0 || concealed_permille > bounds.1 {
            faults.push(format!("{name}: {delay_ms:.1} ms, {concealed_permille:.2} ‰, at most {bounds:?}"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn figures_of_drift() {
    let payloads = packets();
    let minutes: u64 = if is_long() { 8 * 60 } else { 6 };
    println!(
        "{:<28}{:>8}{:>10}{:>16}   {minutes} minutes",
        "clocks apart by", "found", "delay", "made by time-scaling"
    );
    for (talker, loudspeaker) in [
        (-1000.0, 0.0),
        (-300.0, 0.0),
        (100.0, 0.0),
        (300.0, 0.0),
        (150.0, -150.0),
        (0.0, 300.0),
        (0.0, -1000.0),
    ] {
        let trace = trace(60 * minutes, Jitter::None, Loss::None, talker, 1);
        let measured = replay(&trace, &payloads, Setup { ppm: loudspeaker, ..Setup::default() });
        let Measured { counters, drift_ppm, wait_ms, .. } = measured;
        let scaled = counters.added_samples + counters.removed_samples;
        println!(
            "{talker:>6} and {loudspeaker:>6} {drift_ppm:>8.1} ppm {wait_ms:>6.1} ms {scaled:>6} {:>4}",
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
