//! A session that is resumed: the server keeps our place, sound keeps flowing where it can.
//!
//! ```text
//!            lost                       reconnect ─► sync_state
//!   Active ────────► Resuming: dial, again each 0.8 s ─────────► signal is back ─► path is back ─► Active
//!                        │ 15 s, or the server does not know us                     (if it was lost)
//!                        ▼
//!                     a new session (session.rs)
//! ```
//!
//! What is lost decides how much is mended: a lost signal connection is only made anew, and nobody
//! hears it; with a lost path ICE is restarted, the publisher's by our offer, the subscriber's by the
//! server's (which it always sends). Peer connections, SSRCs, subscriptions and publications stay.

use std::time::{Duration, Instant};

use super::Engine;
use super::port::Action;
use super::session::Phase;
use crate::event::Event;
use crate::rtc::{Peer, Publisher, Subscriber};
use crate::session::recovery::Cause;
use crate::signal::parameters::{Resume, ResumeReason};
use crate::signal::ping::Pinger;
use crate::signal::request::{PublishedTrack, Request, SyncState};
use crate::time::deadline::Reason;

/// A resume that has not worked by then is given up: the server forgets us after ICE's own 15 s.
const RESUME_PATIENCE: Duration = Duration::from_secs(15);

/// Between two attempts: cheap, since a server that is down refuses at once.
const PROBE_MS: u64 = 800;

/// A resumed session that is lost again sooner was not worth much: the next attempt waits, and after
/// [`BRIEF_MAX`] of them in a row a new session is begun, with its growing waits.
const BRIEF: Duration = Duration::from_secs(1);

/// Brief resumes in a row.
const BRIEF_MAX: u32 = 3;

/// What is being mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resuming {
    reason: ResumeReason,
    /// The path of sound was lost too: the resume is complete when it is back.
    needs_path: bool,
    /// The server has taken us back.
    pub(super) has_signal: bool,
}

impl Engine {
    /// Begins a resume, if the session can be resumed after `cause`.
    pub(super) fn resume(&mut self, cause: &Cause, now: Instant) -> bool {
        let (reason, needs_path) = match cause {
            Cause::SignalLost(_) | Cause::SignalSilent => (ResumeReason::SignalLost, false),
            Cause::PathLost(_) | Cause::ToldToResume(_) => (ResumeReason::Unknown, true),
            _ => return false,
        };
        // An exchange that was cut in two (a track or an offer without its answer) cannot be taken up again.
        let is_half_published = self.publication.is_announced() && self.publication.sid().is_none();
        let is_half_offered = self.deadlines.is_set(Reason::PublisherConnection);
        if self.is_resume_disabled || self.room.own().is_none() || is_half_published || is_half_offered {
            return false;
        }
        let was_brief = self.resumed_at.is_some_and(|at| now.saturating_duration_since(at) < BRIEF);
        self.brief_resumes = if was_brief { self.brief_resumes + 1 } else { 0 };
        if self.brief_resumes > BRIEF_MAX {
            return false;
        }
        self.tell_cause(cause, true, now);
        self.phase = Phase::Resuming;
        self.resuming = Some(Resuming { reason, needs_path, has_signal: false });
        self.deadlines.clear(Reason::Recovery);
        self.deadlines.set(Reason::Join, now + RESUME_PATIENCE);
        if was_brief {
            self.probe_later(now);
        } else {
            self.dial_resume();
        }
        true
    }

    fn probe_later(&mut self, now: Instant) {
        let probe_ms = PROBE_MS * 3 / 4 + self.random.u64(0..=PROBE_MS / 2);
        self.act(Action::Drop);
        self.deadlines.set(Reason::Redial, now + Duration::from_millis(probe_ms));
    }

    pub(super) fn dial_resume(&mut self) {
        let (Some(resuming), Some(own)) = (&mut self.resuming, self.room.own()) else { return };
        resuming.has_signal = false;
        let resume = Resume { participant_sid: own.sid, reason: resuming.reason };
        self.pinger = None;
        self.act(Action::Drop);
        self.dial_with(Some(resume));
    }

    /// What goes wrong while resuming: `true` if another attempt follows, `false` if it is given up.
    pub(super) fn resume_failed(&mut self, cause: &Cause, now: Instant) -> bool {
        let Some(resuming) = &mut self.resuming else { return false };
        match cause {
            // The path is what is being mended, and is noticed lost on both connections.
            Cause::PathLost(_) => resuming.needs_path = true,
            Cause::Unreachable(_) | Cause::SignalLost(_) | Cause::SignalSilent | Cause::ToldToResume(_) => {
                self.probe_later(now);
            }
            // Refused, told otherwise, out of time, dead: only a new session helps.
            _ => return false,
        }
        true
    }

    /// `reconnect`: the server has taken us back.
    pub(super) fn taken_back(&mut self, last_message_seq: u32, now: Instant) {
        let Some(resuming) = &mut self.resuming else { return };
        self.data.resumed(last_message_seq);
        resuming.has_signal = true;
        let needs_path = resuming.needs_path;
        self.pinger = Some(Pinger::new(self.ping_interval, self.ping_timeout, now));
        self.with_room(|room, mut sink| room.forget_speakers(&mut sink));
        self.request(&Request::SyncState(Box::new(self.sync_state())));
        self.tell_mute();
        if needs_path {
            self.restart_publisher(now);
        }
        self.resumed_if_complete(now);
    }

    /// Looks whether everything is back; called whenever something has come back.
    pub(super) fn resumed_if_complete(&mut self, now: Instant) {
        let Some(resuming) = self.resuming.filter(|resuming| resuming.has_signal) else { return };
        let subscriber = self.subscriber.as_ref().is_none_or(Subscriber::has_path);
        let publisher =
            self.publisher.as_ref().is_none_or(|publisher| publisher.has_path() || !publisher.was_offered());
        if resuming.needs_path && !(subscriber && publisher) {
            return;
        }
        self.resuming = None;
        self.resumed_at = Some(now);
        self.phase = Phase::Active;
        self.deadlines.clear(Reason::Join);
        self.deadlines.clear(Reason::Redial);
        self.told_cause.clear();
        let gap = self.lost_at.take().map_or(Duration::ZERO, |lost| now.saturating_duration_since(lost));
        self.emit(Event::Resumed { gap_ms: gap.as_millis() as u64 });
        if self.data.is_wanted && !self.publisher.as_ref().is_some_and(Publisher::was_offered) {
            // The first message came while the server was away.
            self.offer(now);
        }
        self.send_waiting(now);
    }

    fn restart_publisher(&mut self, now: Instant) {
        let Some((sdp, id)) = self.publisher.as_mut().and_then(Publisher::restart) else { return };
        self.request(&Request::Offer { sdp, id });
        self.advance(Peer::Publisher, now);
    }

    fn sync_state(&self) -> SyncState {
        let descriptions = self.subscriber.as_ref().map(Subscriber::last_exchange);
        let published = self.publication.sid().map(|sid| PublishedTrack {
            cid: self.publication.cid().to_owned(),
            sid,
            name: self.publication.name().to_owned(),
            muted: self.publication.is_muted(),
        });
        SyncState {
            offer: descriptions.map(|(offer, _)| offer.to_owned()).unwrap_or_default(),
            answer: descriptions.map(|(_, answer)| answer.to_owned()).unwrap_or_default(),
            subscribed: self.subscriptions.wanted().to_vec(),
            published,
            received: self.data.received().states().to_vec(),
        }
    }
}
