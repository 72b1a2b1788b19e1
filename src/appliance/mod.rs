//! `kinglet run`: a box that runs unattended.
//!
//! ```text
//!   buttons, keys ─┐                             ┌─► client: join, leave, talk, mute
//!   room's events ─┼─► Appliance ──► Intercom ─►─┼─► gpio_io: lamps, outputs
//!   control socket ┘     │ timer                 └─► event_broadcast: journal, ctl
//!                        └─► service manager: ready, alive, one line of status
//!
//!   kinglet.toml ─► plan ─► setup: lines, keys, socket opened ─► event_loop: runs ─► reload: a new plan
//! ```
//!
//! The decisions of a box are in [`crate::device`], its settings in [`crate::config`]. This module connects both to
//! file descriptors and the client, in one future that runs beside the sound.

mod apply;
mod buttons;
mod call_metrics;
mod changes;
mod control;
pub mod driven_outputs;
mod event_broadcast;
mod event_loop;
mod gpio_io;
mod inbox;
mod persistent_state;
mod plan;
pub mod probe;
mod programs;
mod reload;
mod setup;
pub mod start_retry;
mod token_source;
#[cfg(test)]
mod upgrade;
mod warnings;
mod watchdog;

use std::path::PathBuf;
use std::rc::Rc;

use crate::config::{Config, Problem};
use crate::event::Event;
use crate::io::client;
use crate::io::credentials::CredentialsError;
use crate::io::gpio::GpioError;
use crate::io::keys::KeyError;
use crate::io::options::StartError;
use crate::io::proxy::ProxySettings;
use crate::io::signals::Termination;
use crate::io::sound::spec::SpecError;
use crate::session::recovery::Outcome;
pub use plan::Plan;
use setup::ApplianceSetup;

/// The environment variables that the service manager sets. Only the command line reads them.
#[derive(Debug, Clone, Default)]
pub struct ServiceEnvironment {
    /// Value of `CREDENTIALS_DIRECTORY`.
    pub credentials: Option<PathBuf>,
    /// Value of `STATE_DIRECTORY`: the folder that keeps privacy over a power cut.
    pub state: Option<PathBuf>,
    /// Value of `RUNTIME_DIRECTORY`: the folder that keeps the message of a failed start.
    pub runtime: Option<PathBuf>,
    /// Value of `NOTIFY_SOCKET`.
    pub notify_socket: Option<String>,
    /// Value of `WATCHDOG_USEC`.
    pub watchdog_usec: Option<String>,
    /// Values of `HTTPS_PROXY` and similar variables.
    pub proxies: ProxySettings,
    /// Reads any other variable, by name. Programs of `[on]` get the listed ones.
    pub variable: Variable,
}

/// A function that returns the value of an environment variable, by name.
#[derive(Debug, Clone, Copy)]
pub struct Variable(pub fn(&str) -> Option<String>);

impl Default for Variable {
    /// Returns `None` for every variable.
    fn default() -> Variable {
        Variable(|_| None)
    }
}

/// Why the box does not start.
#[derive(Debug)]
pub enum RunError {
    /// The configuration's file cannot be read.
    File(PathBuf, std::io::Error),
    /// The configuration is invalid: all its problems.
    Configuration(PathBuf, Vec<Problem>),
    /// The client cannot start.
    Client(StartError),
    /// `audio.input` or `audio.output` is invalid.
    Sound(SpecError),
    /// `server.identity` is invalid, or the unit passes no credentials.
    Identity(String),
    /// The API key file cannot be used.
    Credentials(CredentialsError),
    /// A GPIO line cannot be used.
    Gpio(GpioError),
    /// A key cannot be used.
    Key(KeyError),
    /// `HTTPS_PROXY` or a similar variable is invalid.
    Proxy(String),
    /// The control socket cannot be created.
    Control(PathBuf, std::io::Error),
    /// A system call failed, or `NOTIFY_SOCKET` is invalid.
    System(std::io::Error),
}

/// Runs the box until it is requested to end. Calls `tell` with each event, as it happens.
///
/// # Errors
/// Something that the configuration names cannot be opened or used.
pub fn run(
    mut plan: Plan,
    environment: &ServiceEnvironment,
    mut tell: impl FnMut(&Event),
) -> Result<Outcome, RunError> {
    let path = plan.path.clone();
    let termination = Termination::new().map_err(RunError::System)?;
    let mut before: Option<Config> = None;
    loop {
        let (config, was_muted) = (plan.config.clone(), plan.was_muted);
        let next = Rc::default();
        let ended = ApplianceSetup::open(&plan, environment, &next).and_then(|setup| {
            let run = |events, commands| setup.serve(events, commands, &mut tell);
            Ok(client::run_until(plan.options, &termination, run)?)
        });
        // Takes a signal that came after the client's last check.
        termination.take();
        plan = match (ended, next.take(), before.take()) {
            // A reload that needs other cards or a new session restarts everything in the same process, unless the end
            // was requested meanwhile.
            (Ok(_), Some(new), _) if !termination.is_asked() => {
                before = Some(config);
                new
            }
            (Err(error), _, Some(before)) => {
                tell(&Event::Warning { text: format!("the previous configuration is used again: {error}") });
                Plan::again(&path, (before, was_muted), environment)?
            }
            (ended, ..) => return ended,
        };
    }
}

impl RunError {
    /// The exit status for this error.
    pub fn exit_status(&self) -> crate::error::ExitStatus {
        match self {
            RunError::Client(error) => error.exit_status(),
            RunError::System(_) => crate::error::ExitStatus::Refused,
            RunError::Credentials(error) => error.exit_status(),
            _ => crate::error::ExitStatus::Configuration,
        }
    }
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RunError::File(path, error) => write!(f, "{}: {error}", path.display()),
            RunError::Configuration(path, problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                write!(f, "{}: {}", path.display(), problems.join("; "))
            }
            RunError::Client(error) => error.fmt(f),
            RunError::Sound(error) => write!(f, "audio: {error}"),
            RunError::Identity(text) => write!(f, "server.identity: {text}"),
            RunError::Credentials(error) => error.fmt(f),
            RunError::Gpio(error) => error.fmt(f),
            RunError::Key(error) => error.fmt(f),
            RunError::Proxy(why) => f.write_str(why),
            RunError::Control(path, error) => {
                write!(f, "cannot create the control socket {}: {error}", path.display())
            }
            RunError::System(error) => write!(f, "system error: {error}"),
        }
    }
}

impl std::error::Error for RunError {}

impl From<StartError> for RunError {
    fn from(error: StartError) -> RunError {
        RunError::Client(error)
    }
}

impl From<SpecError> for RunError {
    fn from(error: SpecError) -> RunError {
        RunError::Sound(error)
    }
}

impl From<GpioError> for RunError {
    fn from(error: GpioError) -> RunError {
        RunError::Gpio(error)
    }
}

impl From<KeyError> for RunError {
    fn from(error: KeyError) -> RunError {
        RunError::Key(error)
    }
}
