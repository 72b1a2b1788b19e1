//! Which server is dialled: the configured one, or another region of LiveKit Cloud where that does not serve us.
//!
//! ```text
//! configured URL ── fails ─► its list of regions ─► the nearest ── fails ─► the next … ── all fail ─► the table
//!     ▲    │                                            ▲   │                                 (`session::recovery`)
//!     │    └── `leave`, RECONNECT, with regions ────────┘   │
//!     └───────────── the next new session, from REGION_KEPT on ─┘
//! ```
//!
//! The token goes where the dial goes, so nobody but the configuration (or the token endpoint, where that names the
//! server) may choose the host. Regions are followed only where the configured host is LiveKit Cloud's, only to hosts of
//! LiveKit Cloud, and never from TLS to none. What any other server names is not used. A region is kept over new
//! sessions for [`REGION_KEPT`]; then the next new session is tried at the configured URL first.

use std::time::{Duration, Instant};

use super::state::Phase;
use crate::engine::Engine;
use crate::engine::port::Action;
use crate::limits::REGIONS_MAX;
use crate::session::cause::Cause;
use crate::signal::refusal::Fault;
use crate::signal::regions::Regions;
use crate::signal::url::ServerUrl;
use crate::time::deadline::Reason;

/// The list comes within this, or there is none: a look-up, TCP, TLS and one question.
const REGIONS_PATIENCE: Duration = Duration::from_secs(3);

/// From leaving the configured URL until new sessions begin there again: a region is drained or mended in minutes, and a
/// dial that is too early costs one attempt.
const REGION_KEPT: Duration = Duration::from_secs(10 * 60);

/// Where we dial, and where we could.
#[derive(Debug, Default)]
pub(in crate::engine) struct Detour {
    /// A region, instead of the configured URL.
    at: Option<ServerUrl>,
    /// When the configured URL was left.
    since: Option<Instant>,
    /// What is tried next.
    ahead: heapless::Deque<ServerUrl, REGIONS_MAX>,
    /// The list is what is tried now, or was; it is not asked for again.
    has_list: bool,
    /// The list is asked for; and what is to be done without one.
    put_off: Option<Cause>,
    /// Where the last dial went.
    dialled: Option<ServerUrl>,
}

impl Detour {
    /// The list is awaited.
    pub(in crate::engine) fn is_asking(&self) -> bool {
        self.put_off.is_some()
    }

    /// We are in a room: the next time something fails is another story.
    pub(in crate::engine) fn arrived(&mut self) {
        self.ahead.clear();
        self.has_list = false;
    }

    /// Back to the configured URL.
    pub(in crate::engine) fn end(&mut self) {
        *self = Detour { dialled: self.dialled.take(), ..Detour::default() };
    }

    /// The server that was dialled last.
    pub(in crate::engine) fn dialled(&self) -> Option<&ServerUrl> {
        self.dialled.as_ref()
    }

    /// To the next region of the list.
    fn turn(&mut self, now: Instant) -> bool {
        let Some(url) = self.ahead.pop_front() else { return false };
        self.at = Some(url);
        self.since.get_or_insert(now);
        true
    }

    /// A new session begins: whether it begins at the configured URL again.
    fn is_over(&self, now: Instant) -> bool {
        self.since.is_some_and(|since| now.saturating_duration_since(since) >= REGION_KEPT)
    }

    /// A dial goes there; the server before, where that is another one.
    fn dials(&mut self, url: &ServerUrl) -> Option<ServerUrl> {
        self.dialled.replace(url.clone()).filter(|before| before != url)
    }
}

impl Engine {
    /// Where the session is, or is to be.
    fn server_url(&self) -> &ServerUrl {
        self.session.detour.at.as_ref().unwrap_or(&self.settings.url)
    }

    /// The URL of a dial, which is logged where it is not the one before.
    pub(in crate::engine) fn dialled_url(&mut self) -> ServerUrl {
        let url = self.server_url().clone();
        if let Some(before) = self.session.detour.dials(&url) {
            self.out.warn(format!("the server is {url} from now on, no longer {before}"));
        }
        url
    }

    /// The next dial begins a new session.
    pub(in crate::engine) fn new_session_begins(&mut self, now: Instant) {
        if self.session.detour.is_over(now) {
            self.session.detour.end();
        }
    }

    /// The source of tokens says where: from the next dial on, and no region of another server.
    pub(in crate::engine) fn goes_to(&mut self, url: ServerUrl) {
        if self.settings.url != url {
            self.settings.url = url;
            self.session.detour.end();
        }
    }

    /// Joining has come to nothing: whether another region is tried, or asked for, before anything else follows.
    pub(in crate::engine) fn tries_another_region(&mut self, cause: &Cause, now: Instant) -> bool {
        let is_of_the_region = match cause {
            Cause::Unreachable(_) | Cause::TimedOut(_) => true,
            Cause::Refused(refusal) => refusal.fault() == Fault::Server,
            _ => false,
        };
        if !is_of_the_region {
            return false;
        }
        if !self.session.detour.ahead.is_empty() {
            self.tell_cause(cause, false, now);
            self.session.detour.turn(now);
            self.drop_session(now);
            self.dial_there(now);
            return true;
        }
        if !self.settings.url.has_regions() || self.session.detour.has_list {
            self.session.detour.end();
            return false;
        }
        self.drop_session(now);
        self.session.detour.has_list = true;
        self.session.detour.put_off = Some(cause.clone());
        self.session.phase = Phase::Waiting;
        self.deadlines.set(Reason::Redial, now + REGIONS_PATIENCE);
        let (url, token) = (self.settings.url.clone(), self.session.token.clone());
        let target = url.regions_target();
        self.out.act(Action::AskRegions { url, target, token });
        true
    }

    /// The answer to [`Action::AskRegions`].
    pub fn handle_regions(&mut self, answer: Option<&[u8]>, now: Instant) {
        let Some(cause) = self.session.detour.put_off.take() else { return };
        self.deadlines.clear(Reason::Redial);
        if let Some(regions) = answer.and_then(Regions::from_json) {
            self.turn_to(&regions);
        }
        // What was put off happens now.
        self.session.phase = Phase::Dialing;
        self.lost(cause, now);
    }

    /// A server that wants a new session says where.
    pub(in crate::engine) fn sent_elsewhere(&mut self, regions: &Regions, now: Instant) {
        if regions.urls().is_empty() {
            return;
        }
        self.turn_to(regions);
        if self.session.detour.ahead.is_empty() {
            self.out.warn(format!(
                "the server names other servers, none of which is used: this device goes to {}, and elsewhere only from \
                 LiveKit Cloud to its regions",
                self.settings.url
            ));
            return;
        }
        self.session.detour.has_list = true;
        self.session.detour.turn(now);
    }

    /// Takes a list, without what has just failed and what must not see the token.
    fn turn_to(&mut self, regions: &Regions) {
        let configured = &self.settings.url;
        let may_see_token = |url: &&ServerUrl| {
            configured.has_regions() && url.has_regions() && (url.is_secure() || !configured.is_secure())
        };
        let here = self.server_url().clone();
        let urls: heapless::Vec<ServerUrl, REGIONS_MAX> =
            regions.urls().iter().filter(may_see_token).filter(|url| **url != here).cloned().collect();
        self.session.detour.ahead.clear();
        self.session.detour.ahead.extend(urls);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
    fn base() -> Instant {
        Instant::now()
    }

    fn url(text: &str) -> ServerUrl {
        text.parse().expect("a URL")
    }

    #[test]
    fn a_region_is_kept_from_leaving_the_configured_url_on_and_not_for_ever() {
        let now = base();
        let mut detour = Detour::default();
        assert!(!detour.is_over(now), "nothing was left");
        detour.ahead.extend([url("wss://a.livekit.cloud"), url("wss://b.livekit.cloud")]);
        assert!(detour.turn(now));
        assert!(!detour.is_over(now + REGION_KEPT / 2));
        // From one region to the next it is still the same detour.
        assert!(detour.turn(now + REGION_KEPT / 2));
        assert!(detour.is_over(now + REGION_KEPT));
        detour.end();
        assert!(!detour.is_over(now + REGION_KEPT) && detour.at.is_none());
    }

    #[test]
    fn a_change_of_the_server_is_noticed_once() {
        let mut detour = Detour::default();
        let (home, west) = (url("wss://home.livekit.cloud"), url("wss://west.livekit.cloud"));
        assert_eq!(detour.dials(&home), None, "the first");
        assert_eq!(detour.dials(&home), None);
        assert_eq!(detour.dials(&west), Some(home.clone()));
        detour.end();
        assert_eq!(detour.dials(&west), None);
        assert_eq!(detour.dials(&home), Some(west));
    }
}
