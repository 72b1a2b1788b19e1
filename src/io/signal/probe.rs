//! The way to the server, one step at a time, each with a result of its own: for `kinglet doctor`.
//!
//! ```text
//!   look_up ─► connect ─► secure ─► validate
//! ```
//!
//! A client takes the same steps, by the same code, and reports only the step that failed.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use rustls::ClientConfig;

use super::dial::{self, Dial, explain};
use super::dns;
use super::proxy::ProxySettings;
use super::tcp::{Stream, Tcp};
use crate::io::host::process;
use crate::io::runtime::reactor::Reactor;
use crate::limits::REFUSAL_BODY_BYTES_MAX;
use crate::signal::refusal::Refusal;
use crate::signal::secret::Secret;
use crate::signal::url::{ServerUrl, validate_target};
use crate::time::date::UnixTime;

/// The server's word on a token.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Why it would not let us in; none: it would.
    pub refusal: Option<Refusal>,
    /// The server's clock, if the answer has a date.
    pub date: Option<UnixTime>,
}

/// The server's addresses.
///
/// # Errors
/// In words, why there are none.
pub async fn look_up(reactor: &Rc<Reactor>, url: &ServerUrl) -> Result<Vec<SocketAddr>, String> {
    dns::resolve(reactor, &url.host(), url.port()).await.map_err(words)
}

/// The first of these addresses that takes a TCP connection.
///
/// # Errors
/// Why none does, in words.
pub async fn connect(reactor: &Rc<Reactor>, addresses: &[SocketAddr]) -> Result<SocketAddr, String> {
    let connected = Tcp::connect(reactor, addresses).await;
    connected.and_then(|tcp| tcp.remote_address()).map_err(words)
}

/// TLS with the server at this address, by the name in its URL.
///
/// # Errors
/// Why not, in words.
pub async fn secure(
    reactor: &Rc<Reactor>,
    address: SocketAddr,
    url: &ServerUrl,
    tls: Arc<ClientConfig>,
) -> Result<(), String> {
    let tcp = Tcp::connect(reactor, &[address]).await.map_err(words)?;
    Stream::secure(tcp, &url.host(), tls).await.map(|_| ()).map_err(words)
}

/// The server's validation of this token, without a join; `None` if it does not speak HTTP.
pub async fn validate(
    reactor: &Rc<Reactor>,
    url: &ServerUrl,
    token: Secret,
    tls: Arc<ClientConfig>,
    proxies: ProxySettings,
) -> Option<Verdict> {
    let target = url.join_target(&process::join_parameters());
    let dial = Dial { url: url.clone(), target, token, tls, proxies };
    let answer = dial::get(&dial, &validate_target(&dial.target), REFUSAL_BODY_BYTES_MAX, reactor).await?;
    let said = Refusal::new(answer.status, &answer.body);
    // A page of a proxy or portal may have the status of a valid answer.
    Some(Verdict { refusal: (!said.is_success()).then_some(said), date: answer.date })
}

fn words(error: io::Error) -> String {
    explain(&error)
}
