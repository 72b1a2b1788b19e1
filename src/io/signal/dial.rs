//! The way to a server: name resolution, a proxy if there is one, TCP, TLS. Failures are described in words for a
//! person who can act on them.

use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use rustls::ClientConfig;

use super::proxy::{self, ProxySettings, ProxyUrl};
use super::tcp::{Stream, Tcp};
use super::{dns, http};
use crate::engine::Notice;
use crate::io::runtime::clock;
use crate::io::runtime::reactor::Reactor;
use crate::signal::secret::Secret;
use crate::signal::url::ServerUrl;
use crate::time::date::UnixTime;

/// What we call ourselves to an HTTP server.
pub(in crate::io) const USER_AGENT: &str = concat!("kinglet/", env!("CARGO_PKG_VERSION"));

/// An answer to a question beside the call is worth waiting for so long: a look-up, TCP, TLS and a round trip.
const ASK_PATIENCE: Duration = Duration::from_secs(3);

/// Server, proxies and identity of a connection.
pub struct Dial {
    /// URL of the server.
    pub url: ServerUrl,
    /// Path and query.
    pub target: String,
    /// The access token, sent as a header so that no proxy logs it.
    pub token: Secret,
    /// TLS settings for `wss://`.
    pub tls: Arc<ClientConfig>,
    /// The proxy settings. They decide whether the connection to this server goes through a proxy.
    pub proxies: ProxySettings,
}

/// A connection to the server, with TLS if the URL requires it, and our address of it.
pub(in crate::io) async fn reach(dial: &Dial, reactor: &Rc<Reactor>) -> Result<(Stream, IpAddr), Notice> {
    let (host, port) = (dial.url.host(), dial.url.port());
    let unreachable = |what: &str, error: io::Error| {
        Notice::Unreachable(format!("{what} {host}:{port}: {}", explain(&error)))
    };
    let tcp = match dial.proxies.for_server(&dial.url).map_err(Notice::Unreachable)? {
        Some(proxy) => through(&proxy, dial, reactor).await?,
        None => {
            let addresses = dns::resolve(reactor, &host, port).await;
            let addresses = addresses.map_err(|error| unreachable("cannot look up", error))?;
            let connected = Tcp::connect(reactor, &addresses).await;
            connected.map_err(|error| unreachable("cannot connect to", error))?
        }
    };
    let local = tcp.local_address().map_err(|error| unreachable("cannot connect to", error))?.ip();
    let stream = if dial.url.is_secure() {
        let secured = Stream::secure(tcp, &host, dial.tls.clone()).await;
        secured.map_err(|error| unreachable("no TLS connection to", error))?
    } else {
        Stream::Plain(tcp)
    };
    Ok((stream, local))
}

/// The answer of the server of `dial` to a `GET` of `target`, with the same token; `None` if it cannot be asked, or
/// does not answer soon.
pub(in crate::io) async fn get(
    dial: &Dial,
    target: &str,
    body_bytes_max: usize,
    reactor: &Rc<Reactor>,
) -> Option<http::HttpResponse> {
    let asking = std::pin::pin!(ask(dial, target, body_bytes_max, reactor));
    let patience = std::pin::pin!(reactor.sleep_until(clock::now() + ASK_PATIENCE, clock::now));
    match select(asking, patience).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => None,
    }
}

async fn ask(
    dial: &Dial,
    target: &str,
    body_bytes_max: usize,
    reactor: &Rc<Reactor>,
) -> Option<http::HttpResponse> {
    let (mut stream, _) = reach(dial, reactor).await.ok()?;
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nUser-Agent: {USER_AGENT}\r\n\
         Connection: close\r\n\r\n",
        dial.url.authority(),
        dial.token.reveal(),
    );
    http::exchange(&mut stream, &request, body_bytes_max).await.ok()
}

/// A connection to the server through a proxy, which looks the server's name up itself.
async fn through(proxy: &ProxyUrl, dial: &Dial, reactor: &Rc<Reactor>) -> Result<Tcp, Notice> {
    let unreachable = |what: &str, error: io::Error| {
        Notice::Unreachable(format!("{what} the proxy {proxy}: {}", explain(&error)))
    };
    let addresses = dns::resolve(reactor, proxy.host(), proxy.port()).await;
    let addresses = addresses.map_err(|error| unreachable("cannot look up", error))?;
    let connected = Tcp::connect(reactor, &addresses).await;
    let mut tcp = connected.map_err(|error| unreachable("cannot connect to", error))?;
    let opened = proxy::connect(&mut tcp, proxy, &dial.url.tunnel()).await;
    opened.map_err(|error| unreachable("cannot open a tunnel through", error))?;
    Ok(tcp)
}

/// An error of the network in words for a person who can act on it.
pub(in crate::io) fn explain(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if let Some(tls) = inner {
        let hint = tls_hint(tls);
        if clock::is_plainly_wrong() {
            let today = UnixTime(clock::unix_time_s());
            return format!(
                "{tls} (this device's clock shows {today}, a day before this program was built: set the clock)"
            );
        }
        return format!("{tls} ({hint})");
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "connection refused; is the server running, on this port?".to_owned()
        }
        io::ErrorKind::TimedOut => "no answer; is the address right, and the network up?".to_owned(),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "no route; is the network up?".to_owned()
        }
        io::ErrorKind::UnexpectedEof => {
            "the server closed the connection; is it wss:// on this port?".to_owned()
        }
        _ => error.to_string(),
    }
}

fn tls_hint(error: &rustls::Error) -> &'static str {
    use rustls::{CertificateError as Certificate, Error};
    match error {
        Error::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => "use the name that the certificate was made for",
        Error::InvalidCertificate(Certificate::UnknownIssuer) => {
            "if it is your own, name its issuer with --ca FILE"
        }
        Error::InvalidCertificate(
            Certificate::Expired
            | Certificate::ExpiredContext { .. }
            | Certificate::NotValidYet
            | Certificate::NotValidYetContext { .. },
        ) => "is this device's clock right?",
        Error::InvalidCertificate(_) => "the server's certificate cannot be used",
        Error::InvalidMessage(_) => {
            "the server does not speak TLS on this port; is it ws:// instead of wss://?"
        }
        _ => "the TLS handshake failed",
    }
}
