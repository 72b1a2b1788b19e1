//! A session that is resumed: the server keeps our place, sound keeps flowing where it can.
//!
//! ```text
//!            lost                       reconnect ─► sync_state
//!   Active ────────► Resuming: dial, again each 0.8 s ─────────► signal is back ─► path is back ─► Active
//!                        ▲                                             │          (if it was lost)
//!                        └─────────────── no path in 4 s ◄─────────────┘
//!   15 s without sound and server, 60 s without sound, or the server does not know us: a new session
//! ```
//!
//! What is lost decides how much is mended ([`Mend`]): a lost signal connection is only made anew, for
//! as long as it takes while sound flows, and nobody hears it; with a lost path ICE is restarted, the
//! publisher's by our offer, the subscriber's by the server's (which it always sends). Peer
//! connections, SSRCs, subscriptions and publications stay.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::state::Phase;
use crate::command::{Answer, CommandError};
use crate::engine::Engine;
use crate::engine::audio::hearing::Hearing;
use crate::engine::port::Action;
use crate::event::Event;
use crate::local::publication::Publication;
use crate::rtc::{Peer, Publisher, Subscriber};
use crate::session::cause::Cause;
use crate::session::recovery::{Mend, Retry};
use crate::signal::join::Reconnect;
use crate::signal::parameters::Resume;
use crate::signal::ping::Pinger;
use crate::signal::request::{PublishedTrack, Request, SyncState};
use crate::signal::scenario::{SCENARIOS, Scenario};
use crate::time::deadline::Reason;

/// A resume is given up after this long without sound and without the server: it forgets us after ICE's
/// own 15 s, and 5 s more.
const RESUME_PATIENCE: Duration = Duration::from_secs(15);

/// A server that takes us back each time, and finds no path: a new session is tried from here on.
const PATHLESS_MAX: Duration = Duration::from_secs(45);

/// From a dial until the server has taken us back: a network that comes and goes must not leave us with
/// a connection that never speaks.
const DIAL_PATIENCE: Duration = Duration::from_secs(5);

/// From there until both paths are found: checks go out at 0, 0.25, 0.75, 1.75, 2.75 and 3.75 s. The
/// next resume restarts them, and the server's.
const PATH_PATIENCE: Duration = Duration::from_secs(4);

/// A resumed session that is lost again sooner was not worth much: from the second in a row on the next attempt
/// waits, since what cuts us off may do it for ever; after [`BRIEF_MAX`] of them a new session is begun, with its
/// growing waits. The first is followed at once: the server has begun to restart ICE for it, and forwards nothing
/// before that is done, so that waiting would be heard.
const BRIEF: Duration = Duration::from_secs(1);

/// Brief resumes in a row.
const BRIEF_MAX: u32 = 3;

/// What is being mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Resuming {
    mend: Mend,
    /// Whose path has failed by itself (`Engine::may_blame_path`).
    blamed: Option<Peer>,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// The server is dialled, or will be.
    Dialling,
    /// The server has taken us back.
    TakenBack,
    /// It has been told how things stand, and the paths were begun anew where they must be: what is there from
    /// now on is back, and not what was there before.
    CaughtUp,
}

impl Resuming {
    /// The server has taken us back.
    pub(in crate::engine) fn has_signal(&self) -> bool {
        self.progress != Progress::Dialling
    }
}

impl Engine {
    /// Whether the session, lost now, can be resumed.
    pub(in crate::engine) fn can_resume(&self, now: Instant) -> bool {
        // An exchange that was cut in two (a track or a first offer without its answer) cannot be taken up again.
        let is_half_published =
            self.local.publication.is_announced() && self.local.publication.sid().is_none();
        let is_half_offered = self.deadlines.is_set(Reason::PublisherConnection);
        !self.session.is_resume_disabled
            && self.room.own().is_some()
            && !is_half_published
            && !is_half_offered
            // SCTP would send again what has become private.
            && !self.data.holds_withdrawn()
            && self.brief_resumes_with(now) <= BRIEF_MAX
    }

    /// Begins a resume.
    pub(in crate::engine) fn resume(&mut self, mend: Mend, cause: &Cause, now: Instant) {
        self.session.brief_resumes = self.brief_resumes_with(now);
        self.tell_cause(cause, true, now);
        self.session.phase = Phase::Resuming;
        let blamed = match cause {
            Cause::PathLost(peer) if self.may_blame_path(now) => Some(*peer),
            _ => None,
        };
        self.session.resuming = Some(Resuming { mend, blamed, progress: Progress::Dialling });
        for reason in [Reason::Recovery, Reason::PublisherAnswer] {
            self.deadlines.clear(reason);
        }
        self.deadlines.set(Reason::Join, now + RESUME_PATIENCE);
        if self.session.brief_resumes > 1 {
            self.probe(cause, now);
        } else {
            self.dial_resume(now);
        }
    }

    /// The attempt to resume came to nothing: another one follows, at once where the network has changed
    /// or the server was reached in time.
    pub(in crate::engine) fn probe(&mut self, cause: &Cause, now: Instant) {
        let Some(resuming) = &mut self.session.resuming else { return };
        resuming.progress = Progress::Dialling;
        let is_path = matches!(cause, Cause::PathMissing | Cause::NetworkChanged | Cause::ToldToResume(_));
        if is_path {
            (resuming.mend, resuming.blamed) = (Mend::Path, None);
        }
        let is_at_once = matches!(cause, Cause::PathMissing | Cause::NetworkChanged);
        let wait = if is_at_once { Duration::ZERO } else { self.session.backoff.probe_delay() };
        self.session.pinger = None;
        self.out.act(Action::Drop);
        self.deadlines.clear(Reason::Path);
        self.deadlines.set(Reason::Redial, now.max(self.session.attempt_began + wait));
    }

    /// The path is lost too, and is given its time from now.
    pub(in crate::engine) fn widen(&mut self, now: Instant) {
        let Some(resuming) = &mut self.session.resuming else { return };
        if std::mem::replace(&mut resuming.mend, Mend::Path) == Mend::Signal {
            self.deadlines.set(Reason::Join, now + RESUME_PATIENCE);
        }
    }

    /// The time of a resume is up. While sound flows both ways only the signal connection is missing, and
    /// a new session would need that too.
    pub(in crate::engine) fn goes_on_unmended(&mut self, now: Instant) -> bool {
        let is_signal_only = self.session.resuming.is_some_and(|resuming| resuming.mend == Mend::Signal);
        let goes_on = is_signal_only && self.has_paths() && self.settings.retry != Retry::Never;
        if goes_on {
            self.deadlines.set(Reason::Join, now + RESUME_PATIENCE);
        }
        goes_on
    }

    pub(in crate::engine) fn dial_resume(&mut self, now: Instant) {
        let (Some(resuming), Some(own)) = (&mut self.session.resuming, self.room.own()) else { return };
        resuming.progress = Progress::Dialling;
        let resume = Resume { participant_sid: own.sid, reason: resuming.mend.reason(resuming.blamed) };
        self.session.pinger = None;
        self.out.act(Action::Drop);
        self.deadlines.set(Reason::Redial, now + DIAL_PATIENCE);
        self.dial_with(Some(resume), now);
    }

    /// `reconnect`: the server has taken us back.
    pub(in crate::engine) fn taken_back(&mut self, reconnect: &Reconnect, now: Instant) {
        let Some(resuming) = &mut self.session.resuming else { return };
        self.data.resumed(reconnect.last_message_seq);
        resuming.progress = Progress::TakenBack;
        let mend = resuming.mend;
        self.session.is_resume_disabled = reconnect.configuration.resume_disabled;
        let lost_for =
            self.session.lost_at.map_or(Duration::ZERO, |lost| now.saturating_duration_since(lost));
        if lost_for < PATHLESS_MAX && self.settings.retry != Retry::Never {
            self.deadlines.set(Reason::Join, now + RESUME_PATIENCE);
        }
        self.deadlines.clear(Reason::Redial);
        self.session.pinger = Some(Pinger::new(self.session.ping_interval, self.session.ping_timeout, now));
        self.with_room(|room, mut sink| room.forget_speakers(&mut sink));
        self.hearing.speakers_changed(&self.room);
        self.relay_only_told(reconnect.configuration.relay_only);
        self.ice_servers_told(&reconnect.ice_servers, now);
        self.out.request(&Request::SyncState(Box::new(self.sync_state())));
        self.local.publication.mute.resumed();
        self.tell_mute(now);
        self.with_hearing(Hearing::resumed);
        self.admission.restate_audience(&self.room, self.has_signal(), &mut self.out);
        // An offer whose answer was lost with the connection is made anew, too.
        let is_unanswered = self.transports.publisher.as_ref().is_some_and(Publisher::awaits_answer);
        if mend == Mend::Path || is_unanswered {
            self.restart_publisher(now);
        }
        if mend == Mend::Path {
            self.deadlines.set(Reason::Path, now + PATH_PATIENCE);
            if let Some(subscriber) = &mut self.transports.subscriber {
                subscriber.expect_restart();
            }
        }
        if let Some(resuming) = &mut self.session.resuming {
            resuming.progress = Progress::CaughtUp;
        }
        self.resumed_if_complete(now);
    }

    /// Looks whether everything is back; called whenever something has come back.
    pub(in crate::engine) fn resumed_if_complete(&mut self, now: Instant) {
        let Some(resuming) = self.session.resuming.filter(|resuming| resuming.progress == Progress::CaughtUp)
        else {
            return;
        };
        if resuming.mend == Mend::Path && !self.has_paths() {
            return;
        }
        self.session.resuming = None;
        self.session.resumed_at = Some(now);
        self.session.phase = Phase::Active;
        for reason in [Reason::Join, Reason::Redial, Reason::Path] {
            self.deadlines.clear(reason);
        }
        self.session.told_cause.clear();
        let gap =
            self.session.lost_at.take().map_or(Duration::ZERO, |lost| now.saturating_duration_since(lost));
        self.out.emit(Event::Resumed { gap_ms: gap.as_millis() as u64 });
        if self.data.is_wanted && !self.transports.publisher.as_ref().is_some_and(Publisher::was_offered) {
            // The first message came while the server was away.
            self.offer(now);
        }
        self.send_waiting(now);
        self.files_move(now);
        self.recording_moves(now);
    }

    /// Whether sound can flow, on every peer connection that is in use.
    pub(in crate::engine) fn has_paths(&self) -> bool {
        let subscriber = self.transports.subscriber.as_ref().is_none_or(Subscriber::has_path);
        let is_in_use = |publisher: &Publisher| publisher.was_offered();
        subscriber
            && self.transports.publisher.as_ref().filter(|p| is_in_use(p)).is_none_or(Publisher::has_path)
    }

    /// Brief resumes in a row, with the one that is lost now.
    fn brief_resumes_with(&self, now: Instant) -> u32 {
        let is_brief = self.session.resumed_at.is_some_and(|at| now.saturating_duration_since(at) < BRIEF);
        if is_brief { self.session.brief_resumes + 1 } else { 0 }
    }

    /// Lets the server play a fault on us, to see how we come back.
    pub(in crate::engine) fn simulate(&mut self, name: &str) -> Answer {
        let Some(scenario) = Scenario::of_name(name) else {
            let names: Vec<&str> = SCENARIOS.iter().map(|&(name, _)| name).collect();
            return Err(CommandError::usage(format!("one of: {}", names.join(", "))));
        };
        if !self.has_signal() {
            return Err(CommandError::refused("not connected to the server at the moment"));
        }
        self.out.request(&Request::Simulate(scenario));
        Ok(Value::Null)
    }

    fn restart_publisher(&mut self, now: Instant) {
        let Some((sdp, id)) = self.transports.publisher.as_mut().and_then(Publisher::restart) else { return };
        self.send_offer(sdp, id, now);
    }

    fn sync_state(&self) -> SyncState {
        let descriptions = self.transports.subscriber.as_ref().map(Subscriber::last_exchange);
        let published = |track: &Publication| {
            track.sid().map(|sid| PublishedTrack {
                cid: track.cid().to_owned(),
                sid,
                name: track.name().to_owned(),
                muted: !track.mute.is_open(),
            })
        };
        let tracks = [&self.local.publication, &self.local.announcements.publication];
        SyncState {
            offer: descriptions.map(|(offer, _)| offer.to_owned()).unwrap_or_default(),
            answer: descriptions.map(|(_, answer)| answer.to_owned()).unwrap_or_default(),
            subscribed: self.hearing.wanted().to_vec(),
            paused: self.hearing.paused().to_vec(),
            published: tracks.into_iter().filter_map(published).collect(),
            received: self.data.received().states().to_vec(),
        }
    }
}
