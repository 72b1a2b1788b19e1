//! Inputs and outputs of the appliance: lines and keys that are watched, lamps and outputs that are driven.
//!
//! ```text
//!   GpioLines::open ─► GpioLines ─► watch ─► GpioIo       dropped: every output rests, every line is free
//! ```

use std::path::Path;
use std::rc::Rc;

use futures_util::future::{FutureExt, LocalBoxFuture};
use futures_util::stream::FuturesUnordered;

use super::driven_outputs::DrivenOutputs;
use super::inbox::Inbox;
use super::{RunError, buttons};
use crate::config::gpio::Wiring;
use crate::io::gpio::{InputLine, OutputLine};
use crate::io::keys::{Key, KeyError};
use crate::io::reactor::Reactor;

/// The lines that the wiring names, requested but not watched yet.
pub(super) struct GpioLines {
    /// Why the driven outputs cannot be noted for the case that this program ends within a pulse.
    unnoted: Option<String>,
    buttons: Vec<InputLine>,
    /// By name; one whose keyboard or headset is not there comes later.
    keys: Vec<(Option<Key>, String)>,
    lamps: Vec<OutputLine>,
    outputs: Vec<OutputLine>,
}

/// The same while the box runs.
pub(super) struct GpioIo {
    /// Futures that send levels to the inbox; each ends with its line.
    pub(super) watching: FuturesUnordered<LocalBoxFuture<'static, ()>>,
    lamps: Vec<OutputLine>,
    outputs: Vec<OutputLine>,
}

impl GpioLines {
    /// Takes all of them, outputs at rest; so are those that a program before this one has left driven.
    ///
    /// # Errors
    /// One cannot be had: which, and why.
    pub(super) fn open(wiring: &Wiring, runtime: Option<&Path>) -> Result<GpioLines, RunError> {
        let driven = DrivenOutputs::new(runtime);
        // A line that another program uses now is not ours any more.
        let _ = driven.rest();
        let noted = driven.write(wiring);
        let buttons = wiring.buttons.iter().map(|button| InputLine::open(&button.line));
        let keys = wiring.keys.iter().map(|key| match Key::open(&key.key) {
            Ok(there) => Ok((Some(there), key.key.clone())),
            Err(KeyError::NoDevice(name)) => Ok((None, name)),
            Err(error) => Err(RunError::Key(error)),
        });
        let lamps = wiring.lamps.iter().map(|lamp| OutputLine::open(&lamp.line));
        let outputs = wiring.outputs.iter().map(|output| OutputLine::open(&output.line));
        Ok(GpioLines {
            unnoted: noted.err().map(|error| {
                format!("an output that is driven when this program is killed may stay so: {error}")
            }),
            buttons: buttons.collect::<Result<_, _>>()?,
            keys: keys.collect::<Result<_, _>>()?,
            lamps: lamps.collect::<Result<_, _>>()?,
            outputs: outputs.collect::<Result<_, _>>()?,
        })
    }

    /// A warning, if any.
    pub(super) fn unnoted(&self) -> Option<String> {
        self.unnoted.clone()
    }

    /// Watches them: lines first, then keys, numbered in the order of the configuration.
    pub(super) fn watch(self, reactor: &Rc<Reactor>, inbox: &Rc<Inbox>) -> GpioIo {
        let watching = FuturesUnordered::new();
        let lines = self.buttons.len();
        for (number, line) in self.buttons.into_iter().enumerate() {
            watching.push(buttons::watch_line(line, number, reactor.clone(), inbox.clone()).boxed_local());
        }
        for (number, (key, name)) in self.keys.into_iter().enumerate() {
            let key = buttons::watch_key(key, name, lines + number, reactor.clone(), inbox.clone());
            watching.push(key.boxed_local());
        }
        GpioIo { watching, lamps: self.lamps, outputs: self.outputs }
    }
}

impl GpioIo {
    /// No lines at all: lines that were held are released.
    pub(super) fn none() -> GpioIo {
        GpioIo { watching: FuturesUnordered::new(), lamps: Vec::new(), outputs: Vec::new() }
    }

    /// Lights the lamps, or not.
    ///
    /// # Errors
    /// Why they cannot be driven any more, once.
    pub(super) fn light(&mut self, is_lit: bool) -> Result<(), String> {
        match self.lamps.iter_mut().find_map(|lamp| lamp.set(is_lit).err()) {
            None => Ok(()),
            Some(error) => {
                self.lamps.clear();
                Err(format!("a lamp: {error}"))
            }
        }
    }

    /// Drives an output, by its number, or lets it rest.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(super) fn drive(&mut self, number: usize, is_driven: bool) -> Result<(), String> {
        match self.outputs.get_mut(number).map(|output| output.set(is_driven)) {
            Some(Err(error)) => Err(error.to_string()),
            None if is_driven => Err("its line could not be had".to_owned()),
            // What is not held rests.
            Some(Ok(())) | None => Ok(()),
        }
    }
}
