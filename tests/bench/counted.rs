//! The `kinglet` command, with its allocations counted during a stretch of steady call.
//!
//! ```text
//!   COUNT_FROM_S=8 COUNT_S=10 COUNT_REPORT=report.json counted join …      as `kinglet join …`
//! ```
//!
//! Counted is the thread that does all the work. A second one, which the command itself does not have,
//! keeps the time and writes the report. `tests/bench/call` runs it.

#![allow(clippy::disallowed_methods, reason = "a thread beside the one that is measured may sleep")]

#[path = "../alloc/mod.rs"]
mod alloc;

use std::process::ExitCode;
use std::time::Duration;

use alloc::owner::{Owner, Place, Report};
use alloc::{Counting, Recorder};
use serde_json::json;

/// Places of each owner in the report.
const PLACES_REPORTED: usize = 10;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let from_s = number("COUNT_FROM_S");
    let seconds = number("COUNT_S");
    let path = std::env::var("COUNT_REPORT").expect("COUNT_REPORT names a file");
    let recorder = Recorder::new();
    recorder.watch_this_thread();
    let reporter = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs_f64(from_s));
        recorder.start();
        std::thread::sleep(Duration::from_secs_f64(seconds));
        recorder.stop();
        let report = Report::new(recorder);
        let places = |owner| report.of(owner).take(PLACES_REPORTED).map(described).collect::<Vec<_>>();
        let json = json!({
            "seconds": seconds,
            "ours_per_s": report.ours as f64 / seconds,
            "str0m_per_s": report.str0m as f64 / seconds,
            "ours": places(Owner::Ours),
            "str0m": places(Owner::Str0m),
        });
        std::fs::write(&path, json.to_string()).expect("COUNT_REPORT can be written");
    });
    let status = kinglet::cli::main();
    reporter.join().expect("a report");
    status.into()
}

fn described(place: &Place) -> serde_json::Value {
    json!({ "count": place.count, "bytes": place.bytes, "frames": place.frames })
}

fn number(name: &str) -> f64 {
    let value = std::env::var(name).ok().and_then(|value| value.parse().ok());
    value.unwrap_or_else(|| panic!("{name} is a number"))
}
