//! LiveKit's standard token endpoint: what it is asked, and what it answers.
//!
//! ```text
//!   POST {"room_name":"house","participant_identity":"door"}  ─►  201 {"server_url":"…","participant_token":"…"}
//! ```
//!
//! All requested fields are optional (`TokenSourceRequest`, `TokenSourceResponse` of the protocol): the service may
//! override them. The server's address in the answer is used if none is configured: boxes then follow the service, from
//! the next session on, but never from TLS to a server without. An endpoint that is asked without TLS may not name the
//! server, unless it is on this machine: an attacker on the path could answer instead, and have the box speak in
//! another room.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::secret::Secret;
use super::token_details::TokenDetails;
use super::url::{ServerUrl, UrlError};

/// `https://host[:port]/path[?query]`. Displays without the query, which may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointUrl {
    server: ServerUrl,
    /// Path and query as they were written.
    target: Secret,
}

/// What lets us in: the answer of a source of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The access token for the room.
    pub token: Secret,
    /// The server that it is for, if the source may name it.
    pub server: Option<ServerUrl>,
}

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenRequest {
    /// Name of the room to enter, where we choose it.
    pub room: Option<String>,
    /// Identity of the participant.
    pub identity: Option<String>,
    /// Our name for people.
    pub name: Option<String>,
    /// The agent to dispatch, and more of us.
    pub details: TokenDetails,
}

impl EndpointUrl {
    /// Host, port, and whether TLS is spoken.
    pub fn server(&self) -> &ServerUrl {
        &self.server
    }

    /// Whether its answer may name the server: an attacker on the path cannot answer instead.
    pub fn may_name_server(&self) -> bool {
        self.server.is_secure() || self.server.is_loopback()
    }

    /// The server that an answer sends us to.
    ///
    /// # Errors
    /// It names none that we would go to.
    pub fn server_of(&self, body: &[u8]) -> Result<ServerUrl, &'static str> {
        #[derive(Deserialize)]
        struct ServerResponse {
            #[serde(alias = "serverUrl")]
            server_url: String,
        }
        let response: Option<ServerResponse> = serde_json::from_slice(body).ok();
        let response = response.ok_or("its answer holds no server_url, and none is configured")?;
        let url: ServerUrl = response.server_url.parse().map_err(|_| "its server_url is not a wss:// URL")?;
        match url.is_secure() || !self.server.is_secure() {
            _ if !self.may_name_server() => {
                Err("it is asked without TLS and may not name the server: give the server's URL")
            }
            true => Ok(url),
            false => Err("its server_url is without TLS, which would show the token to everybody"),
        }
    }

    /// Path and query of the request.
    pub fn target(&self) -> &str {
        self.target.reveal()
    }
}

impl FromStr for EndpointUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<EndpointUrl, UrlError> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        if !["https", "http"].iter().any(|allowed| scheme.eq_ignore_ascii_case(allowed)) {
            return Err(UrlError::Scheme);
        }
        if rest.contains('#') {
            return Err(UrlError::Query);
        }
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(at);
        // What goes into a request line as it stands (RFC 9112 §3.2).
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UrlError::Path);
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        let server = format!("{scheme}://{authority}").parse()?;
        Ok(EndpointUrl { server, target: Secret::new(format!("{slash}{target}")) })
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.server.is_secure() { "https" } else { "http" };
        let path = self.target().split('?').next().unwrap_or_default();
        write!(f, "{scheme}://{}{path}", self.server.authority())
    }
}

impl TokenRequest {
    /// The body of the request.
    pub fn body(&self) -> String {
        #[derive(Serialize)]
        struct Body<'a, R> {
            #[serde(skip_serializing_if = "Option::is_none")]
            room_name: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            participant_identity: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            participant_name: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            participant_metadata: Option<&'a str>,
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            participant_attributes: &'a BTreeMap<String, String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            room_config: Option<R>,
        }
        let body = Body {
            room_name: self.room.as_deref(),
            participant_identity: self.identity.as_deref(),
            participant_name: self.name.as_deref(),
            participant_metadata: self.details.metadata.as_deref(),
            participant_attributes: &self.details.attributes,
            room_config: self.details.requested_room_config(),
        };
        // Plain texts always serialise.
        serde_json::to_string(&body).unwrap_or_default()
    }
}

/// The token in the body of an answer; `None` if there is none. Protobuf's own JSON writes `participantToken`.
pub fn token_of(body: &[u8]) -> Option<Secret> {
    #[derive(Deserialize)]
    struct TokenResponse {
        #[serde(alias = "participantToken")]
        participant_token: String,
    }
    let response: TokenResponse = serde_json::from_slice(body).ok()?;
    Some(Secret::new(response.participant_token)).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::token_details::AgentDispatch;

    #[test]
    fn addresses_of_endpoints() {
        for (text, host, target, shown) in [
            ("https://a.example/token?key=s", "a.example", "/token?key=s", "https://a.example/token"),
            ("http://[::1]:8080/t/", "::1", "/t/", "http://[::1]:8080/t/"),
            ("https://a.example", "a.example", "/", "https://a.example/"),
            ("HTTPS://a.example?x=1", "a.example", "/?x=1", "https://a.example/"),
        ] {
            let url: EndpointUrl = text.parse().expect(text);
            assert_eq!((url.server().host().as_str(), url.target()), (host, target), "{text}");
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("key=s"), "a query may be a secret");
        }
        for text in [
            "a.example",
            "wss://a.example",
            "https://",
            "https://a/b c",
            "https://a/\r\nX: y",
            "https://u:p@a/",
        ] {
            assert!(text.parse::<EndpointUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn where_an_answer_sends_us() {
        let secure: EndpointUrl = "https://a.example/token".parse().expect("a URL");
        let bench: EndpointUrl = "http://127.0.0.1/token".parse().expect("a URL");
        let wss = br#"{"participant_token":"a.b.c","server_url":"wss://b.example"}"#;
        let ws = br#"{"serverUrl":"ws://b.example"}"#;
        assert_eq!(secure.server_of(wss), Ok("wss://b.example".parse().expect("a URL")));
        assert!(bench.server_of(ws).is_ok());
        let open: EndpointUrl = "http://a.example/token".parse().expect("a URL");
        for answer in [&wss[..], ws] {
            assert!(open.server_of(answer).is_err_and(|error| error.contains("asked without TLS")));
        }
        for (answer, why) in [
            (&ws[..], "without TLS"),
            (br#"{"server_url":"nowhere"}"#, "not a wss:// URL"),
            (br#"{"server_url":7}"#, "no server_url"),
            (b"{}", "no server_url"),
            (b"\xff", "no server_url"),
        ] {
            assert!(secure.server_of(answer).is_err_and(|error| error.contains(why)), "{why}");
        }
    }

    #[test]
    fn what_is_asked_and_what_is_answered() {
        let asked = TokenRequest {
            room: Some("house \"12\"".into()),
            identity: Some("door".into()),
            ..TokenRequest::default()
        };
        assert_eq!(asked.body(), r#"{"room_name":"house \"12\"","participant_identity":"door"}"#);
        let agent = AgentDispatch { name: "hotel".into(), ..AgentDispatch::default() };
        let attributes = [("floor".to_owned(), "2".to_owned())].into();
        let details = TokenDetails { agent: Some(agent), metadata: Some("m".into()), attributes };
        let asked = TokenRequest { details, ..TokenRequest::default() };
        assert_eq!(
            asked.body(),
            r#"{"participant_metadata":"m","participant_attributes":{"floor":"2"},"room_config":{"agents":[{"agent_name":"hotel"}]}}"#
        );
        assert_eq!(TokenRequest::default().body(), "{}");
        let token = |body: &[u8]| token_of(body).map(|token| token.reveal().to_owned());
        let answered = br#"{"server_url":"wss://a","participant_token":"a.b.c","more":[1]}"#;
        assert_eq!(token(answered).as_deref(), Some("a.b.c"));
        assert_eq!(token(br#"{"serverUrl":"wss://a","participantToken":"a.b.c"}"#).as_deref(), Some("a.b.c"));
        for body in [
            &b""[..],
            b"{}",
            b"null",
            b"<html>",
            b"{\"participant_token\":7}",
            b"{\"participant_token\":\"\"}",
            b"\xff",
        ] {
            assert_eq!(token(body), None);
        }
    }
}
