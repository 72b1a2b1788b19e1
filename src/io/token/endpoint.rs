//! A token from LiveKit's standard token endpoint, by HTTPS.
//!
//! ```text
//!   (thread of the request)  header file ─► look-up ─► proxy ─► TLS ─► POST ─► token
//! ```
//!
//! The request runs on a thread of its own with a reactor of its own, like every other source of tokens. The body of a
//! refusal is not shown: it may repeat the secrets of the request.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_executor::LocalExecutor;
use futures_util::future::{Either, FutureExt, select};

use super::credentials::CredentialsError;
use crate::engine::Notice;
use crate::io::runtime::clock;
use crate::io::runtime::reactor::Reactor;
use crate::io::signal::dial::{Dial, USER_AGENT, reach};
use crate::io::signal::proxy::ProxySettings;
use crate::io::signal::{http, tls};
use crate::limits::{TOKEN_ANSWER_BYTES_MAX, TOKEN_HEADERS_BYTES_MAX};
use crate::signal::endpoint::{Access, EndpointUrl, TokenRequest, token_of};
use crate::signal::secret::Secret;

/// A service that makes a token answers at once; this leaves room for the rest of the 15 s that a join may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where tokens are asked for, and how.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// URL of the endpoint.
    pub url: EndpointUrl,
    /// A file of header lines that it wants to see, read again each time.
    pub header_file: Option<PathBuf>,
    /// Room, identity and details to request a token for.
    pub request: TokenRequest,
    /// A CA certificate of one's own.
    pub ca: Option<PathBuf>,
    /// The proxies that may be on the way.
    pub proxies: ProxySettings,
    /// Whether the endpoint names the server, too, which is then not configured.
    pub names_server: bool,
}

impl Endpoint {
    /// Sends the request. Blocks until the answer is there, or for ten seconds.
    ///
    /// # Errors
    /// Why there is no token.
    pub(super) fn ask(&self) -> Result<Access, CredentialsError> {
        let headers = self.headers()?;
        let failed = |why: String| CredentialsError::Endpoint(self.url.to_string(), why);
        let tls = tls::client_config(self.ca.as_deref()).map_err(|error| failed(error.to_string()))?;
        let reactor = Reactor::new().map_err(|error| failed(error.to_string()))?;
        let dial = Dial {
            url: self.url.server().clone(),
            target: self.url.target().to_owned(),
            token: Secret::default(),
            tls,
            proxies: self.proxies.clone(),
        };
        let request = self.request(headers.as_ref());
        let asking = async {
            let (mut stream, _) = reach(&dial, &reactor).await.map_err(|notice| match notice {
                Notice::Unreachable(why) => why,
                _ => "cannot be reached".to_owned(),
            })?;
            let answer = http::exchange(&mut stream, request.reveal(), TOKEN_ANSWER_BYTES_MAX).await;
            answer.map_err(|error| error.to_string())
        };
        let within_patience = async {
            let late = reactor.sleep_until(clock::now() + PATIENCE, clock::now);
            match select(std::pin::pin!(asking), std::pin::pin!(late)).await {
                Either::Left((answer, _)) => answer,
                Either::Right(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
            }
        };
        let unreachable = |why| CredentialsError::Unreachable(self.url.to_string(), why);
        let answer = block_on(&reactor, within_patience).map_err(|error| failed(error.to_string()))?;
        let answer = answer.map_err(unreachable)?;
        // A proxy or portal answers in the endpoint's place, with any status: its answer does not concern the request.
        let is_page = answer.body.trim_ascii_start().starts_with(b"<");
        let status = answer.status;
        match status {
            511 => Err(unreachable("a captive portal requires a login on this network (HTTP 511)".into())),
            300..400 => Err(unreachable(format!(
                "a redirect answers: a captive portal or proxy on the way, or not the endpoint's own URL (HTTP {status})"
            ))),
            _ if is_page => Err(unreachable(format!(
                "a web page answers: a captive portal, proxy or firewall on the way, or not the endpoint's URL \
                 (HTTP {status})"
            ))),
            200..300 => {
                let token = token_of(&answer.body);
                let token = token.ok_or_else(|| failed("its answer holds no participant_token".into()))?;
                let server = self.names_server.then(|| self.url.server_of(&answer.body)).transpose();
                Ok(Access { token, server: server.map_err(|why| failed(why.into()))? })
            }
            401 | 403 => Err(failed(format!("access denied (HTTP {status}): check the header file"))),
            404 => Err(failed("there is nothing at this path (HTTP 404)".into())),
            400..500 => Err(failed(format!("it refuses this room or identity (HTTP {status})"))),
            _ => Err(unreachable(format!("it answers with an error (HTTP {status})"))),
        }
    }

    /// What the header file holds now.
    pub(super) fn headers(&self) -> Result<Option<Secret>, CredentialsError> {
        self.header_file.as_deref().map(read_headers).transpose()
    }

    fn request(&self, headers: Option<&Secret>) -> Secret {
        let (target, authority, body) =
            (self.url.target(), self.url.server().authority(), self.request.body());
        Secret::new(format!(
            "POST {target} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\n\
             Accept: application/json\r\nUser-Agent: {USER_AGENT}\r\nContent-Length: {}\r\nConnection: close\r\n\
             {}\r\n{body}",
            body.len(),
            headers.map_or("", Secret::reveal),
        ))
    }
}

/// Drives one future on this thread.
fn block_on<T>(reactor: &Reactor, future: impl Future<Output = T>) -> std::io::Result<T> {
    let executor = LocalExecutor::new();
    let mut task = executor.spawn(future);
    loop {
        while executor.try_tick() {}
        if let Some(value) = (&mut task).now_or_never() {
            return Ok(value);
        }
        reactor.wait(None, clock::now())?;
        reactor.wake_timers(clock::now());
    }
}

/// Lines `Name: value` of a file, as they go into a request. Empty lines and those that begin with `#` do not.
fn read_headers(path: &Path) -> Result<Secret, CredentialsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| CredentialsError::HeaderFile(path.into(), error.to_string()))?;
    headers(&text).map_err(|why| CredentialsError::HeaderFile(path.into(), why))
}

fn headers(text: &str) -> Result<Secret, String> {
    if text.len() > TOKEN_HEADERS_BYTES_MAX {
        return Err(format!("is longer than {TOKEN_HEADERS_BYTES_MAX} bytes"));
    }
    let mut headers = String::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // RFC 9110 §5.1 and §5.5. The line itself is a secret: it is not repeated.
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let header = line.split_once(':').filter(|(name, value)| {
            !name.is_empty() && name.bytes().all(is_of_name) && !value.contains(|c: char| c.is_control())
        });
        let Some((name, value)) = header else {
            return Err(format!("line {}: is not a header, Name: value", number + 1));
        };
        if ["host", "content-length", "transfer-encoding", "connection"]
            .contains(&name.to_ascii_lowercase().as_str())
        {
            return Err(format!("line {}: {name} must not be set here", number + 1));
        }
        headers.push_str(&format!("{name}: {}\r\n", value.trim()));
    }
    Ok(Secret::new(headers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// What an endpoint that answers so makes of it, and what it was asked.
    fn ask(answer: &'static str, header_file: Option<PathBuf>) -> (Result<Access, CredentialsError>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let url = format!("http://{}/token?for=door", listener.local_addr().expect("an address"));
        std::thread::scope(|scope| {
            let serving = scope.spawn(move || {
                let (mut stream, _) = listener.accept().expect("asked");
                let (mut asked, mut piece) = (Vec::new(), [0; 4096]);
                while !asked.ends_with(b"}") {
                    let count = stream.read(&mut piece).expect("read");
                    asked.extend_from_slice(&piece[..count]);
                }
                stream.write_all(answer.as_bytes()).expect("answered");
                String::from_utf8(asked).expect("text")
            });
            let request = TokenRequest {
                room: Some("house".into()),
                identity: Some("door".into()),
                ..TokenRequest::default()
            };
            let url = url.parse().expect("a URL");
            let token = Endpoint {
                url,
                header_file,
                request,
                ca: None,
                proxies: ProxySettings::default(),
                names_server: false,
            }
            .ask();
            (token, serving.join().expect("served"))
        })
    }

    #[test]
    fn it_is_asked_as_the_protocol_has_it() {
        let file =
            crate::io::tests::temp::TempFile::new("headers", b"# ours\n\nAuthorization:  Bearer s3cret \n");
        let answer = "HTTP/1.1 201 Created\r\nContent-Length: 31\r\n\r\n{\"participant_token\":\"eyJ.b.c\"}";
        let (token, asked) = ask(answer, Some(file.path().to_owned()));
        assert_eq!(token.expect("a token").token.reveal(), "eyJ.b.c");
        assert!(asked.starts_with("POST /token?for=door HTTP/1.1\r\nHost: 127.0.0.1:"), "{asked}");
        assert!(asked.contains("\r\nContent-Type: application/json\r\n"), "{asked}");
        assert!(asked.ends_with(
            "\r\nAuthorization: Bearer s3cret\r\n\r\n{\"room_name\":\"house\",\"participant_identity\":\"door\"}"
        ), "{asked}");
    }

    #[test]
    fn what_it_does_instead_is_a_line_without_secrets() {
        for (answer, status, why) in [
            ("HTTP/1.1 401 x\r\nContent-Length: 6\r\n\r\ns3cret", 4, "HTTP 401"),
            ("HTTP/1.1 400 x\r\nContent-Length: 0\r\n\r\n", 4, "HTTP 400"),
            ("HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", 4, "nothing at this path"),
            ("HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n", 5, "HTTP 503"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 4, "no participant_token"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", 5, "captive portal"),
            ("HTTP/1.1 401 x\r\nContent-Length: 8\r\n\r\n\r\n<html>", 5, "proxy"),
            ("HTTP/1.1 302 x\r\nContent-Length: 0\r\n\r\n", 5, "captive portal"),
            ("HTTP/1.1 511 x\r\nContent-Length: 6\r\n\r\n<html>", 5, "captive portal"),
            ("SSH-2.0-x\r\n\r\n", 5, "not HTTP"),
        ] {
            let error = ask(answer, None).0.expect_err(why);
            let text = error.to_string();
            assert!(text.contains(why) && text.contains("/token:"), "{text}");
            assert!(!text.contains("s3cret") && !text.contains("for=door") && !text.contains('\n'), "{text}");
            assert_eq!(error.exit_status().code(), status, "{text}");
        }
    }

    #[test]
    fn header_files_are_read_with_suspicion() {
        assert_eq!(headers("X-Key: a\r\nY:b").expect("two").reveal(), "X-Key: a\r\nY: b\r\n");
        for (text, why) in [
            ("s3cret", "line 1: is not a header"),
            ("\nA b: s3cret", "line 2: is not a header"),
            ("A: s3\u{7}cret", "line 1: is not a header"),
            ("content-Length: 3", "line 1: content-Length must not be set"),
            (&"a".repeat(TOKEN_HEADERS_BYTES_MAX + 1), "longer"),
        ] {
            let error = headers(text).expect_err(why);
            assert!(error.contains(why) && !error.contains("s3"), "{error}");
        }
        let missing = read_headers(Path::new("/nowhere/auth")).expect_err("missing");
        assert_eq!((missing.exit_status().code(), missing.to_string().contains("/nowhere/auth")), (3, true));
    }
}
