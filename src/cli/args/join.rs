//! Words of `kinglet join` → checked options.

use std::path::PathBuf;
use std::time::Duration;

use kinglet::io::credentials::Source;
use kinglet::io::environment::Environment;
use kinglet::io::handlers::Handler;
use kinglet::io::sound::spec::{InputSpec, OutputSpec, RawSpec};
use kinglet::local::policy::{PolicyError, SubscriptionPolicy};
use kinglet::media::send::adapt::Redundancy;
use kinglet::media::send::audio_processor::Duplex;
use kinglet::media::send::profile::AudioProfile;
use kinglet::session::recovery::Retry;
use kinglet::signal::url::ServerUrl;
use lexopt::{Arg, Parser, ValueExt};

use super::details::DetailWords;
use super::token::Who;
use super::values::{one_of, parsed, percent, seconds, text, usage};
use crate::cli::command::{Command, Join};
use crate::cli::events::{Events, events};
use crate::cli::{Failed, help};

pub(super) fn join(
    parser: &mut Parser,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Command, Failed> {
    let mut words = JoinWords::default();
    while let Some(arg) = parser.next().map_err(usage)? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help(help::join())),
            Arg::Short('v') => words.verbosity = words.verbosity.saturating_add(1),
            Arg::Long("token") => words.who.token = Some(text(parser)?),
            Arg::Long("token-file") => words.who.token_file = Some(parser.value().map_err(usage)?.into()),
            Arg::Long("token-command") => words.who.token_command = Some(text(parser)?),
            Arg::Long("token-endpoint") => words.who.endpoint = parsed(parser, "--token-endpoint")?,
            Arg::Long("token-header-file") => {
                words.who.header_file = Some(parser.value().map_err(usage)?.into());
            }
            Arg::Long("room") => words.who.room = Some(text(parser)?),
            Arg::Long("identity") => words.who.identity = Some(text(parser)?),
            Arg::Long("input") => words.input = parsed(parser, "--input")?,
            Arg::Long("output") => words.output = parsed(parser, "--output")?,
            Arg::Long("board") => words.board = Some(text(parser)?),
            Arg::Long("loop") => words.loops_input = true,
            Arg::Long("hear") => {
                words.hears = text(parser)?
                    .parse()
                    .map_err(|error: PolicyError| Failed::usage(format!("--hear: {error}")))?;
            }
            Arg::Long("volume") => words.volume_percent = percent(parser)?,
            Arg::Long("muted") => words.is_muted = true,
            Arg::Long("no-aec") => words.duplex = Some(Duplex::Untouched),
            Arg::Long("half-duplex") => words.duplex = Some(Duplex::Half),
            Arg::Long("dtx") => words.dtx = Some(one_of(parser, "--dtx", &[("on", true), ("off", false)])?),
            Arg::Long("duration") => words.duration = Some(seconds(parser, "--duration")?),
            Arg::Long("stats") => words.stats_interval = Some(seconds(parser, "--stats")?),
            Arg::Long("files") => words.files = Some(parser.value().map_err(usage)?.into()),
            Arg::Long("rpc-environment") => words.handlers_environment.push(text(parser)?),
            Arg::Long("rpc") => words.handlers.extend(parsed::<Handler>(parser, "--rpc")?),
            Arg::Long("events") => words.events = events(&text(parser)?)?,
            Arg::Long("control") => words.reads_commands = one_of(parser, "--control", &[("-", true)])?,
            Arg::Long("retry") => {
                let choices = [("forever", Retry::Forever), ("never", Retry::Never)];
                words.retry = one_of(parser, "--retry", &choices)?;
            }
            Arg::Long("ca") => words.ca = Some(parser.value().map_err(usage)?.into()),
            Arg::Long("red") => words.redundancy = one_of(parser, "--red", &Redundancy::NAMES)?,
            Arg::Long("profile") => words.profile = one_of(parser, "--profile", &AudioProfile::NAMES)?,
            Arg::Value(url) if words.url.is_none() => words.url = Some(url.string().map_err(usage)?),
            Arg::Long(option) => {
                let option = option.to_owned();
                if !words.details.take(&option, parser)? {
                    return Err(usage(Arg::Long(&option).unexpected()));
                }
            }
            other => return Err(usage(other.unexpected())),
        }
    }
    words.check(environment).map(|join| Command::Join(Box::new(join)))
}

#[derive(Default)]
struct JoinWords {
    url: Option<String>,
    who: Who,
    details: DetailWords,
    input: Option<InputSpec>,
    output: Option<OutputSpec>,
    board: Option<String>,
    loops_input: bool,
    hears: SubscriptionPolicy,
    volume_percent: Option<u8>,
    is_muted: bool,
    dtx: Option<bool>,
    duplex: Option<Duplex>,
    profile: AudioProfile,
    redundancy: Redundancy,
    duration: Option<Duration>,
    stats_interval: Option<Duration>,
    handlers: Vec<Handler>,
    handlers_environment: Vec<String>,
    files: Option<PathBuf>,
    events: Events,
    reads_commands: bool,
    retry: Retry,
    ca: Option<PathBuf>,
    verbosity: u8,
}

impl JoinWords {
    fn check(mut self, environment: &dyn Fn(&str) -> Option<String>) -> Result<Join, Failed> {
        let url = self.url.clone().or_else(|| environment("LIVEKIT_URL"));
        let url = url.map(|url| url.parse::<ServerUrl>()).transpose();
        let url = url.map_err(|error| Failed::usage(error.to_string()))?;
        let no_server = || Failed::usage("no server: give its URL (wss://…), or set LIVEKIT_URL");
        if url.is_none() && self.who.endpoint.is_none() {
            return Err(no_server());
        }
        self.who.details = std::mem::take(&mut self.details).check()?;
        let attributes = self.who.details.attributes.clone();
        let mut credentials = self.who.source(self.ca.as_deref(), environment)?;
        match &mut credentials {
            Source::Endpoint(endpoint) if url.is_none() && !endpoint.url.may_name_server() => {
                return Err(Failed::usage(
                    "no server: --token-endpoint is asked without TLS (http://) and may not name it; give its URL (wss://…), \
                     or an https:// endpoint",
                ));
            }
            Source::Endpoint(endpoint) => endpoint.names_server = url.is_none(),
            // A file that holds a token comes first, and names none.
            _ if url.is_none() => return Err(no_server()),
            _ => {}
        }
        let input = self.input.unwrap_or(InputSpec::Auto);
        if self.reads_commands && input == InputSpec::Raw(RawSpec::Standard) {
            return Err(Failed::usage(
                "stdin cannot be both: --input raw:- is sound, --control - is commands",
            ));
        }
        let of_handlers = Environment::listed(&self.handlers_environment, environment);
        let handlers = self.handlers.into_iter();
        let handlers =
            handlers.map(|handler| Handler { environment: of_handlers.clone(), ..handler }).collect();
        Ok(Join {
            url,
            credentials,
            attributes,
            input,
            output: self.output.unwrap_or(OutputSpec::Auto),
            board: self.board,
            loops_input: self.loops_input,
            hears: self.hears,
            volume_percent: self.volume_percent.unwrap_or(100),
            is_muted: self.is_muted,
            dtx: self.dtx,
            duplex: self.duplex.unwrap_or(Duplex::ALL),
            profile: self.profile,
            redundancy: self.redundancy,
            duration: self.duration,
            stats_interval: self.stats_interval,
            handlers,
            files: self.files,
            events: self.events,
            reads_commands: self.reads_commands,
            retry: self.retry,
            ca: self.ca,
            verbosity: self.verbosity,
        })
    }
}
