//! Words of the command line → checked options. Nothing is opened here.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use kinglet::io::credentials::{ApiKey, Grant, Source};
use kinglet::io::handlers::Handler;
use kinglet::io::sound::spec::{InputSpec, OutputSpec, RawSpec};
use kinglet::local::policy::{Policy, PolicyError};
use kinglet::media::send::adapt::Redundancy;
use kinglet::media::send::chain::Duplex;
use kinglet::media::send::profile::Profile;
use kinglet::session::recovery::Retry;
use kinglet::signal::url::ServerUrl;
use lexopt::{Arg, Parser, ValueExt};

use super::args_token::Who;
use super::doctor::Wishes;
use super::events::{Events, events};
use super::{Failed, help};

/// The longest `--duration` and `--stats`: a year, so that no sum of times overflows.
const SECONDS_MAX: f64 = 366.0 * 86_400.0;

/// What is to be done.
pub enum Command {
    Help(String),
    /// Join a room.
    Join(Box<Join>),
    Run {
        config: PathBuf,
        checks: bool,
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
    /// The server; none: its token endpoint says where.
    pub url: Option<ServerUrl>,
    /// Where the token comes from.
    pub credentials: Source,
    /// Where our sound comes from.
    pub input: InputSpec,
    /// Where the room's sound goes.
    pub output: OutputSpec,
    /// `--board`
    pub board: Option<String>,
    /// `--loop`
    pub loops_input: bool,
    /// `--hear`
    pub hears: Policy,
    /// `--volume`
    pub volume_percent: u8,
    /// `--muted`
    pub is_muted: bool,
    /// `--dtx`, where given.
    pub dtx: Option<bool>,
    /// `--no-aec`, `--half-duplex`
    pub duplex: Duplex,
    /// `--profile`
    pub profile: Profile,
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
    /// `-v`, counted.
    pub verbosity: u8,
}

/// Reads the command line. `environment` gives variables.
///
/// # Errors
/// What is wrong, and what is allowed there.
pub fn parse(
    words: impl IntoIterator<Item = OsString>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Command, Failed> {
    let mut parser = Parser::from_args(words);
    let command = match parser.next().map_err(usage)? {
        None | Some(Arg::Short('h') | Arg::Long("help")) => return Ok(Command::Help(help::MAIN.into())),
        Some(Arg::Short('V') | Arg::Long("version")) => {
            return Ok(Command::Help(concat!("kinglet ", env!("CARGO_PKG_VERSION"), "\n").into()));
        }
        Some(Arg::Value(word)) => word,
        Some(other) => return Err(usage(other.unexpected())),
    };
    match command.to_str() {
        Some("join") => join(&mut parser, environment),
        Some("run") => super::args_box::run(&mut parser),
        Some("ctl") => super::args_box::ctl(&mut parser),
        Some("token") => super::args_token::token(&mut parser, environment),
        Some("devices") => super::args_box::devices(&mut parser),
        Some("doctor") => super::args_box::doctor(&mut parser),
        Some("help") => Ok(Command::Help(help::MAIN.into())),
        _ => Err(Failed::usage(format!(
            "unknown command {:?}; there are join, run, ctl, token, devices and doctor (kinglet --help)",
            command.to_string_lossy()
        ))),
    }
}

fn join(parser: &mut Parser, environment: &dyn Fn(&str) -> Option<String>) -> Result<Command, Failed> {
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
            Arg::Long("rpc") => words.handlers.extend(parsed::<Handler>(parser, "--rpc")?),
            Arg::Long("events") => words.events = events(&text(parser)?)?,
            Arg::Long("control") => words.reads_commands = one_of(parser, "--control", &[("-", true)])?,
            Arg::Long("retry") => {
                let choices = [("forever", Retry::Forever), ("never", Retry::Never)];
                words.retry = one_of(parser, "--retry", &choices)?;
            }
            Arg::Long("ca") => words.ca = Some(parser.value().map_err(usage)?.into()),
            Arg::Long("red") => words.redundancy = one_of(parser, "--red", &Redundancy::NAMES)?,
            Arg::Long("profile") => words.profile = one_of(parser, "--profile", &Profile::NAMES)?,
            Arg::Value(url) if words.url.is_none() => words.url = Some(url.string().map_err(usage)?),
            other => return Err(usage(other.unexpected())),
        }
    }
    words.check(environment).map(|join| Command::Join(Box::new(join)))
}

#[derive(Default)]
struct JoinWords {
    url: Option<String>,
    who: Who,
    input: Option<InputSpec>,
    output: Option<OutputSpec>,
    board: Option<String>,
    loops_input: bool,
    hears: Policy,
    volume_percent: Option<u8>,
    is_muted: bool,
    dtx: Option<bool>,
    duplex: Option<Duplex>,
    profile: Profile,
    redundancy: Redundancy,
    duration: Option<Duration>,
    stats_interval: Option<Duration>,
    handlers: Vec<Handler>,
    files: Option<PathBuf>,
    events: Events,
    reads_commands: bool,
    retry: Retry,
    ca: Option<PathBuf>,
    verbosity: u8,
}

impl JoinWords {
    fn check(self, environment: &dyn Fn(&str) -> Option<String>) -> Result<Join, Failed> {
        let url = self.url.clone().or_else(|| environment("LIVEKIT_URL"));
        let url = url.map(|url| url.parse::<ServerUrl>()).transpose();
        let url = url.map_err(|error| Failed::usage(error.to_string()))?;
        let mut credentials = self.who.source(self.ca.as_deref(), environment)?;
        match &mut credentials {
            Source::Endpoint(endpoint) => endpoint.names_server = url.is_none(),
            _ if url.is_none() => {
                return Err(Failed::usage("no server: give its URL (wss://…), or set LIVEKIT_URL"));
            }
            _ => {}
        }
        let input = self.input.unwrap_or(InputSpec::Auto);
        if self.reads_commands && input == InputSpec::Raw(RawSpec::Standard) {
            return Err(Failed::usage(
                "stdin cannot be both: --input raw:- is sound, --control - is commands",
            ));
        }
        Ok(Join {
            url,
            credentials,
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
            handlers: self.handlers,
            files: self.files,
            events: self.events,
            reads_commands: self.reads_commands,
            retry: self.retry,
            ca: self.ca,
            verbosity: self.verbosity,
        })
    }
}

pub(super) fn usage(error: lexopt::Error) -> Failed {
    Failed::usage(format!("{error} (kinglet --help)"))
}

pub(super) fn text(parser: &mut Parser) -> Result<String, Failed> {
    parser.value().map_err(usage)?.string().map_err(usage)
}

fn parsed<T: std::str::FromStr>(parser: &mut Parser, option: &str) -> Result<Option<T>, Failed>
where
    T::Err: std::fmt::Display,
{
    let word = text(parser)?;
    word.parse().map(Some).map_err(|error| Failed::usage(format!("{option} {word}: {error}")))
}

fn one_of<T: Copy>(parser: &mut Parser, option: &str, choices: &[(&str, T)]) -> Result<T, Failed> {
    let word = text(parser)?;
    let chosen = choices.iter().find(|(name, _)| *name == word).map(|&(_, value)| value);
    chosen.ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        Failed::usage(format!("{option} {word}: it must be {}", names.join(" or ")))
    })
}

fn percent(parser: &mut Parser) -> Result<Option<u8>, Failed> {
    let word = text(parser)?;
    let number = word.trim_end_matches('%').parse().ok().filter(|number| *number <= 150);
    number
        .map(Some)
        .ok_or_else(|| Failed::usage(format!("--volume {word}: it must be a number from 0 to 150")))
}

pub(super) fn seconds(parser: &mut Parser, option: &str) -> Result<Duration, Failed> {
    let word = text(parser)?;
    let number = word.parse::<f64>().ok().filter(|number| *number > 0.0 && *number <= SECONDS_MAX);
    let wrong = || Failed::usage(format!("{option} {word}: it must be a number of seconds above 0"));
    number.map(Duration::from_secs_f64).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(line: &str) -> Result<Command, Failed> {
        let environment = |name: &str| match name {
            "LIVEKIT_API_KEY" | "LIVEKIT_API_SECRET" => Some("x".to_owned()),
            _ => None,
        };
        parse(line.split_whitespace().map(OsString::from), &environment)
    }

    #[test]
    fn a_whole_line_is_understood() {
        let line = "join wss://example.com/livekit --room house --identity door --input wav:a.wav --output raw:- \
                    --duration 2.5 --events json:e.jsonl --stats 1 --retry never --dtx off --volume 80% --muted -v --profile low-latency \
                    --half-duplex";
        let Ok(Command::Join(join)) = parse_words(line) else { panic!("understood") };
        assert_eq!(join.duration, Some(Duration::from_millis(2500)));
        assert_eq!(join.events, Events { json: true, file: Some("e.jsonl".into()) });
        assert_eq!((join.volume_percent, join.dtx, join.is_muted), (80, Some(false), true));
        assert_eq!(join.retry, Retry::Never);
        assert_eq!((join.profile, join.duplex), (Profile::LowLatency, Duplex::Half));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("dance", "dance"),
            ("join", "LIVEKIT_URL"),
            ("join ws://h", "credentials"),
            ("join nonsense --room r", "wss://"),
            ("join ws://h --room r eyJhbGci.eyJzdWIi.c2ln", "***"),
            ("join ws://h --identity i --token t", "--room"),
            ("join ws://h --token-endpoint ws://x", "--token-endpoint"),
            ("join ws://h --token t --token-header-file f", "--token-endpoint"),
            ("join ws://h --room r --volume 200", "150"),
            ("join ws://h --room r --duration -1", "--duration"),
            ("join ws://h --room r --input video", "--input"),
            ("join ws://h --room r --retry often", "forever or never"),
            ("join ws://h --room r --input raw:- --control -", "stdin"),
            ("join ws://h --room r --profile fast", "low-latency"),
            ("join ws://h --room r --red maybe", "auto or on or off"),
            ("join ws://h --room r --frob", "frob"),
            ("token --room r", "--identity"),
        ];
        for (line, named) in cases {
            let Err(failed) = parse_words(line) else { panic!("{line} is wrong") };
            assert!(failed.text.contains(named), "{line}: {}", failed.text);
            assert!(!failed.text.contains('\n'));
            assert_eq!(failed.status.code(), 2, "{line}");
        }
    }
}
