//! The access token, and where it comes from: [`Access`].
//!
//! ```text
//!   Action::RenewToken ─► source ─► handle_token ─┬─► token    ─► the next dial
//!        ▲                                        └─► server   ─► the next dial, and no region of another one
//!        ├── refused, or none yet
//!        └── the source names the server, and the server is not reached: once a minute
//! ```
//!
//! Functions: `token`, `came`, `server_named`, `refused`, `server_not_reached`, `take_question`, `is_missing`, `is_old`,
//! `has_expired`.

use std::time::{Duration, Instant};

use crate::signal::secret::Secret;
use crate::signal::token::{expiry_s, longer_lived};

/// Between two questions whether the server that is not reached has moved: servers are moved by people.
const ASKS_AGAIN: Duration = Duration::from_secs(60);

/// A visit that begins so soon after a token came needs no other: the server's own live for ten minutes
/// (`tokenDefaultTTL`), and those of a source no shorter.
const TOKEN_KEPT: Duration = Duration::from_secs(5 * 60);

/// The token that the next dial shows, and what is known of its source.
#[derive(Debug)]
pub(super) struct Access {
    token: Secret,
    /// The last token of the source: the server's refreshed ones replace `token` only.
    of_source: Secret,
    /// Whether the source can be asked again.
    is_renewable: bool,
    /// The source is asked before the next dial.
    is_refused: bool,
    /// When the source named the server last, or was asked again.
    server_named_at: Option<Instant>,
    came_at: Option<Instant>,
}

impl Access {
    /// Begins with the token of the settings.
    pub(super) fn new(token: Secret, is_renewable: bool) -> Access {
        Access {
            of_source: token.clone(),
            token,
            is_renewable,
            is_refused: false,
            server_named_at: None,
            came_at: None,
        }
    }

    /// The token of the next dial; empty before the source has given one.
    pub(super) fn token(&self) -> &Secret {
        &self.token
    }

    /// Whether the source can be asked again.
    pub(super) fn is_renewable(&self) -> bool {
        self.is_renewable
    }

    /// The source has given a token.
    pub(super) fn renewed(&mut self, token: Secret, now: Instant) {
        self.of_source = token.clone();
        self.came(token, now);
    }

    /// The server has sent a refreshed token: the one that lives longer is kept.
    pub(super) fn refreshed(&mut self, token: &Secret, now: Instant) {
        let token = longer_lived(token, &self.of_source).clone();
        self.came(token, now);
    }

    /// Takes a token as it is.
    pub(super) fn came(&mut self, token: Secret, now: Instant) {
        self.token = token;
        self.came_at = Some(now);
    }

    /// The source has named the server.
    pub(super) fn server_named(&mut self, now: Instant) {
        self.server_named_at = Some(now);
    }

    /// The server refuses the token. A refreshed token may have expired while that of the source is still good, or a new
    /// one can be had.
    pub(super) fn refused(&mut self) {
        self.is_refused = true;
        self.token = self.of_source.clone();
    }

    /// The server is not reached: a source that has named it may know better now.
    pub(super) fn server_not_reached(&mut self, now: Instant) {
        if self.server_named_at.is_some_and(|at| now.saturating_duration_since(at) >= ASKS_AGAIN) {
            self.server_named_at = Some(now);
            self.is_refused = true;
        }
    }

    /// The source had no token, and there is none yet: it is asked again before the next dial.
    pub(super) fn ask_again(&mut self) {
        self.is_refused = true;
    }

    /// Whether the source is to be asked before the next dial. The question counts as asked then.
    pub(super) fn take_question(&mut self) -> bool {
        std::mem::take(&mut self.is_refused) || self.token.is_empty()
    }

    /// Whether there is no token yet, but a source of tokens.
    pub(super) fn is_missing(&self) -> bool {
        self.is_renewable && self.token.is_empty()
    }

    /// Whether the next visit needs another token than the last one's.
    pub(super) fn is_old(&self, now: Instant) -> bool {
        self.is_renewable && self.came_at.is_some_and(|at| now.saturating_duration_since(at) >= TOKEN_KEPT)
    }

    /// Whether the token has expired by the server's clock: then another one is needed after any refusal. `unix_s`:
    /// seconds since 1970, 0 if unknown.
    pub(super) fn has_expired(&self, unix_s: u64) -> bool {
        unix_s > 0 && expiry_s(&self.token).is_some_and(|end_s| unix_s > end_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
    fn base() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_refused_token_gives_way_to_that_of_the_source() {
        let now = base();
        let mut access = Access::new(Secret::new("first".into()), true);
        access.came(Secret::new("refreshed".into()), now);
        assert!(!access.take_question());
        access.refused();
        assert_eq!(access.token(), &Secret::new("first".into()));
        assert!(access.take_question() && !access.take_question(), "asked once");
        access.renewed(Secret::new("second".into()), now);
        access.refused();
        assert_eq!(access.token(), &Secret::new("second".into()));
    }

    #[test]
    fn the_source_that_named_the_server_is_asked_once_a_minute() {
        let now = base();
        let mut access = Access::new(Secret::new("first".into()), true);
        access.server_not_reached(now);
        assert!(!access.take_question(), "it has named none");
        access.server_named(now);
        access.server_not_reached(now + ASKS_AGAIN / 2);
        assert!(!access.take_question());
        access.server_not_reached(now + ASKS_AGAIN);
        assert!(access.take_question());
        access.server_not_reached(now + ASKS_AGAIN * 3 / 2);
        assert!(!access.take_question());
    }
}
