//! What lets us in: a token from its source, which may say where the server is, too.
//!
//! ```text
//!   Action::RenewToken ─► source ─► handle_token ─┬─► token    ─► the next dial
//!        ▲                                        └─► server   ─► the next dial, and no region of another one
//!        ├── refused, or none yet
//!        └── the source says where the server is, and it is not reached: once a minute
//! ```

use std::time::{Duration, Instant};

use super::state::Phase;
use crate::engine::Engine;
use crate::signal::endpoint::Access;
use crate::signal::secret::Secret;
use crate::signal::token::expiry_s;
use crate::time::deadline::Reason;

/// Between two questions whether the server that is not reached has moved: servers are moved by people.
const ASKS_AGAIN: Duration = Duration::from_secs(60);

/// A visit that begins so soon after a token came needs no other: the server's own live for ten minutes
/// (`tokenDefaultTTL`), and those of a source no shorter.
const TOKEN_KEPT: Duration = Duration::from_secs(5 * 60);

impl Engine {
    /// A new token, or why there is none; the answer to [`Action::RenewToken`](crate::engine::port::Action::RenewToken).
    pub fn handle_token(&mut self, access: Result<Access, String>, now: Instant) {
        match access {
            Ok(Access { token, server }) => {
                if let Some(url) = server {
                    self.session.server_named_at = Some(now);
                    self.goes_to(url);
                }
                self.settings.token = token.clone();
                self.token_came(token, now);
            }
            Err(why) => self.tell_once(format!("no new token: {why}")),
        }
        if self.session.phase != Phase::Waiting {
            return;
        }
        self.deadlines.clear(Reason::Redial);
        if self.session.token.is_empty() {
            self.session.token_is_refused = true;
            self.deadlines.set(Reason::Redial, now + self.session.backoff.next_delay());
        } else {
            self.dial(now);
        }
    }

    /// A token from its source, or from the server.
    pub(in crate::engine) fn token_came(&mut self, token: Secret, now: Instant) {
        self.session.token = token;
        self.session.token_came_at = Some(now);
    }

    /// Whether the token has run out by the server's clock: then another one is needed, whatever refuses this one.
    pub(in crate::engine) fn token_has_expired(&self, now: Instant) -> bool {
        let now_s = u64::try_from(self.unix_ms(now) / 1000).unwrap_or(0);
        now_s > 0 && expiry_s(&self.session.token).is_some_and(|end_s| now_s > end_s)
    }

    /// Whether there is none yet, and a source to ask.
    pub(in crate::engine) fn lacks_token(&self) -> bool {
        self.settings.renews_token && self.session.token.is_empty()
    }

    /// Whether the next visit had better begin with another token than the last one's.
    pub(in crate::engine) fn is_token_old(&self, now: Instant) -> bool {
        self.settings.renews_token
            && self.session.token_came_at.is_some_and(|at| now.saturating_duration_since(at) >= TOKEN_KEPT)
    }

    /// The server is not reached: whoever has said where it is may know better now.
    pub(in crate::engine) fn asks_where_again(&mut self, now: Instant) {
        if self.session.server_named_at.is_some_and(|at| now.saturating_duration_since(at) >= ASKS_AGAIN) {
            self.session.server_named_at = Some(now);
            self.session.token_is_refused = true;
        }
    }
}
