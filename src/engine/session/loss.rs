//! Loss and end of a session, and the start of the next one.
//!
//! ```text
//!   lost(cause) ─► another region? ─► the table (`next_step`) ─┬─► Loss::Nothing, Resuming: the session stays
//!                                                              └─► Loss::Ending ─► parts drop ─► dropped(ending)
//! ```

use std::time::{Duration, Instant};

use super::resume::Resume;
use super::state::{Next, State};
use super::{DIAL_PATIENCE, Facts, JOIN_PATIENCE, Session, TOKEN_PATIENCE};
use crate::engine::outbox::Outbox;
use crate::engine::port::Action;
use crate::rtc::SILENCE_MAX;
use crate::session::cause::Cause;
use crate::session::recovery::{Mend, Outcome, RetryPolicy, SessionStage, Standing, Step, next_step};
use crate::signal::leave::DisconnectReason;
use crate::signal::parameters::{JoinParameters, Resume as ResumeParameters};
use crate::signal::refusal::Fault;
use crate::signal::regions::Regions;
use crate::signal::request::Request;

/// The hang-up itself is flushed within this, or the connection is not worth waiting for.
const LEAVE_PATIENCE: Duration = Duration::from_secs(1);

/// What follows from a loss.
#[derive(Debug)]
pub(in crate::engine) enum Loss {
    /// Nothing for the other parts.
    Nothing,
    /// A resume begins: answers that were awaited do not come any more.
    Resuming,
    /// The session has ended.
    Ending(Ending),
    /// The same, while messages went first before the hang-up: [`Session::farewell_lost`] follows.
    Farewell,
}

/// How a session ends: to be given to [`Session::dropped`] when all parts have dropped what belonged to it.
#[derive(Debug)]
pub(in crate::engine) enum Ending {
    /// We have left. With an outcome the program ends, without one it stands by outside of the room.
    HungUp(Option<Outcome>),
    /// The session is lost for good.
    End(DisconnectReason, Outcome),
    /// A new session follows, after a wait.
    Rejoin {
        /// Cause of the loss.
        cause: Cause,
        /// The session was up, and not being resumed.
        was_active: bool,
    },
    /// The next region is dialled.
    DialRegion,
    /// The list of regions is asked for, before the table is asked about the cause.
    AskRegions(Cause),
}

/// What follows when the session has ended and all is dropped.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::engine) enum Dropped {
    /// Nothing for the other parts.
    Nothing,
    /// We are outside of the room: what belonged to the visit is forgotten. `enters_again`: the next one begins at once.
    Left {
        /// Whether it does.
        enters_again: bool,
    },
}

impl Session {
    /// Something is lost: looks up what follows, and does it.
    pub(in crate::engine) fn lost(
        &mut self,
        cause: Cause,
        facts: &Facts,
        now: Instant,
        out: &mut Outbox,
    ) -> Loss {
        match &mut self.state {
            State::Leaving { outcome, .. } => {
                let outcome = outcome.take();
                return self.end(Ending::HungUp(outcome), out);
            }
            State::Waiting { until, .. } if matches!(cause, Cause::NetworkChanged | Cause::Asked) => {
                *until = now
            }
            _ => {}
        }
        let Some(stage) = self.state.stage() else { return Loss::Nothing };
        if stage == SessionStage::Joining {
            if self.farewell.is_some() {
                return Loss::Farewell;
            }
            if let Some(ending) = self.another_region(&cause, now, out) {
                return self.end(ending, out);
            }
        }
        let standing = Standing {
            stage,
            can_resume: facts.own_sid.is_some() && facts.is_whole && self.resumes.allows(now),
            was_connected: self.visit.was_connected(),
            policy: RetryPolicy { retry: self.retry, renews_token: self.access.is_renewable() },
        };
        match next_step(&cause, standing) {
            Step::Resume(mend) => self.resume(mend, &cause, facts, now, out),
            Step::Probe => {
                self.resume_failed(&cause, now, out);
                Loss::Nothing
            }
            Step::Widen => {
                if let State::Resuming(resume) = &mut self.state {
                    resume.widen(now);
                }
                Loss::Nothing
            }
            Step::Join | Step::End(_) if self.farewell.is_some() => Loss::Farewell,
            Step::Join => {
                let ending = self.rejoin(cause, facts, now);
                self.end(ending, out)
            }
            Step::End(outcome) => self.end(Ending::End(cause.reason(), outcome), out),
        }
    }

    /// The session is lost while messages were sent before the hang-up: there is no server to say good-bye to.
    pub(in crate::engine) fn farewell_lost(
        &mut self,
        unsent: Vec<(String, u32)>,
        out: &mut Outbox,
    ) -> Option<Ending> {
        let outcome = self.end_farewell(unsent, out)?;
        self.drop_signal(out);
        Some(Ending::HungUp(outcome))
    }

    /// Every part has dropped what belonged to the session.
    pub(in crate::engine) fn dropped(&mut self, ending: Ending, now: Instant, out: &mut Outbox) -> Dropped {
        match ending {
            Ending::HungUp(outcome) => {
                self.disconnected(DisconnectReason::ClientInitiated, None, out);
                if let Some(outcome) = outcome {
                    self.state = State::Ended(outcome);
                    return Dropped::Nothing;
                }
                self.state = State::Idle;
                self.visit.ended();
                self.regions.end();
                return Dropped::Left { enters_again: std::mem::take(&mut self.enters_again) };
            }
            Ending::End(reason, outcome) => {
                self.disconnected(reason, None, out);
                self.state = State::Ended(outcome);
            }
            Ending::Rejoin { cause, was_active } => {
                self.visit.lost(&cause, was_active, now).into_iter().for_each(|event| out.emit(event));
                // A resume that is refused is no reason to wait: a server that does not know us has just been started.
                let at = match &cause {
                    Cause::Asked | Cause::NetworkChanged => now,
                    // From the removal on, however long we were there: another client with our identity would be removed
                    // at once.
                    Cause::Told(reason) if reason.is_removal() => now + self.backoff.removal_delay(),
                    Cause::Unreachable(_) => self.visit.rejoin_at(self.backoff.probe_delay(), now),
                    _ => self.visit.rejoin_at(self.backoff.next_delay(), now),
                };
                self.state = State::Waiting { until: at, next: Next::Attempt };
                self.disconnected(cause.reason(), Some(at.saturating_duration_since(now)), out);
            }
            Ending::DialRegion => self.dial_here(now, out),
            Ending::AskRegions(cause) => {
                self.state =
                    State::Waiting { until: now + super::regions::PATIENCE, next: Next::Regions(cause) };
                let url = self.regions.configured().clone();
                let target = url.regions_target();
                out.act(Action::AskRegions { url, target, token: self.access.token().clone() });
            }
        }
        Dropped::Nothing
    }

    /// Begins a new session.
    pub(super) fn dial(&mut self, now: Instant, out: &mut Outbox) {
        self.regions.session_begins(now);
        self.dial_here(now, out);
    }

    /// Requests a token, and dials when it has come.
    pub(super) fn ask_for_token(&mut self, now: Instant, out: &mut Outbox) {
        self.state = State::Waiting { until: now + TOKEN_PATIENCE, next: Next::Attempt };
        out.act(Action::RenewToken);
    }

    /// Dials again for the same session.
    pub(super) fn dial_resume(&mut self, now: Instant, out: &mut Outbox) {
        let State::Resuming(resume) = &mut self.state else { return };
        let parameters = resume.dial(now);
        self.health.stop();
        out.act(Action::Drop);
        self.dial_with(Some(parameters), now, out);
    }

    /// Takes the list of regions, or that there is none. Returns the loss that was delayed for it.
    pub(super) fn take_regions(&mut self, answer: Option<&[u8]>, now: Instant) -> Option<Cause> {
        if !matches!(self.state, State::Waiting { next: Next::Regions(_), .. }) {
            return None;
        }
        // What was put off happens now, to the attempt that has failed.
        let failed = State::Dialing { until: now + DIAL_PATIENCE, reached_at: None };
        if let Some(regions) = answer.and_then(Regions::from_json) {
            self.regions.answered(&regions);
        }
        match std::mem::replace(&mut self.state, failed) {
            State::Waiting { next: Next::Regions(cause), .. } => Some(cause),
            _ => None,
        }
    }

    /// Hangs up, if there is a connection. Returns the end if there is none.
    pub(super) fn hang_up_with(
        &mut self,
        outcome: Option<Outcome>,
        now: Instant,
        out: &mut Outbox,
    ) -> Option<Ending> {
        match &mut self.state {
            State::Joined { .. } | State::Active | State::Resuming(_) => {
                out.request(&Request::Leave);
                out.act(Action::HangUp);
                self.state = State::Leaving { until: now + LEAVE_PATIENCE, outcome };
            }
            State::Idle if outcome.is_none() => {}
            State::Idle | State::Dialing { .. } | State::Waiting { .. } => {
                self.drop_signal(out);
                return Some(Ending::HungUp(outcome));
            }
            State::Leaving { outcome: known, .. } if outcome.is_some() => *known = outcome,
            State::Leaving { .. } | State::Ended(_) => {}
        }
        None
    }

    /// The messages before the hang-up have had their time: answers the command that waits for them.
    pub(super) fn end_farewell(
        &mut self,
        unsent: Vec<(String, u32)>,
        out: &mut Outbox,
    ) -> Option<Option<Outcome>> {
        let (outcome, answer) = self.farewell.take()?.end(unsent);
        if let Some((ticket, answer)) = answer {
            out.answer(ticket, answer);
        }
        Some(outcome)
    }

    /// The hang-up is done, or had its time.
    pub(super) fn hung_up(&mut self, out: &mut Outbox) -> Option<Ending> {
        let State::Leaving { outcome, .. } = &mut self.state else { return None };
        let outcome = outcome.take();
        self.drop_signal(out);
        Some(Ending::HungUp(outcome))
    }

    fn end(&mut self, ending: Ending, out: &mut Outbox) -> Loss {
        self.drop_signal(out);
        Loss::Ending(ending)
    }

    /// The signal connection, and every deadline of the session.
    fn drop_signal(&mut self, out: &mut Outbox) {
        out.act(Action::Drop);
        self.health.stop();
        (self.closed_until, self.network_settles_at) = (None, None);
    }

    /// Joining has failed: whether another region is tried, or asked for, before anything else follows.
    fn another_region(&mut self, cause: &Cause, now: Instant, out: &mut Outbox) -> Option<Ending> {
        let is_of_the_region = match cause {
            Cause::Unreachable(_) | Cause::TimedOut(_) => true,
            Cause::Refused(refusal) => refusal.fault() == Fault::Server,
            _ => false,
        };
        if !is_of_the_region {
            return None;
        }
        if self.regions.next(now) {
            self.visit.lost(cause, false, now).into_iter().for_each(|event| out.emit(event));
            return Some(Ending::DialRegion);
        }
        self.regions.take_question().then(|| Ending::AskRegions(cause.clone()))
    }

    fn resume(&mut self, mend: Mend, cause: &Cause, facts: &Facts, now: Instant, out: &mut Outbox) -> Loss {
        let Some(own_sid) = facts.own_sid else { return Loss::Nothing };
        let waits = self.resumes.begin(now);
        self.visit.lost(cause, true, now).into_iter().for_each(|event| out.emit(event));
        let blamed = match cause {
            Cause::PathLost(peer) if self.may_blame_path(facts, now) => Some(*peer),
            _ => None,
        };
        self.state = State::Resuming(Resume::begin(mend, blamed, own_sid, now));
        self.closed_until = None;
        if waits {
            self.resume_failed(cause, now, out);
        } else {
            self.dial_resume(now, out);
        }
        Loss::Resuming
    }

    /// Whether a path that is lost now may be blamed for it. So only where UDP alone has ended, because the signal connection
    /// was heard meanwhile, and where the server takes TCP connections.
    fn may_blame_path(&self, facts: &Facts, now: Instant) -> bool {
        self.health.is_heard_within(SILENCE_MAX, now) && facts.can_use_tcp
    }

    /// The attempt to resume has failed: another one follows, at once if the network has changed or the server was
    /// reached in time.
    fn resume_failed(&mut self, cause: &Cause, now: Instant, out: &mut Outbox) {
        let State::Resuming(resume) = &mut self.state else { return };
        let is_at_once = matches!(cause, Cause::PathMissing | Cause::NetworkChanged);
        let wait = if is_at_once { Duration::ZERO } else { self.backoff.probe_delay() };
        resume.failed(cause, self.visit.redial_at(wait, now));
        self.health.stop();
        out.act(Action::Drop);
    }

    /// A new session is to follow.
    fn rejoin(&mut self, cause: Cause, facts: &Facts, now: Instant) -> Ending {
        let token_has_expired = self.access.has_expired(facts.unix_s);
        if matches!(&cause, Cause::Refused(refusal) if refusal.is_about_token() || token_has_expired) {
            self.access.refused();
        }
        if matches!(cause, Cause::Unreachable(_) | Cause::TimedOut(_)) {
            self.access.server_not_reached(now);
        }
        if self.visit.session_ended(now) {
            self.backoff.reset();
        }
        Ending::Rejoin { cause, was_active: matches!(self.state, State::Active) }
    }

    /// Dials the server of now for a new session.
    fn dial_here(&mut self, now: Instant, out: &mut Outbox) {
        let patience = if self.visit.was_connected() { DIAL_PATIENCE } else { JOIN_PATIENCE };
        self.state = State::Dialing { until: now + patience, reached_at: None };
        self.visit.joins(now);
        self.dial_with(None, now, out);
    }

    fn dial_with(&mut self, resume: Option<ResumeParameters>, now: Instant, out: &mut Outbox) {
        self.visit.dials(now);
        let parameters = JoinParameters { resume, ..self.parameters.clone() };
        let (url, before) = self.regions.dial();
        if let Some(before) = before {
            out.warn(format!("the server is {url} from now on, no longer {before}"));
        }
        let target = url.join_target(&parameters);
        out.act(Action::Dial { url, target, token: self.access.token().clone() });
    }

    fn disconnected(&mut self, reason: DisconnectReason, retry_in: Option<Duration>, out: &mut Outbox) {
        self.visit.disconnected(reason, retry_in).into_iter().for_each(|event| out.emit(event));
    }
}
