//! Reports of a mute, to the application and to the server: [`MuteReports`].
//!
//! The model is [`Mute`](crate::local::mute::Mute): command and button × talk key × moderator. A gate that is added there
//! is followed here without a change.
//!
//! ```text
//!   Mute ─┬─► the track is closed or opened at once
//!         ├─► event to the application ─┐ when a released talk key has rested
//!         └─► request to the server ────┘ while it is there and knows the track
//! ```

use std::time::Instant;

use super::input::LocalInput;
use super::track::LocalTrack;
use crate::engine::outbox::Outbox;
use crate::event::{By, Event};
use crate::signal::request::Request;

/// Reports the mute of one track.
#[derive(Default)]
pub(super) struct MuteReports {
    /// When a released talk key counts as a mute.
    hold_ends_at: Option<Instant>,
}

impl MuteReports {
    /// When [`MuteReports::report_to_application`] is due, because a released talk key counts as a mute then.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.hold_ends_at
    }

    /// Reports a mute to the application, if it does not know it.
    pub(super) fn report_to_application(
        &self,
        track: &mut LocalTrack,
        by: By,
        now: Instant,
        out: &mut Outbox,
    ) {
        if let Some(is_muted) = track.mute().poll_application(now) {
            let sid = track.publication().sid().map(|sid| sid.to_string()).unwrap_or_default();
            let name = track.publication().name().to_owned();
            out.emit(if is_muted {
                Event::LocalMuted { sid, name, by }
            } else {
                Event::LocalUnmuted { sid, name, by }
            });
        }
    }

    /// Reports a mute to the server, if it does not know it; while it is away, the report waits.
    pub(super) fn report_to_server(
        &mut self,
        track: &mut LocalTrack,
        input: &LocalInput<'_>,
        out: &mut Outbox,
    ) {
        let sid = track.publication().sid().filter(|_| input.has_signal);
        if let Some(sid) = sid
            && let Some(muted) = track.mute().poll_server(input.now)
        {
            out.request(&Request::Mute { sid, muted });
        }
        // A report that is due and not sent yet waits for the server or for the track.
        self.hold_ends_at = track.mute().poll_timeout().filter(|at| *at > input.now);
    }

    /// The session has ended: nothing is due until the next one.
    pub(super) fn session_lost(&mut self) {
        self.hold_ends_at = None;
    }
}
