//! The signal connection through an HTTP proxy: `CONNECT` (RFC 9110 §9.3.6), then TLS or WebSocket.
//!
//! ```text
//!   TCP to the proxy ─► CONNECT server:port ─► 200 ─► TLS or plain, as the server's URL says
//! ```
//!
//! Only this connection goes through it. Sound does not: it would arrive late, or not at all.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_io::{AsyncRead, AsyncWrite};

use super::http;
use crate::limits::PROXY_ANSWER_BYTES_MAX;
use crate::signal::secret::Secret;
use crate::signal::url::ServerUrl;

/// `http://[USER:PASSWORD@]HOST[:PORT]`. Displays without its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyUrl {
    host: String,
    port: u16,
    credentials: Option<Secret>,
}

/// Why a text is not the address of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyUrlError;

/// The usual port where none is written.
const USUAL_PORT: u16 = 80;

impl ProxyUrl {
    /// A name or an IP address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port of the proxy.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for ProxyUrl {
    type Err = ProxyUrlError;

    fn from_str(text: &str) -> Result<Self, ProxyUrlError> {
        // Without a scheme it is meant so too, as curl reads it.
        let rest = text.trim().trim_end_matches('/');
        let rest = match rest.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err(ProxyUrlError),
            None => rest,
        };
        let (credentials, authority) = match rest.rsplit_once('@') {
            Some((credentials, authority)) => {
                (Some(Secret::new(decoded(credentials).ok_or(ProxyUrlError)?)), authority)
            }
            None => (None, rest),
        };
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Ok(USUAL_PORT), str::parse).map_err(|_| ProxyUrlError)?;
        let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        if host.is_empty() || host.len() > 253 || !host.bytes().all(is_of_host) {
            return Err(ProxyUrlError);
        }
        Ok(Self { host: host.to_owned(), port, credentials })
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Display for ProxyUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a proxy is written http://[USER:PASSWORD@]HOST[:PORT]")
    }
}

impl std::error::Error for ProxyUrlError {}

/// Whether `NO_PROXY` (names and their subdomains, separated by commas, or `*`) leaves `host` out.
pub fn is_left_out(host: &str, no_proxy: &str) -> bool {
    no_proxy.split(',').map(|entry| entry.trim().trim_start_matches('.')).any(|entry| {
        let ends_with = |entry: &str| {
            let (host, entry) = (host.to_ascii_lowercase(), entry.to_ascii_lowercase());
            host == entry || host.strip_suffix(&entry).is_some_and(|rest| rest.ends_with('.'))
        };
        entry == "*" || (!entry.is_empty() && ends_with(entry))
    })
}

/// The proxy variables of the environment, read as other programs do.
#[derive(Debug, Clone, Default)]
pub struct ProxySettings {
    /// `HTTPS_PROXY`
    pub https: Option<Secret>,
    /// `HTTP_PROXY`
    pub http: Option<Secret>,
    /// `ALL_PROXY`
    pub all: Option<Secret>,
    /// `NO_PROXY`
    pub none_for: Option<String>,
}

impl ProxySettings {
    /// The same, to be applied to any URL that is dialled later, if the proxy for this one can be read.
    ///
    /// # Errors
    /// As of [`ProxySettings::for_server`].
    pub fn checked_for(&self, url: &ServerUrl) -> Result<ProxySettings, String> {
        self.for_server(url).map(|_| self.clone())
    }

    /// The proxy for `url`: `HTTPS_PROXY` for `wss://`, `HTTP_PROXY` for `ws://`, `ALL_PROXY` for both, none where
    /// `NO_PROXY` names the server.
    ///
    /// # Errors
    /// Which of them cannot be read. It may hold a password: it is not repeated.
    pub fn for_server(&self, url: &ServerUrl) -> Result<Option<ProxyUrl>, String> {
        if self.none_for.as_deref().is_some_and(|list| is_left_out(&url.host(), list)) {
            return Ok(None);
        }
        let of_scheme =
            if url.is_secure() { ("HTTPS_PROXY", &self.https) } else { ("HTTP_PROXY", &self.http) };
        let found = [of_scheme, ("ALL_PROXY", &self.all)];
        let found = found.into_iter().find_map(|(name, text)| Some((name, text.as_ref()?)));
        let Some((name, text)) = found else { return Ok(None) };
        text.reveal().parse().map(Some).map_err(|error| format!("{name}: {error}"))
    }
}

/// Requests from the proxy at the other end of `stream` a tunnel to `authority` (host and port).
///
/// # Errors
/// The connection's, or what the proxy answers, in words.
pub async fn connect<S>(stream: &mut S, proxy: &ProxyUrl, authority: &str) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some(credentials) = &proxy.credentials {
        let encoded = STANDARD.encode(credentials.reveal());
        request.push_str(&format!("Proxy-Authorization: Basic {encoded}\r\n"));
    }
    request.push_str("\r\n");
    http::write_all(stream, &request).await?;
    let mut answer = heapless::Vec::<u8, PROXY_ANSWER_BYTES_MAX>::new();
    let mut byte = [0];
    // Byte by byte, since what follows the empty line belongs to the server. It is one short answer.
    while !answer.ends_with(b"\r\n\r\n") {
        let read =
            std::future::poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut byte)).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.push(byte[0]).map_err(|_| io::Error::other("the proxy's answer is too long"))?;
    }
    judge(&answer)
}

fn judge(answer: &[u8]) -> io::Result<()> {
    match http::status_of(answer) {
        None => Err(io::Error::other("it does not speak HTTP; is it a proxy?")),
        Some(200..300) => Ok(()),
        Some(407) => Err(io::Error::other("it requires a user name and password (HTTP 407)")),
        Some(403) => Err(io::Error::other("it refuses the connection to the server (HTTP 403)")),
        Some(status) => Err(io::Error::other(format!("it does not open a tunnel (HTTP {status})"))),
    }
}

/// Percent-decoding (RFC 3986 §2.1).
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after.get(2..)?;
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_proxies() {
        let cases = [
            ("http://proxy.example:3128/", "proxy.example", 3128, None),
            ("proxy", "proxy", 80, None),
            ("http://me:p%40ss@10.0.0.1:8080", "10.0.0.1", 8080, Some("me:p@ss")),
            ("http://[2001:db8::1]:3128", "2001:db8::1", 3128, None),
        ];
        for (text, host, port, credentials) in cases {
            let url: ProxyUrl = text.parse().expect(text);
            assert_eq!((url.host(), url.port()), (host, port), "{text}");
            assert_eq!(url.credentials.as_ref().map(Secret::reveal), credentials, "{text}");
            assert!(!format!("{url} {url:?}").contains("p@ss"), "never shown");
        }
        for text in ["", "http://", "socks5://proxy", "http://a b", "http://proxy:x", "http://a%4@proxy"] {
            assert!(text.parse::<ProxyUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn who_is_left_out() {
        for (host, list, expected) in [
            ("box", "box", true),
            ("a.Example.com", "localhost, .example.com", true),
            ("example.com", ".example.com", true),
            ("notexample.com", "example.com", false),
            ("box", "*", true),
            ("box", "", false),
            ("box", " , ", false),
        ] {
            assert_eq!(is_left_out(host, list), expected, "{host} {list}");
        }
    }

    #[test]
    fn by_scheme_and_not_for_those_left_out() {
        let secret = |text: &str| Some(Secret::new(text.to_owned()));
        let settings = ProxySettings {
            https: secret("http://secure:1"),
            http: secret("plain:2"),
            all: None,
            none_for: Some("home.example".to_owned()),
        };
        let port = |settings: &ProxySettings, url: &str| {
            let proxy = settings.for_server(&url.parse().expect("a URL")).expect("readable");
            proxy.map(|proxy| proxy.port())
        };
        assert_eq!(port(&settings, "wss://house.example"), Some(1));
        assert_eq!(port(&settings, "ws://house.example"), Some(2));
        assert_eq!(port(&settings, "wss://box.home.example"), None);
        let all = ProxySettings { all: secret("any:3"), ..ProxySettings::default() };
        assert_eq!(port(&all, "wss://house.example"), Some(3));
        let broken = ProxySettings { all: secret("socks5://me:s3cret@x"), ..ProxySettings::default() };
        let refused = broken.for_server(&"wss://house.example".parse().expect("a URL"));
        assert!(refused.is_err_and(|why| why.starts_with("ALL_PROXY") && !why.contains("s3cret")));
    }

    #[test]
    fn what_a_proxy_answers() {
        assert!(judge(b"HTTP/1.1 200 Connection established\r\n\r\n").is_ok());
        for (answer, word) in [
            (&b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"[..], "password"),
            (b"HTTP/1.0 403 Forbidden\r\n\r\n", "refuses the connection"),
            (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "502"),
            (b"SSH-2.0-x\r\n\r\n", "HTTP"),
            (b"\xff\r\n\r\n", "HTTP"),
        ] {
            assert!(judge(answer).expect_err("refused").to_string().contains(word), "{word}");
        }
    }
}
