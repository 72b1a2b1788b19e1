//! Programs that the configuration starts when something happens (`[on]`): at most four at a time, ten
//! seconds each, no shell. What one writes is not looked at; how it fails is a warning.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::config::hooks::{Hooks, Occasion};
use crate::event::Event;
use crate::io::command::{Program, run};
use crate::io::reactor::Reactor;
use crate::limits::PROGRAMS_MAX;

/// A program that tells somebody tells him within this, or it is too late anyway.
const PATIENCE: Duration = Duration::from_secs(10);

/// What it may write before it is ended: lines for a log that nobody reads.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;

/// The programs of one box.
pub(super) struct Programs {
    hooks: Hooks,
    running: Rc<Cell<usize>>,
}

impl Programs {
    pub(super) fn new(hooks: Hooks) -> Programs {
        Programs { hooks, running: Rc::default() }
    }

    /// Others, from the next event on.
    pub(super) fn replace(&mut self, hooks: Hooks) {
        self.hooks = hooks;
    }

    /// The work of the program for `event`, if there is one: it gives a warning where it fails.
    pub(super) fn start(
        &self,
        event: &Event,
        reactor: &Rc<Reactor>,
    ) -> Option<impl Future<Output = Option<String>> + 'static> {
        let (occasion, identity) = occasion(event)?;
        let words = self.hooks.program(occasion, identity)?;
        let (running, reactor) = (self.running.clone(), reactor.clone());
        Some(async move {
            let name = words.first().cloned().unwrap_or_default();
            if running.get() >= PROGRAMS_MAX {
                return Some(format!("{name} was not started: {PROGRAMS_MAX} programs run already"));
            }
            running.set(running.get() + 1);
            let program = Program {
                words: &words,
                environment: &[],
                input: &[],
                output_bytes_max: OUTPUT_BYTES_MAX,
                patience: PATIENCE,
            };
            let result = run(&reactor, program).await;
            running.set(running.get() - 1);
            result.err().map(|error| format!("{name}: {error}"))
        })
    }
}

fn occasion(event: &Event) -> Option<(Occasion, &str)> {
    Some(match event {
        Event::Ringing(call) => (Occasion::Ring, &call.identity),
        Event::CallAnswered(call) => (Occasion::Answered, &call.identity),
        Event::CallEnded(call) => (Occasion::Ended, &call.identity),
        Event::CallMissed(call) => (Occasion::Missed, &call.identity),
        Event::Button { action: "pressed", name } => (Occasion::Button, name),
        Event::OutputPulsed { by, .. } => (Occasion::Output, by),
        Event::Connected { .. } | Event::Reconnected { .. } => (Occasion::Connected, ""),
        Event::Disconnected { .. } => (Occasion::Disconnected, ""),
        _ => return None,
    })
}
