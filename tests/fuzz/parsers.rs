//! Parsers of bytes from outside, a body for each: no panic, and what is bounded by a limit is within it.

use std::net::SocketAddr;
use std::time::Instant;

use kinglet::command::line;
use kinglet::data::packet::Packet;
use kinglet::limits::{DATAGRAM_BYTES_MAX, PARTICIPANTS_PER_MESSAGE_MAX, REGIONS_MAX, SERVER_TEXT_BYTES_MAX};
use kinglet::rtc::framing::Deframer;
use kinglet::rtc::{BindingResult, Bindings, Datagram, Protocol, Publisher, Relay, RelayServer, Subscriber};
use kinglet::signal::endpoint::{self, EndpointUrl};
use kinglet::signal::ice_url::IceUrl;
use kinglet::signal::refusal::Refusal;
use kinglet::signal::regions::Regions;
use kinglet::signal::response::{self, Response};
use kinglet::signal::secret::Secret;
use kinglet::signal::token;
use kinglet::signal::url::ServerUrl;

#[allow(clippy::disallowed_methods, reason = "the connections want an instant to count from")]
pub fn now() -> Instant {
    Instant::now()
}

/// One binary WebSocket message.
pub fn signal_response(bytes: &[u8]) {
    let Ok(decoded) = response::decode(bytes) else { return };
    if let Response::Update(participants) = decoded.response {
        assert!(participants.len() <= PARTICIPANTS_PER_MESSAGE_MAX);
    }
}

/// The server's offer.
pub fn subscriber_offer(bytes: &[u8]) {
    let mut subscriber = Subscriber::new(now());
    // An answer, or a word why not: both are fine.
    let _ = subscriber.answer(&String::from_utf8_lossy(bytes), |_| None, now());
    let _ = subscriber.advance(now(), &mut |_| {}, &mut |_| {});
}

/// The server's answer to our offer.
pub fn publisher_answer(bytes: &[u8]) {
    let mut publisher = Publisher::new(&mut fastrand::Rng::with_seed(1), true, now());
    publisher.offer([Some("cid"), None]).expect("the first offer");
    let _ = publisher.accept_answer(&String::from_utf8_lossy(bytes), 0, now());
    let _ = publisher.advance(now(), &mut |_| {});
}

/// One trickled candidate line.
pub fn candidate(bytes: &[u8]) {
    let mut subscriber = Subscriber::new(now());
    subscriber.ice().add_candidate(&String::from_utf8_lossy(bytes));
    let _ = subscriber.advance(now(), &mut |_| {}, &mut |_| {});
}

/// One UDP payload, from anybody, to a connection that has an address.
pub fn datagram(bytes: &[u8]) {
    let mut subscriber = Subscriber::new(now());
    let destination = SocketAddr::from(([127, 0, 0, 1], 40_000));
    let source = SocketAddr::from(([127, 0, 0, 1], 7882));
    subscriber.ice().add_address(destination);
    let datagram = Datagram { protocol: Protocol::Udp, source, destination, bytes };
    let _ = subscriber.receive(datagram, now(), &mut |_| {}, &mut |_| {});
}

/// One message of a data channel.
pub fn data_packet(bytes: &[u8]) {
    let _ = Packet::decode(bytes);
}

/// What comes over a TCP connection for sound, in pieces of any length (RFC 4571).
pub fn framing(bytes: &[u8]) {
    let (mut deframer, mut datagram) = (Deframer::default(), [0; DATAGRAM_BYTES_MAX]);
    let mut rest = bytes;
    while !rest.is_empty() {
        let space = deframer.space();
        let count = space.len().min(rest.len()).min(1 + usize::from(rest[0]));
        if count == 0 {
            return;
        }
        space[..count].copy_from_slice(&rest[..count]);
        deframer.filled(count);
        rest = &rest[count..];
        while let Some(length) = deframer.take(&mut datagram) {
            assert!(length <= datagram.len());
        }
    }
}

/// A STUN server's answer, under the number of the question: else it would be none.
pub fn binding(bytes: &[u8]) {
    for [local, server] in
        [["10.0.1.2:40000", "192.0.2.9:3478"], ["[2001:db8::2]:40000", "[2001:db8::9]:3478"]]
    {
        let [destination, source] =
            [local, server].map(|text| text.parse::<SocketAddr>().expect("an address"));
        let (mut bindings, now) = (Bindings::default(), now());
        bindings.ask(destination, source, now);
        let question = bindings.poll_transmit(now).expect("the question");
        let bytes = &numbered(bytes, question.bytes());
        let datagram = Datagram { protocol: Protocol::Udp, source, destination, bytes };
        if let BindingResult::Mapping(mapping) = bindings.handle(&datagram) {
            assert!(mapping.local == destination && mapping.mapped.port() != 0);
        }
    }
}

/// What a TURN server says, to the first question and to all after it.
pub fn turn(bytes: &[u8]) {
    let local = SocketAddr::from(([10, 0, 1, 2], 40_000));
    let server = RelayServer {
        address: SocketAddr::from(([192, 0, 2, 9], 3478)),
        carrier: Protocol::Udp,
        username: "user".to_owned(),
        credential: Secret::new("password".to_owned()),
    };
    let now = now();
    let mut relay = Relay::new(local, &server, now);
    for _ in 0..4 {
        relay.pump(now, |_| {});
        relay.send(SocketAddr::from(([127, 0, 0, 1], 7882)), b"a check", now);
        let mut heard = bytes.to_vec();
        while let Some(question) = relay.poll_transmit() {
            heard = numbered(&heard, question.bytes());
        }
        relay.receive(&heard, now, |_, data| assert!(data.len() <= heard.len()));
    }
}

/// A message of STUN with the number (RFC 8489 §5) of another one.
fn numbered(message: &[u8], other: &[u8]) -> Vec<u8> {
    let mut numbered = message.to_vec();
    if let (Some(number), Some(other)) = (numbered.get_mut(8..20), other.get(8..20)) {
        number.copy_from_slice(other);
    }
    numbered
}

/// The cloud's list of its regions.
pub fn regions(bytes: &[u8]) {
    let Some(regions) = Regions::from_json(bytes) else { return };
    assert!(regions.urls().len() <= REGIONS_MAX);
}

/// An access token, from whatever gave it to us.
pub fn token(bytes: &[u8]) {
    let _ = token::claims(&String::from_utf8_lossy(bytes));
}

/// The URL of a STUN or TURN server.
pub fn ice_url(bytes: &[u8]) {
    let Ok(url) = String::from_utf8_lossy(bytes).parse::<IceUrl>() else { return };
    assert!(!url.host.is_empty() && url.port > 0);
}

/// The body of an HTTP answer.
pub fn refusal(bytes: &[u8]) {
    let refusal = Refusal::new(503, bytes);
    assert!(refusal.text.len() <= SERVER_TEXT_BYTES_MAX);
    assert!(!refusal.to_string().contains(char::is_control));
}

/// The URL that a person or a file gives.
pub fn server_url(bytes: &[u8]) {
    let Ok(url) = String::from_utf8_lossy(bytes).parse::<ServerUrl>() else { return };
    assert!(!url.host().is_empty() && url.port() > 0);
}

/// One line of `--control -` or of `kinglet ctl`.
pub fn command_line(bytes: &[u8]) {
    let _ = line::parse(&String::from_utf8_lossy(bytes));
}

/// The body of a token endpoint's answer.
pub fn token_answer(bytes: &[u8]) {
    if let Some(token) = endpoint::token_of(bytes) {
        assert!(!token.is_empty() && token.reveal().len() <= bytes.len());
    }
}

/// The URL of a token endpoint. What may be a secret in it is not shown, and it fits into a request line.
pub fn endpoint_url(bytes: &[u8]) {
    let Ok(url) = String::from_utf8_lossy(bytes).parse::<EndpointUrl>() else { return };
    assert!(!url.to_string().contains('?'));
    assert!(url.target().starts_with('/') && url.target().bytes().all(|byte| byte.is_ascii_graphic()));
}
