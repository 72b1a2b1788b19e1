//! The event loop of the box: one inbox, one timer, one [`Intercom`] that decides, and the parts that carry it out.
//!
//! ```text
//!   Inbox ─► Intercom ─► Action ─► client, GPIO, persistent state, journal, ctl
//!               ▲
//!             timer
//! ```

#![expect(clippy::indexing_slicing, reason = "serde_json: a missing member is null")]

use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::{Either, FutureExt, LocalBoxFuture, select};
use futures_util::stream::{self, FuturesUnordered, StreamExt};
use serde_json::{Value, json};

use super::call_metrics::CallMetrics;
use super::event_broadcast::EventBroadcast;
use super::gpio_io::GpioIo;
use super::inbox::{Inbox, Input};
use super::persistent_state::PersistentState;
use super::programs::Programs;
use super::reload::Reloads;
use super::watchdog::{Feed, Watchdog};
use crate::command::message::{RpcAnswer, RpcRefusal};
use crate::command::{Answer, Command, CommandError};
use crate::device::attribute::CALL_ATTRIBUTE;
use crate::device::call::{CallStage, Refused};
use crate::device::intercom::{Action, Intercom};
use crate::event::{Event, Metrics, RpcCallFacts};
use crate::io::client::Commands;
use crate::io::clock;
use crate::io::mailbox::AnswerSlot;
use crate::io::systemd::ServiceManager;

/// A running box.
pub(super) struct Appliance<F> {
    /// Boxed: it would be most of a future that passes over the stack when it is spawned.
    pub(super) intercom: Box<Intercom>,
    pub(super) gpio: GpioIo,
    pub(super) state: Rc<PersistentState>,
    pub(super) programs: Programs,
    pub(super) reloads: Reloads,
    pub(super) manager: Option<ServiceManager>,
    pub(super) watchdog: Watchdog,
    pub(super) commands: Commands,
    pub(super) inbox: Rc<Inbox>,
    pub(super) broadcast: Rc<EventBroadcast>,
    pub(super) metrics: CallMetrics,
    pub(super) tell: F,
    /// The state of the call that was published last.
    pub(super) shown: &'static str,
    /// Slow tasks that nothing waits for, such as setting an attribute.
    pub(super) background: BackgroundTasks,
    /// Writes that must be finished before the end.
    pub(super) writes: BackgroundTasks,
}

/// Tasks; each returns a warning if it fails.
type BackgroundTasks = FuturesUnordered<LocalBoxFuture<'static, Option<String>>>;

impl<F: FnMut(&Event)> Appliance<F> {
    /// Runs until the end of the client.
    pub(super) async fn serve(mut self) {
        let inbox = self.inbox.clone();
        let reactor = self.commands.reactor().clone();
        // No caller waits for the result; failures are reported.
        let _ = self.carry_out(clock::now()).await;
        self.manage(ServiceManager::ready);
        loop {
            let now = clock::now();
            let until =
                [self.intercom.poll_timeout(now), self.watchdog.poll_timeout()].into_iter().flatten().min();
            let until = until.unwrap_or(now + IDLE);
            let next = {
                let waiting = std::pin::pin!(reactor.sleep_until(until, clock::now));
                let receiving = std::pin::pin!(inbox.receive());
                let watching = (&mut self.gpio.watching).map(|()| None);
                let mut work =
                    stream::select(watching, stream::select(&mut self.background, &mut self.writes));
                let working = std::pin::pin!(async move {
                    match work.next().await {
                        Some(said) => said,
                        None => std::future::pending().await,
                    }
                });
                match select(receiving, select(waiting, working)).await {
                    Either::Left((input, _)) => Next::Input(input),
                    Either::Right((Either::Left(_), _)) => Next::Time,
                    Either::Right((Either::Right((said, _)), _)) => Next::Said(said),
                }
            };
            let now = clock::now();
            match next {
                Next::Input(Input::Happened(None, _)) => break,
                Next::Input(Input::Happened(Some(event), taken)) => {
                    let _ = taken.post(());
                    self.intercom.handle_event(&event, now);
                    self.say(&event);
                    if let Event::RpcInvoked(call) = &event {
                        self.called(call, now).await;
                    }
                }
                Next::Input(Input::Begins(number, is_down)) => {
                    self.intercom.handle_start(number, is_down, now);
                }
                Next::Input(Input::Level(number, is_down)) => {
                    self.intercom.handle_level(number, is_down, now);
                }
                Next::Input(Input::Asked(Command::Leave, slot)) => self.leave(slot, now).await,
                Next::Input(Input::Asked(command, slot)) => {
                    let answer = self.asked(command, now).await;
                    let _ = slot.post(answer);
                }
                Next::Input(Input::Reload(slot)) => self.reload(slot),
                Next::Input(Input::Planned(plan, slot)) => self.planned(*plan, slot, now).await,
                Next::Said(Some(text)) => self.say(&Event::Warning { text }),
                Next::Said(None) | Next::Time => {}
            }
            if self.intercom.poll_timeout(now).is_some_and(|at| at <= now) {
                self.intercom.handle_timeout(now);
            }
            let _ = self.carry_out(now).await;
            self.feed(now);
            self.begin_anew_when_idle(now);
        }
        if !self.reloads.has_successor() {
            self.manage(ServiceManager::stopping);
        }
        while self.writes.next().await.is_some() {}
    }

    /// Leaves the room. Pending messages are sent first, so the answer comes later, without blocking the loop.
    async fn leave(&mut self, slot: AnswerSlot, now: Instant) {
        // A call would bring it back into the room.
        let _ = self.intercom.hang_up(now);
        let answer = self.commands.begin(Command::Exit).await;
        let task = async move {
            let _ = slot.post(answer.await);
            None
        };
        self.background.push(task.boxed_local());
    }

    async fn asked(&mut self, command: Command, now: Instant) -> Answer {
        let done = |result: Result<(), Refused>| {
            result.map(|()| Value::Null).map_err(|refused| CommandError::refused(refused.to_string()))
        };
        match command {
            Command::Ring(whom) => done(self.intercom.ring(whom.as_deref(), now)),
            Command::Answer => done(self.intercom.answer(now)),
            Command::HangUp => done(self.intercom.hang_up(now)),
            Command::Pulse(name) => {
                let granted = self.intercom.pulse(&name, now);
                done(granted.and(self.carry_out(now).await))
            }
            Command::Mute | Command::Unmute => {
                self.intercom.set_muted(command == Command::Mute, now);
                Ok(Value::Null)
            }
            Command::Talk(is_held) => {
                self.intercom.talk(is_held, now);
                Ok(Value::Null)
            }
            Command::Metrics => {
                let mut metrics = Metrics::default();
                self.metrics.write(&self.intercom, &mut metrics);
                let client = self.commands.give(Command::Metrics).await?;
                Ok((metrics.into_text() + client.as_str().unwrap_or_default()).into())
            }
            Command::Status => {
                let mut status = self.commands.give(Command::Status).await?;
                let call = self.intercom.call();
                let (stage, seconds) = (call.stage().word(), call.lasts(now).as_secs());
                status["call"] = json!({ "state": stage, "identity": call.party(), "seconds": seconds });
                status["privacy"] = json!(self.intercom.is_muted());
                // What a restart would interrupt, for the scripts of the package.
                status["busy"] = json!(match (call.stage(), self.intercom.are_outputs_resting(now)) {
                    (CallStage::Idle, true) => "",
                    (CallStage::Idle, false) => "output",
                    _ => "call",
                });
                Ok(status)
            }
            other => self.commands.give(other).await,
        }
    }

    /// Handles an RPC call of a participant.
    async fn called(&mut self, call: &RpcCallFacts, now: Instant) {
        let wish = wish(call);
        let Some(result) = self.intercom.handle_rpc(&call.identity, &call.method, wish, now) else { return };
        // The door opens before the answer is sent. A caller that is gone needs no answer.
        let carried_out = self.carry_out(now).await;
        let result = result
            .and_then(|answer| carried_out.map(|()| answer.to_owned()))
            .map_err(|refused| RpcRefusal { message: refused.to_string(), ..RpcRefusal::default() });
        let _ = self.commands.give(Command::RpcAnswer(RpcAnswer { id: call.id.clone(), result })).await;
    }

    /// Carries out the actions of the box, in order.
    ///
    /// # Errors
    /// A requested output could not be driven. All other actions were carried out.
    pub(super) async fn carry_out(&mut self, now: Instant) -> Result<(), Refused> {
        let mut done = Ok(());
        while let Some(action) = self.intercom.poll_action() {
            let command = match action {
                Action::Admit(rule) => Command::Admit(rule),
                Action::Enter => Command::Enter,
                Action::Leave => Command::Exit,
                Action::Talk(is_talking) => Command::Talk(is_talking),
                Action::Mute(is_muted) => {
                    self.remember(is_muted);
                    if is_muted { Command::Mute } else { Command::Unmute }
                }
                Action::Pulse(number, event) => {
                    // From here on, this program or the service manager sets the line to rest.
                    self.feed(now);
                    match self.gpio.drive(number, true) {
                        Ok(()) => self.say(&event),
                        Err(why) => {
                            self.intercom.not_driven(number, now);
                            self.say(&Event::Warning { text: format!("an output cannot be driven: {why}") });
                            done = Err(Refused::NotDriven);
                        }
                    }
                    continue;
                }
                Action::Rest(number) => {
                    if let Err(why) = self.gpio.drive(number, false)
                        && self.intercom.not_at_rest(number, now)
                    {
                        self.say(&Event::Warning { text: format!("an output cannot be set to rest: {why}") });
                    }
                    continue;
                }
                Action::Tell(event) => {
                    self.say(&event);
                    continue;
                }
                Action::Play(tone) => Command::Tone(tone),
            };
            let waits = command != Command::Exit;
            let answer = self.commands.begin(command).await;
            if !waits {
                self.background
                    .push(async move { answer.await.err().map(|error| error.message) }.boxed_local());
            } else if let Err(error) = answer.await {
                self.say(&Event::Warning { text: error.message });
            }
        }
        if let Err(text) = self.gpio.light(self.intercom.is_lit(now)) {
            self.say(&Event::Warning { text });
        }
        self.show_stage();
        done
    }

    fn remember(&mut self, is_muted: bool) {
        let (state, reactor) = (self.state.clone(), self.commands.reactor().clone());
        let write = async move { state.set_muted(is_muted, &reactor).await.err() };
        self.writes.push(write.boxed_local());
    }

    /// Publishes the state of the call as an attribute, if the token permits it, for example for a panel that shows it.
    fn show_stage(&mut self) {
        let stage = self.intercom.call().stage();
        self.commands.set_in_call(stage == CallStage::Talking);
        let word = stage.word();
        if std::mem::replace(&mut self.shown, word) == word {
            return;
        }
        self.manage(|manager| manager.status(word));
        let commands = self.commands.clone();
        let attributes = [(CALL_ATTRIBUTE.to_owned(), word.to_owned())].into_iter().collect();
        let task = async move {
            // Fails outside the room or without permission; nobody could read the attribute then.
            let _ = commands.give(Command::Attributes(attributes)).await;
            None
        };
        self.background.push(task.boxed_local());
    }

    /// Reports an event to watching clients, the journal, and programs.
    pub(super) fn say(&mut self, event: &Event) {
        self.metrics.count(event);
        self.broadcast.tell(event);
        (self.tell)(event);
        if let Some(work) = self.programs.start(event, self.commands.reactor()) {
            self.background.push(work.boxed_local());
        }
    }

    /// Reports to the service manager that the box runs, as often as needed. This happens only while the loop of sound
    /// and signal runs.
    fn feed(&mut self, now: Instant) {
        match self.watchdog.poll(!self.intercom.are_outputs_resting(now), now) {
            Some(Feed::Alive) => self.manage(ServiceManager::alive),
            Some(Feed::AliveWithin(timeout)) => self.manage(|manager| manager.watch_within(timeout)),
            None => {}
        }
    }

    /// Calls `tell` with the service manager, if there is one.
    pub(super) fn manage(&self, tell: impl FnOnce(&ServiceManager)) {
        if let Some(manager) = &self.manager {
            tell(manager);
        }
    }
}

/// Returns the number of an RPC call, the same for each copy of it: a hash of the caller and the ID of the call.
fn wish(call: &RpcCallFacts) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    (&call.identity, &call.id).hash(&mut hasher);
    hasher.finish()
}

enum Next {
    Input(Input),
    Time,
    Said(Option<String>),
}

/// The longest sleep of the loop if nothing is due.
const IDLE: Duration = Duration::from_secs(60);
