//! Leaves out of a message what is past a limit, before anything is allocated for it.
//!
//! An empty participant takes two bytes on the wire and some three hundred in memory: four megabytes of them would need
//! more memory than a small board has. So the bytes are walked once along [`ENVELOPE`], which sets the limit for each
//! list and text. Nearly every message passes unchanged; others are copied without the surplus.
//!
//! A field that the protocol has once is taken once, the first time. Protobuf would merge a second one
//! into it, and no server writes one.

use std::borrow::Cow;

use super::truncated::Truncated;
use crate::limits::*;

/// The message within its limits; `None` if it is not valid protobuf. Omissions are added to `truncated`.
pub(super) fn limit<'a>(bytes: &'a [u8], truncated: &mut Truncated) -> Option<Cow<'a, [u8]>> {
    limit_message(bytes, ENVELOPE, truncated)
}

/// How much of one field is taken.
struct Rule {
    /// Number of the field.
    field: u32,
    /// How many of it.
    count_max: usize,
    /// How long each may be.
    bytes_max: usize,
    /// As what the surplus is counted.
    counted_as: CountedAs,
    /// The rules inside it, where it is a message.
    inside: &'static [Rule],
}

enum CountedAs {
    Participant,
    Track,
    Text,
    Entry,
}

/// A text that the message has once.
const fn text(field: u32, bytes_max: usize) -> Rule {
    texts(field, 1, bytes_max)
}

/// A list of texts.
const fn texts(field: u32, count_max: usize, bytes_max: usize) -> Rule {
    Rule { field, count_max, bytes_max, counted_as: CountedAs::Text, inside: &[] }
}

/// A message inside the message, once.
const fn one(field: u32, inside: &'static [Rule]) -> Rule {
    list(field, 1, CountedAs::Entry, inside)
}

/// A list of messages.
const fn list(field: u32, count_max: usize, counted_as: CountedAs, inside: &'static [Rule]) -> Rule {
    Rule { field, count_max, bytes_max: MESSAGE_BYTES_MAX, counted_as, inside }
}

/// `SignalResponse`. Numbers are those of `proto/livekit.proto`; fields that are not in it are skipped
/// by the decoder without an allocation, fields of fixed size need no rule.
const ENVELOPE: &[Rule] = &[
    one(1, JOIN),
    one(2, DESCRIPTION),
    one(3, DESCRIPTION),
    one(4, TRICKLE),
    one(5, &[list(1, PARTICIPANTS_PER_MESSAGE_MAX, CountedAs::Participant, PARTICIPANT)]),
    one(6, &[text(1, CID_BYTES_MAX), one(2, TRACK)]),
    one(8, &[]),
    one(9, &[text(1, SID_BYTES_MAX)]),
    one(10, &[list(1, PARTICIPANTS_PER_MESSAGE_MAX, CountedAs::Entry, &[text(1, SID_BYTES_MAX)])]),
    one(11, &[one(1, ROOM)]),
    one(12, &[list(1, PARTICIPANTS_PER_MESSAGE_MAX, CountedAs::Entry, &[text(1, SID_BYTES_MAX)])]),
    one(13, &[list(1, PARTICIPANTS_PER_MESSAGE_MAX, CountedAs::Entry, TWO_SIDS)]),
    one(15, TWO_SIDS),
    text(16, TOKEN_BYTES_MAX),
    one(17, &[text(1, SID_BYTES_MAX)]),
    one(19, RECONNECT),
    one(20, &[]),
    one(21, &[text(1, SID_BYTES_MAX)]),
    one(22, REQUEST_RESPONSE),
    one(23, &[text(1, SID_BYTES_MAX)]),
    one(24, ROOM_MOVED),
];

const JOIN: &[Rule] = &[
    one(1, ROOM),
    one(2, PARTICIPANT),
    list(3, PARTICIPANTS_PER_MESSAGE_MAX, CountedAs::Participant, PARTICIPANT),
    text(4, SERVER_FACT_BYTES_MAX),
    list(5, ICE_SERVERS_MAX, CountedAs::Entry, ICE_SERVER),
    one(8, &[]),
    text(9, SERVER_FACT_BYTES_MAX),
    one(12, SERVER_INFO),
];

const RECONNECT: &[Rule] =
    &[list(1, ICE_SERVERS_MAX, CountedAs::Entry, ICE_SERVER), one(2, &[]), one(3, SERVER_INFO)];

const ROOM_MOVED: &[Rule] = &[
    one(1, ROOM),
    text(2, TOKEN_BYTES_MAX),
    one(3, PARTICIPANT),
    list(4, PARTICIPANTS_PER_MESSAGE_MAX, CountedAs::Participant, PARTICIPANT),
];

const REQUEST_RESPONSE: &[Rule] = &[
    text(3, SERVER_TEXT_BYTES_MAX),
    one(4, TRICKLE),
    one(5, &[text(1, CID_BYTES_MAX), text(2, NAME_BYTES_MAX), texts(17, 16, 16)]),
    one(6, &[text(1, SID_BYTES_MAX)]),
];

const DESCRIPTION: &[Rule] = &[
    text(1, 16),
    text(2, SDP_BYTES_MAX),
    list(4, M_LINES_MAX, CountedAs::Entry, &[text(1, MID_BYTES_MAX), text(2, SID_BYTES_MAX)]),
];

/// The candidate inside its JSON, where each byte may be written as six.
const TRICKLE: &[Rule] = &[text(1, 6 * CANDIDATE_BYTES_MAX)];

const ROOM: &[Rule] = &[text(1, SID_BYTES_MAX), text(2, ROOM_NAME_BYTES_MAX), text(8, METADATA_BYTES_MAX)];

const PARTICIPANT: &[Rule] = &[
    text(1, SID_BYTES_MAX),
    text(2, IDENTITY_BYTES_MAX),
    list(4, TRACKS_PER_PARTICIPANT_MAX, CountedAs::Track, TRACK),
    text(5, METADATA_BYTES_MAX),
    text(9, NAME_BYTES_MAX),
    one(11, &[texts(9, PERMITTED_SOURCES_MAX, PERMITTED_SOURCES_MAX)]),
    list(
        15,
        ATTRIBUTES_MAX,
        CountedAs::Text,
        &[text(1, ATTRIBUTES_BYTES_MAX), text(2, ATTRIBUTES_BYTES_MAX)],
    ),
];

const TRACK: &[Rule] = &[text(1, SID_BYTES_MAX), text(3, NAME_BYTES_MAX)];

const TWO_SIDS: &[Rule] = &[text(1, SID_BYTES_MAX), text(2, SID_BYTES_MAX)];

const ICE_SERVER: &[Rule] = &[
    texts(1, ICE_SERVERS_MAX, ICE_SERVER_TEXT_BYTES_MAX),
    text(2, ICE_SERVER_TEXT_BYTES_MAX),
    text(3, ICE_SERVER_TEXT_BYTES_MAX),
];

const SERVER_INFO: &[Rule] =
    &[text(2, SERVER_FACT_BYTES_MAX), text(4, SERVER_FACT_BYTES_MAX), text(5, SERVER_FACT_BYTES_MAX)];

/// The longest list above.
const RULES_MAX: usize = 24;

fn limit_message<'a>(bytes: &'a [u8], rules: &[Rule], truncated: &mut Truncated) -> Option<Cow<'a, [u8]>> {
    let mut seen = [0_usize; RULES_MAX];
    // Once something is left out: everything kept so far.
    let mut kept: Option<Vec<u8>> = None;
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let field = Field::take(&mut rest)?;
        let (before, here) = bytes.split_at_checked(at)?;
        let whole = here.get(..here.len() - rest.len())?;

        let mut replacement = None;
        let rule = rules.iter().zip(&mut seen).find(|(rule, _)| rule.field == field.number);
        if let Some((rule, seen)) = rule {
            *seen += 1;
            if *seen > rule.count_max || field.payload.len() > rule.bytes_max {
                rule.counted_as.add_to(truncated);
                kept.get_or_insert_with(|| before.to_vec());
                continue;
            }
            if field.is_delimited
                && !rule.inside.is_empty()
                && let Cow::Owned(inside) = limit_message(field.payload, rule.inside, truncated)?
            {
                replacement = Some(inside);
            }
        }
        match (&mut kept, replacement) {
            (None, None) => {}
            (Some(kept), None) => kept.extend_from_slice(whole),
            (kept, Some(inside)) => {
                let kept = kept.get_or_insert_with(|| before.to_vec());
                put_varint(kept, u64::from(field.number) << 3 | DELIMITED);
                put_varint(kept, inside.len() as u64);
                kept.extend_from_slice(&inside);
            }
        }
    }
    Some(kept.map_or(Cow::Borrowed(bytes), Cow::Owned))
}

impl CountedAs {
    fn add_to(&self, truncated: &mut Truncated) {
        let count = match self {
            CountedAs::Participant => &mut truncated.participants,
            CountedAs::Track => &mut truncated.tracks,
            CountedAs::Text => &mut truncated.texts,
            CountedAs::Entry => &mut truncated.entries,
        };
        *count = count.saturating_add(1);
    }
}

/// Wire type of texts, messages and packed lists.
const DELIMITED: u64 = 2;

/// One field, as protobuf lays it out.
struct Field<'a> {
    number: u32,
    /// What follows the key, without the length.
    payload: &'a [u8],
    is_delimited: bool,
}

impl<'a> Field<'a> {
    /// `None` if `rest` does not begin with a field, or with one of a kind that proto3 does not write.
    fn take(rest: &mut &'a [u8]) -> Option<Field<'a>> {
        let key = take_varint(rest)?;
        let number = u32::try_from(key >> 3).ok()?;
        let payload_bytes = match key & 7 {
            0 => rest.iter().position(|byte| byte & 0x80 == 0)? + 1,
            1 => 8,
            DELIMITED => usize::try_from(take_varint(rest)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let (payload, after) = rest.split_at_checked(payload_bytes)?;
        *rest = after;
        Some(Field { number, payload, is_delimited: key & 7 == DELIMITED })
    }
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

const _: () = assert!(ENVELOPE.len() <= RULES_MAX);

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::signal::{tests::samples, wire};

    fn limited(message: wire::signal_response::Message) -> (wire::SignalResponse, Truncated, bool) {
        let bytes = wire::SignalResponse { message: Some(message) }.encode_to_vec();
        let mut truncated = Truncated::default();
        let out = limit(&bytes, &mut truncated).unwrap();
        let is_copy = matches!(out, Cow::Owned(_));
        (wire::SignalResponse::decode(&*out).unwrap(), truncated, is_copy)
    }

    #[test]
    fn ordinary_messages_pass_untouched() {
        for message in samples::responses() {
            let (out, truncated, is_copy) = limited(message.clone());
            assert_eq!((out.message, truncated, is_copy), (Some(message), Truncated::default(), false));
        }
    }

    #[test]
    fn every_text_and_list_has_a_rule() {
        fn check(mut rest: &[u8], rules: &[Rule], path: &str) {
            while let Some(field) = (!rest.is_empty()).then(|| Field::take(&mut rest).unwrap()) {
                let path = format!("{path}.{}", field.number);
                let rule = rules.iter().find(|rule| rule.field == field.number);
                assert!(rule.is_some() || !field.is_delimited, "nothing limits {path}");
                if let Some(rule) = rule.filter(|rule| !rule.inside.is_empty()) {
                    check(field.payload, rule.inside, &path);
                }
            }
        }
        // The samples have every field that we read.
        for message in samples::responses() {
            check(&wire::SignalResponse { message: Some(message) }.encode_to_vec(), ENVELOPE, "response");
        }
    }

    #[test]
    fn a_crowd_is_cut_to_the_limit() {
        let participants = vec![wire::ParticipantInfo::default(); PARTICIPANTS_PER_MESSAGE_MAX + 3];
        let (out, truncated, _) =
            limited(wire::signal_response::Message::Update(wire::ParticipantUpdate { participants }));
        let Some(wire::signal_response::Message::Update(update)) = out.message else { panic!() };
        assert_eq!(update.participants.len(), PARTICIPANTS_PER_MESSAGE_MAX);
        assert_eq!(truncated, Truncated { participants: 3, ..Truncated::default() });
    }

    #[test]
    fn cutting_deep_inside_keeps_the_rest() {
        let participant = samples::participant(1);
        let tracks = vec![participant.tracks[0].clone(); TRACKS_PER_PARTICIPANT_MAX + 2];
        let metadata = "m".repeat(METADATA_BYTES_MAX + 1);
        let crowded = wire::ParticipantInfo { tracks, metadata, ..participant.clone() };
        let (out, truncated, _) = limited(wire::signal_response::Message::Update(wire::ParticipantUpdate {
            participants: vec![participant.clone(), crowded.clone(), participant.clone()],
        }));
        let expected = wire::ParticipantInfo {
            tracks: crowded.tracks[..TRACKS_PER_PARTICIPANT_MAX].to_vec(),
            metadata: String::new(),
            ..crowded
        };
        let Some(wire::signal_response::Message::Update(update)) = out.message else { panic!() };
        assert_eq!(update.participants, [participant.clone(), expected, participant]);
        assert_eq!(truncated, Truncated { tracks: 2, texts: 1, ..Truncated::default() });
    }

    #[test]
    fn a_second_copy_of_a_message_is_not_merged() {
        let participants = vec![samples::participant(1)];
        let update = wire::signal_response::Message::Update(wire::ParticipantUpdate { participants });
        let once = wire::SignalResponse { message: Some(update) }.encode_to_vec();
        let mut truncated = Truncated::default();
        assert_eq!(*limit(&once.repeat(100), &mut truncated).unwrap(), *once);
        assert_eq!(truncated.entries, 99);
    }

    #[test]
    fn what_is_no_protobuf_is_refused() {
        for bytes in [&[0x0a][..], &[0x0a, 5, 1], &[0x0b], &[0x80; 11], &[0x08, 0x80], &[0x0a, 0xff, 0xff]] {
            assert_eq!(limit(bytes, &mut Truncated::default()), None, "{bytes:x?}");
        }
    }
}
