//! `kinglet join`: options → a call, its events → lines.

use kinglet::engine::{PublishSettings, Settings};
use kinglet::error::ExitStatus;
use kinglet::io::client::{self, Options, StartError};
use kinglet::io::credentials::Source;
use kinglet::io::lines::Lines;
use kinglet::io::sound::board;
use kinglet::io::sound::setup::SoundSetup;
use kinglet::io::sound::sizes::Buffering;
use kinglet::io::sound::spec::{InputSpec, OutputSpec};
use kinglet::io::{clock, process, tls};
use kinglet::media::send::profile::AudioProfile;
use kinglet::session::recovery::Retry;
use kinglet::signal::endpoint::Access;
use kinglet::signal::secret::Secret;

use super::command::Join;
use super::events::Events;
use super::print::Printer;
use super::{Failed, control, proxy};

/// Runs a call to its end.
///
/// # Errors
/// It could not be started, or ended otherwise than asked.
pub fn run(join: Join) -> Result<ExitStatus, Failed> {
    let access = first_access(&join)?;
    let tls = tls::client_config(join.ca.as_deref()).map_err(|error| {
        let path = join.ca.clone().unwrap_or_default();
        start_failed(&StartError::Ca(path, error))
    })?;
    let board = join.board.as_deref().map(board::load).transpose();
    let board = board.map_err(|error| start_failed(&StartError::Open(error)))?;
    let lines = open_lines(&join.events, join.output.is_standard_output())?;
    let publish = (join.input != InputSpec::None).then(|| PublishSettings {
        is_muted: join.is_muted,
        is_required: join.input.is_file() && !join.loops_input && join.duration.is_none(),
        dtx: join.dtx.unwrap_or(join.input.is_card()),
        duplex: join.duplex,
        profile: join.profile,
        redundancy: join.redundancy,
        keeps_early_sound: join.input.is_card(),
        ..PublishSettings::default()
    });
    // Without a URL on the command line the token source has named one, or there is no access.
    let url = join.url.or(access.server).ok_or_else(|| Failed::usage("no server"))?;
    let proxies = proxy::checked_for(&url, &super::environment)?;
    let settings = Settings {
        url,
        parameters: process::join_parameters(),
        token: access.token,
        renews_token: join.credentials.can_be_asked_again(),
        publish,
        listens: join.output != OutputSpec::None,
        hears: join.hears,
        retry: join.retry,
        rpc_methods: join.handlers.iter().map(|handler| handler.method.clone()).collect(),
        stores_files: join.files.is_some(),
        volume_percent: join.volume_percent,
        attributes: join.attributes,
    };
    let mut sound = board.as_ref().map(SoundSetup::of_board).unwrap_or_default();
    if join.profile == AudioProfile::LowLatency {
        sound = sound.with_buffering(Buffering::LOW_LATENCY);
    }
    let options = Options {
        settings,
        token_source: Some(join.credentials),
        tls,
        proxies,
        input: join.input,
        output: join.output,
        sound,
        loops_input: join.loops_input,
        duration: join.duration,
        stats_interval: join.stats_interval,
        handlers: join.handlers,
        files: join.files,
    };
    let mut printer = Printer::new(lines, join.events.json, join.verbosity, clock::now());
    let reads_commands = join.reads_commands;
    let outcome = client::run(options, |mut events, commands| async move {
        let printing = async {
            while let Some(event) = events.next().await {
                printer.print(&event, clock::now());
            }
            printer.finish(clock::now());
        };
        if reads_commands {
            control::beside(printing, commands).await;
        } else {
            printing.await;
        }
    });
    let outcome = outcome.map_err(|error| start_failed(&error))?;
    match outcome.status {
        ExitStatus::AsAsked => Ok(ExitStatus::AsAsked),
        status => Err(Failed { status, text: outcome.text }),
    }
}

/// The first token. With `--retry forever` a token endpoint that cannot be reached, or that a portal answers for, is
/// tried again later: then there is no token yet.
fn first_access(join: &Join) -> Result<Access, Failed> {
    let error = match join.credentials.get(clock::unix_time_s()) {
        Ok(access) => return Ok(access),
        Err(error) => error,
    };
    match &join.credentials {
        Source::Endpoint(endpoint)
            if join.retry == Retry::Forever && error.exit_status() == ExitStatus::Unreachable =>
        {
            // The endpoint names the server, too: nothing is dialled before it has.
            Ok(Access { token: Secret::default(), server: Some(endpoint.url.server().clone()) })
        }
        _ => Err(Failed { status: error.exit_status(), text: error.to_string() }),
    }
}

fn start_failed(error: &StartError) -> Failed {
    Failed { status: error.exit_status(), text: error.to_string() }
}

fn open_lines(events: &Events, sound_is_on_stdout: bool) -> Result<Lines, Failed> {
    match &events.file {
        Some(path) => Lines::create(path).map_err(|error| Failed {
            status: ExitStatus::Configuration,
            text: format!("--events {}: {error}", path.display()),
        }),
        None if sound_is_on_stdout => Ok(Lines::stderr()),
        None => Ok(Lines::stdout()),
    }
}
