//! Descriptions and candidates that no server writes: nothing that arrives from outside may panic.
//!
//! Real descriptions are made by str0m itself, then damaged: bytes changed, lines dropped, doubled and swapped, numbers
//! made huge. The result is always an error or an unusual session.

use std::net::SocketAddr;
use std::time::Instant;

use crate::rtc::drain::Output;
use crate::rtc::{Publisher, Subscriber};
use crate::signal::sid::Sid;

const ROUNDS: u32 = 1_500;

#[test]
#[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
fn a_damaged_offer_is_survived() {
    let now = Instant::now();
    let mut random = fastrand::Rng::with_seed(21);
    let offer = server_offer(&mut random, now);
    let (mut answered, mut refused) = (0, 0);
    let mut subscriber = fresh_subscriber(now);
    for round in 0..ROUNDS {
        let text = damaged(&offer, &mut random, round);
        let track = |mid: &str| Sid::new(mid);
        match subscriber.answer(&text, track, now) {
            Ok(_) => answered += 1,
            Err(_) => refused += 1,
        }
        subscriber.ice().add_candidate(&damaged(
            "candidate:1 1 udp 2130706431 127.0.0.1 7882 typ host",
            &mut random,
            round,
        ));
        let _ = subscriber.advance(now, &mut |_: Output<_>| {}, &mut |_| {});
        if round % 8 == 7 {
            subscriber = fresh_subscriber(now);
        }
    }
    assert!(answered > 50 && refused > 50, "both happen: {answered} answered, {refused} refused");
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
fn a_damaged_answer_is_survived() {
    let now = Instant::now();
    let mut random = fastrand::Rng::with_seed(22);
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..ROUNDS / 4 {
        let mut publisher = Publisher::new(&mut random, true, now);
        publisher.ice().add_address(SocketAddr::from(([127, 0, 0, 1], 5001)));
        let (offer, id) = publisher.offer([Some("cid"), None]).expect("an offer");
        let answer = fresh_subscriber(now).answer(&offer, |_| None, now).expect("an answer");
        match publisher.accept_answer(&damaged(&answer, &mut random, round), id, now) {
            Ok(()) => accepted += 1,
            Err(_) => refused += 1,
        }
        let _ = publisher.advance(now, &mut |_: Output<_>| {});
    }
    assert!(accepted > 10 && refused > 10, "both happen: {accepted} accepted, {refused} refused");
}

fn fresh_subscriber(now: Instant) -> Subscriber {
    let mut subscriber = Subscriber::new(now);
    subscriber.ice().add_address(SocketAddr::from(([127, 0, 0, 1], 5000)));
    subscriber
}

/// Our own publisher's offer has what the server's have: data and sound, SSRCs, candidates.
fn server_offer(random: &mut fastrand::Rng, now: Instant) -> String {
    let mut publisher = Publisher::new(random, true, now);
    publisher.ice().add_address(SocketAddr::from(([127, 0, 0, 1], 5002)));
    publisher.offer([Some("TR_1"), None]).expect("an offer").0
}

fn damaged(text: &str, random: &mut fastrand::Rng, round: u32) -> String {
    let mut lines: Vec<Vec<u8>> = text.lines().map(|line| line.as_bytes().to_vec()).collect();
    for _ in 0..random.usize(0..4) {
        let (one, other) = (random.usize(0..lines.len()), random.usize(0..lines.len()));
        match random.u32(0..6) {
            0 => lines.swap(one, other),
            1 => lines[one] = lines[other].clone(),
            2 if lines.len() > 1 => drop(lines.remove(one)),
            3 => {
                let number = ["0", "-1", "65536", "4294967296", "99999999999999999999"][random.usize(0..5)];
                let line = String::from_utf8_lossy(&lines[one]).into_owned();
                let digits = line.find(|c: char| c.is_ascii_digit()).unwrap_or(line.len());
                let rest = line[digits..].trim_start_matches(|c: char| c.is_ascii_digit());
                lines[one] = format!("{}{number}{rest}", &line[..digits]).into_bytes();
            }
            _ => {
                let line = &mut lines[one];
                if !line.is_empty() {
                    let at = random.usize(0..line.len());
                    line[at] = random.u8(..);
                }
            }
        }
    }
    if round % 50 == 49 {
        let length = random.usize(0..text.len());
        return (0..length).map(|_| char::from(random.u8(..))).collect();
    }
    let mut whole = lines.join(&b"\r\n"[..]);
    whole.extend(b"\r\n");
    String::from_utf8_lossy(&whole).into_owned()
}
