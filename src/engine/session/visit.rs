//! What is known of a visit to the room, over its sessions: [`Visit`], and what was reported of its troubles.

use std::time::{Duration, Instant};

use crate::event::Event;
use crate::session::cause::Cause;
use crate::signal::leave::DisconnectReason;
use crate::time::backoff::GOOD_SESSION;

/// From the first dial until we leave on purpose: times that waits and events count from, and what was reported last.
#[derive(Debug)]
pub(super) struct Visit {
    was_connected: bool,
    session_began: Option<Instant>,
    /// When the last dial began: waits between dials of a resume count from there.
    dialled_at: Instant,
    /// When the last new session was dialled.
    join_began: Instant,
    lost_at: Option<Instant>,
    reported_cause: String,
    reported_reason: Option<DisconnectReason>,
}

impl Visit {
    /// Outside of the room.
    pub(super) fn new(now: Instant) -> Visit {
        Visit {
            was_connected: false,
            session_began: None,
            dialled_at: now,
            join_began: now,
            lost_at: None,
            reported_cause: String::new(),
            reported_reason: None,
        }
    }

    /// Whether `connected` was reported.
    pub(super) fn was_connected(&self) -> bool {
        self.was_connected
    }

    /// A new session is dialled.
    pub(super) fn joins(&mut self, now: Instant) {
        self.join_began = now;
    }

    /// The server is dialled.
    pub(super) fn dials(&mut self, now: Instant) {
        self.dialled_at = now;
    }

    /// When a resume dials again, `wait` after its last dial.
    pub(super) fn redial_at(&self, wait: Duration, now: Instant) -> Instant {
        now.max(self.dialled_at + wait)
    }

    /// When a new session is dialled again, `wait` after the last one was.
    pub(super) fn rejoin_at(&self, wait: Duration, now: Instant) -> Instant {
        now.max(self.join_began + wait)
    }

    /// The session is up. The event to report, except for the first session.
    pub(super) fn connected(&mut self, now: Instant) -> Option<Event> {
        self.session_began = Some(now);
        self.reported_cause.clear();
        self.reported_reason = None;
        let was_connected = std::mem::replace(&mut self.was_connected, true);
        was_connected.then(|| Event::Reconnected { gap_ms: self.take_gap(now).as_millis() as u64 })
    }

    /// The session is resumed.
    pub(super) fn resumed(&mut self, now: Instant) -> Event {
        self.reported_cause.clear();
        Event::Resumed { gap_ms: self.take_gap(now).as_millis() as u64 }
    }

    /// How long ago the session was lost.
    pub(super) fn lost_for(&self, now: Instant) -> Duration {
        self.lost_at.map_or(Duration::ZERO, |lost| now.saturating_duration_since(lost))
    }

    /// The session is over: whether it lasted.
    pub(super) fn session_ended(&mut self, now: Instant) -> bool {
        let began = self.session_began.take();
        began.is_some_and(|began| now.saturating_duration_since(began) >= GOOD_SESSION)
    }

    /// A session that was up is being brought back: the event to report. An attempt that fails is explained by a warning,
    /// once for each explanation.
    pub(super) fn lost(&mut self, cause: &Cause, was_up: bool, now: Instant) -> Option<Event> {
        let text = cause.to_string();
        if was_up {
            self.lost_at = Some(now);
            self.reported_cause.clone_from(&text);
            Some(Event::Reconnecting { cause: text })
        } else {
            self.warning(format!("not in the room: {text}"))
        }
    }

    /// A warning, unless it is the same as the last one.
    pub(super) fn warning(&mut self, text: String) -> Option<Event> {
        let is_new = text != self.reported_cause;
        is_new.then(|| {
            self.reported_cause.clone_from(&text);
            Event::Warning { text }
        })
    }

    /// The end of a session, where it is to be reported: once for each reason in a row, and the last one.
    pub(super) fn disconnected(
        &mut self,
        reason: DisconnectReason,
        retry_in: Option<Duration>,
    ) -> Option<Event> {
        if retry_in.is_some() && self.reported_reason.replace(reason) == Some(reason) {
            return None;
        }
        Some(Event::Disconnected {
            reason: reason.name().to_owned(),
            will_retry: retry_in.is_some(),
            retry_in_ms: retry_in.map_or(0, |delay| delay.as_millis() as u64),
        })
    }

    /// We have left: the next visit is a first one again.
    pub(super) fn ended(&mut self) {
        self.was_connected = false;
        self.reported_cause.clear();
    }

    fn take_gap(&mut self, now: Instant) -> Duration {
        let gap = self.lost_for(now);
        self.lost_at = None;
        gap
    }
}
