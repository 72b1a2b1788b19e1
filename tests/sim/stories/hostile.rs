//! A server, or somebody on the way, that means harm: the session lives or is begun anew, memory stays small, and the
//! application is told once.
//!
//! What is injected comes beside the true server's words, so that afterwards the call can be listened to.

use crate::alloc::meter::Meter;
use crate::card::{Sound, amplitude};
use crate::client::Setup;
use crate::random::Random;
use crate::world::World;
use kinglet::event::Event;
use kinglet::rtc::Peer;
use livekit_protocol::signal_response::Message;
use livekit_protocol::*;
use prost::Message as _;
use std::net::SocketAddr;

/// What an engine in a call may hold at most, whatever is thrown at it: 128 participants with what is kept of each (16 KiB of
/// metadata, 16 KiB of attributes) and one message of 4 MiB.
const HEAP_BYTES_MAX: usize = 10 << 20;

/// `door` speaks, `hall` is the one that is attacked.
pub fn call() -> (World, usize, usize) {
    let mut world = World::new();
    let door = world.enter(Setup::talker("door", Sound::Tone(400.0)));
    let hall = world.enter(Setup::talker("hall", Sound::Tone(700.0)));
    world.client(hall).ports().is_metered = true;
    world.run_ms(3000);
    Meter::take_peak();
    (world, door, hall)
}

fn say(world: &mut World, hall: usize, message: Message) {
    say_bytes(world, hall, SignalResponse { message: Some(message) }.encode_to_vec());
}

fn say_bytes(world: &mut World, hall: usize, bytes: Vec<u8>) {
    world.client(hall).ports().inject(bytes);
    world.poke(hall);
}

fn warnings(world: &mut World, hall: usize) -> Vec<String> {
    let events = world.client(hall).events.iter();
    events
        .filter_map(|(_, event)| match event {
            Event::Warning { text } => Some(text.clone()),
            _ => None,
        })
        .collect()
}

fn count(world: &mut World, hall: usize, what: fn(&Event) -> bool) -> usize {
    world.client(hall).events.iter().filter(|(_, event)| what(event)).count()
}

/// After the attack the call goes on, or is back within half a minute.
fn assert_survived(world: &mut World, door: usize, hall: usize) {
    world.run_ms(200);
    let is_back = world.run_until_done(30_000, |world| {
        amplitude(world.lately(hall, 100), 400.0) > 0.15 && amplitude(world.lately(door, 100), 700.0) > 0.15
    });
    assert!(is_back && world.client(hall).outcome().is_none());
    let peak = Meter::take_peak();
    println!("heap at most {peak} bytes, now {}", Meter::bytes());
    assert!(peak <= HEAP_BYTES_MAX, "{peak} bytes");
}

/// One of everything that a server says, as it might say it; `leave` has stories of its own.
fn one_of_each() -> Vec<Message> {
    let track = || TrackInfo { sid: "TR_x".into(), name: "x".into(), ..TrackInfo::default() };
    let participant = || ParticipantInfo {
        sid: "PA_x".into(),
        identity: "x".into(),
        tracks: vec![track()],
        version: 9,
        ..ParticipantInfo::default()
    };
    let room = || Some(Room { sid: "RM_x".into(), name: "x".into(), ..Room::default() });
    let described = |kind: &str| SessionDescription {
        r#type: kind.into(),
        sdp: "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n".into(),
        id: 7,
        ..SessionDescription::default()
    };
    vec![
        Message::Join(JoinResponse {
            room: room(),
            participant: Some(participant()),
            ..JoinResponse::default()
        }),
        Message::Answer(described("answer")),
        Message::Trickle(TrickleRequest {
            candidate_init: r#"{"candidate":"candidate:1 1 udp 1 10.9.9.9 9 typ host"}"#.into(),
            target: SignalTarget::Subscriber.into(),
            r#final: false,
        }),
        Message::Update(ParticipantUpdate { participants: vec![participant()] }),
        Message::TrackPublished(TrackPublishedResponse { cid: "x".into(), track: Some(track()) }),
        Message::Mute(MuteTrackRequest { sid: "TR_x".into(), muted: true }),
        Message::SpeakersChanged(SpeakersChanged {
            speakers: vec![SpeakerInfo { sid: "PA_x".into(), level: f32::NAN, active: true }],
        }),
        Message::RoomUpdate(RoomUpdate { room: room() }),
        Message::ConnectionQuality(ConnectionQualityUpdate {
            updates: vec![ConnectionQualityInfo {
                participant_sid: "PA_x".into(),
                ..ConnectionQualityInfo::default()
            }],
        }),
        Message::StreamStateUpdate(StreamStateUpdate::default()),
        Message::SubscriptionPermissionUpdate(SubscriptionPermissionUpdate {
            participant_sid: "PA_x".into(),
            track_sid: "TR_x".into(),
            allowed: false,
        }),
        Message::TrackUnpublished(TrackUnpublishedResponse { track_sid: "TR_x".into() }),
        Message::Pong(1),
        Message::PongResp(Pong { last_ping_timestamp: -1, timestamp: i64::MIN }),
        Message::Reconnect(ReconnectResponse::default()),
        Message::SubscriptionResponse(SubscriptionResponse { track_sid: "TR_x".into(), err: 1 }),
        Message::RequestResponse(RequestResponse { request_id: u32::MAX, ..RequestResponse::default() }),
        Message::TrackSubscribed(TrackSubscribed { track_sid: "TR_x".into() }),
        Message::MediaSectionsRequirement(MediaSectionsRequirement { num_audios: 9999, num_videos: 9999 }),
        Message::SubscribedQualityUpdate(SubscribedQualityUpdate::default()),
    ]
}

#[test]
fn every_message_out_of_order_and_repeated() {
    let (mut world, door, hall) = call();
    for message in one_of_each() {
        for _ in 0..50 {
            say(&mut world, hall, message.clone());
        }
        world.run_ms(20);
    }
    assert_survived(&mut world, door, hall);
    assert!(warnings(&mut world, hall).len() < 40, "{:?}", warnings(&mut world, hall));
}

#[test]
fn every_message_malformed() {
    let (mut world, door, hall) = call();
    let mut random = Random::new(0x4d61).fork("malformed");
    for message in one_of_each() {
        let bytes = SignalResponse { message: Some(message) }.encode_to_vec();
        for end in 0..bytes.len().min(200) {
            say_bytes(&mut world, hall, bytes[..end].to_vec());
        }
        for _ in 0..100 {
            let mut damaged = bytes.clone();
            let at = random.below(damaged.len() as u64) as usize;
            damaged[at] = random.next() as u8;
            // The tag of `leave`: being told to go is not what is tried here.
            if damaged[0] != 0x42 {
                say_bytes(&mut world, hall, damaged);
            }
        }
        world.run_ms(20);
    }
    assert_survived(&mut world, door, hall);
    assert!(warnings(&mut world, hall).iter().any(|text| text.contains("ignored an invalid message")));
    assert!(world.dropped(hall, "messages") > 100);
    assert!(warnings(&mut world, hall).len() < 40, "{:?}", warnings(&mut world, hall));
}

#[test]
fn ten_thousand_participants() {
    let (mut world, door, hall) = call();
    let participant = |number: usize| ParticipantInfo {
        sid: format!("PA_{number}"),
        identity: format!("guest {number}"),
        metadata: "m".repeat(300),
        version: 1,
        tracks: (0..20)
            .map(|track| TrackInfo { sid: format!("TR_{number}_{track}"), ..TrackInfo::default() })
            .collect(),
        ..ParticipantInfo::default()
    };
    let participants: Vec<_> = (0..10_000).map(participant).collect();
    say(&mut world, hall, Message::Update(ParticipantUpdate { participants: participants[..5000].to_vec() }));
    world.run_ms(100);
    for hundred in participants.chunks(100) {
        say(&mut world, hall, Message::Update(ParticipantUpdate { participants: hundred.to_vec() }));
        world.run_ms(10);
    }
    let huge = ParticipantInfo { metadata: "m".repeat(3 << 20), ..participant(0) };
    say(&mut world, hall, Message::Update(ParticipantUpdate { participants: vec![huge] }));
    say_bytes(&mut world, hall, vec![0x2a; (4 << 20) + 1]);
    world.client(hall).events.retain(|(_, event)| matches!(event, Event::Warning { .. }));
    assert_survived(&mut world, door, hall);
    assert!(
        warnings(&mut world, hall).iter().any(|text| text.contains("exceeds the limits of this program"))
    );
    // Of each message of 5000 at most 128 are taken; 20 tracks each, of which 8 are taken; one text too long.
    assert!(world.dropped(hall, "participants") >= 4000);
    assert!(world.dropped(hall, "tracks") >= 100 * 12);
    assert!(world.dropped(hall, "texts") >= 1 && world.dropped(hall, "messages") == 1);
}

#[test]
fn descriptions_made_to_burst() {
    let head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-ufrag:abcd\r\n";
    let many = |count: usize, line: &dyn Fn(usize) -> String| {
        head.to_string() + &(0..count).map(line).collect::<String>()
    };
    let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\n";
    let bombs = [
        "x".repeat(1 << 20),
        String::new(),
        head.to_string(),
        many(10_000, &|number| format!("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:{number}\r\n")),
        many(2000, &|ssrc| if ssrc == 0 { audio.to_string() } else { format!("a=ssrc:{ssrc} cname:x\r\n") }),
        many(1000, &|number| format!("a=candidate:{number} 1 udp 1 10.0.0.1 {number} typ host\r\n")),
    ];
    for (number, sdp) in bombs.into_iter().enumerate() {
        for kind in ["offer", "answer"] {
            let (mut world, door, hall) = call();
            let description =
                SessionDescription { r#type: kind.into(), sdp: sdp.clone(), ..Default::default() };
            for _ in 0..100 {
                say(
                    &mut world,
                    hall,
                    match kind {
                        "offer" => Message::Offer(description.clone()),
                        _ => Message::Answer(description.clone()),
                    },
                );
                world.run_ms(10);
            }
            let joins = world.sfu.log.joins;
            assert!(joins <= 8, "bomb {number}: {joins} sessions in a second");
            assert_survived(&mut world, door, hall);
        }
    }
}

#[test]
fn a_flood_of_candidates() {
    let (mut world, door, hall) = call();
    for number in 0..20_000u32 {
        let [_, b, c, d] = number.to_be_bytes();
        let target = if number % 2 == 0 { SignalTarget::Subscriber } else { SignalTarget::Publisher };
        say(
            &mut world,
            hall,
            Message::Trickle(TrickleRequest {
                candidate_init: format!(
                    r#"{{"candidate":"candidate:{number} 1 udp {number} 10.{b}.{c}.{d} 9 typ host"}}"#
                ),
                target: target.into(),
                r#final: false,
            }),
        );
    }
    assert_survived(&mut world, door, hall);
    assert_eq!(count(&mut world, hall, |event| matches!(event, Event::Reconnecting { .. })), 0);
    assert!(warnings(&mut world, hall).iter().any(|text| text.contains("candidate")));
}

#[test]
fn datagrams_of_strangers() {
    let (mut world, door, hall) = call();
    let mut random = Random::new(0x6466).fork("datagrams");
    let stranger = SocketAddr::from(([10, 9, 9, 9], 9));
    for number in 0..20_000u32 {
        let peer = if random.chance(0.5) { Peer::Publisher } else { Peer::Subscriber };
        let mut bytes: Vec<u8> = (0..random.below(1200)).map(|_| random.next() as u8).collect();
        // STUN requests and answers, DTLS handshakes, alerts and data, RTP and RTCP, by their first bytes (RFC 7983).
        let begin: &[u8] = match number % 6 {
            0 => &[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42],
            1 => &[1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42],
            2 => &[22, 254, 253, 0, 0, 0, 0],
            3 => &[21, 254, 253, 0, 0, 0, 0],
            4 => &[128, 111],
            _ => &[128, 200],
        };
        let length = begin.len().min(bytes.len());
        bytes[..length].copy_from_slice(&begin[..length]);
        world.client(hall).ports().inject_datagram(peer, stranger, bytes);
        if number % 16 == 0 {
            world.poke(hall);
            world.run_ms(1);
        }
    }
    assert_survived(&mut world, door, hall);
    assert_eq!(count(&mut world, hall, |event| matches!(event, Event::Reconnecting { .. })), 0);
}
