//! The subscriber: the peer connection on which the server offers, and we hear.
//!
//! ```text
//!   offer (mid → track, SSRCs) ──► answer
//!   RTP ──► SSRC → track ──► RtpArrival { track, extended sequence and time, payload }
//! ```
//!
//! Every offer carries the complete state, so the table of streams is made again from each. The server gives the m-line
//! of a track that ended to the next one, with a new SSRC; SSRCs that are gone are removed from str0m, which would keep
//! them for ever.

use std::time::{Duration, Instant};

use str0m::Event;
use str0m::change::SdpOffer;
use str0m::media::Pt;
use str0m::rtp::Ssrc;

use super::candidates::Candidates;
use super::channels::Channels;
use super::drain::{Connection, Failure, Output};
use super::event::PeerEvent;
use super::ice::Ice;
use super::path::Path;
use super::publisher::common_config;
use super::{Datagram, sdp};
use crate::limits::{M_LINES_MAX, SSRCS_PER_LINE_MAX};
use crate::signal::sid::Sid;

/// One RTP packet of a remote track, in the order of arrival.
pub struct RtpArrival<'a> {
    /// The track it belongs to.
    pub track: Sid,
    /// Number of the stream: a new stream starts its sequence and time again.
    pub ssrc: u32,
    /// Sequence number, extended beyond 16 bits.
    pub sequence: u64,
    /// RTP time at 48 kHz, extended beyond 32 bits.
    pub rtp_time: u64,
    /// When the datagram arrived.
    pub arrival: Instant,
    /// Whether it is a RED packet (RFC 2198), with earlier packets in it.
    pub is_red: bool,
    /// The Opus packet, or the RED packet of them.
    pub payload: &'a [u8],
}

/// The peer connection that the server offers on.
pub struct Subscriber {
    connection: Connection,
    candidates: Candidates,
    channels: Channels,
    streams: heapless::Vec<RtpStream, M_LINES_MAX>,
    /// Payload type of RED, where the server takes it.
    red: Option<Pt>,
    path: Path,
    has_answered: bool,
    /// All SSRCs that the last offer has named, used or not: str0m keeps what is not taken out.
    ssrcs: heapless::Vec<u32, { M_LINES_MAX * SSRCS_PER_LINE_MAX }>,
    last_offer: String,
    last_answer: String,
    /// RTP of an SSRC that no offer named.
    unknown_packets: u32,
}

struct RtpStream {
    ssrc: u32,
    track: Sid,
}

impl Subscriber {
    /// Builds the connection.
    pub fn new(now: Instant) -> Self {
        Self {
            // With RED in the answer the server leaves the talkers' copies in; from plain Opus it takes them out.
            connection: Connection::new(common_config().enable_opus(true, true), now),
            candidates: Candidates::new(),
            channels: Channels::default(),
            streams: heapless::Vec::new(),
            red: None,
            path: Path::default(),
            has_answered: false,
            ssrcs: heapless::Vec::new(),
            last_offer: String::new(),
            last_answer: String::new(),
            unknown_packets: 0,
        }
    }

    /// Addresses, candidates, path.
    pub fn ice(&mut self) -> Ice<'_> {
        let Self { connection, candidates, path, has_answered, .. } = self;
        Ice { connection, candidates, path, is_described: *has_answered }
    }

    /// What a message to the server and its answer take; before the first offer.
    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.candidates.set_round_trip(round_trip);
    }

    /// Answers an offer. `track_of_mid` is the server's `mid_to_track_id`, asked first; `a=msid` is
    /// what older servers have.
    ///
    /// # Errors
    /// The offer cannot be answered, in words.
    pub fn answer(
        &mut self,
        text: &str,
        track_of_mid: impl Fn(&str) -> Option<Sid>,
        now: Instant,
    ) -> Result<String, Failure> {
        let description = sdp::read(text).map_err(|error| Failure(error.to_string()))?;
        let offer = SdpOffer::from_sdp_string(text).map_err(|error| Failure(error.to_string()))?;
        let answer = self
            .connection
            .rtc()
            .sdp_api()
            .accept_offer(offer)
            .map_err(|error| Failure(error.to_string()))?;
        let codecs = self.connection.rtc().codec_config();
        self.red = codecs.params().iter().find_map(|params| params.red());
        self.map_streams(&description, track_of_mid);
        if self.candidates.read(&description) {
            self.path.restart();
            self.candidates.restarted_by_server(now);
        }
        self.path.described(description.is_ice_lite);
        // An ICE-lite server never checks: there is no datagram to wait for.
        self.candidates.described(!self.has_answered && !description.is_ice_lite, now);
        self.has_answered = true;
        self.last_offer = text.to_owned();
        self.last_answer = answer.to_sdp_string();
        Ok(self.last_answer.clone())
    }

    /// The last offer and our answer to it; empty before the first.
    pub fn last_exchange(&self) -> (&str, &str) {
        (&self.last_offer, &self.last_answer)
    }

    /// The server will restart ICE: the old path is of no account any more.
    pub fn expect_restart(&mut self) {
        self.path.restart();
    }

    /// Whether ICE has a path.
    pub fn has_path(&self) -> bool {
        self.path.is_up()
    }

    /// RTP packets of streams that no offer named.
    pub fn unknown_packets(&self) -> u32 {
        self.unknown_packets
    }

    /// What a check on the path takes, smoothed.
    pub fn round_trip(&self) -> Option<Duration> {
        self.path.round_trip()
    }

    /// Whether sound can arrive.
    pub fn is_connected(&self) -> bool {
        self.connection.is_connected()
    }

    /// Tracks that the last offer carries.
    pub fn tracks(&self) -> impl Iterator<Item = Sid> {
        self.streams.iter().map(|stream| stream.track)
    }

    /// Lets time pass. Also due after `answer` and a change of `ice`.
    ///
    /// # Errors
    /// The connection is dead.
    pub fn advance(
        &mut self,
        now: Instant,
        sink: &mut dyn FnMut(Output<PeerEvent>),
        packets: &mut dyn FnMut(RtpArrival<'_>),
    ) -> Result<(), Failure> {
        while let Some(candidate) = self.candidates.poll(now) {
            self.connection.rtc().add_remote_candidate(candidate);
        }
        let Self { connection, streams, red, path, channels, unknown_packets, .. } = self;
        if let Some(change) = path.handle_timeout(now) {
            sink(Output::Event(change.into()));
        }
        let mut translator =
            Translator { streams, red: *red, path, channels, unknown_packets, now, sink, packets };
        connection.advance(now, &mut |output| translator.take(output))
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
        packets: &mut dyn FnMut(RtpArrival<'_>),
    ) -> Result<bool, Failure> {
        let Some(admitted) = self.connection.admit(&datagram, now) else { return Ok(false) };
        let Self { connection, streams, red, path, channels, unknown_packets, .. } = self;
        if let (Some(change), _) = path.received(&datagram, now) {
            sink(Output::Event(change.into()));
        }
        let mut translator =
            Translator { streams, red: *red, path, channels, unknown_packets, now, sink, packets };
        connection.receive(admitted, now, &mut |output| translator.take(output))?;
        Ok(true)
    }

    /// When `advance` is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        // A connection that has failed wants nothing any more.
        let connection = self.connection.poll_timeout()?;
        [self.candidates.poll_timeout(), self.path.poll_timeout()]
            .into_iter()
            .flatten()
            .chain([connection])
            .min()
    }

    fn map_streams(
        &mut self,
        description: &sdp::Description<'_>,
        track_of_mid: impl Fn(&str) -> Option<Sid>,
    ) {
        self.streams.clear();
        for line in description.lines.iter().filter(|line| line.is_audio && line.is_sending) {
            let track = track_of_mid(line.mid).or_else(|| Sid::new(line.track));
            let (Some(track), Some(&ssrc)) = (track, line.ssrcs.first()) else { continue };
            // As many places as m-lines are read, so it always fits.
            let _ = self.streams.push(RtpStream { ssrc, track });
        }
        let before = std::mem::take(&mut self.ssrcs);
        // As many places as are read of a description.
        self.ssrcs.extend(description.lines.iter().flat_map(|line| line.ssrcs.iter().copied()));
        for gone in before.iter().filter(|old| !self.ssrcs.contains(old)) {
            self.connection.rtc().direct_api().remove_stream_rx(Ssrc::from(*gone));
        }
    }
}

/// str0m's events → ours, with what that needs of the subscriber while str0m is borrowed.
struct Translator<'t> {
    streams: &'t [RtpStream],
    red: Option<Pt>,
    path: &'t mut Path,
    channels: &'t mut Channels,
    unknown_packets: &'t mut u32,
    now: Instant,
    sink: &'t mut dyn FnMut(Output<PeerEvent>),
    packets: &'t mut dyn FnMut(RtpArrival<'_>),
}

impl Translator<'_> {
    fn take(&mut self, output: Output<Event>) {
        let event = match output {
            Output::Transmit(transmit) => {
                self.path.sent(&transmit, self.now);
                return (self.sink)(Output::Transmit(transmit));
            }
            Output::Event(event) => event,
        };
        let translated = match event {
            Event::RtpPacket(packet) => {
                let ssrc = *packet.header.ssrc;
                let Some(stream) = self.streams.iter().find(|stream| stream.ssrc == ssrc) else {
                    *self.unknown_packets += 1;
                    return;
                };
                return (self.packets)(RtpArrival {
                    track: stream.track,
                    ssrc,
                    sequence: *packet.seq_no,
                    rtp_time: packet.time.numer(),
                    arrival: packet.timestamp,
                    is_red: self.red == Some(packet.header.payload_type),
                    payload: &packet.payload,
                });
            }
            Event::Connected => PeerEvent::Connected,
            Event::IceConnectionStateChange(state) => match self.path.changed(state, self.now) {
                Some(change) => change.into(),
                None => return,
            },
            Event::ChannelOpen(id, label) => {
                self.channels.opened(id, &label);
                return;
            }
            Event::ChannelData(data) => match self.channels.of(data.id) {
                Some(channel) => PeerEvent::Data(channel, data.data),
                None => return,
            },
            Event::ChannelClose(id) => return self.channels.closed(id),
            Event::Closed => PeerEvent::Closed,
            _ => return,
        };
        (self.sink)(Output::Event(translated));
    }
}
