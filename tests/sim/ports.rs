//! Everything outside the engine, simulated: a sound card, an address with UDP ports and TCP connections for datagrams, and one
//! WebSocket over TCP.

use crate::acoustics::Air;
use crate::alloc::meter::Meter;
use crate::card::{Loudspeaker, Microphone};
use crate::client::Setup;
use crate::cloud::Cloud;
use crate::disk::Disk;
use crate::link::{Datagram, Link, Pipe};
use crate::nat::Nat;
use crate::random::Random;
use crate::server::ConnectionId;
use kinglet::engine::port::{Action, Notice, StreamNotice};
use kinglet::engine::turn::{Arrived, Ports};
use kinglet::limits::LOCAL_ADDRESSES_MAX;
use kinglet::media::block::Block;
use kinglet::rtc::{Peer, Protocol, Transmit};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// A SYN that is not answered is repeated after this; the next repetition comes after the patience is over.
const SYN_REPEATED: Duration = Duration::from_secs(1);
/// `io::tcp`: an address is given this long.
const SYN_PATIENCE: Duration = Duration::from_secs(2);

/// What a client does to its WebSocket, in the order of TCP. The number says which connection.
#[derive(Debug)]
pub enum ToServer {
    /// A TCP SYN.
    Connect(u64),
    /// The upgrade request.
    Upgrade {
        /// Which connection.
        number: u64,
        /// Path and query.
        target: String,
        /// The bearer token.
        token: String,
    },
    /// One message.
    Message(u64, Vec<u8>),
    /// The end of the connection.
    Close(u64),
}

/// What a client meets on its WebSocket.
#[derive(Debug)]
pub struct ToClient {
    /// Which connection.
    pub number: u64,
    /// What is met.
    pub notice: Notice,
}

/// Everything outside the engine, simulated.
pub struct SimulatedPorts {
    /// The card's capturing direction.
    pub microphone: Option<Microphone>,
    /// The card's playing direction.
    pub loudspeaker: Loudspeaker,
    /// What is between them.
    air: Option<Air>,
    /// Whether both cards are pulled out.
    pub(super) is_unplugged: bool,
    /// Datagrams to the server.
    pub up: Link,
    /// Datagrams from the server.
    pub down: Link,
    /// The TCP connections for datagrams, to the server: all of them in one pipe, told apart by our port.
    pub stream_up: Pipe<Datagram>,
    /// The same, from the server.
    pub stream_down: Pipe<Datagram>,
    /// What becomes of those connections.
    pub stream_changes: Pipe<(SocketAddr, StreamNotice)>,
    /// The WebSocket, to the server.
    pub signal_up: Pipe<ToServer>,
    /// The WebSocket, from the server.
    pub signal_down: Pipe<ToClient>,
    /// The server's name for the WebSocket, once it is upgraded.
    pub connection: Option<(u64, ConnectionId)>,
    pub(super) now: Instant,
    pub(super) address: IpAddr,
    next_port: u16,
    sockets: Vec<(Peer, SocketAddr)>,
    streams: Vec<(Peer, SocketAddr)>,
    changed: VecDeque<StreamNotice>,
    arrived: VecDeque<Datagram>,
    notices: VecDeque<Notice>,
    dials: u64,
    is_dialled: bool,
    upgrade: Option<(String, String)>,
    pub(super) wants_token: bool,
    pub(super) lookups: VecDeque<(String, u16)>,
    /// The router that it is behind.
    pub nat: Option<Nat>,
    /// A firewall lets nothing but UDP to this address and back, and the WebSocket.
    pub only_to: Option<SocketAddr>,
    /// The servers' names.
    pub cloud: Cloud,
    /// Its files.
    pub disk: Disk,
    syn: Option<Syn>,
    /// Whether the memory that its engine takes is metered.
    pub is_metered: bool,
    /// The last check of the server that arrived.
    pub last_check: Option<Vec<u8>>,
    /// Since the last look at it, the longest time between two audio packets that arrived, and the last of them.
    audio_gap: (Duration, Option<Instant>),
    /// What carried the last datagram of each peer connection that was no check.
    carriers: [Protocol; 2],
}

/// A connection that nothing has answered yet.
#[derive(Debug, Clone, Copy)]
struct Syn {
    sent_at: Instant,
    is_repeated: bool,
}

impl SimulatedPorts {
    /// Those of a client at 10.0.1.`number`.
    pub fn new(setup: &Setup<'_>, number: u8, random: &mut Random, now: Instant) -> SimulatedPorts {
        SimulatedPorts {
            microphone: setup.sound.map(|sound| Microphone::new(sound, setup.ppm, now)),
            loudspeaker: Loudspeaker::new(setup.loudspeaker_ppm.unwrap_or(setup.ppm), now)
                .with_ahead_ms(setup.ahead_ms),
            air: setup.air.map(|(place, gain)| Air::new(place, gain)),
            is_unplugged: false,
            up: Link::new(setup.up, random.fork("up")),
            down: Link::new(setup.down, random.fork("down")),
            stream_up: Pipe::new(setup.up.delay_ms),
            stream_down: Pipe::new(setup.down.delay_ms),
            stream_changes: Pipe::new(setup.up.delay_ms + setup.down.delay_ms),
            signal_up: Pipe::new(setup.up.delay_ms),
            signal_down: Pipe::new(setup.down.delay_ms),
            connection: None,
            now,
            address: IpAddr::from([10, 0, 1, number]),
            next_port: 40_000,
            sockets: Vec::new(),
            streams: Vec::new(),
            changed: VecDeque::new(),
            arrived: VecDeque::new(),
            notices: VecDeque::new(),
            dials: 0,
            is_dialled: false,
            upgrade: None,
            wants_token: false,
            lookups: VecDeque::new(),
            nat: None,
            only_to: None,
            cloud: Cloud::default(),
            disk: Disk::default(),
            syn: None,
            is_metered: false,
            last_check: None,
            audio_gap: (Duration::ZERO, None),
            carriers: [Protocol::Udp; 2],
        }
    }

    /// Whether an address is this client's.
    pub fn is_at(&self, address: SocketAddr) -> bool {
        match &self.nat {
            Some(nat) => nat.is_at(address),
            None => address.ip() == self.address,
        }
    }

    /// A firewall lets UDP through, or not.
    pub fn set_udp(&mut self, passes: bool) {
        self.up.set_up(passes);
        self.down.set_up(passes);
    }

    /// The old address is gone, with everything that was bound to it and without a word to anybody.
    pub(super) fn move_to(&mut self, address: IpAddr) {
        self.address = address;
        self.is_dialled = false;
        self.connection = None;
        self.streams.clear();
    }

    /// The server ends a TCP connection for datagrams.
    pub fn end_stream(&mut self, address: SocketAddr, now: Instant) {
        if let Some(&(peer, _)) = self.streams.iter().find(|(_, local)| *local == address) {
            self.stream_changes.send((address, StreamNotice::Closed { peer, protocol: Protocol::Tcp }), now);
        }
    }

    /// Plugs the whole network in or out.
    pub fn set_network(&mut self, up: bool, now: Instant) {
        self.set_udp(up);
        self.stream_up.set_up(up, now);
        self.stream_down.set_up(up, now);
        self.stream_changes.set_up(up, now);
        self.signal_up.set_up(up, now);
        self.signal_down.set_up(up, now);
    }

    /// What a server that is not ours might say.
    pub fn inject(&mut self, message: Vec<u8>) {
        self.notices.push_back(Notice::Message(message));
    }

    /// What anybody might send to a port of this client's `peer`.
    pub fn inject_datagram(&mut self, peer: Peer, source: SocketAddr, bytes: Vec<u8>) {
        let to = self.sockets.iter().find(|(other, _)| *other == peer).map(|(_, address)| *address);
        if let Some(destination) = to {
            self.arrived.push_back(Datagram { protocol: Protocol::Udp, source, destination, bytes });
        }
    }

    /// What carried the last datagram that each peer connection sent, checks left out.
    pub fn carriers(&self) -> [Protocol; 2] {
        self.carriers
    }

    /// The longest time between two audio packets that arrived since the last call.
    pub fn take_audio_gap(&mut self) -> Duration {
        std::mem::take(&mut self.audio_gap).0
    }

    /// Takes what has come by now.
    pub(super) fn receive(&mut self, now: Instant) {
        self.repeat_syn(now);
        while let Some(mut datagram) = self.down.receive(now) {
            if self.nat.as_ref().is_some_and(|nat| !nat.inbound(&mut datagram)) {
                continue;
            }
            // RFC 8489 §5: a binding request.
            if datagram.bytes.starts_with(&[0, 1]) {
                self.last_check = Some(datagram.bytes.clone());
            }
            // RFC 7983, RFC 5761: RTP, and not RTCP.
            if matches!(datagram.bytes[..], [128..=191, 0..=127 | 224.., ..]) {
                let gap = self.audio_gap.1.map_or(Duration::ZERO, |last| now - last);
                self.audio_gap = (self.audio_gap.0.max(gap), Some(now));
            }
            self.arrived.push_back(datagram);
        }
        while let Some(datagram) = self.stream_down.receive(now) {
            self.arrived.push_back(datagram);
        }
        while let Some((address, notice)) = self.stream_changes.receive(now) {
            if !self.streams.iter().any(|(_, local)| *local == address) {
                continue;
            }
            if matches!(notice, StreamNotice::Closed { .. }) {
                self.streams.retain(|(_, local)| *local != address);
            }
            self.changed.push_back(notice);
        }
        while let Some(ToClient { number, notice }) = self.signal_down.receive(now) {
            // In a slow network both SYNs are answered.
            let is_second_answer = matches!(notice, Notice::Reached) && self.upgrade.is_none();
            if number != self.dials || !self.is_dialled || is_second_answer {
                continue;
            }
            self.syn = None;
            // The handshake's second half: TCP is up, so the upgrade goes out.
            if let (Notice::Reached, Some((target, token))) = (&notice, self.upgrade.take()) {
                self.signal_up.send(ToServer::Upgrade { number, target, token }, now);
            }
            self.is_dialled = matches!(notice, Notice::Reached | Notice::Opened | Notice::Message(_));
            self.notices.push_back(notice);
        }
    }

    /// When what it said last has left.
    pub fn last_words(&self) -> Option<Instant> {
        [self.up.poll_timeout(), self.signal_up.poll_timeout()].into_iter().flatten().min()
    }

    /// When something happens outside of its engine.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let syn = self.syn.map(Syn::poll_timeout);
        let network = [self.up.poll_timeout(), self.down.poll_timeout()];
        let signal = [self.signal_up.poll_timeout(), self.signal_down.poll_timeout()];
        let streams = [self.stream_up.poll_timeout(), self.stream_down.poll_timeout()];
        let changes = [self.stream_changes.poll_timeout()];
        let card =
            [self.microphone.as_ref().map(Microphone::poll_timeout), Some(self.loudspeaker.poll_timeout())]
                .map(|due| due.filter(|_| !self.is_unplugged));
        network
            .into_iter()
            .chain(signal)
            .chain(streams)
            .chain(changes)
            .chain(card)
            .chain([syn])
            .flatten()
            .min()
    }
}

impl Ports for SimulatedPorts {
    fn wanted(&mut self, now: Instant) -> usize {
        if self.is_unplugged { 0 } else { self.loudspeaker.wanted(now) }
    }

    fn play(&mut self, block: &Block, _now: Instant) {
        Meter::aside(|| self.loudspeaker.play(*block));
    }

    fn captured(&mut self, block: &mut Block, now: Instant) -> bool {
        let is_due = |microphone: &&mut Microphone| microphone.poll_timeout() <= now;
        let Some(microphone) = self.microphone.as_mut().filter(is_due).filter(|_| !self.is_unplugged) else {
            return false;
        };
        let (at, is_deaf) = (microphone.poll_timeout(), microphone.is_deaf());
        *block = microphone.capture();
        if let Some(air) = &mut self.air {
            let mut heard = *block;
            air.carry(&self.loudspeaker, microphone, at, &mut heard);
            *block = if is_deaf { Block::SILENCE } else { heard };
        }
        true
    }

    /// A block of the microphone is taken as soon as it is complete, so that nothing waits behind it.
    fn lag(&mut self) -> Option<f32> {
        let waiting = self.loudspeaker.waiting_samples(self.now);
        (self.air.is_some() || self.loudspeaker.has_buffer()).then_some(waiting)
    }

    fn received(&mut self, buffer: &mut [u8]) -> Option<Arrived> {
        while let Some(Datagram { protocol, source, destination, bytes }) = self.arrived.pop_front() {
            let open = match protocol {
                Protocol::Udp => &self.sockets,
                Protocol::Tcp | Protocol::Turn => &self.streams,
            };
            // To a port that is closed: nobody hears it.
            let Some(&(peer, _)) = open.iter().find(|(_, address)| *address == destination) else {
                continue;
            };
            buffer[..bytes.len()].copy_from_slice(&bytes);
            let (len, arrival) = (bytes.len(), self.now);
            return Some(Arrived { peer, protocol, source, destination, len, arrival });
        }
        None
    }

    fn stream_changed(&mut self) -> Option<StreamNotice> {
        self.changed.pop_front()
    }

    fn noticed(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    fn transmit(&mut self, peer: Peer, transmit: &Transmit) {
        if transmit.bytes().first().is_some_and(|first| *first > 3) {
            self.carriers[peer as usize] = transmit.protocol;
        }
        let (protocol, source, destination) = (transmit.protocol, transmit.source, transmit.destination);
        let mut datagram = Datagram { protocol, source, destination, bytes: transmit.bytes().to_vec() };
        match protocol {
            Protocol::Udp if self.only_to.is_some_and(|only| only != destination) => {}
            Protocol::Udp if source.ip() == self.address => {
                if let Some(nat) = &mut self.nat {
                    nat.outbound(&mut datagram);
                }
                self.up.send(datagram, self.now);
            }
            Protocol::Udp => {}
            Protocol::Tcp if self.streams.iter().any(|(_, local)| *local == source) => {
                self.stream_up.send(datagram, self.now);
            }
            Protocol::Tcp | Protocol::Turn => {}
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Dial { url, target, token } => {
                self.hang_up();
                self.dials += 1;
                self.is_dialled = true;
                self.cloud.dialled.push(url.host());
                self.upgrade = Some((target, token.reveal().to_string()));
                self.syn = Some(Syn { sent_at: self.now, is_repeated: false });
                self.send_syn(self.now);
            }
            Action::Send(bytes) => self.signal_up.send(ToServer::Message(self.dials, bytes), self.now),
            Action::HangUp => self.signal_up.send(ToServer::Close(self.dials), self.now),
            Action::AskRegions { .. } => self.cloud.ask(),
            Action::RenewToken => self.wants_token = true,
            Action::Resolve { host, port } => self.lookups.push_back((host, port)),
            Action::File(key, order) => self.disk.order(key, order),
            Action::Drop => self.hang_up(),
            Action::CloseSockets(peer) => {
                self.sockets.retain(|(other, _)| *other != peer);
                self.streams.retain(|(other, _)| *other != peer);
            }
            Action::CloseStream(peer, Protocol::Tcp) => self.streams.retain(|(other, _)| *other != peer),
            // There is no TURN server that listens for connections.
            // Its connections take what they are given at once.
            Action::CloseStream(..) | Action::DialRelay { .. } | Action::DiscardSound(_) => {}
            Action::DialStream(..) if self.only_to.is_some() => {}
            Action::DialStream(peer, _) => {
                self.streams.retain(|(other, _)| *other != peer);
                self.next_port += 1;
                let local = SocketAddr::new(self.address, self.next_port);
                self.streams.push((peer, local));
                self.stream_changes
                    .send((local, StreamNotice::Opened { peer, protocol: Protocol::Tcp, local }), self.now);
            }
            Action::LoadRecording { ticket, .. } => self.disk.loading.push_back(ticket),
            // `turn` answers it by `open_sockets`.
            Action::OpenSockets(_) => {}
        }
    }

    fn open_sockets(&mut self, peer: Peer) -> heapless::Vec<SocketAddr, LOCAL_ADDRESSES_MAX> {
        // Sockets of an address that is still ours stay.
        let ip = self.address;
        self.sockets.retain(|(other, address)| *other != peer || address.ip() == ip);
        if let Some(&(_, address)) = self.sockets.iter().find(|(other, _)| *other == peer) {
            return [address].into_iter().collect();
        }
        self.next_port += 1;
        let address = SocketAddr::new(ip, self.next_port);
        self.sockets.push((peer, address));
        [address].into_iter().collect()
    }
}

impl Syn {
    fn poll_timeout(self) -> Instant {
        self.sent_at + if self.is_repeated { SYN_PATIENCE } else { SYN_REPEATED }
    }
}

impl SimulatedPorts {
    /// In a network that is down a SYN is lost, not held.
    fn send_syn(&mut self, now: Instant) {
        if self.signal_up.is_up() {
            self.signal_up.send(ToServer::Connect(self.dials), now);
        }
    }

    fn repeat_syn(&mut self, now: Instant) {
        let Some(syn) = self.syn.filter(|syn| syn.poll_timeout() <= now) else { return };
        if syn.is_repeated {
            self.syn = None;
            self.is_dialled = false;
            self.notices.push_back(Notice::Unreachable("cannot connect: no answer".to_string()));
        } else {
            self.syn = Some(Syn { is_repeated: true, ..syn });
            self.send_syn(now);
        }
    }

    fn hang_up(&mut self) {
        self.syn = None;
        if std::mem::take(&mut self.is_dialled) {
            self.signal_up.send(ToServer::Close(self.dials), self.now);
        }
        self.notices.clear();
    }
}
