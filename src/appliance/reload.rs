//! Reloads the configuration while the box runs, at SIGHUP or `ctl reload`.
//!
//! ```text
//!   read, on a thread ─► invalid ─► one line with file, line, key; nothing changes
//!                  └───► valid ─┬─► calls, lines, programs, tones, volume: at once, in the room
//!                               └─► server, cards: after the call, in a new client
//! ```

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use futures_util::future::{FutureExt, ready};
use serde_json::json;

use super::changes::FileFingerprints;
use super::event_loop::Appliance;
use super::gpio_io::{GpioIo, GpioLines};
use super::inbox::Input;
use super::plan::Plan;
use super::{RunError, ServiceEnvironment, apply, changes};
use crate::command::{Answer, Command, CommandError};
use crate::config::Config;
use crate::event::Event;
use crate::io::blocking::unblock;
use crate::io::mailbox::AnswerSlot;
use crate::io::sound::setup::SoundSetup;

/// The plan for the next client, to be used when the current one has ended.
pub(super) type Successor = Rc<RefCell<Option<Plan>>>;

/// The current configuration, and the plan that waits, if any.
pub(super) struct Reloads {
    path: std::path::PathBuf,
    environment: ServiceEnvironment,
    config: Config,
    cards: SoundSetup,
    fingerprints: FileFingerprints,
    /// A plan that waits for the end of the call.
    waiting: Option<Plan>,
    successor: Successor,
}

impl Reloads {
    pub(super) fn new(plan: &Plan, environment: ServiceEnvironment, successor: Successor) -> Reloads {
        Reloads {
            path: plan.path.clone(),
            environment,
            config: plan.config.clone(),
            cards: plan.options.sound.clone(),
            fingerprints: plan.fingerprints.clone(),
            waiting: None,
            successor,
        }
    }

    /// The current configuration.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Whether another client follows the current one.
    pub(super) fn has_successor(&self) -> bool {
        self.successor.borrow().is_some()
    }
}

impl<F: FnMut(&Event)> Appliance<F> {
    /// Starts reading the file. [`Appliance::planned`] is called with the result.
    pub(super) fn reload(&mut self, slot: Option<AnswerSlot>) {
        let (path, environment) = (self.reloads.path.clone(), self.reloads.environment.clone());
        let (reactor, inbox) = (self.commands.reactor().clone(), self.inbox.clone());
        let reading = async move {
            let read = move || Plan::read(&path, &environment).and_then(Plan::strict);
            let plan = unblock(&reactor, "kinglet-config", read).await;
            let plan = plan.unwrap_or_else(|error| Err(RunError::System(error)));
            inbox.send(Input::Planned(Box::new(plan), slot)).await;
            None
        };
        self.background.push(reading.boxed_local());
    }

    /// Applies the configuration that was read, and reports the result.
    pub(super) async fn planned(
        &mut self,
        plan: Result<Plan, RunError>,
        slot: Option<AnswerSlot>,
        now: Instant,
    ) {
        let risks: Vec<String> =
            plan.iter().flat_map(|plan| plan.problems()).map(ToString::to_string).collect();
        let answer = match plan.and_then(|plan| self.take(plan, now)) {
            Ok(anew_for) => Ok(anew_for),
            Err(error) => Err(CommandError::refused(error.to_string())),
        };
        let answer: Answer = answer.map(|anew_for| {
            let is_waiting = !anew_for.is_empty() && !self.intercom.is_idle(now);
            let answer = json!({ "anew_for": anew_for, "after_call": is_waiting });
            self.say(&Event::Reloaded { anew_for, after_call: is_waiting });
            risks.into_iter().for_each(|text| self.say(&Event::Warning { text }));
            answer
        });
        if let Err(error) = &answer {
            let text = format!("the configuration stays as it is: {}", error.message);
            self.say(&Event::Warning { text });
        }
        if let Some(slot) = slot {
            let _ = slot.post(answer);
        }
    }

    /// Ends the client for a waiting plan as soon as this interrupts nothing.
    pub(super) fn begin_anew_when_idle(&mut self, now: Instant) {
        if !self.intercom.is_idle(now) {
            return;
        }
        let Some(mut plan) = self.reloads.waiting.take() else { return };
        plan.was_muted = Some(self.intercom.is_muted());
        *self.reloads.successor.borrow_mut() = Some(plan);
        let commands = self.commands.clone();
        let leaving = async move {
            let _ = commands.give(Command::Leave).await;
            None
        };
        self.background.push(leaving.boxed_local());
    }

    /// Applies a plan, or keeps it for the next client. Returns the sections that need a new client.
    ///
    /// # Errors
    /// A line or key cannot be opened. The configuration does not change.
    fn take(&mut self, plan: Plan, now: Instant) -> Result<Vec<&'static str>, RunError> {
        let (before, after) = (&self.reloads.config, &plan.config);
        let anew_for = changes::begins_anew_for(
            (before, &self.reloads.cards, &self.reloads.fingerprints),
            (after, &plan.options.sound, &plan.fingerprints),
        );
        self.reloads.waiting = None;
        if !anew_for.is_empty() {
            self.reloads.waiting = Some(plan);
            return Ok(anew_for);
        }
        let is_rewired = before.wiring != after.wiring;
        if is_rewired {
            self.rewire(after)?;
        }
        let after = plan.config;
        self.intercom.configure(apply::intercom_settings(&after, self.intercom.is_muted()), is_rewired, now);
        self.programs.replace(after.hooks.clone());
        // The files may have changed under the same names.
        for tone in apply::set_tones(&after.call, &self.commands) {
            self.background.push(tone.boxed_local());
        }
        if self.reloads.config.audio.volume_percent != after.audio.volume_percent {
            let (commands, percent) = (self.commands.clone(), after.audio.volume_percent.unwrap_or(100));
            let setting =
                async move { commands.give(Command::Volume(percent)).await.err().map(|e| e.message) };
            self.background.push(setting.boxed_local());
        }
        self.reloads.config = after;
        Ok(anew_for)
    }

    /// Releases all lines and opens the new ones. If that fails, opens the old ones again.
    fn rewire(&mut self, after: &Config) -> Result<(), RunError> {
        self.gpio = GpioIo::none();
        let runtime = self.reloads.environment.runtime.as_deref();
        let opened = GpioLines::open(&after.wiring, runtime);
        let (lines, result) = match opened {
            Ok(lines) => (Some(lines), Ok(())),
            Err(error) => (GpioLines::open(&self.reloads.config.wiring, runtime).ok(), Err(error)),
        };
        if let Some(lines) = lines {
            self.background.push(ready(lines.unnoted()).boxed_local());
            self.gpio = lines.watch(self.commands.reactor(), &self.inbox);
        }
        result
    }
}
