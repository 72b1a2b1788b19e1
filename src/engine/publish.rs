//! Our track's life in the room. What is in it: `speak`.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Engine;
use crate::command::{Answer, CommandError};
use crate::error::ExitStatus;
use crate::event::{By, Event};
use crate::rtc::{Peer, Publisher};
use crate::session::recovery::Outcome;
use crate::signal::request::{AddTrack, Request};
use crate::signal::sid::Sid;
use crate::time::deadline::Reason;

/// From the first offer to the connection. The server answers in milliseconds, or never (an offer
/// that it cannot parse is dropped without a word); DTLS at 10 % loss takes up to 7 s.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(12);

/// From an offer to its answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

impl Engine {
    /// We may publish now, or never could: asks for our track where it is not asked for yet.
    pub(super) fn permissions_changed(&mut self, now: Instant) {
        let may = self.room.own().is_some_and(|own| own.permission.microphone);
        if may && self.microphone.is_some() && !self.publication.is_announced() {
            self.announce(now);
            self.offer(now);
        }
    }

    /// Asks the server for our track, where we have one and may.
    pub(super) fn announce(&mut self, now: Instant) {
        let Some(microphone) = &self.microphone else { return };
        let may = self.room.own().is_some_and(|own| own.permission.microphone);
        if !may {
            return self.cannot_speak("the token does not allow a microphone", now);
        }
        if !self.publication.announce() {
            return;
        }
        let add_track = AddTrack {
            cid: self.publication.cid().to_owned(),
            name: self.publication.name().to_owned(),
            muted: self.publication.is_muted(),
            no_dtx: !microphone.dtx,
            no_red: true,
            auto_gain_control: microphone.duplex().controls_level(),
            echo_cancellation: microphone.duplex().cancels_echo(),
            noise_suppression: microphone.duplex().suppresses_noise(),
        };
        self.request(&Request::AddTrack(add_track));
    }

    /// Nothing that we say can be heard. Whoever plays a file wants to know by more than a warning.
    pub(super) fn cannot_speak(&mut self, why: &str, now: Instant) {
        if self.settings.publish.as_ref().is_some_and(|publish| publish.is_required) {
            let text = format!("nothing can be played into the room: {why}");
            self.leave(Outcome { status: ExitStatus::Credentials, text }, now);
        } else {
            self.warn(format!("{why}: listening only"));
        }
    }

    /// Offers what is to be published; `AddTrack` must have been sent before. A publisher that nobody
    /// needs is not connected: where the subscriber is primary and we only listen.
    pub(super) fn offer(&mut self, now: Instant) {
        let is_announced = self.microphone.is_some() && self.publication.is_announced();
        if !is_announced && self.is_subscriber_primary {
            return;
        }
        if self.publisher.is_none() {
            // The publisher is primary because the token forbids subscribing: it is the only connection.
            self.open_publisher(now);
        }
        let Some(publisher) = self.publisher.as_mut() else { return };
        let cid = is_announced.then(|| self.publication.cid());
        if let Some((sdp, id)) = publisher.offer(cid) {
            if !self.publisher.as_ref().is_some_and(Publisher::is_connected) {
                self.deadlines.set(Reason::PublisherConnection, now + CONNECTION_PATIENCE);
            }
            self.send_offer(sdp, id, now);
        }
    }

    /// Every offer of ours goes out here, and is answered in time or the connection is dead.
    pub(super) fn send_offer(&mut self, sdp: String, id: u32, now: Instant) {
        self.request(&Request::Offer { sdp, id });
        self.deadlines.set(Reason::PublisherAnswer, now + ANSWER_PATIENCE);
        self.advance(Peer::Publisher, now);
    }

    pub(super) fn published(&mut self, cid: &str, sid: Sid) {
        if !self.publication.published(cid, sid) {
            return;
        }
        let name = self.publication.name().to_owned();
        self.emit(Event::LocalTrackPublished { sid: sid.to_string(), name });
        self.tell_mute();
    }

    pub(super) fn unpublished_by_server(&mut self, sid: Sid) {
        if self.publication.ended(Some(sid)) {
            let name = self.publication.name().to_owned();
            self.emit(Event::LocalTrackUnpublished { sid: sid.to_string(), name, by: By::Server });
        }
    }

    /// The session took the track with it.
    pub(super) fn unpublished(&mut self) {
        if let Some(sid) = self.publication.sid() {
            let name = self.publication.name().to_owned();
            self.emit(Event::LocalTrackUnpublished { sid: sid.to_string(), name, by: By::Us });
        }
    }

    pub(super) fn set_muted(&mut self, muted: bool) -> Answer {
        if self.microphone.is_none() {
            return Err(CommandError::refused("there is no input to mute"));
        }
        if self.publication.is_muted() == muted {
            return Ok(Value::Null);
        }
        self.mute(muted, By::Us);
        self.tell_mute();
        Ok(Value::Null)
    }

    /// Tells the server of a mute that it does not know; while it is away, it is told when it is back.
    pub(super) fn tell_mute(&mut self) {
        if !self.has_signal() {
            return;
        }
        if let Some((sid, muted)) = self.publication.poll_mute() {
            self.request(&Request::Mute { sid, muted });
        }
    }

    pub(super) fn mute(&mut self, muted: bool, by: By) {
        let has_changed = match by {
            By::Us => self.publication.set_muted(muted),
            By::Server => self.publication.muted_by_server(muted),
        };
        if !has_changed {
            return;
        }
        if let Some(microphone) = &mut self.microphone {
            microphone.set_muted(muted);
        }
        let sid = self.publication.sid().map(|sid| sid.to_string()).unwrap_or_default();
        let name = self.publication.name().to_owned();
        self.emit(if muted {
            Event::LocalMuted { sid, name, by }
        } else {
            Event::LocalUnmuted { sid, name, by }
        });
    }
}
