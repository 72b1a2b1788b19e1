//! Dial, join, lose, dial again, leave: the life of sessions. What follows from a loss is looked up
//! in `session::recovery`.
//!
//! ```text
//!          dial                   join            primary connected
//!   Idle ────────► Dialing ─────────────► Joined ─────────────────► Active
//!                     ▲                      │                         │
//!                     │ Redial               ▼ lost                    ▼ lost
//!                     └────────────────── Waiting ◄────────────────────┘
//!                                            │ the table says "end"
//!   leave, from anywhere ─► Leaving ─► Ended ◄┘
//! ```

use std::time::{Duration, Instant};

use super::Engine;
use super::port::{Action, Notice};
use crate::error::ExitStatus;
use crate::event::{Command, Event};
use crate::rtc::{Peer, Publisher, Subscriber};
use crate::session::recovery::{Cause, Outcome, Verdict, decide};
use crate::signal::leave::DisconnectReason;
use crate::signal::ping::PingAction;
use crate::signal::refusal::Refusal;
use crate::signal::request::Request;
use crate::time::backoff::GOOD_SESSION;
use crate::time::deadline::Reason;

/// From the dial to the primary connection (command line: "all of it within 15 s").
const JOIN_PATIENCE: Duration = Duration::from_secs(15);

/// The hang-up is flushed within this, or the connection is not worth waiting for.
const LEAVE_PATIENCE: Duration = Duration::from_secs(1);

/// After the server closed a peer connection without a word on the signal connection.
pub(super) const CLOSED_PATIENCE: Duration = Duration::from_secs(2);

/// Where the session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing has begun.
    Idle,
    /// The signal connection is being made, or its `join` is awaited.
    Dialing,
    /// The server has joined us; the primary peer connection is not up yet.
    Joined,
    /// Sound flows.
    Active,
    /// Until the next attempt.
    Waiting,
    /// The hang-up is on its way.
    Leaving,
    /// It is over; the outcome says how.
    Ended,
}

impl Engine {
    /// What happened to the signal connection.
    pub fn handle_notice(&mut self, notice: Notice, now: Instant) {
        match (self.phase, notice) {
            (Phase::Leaving, Notice::Closed(_) | Notice::Unreachable(_) | Notice::Refused { .. }) => {
                self.end_as_asked()
            }
            (Phase::Idle | Phase::Waiting | Phase::Leaving | Phase::Ended, _) => {}
            (_, Notice::Reached) => self.open_peers(now),
            (_, Notice::Opened) => {}
            (_, Notice::Message(bytes)) => self.message(&bytes, now),
            (_, Notice::Refused { status, body }) => {
                self.lost(Cause::Refused(Refusal::new(status, &body)), now);
            }
            (_, Notice::Unreachable(text)) => self.lost(Cause::Unreachable(text), now),
            (_, Notice::Closed(text)) => self.lost(Cause::SignalLost(text), now),
        }
    }

    /// Something that the application asks for.
    ///
    /// # Errors
    /// Why it cannot be done, in words.
    pub fn handle_command(&mut self, command: Command, now: Instant) -> Result<(), &'static str> {
        match command {
            Command::Mute => self.set_muted(true, now),
            Command::Unmute => self.set_muted(false, now),
            Command::Volume(percent) => {
                self.set_volume(percent);
                Ok(())
            }
            Command::Subscribe(whom) => self.set_wanted(&whom, true),
            Command::Unsubscribe(whom) => self.set_wanted(&whom, false),
            Command::Leave => {
                self.leave(now);
                Ok(())
            }
        }
    }

    pub(super) fn dial(&mut self, now: Instant) {
        self.phase = Phase::Dialing;
        self.deadlines.set(Reason::Join, now + JOIN_PATIENCE);
        let (target, token) = (self.settings.target.clone(), self.token.clone());
        self.act(Action::Dial { target, token });
    }

    /// Both peer connections are made while the server works on the upgrade: nobody is heard now, and
    /// the first offer is answered without delay.
    fn open_peers(&mut self, now: Instant) {
        if self.microphone.is_some() {
            self.open_publisher(now);
        }
        self.subscriber = Some(Subscriber::new(now));
        self.act(Action::OpenSockets(Peer::Subscriber));
    }

    pub(super) fn open_publisher(&mut self, now: Instant) {
        self.publisher = Some(Publisher::new(&mut self.random, now));
        self.act(Action::OpenSockets(Peer::Publisher));
    }

    /// The primary peer connection is up.
    pub(super) fn connected(&mut self, now: Instant) {
        self.phase = Phase::Active;
        self.deadlines.clear(Reason::Join);
        self.session_began = Some(now);
        if self.was_connected {
            let gap = self.lost_at.take().map_or(Duration::ZERO, |lost| now.saturating_duration_since(lost));
            self.emit(Event::Reconnected { gap_ms: gap.as_millis() as u64 });
            return;
        }
        self.was_connected = true;
        let info = self.room.info();
        let (identity, sid) =
            self.room.own().map_or_else(Default::default, |own| (own.identity.clone(), own.sid.to_string()));
        let event = Event::Connected {
            room: info.name.clone(),
            room_sid: info.sid.map(|sid| sid.to_string()).unwrap_or_default(),
            identity,
            sid,
            server: self.server.clone(),
        };
        self.emit(event);
    }

    /// The session is lost: look up what follows.
    pub(super) fn lost(&mut self, cause: Cause, now: Instant) {
        match self.phase {
            Phase::Leaving => return self.end_as_asked(),
            Phase::Idle | Phase::Waiting | Phase::Ended => return,
            Phase::Dialing | Phase::Joined | Phase::Active => {}
        }
        if self.phase == Phase::Active {
            self.lost_at = Some(now);
            self.emit(Event::Reconnecting { cause: cause.to_string() });
        }
        let lasted = self.session_began.take().map(|began| now.saturating_duration_since(began));
        if lasted.is_some_and(|lasted| lasted >= GOOD_SESSION) {
            self.backoff.reset();
        }
        self.drop_session();
        match decide(&cause, self.settings.retry, self.was_connected) {
            Verdict::Again => {
                let delay = self.backoff.next_delay();
                self.phase = Phase::Waiting;
                self.deadlines.set(Reason::Redial, now + delay);
                self.disconnected(cause.reason(), Some(delay));
            }
            Verdict::End(outcome) => {
                self.disconnected(cause.reason(), None);
                self.end(outcome);
            }
        }
    }

    pub(super) fn deadline_passed(&mut self, reason: Reason, now: Instant) {
        match reason {
            Reason::Join => {
                let stage = match self.phase {
                    Phase::Dialing => "joining: the server did not answer",
                    _ => "connecting: no UDP path to the server's media port",
                };
                self.lost(Cause::TimedOut(stage), now);
            }
            Reason::Redial => self.dial(now),
            Reason::Recovery if self.phase == Phase::Leaving => self.end_as_asked(),
            Reason::Recovery => self.lost(Cause::PathLost(Peer::Subscriber), now),
            Reason::PublisherAnswer => {
                let text = "the server did not answer our offer".to_owned();
                self.lost(Cause::PeerDead(Peer::Publisher, text), now);
            }
            // These are kept by their owners.
            Reason::Ping | Reason::Publisher | Reason::Subscriber => {}
        }
    }

    pub(super) fn ping(&mut self, now: Instant) {
        match self.pinger.as_mut().and_then(|pinger| pinger.handle_timeout(now)) {
            Some(PingAction::Send { timestamp_ms, rtt_ms }) => {
                self.request(&Request::Ping { timestamp_ms, rtt_ms });
            }
            Some(PingAction::Dead) => self.lost(Cause::SignalSilent, now),
            None => {}
        }
    }

    fn leave(&mut self, now: Instant) {
        match self.phase {
            Phase::Joined | Phase::Active => {
                self.request(&Request::Leave);
                self.act(Action::HangUp);
                self.phase = Phase::Leaving;
                self.deadlines.set(Reason::Recovery, now + LEAVE_PATIENCE);
            }
            Phase::Idle | Phase::Dialing | Phase::Waiting => self.end_as_asked(),
            Phase::Leaving | Phase::Ended => {}
        }
    }

    fn end_as_asked(&mut self) {
        self.drop_session();
        self.disconnected(DisconnectReason::ClientInitiated, None);
        self.end(Outcome { status: ExitStatus::AsAsked, text: String::new() });
    }

    fn end(&mut self, outcome: Outcome) {
        self.phase = Phase::Ended;
        self.outcome = Some(outcome);
    }

    fn disconnected(&mut self, reason: DisconnectReason, retry_in: Option<Duration>) {
        self.emit(Event::Disconnected {
            reason: reason.name().to_owned(),
            will_retry: retry_in.is_some(),
            retry_in_ms: retry_in.map_or(0, |delay| delay.as_millis() as u64),
        });
    }

    /// Everything that belongs to one session goes; the room stays, to be compared with the next join.
    fn drop_session(&mut self) {
        self.act(Action::Drop);
        self.counters.candidates_refused +=
            u64::from(self.publisher.as_ref().map_or(0, Publisher::candidates_refused));
        if let Some(subscriber) = self.subscriber.take() {
            self.counters.candidates_refused += u64::from(subscriber.candidates_refused());
            self.counters.packets_unknown += u64::from(subscriber.unknown_packets());
        }
        self.publisher = None;
        for peer in [Peer::Publisher, Peer::Subscriber] {
            self.act(Action::CloseSockets(peer));
        }
        self.transmits.clear();
        self.pinger = None;
        self.deadlines = Default::default();
        self.unpublished();
        self.publication.session_lost();
        self.subscriptions.session_lost();
        self.unlisten_all();
        let Self { room, events, counters, .. } = self;
        room.forget_speakers(&mut |event| {
            counters.events_lost += u64::from(events.push_back(event).is_err())
        });
    }
}
