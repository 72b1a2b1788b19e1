//! One body for each parser: bytes in, no panic, and bounded what says that it is.

use std::net::SocketAddr;
use std::time::Instant;

use kinglet::command::line;
use kinglet::data::packet::Packet;
use kinglet::limits::{DATAGRAM_BYTES_MAX, PARTICIPANTS_PER_MESSAGE_MAX, SERVER_TEXT_BYTES_MAX};
use kinglet::rtc::framing::Deframer;
use kinglet::rtc::{Datagram, Protocol, Publisher, Subscriber};
use kinglet::signal::refusal::Refusal;
use kinglet::signal::response::{self, Response};
use kinglet::signal::url::ServerUrl;

#[allow(clippy::disallowed_methods, reason = "the connections want an instant to count from")]
fn now() -> Instant {
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
    publisher.offer(Some("cid")).expect("the first offer");
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
