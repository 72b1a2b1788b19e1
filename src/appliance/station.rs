//! Where everything meets: one inbox, one timer, one [`Intercom`] that decides, and the hands that do it.
//!
//! ```text
//!   watch_line, watch_key ─┐
//!   room's events ─────────┼─► Inbox ─► Intercom ─► Action ─► client, lines, memory, journal, ctl
//!   control::attend ───────┘              ▲
//!                                       timer
//! ```

use std::hash::{Hash, Hasher};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::{Either, FutureExt, LocalBoxFuture, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::{Value, json};

use super::control::{self, Watchers};
use super::memory::Memory;
use super::programs::Programs;
use super::{RunError, Surroundings, buttons, tones};
use crate::command::message::{RpcAnswer, RpcRefusal};
use crate::command::{Answer, Command, CommandError};
use crate::config::Config;
use crate::config::call::{AnsweredBy, ToneFiles};
use crate::device::intercom::{Action, Intercom};
use crate::device::settings::{ButtonSettings, IntercomSettings, OutputSettings};
use crate::event::{Event, RpcCallFacts};
use crate::io::client::{Commands, Events};
use crate::io::clock;
use crate::io::gpio::{InputLine, OutputLine};
use crate::io::keys::Key;
use crate::io::mailbox::Mailbox;
use crate::io::systemd::{ServiceManager, watchdog_interval};
use crate::limits::STATION_INPUTS_MAX;

/// Something that the station has to know.
pub(super) enum Input {
    /// Of the room; none: the client has ended.
    Happened(Option<Event>),
    /// A button or key, by its number, is down or up.
    Level(usize, bool),
    /// Somebody at the control socket asks, and waits for the answer.
    Asked(Command, Rc<Mailbox<Answer, 1>>),
}

/// What is on its way to the station.
pub(super) type Inbox = Mailbox<Input, STATION_INPUTS_MAX>;

/// The attribute that shows the others how the call stands.
const ATTRIBUTE: &str = "kinglet.call";

/// A box, its lines and its socket, before it runs.
pub(super) struct Station {
    intercom: Intercom,
    lines: Vec<InputLine>,
    keys: Vec<(Key, String)>,
    lamps: Vec<OutputLine>,
    outputs: Vec<OutputLine>,
    memory: Memory,
    programs: Programs,
    tones: ToneFiles,
    socket: (PathBuf, UnixListener),
    manager: Option<ServiceManager>,
    watchdog: Option<Duration>,
}

/// The same while it runs.
struct Running<F> {
    intercom: Intercom,
    lamps: Vec<OutputLine>,
    outputs: Vec<OutputLine>,
    memory: Rc<Memory>,
    programs: Programs,
    manager: Option<ServiceManager>,
    commands: Commands,
    watchers: Rc<Watchers>,
    tell: F,
    /// What the others were told of the call.
    shown: &'static str,
    /// What takes its time and nobody waits for: an attribute.
    chores: FuturesUnordered<LocalBoxFuture<'static, Option<String>>>,
    /// What has to be on the disk before the end.
    writes: FuturesUnordered<LocalBoxFuture<'static, Option<String>>>,
}

impl Station {
    /// Takes the lines, keys and the socket.
    pub(super) fn open(config: &Config, surroundings: &Surroundings) -> Result<Station, RunError> {
        let wiring = &config.wiring;
        let memory = Memory::new(surroundings.state.as_deref());
        let lines = wiring.buttons.iter().map(|button| InputLine::open(&button.line));
        let keys = wiring.keys.iter().map(|key| Ok((Key::open(&key.key)?, key.key.clone())));
        let lamps = wiring.lamps.iter().map(|lamp| OutputLine::open(&lamp.line));
        let outputs = wiring.outputs.iter().map(|output| OutputLine::open(&output.line));
        let manager = surroundings.notify_socket.as_deref().map(ServiceManager::new).transpose();
        let socket =
            control::bind(&config.socket).map_err(|error| RunError::Control(config.socket.clone(), error))?;
        Ok(Station {
            intercom: Intercom::new(settings(config, memory.was_muted()), clock::now()),
            lines: lines.collect::<Result<_, _>>()?,
            keys: keys.collect::<Result<_, RunError>>()?,
            lamps: lamps.collect::<Result<_, _>>()?,
            outputs: outputs.collect::<Result<_, _>>()?,
            memory,
            programs: Programs::new(config.hooks.clone()),
            tones: config.call.tones.clone(),
            socket: (config.socket.clone(), socket),
            manager: manager.map_err(RunError::System)?,
            watchdog: surroundings.watchdog_usec.as_deref().and_then(watchdog_interval),
        })
    }

    /// Runs the box beside the client, to the client's end.
    pub(super) async fn serve(self, events: Events, commands: Commands, tell: impl FnMut(&Event)) {
        let inbox = Rc::new(Inbox::new());
        let reactor = commands.reactor().clone();
        let watchers = Rc::new(Watchers::default());
        let mut sources: FuturesUnordered<LocalBoxFuture<'static, ()>> = FuturesUnordered::new();
        let buttons = self.lines.len();
        for (number, line) in self.lines.into_iter().enumerate() {
            sources.push(buttons::watch_line(line, number, reactor.clone(), inbox.clone()).boxed_local());
        }
        for (number, (key, name)) in self.keys.into_iter().enumerate() {
            let watching = buttons::watch_key(key, name, buttons + number, reactor.clone(), inbox.clone());
            sources.push(watching.boxed_local());
        }
        let (path, listener) = self.socket;
        let serving = control::serve(listener, commands.clone(), inbox.clone(), watchers.clone());
        sources.push(serving.boxed_local());
        sources.push(pass_on(events, inbox.clone()).boxed_local());

        let tones = tones::put_in_place(&self.tones, &commands);
        let running = Running {
            intercom: self.intercom,
            lamps: self.lamps,
            outputs: self.outputs,
            memory: Rc::new(self.memory),
            programs: self.programs,
            manager: self.manager,
            commands,
            watchers,
            tell,
            shown: "",
            chores: tones.into_iter().map(FutureExt::boxed_local).collect(),
            writes: FuturesUnordered::new(),
        };
        let serving = std::pin::pin!(running.serve(&inbox, self.watchdog));
        let feeding = std::pin::pin!(async { while sources.next().await.is_some() {} });
        // The sources go on for as long as the client does.
        if let Either::Right(((), serving)) = select(serving, feeding).await {
            serving.await;
        }
        let _ = std::fs::remove_file(path);
    }
}

async fn pass_on(mut events: Events, inbox: Rc<Inbox>) {
    loop {
        let event = events.next().await;
        let is_end = event.is_none();
        inbox.send(Input::Happened(event)).await;
        if is_end {
            return;
        }
    }
}

impl<F: FnMut(&Event)> Running<F> {
    async fn serve(mut self, inbox: &Inbox, watchdog: Option<Duration>) {
        let reactor = self.commands.reactor().clone();
        let mut feeds_at = watchdog.map(|interval| clock::now() + interval);
        self.carry_out(clock::now()).await;
        self.manage(ServiceManager::ready);
        loop {
            let now = clock::now();
            let until = [self.intercom.poll_timeout(now), feeds_at].into_iter().flatten().min();
            let until = until.unwrap_or(now + IDLE);
            let next = {
                let waiting = std::pin::pin!(reactor.sleep_until(until, clock::now));
                let receiving = std::pin::pin!(inbox.receive());
                let mut work = futures_util::stream::select(&mut self.chores, &mut self.writes);
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
                Next::Input(Input::Happened(None)) => break,
                Next::Input(Input::Happened(Some(event))) => {
                    self.intercom.handle_event(&event, now);
                    self.say(&event);
                    if let Event::RpcInvoked(call) = &event {
                        self.called(call, now).await;
                    }
                }
                Next::Input(Input::Level(number, is_down)) => {
                    self.intercom.handle_level(number, is_down, now);
                }
                Next::Input(Input::Asked(command, slot)) => {
                    let answer = self.asked(command, now).await;
                    let _ = slot.post(answer);
                }
                Next::Said(Some(text)) => self.say(&Event::Warning { text }),
                Next::Said(None) | Next::Time => {}
            }
            if self.intercom.poll_timeout(now).is_some_and(|at| at <= now) {
                self.intercom.handle_timeout(now);
            }
            if feeds_at.is_some_and(|at| at <= now) {
                // This future runs only while the loop of sound and signal turns.
                self.manage(ServiceManager::alive);
                feeds_at = watchdog.map(|interval| now + interval);
            }
            self.carry_out(now).await;
        }
        self.manage(ServiceManager::stopping);
        while self.writes.next().await.is_some() {}
    }

    async fn asked(&mut self, command: Command, now: Instant) -> Answer {
        let done = |result: Result<(), crate::device::call::Refused>| {
            result.map(|()| Value::Null).map_err(|refused| CommandError::refused(refused.to_string()))
        };
        match command {
            Command::Ring(whom) => done(self.intercom.ring(whom.as_deref(), now)),
            Command::Answer => done(self.intercom.answer(now)),
            Command::HangUp => done(self.intercom.hang_up(now)),
            Command::Pulse(name) => done(self.intercom.pulse(&name, now)),
            Command::Mute | Command::Unmute => {
                self.intercom.set_muted(command == Command::Mute, now);
                Ok(Value::Null)
            }
            Command::Talk(is_held) => {
                self.intercom.talk(is_held, now);
                Ok(Value::Null)
            }
            Command::Leave => {
                // A call would bring it back into the room.
                let _ = self.intercom.hang_up(now);
                self.commands.give(Command::Exit).await
            }
            Command::Status => {
                let mut status = self.commands.give(Command::Status).await?;
                let call = self.intercom.call();
                let (stage, seconds) = (call.stage().word(), call.lasts(now).as_secs());
                status["call"] = json!({ "state": stage, "identity": call.party(), "seconds": seconds });
                status["privacy"] = json!(self.intercom.is_muted());
                Ok(status)
            }
            other => self.commands.give(other).await,
        }
    }

    /// Somebody calls a method of the box.
    async fn called(&mut self, call: &RpcCallFacts, now: Instant) {
        let wish = wish(call);
        let Some(result) = self.intercom.handle_rpc(&call.identity, &call.method, wish, now) else { return };
        let result = result
            .map(str::to_owned)
            .map_err(|refused| RpcRefusal { message: refused.to_string(), ..RpcRefusal::default() });
        // The door opens before its answer goes out; a caller who is gone needs none.
        self.carry_out(now).await;
        let _ = self.commands.give(Command::RpcAnswer(RpcAnswer { id: call.id.clone(), result })).await;
    }

    /// Does what the box wants, in order.
    async fn carry_out(&mut self, now: Instant) {
        while let Some(action) = self.intercom.poll_action() {
            let command = match action {
                Action::Enter => Command::Enter,
                Action::Leave => Command::Exit,
                Action::Talk(is_talking) => Command::Talk(is_talking),
                Action::Mute(is_muted) => {
                    self.remember(is_muted);
                    if is_muted { Command::Mute } else { Command::Unmute }
                }
                Action::Drive(number, is_driven) => {
                    self.drive(number, is_driven);
                    continue;
                }
                Action::Tell(event) => {
                    self.say(&event);
                    continue;
                }
                Action::Play(tone) => Command::Tone(tone),
                Action::Quiet => Command::Quiet,
            };
            if let Err(error) = self.commands.give(command).await {
                self.say(&Event::Warning { text: error.message });
            }
        }
        let is_lit = self.intercom.is_lit(now);
        let failed = self.lamps.iter_mut().find_map(|lamp| lamp.set(is_lit).err());
        if let Some(error) = failed {
            self.say(&Event::Warning { text: format!("a lamp: {error}") });
            self.lamps.clear();
        }
        self.show_stage();
    }

    fn drive(&mut self, number: usize, is_driven: bool) {
        let result = self.outputs.get_mut(number).map(|output| output.set(is_driven));
        if let Some(Err(error)) = result {
            self.say(&Event::Warning { text: format!("an output cannot be driven: {error}") });
        }
    }

    fn remember(&mut self, is_muted: bool) {
        let (memory, reactor) = (self.memory.clone(), self.commands.reactor().clone());
        let write = async move { memory.set_muted(is_muted, &reactor).await.err() };
        self.writes.push(write.boxed_local());
    }

    /// The others see how the call stands, where the token allows it: a panel that shows it needs no more.
    fn show_stage(&mut self) {
        let word = self.intercom.call().stage().word();
        if std::mem::replace(&mut self.shown, word) == word {
            return;
        }
        self.manage(|manager| manager.status(word));
        let commands = self.commands.clone();
        let attributes = [(ATTRIBUTE.to_owned(), word.to_owned())].into_iter().collect();
        let chore = async move {
            // Not in the room, or not allowed: then nobody looks at it either.
            let _ = commands.give(Command::Attributes(attributes)).await;
            None
        };
        self.chores.push(chore.boxed_local());
    }

    fn say(&mut self, event: &Event) {
        self.watchers.tell(event);
        (self.tell)(event);
        if let Some(work) = self.programs.start(event, self.commands.reactor()) {
            self.chores.push(work.boxed_local());
        }
    }

    fn manage(&self, tell: impl FnOnce(&ServiceManager)) {
        if let Some(manager) = &self.manager {
            tell(manager);
        }
    }
}

/// The same number for each copy of a call: who calls, and the call's own number.
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

/// Nothing is due: a look once in a while.
const IDLE: Duration = Duration::from_secs(60);

fn settings(config: &Config, is_muted: bool) -> IntercomSettings {
    let wiring = &config.wiring;
    let buttons = wiring.buttons.iter().map(|button| (&button.name, button.press, button.hold));
    let keys = wiring.keys.iter().map(|key| (&key.name, key.press, key.hold));
    let outputs = wiring.outputs.iter().map(|output| OutputSettings {
        name: output.name.clone(),
        pulse: output.pulse,
        rpc: output.rpc.clone(),
        dtmf: output.dtmf.clone(),
        allow: output.allow.clone(),
    });
    IntercomSettings {
        call: config.call.settings.clone(),
        gate: config.call.mode,
        is_answered_by_microphone: config.call.answered_by == AnsweredBy::Microphone,
        buttons: buttons
            .chain(keys)
            .map(|(name, press, hold)| ButtonSettings { name: name.clone(), press, hold })
            .collect(),
        outputs: outputs.collect(),
        is_muted,
    }
}
