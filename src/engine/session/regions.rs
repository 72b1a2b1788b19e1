//! Which server is dialled: the configured one, or another region of LiveKit Cloud where that one fails: [`RegionFailover`].
//!
//! ```text
//! configured URL ── fails ─► its list of regions ─► the nearest ── fails ─► the next … ── all fail ─► the table
//!     ▲    │                                            ▲   │                                 (`session::recovery`)
//!     │    └── `leave`, RECONNECT, with regions ────────┘   │
//!     └───────────── the next new session, from REGION_KEPT on ─┘
//! ```
//!
//! The token goes where the dial goes, so only the configuration (or the token endpoint, where it names the server) may
//! choose the host. Regions are followed only where the configured host is LiveKit Cloud's, only to hosts of LiveKit Cloud,
//! and never from TLS to none. What any other server names is not used. A region is kept over new sessions for
//! [`REGION_KEPT`]; then the next new session is tried at the configured URL first.
//!
//! Functions: `dial`, `dialled`, `configured`, `session_begins`, `arrived`, `end`, `server_named`, `next`, `take_question`,
//! `answered`, `moved`.

use std::time::{Duration, Instant};

use crate::limits::REGIONS_MAX;
use crate::signal::regions::Regions;
use crate::signal::url::ServerUrl;

/// Time for the list: a look-up, TCP, TLS and one request.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// From leaving the configured URL until new sessions begin there again: a region is drained or mended in minutes, and a
/// dial that is too early costs one attempt.
const REGION_KEPT: Duration = Duration::from_secs(10 * 60);

/// The URL that is dialled, and those that could be.
#[derive(Debug)]
pub(super) struct RegionFailover {
    configured: ServerUrl,
    /// A region, instead of the configured URL.
    at: Option<ServerUrl>,
    /// When the configured URL was left.
    since: Option<Instant>,
    /// Regions that are tried next.
    ahead: heapless::Deque<ServerUrl, REGIONS_MAX>,
    /// The list is being tried, or was: it is not asked for again.
    has_list: bool,
    /// The URL of the last dial.
    dialled: Option<ServerUrl>,
}

impl RegionFailover {
    /// Begins at the configured URL.
    pub(super) fn new(configured: ServerUrl) -> RegionFailover {
        RegionFailover {
            configured,
            at: None,
            since: None,
            ahead: heapless::Deque::new(),
            has_list: false,
            dialled: None,
        }
    }

    /// The configured URL.
    pub(super) fn configured(&self) -> &ServerUrl {
        &self.configured
    }

    /// The URL of the last dial; `None` before the first.
    pub(super) fn dialled(&self) -> Option<&ServerUrl> {
        self.dialled.as_ref()
    }

    /// The URL of a dial that begins now, and the URL before where that is another one.
    pub(super) fn dial(&mut self) -> (ServerUrl, Option<ServerUrl>) {
        let url = self.here().clone();
        let before = self.dialled.replace(url.clone()).filter(|before| *before != url);
        (url, before)
    }

    /// The next dial begins a new session.
    pub(super) fn session_begins(&mut self, now: Instant) {
        if self.since.is_some_and(|since| now.saturating_duration_since(since) >= REGION_KEPT) {
            self.end();
        }
    }

    /// The session is up: the next failure begins a new search.
    pub(super) fn arrived(&mut self) {
        self.ahead.clear();
        self.has_list = false;
    }

    /// Returns to the configured URL.
    pub(super) fn end(&mut self) {
        (self.at, self.since, self.has_list) = (None, None, false);
        self.ahead.clear();
    }

    /// The source of tokens names the server: it is the configured one from the next dial on.
    pub(super) fn server_named(&mut self, url: ServerUrl) {
        if self.configured != url {
            self.configured = url;
            self.end();
        }
    }

    /// Selects the next region of the list; returns `false` if there is none.
    pub(super) fn next(&mut self, now: Instant) -> bool {
        let Some(url) = self.ahead.pop_front() else { return false };
        self.at = Some(url);
        self.since.get_or_insert(now);
        true
    }

    /// Whether the list of regions is to be asked for, after a dial that failed. It counts as asked for then; where it may
    /// not be, the next dial goes to the configured URL.
    pub(super) fn take_question(&mut self) -> bool {
        let asks = self.configured.has_regions() && !self.has_list;
        if asks {
            self.has_list = true;
        } else {
            self.end();
        }
        asks
    }

    /// The answer to the question for the list.
    pub(super) fn answered(&mut self, regions: &Regions) {
        // What has just failed is left out, and so is what must not see the token.
        let may_see_token = |url: &&ServerUrl| {
            self.configured.has_regions()
                && url.has_regions()
                && (url.is_secure() || !self.configured.is_secure())
        };
        let here = self.here().clone();
        let urls: heapless::Vec<ServerUrl, REGIONS_MAX> =
            regions.urls().iter().filter(may_see_token).filter(|url| **url != here).cloned().collect();
        self.ahead.clear();
        self.ahead.extend(urls);
    }

    /// The server requests a new session, and names regions; returns `false` if none of the URLs is used.
    pub(super) fn moved(&mut self, regions: &Regions, now: Instant) -> bool {
        if regions.urls().is_empty() {
            return true;
        }
        self.answered(regions);
        let is_used = self.next(now);
        self.has_list |= is_used;
        is_used
    }

    fn here(&self) -> &ServerUrl {
        self.at.as_ref().unwrap_or(&self.configured)
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

    fn home() -> ServerUrl {
        url("wss://home.livekit.cloud")
    }

    #[test]
    fn a_region_is_kept_from_leaving_the_configured_url_on_and_not_for_ever() {
        let now = base();
        let mut failover = RegionFailover::new(home());
        failover.session_begins(now);
        failover.ahead.extend([url("wss://a.livekit.cloud"), url("wss://b.livekit.cloud")]);
        assert!(failover.next(now));
        failover.session_begins(now + REGION_KEPT / 2);
        assert!(failover.at.is_some());
        // From one region to the next it is still the same failover.
        assert!(failover.next(now + REGION_KEPT / 2));
        failover.session_begins(now + REGION_KEPT);
        assert_eq!(failover.here(), &home());
    }

    #[test]
    fn a_change_of_the_server_is_noticed_once() {
        let mut failover = RegionFailover::new(home());
        let west = url("wss://west.livekit.cloud");
        assert_eq!(failover.dial(), (home(), None), "the first");
        assert_eq!(failover.dial(), (home(), None));
        failover.ahead.extend([west.clone()]);
        assert!(failover.next(base()));
        assert_eq!(failover.dial(), (west.clone(), Some(home())));
        assert_eq!(failover.dial(), (west.clone(), None));
        failover.end();
        assert_eq!(failover.dial(), (home(), Some(west)));
    }

    #[test]
    fn the_list_is_asked_for_once_until_a_session_is_up() {
        let mut failover = RegionFailover::new(home());
        assert!(failover.take_question() && !failover.take_question());
        assert!(failover.take_question(), "after all have failed, the search begins again");
        failover.arrived();
        assert!(failover.take_question());
        let mut own = RegionFailover::new(url("wss://livekit.example"));
        assert!(!own.take_question(), "only LiveKit Cloud has regions");
    }
}
