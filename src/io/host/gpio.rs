//! GPIO lines through the kernel's character device: buttons that are read, lamps and outputs that are
//! driven. A line is found by its name, or by its chip's path and name.
//!
//! A driven line is requested at rest, and set to rest again before it is released. If the program is killed, it
//! depends on the kernel whether the line keeps its level (`kept_lines.rs`); the next process sets it to rest
//! (`appliance/afterwards.rs`).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

use gpiocdev::line::{Bias as LineBias, EdgeDetection, Value};
use gpiocdev::request::Request;

use crate::config::gpio::{Bias, Line};

/// What the kernel and `gpioinfo` show as the user of our lines.
const CONSUMER: &str = "kinglet";

/// A line that is read: a button.
pub struct InputLine {
    request: Request,
}

/// A line that is driven: a lamp or an output.
pub struct OutputLine {
    request: Request,
    /// As it was set last; unknown where that failed.
    is_active: Option<bool>,
}

/// Why a line cannot be requested.
#[derive(Debug)]
pub enum GpioError {
    /// No chip has a line of this name.
    NoSuchLine(String),
    /// The line is in use by another program.
    InUse {
        /// Name of the line.
        line: String,
        /// The consumer, as the kernel names it.
        consumer: String,
    },
    /// The kernel refuses.
    Refused {
        /// Name of the line.
        line: String,
        /// Cause of the failure.
        why: String,
    },
}

impl InputLine {
    /// Requests the line, with an event for each of its edges.
    ///
    /// # Errors
    /// It cannot be requested.
    pub fn open(line: &Line) -> Result<InputLine, GpioError> {
        let request = request(line, |builder| {
            builder.as_input().with_edge_detection(EdgeDetection::BothEdges);
            builder.with_bias(line.bias.map(bias));
        })?;
        Ok(InputLine { request })
    }

    /// Whether it is active now. Edges that were reported until now are forgotten.
    ///
    /// # Errors
    /// The line is gone: its chip was unplugged.
    pub fn is_active(&self) -> io::Result<bool> {
        while self.request.has_edge_event().map_err(io::Error::other)? {
            self.request.read_edge_event().map_err(io::Error::other)?;
        }
        self.request.lone_value().map(|value| value == Value::Active).map_err(io::Error::other)
    }

    /// Reads the next edge: whether the line became active. Would block if there is none.
    ///
    /// # Errors
    /// There is no edge ([`io::ErrorKind::WouldBlock`]), or the line is gone.
    pub fn read_edge(&self) -> io::Result<bool> {
        if !self.request.has_edge_event().map_err(io::Error::other)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let event = self.request.read_edge_event().map_err(io::Error::other)?;
        Ok(event.kind == gpiocdev::line::EdgeKind::Rising)
    }
}

impl AsFd for InputLine {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.request.as_fd()
    }
}

impl OutputLine {
    /// Requests the line, at rest.
    ///
    /// # Errors
    /// It cannot be requested.
    pub fn open(line: &Line) -> Result<OutputLine, GpioError> {
        let request = request(line, |builder| _ = builder.as_output(Value::Inactive))?;
        Ok(OutputLine { request, is_active: Some(false) })
    }

    /// Drives it, or lets it rest; nothing happens where it is so already.
    ///
    /// # Errors
    /// The line is gone.
    pub fn set(&mut self, is_active: bool) -> io::Result<()> {
        if self.is_active == Some(is_active) {
            return Ok(());
        }
        self.is_active = None;
        let value = if is_active { Value::Active } else { Value::Inactive };
        self.request.set_lone_value(value).map_err(io::Error::other)?;
        self.is_active = Some(is_active);
        Ok(())
    }
}

impl Drop for OutputLine {
    fn drop(&mut self) {
        let _ = self.set(false);
    }
}

/// Requests `line` with the settings that `configure` makes.
fn request(
    line: &Line,
    configure: impl FnOnce(&mut gpiocdev::request::Builder),
) -> Result<Request, GpioError> {
    let name = || line.line.clone();
    let (chip, offset, consumer) = find(line).ok_or_else(|| GpioError::NoSuchLine(name()))?;
    let mut builder = Request::builder();
    builder.on_chip(chip).with_consumer(CONSUMER).with_line(offset);
    if line.active_low {
        builder.as_active_low();
    }
    configure(&mut builder);
    builder.request().map_err(|error| match consumer {
        Some(consumer) => GpioError::InUse { line: name(), consumer },
        None => GpioError::Refused { line: name(), why: error.to_string() },
    })
}

/// Chip, offset of the line on it, and its consumer, if any.
fn find(line: &Line) -> Option<(PathBuf, u32, Option<String>)> {
    let is_meant = |found: &gpiocdev::FoundLine| {
        found.info.name == line.line && line.chip.as_ref().is_none_or(|chip| same_file(chip, &found.chip))
    };
    let found = gpiocdev::lines().ok()?.find(is_meant)?;
    let consumer = found.info.used.then(|| match found.info.consumer.as_str() {
        "" => "the kernel".to_owned(),
        consumer => consumer.to_owned(),
    });
    Some((found.chip, found.info.offset, consumer))
}

/// Chips have names by udev rule too.
fn same_file(one: &std::path::Path, other: &std::path::Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn bias(bias: Bias) -> LineBias {
    match bias {
        Bias::PullUp => LineBias::PullUp,
        Bias::PullDown => LineBias::PullDown,
        Bias::Off => LineBias::Disabled,
    }
}

impl std::fmt::Display for GpioError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            GpioError::NoSuchLine(line) => {
                write!(
                    f,
                    "there is no GPIO line {line}: `gpioinfo` lists them (and this user needs the group gpio)"
                )
            }
            GpioError::InUse { line, consumer } => write!(f, "the GPIO line {line} is in use by {consumer}"),
            GpioError::Refused { line, why } => write!(f, "the GPIO line {line} cannot be requested: {why}"),
        }
    }
}

impl std::error::Error for GpioError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_not_there_is_named() {
        let line = Line { line: "GPIO_NOWHERE".into(), chip: None, active_low: false, bias: None };
        let error = InputLine::open(&line).err().expect("there is no such line");
        assert!(error.to_string().contains("GPIO_NOWHERE"), "{error}");
        assert!(matches!(OutputLine::open(&line), Err(GpioError::NoSuchLine(_))));
    }
}
