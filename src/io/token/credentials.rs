//! Where the access token comes from, and how one is made for the bench.
//!
//! A token is a JWT (RFC 7519) signed with HS256. The API secret belongs on a server, not on a
//! device at a wall; making tokens here is for development.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::endpoint::Endpoint;
use super::token_command;
use crate::error::ExitStatus;
use crate::io::runtime::clock;
use crate::signal::endpoint::Access;
use crate::signal::secret::Secret;
use crate::signal::token::claims;
use crate::signal::token_details::TokenDetails;

/// How far a token's `nbf` lies in the past: clocks of small devices are a little wrong (the server
/// itself allows 60 s).
const CLOCK_SLACK_S: u64 = 10;

/// A source of tokens.
#[derive(Debug, Clone)]
pub enum Source {
    /// The token itself.
    Token(Secret),
    /// A file that holds it.
    File(PathBuf),
    /// A command that prints it, run by `sh -c`.
    Command(String),
    /// A program that prints it, with its arguments: no shell.
    Program(Vec<String>),
    /// A LiveKit token endpoint.
    Endpoint(Endpoint),
    /// Made on this device.
    Made {
        /// `LIVEKIT_API_KEY` and `LIVEKIT_API_SECRET`.
        key: ApiKey,
        /// Room and identity of the token.
        grant: Grant,
    },
}

/// API key and secret.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// The key: the issuer of the token.
    pub key: String,
    /// The secret that signs tokens.
    pub secret: Secret,
}

/// Room, identity and details of a made token.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Name of the room.
    pub room: String,
    /// The identity; also the display name.
    pub identity: String,
    /// How long it is valid.
    pub ttl_s: u64,
    /// The agent to dispatch, and more of the participant.
    pub details: TokenDetails,
}

/// Why there is no token.
#[derive(Debug)]
pub enum CredentialsError {
    /// The file cannot be read.
    File(PathBuf, std::io::Error),
    /// The command cannot be run, or failed.
    Command(String),
    /// The file of the token endpoint's headers, and what is wrong with it.
    HeaderFile(PathBuf, String),
    /// The token endpoint gives none: its address, and why.
    Endpoint(String, String),
    /// The token endpoint cannot be reached or fails: its address, and why.
    Unreachable(String, String),
    /// The answer is not a token, and why.
    Malformed(&'static str),
    /// It is valid no more.
    Expired,
}

impl CredentialsError {
    /// The exit status for this error.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            CredentialsError::File(..) | CredentialsError::HeaderFile(..) => ExitStatus::Configuration,
            CredentialsError::Unreachable(..) => ExitStatus::Unreachable,
            _ => ExitStatus::Credentials,
        }
    }
}

impl std::fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CredentialsError::File(path, error) => write!(f, "token file {}: {error}", path.display()),
            CredentialsError::Command(what) => {
                write!(f, "the token command (--token-command, or token.command): {what}")
            }
            CredentialsError::HeaderFile(path, why) => {
                write!(f, "the token endpoint's header file {}: {why}", path.display())
            }
            CredentialsError::Endpoint(url, why) | CredentialsError::Unreachable(url, why) => {
                write!(f, "the token endpoint {url}: {why}")
            }
            CredentialsError::Malformed(why) => write!(f, "the token is not an access token: {why}"),
            CredentialsError::Expired => f.write_str(
                "the token has expired: ask its issuer for a new one (and check this device's clock)",
            ),
        }
    }
}

impl std::error::Error for CredentialsError {}

impl Source {
    /// The same source for a check: no agent is called.
    #[must_use]
    pub fn without_agent(mut self) -> Source {
        match &mut self {
            Source::Endpoint(endpoint) => endpoint.request.details.agent = None,
            Source::Made { grant, .. } => grant.details.agent = None,
            Source::Token(_) | Source::File(_) | Source::Command(_) | Source::Program(_) => {}
        }
        self
    }

    /// Whether asking again may give another token.
    pub fn can_be_asked_again(&self) -> bool {
        !matches!(self, Source::Token(_))
    }

    /// Problems of the files that it reads, as they are now. No request is sent and nothing is run.
    pub fn fault(&self, unix_time_s: u64) -> Option<CredentialsError> {
        match self {
            Source::File(_) => self.get(unix_time_s).err(),
            Source::Endpoint(endpoint) => endpoint.headers().err(),
            _ => None,
        }
    }

    /// Gets the token, and the server's URL if the source names it. A token that is certainly invalid is refused here,
    /// before the network is used; the server refuses the others.
    ///
    /// # Errors
    /// Why there is no token.
    pub fn get(&self, unix_time_s: u64) -> Result<Access, CredentialsError> {
        let mut server = None;
        let text = match self {
            Source::Token(token) => token.reveal().to_owned(),
            Source::File(path) => read_file(path)?,
            Source::Command(command) => said_by(Command::new("sh").arg("-c").arg(command))?,
            Source::Program(argv) => {
                said_by(Command::new(argv.first().map_or("", String::as_str)).args(argv.iter().skip(1)))?
            }
            Source::Endpoint(endpoint) => {
                let access = endpoint.ask()?;
                server = access.server;
                access.token.reveal().to_owned()
            }
            Source::Made { key, grant } => make(key, grant, unix_time_s).reveal().to_owned(),
        };
        let text = text.trim();
        check(text, unix_time_s)?;
        Ok(Access { token: Secret::new(text.to_owned()), server })
    }
}

impl ApiKey {
    /// Reads a file with lines `LIVEKIT_API_KEY=…` and `LIVEKIT_API_SECRET=…`.
    ///
    /// # Errors
    /// It cannot be read, or lacks one of them.
    pub fn read(path: &Path) -> Result<ApiKey, CredentialsError> {
        let text = read_file(path)?;
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
            line.map(str::to_owned).filter(|value| !value.is_empty())
        };
        let key =
            value("LIVEKIT_API_KEY").ok_or(CredentialsError::Malformed("LIVEKIT_API_KEY= is missing"))?;
        let secret = value("LIVEKIT_API_SECRET")
            .ok_or(CredentialsError::Malformed("LIVEKIT_API_SECRET= is missing"))?;
        Ok(ApiKey { key, secret: Secret::new(secret) })
    }
}

/// Makes a token for `grant`, valid from now on.
pub fn make(key: &ApiKey, grant: &Grant, unix_time_s: u64) -> Secret {
    let claims = Claims {
        iss: &key.key,
        sub: &grant.identity,
        name: &grant.identity,
        nbf: unix_time_s.saturating_sub(CLOCK_SLACK_S),
        exp: unix_time_s.saturating_add(grant.ttl_s),
        video: VideoGrant { room_join: true, room: &grant.room },
        metadata: grant.details.metadata.as_deref(),
        attributes: &grant.details.attributes,
        room_config: grant.details.room_config(),
    };
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    // Plain strings and numbers always serialise.
    let claims = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims).unwrap_or_default());
    let signed = format!("{header}.{claims}");
    let signature =
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.secret.reveal().as_bytes()), signed.as_bytes());
    Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref())))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Claims<'a, R> {
    iss: &'a str,
    sub: &'a str,
    name: &'a str,
    nbf: u64,
    exp: u64,
    video: VideoGrant<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_config: Option<R>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VideoGrant<'a> {
    room_join: bool,
    room: &'a str,
}

fn read_file(path: &Path) -> Result<String, CredentialsError> {
    std::fs::read_to_string(path).map_err(|error| CredentialsError::File(path.to_owned(), error))
}

fn said_by(command: &mut Command) -> Result<String, CredentialsError> {
    token_command::run(command).map_err(CredentialsError::Command)
}

/// Looks only at what every token has: three parts, a JSON claim set, an end that has not passed.
/// A clock that is plainly wrong is that of a device without one: then only the server can judge.
fn check(token: &str, unix_time_s: u64) -> Result<(), CredentialsError> {
    /// The server's own leeway.
    const LEEWAY_S: u64 = 60;
    let claims = claims(token).map_err(CredentialsError::Malformed)?;
    let end = claims.get("exp").and_then(serde_json::Value::as_f64);
    match end {
        Some(end) if unix_time_s >= clock::MADE_S && end + (LEEWAY_S as f64) < unix_time_s as f64 => {
            Err(CredentialsError::Expired)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_800_000_000;

    fn made(ttl_s: u64) -> Secret {
        let key = ApiKey { key: "devkey".into(), secret: Secret::new("secret".into()) };
        let details = TokenDetails::default();
        make(&key, &Grant { room: "house".into(), identity: "door".into(), ttl_s, details }, NOW_S)
    }

    #[test]
    fn a_made_token_has_the_signature_that_others_compute() {
        let token = made(60);
        let (signed, signature) = token.reveal().rsplit_once('.').expect("three parts");
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64");
        hmac::verify(&key, signed.as_bytes(), &signature).expect("signed");
        assert!(check(token.reveal(), NOW_S).is_ok());
        // RFC 7515 A.1.1: the example's claim set, to be sure of the encoding itself.
        assert_eq!(URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT"}"#), "eyJ0eXAiOiJKV1QifQ");
    }

    #[test]
    fn what_is_plainly_no_token_is_refused_before_the_network_is_asked() {
        let expired = made(60);
        let cases = ["", "one.two", "a.b.c.d", "a.!!.c", "a.AAAA.c", "a\n.AAAA.c"];
        for text in cases {
            let error = Source::Token(Secret::new(text.into())).get(NOW_S).expect_err(text);
            assert_eq!(error.exit_status(), ExitStatus::Credentials, "{text}: {error}");
        }
        let late = Source::Token(expired.clone()).get(NOW_S + 1_000);
        assert!(matches!(late, Err(CredentialsError::Expired)));
        assert!(Source::Token(expired).get(0).is_ok(), "no clock, no judgement");
    }

    #[test]
    fn files_and_commands_are_read_and_named_in_errors() {
        let missing = Source::File("/nowhere/token".into()).get(NOW_S).expect_err("missing");
        assert_eq!(missing.exit_status(), ExitStatus::Configuration);
        assert!(missing.to_string().contains("/nowhere/token"));
        let token = made(60);
        let printed = Source::Command(format!("echo {}", token.reveal())).get(NOW_S).expect("printed");
        assert_eq!(printed.token, token);
        let failed = Source::Command("echo broken >&2; exit 3".into()).get(NOW_S).expect_err("failed");
        assert!(failed.to_string().contains("broken"));
    }
}
