//! Sets up the box: opens its lines, keys and socket, and connects its parts.
//!
//! ```text
//!   watch_line, watch_key ─┐
//!   room's events ─────────┼─► Inbox ─► Appliance ─► client, GPIO, persistent state, journal, ctl
//!   control::attend ───────┤
//!   SIGHUP ────────────────┘
//! ```

use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::rc::Rc;

use futures_util::future::{Either, FutureExt, LocalBoxFuture, ready, select};
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::call_metrics::CallMetrics;
use super::control;
use super::event_broadcast::EventBroadcast;
use super::event_loop::Appliance;
use super::gpio_io::GpioLines;
use super::inbox::{Inbox, Input, Taken};
use super::persistent_state::PersistentState;
use super::plan::Plan;
use super::programs::Programs;
use super::reload::{Reloads, Successor};
use super::watchdog::Watchdog;
use super::{RunError, ServiceEnvironment, apply};
use crate::device::intercom::Intercom;
use crate::event::Event;
use crate::io::client::{Commands, Events};
use crate::io::clock;
use crate::io::reactor::{AsyncFd, Interest, Reactor};
use crate::io::signals::Signals;
use crate::io::systemd::ServiceManager;

/// A box with its lines, keys and socket, before it runs.
pub(super) struct ApplianceSetup {
    intercom: Box<Intercom>,
    lines: GpioLines,
    state: PersistentState,
    programs: Programs,
    reloads: Reloads,
    socket: (PathBuf, UnixListener),
    manager: Option<ServiceManager>,
    watchdog: Watchdog,
    hang_up: Signals,
}

impl ApplianceSetup {
    /// Opens the lines, the keys and the socket. While the box runs, a plan that needs a new client is put into
    /// `successor`.
    ///
    /// # Errors
    /// One of them cannot be opened.
    pub(super) fn open(
        plan: &Plan,
        environment: &ServiceEnvironment,
        successor: &Successor,
    ) -> Result<ApplianceSetup, RunError> {
        let config = &plan.config;
        let state = PersistentState::new(environment.state.as_deref());
        let is_muted = plan.was_muted.unwrap_or_else(|| state.was_muted());
        let manager = environment.notify_socket.as_deref().map(ServiceManager::new).transpose();
        let lines = GpioLines::open(&config.wiring, environment.runtime.as_deref())?;
        let socket =
            control::bind(&config.socket).map_err(|error| RunError::Control(config.socket.clone(), error))?;
        Ok(ApplianceSetup {
            intercom: Box::new(Intercom::new(apply::intercom_settings(config, is_muted), clock::now())),
            lines,
            state,
            programs: Programs::new(config.hooks.clone(), environment.variable.0),
            reloads: Reloads::new(plan, environment.clone(), successor.clone()),
            socket: (config.socket.clone(), socket),
            manager: manager.map_err(RunError::System)?,
            watchdog: Watchdog::new(environment.watchdog_usec.as_deref(), clock::now()),
            hang_up: Signals::hang_up().map_err(RunError::System)?,
        })
    }

    /// Runs the box beside the client, until the client ends.
    pub(super) async fn serve(self, events: Events, commands: Commands, tell: impl FnMut(&Event)) {
        let inbox = Rc::new(Inbox::new());
        let reactor = commands.reactor().clone();
        let broadcast = Rc::new(EventBroadcast::default());
        let (path, listener) = self.socket;
        let sources: [LocalBoxFuture<'static, ()>; 3] = [
            control::serve(listener, commands.clone(), inbox.clone(), broadcast.clone()).boxed_local(),
            pass_on(events, inbox.clone()).boxed_local(),
            watch_signal(self.hang_up, reactor.clone(), inbox.clone()).boxed_local(),
        ];
        let mut sources: FuturesUnordered<_> = sources.into_iter().collect();

        let tones = apply::set_tones(&self.reloads.config().call, &commands);
        let unnoted = self.lines.unnoted();
        let running = Appliance {
            intercom: self.intercom,
            gpio: self.lines.watch(&reactor, &inbox),
            state: Rc::new(self.state),
            programs: self.programs,
            reloads: self.reloads,
            manager: self.manager,
            watchdog: self.watchdog,
            commands,
            inbox,
            broadcast,
            metrics: CallMetrics::default(),
            tell,
            shown: "",
            background: tones
                .into_iter()
                .map(FutureExt::boxed_local)
                .chain([ready(unnoted).boxed_local()])
                .collect(),
            writes: FuturesUnordered::new(),
        };
        let serving = std::pin::pin!(running.serve());
        let feeding = std::pin::pin!(async { while sources.next().await.is_some() {} });
        // The sources run for as long as the client does.
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
