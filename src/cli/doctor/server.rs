//! The way into the room, a step at a time: token, name, connection, TLS, the server's word on the token, and then, in
//! silence and for a moment, the room itself, since only there the server tells where sound is to go.
//!
//! ```text
//!   token ─► name ─► server ─► tls ─► access ─► (room) ─► addresses ─► path ─► tcp
//! ```
//!
//! What comes after a failed step is not tried.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use kinglet::appliance::{Surroundings, visit};
use kinglet::command::Command;
use kinglet::config::Config;
use kinglet::event::Event;
use kinglet::io::client::{self, Commands, Events};
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

/// Certificates and tokens bear a minute.
const CLOCK_SLACK_S: u64 = 60;

/// The server, and what opens it.
struct Visit {
    url: ServerUrl,
    tls: Arc<ClientConfig>,
    token: Secret,
}

/// Goes the way as the box would. `joins`: no box runs here that would be thrown out by its own identity.
pub fn examine(config: &Config, surroundings: &Surroundings, joins: bool, findings: &mut Findings<'_>) {
    let options = match visit::silent(config, surroundings) {
        Ok(options) => options,
        Err(error) => return findings.push(Finding::failed("credentials", error.to_string())),
    };
    let Some(source) = &options.token_source else { return };
    let token = match source.get(clock::unix_time_s()) {
        Ok(token) => token,
        Err(error) => return findings.push(Finding::failed("token", error.to_string())),
    };
    findings.push(token_finding(&token));
    let visit = Visit { url: options.settings.url.clone(), tls: options.tls.clone(), token };
    let findings = RefCell::new(findings);
    let (visit, told) = (&visit, &findings);
    let ended = client::run(options, |events, commands| async move {
        let reactor = commands.reactor().clone();
        if let Some(reached) = visit.walk(&reactor, told).await
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
    /// The steps before the room; the server's address, where all went well.
    async fn walk(&self, reactor: &Rc<Reactor>, findings: &RefCell<&mut Findings<'_>>) -> Option<IpAddr> {
        let tell = |finding: Finding| findings.borrow_mut().push(finding);
        let (host, port) = (self.url.host(), self.url.port());
        let addresses = match probe::look_up(reactor, &self.url).await {
            Ok(addresses) => addresses,
            Err(why) => {
                tell(Finding::failed(
                    "name",
                    format!("{host}: {why}: is it written right, and is there a name server?"),
                ));
                return None;
            }
        };
        if self.url.address().is_none() {
            let numbers: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            tell(Finding::ok("name", format!("{host} is {}", numbers.join(", "))));
        }
        let reached = match probe::connect(reactor, &addresses).await {
            Ok(reached) => reached,
            Err(why) => {
                tell(Finding::failed("server", format!("{host}:{port}: {why}")));
                return None;
            }
        };
        tell(Finding::ok("server", format!("{reached} takes connections")));
        self.secured(reactor, reached, &tell).await?;
        self.validated(reactor, &tell).await?;
        Some(reached.ip())
    }

    async fn secured(
        &self,
        reactor: &Rc<Reactor>,
        reached: SocketAddr,
        tell: &impl Fn(Finding),
    ) -> Option<()> {
        if !self.url.is_secure() {
            let text =
                "ws:// is not encrypted: the token can be read on the way; use wss:// outside of the bench";
            if !reached.ip().is_loopback() {
                tell(Finding::warning("tls", text));
            }
            return Some(());
        }
        match probe::secure(reactor, reached, &self.url, self.tls.clone()).await {
            Ok(()) => tell(Finding::ok("tls", format!("the certificate is one of {}", self.url.host()))),
            Err(why) => {
                tell(Finding::failed("tls", why));
                return None;
            }
        }
        Some(())
    }

    async fn validated(&self, reactor: &Rc<Reactor>, tell: &impl Fn(Finding)) -> Option<()> {
        let verdict = probe::validate(reactor, &self.url, self.token.clone(), self.tls.clone()).await;
        let Some(verdict) = verdict else {
            tell(Finding::failed(
                "access",
                "what answers there does not speak HTTP: check host and port of the URL",
            ));
            return None;
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
                return None;
            }
        }
        Some(())
    }
}

/// Goes into the room, in silence, until sound could flow or will not.
async fn enter(
    mut events: Events,
    commands: &Commands,
    reactor: &Rc<Reactor>,
    reached: IpAddr,
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
    let paths = commands.give(Command::Paths).await.unwrap_or_default();
    match end {
        Ok(()) => {
            let paths = Paths::read(&paths);
            paths.judge(reached).into_iter().for_each(tell);
            stream_findings(&paths, reactor).await.into_iter().for_each(tell);
        }
        Err(why) => tell(Finding::failed("room", why)),
    }
    let _ = commands.give(Command::Exit).await;
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
                return Err(format!("the server ends it: {reason} {said}"));
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
