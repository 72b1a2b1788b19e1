//! Options that name the source of the access token, or the contents of a token to make.

use std::path::{Path, PathBuf};

use kinglet::io::credentials::{Grant, Source};
use kinglet::io::endpoint::Endpoint;
use kinglet::signal::endpoint::{EndpointUrl, TokenRequest};
use kinglet::signal::secret::Secret;
use kinglet::signal::token_details::TokenDetails;
use lexopt::{Arg, Parser};

use super::details::DetailWords;
use super::values::{seconds, text, usage};
use crate::cli::command::Command;
use crate::cli::{Failed, credentials, help, proxy};

/// Validity of made tokens (the official tools' default).
const TTL_S: u64 = 6 * 3600;

/// The words of `join`, as they were given.
#[derive(Default)]
pub(super) struct Who {
    pub(super) token: Option<String>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) token_command: Option<String>,
    pub(super) endpoint: Option<EndpointUrl>,
    pub(super) header_file: Option<PathBuf>,
    pub(super) room: Option<String>,
    pub(super) identity: Option<String>,
    pub(super) details: TokenDetails,
}

impl Who {
    /// The source that they name: the first of them, in the order of the help.
    ///
    /// # Errors
    /// They name none, or do not go together.
    pub(super) fn source(
        self,
        ca: Option<&Path>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Source, Failed> {
        if self.header_file.is_some() && self.endpoint.is_none() {
            return Err(Failed::usage("--token-header-file is for --token-endpoint"));
        }
        if self.identity.is_some() && self.room.is_none() && self.endpoint.is_none() {
            return Err(Failed::usage(
                "--identity needs --room: a token that is given names its own identity",
            ));
        }
        let is_given = self.token_file.is_some()
            || self.token_command.is_some()
            || self.endpoint.is_none() && (self.token.is_some() || self.room.is_none());
        if is_given && (self.details.agent.is_some() || self.details.metadata.is_some()) {
            return Err(Failed::usage(
                "--agent, --metadata and what belongs to them are for a token that is made or asked for: with --room or \
                 --token-endpoint; one that is given holds its own",
            ));
        }
        if let Some(path) = self.token_file {
            return Ok(Source::File(path));
        }
        if let Some(command) = self.token_command {
            return Ok(Source::Command(command));
        }
        if let Some(url) = self.endpoint {
            return Ok(Source::Endpoint(Endpoint {
                proxies: proxy::checked_for(url.server(), environment)?,
                url,
                header_file: self.header_file,
                request: TokenRequest {
                    room: self.room,
                    identity: self.identity,
                    name: None,
                    details: self.details,
                },
                ca: ca.map(Path::to_owned),
                names_server: false,
            }));
        }
        if let Some(token) = self.token {
            return Ok(Source::Token(Secret::new(token)));
        }
        if let Some(room) = self.room {
            let identity = self.identity.unwrap_or_else(host_name);
            let grant = Grant { room, identity, ttl_s: TTL_S, details: self.details };
            return Ok(Source::Made { key: credentials::api_key(environment)?, grant });
        }
        let none = "no credentials: give --token-file, --token-command, --token-endpoint or --token, set LIVEKIT_TOKEN, or \
                    give --room with LIVEKIT_API_KEY and LIVEKIT_API_SECRET set";
        credentials::token(environment).ok_or_else(|| Failed::usage(none))
    }
}

/// The words of `kinglet token`.
pub(super) fn token(
    parser: &mut Parser,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Command, Failed> {
    let (mut room, mut identity, mut ttl_s) = (None, None, TTL_S);
    let mut details = DetailWords::default();
    while let Some(arg) = parser.next().map_err(usage)? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help(help::TOKEN.into())),
            Arg::Long("room") => room = Some(text(parser)?),
            Arg::Long("identity") => identity = Some(text(parser)?),
            Arg::Long("ttl") => ttl_s = seconds(parser, "--ttl")?.as_secs().max(1),
            Arg::Long(option) => {
                let option = option.to_owned();
                if !details.take(&option, parser)? {
                    return Err(usage(Arg::Long(&option).unexpected()));
                }
            }
            other => return Err(usage(other.unexpected())),
        }
    }
    let details = details.check()?;
    let room = room.ok_or_else(|| Failed::usage("kinglet token needs --room"))?;
    let identity = identity.ok_or_else(|| Failed::usage("kinglet token needs --identity"))?;
    Ok(Command::Token(credentials::api_key(environment)?, Grant { room, identity, ttl_s, details }))
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
