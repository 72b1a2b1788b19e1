//! The gate of our track: what the talk key, a command or the server do to it, and who is told.

use std::time::Instant;

use serde_json::{Value, json};

use super::Engine;
use crate::command::{Answer, CommandError};
use crate::event::{By, Event};
use crate::signal::request::Request;
use crate::signal::sid::Sid;
use crate::time::deadline::Reason;

impl Engine {
    pub(super) fn set_muted(&mut self, is_muted: bool, now: Instant) -> Answer {
        self.check_microphone()?;
        self.publication.mute.set(is_muted);
        self.mute_changed(By::Us, now);
        Ok(Value::Null)
    }

    /// The talk key; muted wins, so the answer says whether we are heard now.
    pub(super) fn talk(&mut self, is_held: bool, now: Instant) -> Answer {
        self.check_microphone()?;
        self.publication.mute.talk(is_held, now);
        self.mute_changed(By::Us, now);
        Ok(json!({ "sending": self.publication.mute.is_open() }))
    }

    pub(super) fn muted_by_server(&mut self, sid: Sid, is_muted: bool, now: Instant) {
        if self.publication.sid() == Some(sid) {
            self.publication.mute.set_by_server(is_muted);
            self.mute_changed(By::Server, now);
        } else if self.announcements.publication.sid() == Some(sid) && is_muted {
            self.end_announcement(By::Server, Err("somebody has muted it".to_owned()), now);
        }
    }

    /// The server shows our track to the room as open or muted. It answers a moderator before it has done what that wants
    /// (1.13.5): a mute that we say in between is overtaken by the unmute.
    pub(super) fn mute_seen(&mut self, now: Instant) {
        let track = self
            .publication
            .sid()
            .and_then(|sid| self.room.own().and_then(|own| own.tracks.iter().find(|track| track.sid == sid)));
        if track.is_some_and(|track| !track.muted) && self.publication.mute.seen_open() {
            self.tell_mute(now);
        }
    }

    /// Lets packets, the server and the application follow the gate.
    pub(super) fn mute_changed(&mut self, by: By, now: Instant) {
        let mute = &mut self.publication.mute;
        let is_open = mute.is_open();
        let shown = mute.poll_application(now);
        if self.microphone.as_mut().is_some_and(|microphone| microphone.set_muted(!is_open)) {
            self.discard_sound(now);
        }
        if let Some(is_muted) = shown {
            let sid = self.publication.sid().map(|sid| sid.to_string()).unwrap_or_default();
            let name = self.publication.name().to_owned();
            self.emit(if is_muted {
                Event::LocalMuted { sid, name, by }
            } else {
                Event::LocalUnmuted { sid, name, by }
            });
        }
        self.tell_mute(now);
    }

    /// Tells the server of a mute that it does not know; while it is away, it is told when it is back.
    pub(super) fn tell_mute(&mut self, now: Instant) {
        if let Some(sid) = self.publication.sid().filter(|_| self.has_signal())
            && let Some(muted) = self.publication.mute.poll_server(now)
        {
            self.request(&Request::Mute { sid, muted });
        }
        match self.publication.mute.poll_timeout() {
            Some(at) if at > now => self.deadlines.set(Reason::TalkHold, at),
            // What is due and not told yet waits for the server or for the track.
            _ => self.deadlines.clear(Reason::TalkHold),
        }
    }

    fn check_microphone(&self) -> Result<(), CommandError> {
        match self.microphone {
            Some(_) => Ok(()),
            None => Err(CommandError::refused("there is no input to mute")),
        }
    }
}
