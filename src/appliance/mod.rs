//! `kinglet run`: a box that is switched on and left alone.
//!
//! ```text
//!   buttons, keys ─┐                          ┌─► client: enter, leave, talk, mute
//!   room's events ─┼─► Station ─► Intercom ─► ┼─► lines: lamps, outputs
//!   control socket ┘     │ timer              └─► whoever watches: journal, ctl
//!                        └─► service manager: ready, alive, one line of status
//! ```
//!
//! What a box decides stands in [`crate::device`], what it is told in [`crate::config`]; here both meet
//! descriptors and the client, in one future beside the sound.

mod buttons;
mod control;
mod identity;
mod memory;
mod programs;
mod station;
mod tones;
pub mod visit;

use std::path::PathBuf;

use crate::config::Config;
use crate::device::intercom::CALL_METHODS;
use crate::engine::{PublishSettings, Settings};
use crate::event::Event;
use crate::io::client::{self, Options};
use crate::io::credentials::CredentialsError;
use crate::io::gpio::GpioError;
use crate::io::keys::KeyError;
use crate::io::options::StartError;
use crate::io::sound::board;
use crate::io::sound::setup::SoundSetup;
use crate::io::sound::sizes::Buffering;
use crate::io::sound::spec::{InputSpec, OutputSpec, SpecError};
use crate::io::{process, tls};
use crate::local::policy::Policy;
use crate::media::send::chain::Duplex;
use crate::media::send::profile::Profile;
use crate::session::recovery::{Outcome, Retry};
use crate::signal::secret::Secret;
use station::Station;

/// What the service manager gives: variables of the environment, which only the command line reads.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// `CREDENTIALS_DIRECTORY`.
    pub credentials: Option<PathBuf>,
    /// `STATE_DIRECTORY`: where privacy outlives a power cut.
    pub state: Option<PathBuf>,
    /// `NOTIFY_SOCKET`.
    pub notify_socket: Option<String>,
    /// `WATCHDOG_USEC`.
    pub watchdog_usec: Option<String>,
}

/// Why the box does not start.
#[derive(Debug)]
pub enum RunError {
    /// The client.
    Client(StartError),
    /// `audio.input` or `audio.output`.
    Sound(SpecError),
    /// `server.identity`, or the credentials.
    Identity(String),
    /// A key file.
    Credentials(CredentialsError),
    /// A line.
    Gpio(GpioError),
    /// A key.
    Key(KeyError),
    /// The control socket.
    Control(PathBuf, std::io::Error),
    /// The reactor has no place, or `NOTIFY_SOCKET` is none.
    System(std::io::Error),
}

/// Runs the box until it is told to end. `tell` is given everything that happens, as it happens.
///
/// # Errors
/// Something that the configuration names cannot be had at all.
pub fn run(
    config: &Config,
    surroundings: &Surroundings,
    tell: impl FnMut(&Event),
) -> Result<Outcome, RunError> {
    let options = options(config, surroundings)?;
    let station = Station::open(config, surroundings)?;
    Ok(client::run(options, |events, commands| station.serve(events, commands, tell))?)
}

fn options(config: &Config, surroundings: &Surroundings) -> Result<Options, RunError> {
    let source = identity::source(&config.server, surroundings)?;
    let tls = tls::client_config(config.server.ca.as_deref()).map_err(|error| {
        RunError::Client(StartError::Ca(config.server.ca.clone().unwrap_or_default(), error))
    })?;
    let (input, output) = specs(config)?;
    let microphone = PublishSettings {
        dtx: config.audio.dtx.unwrap_or(input.is_card()),
        duplex: duplex(config),
        profile: config.audio.profile,
        redundancy: config.audio.redundancy,
        keeps_early_sound: true,
        ..PublishSettings::default()
    };
    let settings = Settings {
        url: config.server.url.clone(),
        parameters: process::join_parameters(),
        // It is asked for when the room is entered: the clock, the network and the file may come later.
        token: Secret::default(),
        renews_token: true,
        publish: (input != InputSpec::None).then_some(microphone),
        listens: output != OutputSpec::None,
        hears: Policy::default(),
        retry: Retry::Service,
        rpc_methods: rpc_methods(config),
        stores_files: false,
        volume_percent: config.audio.volume_percent.unwrap_or(100),
    };
    Ok(Options {
        settings,
        token_source: Some(source),
        tls,
        proxy: None,
        input,
        output,
        loops_input: true,
        duration: None,
        stats_interval: None,
        handlers: Vec::new(),
        files: None,
        sound: setup(config)?,
    })
}

/// The cards that are named, or `auto`.
fn specs(config: &Config) -> Result<(InputSpec, OutputSpec), SpecError> {
    let input = config.audio.input.as_deref().map_or(Ok(InputSpec::Auto), pcm)?;
    let output = config.audio.output.as_deref().map_or(Ok(OutputSpec::Auto), pcm)?;
    Ok((input, output))
}

/// How the cards are used: the board's file, and the profile.
fn setup(config: &Config) -> Result<SoundSetup, RunError> {
    let board = config.board.as_deref().map(board::load).transpose().map_err(StartError::Open)?;
    let setup = board.as_ref().map(SoundSetup::of_board).unwrap_or_default().waiting();
    Ok(match config.audio.profile {
        Profile::LowLatency => setup.with_buffering(Buffering::LOW_LATENCY),
        Profile::Default | Profile::Metered => setup,
    })
}

/// What others may call: a call's words, and the outputs.
fn rpc_methods(config: &Config) -> Vec<String> {
    let outputs = config.wiring.outputs.iter().filter_map(|output| output.rpc.clone());
    CALL_METHODS.map(str::to_owned).into_iter().chain(outputs).collect()
}

/// What is done to the microphone's sound, where both ends are cards.
fn duplex(config: &Config) -> Duplex {
    // Noise suppression costs 6 ms, which this profile has not.
    let noise = config.audio.profile != Profile::LowLatency;
    match config.audio.echo_cancellation {
        _ if config.call.is_half_duplex => Duplex::Half,
        Some(false) => Duplex::Untouched,
        _ => Duplex::Full { noise, level: true },
    }
}

/// What `join` calls a SPEC, or the plain name of a PCM.
fn pcm<S: std::str::FromStr<Err = SpecError>>(name: &str) -> Result<S, SpecError> {
    name.parse().or_else(|_| format!("alsa:{name}").parse())
}

impl RunError {
    /// The exit status that stands for it.
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
            RunError::Client(error) => error.fmt(f),
            RunError::Sound(error) => write!(f, "audio: {error}"),
            RunError::Identity(text) => write!(f, "server.identity: {text}"),
            RunError::Credentials(error) => error.fmt(f),
            RunError::Gpio(error) => error.fmt(f),
            RunError::Key(error) => error.fmt(f),
            RunError::Control(path, error) => {
                write!(f, "the control socket {} cannot be made: {error}", path.display())
            }
            RunError::System(error) => write!(f, "the system refuses: {error}"),
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
