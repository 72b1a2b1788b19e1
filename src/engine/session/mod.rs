//! The life of a session: dial, join, loss, resume or new join, leave: [`Session`].
//!
//! ```text
//!   Notice, command, deadline ─► Session ─┬─► Outbox: Dial, Drop, HangUp, RenewToken, AskRegions, events
//!   Cause (of any part), Facts ─►         └─► Loss, Due, Ending ─► the coordinator: what the other parts do about it
//!
//!   state.rs   State with the data of each state            visit.rs     times and reports over sessions
//!   token.rs   Access: the token and its source             resume.rs    one resume, and earlier ones
//!   regions.rs RegionFailover: the URL that is dialled      farewell.rs  messages first, then the hang-up
//! ```
//!
//! What follows from a loss is looked up in [`session::recovery`](crate::session::recovery). A session ends in two steps,
//! so that events come in order: [`Session::lost`] and others return an [`Ending`], the coordinator lets every other part
//! drop what belonged to the session, and [`Session::dropped`] does what comes next.
//!
//! Functions: `enter`, `handle_notice`, `joined`, `connected`, `taken_back`, `caught_up`, `resumed_if_complete`, `lost`,
//! `dropped`, `leave`, `messages_moved`, `handle_token`, `handle_regions`, `network_changed`, `peer_closed`, `ping`,
//! `poll_timeout`, `handle_timeout`, and questions about the state.

mod farewell;
mod health;
mod loss;
mod regions;
mod resume;
mod standing;
mod state;
#[cfg(test)]
mod tests;
mod timeouts;
mod token;
mod visit;

use std::time::{Duration, Instant};

use crate::command::Ticket;
use crate::engine::outbox::Outbox;
use crate::engine::port::Notice;
use crate::engine::settings::Settings;
use crate::event::Event;
use crate::room::Room;
use crate::session::cause::Cause;
use crate::session::recovery::{Mend, Outcome, Retry};
use crate::signal::endpoint::Access as Accessible;
use crate::signal::join::{Join, Reconnect};
use crate::signal::parameters::JoinParameters;
use crate::signal::regions::Regions;
use crate::signal::secret::Secret;
use crate::signal::sid::Sid;
use crate::time::backoff::Backoff;

use farewell::Farewell;
pub(in crate::engine) use farewell::Pending;
use health::SignalHealth;
pub(in crate::engine) use loss::{Dropped, Ending, Loss};
use regions::RegionFailover;
use resume::ResumeHistory;
use state::{Next, State};
use token::Access;
use visit::Visit;

/// From the dial to the primary connection (command line: "all of it within 15 s"); of a later session,
/// from its `join`.
const JOIN_PATIENCE: Duration = Duration::from_secs(15);

/// From the dial of a later session to its `join`: a network that comes and goes must not leave us with
/// a connection that never speaks. A name server that is dead costs 5 s of it.
const DIAL_PATIENCE: Duration = Duration::from_secs(8);

/// A command or file that gives a token answers within this, or the old one is tried again.
const TOKEN_PATIENCE: Duration = Duration::from_secs(30);

/// After the server closed a peer connection without a word on the signal connection.
const CLOSED_PATIENCE: Duration = Duration::from_secs(2);

/// A new network comes in pieces: link, address, route. Together they take less than this once DHCP has
/// answered; each would make us dial by itself.
const SETTLE: Duration = Duration::from_millis(50);

/// The session with the server, as far as it concerns the signal connection and the decision what follows.
pub(in crate::engine) struct Session {
    retry: Retry,
    parameters: JoinParameters,
    state: State,
    access: Access,
    regions: RegionFailover,
    visit: Visit,
    resumes: ResumeHistory,
    farewell: Option<Farewell>,
    health: SignalHealth,
    backoff: Backoff,
    /// Edition and version of the server, for people.
    server: String,
    /// The server has closed a peer connection: the session counts as lost then.
    closed_until: Option<Instant>,
    /// The device's addresses have changed, and have settled then.
    network_settles_at: Option<Instant>,
    /// Whether the client was asked to enter the room while the hang-up is on its way.
    enters_again: bool,
}

/// What the session has to know of the other parts where something is lost or due.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Facts {
    /// Our SID in the room, once we have joined.
    pub own_sid: Option<Sid>,
    /// Every exchange with the server is whole: no track or first offer without its answer, and nothing in SCTP that must
    /// not be sent again.
    pub is_whole: bool,
    /// Sound can flow on every peer connection in use.
    pub has_paths: bool,
    /// The server takes TCP connections for every peer connection in use.
    pub can_use_tcp: bool,
    /// Whether our address that reached the server is gone.
    pub is_home_gone: bool,
    /// Seconds since 1970 by the server's clock, 0 if that is not known.
    pub unix_s: u64,
}

/// What a notice of the signal connection means for the other parts.
#[derive(Debug)]
pub(in crate::engine) enum Noticed {
    /// Nothing follows.
    Nothing,
    /// The server is reached for a new session: peer connections are opened.
    Reached,
    /// The server is reached for a resume: sockets are opened on the addresses of now.
    ReachedAgain,
    /// One protobuf message.
    Message(Vec<u8>),
    /// The session is lost, or has left.
    Lost(Cause),
}

/// What is due, and concerns other parts.
#[derive(Debug)]
pub(in crate::engine) enum Due {
    /// The session is lost.
    Lost(Cause),
    /// The session has ended.
    Ending(Ending),
    /// The time of messages under way is over: [`Session::hang_up`] follows.
    Farewell,
}

impl Session {
    /// Outside of the room. `seed` jitters the waits between attempts.
    pub(in crate::engine) fn new(settings: &Settings, seed: u64, now: Instant) -> Session {
        Session {
            retry: settings.retry,
            parameters: settings.parameters.clone(),
            state: State::Idle,
            access: Access::new(settings.token.clone(), settings.renews_token),
            regions: RegionFailover::new(settings.url.clone()),
            visit: Visit::new(now),
            resumes: ResumeHistory::default(),
            farewell: None,
            health: SignalHealth::default(),
            backoff: Backoff::new(seed),
            server: String::new(),
            closed_until: None,
            network_settles_at: None,
            enters_again: false,
        }
    }

    /// Goes into the room; nothing if we are there, or on the way. `true` if the way begins now.
    pub(in crate::engine) fn enter(&mut self, now: Instant, out: &mut Outbox) -> bool {
        let is_outside = matches!(self.state, State::Idle);
        if !is_outside {
            self.enters_again |= self.is_leaving_to_stand_by();
        } else if self.access.is_missing() || self.access.is_old(now) {
            self.ask_for_token(now, out);
        } else {
            self.dial(now, out);
        }
        is_outside
    }

    /// What happened to the signal connection.
    pub(in crate::engine) fn handle_notice(&mut self, notice: Notice, now: Instant) -> Noticed {
        match (&mut self.state, notice) {
            (State::Idle | State::Waiting { .. } | State::Ended(_), _) => Noticed::Nothing,
            (State::Leaving { .. }, Notice::Reached | Notice::Opened | Notice::Message(_)) => {
                Noticed::Nothing
            }
            (State::Resuming(_), Notice::Reached) => Noticed::ReachedAgain,
            (State::Dialing { reached_at, .. }, Notice::Reached) => {
                *reached_at = Some(now);
                Noticed::Reached
            }
            (_, Notice::Reached) => Noticed::Reached,
            (_, Notice::Opened) => Noticed::Nothing,
            (_, Notice::Message(bytes)) => {
                self.health.heard(now);
                Noticed::Message(bytes)
            }
            (_, Notice::Refused(refusal)) => Noticed::Lost(Cause::Refused(refusal)),
            (_, Notice::Unreachable(text)) => Noticed::Lost(Cause::Unreachable(text)),
            (_, Notice::Closed(text)) => Noticed::Lost(Cause::SignalLost(text)),
        }
    }

    /// Whether a `join` is awaited.
    pub(in crate::engine) fn awaits_join(&self) -> bool {
        matches!(self.state, State::Dialing { .. })
    }

    /// The server has joined us: the primary connection is awaited. What the upgrade took, there and back.
    pub(in crate::engine) fn joined(&mut self, join: &Join, now: Instant) -> Option<Duration> {
        let State::Dialing { until, reached_at } = self.state else { return None };
        let until = if self.visit.was_connected() { now + JOIN_PATIENCE } else { until };
        self.state = State::Joined { until };
        self.resumes.set_disabled(join.configuration.resume_disabled);
        self.health.begin(join.ping_interval, join.ping_timeout, now);
        let edition = if join.server.is_cloud { "LiveKit Cloud" } else { "LiveKit" };
        self.server = format!("{edition} {}", join.server.version);
        reached_at.map(|reached| now.saturating_duration_since(reached))
    }

    /// The primary peer connection is up: the session is, where that was awaited.
    pub(in crate::engine) fn connected(&mut self, room: &Room, now: Instant, out: &mut Outbox) {
        if !matches!(self.state, State::Joined { .. }) {
            return;
        }
        self.state = State::Active;
        self.regions.arrived();
        if let Some(reconnected) = self.visit.connected(now) {
            return out.emit(reconnected);
        }
        let info = room.info();
        let (identity, sid) =
            room.own().map_or_else(Default::default, |own| (own.identity.clone(), own.sid.to_string()));
        out.emit(Event::Connected {
            room: info.name.clone(),
            room_sid: info.sid.map(|sid| sid.to_string()).unwrap_or_default(),
            identity,
            sid,
            server: self.server.clone(),
        });
    }

    /// `reconnect`: the server has taken us back. What is to be mended, and [`Session::caught_up`] must follow.
    pub(in crate::engine) fn taken_back(&mut self, reconnect: &Reconnect, now: Instant) -> Option<Mend> {
        let State::Resuming(resume) = &mut self.state else { return None };
        self.resumes.set_disabled(reconnect.configuration.resume_disabled);
        self.health.begin_again(now);
        Some(resume.taken_back(self.visit.lost_for(now), self.retry != Retry::Never, now))
    }

    /// The server has our state, and paths were restarted where necessary.
    pub(in crate::engine) fn caught_up(&mut self, now: Instant) {
        if let State::Resuming(resume) = &mut self.state {
            resume.caught_up(now);
        }
    }

    /// Whether a resume is complete with what has come back now.
    pub(in crate::engine) fn resumed_if_complete(
        &mut self,
        has_paths: bool,
        now: Instant,
        out: &mut Outbox,
    ) -> bool {
        let is_complete = matches!(&self.state, State::Resuming(resume) if resume.is_complete(has_paths));
        if is_complete {
            self.resumes.completed(now);
            self.state = State::Active;
            out.emit(self.visit.resumed(now));
        }
        is_complete
    }

    /// Leaves the room, and ends with `outcome`; without one it stands by outside of the room. Messages under way go first.
    pub(in crate::engine) fn leave(
        &mut self,
        outcome: Option<Outcome>,
        pending: Pending,
        now: Instant,
        out: &mut Outbox,
    ) -> Option<Ending> {
        self.enters_again = false;
        if let Some(farewell) = &mut self.farewell {
            farewell.ask(outcome);
            return None;
        }
        let farewell = match self.state.is_in_session() {
            true => Farewell::begin(outcome, pending, now),
            false => Err(outcome),
        };
        match farewell {
            Ok(farewell) => self.farewell = Some(farewell),
            Err(outcome) => return self.hang_up_with(outcome, now, out),
        }
        None
    }

    /// A ticket for the command that has asked to leave, where messages go first.
    pub(in crate::engine) fn await_farewell(&mut self, out: &mut Outbox) -> Option<Ticket> {
        let farewell = self.farewell.as_mut().filter(|farewell| farewell.has_no_ticket())?;
        // Where too many commands wait for their answers, this one does not.
        let ticket = out.take_ticket().ok()?;
        farewell.set_ticket(ticket);
        Some(ticket)
    }

    /// Messages have moved: whether [`Session::hang_up`] is to follow, since they were the last ones before we leave.
    pub(in crate::engine) fn messages_moved(&mut self, pending: Pending, now: Instant) -> bool {
        self.farewell.as_mut().is_some_and(|farewell| farewell.moves(pending, now))
    }

    /// The messages before the hang-up have arrived, or had their time. `unsent`: topics of those that have not arrived.
    pub(in crate::engine) fn hang_up(
        &mut self,
        unsent: Vec<(String, u32)>,
        now: Instant,
        out: &mut Outbox,
    ) -> Option<Ending> {
        let outcome = self.end_farewell(unsent, out)?;
        self.hang_up_with(outcome, now, out)
    }

    /// A new token, or why there is none: the answer to
    /// [`Action::RenewToken`](crate::engine::port::Action::RenewToken).
    pub(in crate::engine) fn handle_token(
        &mut self,
        access: Result<Accessible, String>,
        now: Instant,
        out: &mut Outbox,
    ) {
        match access {
            Ok(Accessible { token, server }) => {
                if let Some(url) = server {
                    self.access.server_named(now);
                    self.regions.server_named(url);
                }
                self.access.renewed(token, now);
            }
            Err(why) => self
                .visit
                .warning(format!("no new token: {why}"))
                .into_iter()
                .for_each(|event| out.emit(event)),
        }
        if !matches!(self.state, State::Waiting { .. }) {
            return;
        }
        if self.access.token().is_empty() {
            self.access.ask_again();
            self.state = State::Waiting { until: now + self.backoff.next_delay(), next: Next::Attempt };
        } else {
            self.dial(now, out);
        }
    }

    /// A token of the server: one that is moved to another room with us.
    pub(in crate::engine) fn token_came(&mut self, token: Secret, now: Instant) {
        self.access.came(token, now);
    }

    /// `refresh_token`: the one that lives longer is kept.
    pub(in crate::engine) fn token_refreshed(&mut self, token: &Secret, now: Instant) {
        self.access.refreshed(token, now);
    }

    /// The answer to [`Action::AskRegions`](crate::engine::port::Action::AskRegions); the loss that follows, where one was put off for it.
    pub(in crate::engine) fn handle_regions(&mut self, answer: Option<&[u8]>, now: Instant) -> Option<Cause> {
        self.take_regions(answer, now)
    }

    /// The server requests a new session, and names regions for it.
    pub(in crate::engine) fn moved(&mut self, regions: &Regions, now: Instant, out: &mut Outbox) {
        if !self.regions.moved(regions, now) {
            out.warn(format!(
                "the server names other servers, none of which is used: this device goes to {}, and elsewhere only from \
                 LiveKit Cloud to its regions",
                self.regions.configured()
            ));
        }
    }

    /// The device's addresses have changed.
    pub(in crate::engine) fn network_changed(&mut self, now: Instant) {
        self.network_settles_at.get_or_insert(now + SETTLE);
    }

    /// The server has closed a peer connection. It ends both when it ends the participant, and usually gives the reason
    /// on the signal connection. If it does not within the time of a resend, the session is lost.
    pub(in crate::engine) fn peer_closed(&mut self, now: Instant) {
        self.closed_until.get_or_insert(now + CLOSED_PATIENCE);
    }

    /// The server has answered the ping of that time.
    pub(in crate::engine) fn handle_pong(&mut self, ping_timestamp_ms: u64, now: Instant) {
        self.health.handle_pong(ping_timestamp_ms, now);
    }
}
