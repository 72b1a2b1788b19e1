//! SDP with structure: descriptions made of lines that LiveKit sends, as the input orders and changes them.

use kinglet::rtc::{Publisher, Subscriber};

use crate::cursor::Cursor;
use crate::parsers::now;

/// Lines of one description.
const LINES_MAX: usize = 400;

/// An offer as LiveKit's server sends it, with two tracks. Its lines are also what is put into others.
const OFFER: &str = include_str!("corpus/subscriber_offer/1296-834a49d9");
const ANSWER: &str = include_str!("corpus/publisher_answer/911-4f0fdd61");

/// Lines that the two do not have.
const MORE: &[&str] = &[
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    "m=audio 0 UDP/TLS/RTP/SAVPF 0",
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
    "m=application 9 DTLS/SCTP 5000",
    "a=group:BUNDLE 0 1 2",
    "a=mid:0",
    "a=mid:1",
    "a=ice-lite",
    "a=ice-options:trickle renomination",
    "a=setup:active",
    "a=setup:passive",
    "a=recvonly",
    "a=sendonly",
    "a=inactive",
    "a=rtcp-rsize",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:111 opus/48000/2",
    "a=rtpmap:63 red/48000/2",
    "a=rtpmap:96 VP8/90000",
    "a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1;stereo=1",
    "a=fmtp:63 111/111/111",
    "a=rtcp-fb:111 transport-cc",
    "a=rtcp-fb:* nack pli",
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "a=extmap:15 urn:ietf:params:rtp-hdrext:sdes:mid",
    "a=ssrc-group:FID 1 2",
    "a=ssrc:4294967295 cname:x",
    "a=rid:h send",
    "a=simulcast:send h;m;l",
    "a=candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype passive",
    "a=candidate:1 1 udp 1 2001:db8::1 9 typ relay raddr 192.0.2.2 rport 9",
    "a=end-of-candidates",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x",
    "c=IN IP6 ::",
    "b=AS:64",
];

/// A description that is offered, and one that answers an offer of ours.
pub fn offer_and_answer(bytes: &[u8]) {
    let mut cursor = Cursor::new(bytes);
    let offer = description(&mut cursor, OFFER);
    let answer = description(&mut cursor, ANSWER);
    let mut subscriber = Subscriber::new(now());
    // Twice: the second offer changes the session that the first has made.
    for sdp in [&offer, &description(&mut cursor, &offer)] {
        let _ = subscriber.answer(sdp, |_| None, now());
        let _ = subscriber.advance(now(), &mut |_| {}, &mut |_| {});
    }
    let mut publisher = Publisher::new(&mut fastrand::Rng::with_seed(1), cursor.flag(), now());
    publisher.offer([Some("cid"), None]).expect("the first offer");
    let _ = publisher.accept_answer(&answer, 0, now());
    let _ = publisher.advance(now(), &mut |_| {});
}

/// A description of this kind with some of its lines changed.
pub fn hostile(cursor: &mut Cursor<'_>, kind: &str) -> String {
    description(cursor, if kind == "offer" { OFFER } else { ANSWER })
}

/// `base` with some of its lines changed.
pub fn description(cursor: &mut Cursor<'_>, base: &str) -> String {
    let mut lines: Vec<String> = base.lines().map(str::to_owned).collect();
    for _ in 0..cursor.byte() % 32 {
        let at = cursor.below(lines.len() + 1);
        match cursor.byte() % 8 {
            0 if at < lines.len() => drop(lines.remove(at)),
            1 if at < lines.len() => lines.insert(at, lines[at].clone()),
            2 if at < lines.len() => {
                let to = cursor.below(lines.len());
                lines.swap(at, to);
            }
            // Whole sections again.
            3 => {
                let sections: Vec<usize> =
                    (0..lines.len()).filter(|line| lines[*line].starts_with("m=")).collect();
                if !sections.is_empty() {
                    let from = *cursor.choose(&sections);
                    let section: Vec<String> = lines[from..].iter().take(40).cloned().collect();
                    lines.extend(section);
                }
            }
            4 => lines.insert(at, (*cursor.choose(MORE)).to_owned()),
            5 => {
                let source: Vec<&str> = OFFER.lines().chain(ANSWER.lines()).collect();
                lines.insert(at, (*cursor.choose(&source)).to_owned());
            }
            // A word of a line becomes another.
            6 if at < lines.len() => {
                let mut words: Vec<&str> = lines[at].split([' ', ':']).collect();
                let word = cursor.below(words.len());
                let text = if cursor.flag() { cursor.text() } else { cursor.number().to_string() };
                words[word] = &text;
                lines[at] = words.join(if cursor.flag() { " " } else { ":" });
            }
            _ => lines.insert(at, cursor.text()),
        }
        lines.truncate(LINES_MAX);
    }
    lines.into_iter().map(|line| line + "\r\n").collect()
}
