//! The command line, parsed and checked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use kinglet::io::credentials::{ApiKey, Grant, Source};
use kinglet::io::handlers::Handler;
use kinglet::io::sound::spec::{InputSpec, OutputSpec};
use kinglet::local::policy::SubscriptionPolicy;
use kinglet::media::send::adapt::Redundancy;
use kinglet::media::send::audio_processor::Duplex;
use kinglet::media::send::profile::AudioProfile;
use kinglet::session::recovery::Retry;
use kinglet::signal::url::ServerUrl;

use super::doctor::Wishes;
use super::events::Events;

/// What is to be done.
pub enum Command {
    Help(String),
    /// Join a room.
    Join(Box<Join>),
    Run {
        config: PathBuf,
        checks: bool,
        /// Number of `-v` options.
        verbosity: u8,
    },
    /// Rest what a program that is gone may have left driven.
    RestOutputs,
    /// Wait until the box has neither a call nor an output that is driven.
    WaitIdle {
        config: Option<PathBuf>,
    },
    Ctl {
        socket: PathBuf,
        json: bool,
        words: Vec<String>,
    },
    Token(ApiKey, Grant),
    Devices {
        json: bool,
    },
    Doctor(Wishes),
}

/// Options of `kinglet join`.
pub struct Join {
    /// The server; `None` if the token endpoint names it.
    pub url: Option<ServerUrl>,
    /// Where the token comes from.
    pub credentials: Source,
    /// `--attribute`
    pub attributes: BTreeMap<String, String>,
    /// Where our sound comes from.
    pub input: InputSpec,
    /// Where the room's sound goes.
    pub output: OutputSpec,
    /// `--board`
    pub board: Option<String>,
    /// `--loop`
    pub loops_input: bool,
    /// `--hear`
    pub hears: SubscriptionPolicy,
    /// `--volume`
    pub volume_percent: u8,
    /// `--muted`
    pub is_muted: bool,
    /// `--dtx`, where given.
    pub dtx: Option<bool>,
    /// `--no-aec`, `--half-duplex`
    pub duplex: Duplex,
    /// `--profile`
    pub profile: AudioProfile,
    /// `--red`
    pub redundancy: Redundancy,
    /// `--duration`
    pub duration: Option<Duration>,
    /// `--files`
    pub files: Option<PathBuf>,
    /// `--rpc`
    pub handlers: Vec<Handler>,
    /// `--stats`
    pub stats_interval: Option<Duration>,
    /// `--events`
    pub events: Events,
    /// `--control -`
    pub reads_commands: bool,
    /// `--retry`
    pub retry: Retry,
    /// `--ca`
    pub ca: Option<PathBuf>,
    /// Number of `-v` options.
    pub verbosity: u8,
}
