//! `kinglet run`: the configuration → a box, or all that is wrong with it.

use std::path::Path;

use kinglet::appliance::{self, Surroundings};
use kinglet::config::{Config, Severity};
use kinglet::error::ExitStatus;
use kinglet::io::lines::Lines;
use kinglet::io::{clock, process};

use super::print::Printer;
use super::{Failed, environment};

/// Runs the box, or with `checks` only reads everything and says what is wrong.
///
/// # Errors
/// The configuration cannot be used, or something that it names cannot be had.
pub fn run(path: &Path, checks: bool) -> Result<ExitStatus, Failed> {
    let config = read(path, checks)?;
    if checks {
        println!("{}: ok", path.display());
        return Ok(ExitStatus::AsAsked);
    }
    let surroundings = surroundings();
    let mut printer = Printer::new(Lines::stdout(), false, 0, clock::now());
    let outcome = appliance::run(&config, &surroundings, |event| printer.print(event, clock::now()));
    printer.finish();
    let outcome = outcome.map_err(|error| Failed { status: error.exit_status(), text: error.to_string() })?;
    match outcome.status {
        ExitStatus::AsAsked => Ok(ExitStatus::AsAsked),
        status => Err(Failed { status, text: outcome.text }),
    }
}

/// What the service manager gives.
pub fn surroundings() -> Surroundings {
    Surroundings {
        credentials: environment("CREDENTIALS_DIRECTORY").map(Into::into),
        // Several are parted by colons; the first is ours.
        state: environment("STATE_DIRECTORY").and_then(|list| Some(list.split(':').next()?.into())),
        notify_socket: environment("NOTIFY_SOCKET"),
        watchdog_usec: environment("WATCHDOG_USEC"),
    }
}

/// At start an unknown key is a loud warning: a package that was rolled back must not be a dead box. Whoever
/// checks is told that it is wrong.
fn read(path: &Path, checks: bool) -> Result<Config, Failed> {
    let failed = |text: String| Failed { status: ExitStatus::Configuration, text };
    let text = process::read_small(path).map_err(|error| failed(format!("{}: {error}", path.display())))?;
    let text = text.ok_or_else(|| failed(format!("{}: there is no such file", path.display())))?;
    let (config, problems) = Config::read(&text);
    for problem in &problems {
        let severity = if problem.severity == Severity::Unknown && !checks { "warning: " } else { "" };
        eprintln!("kinglet: {severity}{}: {problem}", path.display());
    }
    let is_clean = problems.is_empty() || !checks;
    config
        .filter(|_| is_clean)
        .ok_or_else(|| failed(format!("{}: {} problems, see above", path.display(), problems.len())))
}
