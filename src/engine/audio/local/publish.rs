//! Our track's life in the room. What is in it: `speak`.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::microphone::Microphone;
use crate::command::{Answer, CommandError};
use crate::engine::Engine;
use crate::engine::port::Action;
use crate::error::ExitStatus;
use crate::event::{By, Event};
use crate::rtc::{Peer, Publisher};
use crate::session::recovery::Outcome;
use crate::signal::request::{AddTrack, Request};
use crate::signal::response::RequestReason;
use crate::signal::sid::Sid;
use crate::time::deadline::Reason;

/// From the first offer to the connection. The server answers in milliseconds, or never (an offer
/// that it cannot parse is dropped without a word); DTLS at 10 % loss takes up to 7 s.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(12);

/// From an offer to its answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

impl Engine {
    /// What we may do has perhaps changed: a permission that comes back brings the track back that its loss
    /// has ended.
    pub(in crate::engine) fn permissions_changed(&mut self, now: Instant) {
        let may = self.room.own().is_some_and(|own| own.permission.microphone);
        let could = std::mem::replace(&mut self.local.may_speak, may);
        if could && !may {
            self.microphone_closes(now);
        }
        if may && !could && self.local.microphone.is_some() {
            if !self.local.is_unpublished {
                self.local.publication.allow();
            }
            self.announce(now);
            self.offer(now);
        }
    }

    pub(in crate::engine) fn open_publisher(&mut self, now: Instant) {
        let offers_red = self.local.microphone.as_deref().is_some_and(Microphone::may_repeat);
        self.transports.publisher = Some(Publisher::new(&mut self.random, offers_red, now));
        self.out.act(Action::OpenSockets(Peer::Publisher));
    }

    /// Asks the server for our track, where we have one and may.
    pub(in crate::engine) fn announce(&mut self, now: Instant) {
        let Some(microphone) = &self.local.microphone else { return };
        let may = self.room.own().is_some_and(|own| own.permission.microphone);
        self.local.may_speak = may;
        if !may {
            return self.cannot_speak("the token does not allow a microphone", now);
        }
        if self.is_held(self.local.publication.last_sid()) {
            return;
        }
        let dtx = microphone.dtx;
        let Some(muted) = self.local.publication.announce() else { return };
        let add_track = AddTrack {
            cid: self.local.publication.cid().to_owned(),
            name: self.local.publication.name().to_owned(),
            muted,
            no_dtx: !dtx,
            no_red: !microphone.may_repeat(),
            auto_gain_control: microphone.duplex().controls_level(),
            echo_cancellation: microphone.duplex().cancels_echo(),
            noise_suppression: microphone.duplex().suppresses_noise(),
            preconnect_buffer: microphone.early.is_some(),
        };
        self.out.request(&Request::AddTrack(add_track));
    }

    /// The server has perhaps forgotten the track that ours was before: now it may come again.
    pub(in crate::engine) fn own_tracks_changed(&mut self, now: Instant) {
        if self.local.microphone.is_some()
            && self.local.publication.awaits_end()
            && !self.is_held(self.local.publication.last_sid())
        {
            self.announce(now);
            self.offer(now);
        }
    }

    /// Whether the server still holds this track of ours.
    pub(in crate::engine) fn is_held(&self, sid: Option<Sid>) -> bool {
        self.room.own().is_some_and(|own| own.tracks.iter().any(|track| Some(track.sid) == sid))
    }

    /// Nothing that we say can be heard. Whoever plays a file wants to know by more than a warning.
    pub(in crate::engine) fn cannot_speak(&mut self, why: &str, now: Instant) {
        if self.settings.publish.as_ref().is_some_and(|publish| publish.is_required) {
            let text = format!("nothing can be played into the room: {why}");
            self.leave(Some(Outcome { status: ExitStatus::Credentials, text }), now);
        } else {
            self.out.warn(format!("{why}: listening only"));
        }
    }

    /// Offers what is to be published; `AddTrack` must have been sent before. A publisher that nobody
    /// needs is not connected: where the subscriber is primary, and we only listen and send no messages.
    pub(in crate::engine) fn offer(&mut self, now: Instant) {
        let is_announced = self.local.microphone.is_some() && self.local.publication.is_announced();
        let is_announcing = self.local.announcements.publication.is_announced();
        let was_offered = self.transports.publisher.as_ref().is_some_and(Publisher::was_offered);
        if !is_announced
            && !is_announcing
            && self.transports.is_subscriber_primary
            && !was_offered
            && !self.data.is_wanted
        {
            return;
        }
        if self.transports.publisher.is_none() {
            // The publisher is primary because the token forbids subscribing: it is the only connection.
            self.open_publisher(now);
        }
        let Some(publisher) = self.transports.publisher.as_mut() else { return };
        // A track is on its line, or the line is silent.
        let cids = [
            is_announced.then(|| self.local.publication.cid()),
            is_announcing.then(|| self.local.announcements.publication.cid()),
        ];
        if let Some((sdp, id)) = publisher.offer(cids) {
            if !self.transports.publisher.as_ref().is_some_and(Publisher::is_connected) {
                self.deadlines.set(Reason::PublisherConnection, now + CONNECTION_PATIENCE);
            }
            self.send_offer(sdp, id, now);
        }
    }

    /// Every offer of ours goes out here, and is answered in time or the connection is dead.
    pub(in crate::engine) fn send_offer(&mut self, sdp: String, id: u32, now: Instant) {
        self.out.request(&Request::Offer { sdp, id });
        self.deadlines.set(Reason::PublisherAnswer, now + ANSWER_PATIENCE);
        self.advance(Peer::Publisher, now);
    }

    pub(in crate::engine) fn published(&mut self, cid: &str, sid: Sid, now: Instant) {
        if !self.local.publication.published(cid, sid) {
            return self.announcement_published(cid, sid);
        }
        if let Some(microphone) = &mut self.local.microphone {
            microphone.published();
        }
        let name = self.local.publication.name().to_owned();
        self.out.emit(Event::LocalTrackPublished { sid: sid.to_string(), name });
        self.tell_mute(now);
    }

    pub(in crate::engine) fn unpublished_by_server(&mut self, sid: Sid, now: Instant) {
        if self.local.publication.unpublished_by_server(sid) {
            self.microphone_closes(now);
            let name = self.local.publication.name().to_owned();
            self.out.emit(Event::LocalTrackUnpublished { sid: sid.to_string(), name, by: By::Server });
            self.offer(now);
        } else if self.local.announcements.publication.sid() == Some(sid) {
            self.end_announcement(By::Server, Err("somebody has ended it".to_owned()), now);
        }
    }

    /// Publishes our track again after it was ended, by us or by a moderator.
    pub(in crate::engine) fn publish_again(&mut self, now: Instant) -> Answer {
        if self.local.microphone.is_none() {
            return Err(CommandError::refused("there is no input to publish"));
        }
        self.local.is_unpublished = false;
        if !self.session.has_signal() {
            self.local.publication.allow();
            return Ok(Value::Null);
        }
        if !self.room.own().is_some_and(|own| own.permission.microphone) {
            return Err(CommandError::refused("the server does not allow us a microphone"));
        }
        self.local.publication.allow();
        self.announce(now);
        self.offer(now);
        Ok(Value::Null)
    }

    /// Ends our track for everybody until it is published again.
    pub(in crate::engine) fn unpublish(&mut self, now: Instant) -> Answer {
        if self.local.microphone.is_none() {
            return Err(CommandError::refused("there is no input that is published"));
        }
        self.local.is_unpublished = true;
        self.microphone_closes(now);
        if let Some(sid) = self.local.publication.unpublish() {
            let name = self.local.publication.name().to_owned();
            self.out.emit(Event::LocalTrackUnpublished { sid: sid.to_string(), name, by: By::Us });
        }
        if self.session.has_signal() {
            self.offer(now);
        }
        Ok(Value::Null)
    }

    /// The server's answer to our `AddTrack`, where it is not `track_published`.
    pub(in crate::engine) fn track_refused(&mut self, reason: RequestReason, message: &str, now: Instant) {
        match reason {
            RequestReason::Ok => return,
            RequestReason::Queued => {
                return self
                    .out
                    .warn(format!("{} waits for an earlier track to end", self.local.publication.name()));
            }
            _ => {}
        }
        if self.local.publication.refused() {
            let name = self.local.publication.name().to_owned();
            let words = format!("{reason:?}: {message}");
            self.out.emit(Event::LocalTrackRefused { name, reason: words.clone() });
            self.cannot_speak(&format!("the server does not let us speak ({words})"), now);
            self.offer(now);
        }
    }

    /// The session took the track with it.
    pub(in crate::engine) fn unpublished(&mut self) {
        if let Some(sid) = self.local.publication.sid() {
            let name = self.local.publication.name().to_owned();
            self.out.emit(Event::LocalTrackUnpublished { sid: sid.to_string(), name, by: By::Us });
        }
    }
}
