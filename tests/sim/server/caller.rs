//! A caller made of bare str0m, to try the server with before any real client meets it.
//!
//! It joins, publishes one track of made-up packets, subscribes to every sound it hears of, and writes down what arrives.

use crate::clock::Clock;
use crate::link::{Datagram, Link, Quality};
use crate::random::Random;
use crate::server::token::Claims;
use crate::server::{ConnectionId, Sfu};
use livekit_protocol::signal_request::Message as Request;
use livekit_protocol::signal_response::Message;
use livekit_protocol::{
    AddTrackRequest, ParticipantInfo, SessionDescription, SignalRequest, SignalResponse, SignalTarget,
    TrackSource, TrickleRequest, UpdateSubscription,
};
use prost::Message as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension, ExtensionMap, ExtensionValues, RtpWrite, SeqNo};
use str0m::{Candidate, Event, Input, Output, Rtc};

/// One way of every path, in milliseconds.
pub const DELAY_MS: u64 = 5;

/// A packet that a caller received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub at: Instant,
    pub ssrc: u32,
    pub sequence: u64,
    pub timestamp: u32,
    pub payload: Vec<u8>,
}

/// One caller.
pub struct Caller {
    pub connection: ConnectionId,
    pub messages: Vec<Message>,
    pub offers: Vec<SessionDescription>,
    pub heard: Vec<Heard>,
    pub subscribed_at: Option<Instant>,
    publisher: Peer,
    subscriber: Peer,
    pending: Option<SdpPendingOffer>,
    mid: Mid,
    sequence: u64,
    /// Candidates of the server that are held back until its first datagram arrives.
    held: Option<Vec<Candidate>>,
}

struct Peer {
    rtc: Box<Rtc>,
    address: SocketAddr,
    timeout: Instant,
    up: Link,
    down: Link,
}

/// Callers around one server, with time.
pub struct Stage {
    pub clock: Clock,
    pub sfu: Sfu,
    pub callers: Vec<Caller>,
}

impl Stage {
    pub fn new() -> Stage {
        let clock = Clock::new();
        Stage { sfu: Sfu::new(1, clock.now()), clock, callers: Vec::new() }
    }

    /// A caller dials in. `patient`: it holds the server's candidates back until the server has checked.
    pub fn call(&mut self, identity: &str, patient: bool) -> usize {
        let now = self.clock.now();
        let token = Claims::token("hall", identity);
        let connection = self.sfu.connect("protocol=16&auto_subscribe=0", &token, now).expect("let in");
        let number = self.callers.len() as u8;
        let peer = |port: u16| Peer::new(SocketAddr::from(([10, 0, 1, number], port)), now);
        let mut caller = Caller {
            connection,
            messages: Vec::new(),
            offers: Vec::new(),
            heard: Vec::new(),
            subscribed_at: None,
            publisher: peer(1),
            subscriber: peer(2),
            pending: None,
            mid: Mid::from("none"),
            sequence: 1000,
            held: patient.then(Vec::new),
        };
        caller.publish(&mut self.sfu, now);
        self.callers.push(caller);
        self.callers.len() - 1
    }

    /// Lets everything happen that happens in the next `ms` milliseconds. Callers in `talking` send a packet each 20 ms.
    pub fn run(&mut self, ms: u64, talking: &[usize]) {
        let end = self.clock.now() + Duration::from_millis(ms);
        let mut tick = self.clock.now();
        while self.clock.now() <= end {
            let now = self.clock.now();
            if tick <= now {
                talking.iter().for_each(|&talker| self.callers[talker].talk(now));
                tick = now + Duration::from_millis(20);
            }
            self.sfu.handle_timeout(now);
            for caller in &mut self.callers {
                caller.step(&mut self.sfu, now);
            }
            while let Some(datagram) = self.sfu.poll_transmit() {
                let mut peers = self.callers.iter_mut().flat_map(|c| [&mut c.publisher, &mut c.subscriber]);
                if let Some(peer) = peers.find(|peer| peer.address == datagram.destination) {
                    peer.down.send(datagram, now);
                }
            }
            let callers = self.callers.iter().filter_map(Caller::poll_timeout);
            let next = callers.chain(self.sfu.poll_timeout()).chain([tick]).min().unwrap_or(end);
            // Signal messages need no time of their own here, so a turn may follow at the same instant.
            self.clock.advance_to(next.max(now + Duration::from_micros(50)));
        }
    }

    /// Sends a signal message of a caller.
    pub fn ask(&mut self, caller: usize, request: Request) {
        ask(&mut self.sfu, self.callers[caller].connection, request, self.clock.now());
    }
}

impl Caller {
    /// The name of each message received so far, in order.
    pub fn message_names(&self) -> Vec<&'static str> {
        self.messages.iter().map(name).collect()
    }

    fn publish(&mut self, sfu: &mut Sfu, now: Instant) {
        let add = AddTrackRequest {
            cid: "cid".to_string(),
            name: "mic".to_string(),
            source: TrackSource::Microphone.into(),
            ..AddTrackRequest::default()
        };
        ask(sfu, self.connection, Request::AddTrack(add), now);
        let mut changes = self.publisher.rtc.sdp_api();
        let (stream, track) = (Some("stream".to_string()), Some("cid".to_string()));
        self.mid = changes.add_media(MediaKind::Audio, Direction::SendOnly, stream, track, None);
        let (offer, pending) = changes.apply().expect("something to offer");
        self.pending = Some(pending);
        let offer = SessionDescription {
            r#type: "offer".to_string(),
            sdp: offer.to_sdp_string(),
            id: 1,
            ..SessionDescription::default()
        };
        ask(sfu, self.connection, Request::Offer(offer), now);
    }

    fn talk(&mut self, now: Instant) {
        if !self.publisher.rtc.is_connected() {
            return;
        }
        let payload = self.sequence.to_be_bytes().to_vec();
        let timestamp = self.sequence as u32 * 960;
        let level = ExtensionValues {
            audio_level: Some(-20),
            voice_activity: Some(true),
            ..ExtensionValues::default()
        };
        if let Some(stream) = self.publisher.rtc.direct_api().stream_tx_by_mid(self.mid, None) {
            let packet = RtpWrite::new(Pt::from(111), SeqNo::from(self.sequence), timestamp, now, payload);
            stream.write_rtp(packet.ext_vals(level));
            self.sequence += 1;
        }
        self.publisher.timeout = now;
    }

    fn step(&mut self, sfu: &mut Sfu, now: Instant) {
        while let Some(bytes) = sfu.poll_message(self.connection) {
            let message =
                SignalResponse::decode(bytes.as_slice()).expect("the server writes protobuf").message;
            let message = message.expect("no empty message");
            self.take(&message, sfu, now);
            self.messages.push(message);
        }
        if let Some(held) =
            self.held.take_if(|_| self.subscriber.down.poll_timeout().is_some_and(|due| due <= now))
        {
            held.into_iter().for_each(|candidate| self.subscriber.rtc.add_remote_candidate(candidate));
            self.subscriber.timeout = now;
        }
        self.publisher.step(sfu, now, |_| {});
        let heard = &mut self.heard;
        let subscribed_at = &mut self.subscribed_at;
        self.subscriber.step(sfu, now, |event| match event {
            Event::Connected => *subscribed_at = Some(now),
            Event::RtpPacket(packet) => heard.push(Heard {
                at: now,
                ssrc: *packet.header.ssrc,
                sequence: *packet.seq_no,
                timestamp: packet.header.timestamp,
                payload: packet.payload.to_vec(),
            }),
            _ => {}
        });
    }

    fn take(&mut self, message: &Message, sfu: &mut Sfu, now: Instant) {
        match message {
            Message::Join(join) => {
                join.other_participants.iter().for_each(|other| self.subscribe(other, sfu, now));
            }
            Message::Update(update) => {
                update.participants.iter().for_each(|other| self.subscribe(other, sfu, now))
            }
            Message::Offer(offer) => {
                let sdp = SdpOffer::from_sdp_string(&offer.sdp).expect("an offer");
                let answer = self.subscriber.rtc.sdp_api().accept_offer(sdp).expect("an acceptable offer");
                self.subscriber.timeout = now;
                let answer = SessionDescription {
                    r#type: "answer".to_string(),
                    sdp: answer.to_sdp_string(),
                    id: offer.id,
                    ..SessionDescription::default()
                };
                ask(sfu, self.connection, Request::Answer(answer), now);
                self.offers.push(offer.clone());
            }
            Message::Answer(answer) => {
                let sdp = SdpAnswer::from_sdp_string(&answer.sdp).expect("an answer");
                let pending = self.pending.take().expect("an offer before it");
                self.publisher.rtc.sdp_api().accept_answer(pending, sdp).expect("an acceptable answer");
                self.publisher.timeout = now;
            }
            Message::Trickle(trickle) => self.trickle(trickle, now),
            _ => {}
        }
    }

    fn trickle(&mut self, trickle: &TrickleRequest, now: Instant) {
        let init: serde_json::Value = serde_json::from_str(&trickle.candidate_init).expect("JSON");
        let line = init["candidate"].as_str().expect("a candidate");
        let candidate = Candidate::from_sdp_string(line).expect("a good candidate");
        match (trickle.target(), &mut self.held) {
            (SignalTarget::Subscriber, Some(held)) => held.push(candidate),
            (SignalTarget::Subscriber, None) => self.subscriber.rtc.add_remote_candidate(candidate),
            (SignalTarget::Publisher, _) => self.publisher.rtc.add_remote_candidate(candidate),
        }
        (self.publisher.timeout, self.subscriber.timeout) = (now, now);
    }

    fn subscribe(&self, other: &ParticipantInfo, sfu: &mut Sfu, now: Instant) {
        let track_sids: Vec<String> = other.tracks.iter().map(|track| track.sid.clone()).collect();
        // One's own tracks are in updates too; the server says that it does not find them.
        if !track_sids.is_empty() && !self.is_self(other) {
            let update = UpdateSubscription { track_sids, subscribe: true, participant_tracks: Vec::new() };
            ask(sfu, self.connection, Request::Subscription(update), now);
        }
    }

    fn is_self(&self, other: &ParticipantInfo) -> bool {
        let Some(Message::Join(join)) = self.messages.first() else { return false };
        join.participant.as_ref().is_some_and(|own| own.sid == other.sid)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let peers = [&self.publisher, &self.subscriber];
        peers
            .iter()
            .flat_map(|p| [Some(p.timeout), p.up.poll_timeout(), p.down.poll_timeout()])
            .flatten()
            .min()
    }
}

impl Peer {
    fn new(address: SocketAddr, now: Instant) -> Peer {
        let mut extensions = ExtensionMap::empty();
        extensions.set(1, Extension::AudioLevel);
        extensions.set(4, Extension::RtpMid);
        let config = Rtc::builder().set_rtp_mode(true).clear_codecs().enable_opus(true, false);
        let mut rtc = config.set_extension_map(extensions).build(now);
        rtc.add_local_candidate(Candidate::host(address, "udp").expect("an address"));
        let link = || Link::new(Quality::delay(DELAY_MS as f64), Random::new(1));
        Peer { rtc: Box::new(rtc), address, timeout: now, up: link(), down: link() }
    }

    fn step(&mut self, sfu: &mut Sfu, now: Instant, mut event: impl FnMut(Event)) {
        while let Some(datagram) = self.up.receive(now) {
            sfu.handle_datagram(datagram, now);
        }
        while let Some(datagram) = self.down.receive(now) {
            let receive = Receive::new(Protocol::Udp, datagram.source, datagram.destination, &datagram.bytes);
            let input = Input::Receive(now, receive.expect("a WebRTC datagram"));
            if self.rtc.accepts(&input) {
                self.rtc.handle_input(input).expect("a healthy caller");
            }
            self.drain(now, &mut event);
        }
        if self.timeout <= now {
            self.rtc.handle_input(Input::Timeout(now)).expect("a healthy caller");
        }
        self.drain(now, &mut event);
    }

    fn drain(&mut self, now: Instant, event: &mut impl FnMut(Event)) {
        loop {
            match self.rtc.poll_output().expect("a healthy caller") {
                Output::Timeout(timeout) => {
                    self.timeout = timeout;
                    return;
                }
                Output::Transmit(transmit) => {
                    let (source, destination) = (transmit.source, transmit.destination);
                    let bytes = transmit.contents.to_vec();
                    let protocol = kinglet::rtc::Protocol::Udp;
                    self.up.send(Datagram { protocol, source, destination, bytes }, now);
                }
                Output::Event(happened) => event(happened),
            }
        }
    }
}

fn ask(sfu: &mut Sfu, connection: ConnectionId, request: Request, now: Instant) {
    sfu.handle_message(connection, &SignalRequest { message: Some(request) }.encode_to_vec(), now);
}

fn name(message: &Message) -> &'static str {
    match message {
        Message::Join(_) => "join",
        Message::RefreshToken(_) => "refresh_token",
        Message::Offer(_) => "offer",
        Message::Answer(_) => "answer",
        Message::Trickle(_) => "trickle",
        Message::TrackPublished(_) => "track_published",
        Message::Update(_) => "update",
        Message::SubscriptionPermissionUpdate(_) => "subscription_permission_update",
        Message::TrackSubscribed(_) => "track_subscribed",
        Message::SpeakersChanged(_) => "speakers_changed",
        Message::Leave(_) => "leave",
        _ => "other",
    }
}
