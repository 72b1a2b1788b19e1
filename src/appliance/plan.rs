//! The plan of a box: the configuration and the files that it names, read and checked. No device or socket is opened
//! yet.
//!
//! ```text
//!   kinglet.toml ─► Config ─┬─► Options of the client ◄─ board, CA, key and header files
//!                           └─► ApplianceSetup: lines, keys, socket, programs, tones
//! ```

use std::path::{Path, PathBuf};

use super::changes::FileFingerprints;
use super::{RunError, ServiceEnvironment, token_source, warnings};
use crate::command::{Tone, ToneSound};
use crate::config::{Config, Problem, Severity};
use crate::device::intercom::CALL_METHODS;
use crate::engine::{PublishSettings, Settings};
use crate::io::client::Options;
use crate::io::options::StartError;
use crate::io::sound::setup::SoundSetup;
use crate::io::sound::sizes::Buffering;
use crate::io::sound::spec::{InputSpec, OutputSpec, SpecError};
use crate::io::sound::{board, recording};
use crate::io::{clock, process, tls};
use crate::local::policy::SubscriptionPolicy;
use crate::media::send::audio_processor::Duplex;
use crate::media::send::profile::AudioProfile;
use crate::session::recovery::Retry;
use crate::signal::secret::Secret;

/// A valid configuration, with the client options that follow from it.
pub struct Plan {
    pub(super) path: PathBuf,
    pub(super) config: Config,
    pub(super) options: Options,
    pub(super) fingerprints: FileFingerprints,
    /// Privacy, if a running box continues with this plan; otherwise the remembered state applies.
    pub(super) was_muted: Option<bool>,
    problems: Vec<Problem>,
}

impl Plan {
    /// Reads the configuration file, and the files that it names. Blocks.
    ///
    /// # Errors
    /// A file cannot be read, or the configuration is invalid.
    pub fn read(path: &Path, environment: &ServiceEnvironment) -> Result<Plan, RunError> {
        let file = |error| RunError::File(path.to_owned(), error);
        let text = process::read_small(path).map_err(file)?;
        let text = text.ok_or_else(|| file(std::io::ErrorKind::NotFound.into()))?;
        let (config, problems) = Config::read(&text);
        match config {
            Some(config) => Self::of(path, config, problems, environment),
            None => Err(RunError::Configuration(path.to_owned(), problems)),
        }
    }

    /// Returns the plan of a previous configuration, for a box that goes back to it with its privacy.
    pub(super) fn again(
        path: &Path,
        (config, was_muted): (Config, Option<bool>),
        environment: &ServiceEnvironment,
    ) -> Result<Plan, RunError> {
        Ok(Plan { was_muted, ..Self::of(path, config, Vec::new(), environment)? })
    }

    fn of(
        path: &Path,
        config: Config,
        problems: Vec<Problem>,
        environment: &ServiceEnvironment,
    ) -> Result<Plan, RunError> {
        let fingerprints = FileFingerprints::read(&config.server);
        let options = options(&config, environment)?;
        Ok(Plan { path: path.to_owned(), config, options, fingerprints, was_muted: None, problems })
    }

    /// The problems of a usable configuration: unknown keys, and doors that open for too many participants or for none.
    /// At start they are warnings: a downgraded package must not stop the box.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Returns the plan if the file has no unknown key: a person who edits the file must learn about mistakes.
    ///
    /// # Errors
    /// The file has an unknown key.
    pub fn strict(self) -> Result<Plan, RunError> {
        match self.problems.iter().all(|problem| problem.severity != Severity::Unknown) {
            true => Ok(self),
            false => Err(RunError::Configuration(self.path, self.problems)),
        }
    }

    /// Warnings for the owner about a usable configuration, one line each.
    pub fn warnings(&self) -> Vec<String> {
        warnings::of(&self.config)
    }

    /// Checks the optional files that are otherwise read later. Returns their faults, one line each.
    pub fn faults(&self) -> Vec<String> {
        let tones = &self.config.call.tones;
        let fault = |(tone, sound): (&Tone, &ToneSound)| match sound {
            ToneSound::File(path) => {
                Some(format!("call.tones.{}: {}", tone.word(), recording::load(Path::new(path)).err()?))
            }
            _ => None,
        };
        let token = self.options.token_source.as_ref().and_then(|token| token.fault(clock::unix_time_s()));
        token.map(|fault| fault.to_string()).into_iter().chain(tones.iter().filter_map(fault)).collect()
    }
}

pub(super) fn options(config: &Config, environment: &ServiceEnvironment) -> Result<Options, RunError> {
    let source = token_source::source(config, environment)?;
    let tls = tls::client_config(config.server.ca.as_deref()).map_err(|error| {
        RunError::Client(StartError::Ca(config.server.ca.clone().unwrap_or_default(), error))
    })?;
    let proxies = environment.proxies.checked_for(&config.server.url).map_err(RunError::Proxy)?;
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
        // If a token endpoint names another server, it does so together with the token.
        url: config.server.url.clone(),
        parameters: process::join_parameters(),
        // The token is requested when the box joins the room: clock, network and file may become available later.
        token: Secret::default(),
        renews_token: true,
        publish: (input != InputSpec::None).then_some(microphone),
        listens: output != OutputSpec::None,
        hears: SubscriptionPolicy::default(),
        retry: Retry::Service,
        rpc_methods: rpc_methods(config),
        stores_files: false,
        volume_percent: config.audio.volume_percent.unwrap_or(100),
        attributes: config.agent.attributes.clone(),
    };
    Ok(Options {
        settings,
        token_source: Some(source),
        tls,
        proxies,
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

/// Returns the configured cards, or `auto`.
pub(super) fn specs(config: &Config) -> Result<(InputSpec, OutputSpec), SpecError> {
    let input = config.audio.input.as_deref().map_or(Ok(InputSpec::Auto), pcm)?;
    let output = config.audio.output.as_deref().map_or(Ok(OutputSpec::Auto), pcm)?;
    Ok((input, output))
}

/// Returns the sound settings, from the board file and the profile.
pub(super) fn setup(config: &Config) -> Result<SoundSetup, RunError> {
    let board = config.board.as_deref().map(board::load).transpose().map_err(StartError::Open)?;
    let setup = board.as_ref().map(SoundSetup::of_board).unwrap_or_default().waiting();
    Ok(match config.audio.profile {
        AudioProfile::LowLatency => setup.with_buffering(Buffering::LOW_LATENCY),
        AudioProfile::Default | AudioProfile::Metered => setup,
    })
}

/// Returns the RPC methods that participants may call: those of calls, and those of the outputs.
fn rpc_methods(config: &Config) -> Vec<String> {
    let outputs = config.wiring.outputs.iter().filter_map(|output| output.rpc.clone());
    CALL_METHODS.map(str::to_owned).into_iter().chain(outputs).collect()
}

/// Returns the processing of the microphone's sound, which applies if both ends are cards.
fn duplex(config: &Config) -> Duplex {
    // Noise suppression adds 6 ms, which is too much for the low-latency profile.
    let noise = config.audio.profile != AudioProfile::LowLatency;
    match config.audio.echo_cancellation {
        _ if config.call.is_half_duplex => Duplex::Half,
        Some(false) => Duplex::Untouched,
        _ => Duplex::Full { noise, level: true },
    }
}

/// Parses a SPEC as of `join`, or the plain name of a PCM.
fn pcm<S: std::str::FromStr<Err = SpecError>>(name: &str) -> Result<S, SpecError> {
    let word = name.split(':').next().unwrap_or_default();
    match ["auto", "alsa", "wav", "raw", "tone", "none"].contains(&word) {
        true => name.parse(),
        false => format!("alsa:{name}").parse(),
    }
}
