//! The box before it runs, and what its parts tell each other while it does.
//!
//! ```text
//!   watch_line, watch_key ─┐
//!   room's events ─────────┼─► Inbox ─► Running ─► client, lines, memory, journal, ctl
//!   control::attend ───────┤
//!   SIGHUP ────────────────┘
//! ```

use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::rc::Rc;

use futures_util::future::{Either, FutureExt, LocalBoxFuture, ready, select};
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::control;
use super::hands::Lines;
use super::inbox::{Inbox, Input, Taken};
use super::memory::Memory;
use super::plan::Plan;
use super::programs::Programs;
use super::reload::{Reloads, Successor};
use super::running::Running;
use super::tally::Tally;
use super::watchdog::Watchdog;
use super::watched::Watched;
use super::{RunError, Surroundings, settings, tones};
use crate::device::intercom::Intercom;
use crate::event::Event;
use crate::io::client::{Commands, Events};
use crate::io::clock;
use crate::io::reactor::{AsyncFd, Interest, Reactor};
use crate::io::signals::Signals;
use crate::io::systemd::ServiceManager;

/// A box, its lines and its socket, before it runs.
pub(super) struct Station {
    intercom: Box<Intercom>,
    lines: Lines,
    memory: Memory,
    programs: Programs,
    reloads: Reloads,
    socket: (PathBuf, UnixListener),
    manager: Option<ServiceManager>,
    watchdog: Watchdog,
    hang_up: Signals,
}

impl Station {
    /// Takes the lines, keys and the socket. A plan that cannot be gone on with is left in `successor`.
    ///
    /// # Errors
    /// Something cannot be had.
    pub(super) fn open(
        plan: &Plan,
        surroundings: &Surroundings,
        successor: &Successor,
    ) -> Result<Station, RunError> {
        let config = &plan.config;
        let memory = Memory::new(surroundings.state.as_deref());
        let is_muted = plan.was_muted.unwrap_or_else(|| memory.was_muted());
        let manager = surroundings.notify_socket.as_deref().map(ServiceManager::new).transpose();
        let lines = Lines::open(&config.wiring, surroundings.runtime.as_deref())?;
        let socket =
            control::bind(&config.socket).map_err(|error| RunError::Control(config.socket.clone(), error))?;
        Ok(Station {
            intercom: Box::new(Intercom::new(settings::intercom(config, is_muted), clock::now())),
            lines,
            memory,
            programs: Programs::new(config.hooks.clone(), surroundings.variable.0),
            reloads: Reloads::new(plan, surroundings.clone(), successor.clone()),
            socket: (config.socket.clone(), socket),
            manager: manager.map_err(RunError::System)?,
            watchdog: Watchdog::new(surroundings.watchdog_usec.as_deref(), clock::now()),
            hang_up: Signals::hang_up().map_err(RunError::System)?,
        })
    }

    /// Runs the box beside the client, to the client's end.
    pub(super) async fn serve(self, events: Events, commands: Commands, tell: impl FnMut(&Event)) {
        let inbox = Rc::new(Inbox::new());
        let reactor = commands.reactor().clone();
        let watched = Rc::new(Watched::default());
        let (path, listener) = self.socket;
        let sources: [LocalBoxFuture<'static, ()>; 3] = [
            control::serve(listener, commands.clone(), inbox.clone(), watched.clone()).boxed_local(),
            pass_on(events, inbox.clone()).boxed_local(),
            watch_signal(self.hang_up, reactor.clone(), inbox.clone()).boxed_local(),
        ];
        let mut sources: FuturesUnordered<_> = sources.into_iter().collect();

        let tones = tones::put_in_place(&self.reloads.config().call, &commands);
        let unnoted = self.lines.unnoted();
        let running = Running {
            intercom: self.intercom,
            hands: self.lines.watch(&reactor, &inbox),
            memory: Rc::new(self.memory),
            programs: self.programs,
            reloads: self.reloads,
            manager: self.manager,
            watchdog: self.watchdog,
            commands,
            inbox,
            watched,
            tally: Tally::default(),
            tell,
            shown: "",
            chores: tones
                .into_iter()
                .map(FutureExt::boxed_local)
                .chain([ready(unnoted).boxed_local()])
                .collect(),
            writes: FuturesUnordered::new(),
        };
        let serving = std::pin::pin!(running.serve());
        let feeding = std::pin::pin!(async { while sources.next().await.is_some() {} });
        // The sources go on for as long as the client does.
        if let Either::Right(((), serving)) = select(serving, feeding).await {
            serving.await;
        }
        let _ = std::fs::remove_file(path);
    }
}

async fn pass_on(mut events: Events, inbox: Rc<Inbox>) {
    let taken = Taken::default();
    loop {
        let event = events.next().await;
        let is_end = event.is_none();
        inbox.send(Input::Happened(event, taken.clone())).await;
        if is_end {
            return;
        }
        taken.receive().await;
    }
}

async fn watch_signal(signals: Signals, reactor: Rc<Reactor>, inbox: Rc<Inbox>) {
    let Ok(source) = AsyncFd::new(&reactor, signals) else { return };
    while std::future::poll_fn(|context| source.poll_with(context, Interest::Read, Signals::read))
        .await
        .is_ok()
    {
        inbox.send(Input::Reload(None)).await;
    }
}
