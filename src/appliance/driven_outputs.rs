//! The list of lines that a box may leave driven, for the process that sets them to rest afterwards.
//!
//! ```text
//!   lines are opened ─► RUNTIME_DIRECTORY/outputs ─► the program ends, in any way ─► `kinglet rest-outputs`
//!                                                    (ExecStopPost= of the unit), or the next start: all rest
//! ```
//!
//! Raspberry Pi OS keeps a released line as an output with its level (`persist_gpio_outputs`), so a program that is
//! killed during a pulse would leave the door open. The file is in memory (tmpfs): a power cut releases all lines
//! anyway.

#![expect(clippy::indexing_slicing, reason = "serde_json: a missing member is null")]

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::ServiceEnvironment;
use crate::config::gpio::{Line, Wiring};
use crate::io::gpio::OutputLine;
use crate::io::process;
use crate::limits::{CONFIG_BYTES_MAX, CONFIG_SECTIONS_MAX};

/// The name of the file in the runtime folder of the unit.
const FILE: &str = "outputs";

/// The version of the file format. A program of another version sets the lines to rest that it understands.
const VERSION: u32 = 1;

/// The file with the list, if there is a runtime folder.
pub(super) struct DrivenOutputs {
    path: Option<PathBuf>,
}

/// The result of [`rest_outputs`].
#[derive(Debug, Default)]
pub struct Rested {
    /// The names of the lines that are at rest now.
    pub lines: Vec<String>,
    /// Why other lines may not be at rest.
    pub faults: Vec<String>,
}

/// Sets all lines to rest that the previous program may have left driven. The list is removed if that succeeds.
pub fn rest_outputs(environment: &ServiceEnvironment) -> Rested {
    DrivenOutputs::new(environment.runtime.as_deref()).rest()
}

impl DrivenOutputs {
    pub(super) fn new(runtime: Option<&Path>) -> DrivenOutputs {
        DrivenOutputs { path: runtime.map(|folder| folder.join(FILE)) }
    }

    /// Records the outputs, before they are opened.
    ///
    /// # Errors
    /// The file cannot be written. The next program would not know the outputs.
    pub(super) fn write(&self, wiring: &Wiring) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        process::replace_file(path, &text(wiring.outputs.iter().map(|output| &output.line)))
    }

    /// Sets all recorded lines to rest. The file is kept if one of them cannot be set to rest.
    pub(super) fn rest(&self) -> Rested {
        let mut rested = Rested::default();
        let Some(path) = &self.path else { return rested };
        let lines = match process::read_small(path).and_then(|text| text.as_deref().map(read).transpose()) {
            Ok(lines) => lines.unwrap_or_default(),
            Err(error) => {
                rested.faults.push(format!("{}: {error}", path.display()));
                return rested;
            }
        };
        for line in lines {
            match OutputLine::open(&line) {
                // The line is set to rest when it is opened, and when it is released.
                Ok(_) => rested.lines.push(line.line),
                Err(error) => rested.faults.push(error.to_string()),
            }
        }
        if rested.faults.is_empty() {
            process::take_small(path);
        }
        rested
    }
}

fn text<'l>(lines: impl Iterator<Item = &'l Line>) -> String {
    let lines: Vec<Value> = lines
        .map(|line| json!({ "line": line.line, "chip": line.chip, "active_low": line.active_low }))
        .collect();
    json!({ "version": VERSION, "outputs": lines }).to_string()
}

fn read(text: &str) -> io::Result<Vec<Line>> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    if text.len() > CONFIG_BYTES_MAX {
        return Err(invalid());
    }
    let value: Value = serde_json::from_str(text).map_err(|_| invalid())?;
    let lines = value["outputs"].as_array().ok_or_else(invalid)?;
    let line = |value: &Value| {
        Some(Line {
            line: value["line"].as_str()?.to_owned(),
            chip: value["chip"].as_str().map(PathBuf::from),
            active_low: value["active_low"].as_bool()?,
            bias: None,
        })
    };
    lines.iter().take(CONFIG_SECTIONS_MAX).map(|value| line(value).ok_or_else(invalid)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, chip: Option<&str>, active_low: bool) -> Line {
        Line { line: name.into(), chip: chip.map(PathBuf::from), active_low, bias: None }
    }

    #[test]
    fn a_written_file_is_read_again_and_invalid_ones_are_refused() {
        let lines = [line("GPIO26", None, false), line("R 1", Some("/dev/gpiochip4"), true)];
        assert_eq!(read(&text(lines.iter())).expect("ours"), lines);
        let newer = r#"{"version":9,"outputs":[{"line":"A","active_low":true,"pulse":1}],"more":[]}"#;
        assert_eq!(read(newer).expect("the known part"), [line("A", None, true)]);
        for nonsense in ["", "{}", "[]", r#"{"outputs":[1]}"#, r#"{"outputs":[{"line":"A"}]}"#, "\u{0}"] {
            assert!(read(nonsense).is_err(), "{nonsense}");
        }
        let many: Vec<Line> = (0..1000).map(|_| line("A", None, false)).collect();
        assert_eq!(read(&text(many.iter())).expect("bounded").len(), CONFIG_SECTIONS_MAX);
    }

    #[test]
    fn a_line_that_cannot_be_opened_stays_recorded() {
        let folder = std::env::temp_dir().join(format!("kinglet-afterwards-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let after = DrivenOutputs::new(Some(&folder));
        assert!(after.rest().faults.is_empty(), "nothing was recorded");
        let text = "gpio.door = { line = 'GPIO_NOWHERE', pulse_ms = 500 }";
        let (wiring, _) = crate::config::section::read(text, |root| Wiring::read(root, &Default::default()));
        after.write(&wiring).expect("written");
        for _ in 0..2 {
            let rested = after.rest();
            assert!(rested.lines.is_empty() && rested.faults[0].contains("GPIO_NOWHERE"), "{rested:?}");
        }
        assert_eq!(after.rest().faults.len(), 1);
        let _ = process::take_small(&folder.join(FILE));
        assert!(DrivenOutputs::new(None).rest().faults.is_empty());
    }
}
