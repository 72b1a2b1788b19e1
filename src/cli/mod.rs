//! The command line: `join`, `run`, `ctl`, `token`, `devices`, `doctor`.
//!
//! ```text
//!   args/, events.rs  words → command.rs, checked      help.rs  what a person reads
//!   join.rs  options → a call             print.rs events → lines      control.rs lines → commands
//!   doctor/  what is wrong with a device
//! ```
//!
//! Every failure is one line on stderr that names what was wrong and what to do, and an exit status
//! (`kinglet::error::ExitStatus`).

mod args;
mod command;
mod control;
mod credentials;
mod ctl;
mod devices;
mod doctor;
mod events;
mod help;
mod idle;
mod join;
mod print;
mod proxy;
mod quota;
mod run;
mod token;

use kinglet::error::ExitStatus;
use kinglet::io::process;
use kinglet::signal::text::one_line;

use command::Command;

/// A complaint about the command line, which may quote it.
const USAGE_BYTES_MAX: usize = 400;

/// How a command fails: one line, and the status.
#[derive(Debug)]
pub struct Failed {
    /// The exit status.
    pub status: ExitStatus,
    /// One line without the program's name.
    pub text: String,
}

impl Failed {
    /// The command line is wrong.
    pub fn usage(text: impl Into<String>) -> Self {
        // A token in the wrong place is named in the error: starred out.
        Self { status: ExitStatus::Usage, text: one_line(&text.into(), USAGE_BYTES_MAX) }
    }
}

/// Runs the command that the arguments name.
pub fn main() -> ExitStatus {
    process::forbid_core_files();
    let result = match args::parse(std::env::args_os().skip(1), &environment) {
        Ok(command) => run(command),
        Err(failed) => Err(failed),
    };
    result.unwrap_or_else(|failed| {
        eprintln!("kinglet: {}", failed.text);
        failed.status
    })
}

fn run(command: Command) -> Result<ExitStatus, Failed> {
    match command {
        Command::Help(text) => {
            print!("{text}");
            Ok(ExitStatus::AsAsked)
        }
        Command::Join(join) => join::run(*join),
        Command::Run { config, checks, verbosity } => run::run(&config, checks, verbosity),
        Command::RestOutputs => run::rest_outputs(),
        Command::WaitIdle { config } => idle::wait(config.as_deref()),
        Command::Ctl { socket, json, words } => ctl::run(&socket, json, &words),
        Command::Token(key, grant) => {
            token::print(&key, &grant);
            Ok(ExitStatus::AsAsked)
        }
        Command::Devices { json } => {
            devices::print(json, &mut std::io::stdout().lock())
                .map_err(|error| Failed { status: ExitStatus::Refused, text: format!("stdout: {error}") })?;
            Ok(ExitStatus::AsAsked)
        }
        Command::Doctor(wishes) => {
            doctor::run(&wishes, &run::service_environment(), &mut std::io::stdout().lock())
                .map_err(|error| Failed { status: ExitStatus::Refused, text: format!("stdout: {error}") })
        }
    }
}

/// A variable of the environment; an empty one counts as not set.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
