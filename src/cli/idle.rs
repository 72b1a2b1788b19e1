//! `kinglet wait-idle`: until the box that runs on this device has neither a call nor an output that is driven. For the
//! package, which begins the new version then.
//!
//! ```text
//!   status says what it is `busy` with ─► nothing
//!   a box of 0.1.0 ─► no call, and the count of pulses has been the same for longer than the longest pulse
//! ```

#![expect(clippy::indexing_slicing, reason = "serde_json: a member that is missing is null")]

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use kinglet::config::{Config, SOCKET};
use kinglet::error::ExitStatus;
use kinglet::io::{clock, process};
use serde_json::Value;

use super::Failed;

/// Between two questions.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A box answers at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest pulse there is (`pulse_ms`), and a second.
const PULSE_MAX: Duration = Duration::from_secs(31);

/// How often the pulses of a box were counted otherwise than before.
const PULSES: &str = "kinglet_output_pulses_total";

/// Waits, for as long as it takes. A box that does not answer is waited for: it may be in a call.
///
/// # Errors
/// This command has no errors.
pub fn wait(config: Option<&Path>) -> Result<ExitStatus, Failed> {
    let text = config.and_then(|path| process::read_small(path).ok().flatten()).unwrap_or_default();
    let socket = Config::read(&text).0.map_or_else(|| SOCKET.into(), |config| config.socket);
    let mut pulses = Pulses::default();
    let mut was_silent = false;
    loop {
        match look(&socket) {
            Ok(seen) => {
                was_silent = false;
                if seen.is_idle(&mut pulses, clock::now()) {
                    return Ok(ExitStatus::AsAsked);
                }
            }
            Err(error) if !was_silent => {
                eprintln!("kinglet: {}: {error}; the box is waited for", socket.display());
                was_silent = true;
            }
            Err(_) => {}
        }
        clock::pause(LOOK_AGAIN);
    }
}

/// The state that a box reports.
struct Seen {
    /// Reported by boxes of this version.
    is_busy: Option<bool>,
    has_call: bool,
    /// Times that an output was driven, as it writes it.
    pulses: Option<String>,
}

/// The pulses that were counted last, and since when it is as many.
#[derive(Default)]
struct Pulses {
    last: Option<(String, Instant)>,
}

impl Seen {
    fn read(status: &Value, metrics: &str) -> Seen {
        let pulses = metrics.lines().find_map(|line| line.strip_prefix(PULSES)?.strip_prefix(' '));
        Seen {
            is_busy: status["busy"].as_str().map(|busy| !busy.is_empty()),
            has_call: status["call"]["state"] != "idle",
            pulses: pulses.map(str::to_owned),
        }
    }

    fn is_idle(&self, pulses: &mut Pulses, now: Instant) -> bool {
        if let Some(is_busy) = self.is_busy {
            return !is_busy;
        }
        let Some(count) = &self.pulses else { return false };
        let since = match &pulses.last {
            Some((last, since)) if last == count => *since,
            _ => now,
        };
        pulses.last = Some((count.clone(), since));
        !self.has_call && now.saturating_duration_since(since) >= PULSE_MAX
    }
}

fn look(socket: &Path) -> io::Result<Seen> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(stream);
    let status = ask(&mut lines, "status")?;
    let metrics = match status["busy"].is_string() {
        true => Value::Null,
        false => ask(&mut lines, "metrics")?,
    };
    Ok(Seen::read(&status, metrics.as_str().unwrap_or_default()))
}

fn ask(lines: &mut BufReader<UnixStream>, command: &str) -> io::Result<Value> {
    // As 0.1.0 reads it.
    lines.get_mut().write_all(format!("{command}\n").as_bytes())?;
    let mut line = String::new();
    lines.read_line(&mut line)?;
    let answer: Value = serde_json::from_str(&line).map_err(|_| io::ErrorKind::UnexpectedEof)?;
    match answer["ok"].as_bool() {
        Some(true) => Ok(answer["result"].clone()),
        _ => Err(io::Error::other(answer["error"]["message"].as_str().unwrap_or("refused").to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_box_of_this_version_says_it_itself() {
        let now = clock::now();
        for (status, expected) in [
            (json!({ "busy": "", "call": { "state": "idle" } }), true),
            (json!({ "busy": "output", "call": { "state": "idle" } }), false),
        ] {
            assert_eq!(Seen::read(&status, "").is_idle(&mut Pulses::default(), now), expected);
        }
    }

    /// Its words, as it wrote them.
    #[test]
    fn a_box_of_0_1_0_is_idle_when_no_pulse_can_be_under_way() {
        let start = clock::now();
        let mut pulses = Pulses::default();
        let mut ask = |second: u64, state: &str, count: u32| {
            let status =
                json!({ "state": "connected", "call": { "state": state, "identity": "", "seconds": 0 } });
            let metrics = format!(
                "# HELP kinglet_output_pulses_total Times that an output was driven.\n\
                 # TYPE kinglet_output_pulses_total counter\nkinglet_output_pulses_total {count}\n"
            );
            Seen::read(&status, &metrics).is_idle(&mut pulses, start + Duration::from_secs(second))
        };
        assert!(!ask(0, "idle", 0) && !ask(30, "idle", 0));
        assert!(!ask(31, "talking", 0));
        assert!(!ask(32, "idle", 1) && !ask(62, "idle", 1), "a pulse of 30 s");
        assert!(ask(63, "idle", 1));
        assert!(!Seen::read(&json!({ "call": { "state": "idle" } }), "").is_idle(&mut pulses, start));
    }
}
