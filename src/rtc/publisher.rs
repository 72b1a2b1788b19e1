//! The publisher: the peer connection on which we offer, and send.
//!
//! ```text
//!   offer(cids) ──► SDP with both data channels and our tracks ──► server
//!   accept_answer ◄── SDP                                        the server nominates nothing: we control
//!   send(line, packet) ──► RTP: sequence and time ours, level of RFC 6464 on every packet
//! ```
//!
//! One negotiation at a time: an offer that is asked for while another is open must wait for its
//! answer. Both data channels are in the first offer, because the server counts a connection whose
//! first offer has a data section as established only when both are open.

#![expect(
    clippy::indexing_slicing,
    reason = "places come from a search of the same table, or number its fixed entries"
)]

use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::Pt;
use str0m::rtp::{Extension, ExtensionMap};
use str0m::{Event, RtcConfig};

use super::candidates::Candidates;
use super::channels::{self, Channel, Channels, Written};
use super::drain::{Connection, Failure, Output};
use super::event::PeerEvent;
use super::ice::Ice;
use super::line::{Line, OutgoingPacket, TrackLine};
use super::path::Path;
use super::{Datagram, sdp};
use crate::limits::DATA_PACKET_BYTES_MAX;

/// Interval of the checks on the path up: their round trips show whether packets queue up, and on a full link most
/// checks are lost. And how many of them may stay unanswered, to last longer than a join may take.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
const CHECKS_UNANSWERED_MAX: usize = 40;

/// When a check is repeated for the first time, and then each time after twice as long, up to a second. The first one often
/// meets a server that does not know our credentials yet, or a NAT that takes one datagram to open.
const FIRST_CHECK_REPEATED: Duration = Duration::from_millis(40);

/// Interval of str0m's reports of the receiver's statistics.
const STATS_INTERVAL: Duration = Duration::from_secs(2);

/// The peer connection that we offer on.
pub struct Publisher {
    connection: Connection,
    candidates: Candidates,
    channels: Channels,
    pending: Option<SdpPendingOffer>,
    offer_id: u32,
    /// As in [`Line`].
    lines: [TrackLine; Line::ALL.len()],
    payload_type: Option<Pt>,
    red: Option<Pt>,
    path: Path,
}

impl Publisher {
    /// Builds the connection. `random` gives sequence numbers and timestamps their start. The codec that is offered
    /// first is the one that the server records for the track: a sender without RED must not offer it at all.
    pub fn new(random: &mut fastrand::Rng, offers_red: bool, now: Instant) -> Self {
        let mut config =
            common_config().enable_opus(true, offers_red).set_stats_interval(Some(STATS_INTERVAL));
        config.set_max_stun_rto(CHECK_INTERVAL);
        config.set_max_stun_retransmits(CHECKS_UNANSWERED_MAX);
        Self {
            connection: Connection::new(config, now),
            candidates: Candidates::new(),
            channels: Channels::default(),
            pending: None,
            offer_id: 0,
            lines: Line::ALL.map(|_| TrackLine::new(random)),
            payload_type: None,
            red: None,
            path: Path::default(),
        }
    }

    /// Addresses, candidates, path.
    pub fn ice(&mut self) -> Ice<'_> {
        let is_described = self.was_offered();
        let Self { connection, candidates, path, .. } = self;
        Ice { connection, candidates, path, is_described }
    }

    /// Makes an offer, or `None` while another one is unanswered or nothing has changed. With a `cid`, the
    /// track of that line is part of it (`a=msid` names it so, by which the server finds its `AddTrackRequest`).
    pub fn offer(&mut self, cids: [Option<&str>; Line::ALL.len()]) -> Option<(String, u32)> {
        if self.pending.is_some() {
            return None;
        }
        let is_first = self.offer_id == 0;
        let mut changes = self.connection.rtc().sdp_api();
        if is_first {
            for config in channels::configs() {
                changes.add_channel_with_config(config);
            }
        }
        for (line, cid) in self.lines.iter_mut().zip(cids) {
            line.change(cid, &mut changes);
        }
        let (offer, pending) = changes.apply()?;
        self.pending = Some(pending);
        self.offer_id += 1;
        Some((offer.to_sdp_string(), self.offer_id))
    }

    /// Makes an offer that restarts ICE with new credentials (RFC 8445 §2.4), or `None` before the first
    /// offer. One that is still unanswered is given up: its answer is lost with the connection.
    pub fn restart(&mut self) -> Option<(String, u32)> {
        if !self.was_offered() {
            return None;
        }
        let mut changes = self.connection.rtc().sdp_api();
        changes.ice_restart(true);
        let (offer, pending) = changes.apply()?;
        self.pending = Some(pending);
        self.offer_id += 1;
        self.path.restart();
        self.candidates.restarted();
        Some((offer.to_sdp_string(), self.offer_id))
    }

    /// Whether there was an offer yet.
    pub fn was_offered(&self) -> bool {
        self.offer_id > 0
    }

    /// Whether an offer waits for its answer.
    pub fn awaits_answer(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether ICE has a path.
    pub fn has_path(&self) -> bool {
        self.path.is_up()
    }

    /// Takes the server's answer to offer `id` (0: an old server that does not number them).
    /// Answers to anything but the open offer are ignored.
    ///
    /// # Errors
    /// The answer cannot be used, in words; the connection needs a new start.
    pub fn accept_answer(&mut self, text: &str, id: u32, now: Instant) -> Result<(), Failure> {
        if id != 0 && id != self.offer_id {
            return Ok(());
        }
        let Some(pending) = self.pending.take() else { return Ok(()) };
        let description = sdp::read(text).map_err(|error| Failure(error.to_string()))?;
        if description.lines.iter().any(|line| line.is_audio && !line.is_accepted) {
            return Err(Failure("the server refused our audio section".to_owned()));
        }
        let answer = SdpAnswer::from_sdp_string(text).map_err(|error| Failure(error.to_string()))?;
        let rtc = self.connection.rtc();
        rtc.sdp_api().accept_answer(pending, answer).map_err(|error| Failure(error.to_string()))?;
        let opus = rtc.codec_config().iter().find(|params| params.spec().codec == Codec::Opus);
        self.payload_type = opus.map(|params| params.pt());
        self.red = opus.and_then(|params| params.red()).filter(|_| names_red(text));
        self.candidates.read(&description);
        self.candidates.described(false, now);
        self.path.described(description.is_ice_lite);
        Ok(())
    }

    /// Whether the server takes packets that carry earlier ones again.
    pub fn takes_red(&self) -> bool {
        self.red.is_some()
    }

    /// What a check on the path takes, smoothed: unlike a ping's, it is behind all that waits in front of our sound.
    pub fn round_trip(&self) -> Option<Duration> {
        self.path.round_trip()
    }

    /// Whether packets can be sent.
    pub fn is_connected(&self) -> bool {
        self.connection.is_connected()
    }

    /// Sends one packet of a track; `false` if the connection cannot take it yet.
    pub fn send(&mut self, line: Line, packet: OutgoingPacket<'_>, now: Instant) -> bool {
        let payload_type = if packet.is_red { self.red } else { self.payload_type };
        let Some(payload_type) = payload_type.filter(|_| self.is_connected()) else { return false };
        self.lines[line as usize].send(self.connection.rtc(), packet, payload_type, now)
    }

    /// Gives SCTP one message; `advance` must follow where it is taken.
    pub fn write(&mut self, channel: Channel, bytes: &[u8]) -> Written {
        if !self.is_connected() {
            return Written::NotOpen;
        }
        self.channels.write(self.connection.rtc(), channel, bytes)
    }

    /// Bytes given to SCTP on the reliable channel that have not arrived yet.
    pub fn buffered_bytes(&mut self) -> Option<usize> {
        self.channels.buffered_bytes(self.connection.rtc(), Channel::Reliable)
    }

    /// The same on the lossy one, where it is open.
    pub fn buffered_lossy_bytes(&mut self) -> usize {
        self.channels.buffered_bytes(self.connection.rtc(), Channel::Lossy).unwrap_or(0)
    }

    /// Lets time pass. Also due after `offer`, `accept_answer`, `send` and a change of `ice`.
    ///
    /// # Errors
    /// The connection is dead.
    pub fn advance(&mut self, now: Instant, sink: &mut dyn FnMut(Output<PeerEvent>)) -> Result<(), Failure> {
        while let Some(candidate) = self.candidates.poll(now) {
            self.connection.rtc().add_remote_candidate(candidate);
        }
        let Self { path, channels, lines: [microphone, ..], .. } = self;
        if let Some(change) = path.handle_timeout(now) {
            sink(Output::Event(change.into()));
        }
        self.connection.advance(now, &mut |output| translate(output, microphone, path, channels, now, sink))
    }

    /// Takes one datagram; returns `false` if it was refused, because ICE has not validated its sender.
    ///
    /// # Errors
    /// The connection is dead.
    pub fn receive(
        &mut self,
        datagram: Datagram<'_>,
        now: Instant,
        sink: &mut dyn FnMut(Output<PeerEvent>),
    ) -> Result<bool, Failure> {
        let Some(admitted) = self.connection.admit(&datagram, now) else { return Ok(false) };
        let Self { path, channels, lines: [microphone, ..], .. } = self;
        let (change, round_trip) = path.received(&datagram, now);
        if let Some(change) = change {
            sink(Output::Event(change.into()));
        }
        if let Some(round_trip) = round_trip {
            sink(Output::Event(PeerEvent::RoundTrip(round_trip)));
        }
        self.connection
            .receive(admitted, now, &mut |output| translate(output, microphone, path, channels, now, sink))?;
        Ok(true)
    }

    /// When `advance` is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        // A connection that has failed wants nothing any more.
        let connection = self.connection.poll_timeout()?;
        self.path.poll_timeout().into_iter().chain([connection]).min()
    }
}

/// Whether an answer takes RED: then it names its codec.
fn names_red(answer: &str) -> bool {
    answer
        .lines()
        .any(|line| line.starts_with("a=rtpmap:") && line.to_ascii_lowercase().contains(" red/48000"))
}

/// What both connections have in common: Opus only, no extension but those that LiveKit uses, and a
/// check each second for longer than a join may take: whether the path is lost, `path.rs` judges.
pub(super) fn common_config() -> RtcConfig {
    let mut extensions = ExtensionMap::empty();
    extensions.set(1, Extension::AudioLevel);
    extensions.set(4, Extension::RtpMid);
    let mut config = RtcConfig::new()
        .clear_codecs()
        .enable_opus(true, false)
        .set_extension_map(extensions)
        .set_rtp_mode(true)
        .set_sctp_max_message_size(DATA_PACKET_BYTES_MAX as u32);
    config.set_initial_stun_rto(FIRST_CHECK_REPEATED);
    config.set_max_stun_rto(Duration::from_secs(1));
    config.set_max_stun_retransmits(20);
    config
}

fn translate(
    output: Output<Event>,
    microphone: &TrackLine,
    path: &mut Path,
    channels: &mut Channels,
    now: Instant,
    sink: &mut dyn FnMut(Output<PeerEvent>),
) {
    let event = match output {
        Output::Transmit(transmit) => {
            path.sent(&transmit, now);
            return sink(Output::Transmit(transmit));
        }
        Output::Event(event) => event,
    };
    let translated = match event {
        Event::Connected => PeerEvent::Connected,
        Event::IceConnectionStateChange(state) => match path.changed(state, now) {
            Some(change) => change.into(),
            None => return,
        },
        // The rate of the microphone follows the reports; that of the other tracks is fixed.
        Event::MediaEgressStats(stats) if !microphone.is(stats.mid) => return,
        Event::MediaEgressStats(stats) => {
            PeerEvent::Feedback { loss_permille: (stats.loss.unwrap_or(0.0).clamp(0.0, 1.0) * 1000.0) as u32 }
        }
        Event::ChannelOpen(id, label) => match channels.opened(id, &label) {
            Some(channel) => PeerEvent::ChannelOpen(channel),
            None => return,
        },
        Event::ChannelData(data) => match channels.of(data.id) {
            Some(channel) => PeerEvent::Data(channel, data.data),
            None => return,
        },
        Event::ChannelClose(id) => return channels.closed(id),
        Event::Closed => PeerEvent::Closed,
        _ => return,
    };
    sink(Output::Event(translated));
}
