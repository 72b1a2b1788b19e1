//! Dial, join, lose, dial again, leave: the life of sessions. What follows from a loss is looked up in
//! [`session::recovery`](crate::session::recovery), whose drawing shows the phases; here it is carried
//! out, but for the resume, which is carried out in `resume.rs`.

pub(in crate::engine) mod farewell;
pub(in crate::engine) mod regions;
pub(in crate::engine) mod resume;
pub(in crate::engine) mod state;
pub(in crate::engine) mod token;

use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::engine::port::{Action, Notice};
use crate::event::{By, Event};
use crate::room::Room;
use crate::rtc::Peer;
use crate::session::cause::Cause;
use crate::session::recovery::{RetryPolicy, SessionStage, Standing, Step, next_step};
use crate::signal::leave::DisconnectReason;
use crate::signal::parameters::{JoinParameters, Resume};
use crate::signal::ping::PingAction;
use crate::signal::refusal::Refusal;
use crate::signal::request::Request;
use crate::time::backoff::GOOD_SESSION;
use crate::time::deadline::{Deadlines, Reason};

pub(in crate::engine) use state::{Phase, Session};

/// From the dial to the primary connection (command line: "all of it within 15 s"); of a later session,
/// from its `join`.
const JOIN_PATIENCE: Duration = Duration::from_secs(15);

/// From the dial of a later session to its `join`: a network that comes and goes must not leave us with
/// a connection that never speaks. A name server that is dead costs 5 s of it.
const DIAL_PATIENCE: Duration = Duration::from_secs(8);

/// A command or file that gives a token answers within this, or the old one is tried again.
const TOKEN_PATIENCE: Duration = Duration::from_secs(30);

/// After the server closed a peer connection without a word on the signal connection.
pub(in crate::engine) const CLOSED_PATIENCE: Duration = Duration::from_secs(2);

impl Engine {
    /// What happened to the signal connection.
    pub fn handle_notice(&mut self, notice: Notice, now: Instant) {
        match (self.session.phase, notice) {
            (Phase::Leaving, Notice::Closed(_) | Notice::Unreachable(_) | Notice::Refused(_)) => {
                self.hung_up(now)
            }
            (Phase::Idle | Phase::Waiting | Phase::Leaving | Phase::Ended, _) => {}
            (Phase::Resuming, Notice::Reached) => self.open_sockets_again(),
            (_, Notice::Reached) => self.open_peers(now),
            (_, Notice::Opened) => {}
            (_, Notice::Message(bytes)) => self.message(&bytes, now),
            (_, Notice::Refused(refusal)) => self.lost(Cause::Refused(refusal), now),
            (_, Notice::Unreachable(text)) => self.lost(Cause::Unreachable(text), now),
            (_, Notice::Closed(text)) => self.lost(Cause::SignalLost(text), now),
        }
    }

    /// Goes into the room; nothing where we are there, or on the way.
    pub(in crate::engine) fn enter(&mut self, now: Instant) {
        if self.session.phase == Phase::Idle {
            self.early_begins(now);
        }
        match self.session.phase {
            Phase::Idle if self.lacks_token() || self.is_token_old(now) => {
                self.session.phase = Phase::Waiting;
                self.deadlines.set(Reason::Redial, now + TOKEN_PATIENCE);
                self.out.act(Action::RenewToken);
            }
            Phase::Idle => self.dial(now),
            _ if self.is_leaving_to_stand_by() => self.session.enters_again = true,
            _ => {}
        }
    }

    pub(in crate::engine) fn dial(&mut self, now: Instant) {
        self.new_session_begins(now);
        self.dial_there(now);
    }

    /// The same, where a region was just chosen.
    pub(in crate::engine) fn dial_there(&mut self, now: Instant) {
        self.session.phase = Phase::Dialing;
        self.session.reached_at = None;
        self.session.join_began = now;
        let patience = if self.session.was_connected { DIAL_PATIENCE } else { JOIN_PATIENCE };
        self.deadlines.set(Reason::Join, now + patience);
        self.dial_with(None, now);
    }

    pub(in crate::engine) fn dial_with(&mut self, resume: Option<Resume>, now: Instant) {
        self.session.attempt_began = now;
        let parameters = JoinParameters { resume, ..self.settings.parameters.clone() };
        let (url, token) = (self.dialled_url(), self.session.token.clone());
        let target = url.join_target(&parameters);
        self.out.act(Action::Dial { url, target, token });
    }

    /// Whether a message to the server reaches it.
    pub(in crate::engine) fn has_signal(&self) -> bool {
        matches!(self.session.phase, Phase::Joined | Phase::Active)
            || self.session.resuming.is_some_and(|resuming| resuming.has_signal())
    }

    /// The primary peer connection is up.
    pub(in crate::engine) fn connected(&mut self, now: Instant) {
        self.session.phase = Phase::Active;
        self.deadlines.clear(Reason::Join);
        self.session.session_began = Some(now);
        self.session.detour.arrived();
        self.session.told_cause.clear();
        self.session.told_reason = None;
        if self.session.was_connected {
            let gap = self
                .session
                .lost_at
                .take()
                .map_or(Duration::ZERO, |lost| now.saturating_duration_since(lost));
            self.out.emit(Event::Reconnected { gap_ms: gap.as_millis() as u64 });
            return;
        }
        self.session.was_connected = true;
        let info = self.room.info();
        let (identity, sid) =
            self.room.own().map_or_else(Default::default, |own| (own.identity.clone(), own.sid.to_string()));
        let event = Event::Connected {
            room: info.name.clone(),
            room_sid: info.sid.map(|sid| sid.to_string()).unwrap_or_default(),
            identity,
            sid,
            server: self.session.server.clone(),
        };
        self.out.emit(event);
    }

    /// The server has taken us in: the primary connection is awaited.
    pub(in crate::engine) fn await_connection(&mut self, now: Instant) {
        self.session.phase = Phase::Joined;
        if let (Some(reached), Some(subscriber)) =
            (self.session.reached_at.take(), &mut self.transports.subscriber)
        {
            subscriber.set_round_trip(now.saturating_duration_since(reached));
        }
        if self.session.was_connected {
            self.deadlines.set(Reason::Join, now + JOIN_PATIENCE);
        }
    }

    /// Something is lost: look up what follows, and carry it out.
    pub(in crate::engine) fn lost(&mut self, cause: Cause, now: Instant) {
        let stage = match self.session.phase {
            Phase::Leaving => return self.hung_up(now),
            Phase::Waiting if matches!(cause, Cause::NetworkChanged | Cause::Asked) => {
                return self.deadlines.set(Reason::Redial, now);
            }
            Phase::Idle | Phase::Waiting | Phase::Ended => return,
            Phase::Dialing | Phase::Joined => SessionStage::Joining,
            Phase::Active => SessionStage::Active,
            Phase::Resuming => SessionStage::Resuming,
        };
        if stage == SessionStage::Joining
            && (self.farewell_is_lost(now) || self.tries_another_region(&cause, now))
        {
            return;
        }
        let policy = RetryPolicy { retry: self.settings.retry, renews_token: self.settings.renews_token };
        let can_resume = self.can_resume(now);
        let standing = Standing { stage, can_resume, was_connected: self.session.was_connected, policy };
        match next_step(&cause, standing) {
            Step::Resume(mend) => self.resume(mend, &cause, now),
            Step::Probe => self.probe(&cause, now),
            Step::Widen => self.widen(now),
            Step::Join | Step::End(_) if self.farewell_is_lost(now) => {}
            Step::Join => self.rejoin(&cause, now),
            Step::End(outcome) => {
                self.drop_session(now);
                self.disconnected(cause.reason(), None);
                self.session.phase = Phase::Ended;
                self.session.outcome = Some(outcome);
            }
        }
    }

    /// Drops the session, and begins a new one when its time has come.
    fn rejoin(&mut self, cause: &Cause, now: Instant) {
        let is_about_token = |refusal: &Refusal| refusal.is_about_token() || self.token_has_expired(now);
        if matches!(cause, Cause::Refused(refusal) if is_about_token(refusal)) {
            // The server's refreshed token may have run out while the one that we began with is still good,
            // or a new one can be had.
            self.session.token_is_refused = true;
            self.session.token = self.settings.token.clone();
        }
        if matches!(cause, Cause::Unreachable(_) | Cause::TimedOut(_)) {
            self.asks_where_again(now);
        }
        let lasted = self.session.session_began.take().map(|began| now.saturating_duration_since(began));
        if lasted.is_some_and(|lasted| lasted >= GOOD_SESSION) {
            self.session.backoff.reset();
        }
        let was_active = self.session.phase == Phase::Active;
        self.drop_session(now);
        self.tell_cause(cause, was_active, now);
        // A resume that is refused is no reason to wait: the server that does not know us was just started.
        let at = match cause {
            Cause::Asked | Cause::NetworkChanged => now,
            // From the removal on, however long we were there: whoever has our identity would be removed at once.
            Cause::Told(reason) if reason.is_removal() => now + self.session.backoff.removal_delay(),
            Cause::Unreachable(_) => now.max(self.session.join_began + self.session.backoff.probe_delay()),
            _ => now.max(self.session.join_began + self.session.backoff.next_delay()),
        };
        self.session.phase = Phase::Waiting;
        self.deadlines.set(Reason::Redial, at);
        self.disconnected(cause.reason(), Some(at.saturating_duration_since(now)));
    }

    /// A session that was there is being brought back; an attempt that fails is explained, once for
    /// each explanation.
    pub(in crate::engine) fn tell_cause(&mut self, cause: &Cause, was_active: bool, now: Instant) {
        let text = cause.to_string();
        if was_active {
            self.session.lost_at = Some(now);
            self.out.emit(Event::Reconnecting { cause: text.clone() });
            self.session.told_cause = text;
        } else {
            self.tell_once(format!("not in the room: {text}"));
        }
    }

    /// A warning, unless it is the same as the last one.
    pub(in crate::engine) fn tell_once(&mut self, text: String) {
        if text != self.session.told_cause {
            self.out.warn(text.clone());
            self.session.told_cause = text;
        }
    }

    pub(in crate::engine) fn deadline_passed(&mut self, reason: Reason, now: Instant) {
        match reason {
            Reason::Join if self.goes_on_unmended(now) => {}
            Reason::Join => {
                let stage = match self.session.phase {
                    Phase::Resuming => "resuming the session",
                    Phase::Dialing => "joining: the server did not answer",
                    _ => "connecting: neither UDP nor TCP reaches the server's media ports",
                };
                self.lost(Cause::TimedOut(stage), now);
            }
            Reason::Redial if self.session.detour.is_asking() => self.handle_regions(None, now),
            Reason::Redial if self.session.token_is_refused || self.session.token.is_empty() => {
                self.session.token_is_refused = false;
                self.deadlines.set(Reason::Redial, now + TOKEN_PATIENCE);
                self.out.act(Action::RenewToken);
            }
            Reason::Redial if self.session.phase == Phase::Resuming => self.dial_resume(now),
            Reason::Path => self.lost(Cause::PathMissing, now),
            Reason::Redial => self.dial(now),
            Reason::Network => self.network_settled(now),
            Reason::Recovery if self.session.phase == Phase::Leaving => self.hung_up(now),
            Reason::Recovery => {
                let text = "the server closed it".to_owned();
                self.lost(Cause::PeerDead(Peer::Subscriber, text), now);
            }
            Reason::PublisherConnection => {
                let text = "it did not come up: no answer to our offer, or no way by UDP or TCP".to_owned();
                self.lost(Cause::PeerDead(Peer::Publisher, text), now);
            }
            Reason::Farewell => self.farewell_is_over(now),
            Reason::Announcement => self.announcement_moves(now),
            Reason::Captions => self.captions_due(now),
            Reason::TalkHold => self.mute_changed(By::Us, now),
            Reason::Answer => self.requests_unanswered(now),
            Reason::Call => self.calls_overdue(now),
            Reason::PublisherAnswer => {
                let text = "the server does not answer our offer".to_owned();
                self.lost(Cause::PeerDead(Peer::Publisher, text), now);
            }
            // These are kept by their owners.
            Reason::Ping
            | Reason::Fallback
            | Reason::Bindings
            | Reason::Relay
            | Reason::Publisher
            | Reason::Subscriber => {}
        }
    }

    pub(in crate::engine) fn ping(&mut self, now: Instant) {
        let sound_flows = self.has_paths();
        match self.session.pinger.as_mut().and_then(|pinger| pinger.handle_timeout(now, sound_flows)) {
            Some(PingAction::Send { timestamp_ms, rtt_ms }) => {
                self.out.request(&Request::Ping { timestamp_ms, rtt_ms });
            }
            Some(PingAction::Dead) => self.lost(Cause::SignalSilent, now),
            None => {}
        }
    }

    pub(in crate::engine) fn hung_up(&mut self, now: Instant) {
        self.drop_session(now);
        self.disconnected(DisconnectReason::ClientInitiated, None);
        if self.session.outcome.is_some() {
            self.session.phase = Phase::Ended;
            return;
        }
        self.session.phase = Phase::Idle;
        // The next visit is a first one again.
        self.local.publication.mute.left();
        self.room = Room::new();
        self.session.was_connected = false;
        self.session.detour.end();
        self.session.told_cause.clear();
        if std::mem::take(&mut self.session.enters_again) {
            self.enter(now);
        }
    }

    /// Said once for each reason in a row, and at the end: the next attempts are nobody's news.
    fn disconnected(&mut self, reason: DisconnectReason, retry_in: Option<Duration>) {
        if retry_in.is_some() && self.session.told_reason.replace(reason) == Some(reason) {
            return;
        }
        self.out.emit(Event::Disconnected {
            reason: reason.name().to_owned(),
            will_retry: retry_in.is_some(),
            retry_in_ms: retry_in.map_or(0, |delay| delay.as_millis() as u64),
        });
    }

    /// Everything that belongs to one session goes; the room stays, to be compared with the next join.
    pub(in crate::engine) fn drop_session(&mut self, now: Instant) {
        self.out.act(Action::Drop);
        if let Some(subscriber) = self.transports.subscriber.take() {
            self.out.counters.packets_unknown += u64::from(subscriber.unknown_packets());
        }
        self.transports.publisher = None;
        for peer in [Peer::Publisher, Peer::Subscriber] {
            self.out.act(Action::CloseSockets(peer));
        }
        self.out.clear_transmits();
        self.drop_relays(now);
        self.transports.fallbacks = Default::default();
        self.transports.whereabouts = Default::default();
        self.transports.reflexive = Default::default();
        self.transports.ice_servers.clear();
        self.session.pinger = None;
        self.session.resuming = None;
        self.deadlines = Deadlines::default();
        self.data_lost_with_session();
        self.unpublished();
        self.early_lost();
        self.announcement_lost();
        self.requests_lost();
        self.local.publication.session_lost();
        self.hearing.session_lost(&mut self.out);
        self.with_room(|room, mut sink| room.forget_speakers(&mut sink));
    }
}
