//! What we publish: [`LocalTracks`], the microphone's track and the announcement's.
//!
//! ```text
//!   captured ─► Microphone ──┐                 ┌─► PacketsSent, Offer ─► publisher
//!                            ├─► LocalTrack ×2 ┼─► SoundDiscarded, Recording ─► data
//!   file ─────► Announcements┘                 └─► Leave ─► session
//!   server: published, mute, unpublished, refused, subscribed, permissions
//!   application: mute, talk, publish, unpublish, announce, quiet
//! ```
//!
//! | of | functions |
//! | --- | --- |
//! | sound | `capture` `skip_capture` `played` `handle_turn` `takes_sound` `discard_sound` |
//! | path up | `feedback` `round_trip` `path_changed` |
//! | session | `enter` `joined` `resumed` `session_lost` `close_microphone` `left` |
//! | server | `published` `unpublished_by_server` `muted_by_server` `answered` `heard` `own_tracks_changed` `permissions_changed` |
//! | application | `set_muted` `talk` `publish` `unpublish` `may_announce` `announce` `end_announcement` |
//! | time | `poll_timeout` `handle_timeout` |
//! | others | `poll_output` `cids` `published_tracks` `is_half_published` `is_publishing` `microphone_status` `sid` `has_microphone` `may_repeat` |
//!
//! Outputs are taken by [`LocalTracks::poll_output`] after each call that was given a [`LocalInput`].

mod announcement;
mod capture_path;
mod commands;
mod input;
mod microphone;
mod mute;
mod outlet;
mod output;
mod preconnect;
mod server;
#[cfg(test)]
mod tests;
mod track;

use std::time::{Duration, Instant};

use crate::engine::outbox::Outbox;
use crate::engine::settings::PublishSettings;
use crate::event::By;
use crate::local::mute::Mute;
use crate::local::publication::Publication;
use crate::media::block::Block;
use crate::media::send::encode::EncoderError;
use crate::rtc::Line;
use crate::signal::request::PublishedTrack;
use crate::signal::sid::Sid;
use crate::time::deadline::Reason;
use announcement::Announcements;
pub(in crate::engine) use input::LocalInput;
use microphone::Microphone;
pub(in crate::engine) use microphone::MicrophoneStatus;
pub(in crate::engine) use outlet::SendPacket;
pub(in crate::engine) use output::{LocalOutput, PreconnectRecording};
use output::{Outputs, push, sound_discarded};
use track::LocalTrack;

/// Our tracks, and the outputs for other parts.
pub(in crate::engine) struct LocalTracks {
    microphone: Option<Box<Microphone>>,
    announcements: Box<Announcements>,
    /// Whether we were allowed a microphone when we last looked.
    may_speak: bool,
    outputs: Outputs,
}

impl LocalTracks {
    /// Tracks that are not published yet. `cid` is our name of the microphone's.
    ///
    /// # Errors
    /// The encoder cannot be created.
    pub(in crate::engine) fn new(
        cid: String,
        publish: Option<&PublishSettings>,
        now: Instant,
    ) -> Result<LocalTracks, EncoderError> {
        Ok(LocalTracks {
            announcements: Box::new(Announcements::new(format!("{cid}-announcement"), now)),
            microphone: publish.map(|publish| Microphone::new(cid, publish).map(Box::new)).transpose()?,
            may_speak: false,
            outputs: Outputs::new(),
        })
    }

    /// The next output for another part.
    pub(in crate::engine) fn poll_output(&mut self) -> Option<LocalOutput> {
        self.outputs.pop_front()
    }

    /// When [`LocalTracks::handle_timeout`] is due, and why.
    pub(in crate::engine) fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        let hold = self.microphone.as_ref().and_then(|microphone| microphone.poll_timeout());
        let announcement = self.announcements.poll_timeout();
        [hold.map(|at| (at, Reason::TalkHold)), announcement.map(|at| (at, Reason::Announcement))]
            .into_iter()
            .flatten()
            .min_by_key(|&(at, _)| at)
    }

    /// Does one thing that is due; returns `false` if nothing is.
    pub(in crate::engine) fn handle_timeout(
        &mut self,
        input: &LocalInput<'_>,
        send: &mut SendPacket<'_>,
        out: &mut Outbox,
    ) -> bool {
        match self.poll_timeout().filter(|(at, _)| *at <= input.now) {
            Some((_, Reason::TalkHold)) => self.change_mute(|_| {}, By::Us, input, out),
            Some(_) => self.advance_announcement(input, send, out),
            None => return false,
        }
        true
    }

    /// Takes the next 10 ms from the microphone. Before the track is published it is kept or dropped, as it is set. `lag`
    /// is how many samples (at 48 kHz) wait at this moment in the loudspeaker's card, to be heard, and in the
    /// microphone's behind this block, to be read; `None` if they are not cards.
    pub(in crate::engine) fn capture(
        &mut self,
        block: &Block,
        lag: Option<f32>,
        input: &LocalInput<'_>,
        send: &mut SendPacket<'_>,
        out: &mut Outbox,
    ) {
        if self.takes_sound(input.is_connected)
            && let Some(microphone) = &mut self.microphone
        {
            microphone.capture(block, lag, input, send, out, &mut self.outputs);
        }
    }

    /// Whether sound that is captured now is of use: it is sent, or kept on the way into the room.
    pub(in crate::engine) fn takes_sound(&self, is_connected: bool) -> bool {
        self.is_publishing(is_connected)
            || self.microphone.as_ref().is_some_and(|microphone| microphone.is_preconnecting())
    }

    /// So many blocks of time have passed without a microphone: nothing is sent for them.
    pub(in crate::engine) fn skip_capture(&mut self, blocks: u32) {
        if let Some(microphone) = &mut self.microphone {
            microphone.skip(blocks);
        }
    }

    /// Takes the very block that the loudspeaker gets.
    pub(in crate::engine) fn played(&mut self, block: &Block) {
        if let Some(microphone) = &mut self.microphone {
            microphone.path().played(block);
        }
    }

    /// How long the turn took that began at `now`: where too many take too long, less is done to the sound.
    pub(in crate::engine) fn handle_turn(&mut self, took: Duration, now: Instant, out: &mut Outbox) {
        if let Some(microphone) = &mut self.microphone {
            microphone.path().handle_turn(took, now, out);
        }
    }

    /// The receiver's report of lost packets.
    pub(in crate::engine) fn feedback(&mut self, loss_permille: u32, takes_red: bool) {
        if let Some(microphone) = &mut self.microphone {
            microphone.feedback(loss_permille, takes_red);
        }
    }

    /// A check on the way up took this long.
    pub(in crate::engine) fn round_trip(&mut self, round_trip: Duration, takes_red: bool, now: Instant) {
        if let Some(microphone) = &mut self.microphone {
            microphone.round_trip(round_trip, takes_red, now);
        }
    }

    /// What is sent takes another path from now on.
    pub(in crate::engine) fn path_changed(&mut self) {
        if let Some(microphone) = &mut self.microphone {
            microphone.path_changed();
        }
    }

    /// We are on our way into the room: sound is kept from now on, if the settings say so.
    pub(in crate::engine) fn enter(&mut self, now: Instant) {
        if let Some(microphone) = &mut self.microphone {
            microphone.enter(now);
        }
    }

    /// The server has taken us in: our track is announced.
    pub(in crate::engine) fn joined(&mut self, input: &LocalInput<'_>, out: &mut Outbox) {
        self.announce_microphone(input, out);
        push(&mut self.outputs, LocalOutput::Offer);
    }

    /// The server has taken us back, in the same session.
    pub(in crate::engine) fn resumed(&mut self, input: &LocalInput<'_>, out: &mut Outbox) {
        if let Some(microphone) = &mut self.microphone {
            microphone.resumed(input, out);
        }
    }

    /// The session has ended, and took our tracks with it.
    pub(in crate::engine) fn session_lost(&mut self, out: &mut Outbox) {
        // What would be done in the session is not done any more.
        for _ in 0..self.outputs.len() {
            if let Some(output @ LocalOutput::Leave(_)) = self.outputs.pop_front() {
                push(&mut self.outputs, output);
            }
        }
        if let Some(microphone) = &mut self.microphone {
            microphone.session_lost(out);
        }
        self.announcements.session_lost(out);
    }

    /// Our track ends, or we leave: sound until then is private, and nothing more is kept.
    pub(in crate::engine) fn close_microphone(&mut self, out: &mut Outbox) {
        if let Some(microphone) = &mut self.microphone {
            microphone.end_preconnect();
        }
        self.discard_sound(out);
    }

    /// What was captured until now is private: nothing of it leaves any more.
    pub(in crate::engine) fn discard_sound(&mut self, out: &mut Outbox) {
        if let Some(microphone) = &mut self.microphone {
            microphone.discard();
        }
        sound_discarded(out, &mut self.outputs);
    }

    /// We have left the room.
    pub(in crate::engine) fn left(&mut self) {
        if let Some(microphone) = &mut self.microphone {
            microphone.left();
        }
    }

    /// Our names of the tracks that the publisher is to offer, each on its line.
    pub(in crate::engine) fn cids(&self) -> [Option<&str>; Line::ALL.len()] {
        self.tracks().map(|track| {
            let publication = track.map(LocalTrack::publication);
            publication.filter(|publication| publication.is_announced()).map(Publication::cid)
        })
    }

    /// Our tracks as the server is reminded of them after a resume.
    pub(in crate::engine) fn published_tracks(&self) -> Vec<PublishedTrack> {
        self.tracks().into_iter().flatten().filter_map(LocalTrack::to_published).collect()
    }

    /// Whether the server was asked for the microphone's track and has not answered yet.
    pub(in crate::engine) fn is_half_published(&self) -> bool {
        self.microphone.as_ref().is_some_and(|microphone| {
            let publication = microphone.track().publication();
            publication.is_announced() && publication.sid().is_none()
        })
    }

    /// Whether sound that is captured now reaches the server.
    pub(in crate::engine) fn is_publishing(&self, is_connected: bool) -> bool {
        self.sid().is_some() && is_connected
    }

    /// How the microphone's track stands, where there is an input.
    pub(in crate::engine) fn microphone_status(&self) -> Option<MicrophoneStatus> {
        self.microphone.as_ref().map(|microphone| microphone.status())
    }

    /// Packets that are missing because Opus failed, since the start.
    pub(in crate::engine) fn encoder_faults(&self) -> u64 {
        self.tracks().into_iter().flatten().map(LocalTrack::encoder_faults).sum()
    }

    /// The server's name of the microphone's track, while it is published.
    pub(in crate::engine) fn sid(&self) -> Option<Sid> {
        self.microphone.as_ref().and_then(|microphone| microphone.track().publication().sid())
    }

    /// Whether there is an input.
    pub(in crate::engine) fn has_microphone(&self) -> bool {
        self.microphone.is_some()
    }

    /// Whether packets may carry earlier ones again: RED is offered then.
    pub(in crate::engine) fn may_repeat(&self) -> bool {
        self.microphone.as_ref().is_some_and(|microphone| microphone.may_repeat())
    }

    /// In the order of [`Line::ALL`].
    fn tracks(&self) -> [Option<&LocalTrack>; Line::ALL.len()] {
        Line::ALL.map(|line| match line {
            Line::Microphone => self.microphone.as_ref().map(|microphone| microphone.track()),
            Line::Announcement => Some(self.announcements.track()),
        })
    }

    /// Which of our tracks it is.
    fn line_of(&self, is_it: impl Fn(&Publication) -> bool) -> Option<Line> {
        let tracks = Line::ALL.into_iter().zip(self.tracks());
        let mut found = tracks.filter(|(_, track)| track.is_some_and(|track| is_it(track.publication())));
        found.next().map(|(line, _)| line)
    }

    fn change_mute(
        &mut self,
        change: impl FnOnce(&mut Mute),
        by: By,
        input: &LocalInput<'_>,
        out: &mut Outbox,
    ) {
        if let Some(microphone) = &mut self.microphone {
            microphone.change_mute(change, by, input, out, &mut self.outputs);
        }
    }

    fn announce_microphone(&mut self, input: &LocalInput<'_>, out: &mut Outbox) {
        let Some(microphone) = &mut self.microphone else { return };
        self.may_speak = input.may_speak();
        microphone.announce(input, out, &mut self.outputs);
    }

    fn advance_announcement(&mut self, input: &LocalInput<'_>, send: &mut SendPacket<'_>, out: &mut Outbox) {
        let no_red = !self.may_repeat();
        self.announcements.advance(no_red, input, send, out, &mut self.outputs);
    }
}
