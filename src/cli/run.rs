//! `kinglet run`: the configuration → a box, or all that is wrong with it.

use std::path::Path;

use kinglet::appliance::{self, Plan, RunError, Surroundings};
use kinglet::config::Problem;
use kinglet::error::ExitStatus;
use kinglet::io::clock;
use kinglet::io::lines::Lines;

use super::print::Printer;
use super::{Failed, environment, proxy};

/// Runs the box, or with `checks` only reads everything and says what is wrong.
///
/// # Errors
/// The configuration cannot be used, or something that it names cannot be had.
pub fn run(path: &Path, checks: bool) -> Result<ExitStatus, Failed> {
    let surroundings = surroundings();
    let plan = Plan::read(path, &surroundings).map_err(|error| tell(&error))?;
    if checks {
        return check(plan, path);
    }
    complain("warning: ", path, plan.unknown());
    let mut printer = Printer::new(Lines::stdout(), false, 0, clock::now());
    let outcome = appliance::run(plan, &surroundings, |event| printer.print(event, clock::now()));
    printer.finish();
    let outcome = outcome.map_err(|error| tell(&error))?;
    match outcome.status {
        ExitStatus::AsAsked => Ok(ExitStatus::AsAsked),
        status => Err(Failed { status, text: outcome.text }),
    }
}

fn check(plan: Plan, path: &Path) -> Result<ExitStatus, Failed> {
    let plan = plan.strict().map_err(|error| tell(&error))?;
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
pub fn surroundings() -> Surroundings {
    let folder = |name| environment(name).map(Into::into);
    Surroundings {
        credentials: folder("CREDENTIALS_DIRECTORY"),
        // Several are parted by colons; the first is ours.
        state: environment("STATE_DIRECTORY").and_then(|list| Some(list.split(':').next()?.into())),
        notify_socket: environment("NOTIFY_SOCKET"),
        watchdog_usec: environment("WATCHDOG_USEC"),
        proxies: proxy::settings(&environment),
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
