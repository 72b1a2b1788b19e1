//! The server against callers of bare str0m: it is believed only as far as it is tried here.

use crate::server::caller::{Caller, DELAY_MS, Stage};
use crate::server::forward::RED;
use crate::server::sdp::Description;
use livekit_protocol::leave_request::Action;
use livekit_protocol::signal_request::Message as Request;
use livekit_protocol::signal_response::Message;
use livekit_protocol::{DisconnectReason, LeaveRequest, MuteTrackRequest, Ping};

fn direction(caller: &Caller, offer: usize, line: usize) -> &str {
    let section = &caller.offers[offer].sdp;
    let section = section.split("m=").nth(line + 1).expect("the line");
    let known = ["sendrecv", "recvonly", "sendonly", "inactive"];
    known.into_iter().find(|direction| section.contains(&format!("a={direction}\r\n"))).expect("a direction")
}

#[test]
fn a_join_has_the_real_order() {
    let mut stage = Stage::new();
    let door = stage.call("door", true);
    stage.run(1000, &[]);
    let caller = &stage.callers[door];
    let names = caller.message_names();
    let subscriber: Vec<&str> =
        names.iter().copied().filter(|name| ["join", "refresh_token", "offer"].contains(name)).collect();
    assert_eq!(subscriber, ["join", "refresh_token", "offer"]);
    assert_eq!(
        names.iter().filter(|name| **name == "trickle").count(),
        4,
        "two for each peer connection: {names:?}"
    );
    let first = Description::read(&caller.offers[0].sdp);
    assert_eq!(first.sections.len(), 1);
    assert!(first.sections[0].lines[0].starts_with("m=application "));
    assert_eq!(first.sections[0].attribute("candidate"), None);
    assert!(caller.subscribed_at.is_some());
}

#[test]
fn packets_are_forwarded_one_by_one() {
    let mut stage = Stage::new();
    let (door, hall) = (stage.call("door", true), stage.call("hall", true));
    stage.run(2000, &[door]);
    let heard = &stage.callers[hall].heard;
    assert!(heard.len() > 60, "{} packets", heard.len());
    assert!(heard.windows(2).all(|pair| pair[1].sequence == pair[0].sequence + 1));
    for packet in heard {
        assert_eq!(packet.payload, packet.sequence.to_be_bytes(), "the publisher's own numbers");
        assert_eq!(packet.timestamp, packet.sequence as u32 * 960);
    }
    let seen = stage.sfu.log.track_of("door").expect("it talked");
    assert_eq!((seen.lost(), seen.packets[0].level), (0, Some(-20)));
    assert!(seen.packets.iter().all(|packet| packet.payload_type != RED));
}

#[test]
fn the_second_offer_comes_after_the_debounce() {
    let mut stage = Stage::new();
    let door = stage.call("door", true);
    stage.run(1000, &[door]);
    let begin = stage.clock.elapsed_ms();
    let hall = stage.call("hall", true);
    stage.run(140, &[door]);
    assert_eq!(stage.callers[hall].offers.len(), 1);
    stage.run(20, &[door]);
    let offers = &stage.callers[hall].offers;
    assert_eq!(offers.len(), 2, "at {} ms", stage.clock.elapsed_ms() - begin);
    let section = &Description::read(&offers[1].sdp).sections[1];
    let track = section.track_id().expect("msid").to_string();
    assert!(track.starts_with("TR_") && section.attribute("msid").expect("msid").starts_with("PA_"));
    assert_eq!(offers[1].mid_to_track_id.get(section.mid()), Some(&track));
}

#[test]
fn a_caller_that_checks_first_waits_for_the_nomination() {
    let (mut patient, mut hasty) = (Stage::new(), Stage::new());
    for (stage, patience) in [(&mut patient, true), (&mut hasty, false)] {
        stage.call("door", patience);
        stage.run(1000, &[]);
    }
    let after = |stage: &Stage| {
        let begin = stage.clock.at_ms(0);
        stage.callers[0].subscribed_at.expect("connected").duration_since(begin).as_millis() as u64
    };
    assert!(after(&patient) < 20 * DELAY_MS, "{} ms", after(&patient));
    assert!((200..200 + 20 * DELAY_MS).contains(&after(&hasty)), "{} ms", after(&hasty));
}

#[test]
fn a_line_is_used_again_with_a_new_ssrc() {
    let mut stage = Stage::new();
    let (door, hall) = (stage.call("door", true), stage.call("hall", true));
    stage.run(1500, &[door]);
    let leave = LeaveRequest { reason: DisconnectReason::ClientInitiated.into(), ..LeaveRequest::default() };
    stage.ask(door, Request::Leave(leave));
    stage.run(500, &[]);
    let ended = stage.callers[hall].offers.len() - 1;
    assert_eq!(direction(&stage.callers[hall], ended, 1), "recvonly");
    assert!(stage.callers[hall].offers[ended].mid_to_track_id.is_empty());
    let before = stage.callers[hall].heard.len();
    let again = stage.call("door", true);
    stage.run(1500, &[again]);
    let offers = &stage.callers[hall].offers;
    let last = Description::read(&offers[offers.len() - 1].sdp);
    assert_eq!(last.sections.len(), 2, "no third line");
    assert_eq!(direction(&stage.callers[hall], offers.len() - 1, 1), "sendrecv");
    let heard = &stage.callers[hall].heard;
    assert!(heard.len() > before + 40);
    assert_ne!(heard[before].ssrc, heard[before - 1].ssrc);
    assert_eq!(Some(heard[before].ssrc), last.sections[1].ssrc());
}

#[test]
fn a_mute_ends_in_one_second_of_silence() {
    let mut stage = Stage::new();
    let (door, hall) = (stage.call("door", true), stage.call("hall", true));
    stage.run(1500, &[door]);
    let sid = stage.sfu.log.tracks.keys().next().expect("a track").clone();
    stage.ask(door, Request::Mute(MuteTrackRequest { sid: sid.clone(), muted: true }));
    let before = stage.callers[hall].heard.len();
    stage.run(3000, &[]);
    let silence = &stage.callers[hall].heard[before..];
    let blanks = silence.iter().filter(|packet| packet.payload == [0xf8, 0xff, 0xfe]).count();
    assert_eq!(blanks, 50);
    stage.ask(door, Request::Mute(MuteTrackRequest { sid, muted: false }));
    stage.run(500, &[door]);
    let heard = &stage.callers[hall].heard;
    assert!(heard.windows(2).all(|pair| pair[1].sequence == pair[0].sequence + 1), "numbers follow on");
}

#[test]
fn those_who_speak_are_told_and_subscriptions_too() {
    let mut stage = Stage::new();
    let (door, hall) = (stage.call("door", true), stage.call("hall", true));
    stage.run(3000, &[door]);
    for caller in [door, hall] {
        let names = stage.callers[caller].message_names();
        assert!(names.contains(&"speakers_changed"), "{names:?}");
    }
    assert!(stage.callers[door].message_names().contains(&"track_subscribed"));
    stage.run(2000, &[]);
    let last = stage.callers[hall].messages.iter().rev().find_map(|message| match message {
        Message::SpeakersChanged(changed) => Some(changed.speakers[0].active),
        _ => None,
    });
    assert_eq!(last, Some(false));
}

#[test]
fn a_resume_restarts_the_subscriber_and_keeps_the_track() {
    let mut stage = Stage::new();
    let (door, hall) = (stage.call("door", true), stage.call("hall", true));
    stage.run(1500, &[door]);
    let Some(Message::Join(join)) = stage.callers[hall].messages.first() else { panic!("no join") };
    let sid = join.participant.as_ref().expect("self").sid.clone();
    let now = stage.clock.now();
    stage.sfu.disconnect(stage.callers[hall].connection, now);
    let token = crate::server::token::Claims::token("hall", "hall");
    let query = format!("reconnect=1&sid={sid}");
    stage.callers[hall].connection = stage.sfu.connect(&query, &token, now).expect("resumed");
    let (before, messages) = (stage.callers[hall].heard.len(), stage.callers[hall].messages.len());
    stage.run(1000, &[door]);
    assert!(matches!(stage.callers[hall].messages[messages], Message::Reconnect(_)));
    let heard = &stage.callers[hall].heard;
    let missing: u64 = heard.windows(2).map(|pair| pair[1].sequence - pair[0].sequence - 1).sum();
    assert!(missing <= 3, "{missing} packets lost");
    assert!(heard.len() > before + 45);
    assert_eq!(heard[before].ssrc, heard[before - 1].ssrc);
}

#[test]
fn a_stranger_cannot_resume_and_one_identity_is_one_session() {
    let mut stage = Stage::new();
    let door = stage.call("door", true);
    stage.run(500, &[]);
    let token = crate::server::token::Claims::token("hall", "ghost");
    let ghost = stage.sfu.connect("reconnect=1&sid=PA_x", &token, stage.clock.now()).expect("upgraded");
    assert!(!stage.sfu.is_open(ghost));
    let second = stage.call("door", true);
    stage.run(500, &[]);
    let leaves: Vec<(DisconnectReason, Action)> = stage.callers[door]
        .messages
        .iter()
        .filter_map(|message| match message {
            Message::Leave(leave) => Some((leave.reason(), leave.action())),
            _ => None,
        })
        .collect();
    assert_eq!(leaves, [(DisconnectReason::DuplicateIdentity, Action::Disconnect)]);
    assert!(!stage.sfu.is_open(stage.callers[door].connection));
    assert!(stage.sfu.is_open(stage.callers[second].connection));
}

#[test]
fn pings_are_answered_and_a_kick_is_said() {
    let mut stage = Stage::new();
    let door = stage.call("door", true);
    stage.run(100, &[]);
    stage.ask(door, Request::PingReq(Ping { timestamp: 77, rtt: 1 }));
    stage.run(1, &[]);
    let pong = stage.callers[door]
        .messages
        .iter()
        .any(|m| matches!(m, Message::PongResp(p) if p.last_ping_timestamp == 77));
    assert!(pong);
    let now = stage.clock.now();
    stage.sfu.kick("door", DisconnectReason::ParticipantRemoved, now);
    stage.run(1, &[]);
    assert_eq!(stage.callers[door].message_names().last(), Some(&"leave"));
}
