//! What the server's messages mean for [`LocalTracks`].

use std::time::Instant;

use super::LocalTracks;
use super::input::LocalInput;
use super::output::{LocalOutput, push};
use crate::engine::outbox::Outbox;
use crate::event::{By, Event};
use crate::rtc::Line;
use crate::signal::response::RequestReason;
use crate::signal::sid::Sid;

impl LocalTracks {
    /// The server has named the track `cid`.
    pub(in crate::engine) fn published(
        &mut self,
        cid: &str,
        sid: Sid,
        input: &LocalInput<'_>,
        out: &mut Outbox,
    ) {
        match (self.line_of(|publication| publication.cid() == cid), &mut self.microphone) {
            (Some(Line::Microphone), Some(microphone)) => microphone.published(cid, sid, input, out),
            (Some(Line::Announcement), _) => self.announcements.published(cid, sid, out),
            _ => {}
        }
    }

    /// The server, or a moderator, has ended the track `sid`.
    pub(in crate::engine) fn unpublished_by_server(
        &mut self,
        sid: Sid,
        input: &LocalInput<'_>,
        out: &mut Outbox,
    ) {
        match self.line_of(|publication| publication.sid() == Some(sid)) {
            Some(Line::Microphone) => {
                self.close_microphone(out);
                if let Some(microphone) = &mut self.microphone {
                    microphone.unpublished_by_server(out);
                }
                push(&mut self.outputs, LocalOutput::Offer);
            }
            Some(Line::Announcement) => {
                self.end_announcement(By::Server, "the server has ended it", input, out)
            }
            None => {}
        }
    }

    /// The server, or a moderator, mutes or unmutes the track `sid`.
    pub(in crate::engine) fn muted_by_server(
        &mut self,
        sid: Sid,
        is_muted: bool,
        input: &LocalInput<'_>,
        out: &mut Outbox,
    ) {
        match self.line_of(|publication| publication.sid() == Some(sid)) {
            Some(Line::Microphone) => {
                self.change_mute(|mute| mute.set_by_server(is_muted), By::Server, input, out);
            }
            Some(Line::Announcement) if is_muted => {
                self.end_announcement(By::Server, "a moderator has muted it", input, out);
            }
            Some(Line::Announcement) | None => {}
        }
    }

    /// The server's answer to the request for the track `cid`, other than that it is published. Returns `false` if the
    /// caller must handle it: it is not about a track of ours, or reports success.
    pub(in crate::engine) fn answered(
        &mut self,
        cid: &str,
        reason: RequestReason,
        message: &str,
        input: &LocalInput<'_>,
        out: &mut Outbox,
    ) -> bool {
        match (self.line_of(|publication| publication.cid() == cid), &mut self.microphone) {
            (Some(Line::Microphone), Some(microphone)) => {
                if microphone.answered(reason, message, out, &mut self.outputs) {
                    push(&mut self.outputs, LocalOutput::Offer);
                }
            }
            (Some(Line::Announcement), _) if !matches!(reason, RequestReason::Ok | RequestReason::Queued) => {
                let why = format!("the server refused the track: {}: {message}", reason.words());
                self.end_announcement(By::Server, &why, input, out);
            }
            _ => return false,
        }
        true
    }

    /// The track `sid` has its first subscriber.
    pub(in crate::engine) fn heard(&mut self, sid: Sid, now: Instant, out: &mut Outbox) {
        match (self.line_of(|publication| publication.sid() == Some(sid)), &mut self.microphone) {
            (Some(Line::Microphone), Some(microphone)) => {
                microphone.heard();
                // The server does not name the subscriber (protocol, `TrackSubscribed`).
                out.emit(Event::HeardBy { identity: String::new() });
            }
            (Some(Line::Announcement), _) => self.announcements.heard(now),
            _ => {}
        }
    }

    /// The room shows the server's state of our tracks. It may have forgotten the previous track, which can be
    /// announced again now, or have another mute state than ours.
    pub(in crate::engine) fn own_tracks_changed(&mut self, input: &LocalInput<'_>, out: &mut Outbox) {
        let Some(microphone) = &mut self.microphone else { return };
        if microphone.may_come_again(input) {
            self.announce_microphone(input, out);
            push(&mut self.outputs, LocalOutput::Offer);
        } else {
            microphone.mute_seen(input, out);
        }
    }

    /// What we may do has perhaps changed: a permission that comes back brings the track back that its loss has ended.
    pub(in crate::engine) fn permissions_changed(&mut self, input: &LocalInput<'_>, out: &mut Outbox) {
        let may = input.may_speak();
        let could = std::mem::replace(&mut self.may_speak, may);
        if could && !may {
            self.close_microphone(out);
        }
        if may
            && !could
            && let Some(microphone) = &mut self.microphone
        {
            microphone.allow();
            self.announce_microphone(input, out);
            push(&mut self.outputs, LocalOutput::Offer);
        }
    }
}
