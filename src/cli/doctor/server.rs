//! The way into the room, step by step: token, name, connection, TLS, the server's validation of the token. Then, in
//! silence and for a moment, the room itself, because only there the server announces its addresses for sound.
//!
//! ```text
//!   token ─► name ─► server ─► tls ─► access ─► (room) ─► addresses ─► path ─► tcp
//! ```
//!
//! What comes after a failed step is not tried.

#![expect(clippy::indexing_slicing, reason = "serde_json: a member that is missing is null")]

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use kinglet::command::Command;
use kinglet::event::Event;
use kinglet::io::client::{self, Commands, Events, Options};
use kinglet::io::proxy::ProxySettings;
use kinglet::io::reactor::Reactor;
use kinglet::io::{clock, probe};
use kinglet::signal::secret::Secret;
use kinglet::signal::token::claims;
use kinglet::signal::url::ServerUrl;
use kinglet::time::date::UnixTime;
use rustls::ClientConfig;
use serde_json::Value;

use super::finding::{Finding, Findings};
use super::paths::Paths;

/// UDP has 2 s, and each of the server's TCP addresses 3 s, with TURN beside it.
const PATH_PATIENCE: Duration = Duration::from_secs(10);

/// The last of the server's addresses has come when none follows for so long.
const BETWEEN_ADDRESSES: Duration = Duration::from_millis(200);

/// A server that has announced none for this long has none.
const ADDRESSES_PATIENCE: Duration = Duration::from_secs(3);

/// Certificates and tokens bear a minute.
const CLOCK_SLACK_S: u64 = 60;

/// The server, and what opens it.
struct Visit {
    url: ServerUrl,
    tls: Arc<ClientConfig>,
    proxies: ProxySettings,
    token: Secret,
}

/// A step failed and was reported: the following steps are not tried.
struct Stopped;

/// Goes the way as the box would. `joins`: no box runs here that would be thrown out by its own identity.
pub fn examine(options: Result<Options, String>, joins: bool, findings: &mut Findings<'_>) {
    let options = match options {
        Ok(options) => options,
        Err(why) => return findings.push(Finding::failed("config", why)),
    };
    let Some(source) = &options.token_source else { return };
    let access = match source.get(clock::unix_time_s()) {
        Ok(access) => access,
        Err(error) => return findings.push(Finding::failed("token", error.to_string())),
    };
    findings.push(token_finding(&access.token));
    let visit = Visit {
        url: access.server.unwrap_or_else(|| options.settings.url.clone()),
        tls: options.tls.clone(),
        proxies: options.proxies.clone(),
        token: access.token,
    };
    let findings = RefCell::new(findings);
    let (visit, told) = (&visit, &findings);
    let ended = client::run(options, |events, commands| async move {
        let reactor = commands.reactor().clone();
        if let Ok(reached) = visit.walk(&reactor, told).await
            && joins
        {
            enter(events, &commands, &reactor, reached, told).await;
        }
    });
    if let Err(error) = ended {
        findings.borrow_mut().push(Finding::failed("system", error.to_string()));
    }
}

fn token_finding(token: &Secret) -> Finding {
    let claims = claims(token.reveal()).unwrap_or_default();
    let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let (room, identity) = (word(&claims["video"]["room"]), word(&claims["sub"]));
    let until = claims["exp"]
        .as_u64()
        .map(|end| format!(", until {} {:02}:{:02} UTC", UnixTime(end), end / 3600 % 24, end / 60 % 60));
    Finding::ok("token", format!("for room '{room}' as '{identity}'{}", until.unwrap_or_default()))
}

impl Visit {
    /// The steps before the room; the server's address, which only a proxy knows where there is one.
    async fn walk(
        &self,
        reactor: &Rc<Reactor>,
        findings: &RefCell<&mut Findings<'_>>,
    ) -> Result<Option<IpAddr>, Stopped> {
        let tell = |finding: Finding| findings.borrow_mut().push(finding);
        let proxy = self.proxies.for_server(&self.url);
        let reached = match proxy.map_err(|why| {
            tell(Finding::failed("proxy", why));
            Stopped
        })? {
            Some(proxy) => {
                tell(Finding::ok(
                    "proxy",
                    format!("messages go through {proxy}, which looks the server up; sound does not"),
                ));
                None
            }
            None => Some(self.reached(reactor, &tell).await?),
        };
        self.validated(reactor, &tell).await?;
        Ok(reached)
    }

    /// Name, connection, TLS.
    async fn reached(&self, reactor: &Rc<Reactor>, tell: &impl Fn(Finding)) -> Result<IpAddr, Stopped> {
        let (host, port) = (self.url.host(), self.url.port());
        let stop = |finding: Finding| {
            tell(finding);
            Stopped
        };
        let addresses = probe::look_up(reactor, &self.url).await.map_err(|why| {
            stop(Finding::failed(
                "name",
                format!("{host}: {why}: is it written right, and is there a name server?"),
            ))
        })?;
        if self.url.address().is_none() {
            let numbers: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            tell(Finding::ok("name", format!("{host} is {}", numbers.join(", "))));
        }
        let reached = probe::connect(reactor, &addresses).await;
        let reached =
            reached.map_err(|why| stop(Finding::failed("server", format!("{host}:{port}: {why}"))))?;
        tell(Finding::ok("server", format!("{reached} takes connections")));
        if self.url.is_secure() {
            let secured = probe::secure(reactor, reached, &self.url, self.tls.clone()).await;
            secured.map_err(|why| stop(Finding::failed("tls", why)))?;
            tell(Finding::ok("tls", format!("the certificate is one of {host}")));
        } else if !reached.ip().is_loopback() {
            let text =
                "ws:// is not encrypted: the token can be read on the way; use wss:// outside of the bench";
            tell(Finding::warning("tls", text));
        }
        Ok(reached.ip())
    }

    async fn validated(&self, reactor: &Rc<Reactor>, tell: &impl Fn(Finding)) -> Result<(), Stopped> {
        let (token, tls, proxies) = (self.token.clone(), self.tls.clone(), self.proxies.clone());
        let verdict = probe::validate(reactor, &self.url, token, tls, proxies).await;
        let Some(verdict) = verdict else {
            tell(Finding::failed(
                "access",
                "what answers there does not speak HTTP: check host and port of the URL, or the proxy",
            ));
            return Err(Stopped);
        };
        if let Some(UnixTime(theirs)) = verdict.date {
            let (ours, away_s) = (clock::unix_time_s(), theirs.abs_diff(clock::unix_time_s()));
            if away_s > CLOCK_SLACK_S {
                let way = if ours < theirs { "behind" } else { "ahead of" };
                let text = format!(
                    "this device's clock is {away_s} s {way} the server's: tokens and certificates fail by it"
                );
                tell(Finding::warning("time", text));
            }
        }
        match verdict.refusal {
            None => tell(Finding::ok("access", "the server takes the token")),
            Some(refusal) => {
                tell(Finding::failed("access", refusal.to_string()));
                return Err(Stopped);
            }
        }
        Ok(())
    }
}

/// Goes into the room, in silence, until sound could flow or will not.
async fn enter(
    mut events: Events,
    commands: &Commands,
    reactor: &Rc<Reactor>,
    reached: Option<IpAddr>,
    findings: &RefCell<&mut Findings<'_>>,
) {
    let tell = |finding: Finding| findings.borrow_mut().push(finding);
    let _ = commands.give(Command::Enter).await;
    let end = {
        let entering = std::pin::pin!(entered(&mut events));
        let patience = std::pin::pin!(reactor.sleep_until(clock::now() + PATH_PATIENCE, clock::now));
        match select(entering, patience).await {
            Either::Left((end, _)) => end,
            Either::Right(_) => Ok(()),
        }
    };
    match end {
        Ok(()) => {
            let paths = settled(commands, reactor).await;
            paths.judge(reached).into_iter().for_each(tell);
            stream_findings(&paths, reactor).await.into_iter().for_each(tell);
        }
        Err(why) => tell(Finding::failed("room", why)),
    }
    let _ = commands.give(Command::Exit).await;
}

/// The server's addresses, when no more of them come: it sends them one by one, also after its own checks have found a
/// path.
async fn settled(commands: &Commands, reactor: &Rc<Reactor>) -> Paths {
    let end = clock::now() + ADDRESSES_PATIENCE;
    let mut before = Paths::default();
    loop {
        reactor.sleep_until(clock::now() + BETWEEN_ADDRESSES, clock::now).await;
        let paths = Paths::read(&commands.give(Command::Paths).await.unwrap_or_default());
        let is_settled = paths == before && !(paths.udp.is_empty() && paths.tcp.is_empty());
        if is_settled || clock::now() >= end {
            return paths;
        }
        before = paths;
    }
}

/// Until the room is there; or why it will not be.
async fn entered(events: &mut Events) -> Result<(), String> {
    let mut said = String::new();
    while let Some(event) = events.next().await {
        match event {
            Event::Connected { .. } => return Ok(()),
            Event::Warning { text } => said = text,
            // Without a path the session ends and begins again: the addresses are known by then.
            Event::Disconnected { reason, .. } if reason != "UNKNOWN_REASON" => {
                return Err(format!("the server ended the session: {reason} {said}"));
            }
            _ => {}
        }
    }
    Err(said)
}

/// The way round where UDP is blocked one day: whether the server's TCP addresses answer from here.
async fn stream_findings(paths: &Paths, reactor: &Rc<Reactor>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for address in &paths.tcp {
        findings.push(match probe::connect(reactor, &[*address]).await {
            Ok(_) => Finding::ok("tcp", format!("{address} answers, for when UDP is blocked")),
            Err(why) => Finding::warning(
                "tcp",
                format!("{address}: {why} (it is the way round where UDP is blocked)"),
            ),
        });
    }
    findings
}
