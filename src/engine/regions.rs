//! The way round a region of LiveKit's cloud that does not serve us.
//!
//! ```text
//! the URL of the settings ── fails ─► the list is asked for ─► the nearest ── fails ─► the next … ── all fail ─► the table
//!                                                                  ▲                                 (`session::recovery`)
//!         `leave`, RECONNECT, with regions ────────────────────────┘
//! ```
//!
//! A region that has served us is kept, also for the sessions after this one. Where all fail, what the table says
//! begins with the URL of the settings again. A server of one's own is never asked.

use std::time::{Duration, Instant};

use super::Engine;
use super::phase::Phase;
use super::port::Action;
use crate::limits::REGIONS_MAX;
use crate::session::cause::Cause;
use crate::signal::refusal::Fault;
use crate::signal::regions::Regions;
use crate::signal::url::ServerUrl;
use crate::time::deadline::Reason;

/// The list comes within this, or there is none: a look-up, TCP, TLS and one question.
const REGIONS_PATIENCE: Duration = Duration::from_secs(3);

/// Where we dial, and where we could.
#[derive(Debug, Default)]
pub(super) struct Detour {
    /// Instead of the URL of the settings.
    at: Option<ServerUrl>,
    /// What is tried next.
    ahead: heapless::Deque<ServerUrl, REGIONS_MAX>,
    /// The list is what is tried now, or was; it is not asked for again.
    has_list: bool,
    /// The list is asked for; and what is to be done without one.
    put_off: Option<Cause>,
}

impl Detour {
    /// The list is awaited.
    pub(super) fn is_asking(&self) -> bool {
        self.put_off.is_some()
    }

    /// We are in a room: the next time something fails is another story.
    pub(super) fn arrived(&mut self) {
        self.ahead.clear();
        self.has_list = false;
    }
}

impl Engine {
    /// Where the session is, or is to be.
    pub(super) fn server_url(&self) -> &ServerUrl {
        self.detour.at.as_ref().unwrap_or(&self.settings.url)
    }

    /// The source of tokens says where: from the next dial on, and no region of another server.
    pub(super) fn goes_to(&mut self, url: ServerUrl) {
        if self.settings.url != url {
            self.settings.url = url;
            self.detour = Detour::default();
        }
    }

    /// Joining has come to nothing: whether another region is tried, or asked for, before anything else follows.
    pub(super) fn tries_another_region(&mut self, cause: &Cause, now: Instant) -> bool {
        let is_of_the_region = match cause {
            Cause::Unreachable(_) | Cause::TimedOut(_) => true,
            Cause::Refused(refusal) => refusal.fault() == Fault::Server,
            _ => false,
        };
        if !is_of_the_region {
            return false;
        }
        if let Some(url) = self.detour.ahead.pop_front() {
            self.tell_cause(cause, false, now);
            self.detour.at = Some(url);
            self.drop_session(now);
            self.dial(now);
            return true;
        }
        if !self.settings.url.has_regions() || self.detour.has_list {
            self.detour = Detour::default();
            return false;
        }
        self.drop_session(now);
        self.detour.has_list = true;
        self.detour.put_off = Some(cause.clone());
        self.phase = Phase::Waiting;
        self.deadlines.set(Reason::Redial, now + REGIONS_PATIENCE);
        let (url, token) = (self.settings.url.clone(), self.token.clone());
        let target = url.regions_target();
        self.act(Action::AskRegions { url, target, token });
        true
    }

    /// The answer to [`Action::AskRegions`].
    pub fn handle_regions(&mut self, answer: Option<&[u8]>, now: Instant) {
        let Some(cause) = self.detour.put_off.take() else { return };
        self.deadlines.clear(Reason::Redial);
        if let Some(regions) = answer.and_then(Regions::from_json) {
            self.turn_to(&regions);
        }
        // What was put off happens now.
        self.phase = Phase::Dialing;
        self.lost(cause, now);
    }

    /// A server that wants a new session says where.
    pub(super) fn sent_elsewhere(&mut self, regions: &Regions) {
        if regions.urls().is_empty() {
            return;
        }
        self.turn_to(regions);
        self.detour.has_list = true;
        if let Some(url) = self.detour.ahead.pop_front() {
            self.detour.at = Some(url);
        }
    }

    /// Takes a list, without what has just failed and what would show the token to everybody.
    fn turn_to(&mut self, regions: &Regions) {
        let is_secure = self.settings.url.is_secure();
        let here = self.server_url().clone();
        self.detour.ahead.clear();
        for url in regions.urls().iter().filter(|url| **url != here && (url.is_secure() || !is_secure)) {
            // There is room for as many as are read.
            let _ = self.detour.ahead.push_back(url.clone());
        }
    }
}
