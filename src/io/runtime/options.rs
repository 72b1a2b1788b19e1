//! What a client is started with ([`Options`]), and why it could not be ([`StartError`]).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use super::handlers::Handler;
use crate::engine::{PublishSettings, Settings};
use crate::error::ExitStatus;
use crate::io::host::process;
use crate::io::signal::proxy::ProxySettings;
use crate::io::signal::tls;
use crate::io::sound::open_error::OpenError;
use crate::io::sound::setup::SoundSetup;
use crate::io::sound::spec::{InputSpec, OutputSpec};
use crate::io::token::credentials::Source;
use crate::local::policy::SubscriptionPolicy;
use crate::media::send::audio_processor::Duplex;
use crate::session::recovery::Retry;
use crate::signal::secret::Secret;
use crate::signal::url::ServerUrl;

/// Everything that a client is started with.
pub struct Options {
    /// Settings of the engine.
    pub settings: Settings,
    /// Where another token comes from when the server refuses the one in `settings`.
    pub token_source: Option<Source>,
    /// TLS settings, see [`tls::client_config`].
    pub tls: Arc<ClientConfig>,
    /// HTTP proxies: the signal connection goes through the one that is for its server, if any.
    pub proxies: ProxySettings,
    /// Where our sound comes from.
    pub input: InputSpec,
    /// Where the room's sound goes.
    pub output: OutputSpec,
    /// How cards are used: by default, or as a board file says.
    pub sound: SoundSetup,
    /// A file starts again at its end.
    pub loops_input: bool,
    /// Leave this long after the first `connected`; then the end of the input ends nothing.
    pub duration: Option<Duration>,
    /// How often a `stats` event is made.
    pub stats_interval: Option<Duration>,
    /// Commands that answer calls of others; their methods are among those of `settings`.
    pub handlers: Vec<Handler>,
    /// The folder for received files, if `settings` has them stored.
    pub files: Option<PathBuf>,
}

impl Options {
    /// A voice in the room that `token` is for, by the sound cards of this device, which comes back for ever. What is to
    /// be otherwise is changed afterwards.
    ///
    /// # Errors
    /// TLS cannot be had.
    pub fn new(url: ServerUrl, token: Secret) -> Result<Options, tls::CaError> {
        let microphone = PublishSettings { dtx: true, duplex: Duplex::ALL, ..PublishSettings::default() };
        Ok(Options {
            settings: Settings {
                url,
                parameters: process::join_parameters(),
                token,
                renews_token: false,
                publish: Some(microphone),
                listens: true,
                hears: SubscriptionPolicy::default(),
                retry: Retry::Forever,
                rpc_methods: Vec::new(),
                stores_files: false,
                volume_percent: 100,
                attributes: Default::default(),
            },
            token_source: None,
            tls: tls::client_config(None)?,
            proxies: ProxySettings::default(),
            input: InputSpec::Auto,
            output: OutputSpec::Auto,
            sound: SoundSetup::default(),
            loops_input: false,
            duration: None,
            stats_interval: None,
            handlers: Vec::new(),
            files: None,
        })
    }
}

/// Why a client could not be started. Nothing was sent.
#[derive(Debug)]
pub enum StartError {
    /// A card or file.
    Open(OpenError),
    /// The CA certificate (`--ca`) cannot be used.
    Ca(PathBuf, tls::CaError),
    /// The codec cannot be created.
    Engine(crate::engine::StartError),
    /// The operating system refused a descriptor.
    System(std::io::Error),
}

impl StartError {
    /// The exit status for this error.
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
            StartError::System(error) => write!(f, "cannot open a descriptor: {error}"),
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
