//! Bytes that no server should send: random ones, and real messages with bytes changed, cut out, doubled
//! and stretched. Decoding must neither panic nor give more than the limits allow.

use prost::Message;

use super::samples::{Seeded, responses};
use crate::limits::*;
use crate::room::Room;
use crate::signal::participant::ParticipantInfo;
use crate::signal::response::{Decoded, Response, decode};
use crate::signal::wire;

#[test]
fn random_bytes_do_no_harm() {
    let mut seeded = Seeded(1);
    let mut room = Room::new();
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..seeded.below(64)).map(|_| seeded.next() as u8).collect();
        survive(&bytes, &mut room);
    }
}

#[test]
fn damaged_messages_do_no_harm() {
    let originals: Vec<Vec<u8>> = responses()
        .into_iter()
        .map(|message| wire::SignalResponse { message: Some(message) }.encode_to_vec())
        .collect();
    let mut seeded = Seeded(2);
    let mut room = Room::new();
    for round in 0..40_000 {
        let mut bytes = originals[round % originals.len()].clone();
        for _ in 0..=seeded.below(4) {
            damage(&mut bytes, &mut seeded);
        }
        survive(&bytes, &mut room);
    }
}

#[test]
fn a_message_past_the_limit_is_not_looked_at() {
    let bytes = vec![0; MESSAGE_BYTES_MAX + 1];
    assert!(decode(&bytes).unwrap_err().to_string().contains("longer than"));
}

#[test]
fn four_megabytes_of_nobody_cost_little() {
    // Field 3 of a join, empty, two million times; before it what a join needs.
    let mut inside =
        wire::JoinResponse { participant: Some(super::samples::participant(1)), ..Default::default() }
            .encode_to_vec();
    while inside.len() < MESSAGE_BYTES_MAX - 16 {
        inside.extend([0x1a, 0]);
    }
    let mut bytes = vec![0x0a];
    prost::encode_length_delimiter(inside.len(), &mut bytes).unwrap();
    bytes.extend(inside);
    let Decoded { response: Response::Join(join), truncated } = decode(&bytes).unwrap() else {
        panic!("not a join")
    };
    assert!(join.other_participants.is_empty(), "every participant has an identity");
    assert!(truncated.participants > 2_000_000);
}

fn damage(bytes: &mut Vec<u8>, seeded: &mut Seeded) {
    if bytes.is_empty() {
        return;
    }
    let at = seeded.below(bytes.len());
    let end = at + seeded.below(bytes.len() - at) + 1;
    match seeded.below(6) {
        0 => bytes[at] = seeded.next() as u8,
        1 => bytes[at] ^= 1 << seeded.below(8),
        2 => drop(bytes.drain(at..end)),
        3 => bytes.truncate(at),
        4 => bytes.extend_from_within(at..end),
        _ => drop(bytes.splice(at..at, std::iter::repeat_n(seeded.next() as u8, 200))),
    }
}

/// Decodes, checks limits, and lets the room have it.
fn survive(bytes: &[u8], room: &mut Room) {
    let Ok(Decoded { response, .. }) = decode(bytes) else { return };
    let mut events = 0;
    let mut sink = |event| {
        // Events leave the program as JSON: that must work with any contents.
        serde_json::to_string(&event).expect("an event is JSON");
        events += 1;
    };
    match &response {
        Response::Join(join) => {
            check_participants(&join.other_participants);
            assert!(join.ice_servers.len() <= ICE_SERVERS_MAX);
            room.apply_join(join, &mut sink);
        }
        Response::RoomMoved(moved) => {
            check_participants(&moved.other_participants);
            room.apply_moved(moved, &mut sink);
        }
        Response::Update(infos) => {
            check_participants(infos);
            room.apply_update(infos, &mut sink);
        }
        Response::Speakers(changes) => {
            assert!(changes.iter().all(|change| (0.0..=1.0).contains(&change.level)));
            room.apply_speakers(changes, &mut sink);
        }
        Response::Quality(changes) => room.apply_quality(changes, &mut sink),
        Response::Room(info) => {
            assert!(info.metadata.len() <= METADATA_BYTES_MAX && info.name.len() <= ROOM_NAME_BYTES_MAX);
            room.apply_room(info, &mut sink);
        }
        Response::Offer(description) | Response::Answer(description) => {
            assert!(description.sdp.len() <= SDP_BYTES_MAX && description.mid_to_track.len() <= M_LINES_MAX);
        }
        Response::Trickle(trickle) => assert!(trickle.candidate.len() <= CANDIDATE_BYTES_MAX),
        Response::RefreshToken(token) => assert!(token.reveal().len() <= TOKEN_BYTES_MAX),
        _ => {}
    }
    assert!(room.participants().count() <= PARTICIPANTS_MAX);
}

fn check_participants(infos: &[ParticipantInfo]) {
    assert!(infos.len() <= PARTICIPANTS_PER_MESSAGE_MAX);
    for info in infos {
        assert!((1..=IDENTITY_BYTES_MAX).contains(&info.identity.len()));
        assert!(info.name.len() <= NAME_BYTES_MAX && info.metadata.len() <= METADATA_BYTES_MAX);
        assert!(info.tracks.len() <= TRACKS_PER_PARTICIPANT_MAX);
        let bytes: usize = info.attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
        assert!(bytes <= ATTRIBUTES_BYTES_MAX);
    }
}
