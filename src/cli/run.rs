//! `kinglet run`: the configuration → a box, or all that is wrong with it.

use std::path::Path;

use kinglet::appliance::driven_outputs;
use kinglet::appliance::start_retry::{Next, StartRetry};
use kinglet::appliance::{self, Plan, RunError, ServiceEnvironment, Variable};
use kinglet::config::Problem;
use kinglet::error::ExitStatus;
use kinglet::io::clock;
use kinglet::io::lines::Lines;
use kinglet::session::recovery::Outcome;

use super::print::Printer;
use super::{Failed, environment, proxy};

/// Runs the box; with `checks` only reads everything and reports problems.
///
/// # Errors
/// The configuration cannot be used, or something that it names cannot be had.
pub fn run(path: &Path, checks: bool, verbosity: u8) -> Result<ExitStatus, Failed> {
    let service_environment = service_environment();
    if checks {
        return check(Plan::read(path, &service_environment).map_err(|error| tell(&error))?, path);
    }
    let mut retry = StartRetry::new(&service_environment);
    let mut warned = Vec::new();
    loop {
        let error = match start(path, &service_environment, verbosity, &mut warned) {
            Ok(Outcome { status: ExitStatus::AsAsked, .. }) => return Ok(ExitStatus::AsAsked),
            Ok(outcome) => return Err(Failed { status: outcome.status, text: outcome.text }),
            Err(error) => error,
        };
        match retry.failed(&error) {
            Next::Ends => return Err(tell(&error)),
            Next::Tells => eprintln!("kinglet: {}", tell(&error).text),
            Next::Waits => {}
        }
        if !retry.waits() {
            return Ok(ExitStatus::AsAsked);
        }
    }
}

/// Runs the box to its end. What is wrong with a file that can be used is reported once.
fn start(
    path: &Path,
    service_environment: &ServiceEnvironment,
    verbosity: u8,
    warned: &mut Vec<Problem>,
) -> Result<Outcome, RunError> {
    let plan = Plan::read(path, service_environment)?;
    if plan.problems() != warned.as_slice() {
        *warned = plan.problems().to_vec();
        complain("warning: ", path, warned);
    }
    let mut printer = Printer::journal(Lines::stdout(), verbosity, clock::now());
    let outcome = appliance::run(plan, service_environment, |event| printer.print(event, clock::now()));
    printer.finish(clock::now());
    outcome
}

/// Sets to rest the outputs that an ended program may have left driven; reports it if that program did not end as
/// requested.
///
/// # Errors
/// A line may still be driven.
pub fn rest_outputs() -> Result<ExitStatus, Failed> {
    let rested = driven_outputs::rest_outputs(&service_environment());
    let is_usual = environment("SERVICE_RESULT").is_none_or(|result| result == "success");
    if !rested.lines.is_empty() && !is_usual {
        eprintln!("kinglet: outputs that were put to rest: {}", rested.lines.join(", "));
    }
    match rested.faults.is_empty() {
        true => Ok(ExitStatus::AsAsked),
        false => Err(Failed { status: ExitStatus::Refused, text: rested.faults.join("; ") }),
    }
}

fn check(plan: Plan, path: &Path) -> Result<ExitStatus, Failed> {
    let plan = plan.strict().map_err(|error| tell(&error))?;
    complain("warning: ", path, plan.problems());
    for warning in plan.warnings() {
        eprintln!("kinglet: warning: {}: {warning}", path.display());
    }
    match plan.faults().as_slice() {
        [] => {
            println!("{}: ok", path.display());
            Ok(ExitStatus::AsAsked)
        }
        faults => Err(Failed {
            status: ExitStatus::Configuration,
            text: format!("{}: {}", path.display(), faults.join("; ")),
        }),
    }
}

/// What the service manager gives.
pub fn service_environment() -> ServiceEnvironment {
    // Several are parted by colons; the first is ours.
    let first = |name| environment(name).and_then(|list| Some(list.split(':').next()?.into()));
    ServiceEnvironment {
        credentials: environment("CREDENTIALS_DIRECTORY").map(Into::into),
        state: first("STATE_DIRECTORY"),
        runtime: first("RUNTIME_DIRECTORY"),
        notify_socket: environment("NOTIFY_SOCKET"),
        watchdog_usec: environment("WATCHDOG_USEC"),
        proxies: proxy::settings(&environment),
        variable: Variable(environment),
    }
}

/// What is wrong with the configuration has a line for each; everything else is one.
fn tell(error: &RunError) -> Failed {
    let text = match error {
        RunError::Configuration(path, problems) if problems.len() > 1 => {
            complain("", path, problems);
            format!("{}: {} problems, see above", path.display(), problems.len())
        }
        error => error.to_string(),
    };
    Failed { status: error.exit_status(), text }
}

fn complain(severity: &str, path: &Path, problems: &[Problem]) {
    for problem in problems {
        eprintln!("kinglet: {severity}{}: {problem}", path.display());
    }
}
