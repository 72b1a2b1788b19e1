//! One peer connection of the server: a str0m `Rtc`, its one contract, and its one UDP address.
//!
//! The contract: one mutation, then time, then drain until a timeout in the future. All of it happens in
//! [`Transport::advance`], which every method calls before it returns. Whatever leaves goes through the nomination gate.

use crate::link::Datagram;
use crate::server::SERVER_ADDRESS;
use crate::server::nomination::{Gate, REFLEXIVE_WAIT, RELAY_WAIT, Stun, UNKNOWN_WAIT};
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId, Reliability};
use str0m::media::Mid;
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::{Extension, ExtensionMap, RtpPacket};
use str0m::{Candidate, Event, Input, Output, Rtc};

/// Turns of the drain loop at one instant before it counts as stuck.
const TURNS_MAX: usize = 1000;

/// What a peer connection has to say.
#[derive(Debug)]
pub enum Happening {
    /// ICE and DTLS are up.
    Connected,
    /// A data channel is open.
    ChannelOpen {
        /// Its label.
        label: String,
    },
    /// A message came over a data channel.
    Data {
        /// The channel's label.
        label: String,
        /// The message.
        bytes: Vec<u8>,
    },
    /// An RTP packet arrived on this line.
    Rtp {
        /// The line.
        mid: Mid,
        /// The packet.
        packet: Box<RtpPacket>,
    },
}

/// One peer connection.
pub struct Transport {
    rtc: Box<Rtc>,
    address: SocketAddr,
    gate: Gate,
    timeout: Instant,
    transmits: VecDeque<Datagram>,
    happenings: VecDeque<Happening>,
    /// Where clients' TCP connections came from, since the last restart; those that the server has ended.
    streams: Vec<SocketAddr>,
    ended_streams: Vec<SocketAddr>,
    /// From the next restart on only TCP candidates count, of either side (`S:rtc/transport.go:filterCandidates`).
    pub prefers_tcp: bool,
    takes_udp: bool,
    /// What the client has said of its addresses.
    waits: HashMap<SocketAddr, Duration>,
    /// By when they were opened: of several with one label the first is written to.
    channels: Vec<(ChannelId, String)>,
    /// ICE and DTLS have been up once.
    pub connected: bool,
    /// When the client was last heard on it.
    pub last_heard: Option<Instant>,
    /// Why it is of no use any more.
    pub failure: Option<String>,
}

impl Transport {
    /// Where the client publishes: it offers and is controlling.
    pub fn publisher(address: SocketAddr, now: Instant) -> Transport {
        let mut extensions = ExtensionMap::empty();
        extensions.set(1, Extension::AudioLevel);
        extensions.set(4, Extension::RtpMid);
        extensions.set(5, Extension::AbsoluteCaptureTime);
        Transport::new(address, extensions, Gate::open(), now)
    }

    /// Where the client subscribes: we offer and are controlling. The only header extension is abs-capture-time.
    pub fn subscriber(address: SocketAddr, now: Instant) -> Transport {
        let mut extensions = ExtensionMap::empty();
        extensions.set(5, Extension::AbsoluteCaptureTime);
        Transport::new(address, extensions, Gate::closed(), now)
    }

    fn new(address: SocketAddr, extensions: ExtensionMap, gate: Gate, now: Instant) -> Transport {
        let mut config = Rtc::builder()
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, true)
            .set_extension_map(extensions)
            // `S:rtc/transport.go`: dataChannelBufferSize.
            .set_sctp_max_message_size(65_535);
        // `S:rtc/transport.go`: keep-alive 2 s.
        config.set_max_stun_rto(Duration::from_secs(2));
        let mut rtc = config.build(now);
        let host = Candidate::host(address, "udp").expect("an address of our own");
        rtc.add_local_candidate(host);
        let listening = Candidate::builder().tcp().host(stream_address()).tcptype(TcpType::Passive).build();
        rtc.add_local_candidate(listening.expect("an address of our own"));
        let mut transport = Transport {
            rtc: Box::new(rtc),
            address,
            gate,
            timeout: now,
            transmits: VecDeque::new(),
            happenings: VecDeque::new(),
            streams: Vec::new(),
            ended_streams: Vec::new(),
            prefers_tcp: false,
            takes_udp: true,
            waits: HashMap::new(),
            channels: Vec::new(),
            connected: false,
            last_heard: None,
            failure: None,
        };
        transport.advance(now);
        transport
    }

    /// Whether a datagram is for it. All listen on one TCP port; there the credentials of the first check decide.
    pub fn is_for(&mut self, datagram: &Datagram) -> bool {
        match datagram.protocol {
            kinglet::rtc::Protocol::Udp => datagram.destination == self.address && self.takes_udp,
            kinglet::rtc::Protocol::Turn => false,
            kinglet::rtc::Protocol::Tcp => {
                let (source, destination) = (datagram.source, datagram.destination);
                if self.streams.contains(&source) {
                    return true;
                }
                let receive = Receive::new(Protocol::Tcp, source, destination, &datagram.bytes);
                let is_ours = receive.is_ok_and(|receive| {
                    Stun::of(&datagram.bytes).is_some()
                        && self.rtc.accepts(&Input::Receive(self.timeout, receive))
                });
                if is_ours {
                    self.streams.push(source);
                }
                is_ours
            }
        }
    }

    /// The next TCP connection that is ended.
    pub fn poll_ended_stream(&mut self) -> Option<SocketAddr> {
        self.ended_streams.pop()
    }

    /// The candidates to trickle after the description with this user name, in pion's order: UDP, then the passive
    /// TCP one that every server names.
    pub fn candidates(&self, ufrag: &str) -> Vec<String> {
        let (ip, port) = (self.address.ip(), self.address.port());
        let stream = stream_address().port();
        let udp = format!("candidate:2878742611 1 udp 2130706431 {ip} {port} typ host ufrag {ufrag}");
        let tcp = format!(
            "candidate:2545773187 1 tcp 1671430143 {ip} {stream} typ host tcptype passive ufrag {ufrag}"
        );
        if self.takes_udp { vec![udp, tcp] } else { vec![tcp] }
    }

    /// Takes an offer of the client and answers it.
    pub fn accept_offer(&mut self, sdp: &str, now: Instant) -> Result<String, String> {
        self.learn_candidates(sdp);
        let offer = SdpOffer::from_sdp_string(sdp).map_err(|error| error.to_string())?;
        let answer = self.rtc.sdp_api().accept_offer(offer).map_err(|error| error.to_string())?;
        self.advance(now);
        Ok(answer.to_sdp_string())
    }

    /// Takes the client's answer to our offer.
    pub fn accept_answer(&mut self, pending: SdpPendingOffer, sdp: &str, now: Instant) -> Result<(), String> {
        self.learn_candidates(sdp);
        let answer = SdpAnswer::from_sdp_string(sdp).map_err(|error| error.to_string())?;
        self.rtc.sdp_api().accept_answer(pending, answer).map_err(|error| error.to_string())?;
        self.gate.restarted();
        self.advance(now);
        Ok(())
    }

    /// Takes a candidate that the client trickles: the bare `candidate:…`, as pion wants it.
    pub fn add_remote_candidate(&mut self, line: &str, now: Instant) -> Result<(), String> {
        let candidate = Candidate::from_sdp_string(line).map_err(|error| error.to_string())?;
        self.learn_candidate(line);
        self.rtc.add_remote_candidate(candidate);
        self.advance(now);
        Ok(())
    }

    /// The channels that the server opens in its first offer (`transportmanager.go:createDataChannelsForSubscriber`).
    pub fn channel_configs() -> [ChannelConfig; 3] {
        let lossy = |label: &str| ChannelConfig {
            label: label.to_string(),
            ordered: false,
            reliability: Reliability::MaxRetransmits { retransmits: 0 },
            ..ChannelConfig::default()
        };
        let reliable = ChannelConfig { label: "_reliable".to_string(), ..ChannelConfig::default() };
        [reliable, lossy("_lossy"), lossy("_data_track")]
    }

    /// The `Rtc` itself, for changes; [`Transport::advance`] must follow.
    pub fn rtc(&mut self) -> &mut Rtc {
        &mut self.rtc
    }

    /// An ICE restart is being offered: from here on media is dropped until a pair is valid.
    pub fn restart(&mut self) {
        self.renew();
        self.waits.clear();
        self.gate.restart();
    }

    /// Writes to the channel of this label; false where it is not open.
    pub fn write_channel(&mut self, label: &str, bytes: &[u8], now: Instant) -> bool {
        let Some(id) = self.channels.iter().find(|(_, l)| *l == label).map(|(id, _)| *id) else {
            return false;
        };
        let written = self
            .rtc
            .channel(id)
            .is_some_and(|mut channel| channel.write(true, bytes).is_ok_and(|written| written));
        self.advance(now);
        written
    }

    /// Ends the peer connection: DTLS close_notify goes out.
    pub fn close(&mut self, now: Instant) {
        if let Err(error) = self.rtc.close() {
            self.failure = Some(error.to_string());
        }
        self.advance(now);
    }

    /// ICE begins anew: the TCP connections of before are ended.
    pub fn renew(&mut self) {
        self.takes_udp = !self.prefers_tcp;
        self.ended_streams.append(&mut self.streams);
    }

    /// A datagram for our address.
    pub fn handle_datagram(&mut self, datagram: &Datagram, now: Instant) {
        let Datagram { protocol, source, destination, bytes } = datagram;
        let (source, protocol) = (
            *source,
            match protocol {
                kinglet::rtc::Protocol::Udp => Protocol::Udp,
                kinglet::rtc::Protocol::Tcp | kinglet::rtc::Protocol::Turn => Protocol::Tcp,
            },
        );
        let Ok(receive) = Receive::new(protocol, source, *destination, bytes) else { return };
        let input = Input::Receive(now, receive);
        if self.failure.is_some() || !self.rtc.accepts(&input) {
            return;
        }
        self.last_heard = Some(now);
        if let Err(error) = self.rtc.handle_input(input) {
            self.failure = Some(error.to_string());
        }
        // str0m paces its checks at 50 ms; pion reacts at once, so time is given to it now, not when it asks. What it
        // has to say must be in the gate before the gate judges what came in.
        self.advance(now);
        self.advance(now);
        let wait = wait_of(&self.waits, source);
        self.gate.incoming(bytes, source, wait, now, &mut self.transmits);
    }

    /// When time must be told.
    pub fn poll_timeout(&self) -> Instant {
        let tick = self.gate.poll_timeout(|address| wait_of(&self.waits, address));
        tick.map_or(self.timeout, |tick| tick.min(self.timeout))
    }

    /// Tells time, drains everything.
    pub fn advance(&mut self, now: Instant) {
        self.gate.handle_timeout(|address| wait_of(&self.waits, address), now, &mut self.transmits);
        for _ in 0..TURNS_MAX {
            if self.failure.is_some() {
                self.timeout = now + Duration::from_secs(3600);
                return;
            }
            if let Err(error) = self.rtc.handle_input(Input::Timeout(now)) {
                self.failure = Some(error.to_string());
                continue;
            }
            self.drain(now);
            if self.timeout > now {
                return;
            }
        }
        self.failure = Some("the peer connection wants the same instant again and again".to_string());
    }

    /// What happened, in order.
    pub fn poll_happening(&mut self) -> Option<Happening> {
        self.happenings.pop_front()
    }

    /// What must be sent.
    pub fn poll_transmit(&mut self) -> Option<Datagram> {
        self.transmits.pop_front()
    }

    fn drain(&mut self, now: Instant) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(timeout)) => {
                    self.timeout = timeout;
                    return;
                }
                Ok(Output::Transmit(transmit)) => {
                    let (source, destination) = (transmit.source, transmit.destination);
                    let protocol = match transmit.proto {
                        Protocol::Udp => kinglet::rtc::Protocol::Udp,
                        _ => kinglet::rtc::Protocol::Tcp,
                    };
                    let datagram =
                        Datagram { protocol, source, destination, bytes: transmit.contents.to_vec() };
                    self.gate.outgoing(datagram, now, &mut self.transmits);
                }
                Ok(Output::Event(event)) => self.note(event),
                Err(error) => {
                    self.failure = Some(error.to_string());
                    return;
                }
            }
        }
    }

    fn note(&mut self, event: Event) {
        let happening = match event {
            Event::Connected => {
                self.connected = true;
                Happening::Connected
            }
            Event::ChannelOpen(id, label) => {
                self.channels.push((id, label.clone()));
                Happening::ChannelOpen { label }
            }
            Event::ChannelData(data) => {
                let known = self.channels.iter().find(|(id, _)| *id == data.id);
                let label = known.map(|(_, label)| label.clone()).unwrap_or_default();
                Happening::Data { label, bytes: data.data }
            }
            Event::RtpPacket(packet) => {
                let ssrc = packet.header.ssrc;
                let Some(mid) = self.rtc.direct_api().stream_rx(&ssrc).map(|stream| stream.mid()) else {
                    return;
                };
                Happening::Rtp { mid, packet: Box::new(packet) }
            }
            _ => return,
        };
        self.happenings.push_back(happening);
    }

    fn learn_candidates(&mut self, sdp: &str) {
        for line in sdp.lines().filter_map(|line| line.strip_prefix("a=")) {
            self.learn_candidate(line);
        }
    }

    fn learn_candidate(&mut self, line: &str) {
        let Ok(candidate) = Candidate::from_sdp_string(line) else { return };
        let wait = match line.split(" typ ").nth(1).and_then(|rest| rest.split(' ').next()) {
            Some("host") => Duration::ZERO,
            Some("srflx") => REFLEXIVE_WAIT,
            Some("relay") => RELAY_WAIT,
            _ => UNKNOWN_WAIT,
        };
        self.waits.insert(candidate.addr(), wait);
    }
}

/// LiveKit's usual port for ICE-TCP.
fn stream_address() -> SocketAddr {
    SocketAddr::from((SERVER_ADDRESS, 7881))
}

fn wait_of(waits: &HashMap<SocketAddr, Duration>, address: SocketAddr) -> Duration {
    waits.get(&address).copied().unwrap_or(UNKNOWN_WAIT)
}
