//! The gate of our track: what the talk key, a command or the server do to it, and who is told.

use std::time::Instant;

use serde_json::{Value, json};

use crate::command::{Answer, CommandError};
use crate::engine::Engine;
use crate::event::{By, Event};
use crate::signal::request::Request;
use crate::signal::sid::Sid;
use crate::time::deadline::Reason;

impl Engine {
    pub(in crate::engine) fn set_muted(&mut self, is_muted: bool, now: Instant) -> Answer {
        self.check_microphone()?;
        self.local.publication.mute.set(is_muted);
        self.mute_changed(By::Us, now);
        Ok(Value::Null)
    }

    /// The talk key; muted wins, so the answer says whether we are heard now.
    pub(in crate::engine) fn talk(&mut self, is_held: bool, now: Instant) -> Answer {
        self.check_microphone()?;
        self.local.publication.mute.talk(is_held, now);
        self.mute_changed(By::Us, now);
        Ok(json!({ "sending": self.local.publication.mute.is_open() }))
    }

    pub(in crate::engine) fn muted_by_server(&mut self, sid: Sid, is_muted: bool, now: Instant) {
        if self.local.publication.sid() == Some(sid) {
            self.local.publication.mute.set_by_server(is_muted);
            self.mute_changed(By::Server, now);
        } else if self.local.announcements.publication.sid() == Some(sid) && is_muted {
            self.end_announcement(By::Server, Err("somebody has muted it".to_owned()), now);
        }
    }

    /// The server shows our track to the room as open or muted. It answers a moderator before it has done what that wants
    /// (1.13.5): a mute that we say in between is overtaken by the unmute.
    pub(in crate::engine) fn mute_seen(&mut self, now: Instant) {
        let track =
            self.local.publication.sid().and_then(|sid| {
                self.room.own().and_then(|own| own.tracks.iter().find(|track| track.sid == sid))
            });
        if track.is_some_and(|track| !track.muted) && self.local.publication.mute.seen_open() {
            self.tell_mute(now);
        }
    }

    /// Lets packets, the server and the application follow the gate.
    pub(in crate::engine) fn mute_changed(&mut self, by: By, now: Instant) {
        let mute = &mut self.local.publication.mute;
        let is_open = mute.is_open();
        let shown = mute.poll_application(now);
        if self.local.microphone.as_mut().is_some_and(|microphone| microphone.set_muted(!is_open)) {
            self.discard_sound(now);
        }
        if let Some(is_muted) = shown {
            let sid = self.local.publication.sid().map(|sid| sid.to_string()).unwrap_or_default();
            let name = self.local.publication.name().to_owned();
            self.out.emit(if is_muted {
                Event::LocalMuted { sid, name, by }
            } else {
                Event::LocalUnmuted { sid, name, by }
            });
        }
        self.tell_mute(now);
    }

    /// Tells the server of a mute that it does not know; while it is away, it is told when it is back.
    pub(in crate::engine) fn tell_mute(&mut self, now: Instant) {
        if let Some(sid) = self.local.publication.sid().filter(|_| self.session.has_signal())
            && let Some(muted) = self.local.publication.mute.poll_server(now)
        {
            self.out.request(&Request::Mute { sid, muted });
        }
        match self.local.publication.mute.poll_timeout() {
            Some(at) if at > now => self.deadlines.set(Reason::TalkHold, at),
            // What is due and not told yet waits for the server or for the track.
            _ => self.deadlines.clear(Reason::TalkHold),
        }
    }

    fn check_microphone(&self) -> Result<(), CommandError> {
        match self.local.microphone {
            Some(_) => Ok(()),
            None => Err(CommandError::refused("there is no input to mute")),
        }
    }
}
