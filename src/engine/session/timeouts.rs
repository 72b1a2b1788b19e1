//! The deadlines of a session: what is due, and done here or returned as [`Due`].

use std::time::Instant;

use super::state::{Next, State};
use super::{Due, Facts, Session};
use crate::engine::outbox::Outbox;
use crate::rtc::Peer;
use crate::session::cause::Cause;
use crate::session::recovery::Retry;
use crate::signal::ping::PingAction;
use crate::signal::request::Request;
use crate::time::deadline::Reason;

impl Session {
    /// The next deadline.
    pub(in crate::engine) fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        let ping = self.health.poll_timeout().map(|at| (at, Reason::Ping));
        [self.next_due(), ping].into_iter().flatten().min_by_key(|&(at, _)| at)
    }

    /// Whether [`Session::handle_timeout`] has something to do.
    pub(in crate::engine) fn is_due(&self, now: Instant) -> bool {
        self.next_due().is_some_and(|(at, _)| at <= now)
    }

    /// Does what is due; what concerns other parts is returned, and more may follow.
    pub(in crate::engine) fn handle_timeout(
        &mut self,
        facts: &Facts,
        now: Instant,
        out: &mut Outbox,
    ) -> Option<Due> {
        while let Some((_, reason)) = self.next_due().filter(|&(at, _)| at <= now) {
            let due = match reason {
                Reason::Network => self.network_settled(facts),
                Reason::Recovery => self.recovery_due(out),
                Reason::Farewell => Some(Due::Farewell),
                Reason::Path => Some(Due::Lost(Cause::PathMissing)),
                Reason::Join => self.join_due(facts, now),
                _ => self.redial_due(now, out),
            };
            if due.is_some() {
                return due;
            }
        }
        None
    }

    /// Sends the ping that is due, or finds that the server is silent.
    pub(in crate::engine) fn ping(
        &mut self,
        sound_flows: bool,
        now: Instant,
        out: &mut Outbox,
    ) -> Option<Cause> {
        match self.health.handle_timeout(now, sound_flows)? {
            PingAction::Send { timestamp_ms, rtt_ms } => {
                out.request(&Request::Ping { timestamp_ms, rtt_ms });
                None
            }
            PingAction::Dead => Some(Cause::SignalSilent),
        }
    }

    fn next_due(&self) -> Option<(Instant, Reason)> {
        let of_state = match &self.state {
            State::Waiting { until, .. } => Some((*until, Reason::Redial)),
            State::Dialing { until, .. } | State::Joined { until } => Some((*until, Reason::Join)),
            State::Resuming(resume) => Some(resume.poll_timeout()),
            State::Leaving { until, .. } => Some((*until, Reason::Recovery)),
            State::Idle | State::Active | State::Ended(_) => None,
        };
        [
            of_state,
            self.farewell.as_ref().map(|farewell| (farewell.poll_timeout(), Reason::Farewell)),
            self.closed_until.map(|at| (at, Reason::Recovery)),
            self.network_settles_at.map(|at| (at, Reason::Network)),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|&(at, _)| at)
    }

    /// The attempt has had its time.
    fn join_due(&mut self, facts: &Facts, now: Instant) -> Option<Due> {
        let retries = self.retry != Retry::Never;
        if let State::Resuming(resume) = &mut self.state
            && resume.goes_on(facts.has_paths, retries, now)
        {
            return None;
        }
        let stage = match &self.state {
            State::Resuming(_) => "resuming the session",
            State::Dialing { .. } => "joining: the server did not answer",
            _ => "connecting: neither UDP nor TCP reaches the server's media ports",
        };
        Some(Due::Lost(Cause::TimedOut(stage)))
    }

    /// The next attempt is due.
    fn redial_due(&mut self, now: Instant, out: &mut Outbox) -> Option<Due> {
        match &self.state {
            State::Waiting { next: Next::Regions(_), .. } => {
                return self.take_regions(None, now).map(Due::Lost);
            }
            State::Resuming(_) => self.dial_resume(now, out),
            _ if self.access.take_question() => self.ask_for_token(now, out),
            _ => self.dial(now, out),
        }
        None
    }

    /// The hang-up, or a peer connection that the server has closed, has had its time.
    fn recovery_due(&mut self, out: &mut Outbox) -> Option<Due> {
        self.closed_until = None;
        if matches!(self.state, State::Leaving { .. }) {
            return self.hung_up(out).map(Due::Ending);
        }
        Some(Due::Lost(Cause::PeerDead(Peer::Subscriber, "the server closed it".to_owned())))
    }

    /// The device's addresses have settled: whether the server is to be reached by another one.
    fn network_settled(&mut self, facts: &Facts) -> Option<Due> {
        self.network_settles_at = None;
        let waits = match &self.state {
            State::Waiting { .. } => true,
            // The first attempt continues: its failure may be the end.
            _ if !self.visit.was_connected() => return None,
            // A SYN that was lost with the old network is repeated after a second only.
            State::Dialing { reached_at, .. } => reached_at.is_none(),
            State::Resuming(resume) => !resume.has_signal(),
            _ => false,
        };
        (facts.is_home_gone || waits).then_some(Due::Lost(Cause::NetworkChanged))
    }
}
