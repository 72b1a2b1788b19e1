//! `[server]`: where the room is, and how the box gets in.

use std::path::PathBuf;

use super::section::Section;
use crate::limits::IDENTITY_BYTES_MAX;
use crate::signal::endpoint::EndpointUrl;
use crate::signal::url::ServerUrl;

/// The server and our place on it.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerConfig {
    /// URL of the server; or of the token endpoint that names it.
    pub url: ServerUrl,
    /// Whether the token endpoint names the server.
    pub is_named_with_token: bool,
    /// Where access tokens come from.
    pub token: TokenSource,
    /// Name of the room; needed if the token source requires it.
    pub room: Option<String>,
    /// Our identity, with `{serial}`, `{hostname}` and `{machine-id}` still in it; needed as the room is.
    pub identity: Option<String>,
    /// Our name for people.
    pub name: Option<String>,
    /// A CA certificate of one's own.
    pub ca: Option<PathBuf>,
}

/// A source of access tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// A file that holds one; read again whenever one is needed.
    File(PathBuf),
    /// A program that prints one: its arguments, no shell.
    Command(Vec<String>),
    /// A LiveKit token endpoint, asked by HTTPS.
    Endpoint {
        /// URL of the endpoint.
        url: EndpointUrl,
        /// A file with header lines that it wants, a secret mostly.
        header_file: Option<PathBuf>,
    },
    /// A credential of the systemd unit (`LoadCredential=`), by name.
    Credential(String),
    /// A file with `LIVEKIT_API_KEY=` and `LIVEKIT_API_SECRET=` lines, for development: everybody who can read it can
    /// enter every room.
    KeyFile(PathBuf),
}

/// The keys that name a source of access tokens.
const SOURCES: [&str; 5] = ["endpoint", "file", "command", "credential", "key_file"];

/// Placeholders in an identity.
pub const PLACEHOLDERS: [&str; 3] = ["serial", "hostname", "machine-id"];

impl ServerConfig {
    pub(super) fn read(server: &mut Section<'_>) -> Option<ServerConfig> {
        let url = server.parsed("url", str::parse::<ServerUrl>);
        let token = server.section("token", TokenSource::read).flatten();
        if token.is_none() && !server.has("token") {
            server.missing("token", "{ file = \"…\" }, { command = […] }, { endpoint = \"https://…\" }, …");
        }
        let is_named_with_token = !server.has("url");
        let url = match &token {
            Some(TokenSource::Endpoint { url, .. }) if is_named_with_token => Some(url.server().clone()),
            _ => url,
        };
        if let Some(TokenSource::Endpoint { url, .. }) = &token
            && is_named_with_token
            && !url.may_name_server()
        {
            server.missing(
                "url",
                "wss://… of the LiveKit server: token.endpoint is asked without TLS (http://) and may not name it, an \
                 https:// one may",
            );
        }
        if url.is_none() && is_named_with_token {
            server.missing("url", "wss://… of the LiveKit server");
        }
        if let Some(url) = url.as_ref().filter(|url| !is_private(url) && !is_named_with_token) {
            let host = url.host();
            server.risky(
                "url",
                format!("without TLS, the token and the sound can be read on the way to {host}; use wss://"),
            );
        }
        let room = server.text("room");
        let identity = server.parsed("identity", check_identity);
        let names_room = matches!(token, Some(TokenSource::Endpoint { .. } | TokenSource::KeyFile(_)));
        for (key, is_missing) in [("room", room.is_none()), ("identity", identity.is_none())] {
            if names_room && is_missing && !server.has(key) {
                server.missing(key, "this token source is asked for one");
            }
        }
        let name = server.text("name");
        let ca = server.text("ca").map(PathBuf::from);
        Some(ServerConfig { url: url?, is_named_with_token, token: token?, room, identity, name, ca })
    }
}

impl TokenSource {
    fn read(token: &mut Section<'_>) -> Option<TokenSource> {
        let header_file = token.text("header_file").map(PathBuf::from);
        let endpoint = token.parsed("endpoint", check_endpoint);
        let has_header = header_file.is_some();
        if has_header && endpoint.is_none() {
            token.wrong("header_file", "is for an endpoint");
        }
        if let Some(url) = endpoint.as_ref().map(EndpointUrl::server).filter(|url| !is_private(url)) {
            let host = url.host();
            token.risky(
                "endpoint",
                format!("without TLS, the token can be read on the way from {host}; use https://"),
            );
        }
        let mut sources: Vec<TokenSource> = Vec::new();
        sources.extend(endpoint.map(|url| TokenSource::Endpoint { url, header_file }));
        sources.extend(token.text("file").map(|path| TokenSource::File(path.into())));
        sources.extend(token.argv("command").map(TokenSource::Command));
        sources.extend(token.parsed("credential", check_credential).map(TokenSource::Credential));
        sources.extend(token.text("key_file").map(|path| TokenSource::KeyFile(path.into())));
        // A source whose value is invalid has been reported.
        if !SOURCES.map(|key| token.has(key)).contains(&true) {
            token.wrong_here(format!("has no source; needed is one of {}", SOURCES.join(", ")));
        }
        if sources.len() > 1 {
            token.wrong_here(format!("has more than one source; allowed is one of {}", SOURCES.join(", ")));
        }
        sources.pop()
    }
}

/// Whether nobody on the way can read what is sent to this server: by TLS, or because it is on this machine.
fn is_private(url: &ServerUrl) -> bool {
    url.is_secure() || url.is_loopback()
}

/// `identity` with its placeholders replaced by what `value` knows of them.
///
/// # Errors
/// The placeholder that has no value on this device.
pub fn fill(identity: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = identity;
    while let Some((before, after)) = rest.split_once('{') {
        let (word, after) = after.split_once('}').ok_or("a { has no }")?;
        filled.push_str(before);
        filled.push_str(&value(word).ok_or_else(|| format!("this device has no {{{word}}}"))?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn check_identity(identity: &str) -> Result<String, String> {
    let known = |word: &str| PLACEHOLDERS.contains(&word).then(String::new);
    let filled = fill(identity, known).map_err(|_| {
        format!("in braces there may stand {}", PLACEHOLDERS.map(|word| format!("{{{word}}}")).join(", "))
    })?;
    match filled.len() <= IDENTITY_BYTES_MAX {
        true => Ok(identity.to_owned()),
        false => Err(format!("longer than {IDENTITY_BYTES_MAX} bytes")),
    }
}

fn check_endpoint(url: &str) -> Result<EndpointUrl, &'static str> {
    url.parse().map_err(|_| "allowed is an https:// URL without a user name or a fragment")
}

/// A name without a path: it is looked up in the unit's own folder.
fn check_credential(name: &str) -> Result<String, &'static str> {
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    match is_name && !name.starts_with('.') {
        true => Ok(name.to_owned()),
        false => Err("allowed is the name of a credential of the unit, without a path"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::section::read;

    fn server(text: &str) -> (Option<ServerConfig>, Vec<String>) {
        let (value, problems) = read(text, ServerConfig::read);
        (value, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn reads_what_a_door_needs() {
        let text = "url = 'wss://intercom.example.com'\nroom = 'house-12'\nidentity = 'door-{serial}'\n\
                    token = { endpoint = 'https://intercom.example.com/token', header_file = '/etc/kinglet/auth' }";
        let (server, problems) = server(text);
        assert_eq!(problems, Vec::<String>::new());
        let server = server.expect("usable");
        assert_eq!(server.identity.as_deref(), Some("door-{serial}"));
        let header_file = Some("/etc/kinglet/auth".into());
        let url = "https://intercom.example.com/token".parse().expect("a URL");
        assert_eq!(server.token, TokenSource::Endpoint { url, header_file });
        assert!(!server.is_named_with_token);
    }

    #[test]
    fn an_endpoint_may_say_where_the_server_is() {
        let text = "room = 'a'\nidentity = 'b'\ntoken = { endpoint = 'https://a.example/token' }";
        let (server, problems) = server(text);
        assert_eq!(problems, Vec::<String>::new());
        let server = server.expect("usable");
        assert!(server.is_named_with_token && server.url.to_string().contains("a.example"), "{server:?}");
    }

    #[test]
    fn says_what_is_missing_and_what_is_wrong() {
        let (nothing, problems) = server("");
        assert_eq!((nothing, problems.len()), (None, 2), "{problems:?}");
        for (text, expected) in [
            ("token = { file = 'a', command = ['b'] }", "token: has more than one source"),
            ("token = { header_file = 'a', file = 'b' }", "token.header_file: is for an endpoint"),
            ("token = { credential = '../../etc/shadow' }", "token.credential: allowed is the name"),
            ("token = { endpoint = 'https://a.example' }", "room: is missing"),
            ("identity = 'door-{mac}'", "identity: in braces there may stand {serial}"),
            ("identity = 'door-{serial'", "identity: in braces there may stand {serial}"),
            ("token = { endpoint = 'ftp://a' }", "token.endpoint: allowed is an https:// URL"),
            ("url = 'ftp://a'", "url: "),
            ("url = 'ftp://a'\ntoken = { endpoint = 'https://a.example' }", "url: "),
            ("token = { file = 'a' }", "url: is missing"),
            (
                "room = 'a'\nidentity = 'b'\ntoken = { endpoint = 'http://a.example' }",
                "token.endpoint is asked without TLS",
            ),
        ] {
            let (_, problems) = server(text);
            assert!(problems.iter().any(|problem| problem.contains(expected)), "{text}: {problems:?}");
        }
    }

    #[test]
    fn placeholders_are_filled_or_named() {
        let value = |word: &str| (word == "serial").then(|| "00c0ffee".to_owned());
        assert_eq!(fill("door-{serial}-a", value), Ok("door-00c0ffee-a".to_owned()));
        assert_eq!(fill("door", value), Ok("door".to_owned()));
        assert_eq!(fill("{hostname}", value), Err("this device has no {hostname}".to_owned()));
    }
}
