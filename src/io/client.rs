//! The async face of the client: [`run`] drives everything on this thread, the program runs beside it.
//!
//! ```text
//!   run(options, program) ── opens cards and files ── loop { tasks · turn · wait } ─► Outcome
//!                                        Events ─► program ─► Commands
//! ```
//!
//! The program is a future on the same thread, so it must not block: while it computes, no sound
//! moves. It ends the client by leaving, or by returning.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use super::mailbox::Mailbox;
use super::reactor::Reactor;
use super::sound::open::OpenError;
use super::sound::spec::{InputSpec, OutputSpec};
use super::{driver, tls};
use crate::engine::Settings;
use crate::error::ExitStatus;
use crate::event::{Command, Event};
use crate::limits::{COMMANDS_MAX, EVENTS_MAX};
use crate::session::recovery::Outcome;
use crate::signal::url::ServerUrl;

/// Everything that a client is started with.
pub struct Options {
    /// The server.
    pub url: ServerUrl,
    /// What the engine is told; its `target` is made from `url`.
    pub settings: Settings,
    /// TLS settings, see [`tls::client_config`].
    pub tls: Arc<ClientConfig>,
    /// Where our sound comes from.
    pub input: InputSpec,
    /// Where the room's sound goes.
    pub output: OutputSpec,
    /// A file starts again at its end.
    pub loops_input: bool,
    /// Leave this long after the first `connected`; then the end of the input ends nothing.
    pub duration: Option<Duration>,
    /// How often a `stats` event is made.
    pub stats_interval: Option<Duration>,
}

/// Why a client could not be started. Nothing was sent to anybody.
#[derive(Debug)]
pub enum StartError {
    /// A card or file.
    Open(OpenError),
    /// `--ca`.
    Ca(PathBuf, tls::CaError),
    /// The codec.
    Engine(crate::engine::StartError),
    /// The operating system refused a descriptor.
    System(std::io::Error),
}

impl StartError {
    /// The exit status that stands for it.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            StartError::Open(error) => error.exit_status(),
            StartError::Ca(..) => ExitStatus::Configuration,
            StartError::Engine(_) | StartError::System(_) => ExitStatus::Refused,
        }
    }
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StartError::Open(error) => error.fmt(f),
            StartError::Ca(path, error) => write!(f, "CA file {}: {error}", path.display()),
            StartError::Engine(error) => error.fmt(f),
            StartError::System(error) => write!(f, "the system gives no descriptor: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        StartError::Open(error)
    }
}

impl From<std::io::Error> for StartError {
    fn from(error: std::io::Error) -> Self {
        StartError::System(error)
    }
}

impl From<crate::engine::StartError> for StartError {
    fn from(error: crate::engine::StartError) -> Self {
        StartError::Engine(error)
    }
}

/// Joins the room and stays until it ends; `program` sees the events and gives commands.
///
/// # Errors
/// A card, file or descriptor could not be had; the server was not asked anything yet.
pub fn run<F>(options: Options, program: impl FnOnce(Events, Commands) -> F) -> Result<Outcome, StartError>
where
    F: Future<Output = ()>,
{
    let reactor = Reactor::new()?;
    let desk = Rc::new(Desk::default());
    let commands = Commands { desk: desk.clone(), reactor: reactor.clone() };
    let program = program(Events { desk: desk.clone() }, commands);
    driver::drive(options, &reactor, &desk, program)
}

/// What lies between the driver and the program.
#[derive(Default)]
pub(super) struct Desk {
    /// `None` is the end.
    pub(super) events: Mailbox<Option<Event>, EVENTS_MAX>,
    pub(super) commands: Mailbox<Command, COMMANDS_MAX>,
    pub(super) results: Mailbox<Result<(), &'static str>, COMMANDS_MAX>,
}

/// What happens, in order.
pub struct Events {
    desk: Rc<Desk>,
}

impl Events {
    /// The next event; `None` when the client has ended.
    pub async fn next(&mut self) -> Option<Event> {
        self.desk.events.receive().await
    }
}

/// What the program asks for.
pub struct Commands {
    desk: Rc<Desk>,
    reactor: Rc<Reactor>,
}

impl Commands {
    /// Gives a command, and waits until it is carried out or refused.
    ///
    /// # Errors
    /// Why it is refused.
    pub async fn give(&mut self, command: Command) -> Result<(), &'static str> {
        self.desk.commands.send(command).await;
        self.desk.results.receive().await
    }

    /// Puts an event of the program's own into the stream that [`Events`] gives; lost where that is full.
    pub fn report(&self, event: Event) {
        let _ = self.desk.events.post(Some(event));
    }

    /// Where the program can wait for descriptors of its own.
    pub fn reactor(&self) -> &Rc<Reactor> {
        &self.reactor
    }
}
