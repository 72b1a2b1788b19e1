//! The signal connection as a task: look-up, TCP, TLS, upgrade, then messages both ways.
//!
//! It decides nothing. What happens goes to the engine as [`Notice`]s, in order; what the engine
//! wants written comes as [`Order`]s. Dropping the task closes the socket.
//!
//! ```text
//!   Reached ─► Opened ─► Message … ─► Closed          Unreachable | Refused | Closed end it
//! ```

use std::cell::Cell;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use async_tungstenite::tungstenite::handshake::client::Request;
use async_tungstenite::tungstenite::protocol::WebSocketConfig;
use async_tungstenite::tungstenite::{Error, Message};
use async_tungstenite::{WebSocketReceiver, WebSocketSender, client_async_with_config};
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use rustls::ClientConfig;

use super::mailbox::Mailbox;
use super::proxy::{self, ProxyUrl};
use super::reactor::Reactor;
use super::tcp::{Stream, Tcp};
use super::{clock, dns, validate};
use crate::engine::Notice;
use crate::limits::{MESSAGE_BYTES_MAX, SIGNAL_MAILBOX_MESSAGES, WRITE_BUFFER_BYTES_MAX};
use crate::signal::refusal::Refusal;
use crate::signal::secret::Secret;
use crate::signal::url::ServerUrl;
use crate::time::date::UnixTime;

/// One read of the socket. Messages are a few hundred bytes; a full room's join is read in pieces.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// What we call ourselves to an HTTP server.
pub(super) const USER_AGENT: &str = concat!("kinglet/", env!("CARGO_PKG_VERSION"));

/// What the engine wants.
pub enum Order {
    /// Write this message.
    Send(Vec<u8>),
    /// Write what is queued, then close.
    HangUp,
}

/// Both queues of one connection.
#[derive(Default)]
pub struct Wire {
    /// To the engine.
    pub notices: Mailbox<Notice, SIGNAL_MAILBOX_MESSAGES>,
    /// Our address that reaches the server, from `Reached` on.
    pub local_address: Cell<Option<IpAddr>>,
    /// From the engine.
    pub orders: Mailbox<Order, SIGNAL_MAILBOX_MESSAGES>,
}

/// Where to connect, and as whom.
pub struct Dial {
    /// The server.
    pub url: ServerUrl,
    /// Path and query.
    pub target: String,
    /// The access token, sent as a header so that no proxy logs it.
    pub token: Secret,
    /// TLS settings for `wss://`.
    pub tls: Arc<ClientConfig>,
    /// The proxy that the connection goes through.
    pub proxy: Option<ProxyUrl>,
}

/// Runs one connection to its end.
pub async fn run(dial: Dial, wire: Rc<Wire>, reactor: Rc<Reactor>) {
    let last = match open(&dial, &wire, &reactor).await {
        Ok(socket) => {
            wire.notices.send(Notice::Opened).await;
            let (sender, receiver) = socket.split();
            let reading = std::pin::pin!(read(receiver, &wire));
            let writing = std::pin::pin!(write(sender, &wire));
            match select(reading, writing).await {
                Either::Left((how, _)) | Either::Right((how, _)) => Notice::Closed(how),
            }
        }
        Err(notice) => notice,
    };
    wire.notices.send(last).await;
}

async fn open(
    dial: &Dial,
    wire: &Wire,
    reactor: &Rc<Reactor>,
) -> Result<async_tungstenite::WebSocketStream<Stream>, Notice> {
    let (stream, local) = reach(dial, reactor).await?;
    wire.local_address.set(Some(local));
    wire.notices.send(Notice::Reached).await;
    let request = request(dial).map_err(|error| Notice::Unreachable(error.to_string()))?;
    match client_async_with_config(request, stream, Some(config())).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => {
            let date = response.headers().get("Date").and_then(|date| date.to_str().ok());
            let date = date.and_then(UnixTime::of_http_date).unwrap_or(UnixTime(clock::unix_time_s()));
            let behind_s = date.0 as i64 - clock::unix_time_s() as i64;
            let status = response.status().as_u16();
            let body = response.into_body().unwrap_or_default();
            let refusal = Refusal::new(status, &body).with_clock_behind(behind_s);
            Err(Notice::Refused(validate::explain(refusal, dial, reactor).await))
        }
        Err(error) => {
            let (host, port) = (dial.url.host(), dial.url.port());
            Err(Notice::Unreachable(format!("{host}:{port} does not speak WebSocket: {error}")))
        }
    }
}

/// A connection to the server, secured where the URL asks for it, and our address of it.
pub(super) async fn reach(dial: &Dial, reactor: &Rc<Reactor>) -> Result<(Stream, IpAddr), Notice> {
    let (host, port) = (dial.url.host(), dial.url.port());
    let unreachable = |what: &str, error: io::Error| {
        Notice::Unreachable(format!("{what} {host}:{port}: {}", explain(&error)))
    };
    let tcp = match &dial.proxy {
        Some(proxy) => through(proxy, dial, reactor).await?,
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
    opened.map_err(|error| unreachable("no way through", error))?;
    Ok(tcp)
}

fn request(dial: &Dial) -> Result<Request, async_tungstenite::tungstenite::http::Error> {
    let scheme = if dial.url.is_secure() { "wss" } else { "ws" };
    let authority = dial.url.authority();
    Request::builder()
        .uri(format!("{scheme}://{authority}{}", dial.target))
        .header("Host", authority)
        .header("Authorization", format!("Bearer {}", dial.token.reveal()))
        .header("User-Agent", USER_AGENT)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", async_tungstenite::tungstenite::handshake::client::generate_key())
        .body(())
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        // Written at once: each message is waited for.
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
}

async fn read(mut receiver: WebSocketReceiver<Stream>, wire: &Wire) -> String {
    loop {
        match receiver.next().await {
            Some(Ok(Message::Binary(bytes))) => wire.notices.send(Notice::Message(bytes.into())).await,
            // Pings are answered by the library; text would be JSON, which we never asked for.
            Some(Ok(Message::Close(_))) => return "the server closed the signal connection".to_owned(),
            Some(Ok(_)) => {}
            Some(Err(error)) => return format!("signal connection lost: {error}"),
            None => return "the signal connection ended".to_owned(),
        }
    }
}

async fn write(mut sender: WebSocketSender<Stream>, wire: &Wire) -> String {
    loop {
        let sent = match wire.orders.receive().await {
            Order::Send(bytes) => sender.send(Message::Binary(bytes.into())).await,
            Order::HangUp => {
                // Both frames are flushed when this returns.
                let _ = sender.close(None).await;
                return "hung up".to_owned();
            }
        };
        if let Err(error) = sent {
            return format!("signal connection lost: {error}");
        }
    }
}

/// What an error of the network means to a person who must do something about it.
pub(super) fn explain(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if let Some(tls) = inner {
        let hint = tls_hint(tls);
        if clock::is_plainly_wrong() {
            let today = UnixTime(clock::unix_time_s());
            return format!(
                "{tls} (this device's clock says {today}, when this program was not made yet: set it)"
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
        _ => "TLS was not agreed on",
    }
}
