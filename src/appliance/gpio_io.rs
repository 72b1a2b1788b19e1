//! Inputs and outputs of the appliance: buttons and keys to watch, lamps and outputs to drive.
//!
//! ```text
//!   GpioLines::open ─► GpioLines ─► watch ─► GpioIo       on drop: outputs rest, lines are released
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

/// The configured lines and keys, opened but not watched yet.
pub(super) struct GpioLines {
    /// Why the outputs could not be recorded, for the case that this program ends during a pulse.
    unnoted: Option<String>,
    buttons: Vec<InputLine>,
    /// The keys and their names; `None` if the keyboard or headset is missing and may come later.
    keys: Vec<(Option<Key>, String)>,
    lamps: Vec<OutputLine>,
    outputs: Vec<OutputLine>,
}

/// The lines and keys while the box runs.
pub(super) struct GpioIo {
    /// Futures that send levels to the inbox; each ends with its line.
    pub(super) watching: FuturesUnordered<LocalBoxFuture<'static, ()>>,
    lamps: Vec<OutputLine>,
    outputs: Vec<OutputLine>,
}

impl GpioLines {
    /// Opens all lines and keys, with the outputs at rest. Lines that a previous program has left driven are set to
    /// rest.
    ///
    /// # Errors
    /// A line or key cannot be opened.
    pub(super) fn open(wiring: &Wiring, runtime: Option<&Path>) -> Result<GpioLines, RunError> {
        let driven = DrivenOutputs::new(runtime);
        // A failure is ignored: another program may use the line now.
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
                format!("cannot record the outputs; one may stay driven if this program is killed: {error}")
            }),
            buttons: buttons.collect::<Result<_, _>>()?,
            keys: keys.collect::<Result<_, _>>()?,
            lamps: lamps.collect::<Result<_, _>>()?,
            outputs: outputs.collect::<Result<_, _>>()?,
        })
    }

    /// The warning that the outputs could not be recorded, if any.
    pub(super) fn unnoted(&self) -> Option<String> {
        self.unnoted.clone()
    }

    /// Starts watching: lines are numbered first, then keys, in the order of the configuration.
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
    /// Returns a value without lines. Assigning it releases the previous lines.
    pub(super) fn none() -> GpioIo {
        GpioIo { watching: FuturesUnordered::new(), lamps: Vec::new(), outputs: Vec::new() }
    }

    /// Turns the lamps on or off.
    ///
    /// # Errors
    /// A lamp cannot be driven. The lamps are released, so this is reported once.
    pub(super) fn light(&mut self, is_lit: bool) -> Result<(), String> {
        match self.lamps.iter_mut().find_map(|lamp| lamp.set(is_lit).err()) {
            None => Ok(()),
            Some(error) => {
                self.lamps.clear();
                Err(format!("cannot drive a lamp: {error}"))
            }
        }
    }

    /// Drives the output with this number, or sets it to rest.
    ///
    /// # Errors
    /// The line cannot be set.
    pub(super) fn drive(&mut self, number: usize, is_driven: bool) -> Result<(), String> {
        match self.outputs.get_mut(number).map(|output| output.set(is_driven)) {
            Some(Err(error)) => Err(error.to_string()),
            None if is_driven => Err("its line could not be requested".to_owned()),
            // A line that is not open is at rest.
            Some(Ok(())) | None => Ok(()),
        }
    }
}
