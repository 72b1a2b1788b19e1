//! The microphone's track: [`Microphone`], from captured blocks to packets, and its life in the room.
//!
//! ```text
//!   block ─► CapturePath ─► LocalTrack ─► packets            Adaptation: rate, packets, copies, FEC
//!                 └─► Preconnect, until somebody hears us ─► packets, recording
//!   mute, talk key, moderator ─► Mute ─┬─► the track is closed at once, and what has not left yet is discarded
//!                                      └─► the server and the application, when a released key has rested
//! ```

use std::time::{Duration, Instant};

use super::capture_path::CapturePath;
use super::input::LocalInput;
use super::mute::MuteReports;
use super::outlet::SendPacket;
use super::output::{LocalOutput, Outputs, PreconnectRecording, push, sound_discarded};
use super::preconnect::Preconnect;
use super::track::LocalTrack;
use crate::engine::outbox::Outbox;
use crate::engine::settings::PublishSettings;
use crate::error::ExitStatus;
use crate::event::{By, Event};
use crate::local::mute::Mute;
use crate::media::block::Block;
use crate::media::send::adapt::Adaptation;
use crate::media::send::encode::{EncoderError, EncoderSettings};
use crate::rtc::Line;
use crate::session::recovery::Outcome;
use crate::signal::request::AddTrack;
use crate::signal::response::RequestReason;
use crate::signal::sid::Sid;

/// The track of what is captured.
pub(super) struct Microphone {
    track: LocalTrack,
    path: CapturePath,
    adaptation: Adaptation,
    /// Sound that is captured on the way into the room.
    preconnect: Option<Box<Preconnect>>,
    loss_permille: u32,
    dtx: bool,
    keeps_early_sound: bool,
    /// Whether a session without the permission to publish is useless.
    is_required: bool,
    /// The application has ended the track, and has not asked for it again.
    is_unpublished: bool,
    mute_reports: MuteReports,
}

/// How the microphone's track stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::engine) struct MicrophoneStatus {
    /// Muted, here or by the server.
    pub(in crate::engine) is_muted: bool,
    /// Whether the talk key is held; `None` if none is in use.
    pub(in crate::engine) is_talking: Option<bool>,
    /// Whether mute and talk key let the sound out.
    pub(in crate::engine) is_open: bool,
    /// The loudest block of the last two seconds, as it was captured.
    pub(in crate::engine) loudest_dbfs: Option<f32>,
    /// Bytes of payload that were sent since the start.
    pub(in crate::engine) sent_bytes: u64,
    /// Share of our packets that the server lacks.
    pub(in crate::engine) loss_permille: u32,
}

impl Microphone {
    /// A track that is not published. `cid` is our name of it.
    ///
    /// # Errors
    /// The encoder cannot be created.
    pub(super) fn new(cid: String, settings: &PublishSettings) -> Result<Microphone, EncoderError> {
        let encoder = EncoderSettings {
            dtx: settings.dtx,
            packet: settings.profile.packet(),
            bitrate_bps: settings.profile.initial_bitrate_bps(),
            ..EncoderSettings::default()
        };
        let adaptation = Adaptation::new(settings.profile, settings.redundancy);
        let mut track = LocalTrack::new(Line::Microphone, cid, settings.name.clone(), settings.is_muted);
        track.open_sender(encoder, adaptation.plan(true))?;
        track.set_closed(settings.is_muted);
        Ok(Microphone {
            track,
            path: CapturePath::new(settings.profile.allows(settings.duplex)),
            adaptation,
            preconnect: None,
            loss_permille: 0,
            dtx: settings.dtx,
            keeps_early_sound: settings.keeps_early_sound,
            is_required: settings.is_required,
            is_unpublished: false,
            mute_reports: MuteReports::default(),
        })
    }

    /// The microphone's track.
    pub(super) fn track(&self) -> &LocalTrack {
        &self.track
    }

    /// What is done to the microphone's blocks.
    pub(super) fn path(&mut self) -> &mut CapturePath {
        &mut self.path
    }

    /// How the track stands.
    pub(super) fn status(&self) -> MicrophoneStatus {
        let publication = self.track.publication();
        MicrophoneStatus {
            is_muted: publication.mute().is_muted(),
            is_talking: publication.mute().is_talking(),
            is_open: publication.mute().is_open(),
            loudest_dbfs: self.path.loudest_dbfs(),
            sent_bytes: self.track.sent_bytes(),
            loss_permille: self.loss_permille,
        }
    }

    /// Whether packets may carry earlier ones again.
    pub(super) fn may_repeat(&self) -> bool {
        self.adaptation.may_repeat()
    }

    /// Whether sound is being kept on the way into the room.
    pub(super) fn is_preconnecting(&self) -> bool {
        self.preconnect.is_some()
    }

    /// Takes the next 10 ms. `lag`: samples that wait in both cards.
    pub(super) fn capture(
        &mut self,
        block: &Block,
        lag: Option<f32>,
        input: &LocalInput<'_>,
        send: &mut SendPacket<'_>,
        out: &mut Outbox,
        outputs: &mut Outputs,
    ) {
        let cleaned = self.path.process(block, lag);
        let is_open = !self.track.is_closed();
        if let Some(preconnect) = self.preconnect.as_mut().filter(|_| is_open) {
            preconnect.record(&cleaned);
        }
        let held = self.preconnect.as_mut().and_then(|preconnect| preconnect.held());
        if self.track.push(&cleaned, held, input.takes_red, send) {
            push(outputs, LocalOutput::PacketsSent);
        }
        let Some(preconnect) = &mut self.preconnect else { return };
        let sid = self.track.publication().sid();
        let has_agent = input.agents().next().is_some();
        let pcm = preconnect.advance(sid.is_some() && input.is_connected, has_agent, input.now);
        if let (Some(pcm), Some(track)) = (pcm, sid) {
            let destinations = input.agents().map(str::to_owned).collect();
            push(outputs, LocalOutput::Recording(PreconnectRecording { pcm, track, destinations }));
        }
        if preconnect.send_packet(&mut self.track, input.takes_red, send, input.now) {
            push(outputs, LocalOutput::PacketsSent);
        }
        out.count(|counters| &mut counters.early_lost, preconnect.take_lost());
        if preconnect.is_over(input.now) {
            self.preconnect = None;
        }
    }

    /// So many blocks of time have passed without a microphone: nothing is sent for them.
    pub(super) fn skip(&mut self, blocks: u32) {
        self.track.skip(blocks);
        self.path.forget_level();
    }

    /// The receiver's report of lost packets.
    pub(super) fn feedback(&mut self, loss_permille: u32, takes_red: bool) {
        self.loss_permille = loss_permille;
        if let Some(plan) = self.track.plan() {
            self.adaptation.report(loss_permille.min(1000) as u16, plan);
        }
        self.track.set_plan(self.adaptation.plan(takes_red));
    }

    /// A check on the way up took this long.
    pub(super) fn round_trip(&mut self, round_trip: Duration, takes_red: bool, now: Instant) {
        if let Some(plan) = self.track.plan() {
            self.adaptation.round_trip(round_trip, plan, now);
        }
        self.track.set_plan(self.adaptation.plan(takes_red));
    }

    /// What is sent takes another path from now on.
    pub(super) fn path_changed(&mut self) {
        self.adaptation.path_changed();
    }

    /// We enter the room: sound is kept from now on, if the settings say so.
    pub(super) fn enter(&mut self, now: Instant) {
        if self.keeps_early_sound {
            self.preconnect = Some(Box::new(Preconnect::new(self.track.packet_samples(), now)));
        }
    }

    /// The track has its first subscriber.
    pub(super) fn heard(&mut self) {
        if let Some(preconnect) = &mut self.preconnect {
            preconnect.heard();
        }
    }

    /// Nothing more is kept for later: the track ends, or we leave.
    pub(super) fn end_preconnect(&mut self) {
        self.preconnect = None;
    }

    /// Discards all sound that was captured until now and has not left yet, wherever it waits here.
    pub(super) fn discard(&mut self) {
        self.track.discard();
        self.path.discard();
        if let Some(preconnect) = &mut self.preconnect {
            preconnect.discard();
        }
    }

    /// Requests the track from the server, if we may publish and the server has forgotten the previous one.
    pub(super) fn announce(&mut self, input: &LocalInput<'_>, out: &mut Outbox, outputs: &mut Outputs) {
        if !input.may_speak() {
            return self.cannot_speak("the token does not allow a microphone", out, outputs);
        }
        if self.track.is_held(input.room) {
            return;
        }
        let duplex = self.path.wanted();
        let request = AddTrack {
            no_dtx: !self.dtx,
            no_red: !self.may_repeat(),
            auto_gain_control: duplex.controls_level(),
            echo_cancellation: duplex.cancels_echo(),
            noise_suppression: duplex.suppresses_noise(),
            preconnect_buffer: self.preconnect.is_some(),
            ..AddTrack::default()
        };
        self.track.announce(request, out);
    }

    /// Whether the track is to be announced now that the server has forgotten the one before.
    pub(super) fn may_come_again(&self, input: &LocalInput<'_>) -> bool {
        self.track.publication().awaits_end() && !self.track.is_held(input.room)
    }

    /// The application wants the track published.
    pub(super) fn want(&mut self) {
        self.is_unpublished = false;
    }

    /// The track may be announced again, unless the application has ended it.
    pub(super) fn allow(&mut self) {
        if !self.is_unpublished {
            self.track.allow();
        }
    }

    /// The application ends the track until it is published again.
    pub(super) fn unpublish(&mut self, out: &mut Outbox) {
        self.is_unpublished = true;
        self.track.unpublish(By::Us, out);
    }

    /// The server has ended the track.
    pub(super) fn unpublished_by_server(&mut self, out: &mut Outbox) {
        self.track.unpublish(By::Server, out);
    }

    /// Changes the mute, and lets packets, the server and the application follow.
    pub(super) fn change_mute(
        &mut self,
        change: impl FnOnce(&mut Mute),
        by: By,
        input: &LocalInput<'_>,
        out: &mut Outbox,
        outputs: &mut Outputs,
    ) {
        change(self.track.mute());
        let is_closed = !self.track.mute().is_open();
        if self.track.set_closed(is_closed) {
            self.discard();
            sound_discarded(out, outputs);
        }
        self.mute_reports.report_to_application(&mut self.track, by, input.now, out);
        self.mute_reports.report_to_server(&mut self.track, input, out);
    }

    /// When a released talk key counts as a mute, and [`Microphone::change_mute`] is due without a change.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.mute_reports.poll_timeout()
    }

    /// The server shows our track to the room as open or muted. It answers a moderator before it has applied the mute
    /// (1.13.5): a mute that we send in between is overridden by the unmute.
    pub(super) fn mute_seen(&mut self, input: &LocalInput<'_>, out: &mut Outbox) {
        let Some(sid) = self.track.publication().sid() else { return };
        let track = input.room.own().and_then(|own| own.tracks().find(|track| track.info.sid == sid));
        if track.is_some_and(|track| !track.info.muted) && self.track.mute().seen_open() {
            self.mute_reports.report_to_server(&mut self.track, input, out);
        }
    }

    /// The session is resumed: the last report of the mute may have been lost with the connection.
    pub(super) fn resumed(&mut self, input: &LocalInput<'_>, out: &mut Outbox) {
        self.track.mute().resumed();
        self.mute_reports.report_to_server(&mut self.track, input, out);
    }

    /// The server has named the track.
    pub(super) fn published(&mut self, cid: &str, sid: Sid, input: &LocalInput<'_>, out: &mut Outbox) {
        if self.track.published(cid, sid, out) {
            self.mute_reports.report_to_server(&mut self.track, input, out);
        }
    }

    /// The server's answer to the request for the track, other than that it is published. Returns whether the track was
    /// refused.
    pub(super) fn answered(
        &mut self,
        reason: RequestReason,
        message: &str,
        out: &mut Outbox,
        outputs: &mut Outputs,
    ) -> bool {
        let name = self.track.publication().name().to_owned();
        match reason {
            RequestReason::Ok => return false,
            RequestReason::Queued => {
                out.warn(format!("{name} waits for an earlier track to end"));
                return false;
            }
            _ => {}
        }
        let is_refused = self.track.refused();
        if is_refused {
            let words = format!("{}: {message}", reason.words());
            out.emit(Event::LocalTrackRefused { name, reason: words.clone() });
            self.cannot_speak(&format!("the server does not let us speak ({words})"), out, outputs);
        }
        is_refused
    }

    /// The session has ended. Sound of an unfinished way into the room is kept for the next one.
    pub(super) fn session_lost(&mut self, out: &mut Outbox) {
        self.track.session_lost(out);
        self.mute_reports.session_lost();
        if self.preconnect.as_ref().is_some_and(|preconnect| preconnect.was_published()) {
            self.preconnect = None;
        }
    }

    /// We have left the room: a moderator's mute was of this visit.
    pub(super) fn left(&mut self) {
        self.track.mute().left();
    }

    /// Our sound cannot be sent. The player of a file must notice that by more than a warning.
    fn cannot_speak(&self, why: &str, out: &mut Outbox, outputs: &mut Outputs) {
        if self.is_required {
            let text = format!("nothing can be played into the room: {why}");
            push(outputs, LocalOutput::Leave(Outcome { status: ExitStatus::Credentials, text }));
        } else {
            out.warn(format!("{why}: listening only"));
        }
    }
}
