//! `[gpio]` and `[keys]`: buttons, lamps and outputs, by the names that their owner gives them.
//!
//! A line is known by its name (`GPIO23`), never by a chip's number, which changes with the kernel.
//! What a line is follows from what it does: it is pressed, it shows, or it pulses.

use std::path::PathBuf;
use std::time::Duration;

use super::advice;
use super::call::CallConfig;
use super::section::Section;
use crate::device::allow::Allow;
use crate::device::intercom::CALL_METHODS;
use crate::device::output::PULSE_MS;
use crate::device::settings::Press;
use crate::limits::DIGITS_MAX;

/// Everything that hangs on lines and keys.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wiring {
    /// Buttons on lines.
    pub buttons: Vec<ButtonConfig>,
    /// The lamps, each with its line.
    pub lamps: Vec<LampConfig>,
    /// What opens something.
    pub outputs: Vec<OutputConfig>,
    /// Keys of an input device.
    pub keys: Vec<KeyConfig>,
}

/// A line, and how it is wired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its name, as `gpioinfo` shows it.
    pub line: String,
    /// The path of its chip, where more than one line has the name.
    pub chip: Option<PathBuf>,
    /// Whether it is active while it is low: a button to ground.
    pub active_low: bool,
    /// The resistor that the chip itself puts to the line.
    pub bias: Option<Bias>,
}

/// A resistor of the chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bias {
    /// To the supply.
    PullUp,
    /// A resistor to ground.
    PullDown,
    /// No resistor.
    Off,
}

/// A button on a line.
#[derive(Debug, Clone, PartialEq)]
pub struct ButtonConfig {
    /// Its owner's name for it.
    pub name: String,
    /// The GPIO line of the button.
    pub line: Line,
    /// What a press does; none: it is an event only.
    pub press: Option<Press>,
    /// What a long press does besides.
    pub hold: Option<Press>,
}

/// A key of an input device.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyConfig {
    /// Its owner's name for it.
    pub name: String,
    /// Its name in `linux/input-event-codes.h`: `KEY_RECORD`.
    pub key: String,
    /// What a press does; none: it is an event only.
    pub press: Option<Press>,
    /// What a long press does besides.
    pub hold: Option<Press>,
}

/// A lamp and its GPIO line.
#[derive(Debug, Clone, PartialEq)]
pub struct LampConfig {
    /// Its owner's name for it.
    pub name: String,
    /// The GPIO line of the lamp.
    pub line: Line,
}

/// An output that is driven for a while.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputConfig {
    /// Its owner's name for it.
    pub name: String,
    /// The GPIO line of the output.
    pub line: Line,
    /// For how long.
    pub pulse: Duration,
    /// The RPC method that drives the output.
    pub rpc: Option<String>,
    /// The DTMF digits that ask for it.
    pub dtmf: Option<String>,
    /// Participants that may drive the output.
    pub allow: Allow,
}

/// Long enough for a door opener's coil, short enough to be noticed.
const PULSE_USUAL_MS: i64 = 3000;

const PRESSES: [(&str, Press); 6] = [
    ("ring", Press::Ring),
    ("answer", Press::Answer),
    ("hang-up", Press::HangUp),
    ("call", Press::Call),
    ("talk", Press::Talk),
    ("mute", Press::Mute),
];

const BIASES: [(&str, Bias); 3] =
    [("pull-up", Bias::PullUp), ("pull-down", Bias::PullDown), ("off", Bias::Off)];

enum Part {
    Button(ButtonConfig),
    Lamp(LampConfig),
    Output(OutputConfig),
}

impl Wiring {
    /// Reads both tables of a file. `call` names the parties, for outputs that digits open.
    pub fn read(root: &mut Section<'_>, call: &CallConfig) -> Wiring {
        let mut wiring = Wiring::default();
        let mut lines: Vec<Line> = Vec::new();
        let mut outputs: Vec<(Option<String>, Option<String>)> = Vec::new();
        let parts = root.sections("gpio", |name, gpio| {
            let part = Part::read(name, gpio)?;
            let line = part.line();
            if lines.iter().any(|other| (&other.line, &other.chip) == (&line.line, &line.chip)) {
                gpio.wrong("line", "is in use by another entry");
            }
            lines.push(line.clone());
            if let Part::Output(output) = &part {
                check_wishes(output, &outputs, gpio);
                advice::output(output, call, gpio);
                outputs.push((output.rpc.clone(), output.dtmf.clone()));
            }
            Some(part)
        });
        for part in parts.into_iter().flatten() {
            match part {
                Part::Button(button) => wiring.buttons.push(button),
                Part::Lamp(lamp) => wiring.lamps.push(lamp),
                Part::Output(output) => wiring.outputs.push(output),
            }
        }
        wiring.keys = root.sections("keys", KeyConfig::read).into_iter().flatten().collect();
        wiring
    }
}

/// Whether what is asked for by a call or by digits can mean this output only.
fn check_wishes(output: &OutputConfig, others: &[(Option<String>, Option<String>)], gpio: &mut Section<'_>) {
    if let Some(rpc) = &output.rpc {
        if CALL_METHODS.contains(&rpc.as_str()) {
            gpio.wrong("rpc", "is what a call is rung, answered and ended by; take another name");
        } else if others.iter().any(|(other, _)| other.as_ref() == Some(rpc)) {
            gpio.wrong("rpc", "is another output's");
        }
    }
    if let Some(code) = &output.dtmf
        && others.iter().any(|(_, other)| other.as_ref() == Some(code))
    {
        gpio.wrong("dtmf", "is another output's");
    }
}

impl Part {
    fn read(name: &str, gpio: &mut Section<'_>) -> Option<Part> {
        let line = Line::read(gpio);
        let (press, hold) = (gpio.word("press", &PRESSES), gpio.word("hold", &PRESSES));
        let shows = gpio.word("shows", &[("state", ())]);
        let pulse_ms = gpio.number("pulse_ms", *PULSE_MS.start() as i64..=*PULSE_MS.end() as i64);
        let rpc = gpio.text("rpc");
        let dtmf = gpio.parsed("dtmf", check_digits);
        let allow = gpio.allow("allow");
        let is_button = gpio.has("press") || gpio.has("hold");
        let is_lamp = gpio.has("shows");
        let is_output = ["pulse_ms", "rpc", "dtmf", "allow"].into_iter().any(|key| gpio.has(key));
        if [is_button, is_lamp, is_output].into_iter().filter(|is| *is).count() != 1 {
            gpio.wrong_here(
                "is what it does: a button (press, hold), a lamp (shows), or an output (pulse_ms, rpc, dtmf, allow)",
            );
            return None;
        }
        let (name, line) = (name.to_owned(), line?);
        if is_button {
            return Some(Part::Button(ButtonConfig { name, line, press, hold }));
        }
        if is_lamp {
            return shows.map(|()| Part::Lamp(LampConfig { name, line }));
        }
        if (rpc.is_some() || dtmf.is_some()) && !gpio.has("allow") {
            gpio.missing(
                "allow",
                "the allowed identities, as in [\"flat-*\"]; [\"*\"] is everybody in the room",
            );
        }
        let pulse = Duration::from_millis(pulse_ms.unwrap_or(PULSE_USUAL_MS).unsigned_abs());
        Some(Part::Output(OutputConfig { name, line, pulse, rpc, dtmf, allow: allow.unwrap_or_default() }))
    }

    fn line(&self) -> &Line {
        match self {
            Part::Button(button) => &button.line,
            Part::Lamp(lamp) => &lamp.line,
            Part::Output(output) => &output.line,
        }
    }
}

impl Line {
    fn read(gpio: &mut Section<'_>) -> Option<Line> {
        let line = gpio.text("line");
        if line.is_none() && !gpio.has("line") {
            gpio.missing("line", "the name of a GPIO line, as `gpioinfo` shows it");
        }
        let chip = gpio.text("chip").map(PathBuf::from);
        let active_low = gpio.flag("active_low").unwrap_or(false);
        let bias = gpio.word("bias", &BIASES);
        Some(Line { line: line?, chip, active_low, bias })
    }
}

impl KeyConfig {
    fn read(name: &str, section: &mut Section<'_>) -> Option<KeyConfig> {
        let key = section.parsed("key", check_key);
        if key.is_none() && !section.has("key") {
            section.missing("key", "the name of a key, as in KEY_RECORD");
        }
        let (press, hold) = (section.word("press", &PRESSES), section.word("hold", &PRESSES));
        Some(KeyConfig { name: name.to_owned(), key: key?, press, hold })
    }
}

fn check_digits(digits: &str) -> Result<String, &'static str> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'*' | b'#' | b'A'..=b'D');
    match digits.len() <= DIGITS_MAX && digits.bytes().all(is_digit) {
        true => Ok(digits.to_owned()),
        false => Err("allowed are one to eight of 0-9, *, #, A-D"),
    }
}

fn check_key(key: &str) -> Result<String, &'static str> {
    let is_letter = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    match (key.starts_with("KEY_") || key.starts_with("BTN_")) && key.bytes().all(is_letter) {
        true => Ok(key.to_owned()),
        false => Err("allowed is a name of linux/input-event-codes.h, as in KEY_RECORD"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::section::read;
    use crate::event::ParticipantKind::{Sip, Standard};

    fn wiring(text: &str) -> (Wiring, Vec<String>) {
        let (wiring, problems) = read(text, |root| Wiring::read(root, &CallConfig::default()));
        (wiring, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn reads_bell_lamp_and_door() {
        let text = "[gpio]\nbell = { line = 'GPIO23', press = 'ring', active_low = true, bias = 'pull-up' }\n\
                    lamp = { line = 'GPIO24', shows = 'state' }\n\
                    door = { line = 'GPIO26', pulse_ms = 3000, rpc = 'open', dtmf = '4711', allow = ['flat-*', 'sip_+4930*'] }\n\
                    [keys]\ntalk = { key = 'KEY_RECORD', press = 'talk' }";
        let (wiring, problems) = wiring(text);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(wiring.buttons[0].press, Some(Press::Ring));
        assert_eq!(wiring.buttons[0].line.bias, Some(Bias::PullUp));
        assert_eq!(wiring.lamps[0].line.line, "GPIO24");
        let door = &wiring.outputs[0];
        assert_eq!((door.rpc.as_deref(), door.dtmf.as_deref()), (Some("open"), Some("4711")));
        assert!(door.allow.permits("sip_+49301", Sip) && !door.allow.permits("sip_+49301", Standard));
        assert_eq!(wiring.keys[0].key, "KEY_RECORD");
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, expected) in [
            ("gpio.a = { line = 'X' }", "gpio.a: is what it does"),
            ("gpio.a = { line = 'X', press = 'ring', shows = 'state' }", "gpio.a: is what it does"),
            ("gpio.a = { press = 'ring' }", "gpio.a.line: is missing"),
            ("gpio.a = { line = 'X', press = 'sing' }", "gpio.a.press: is \"sing\"; allowed is \"ring\" or"),
            ("gpio.a = { line = 'X', rpc = 'open' }", "gpio.a.allow: is missing"),
            ("gpio.a = { line = 'X', pulse_ms = 60000 }", "gpio.a.pulse_ms: is 60000"),
            ("gpio.a = { line = 'X', dtmf = '5x', allow = ['*'] }", "gpio.a.dtmf: allowed are"),
            (
                "[gpio]\na = { line = 'X', press = 'ring' }\nb = { line = 'X', shows = 'state' }",
                "gpio.b.line: is in use",
            ),
            ("keys.a = { key = 'record' }", "keys.a.key: allowed is a name"),
        ] {
            let (_, problems) = wiring(text);
            assert!(problems.iter().any(|problem| problem.contains(expected)), "{text}: {problems:?}");
        }
    }

    /// An output without a list opens only for the box itself.
    #[test]
    fn an_output_is_closed_by_default() {
        let (wiring, _) = wiring("gpio.a = { line = 'X', pulse_ms = 500 }");
        assert!(!wiring.outputs[0].allow.permits("flat-1", Standard));
    }

    #[test]
    fn what_is_asked_for_means_one_output_only() {
        let two = |first: &str, second: &str| {
            let text = format!(
                "[gpio]\na = {{ line = 'L1', allow = ['*'], {first} }}\nb = {{ line = 'L2', allow = ['*'], {second} }}"
            );
            let (_, problems) = wiring(&text);
            problems.into_iter().filter(|problem| problem.contains("another")).collect::<Vec<_>>().join("; ")
        };
        // The one is entered on the way to the other: it waits for `#` or a pause.
        for (first, second) in [("5", "51"), ("5", "15"), ("15", "5")] {
            let digits = |rpc: &str, code: &str| format!("rpc = '{rpc}', dtmf = '{code}'");
            assert_eq!(two(&digits("open", first), &digits("gate", second)), "");
        }
        assert!(two("rpc = 'open'", "rpc = 'open'").contains("gpio.b.rpc"));
        assert!(two("rpc = 'answer'", "rpc = 'gate'").contains("gpio.a.rpc"));
        assert!(two("dtmf = '5'", "dtmf = '5'").contains("gpio.b.dtmf"));
    }
}
