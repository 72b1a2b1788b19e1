//! `kinglet doctor`: whether this device can be in a call, and what is wrong where it cannot, on one screen.
//!
//! ```text
//!   configuration ─► machine ─► sound ──────────────────► server ─► paths          finding.rs: a line each
//!                                 └ service.rs: where the box runs, it is asked instead ┘
//! ```
//!
//! The check disturbs nobody: cards are opened for moments, the microphone for two seconds; nothing is played unless
//! requested. In the room it is silent and leaves at once, and it does not enter the room if the box itself runs.

mod configuration;
mod environment;
mod finding;
mod machine;
mod paths;
mod server;
mod service;
mod sound;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use kinglet::appliance::{ServiceEnvironment, probe};
use kinglet::config::{Config, SOCKET};
use kinglet::error::ExitStatus;
use kinglet::io::sound::list::list;

use finding::{Finding, Findings};
use paths::Paths;

/// What is looked at where no other file is named: the service's.
const CONFIG: &str = "/etc/kinglet/kinglet.toml";

/// What is asked for.
pub struct Wishes {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--tone`: play something, and listen for it.
    pub plays: bool,
    /// `--json`
    pub json: bool,
}

/// Looks at everything and prints it; refused where a line failed.
///
/// # Errors
/// It cannot be printed.
pub fn run(
    wishes: &Wishes,
    service_environment: &ServiceEnvironment,
    out: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let mut findings = Findings::new(out, wishes.json);
    let named = wishes.config.as_deref();
    let config = configuration(named, &mut findings);
    let socket = config.as_ref().map_or(Path::new(SOCKET), |config| &config.socket);
    let (mut service, finding) = service::reach(socket);
    findings.extend(finding);
    findings
        .extend(machine::examine(config.as_ref().is_some_and(|config| !config.wiring.outputs.is_empty())));
    if let Some(service) = &mut service {
        findings.extend(service.examine());
    }
    sound(config.as_ref(), service.is_some(), wishes.plays, &mut findings);
    let options = match &config {
        Some(config) => Some(probe::silent(config, service_environment).map_err(|error| error.to_string())),
        None if named.is_none() => environment::silent(&super::environment),
        None => None,
    };
    if let Some(options) = options {
        server::examine(options, service.is_none(), &mut findings);
    }
    findings.extend(service.and_then(|mut service| served_paths(&mut service)).into_iter().flatten());
    let has_failed = findings.finish()?;
    Ok(if has_failed { ExitStatus::Refused } else { ExitStatus::AsAsked })
}

fn configuration(named: Option<&Path>, findings: &mut Findings<'_>) -> Option<Config> {
    let usual = Path::new(CONFIG);
    let Some(path) = named.or_else(|| usual.exists().then_some(usual)) else {
        findings.push(match super::environment("LIVEKIT_URL") {
            Some(_) => Finding::ok("config", "none: LIVEKIT_URL and its credentials are taken, as by `join`"),
            None => Finding::warning(
                "config",
                format!(
                    "no {CONFIG}, none named by --config, and no LIVEKIT_URL: the server is not looked for"
                ),
            ),
        });
        return None;
    };
    let (config, found) = configuration::read(path);
    findings.extend(found);
    config
}

fn sound(config: Option<&Config>, is_served: bool, plays: bool, findings: &mut Findings<'_>) {
    let cards = match config.map(probe::cards).transpose() {
        Ok(cards) => cards.unwrap_or_default(),
        Err(error) => return findings.push(Finding::failed("cards", error.to_string())),
    };
    let found = sound::examine(&list(), &cards, is_served);
    let can_listen = !is_served && sound::can_be_tried(&found, "microphone");
    let can_play = can_listen && sound::can_be_tried(&found, "loudspeaker");
    findings.extend(found);
    if can_listen {
        findings.push(sound::listen(&cards));
    }
    match (plays, can_play) {
        (true, true) => findings.push(sound::echo(&cards)),
        (true, false) => {
            findings.push(Finding::warning("echo", "not tried: one of the cards cannot be had now"))
        }
        (false, _) => {}
    }
}

/// The box in the room knows by which way its sound goes.
fn served_paths(service: &mut service::Service) -> Option<Vec<Finding>> {
    let paths = Paths::read(&service.paths()?);
    let server = paths.path.as_ref()?.server.ip();
    Some(paths.judge(Some(server)))
}
