//! One track of ours: [`LocalTrack`], for the microphone or the announcement.
//!
//! ```text
//!   announce ─► AddTrack ─► server ─► published ─► event … ─► unpublish, or the server ends it ─► event
//!   block ─► push ─► Packetizer ─┬─► Outlet ─► RTP line of the publisher
//!                                └─► PreconnectBuffer, until somebody hears us ─► send ─► Outlet
//! ```
//!
//! The publication is there all the time; the sending half only while sound may come.

use super::outlet::{Outlet, SendPacket};
use crate::engine::outbox::Outbox;
use crate::event::{By, Event};
use crate::local::mute::Mute;
use crate::local::publication::Publication;
use crate::media::block::Block;
use crate::media::send::adapt::Plan;
use crate::media::send::encode::{EncoderError, EncoderSettings};
use crate::media::send::packetizer::{Packetizer, SentPacket};
use crate::media::send::preconnect::PreconnectBuffer;
use crate::room::Room;
use crate::rtc::Line;
use crate::signal::request::{AddTrack, PublishedTrack, Request};
use crate::signal::sid::Sid;

/// One track of ours, published or not.
pub(super) struct LocalTrack {
    line: Line,
    publication: Publication,
    sender: Option<TrackSender>,
    /// Of sending halves that are gone.
    encoder_faults: u64,
}

/// The sending half.
struct TrackSender {
    packetizer: Packetizer,
    outlet: Outlet,
}

impl LocalTrack {
    /// A track that is not published, and goes out on `line`. `cid` is our name of it, `name` is for people.
    pub(super) fn new(line: Line, cid: String, name: String, is_muted: bool) -> LocalTrack {
        LocalTrack {
            line,
            publication: Publication::new(cid, name, is_muted),
            sender: None,
            encoder_faults: 0,
        }
    }

    /// What the server knows of the track.
    pub(super) fn publication(&self) -> &Publication {
        &self.publication
    }

    /// Mute and talk key of the track.
    pub(super) fn mute(&mut self) -> &mut Mute {
        self.publication.mute_mut()
    }

    /// Whether the server still has our last track of this name, and would take the next one's sound for it.
    pub(super) fn is_held(&self, room: &Room) -> bool {
        let last_sid = self.publication.last_sid();
        room.own().is_some_and(|own| own.tracks().any(|track| Some(track.info.sid) == last_sid))
    }

    /// Requests the track from the server with the settings of `request` and our names; does nothing if it was
    /// requested already, or has ended.
    pub(super) fn announce(&mut self, request: AddTrack, out: &mut Outbox) {
        if let Some(muted) = self.publication.announce() {
            let cid = self.publication.cid().to_owned();
            let name = self.publication.name().to_owned();
            out.request(&Request::AddTrack(AddTrack { cid, name, muted, ..request }));
        }
    }

    /// The server has named the track `cid`; `false` if it is not this one, or was not asked for.
    pub(super) fn published(&mut self, cid: &str, sid: Sid, out: &mut Outbox) -> bool {
        let is_ours = self.publication.published(cid, sid);
        if is_ours {
            // Packets of an earlier session are not repeated to this one.
            if let Some(sender) = &mut self.sender {
                sender.outlet.forget_copies();
            }
            let name = self.publication.name().to_owned();
            out.emit(Event::LocalTrackPublished { sid: sid.to_string(), name });
        }
        is_ours
    }

    /// The server has refused the track; `false` if it was not asked for.
    pub(super) fn refused(&mut self) -> bool {
        self.publication.refused()
    }

    /// The track may be announced again after it ended or was refused.
    pub(super) fn allow(&mut self) {
        self.publication.allow();
    }

    /// Ends the track until it is allowed again.
    pub(super) fn unpublish(&mut self, by: By, out: &mut Outbox) {
        if let Some(sid) = self.publication.unpublish() {
            self.report_unpublished(sid, by, out);
        }
    }

    /// The session has ended, and the track with it.
    pub(super) fn session_lost(&mut self, out: &mut Outbox) {
        if let Some(sid) = self.publication.sid() {
            self.report_unpublished(sid, By::Us, out);
        }
        self.publication.session_lost();
    }

    fn report_unpublished(&self, sid: Sid, by: By, out: &mut Outbox) {
        let name = self.publication.name().to_owned();
        out.emit(Event::LocalTrackUnpublished { sid: sid.to_string(), name, by });
    }

    /// The track as the server is reminded of it after a resume, while it is published.
    pub(super) fn to_published(&self) -> Option<PublishedTrack> {
        self.publication.sid().map(|sid| PublishedTrack {
            cid: self.publication.cid().to_owned(),
            sid,
            name: self.publication.name().to_owned(),
            muted: !self.publication.mute().is_open(),
        })
    }

    /// Makes the sending half.
    ///
    /// # Errors
    /// The encoder cannot be created.
    pub(super) fn open_sender(&mut self, settings: EncoderSettings, plan: Plan) -> Result<(), EncoderError> {
        let packetizer = Packetizer::new(settings)?;
        self.close_sender();
        self.sender = Some(TrackSender { packetizer, outlet: Outlet::new(self.line, plan) });
        Ok(())
    }

    /// Drops the sending half.
    pub(super) fn close_sender(&mut self) {
        self.encoder_faults = self.encoder_faults();
        self.sender = None;
    }

    /// Packets that are missing because Opus failed, since the start.
    pub(super) fn encoder_faults(&self) -> u64 {
        let of_sender = self.sender.as_ref().map_or(0, |sender| sender.packetizer.encoder_faults());
        self.encoder_faults + of_sender
    }

    /// Takes the next 10 ms. A packet that is full is sent, or kept in `held`; whether one was sent.
    pub(super) fn push(
        &mut self,
        block: &Block,
        held: Option<&mut PreconnectBuffer>,
        takes_red: bool,
        send: &mut SendPacket<'_>,
    ) -> bool {
        let Some(TrackSender { packetizer, outlet }) = &mut self.sender else { return false };
        match (packetizer.push(block), held) {
            (Some(packet), Some(buffer)) => {
                buffer.keep(&packet);
                false
            }
            (Some(packet), None) => outlet.send(&packet, takes_red, send),
            (None, _) => false,
        }
    }

    /// Sends a packet that was kept, behind a pause of `left_out_samples` that was not; whether it was sent.
    pub(super) fn send_kept(
        &mut self,
        packet: &SentPacket<'_>,
        left_out_samples: u64,
        takes_red: bool,
        send: &mut SendPacket<'_>,
    ) -> bool {
        let Some(TrackSender { outlet, .. }) = &mut self.sender else { return false };
        outlet.leave_out(left_out_samples);
        outlet.send(packet, takes_red, send)
    }

    /// Takes note that `blocks` blocks have passed without sound: RTP time continues.
    pub(super) fn skip(&mut self, blocks: u32) {
        if let Some(sender) = &mut self.sender {
            sender.packetizer.skip(blocks);
        }
    }

    /// Opens or closes the way of the sound; whether it closes now.
    pub(super) fn set_closed(&mut self, is_closed: bool) -> bool {
        let Some(TrackSender { packetizer, .. }) = &mut self.sender else { return false };
        let closes = is_closed && !packetizer.is_muted();
        packetizer.set_muted(is_closed);
        closes
    }

    /// Whether sound that comes is sent.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.as_ref().is_none_or(|sender| sender.packetizer.is_muted())
    }

    /// Discards the sound that was captured and has not left yet.
    pub(super) fn discard(&mut self) {
        if let Some(TrackSender { packetizer, outlet }) = &mut self.sender {
            packetizer.discard();
            outlet.forget_copies();
        }
    }

    /// How the sound is sent at the moment.
    pub(super) fn plan(&self) -> Option<Plan> {
        self.sender.as_ref().map(|sender| sender.outlet.plan())
    }

    /// Sends the sound otherwise from now on.
    pub(super) fn set_plan(&mut self, plan: Plan) {
        let Some(TrackSender { packetizer, outlet }) = &mut self.sender else { return };
        let before = outlet.plan();
        outlet.set_plan(plan);
        packetizer.set_packet(plan.packet);
        // The encoder keeps its old setting where it refuses one.
        if plan.bitrate_bps != before.bitrate_bps {
            let _ = packetizer.set_bitrate_bps(plan.bitrate_bps);
        }
        if plan.fec_permille != before.fec_permille {
            let _ = packetizer.set_loss_permille(plan.fec_permille);
        }
    }

    /// Samples of one packet.
    pub(super) fn packet_samples(&self) -> usize {
        self.sender.as_ref().map_or(0, |sender| sender.packetizer.packet_samples())
    }

    /// Bytes of payload that were sent.
    pub(super) fn sent_bytes(&self) -> u64 {
        self.sender.as_ref().map_or(0, |sender| sender.outlet.sent_bytes())
    }
}
