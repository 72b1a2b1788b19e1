//! Tests of [`Hearing`] alone: a room, packets and commands go in; requests, events and blocks come out.

use std::time::Duration;

use super::*;
use crate::engine::port::Action;
use crate::event::{ParticipantKind, TrackKind};
use crate::limits::TALKERS_MAX;
use crate::media::receive::tests::simulated_call::an_instant;
use crate::signal::join::{RoomInfo, RoomMoved};
use crate::signal::leave::DisconnectReason;
use crate::signal::participant::{ParticipantInfo, ParticipantState, Permission, TrackInfo};

fn sid(text: &str) -> Sid {
    Sid::new(text).expect("a SID")
}

/// A participant `name` with the microphone `TR_name`.
fn participant(name: &str, encrypted: bool) -> ParticipantInfo {
    let microphone = TrackInfo {
        sid: sid(&format!("TR_{name}")),
        kind: TrackKind::Audio,
        source: TrackSource::Microphone,
        name: "microphone".into(),
        muted: false,
        encrypted,
    };
    ParticipantInfo {
        sid: sid(&format!("PA_{name}")),
        identity: name.into(),
        state: ParticipantState::Active,
        tracks: vec![microphone],
        name: String::new(),
        metadata: String::new(),
        attributes: Default::default(),
        version: 1,
        joined_at_ms: 0,
        permission: Permission { publish: true, microphone: true, subscribe: true, data: true },
        kind: ParticipantKind::Standard,
        disconnect_reason: DisconnectReason::Unknown,
    }
}

/// Hearing, and everything that it is given.
struct Rig {
    room: Room,
    carried: Vec<Sid>,
    has_signal: bool,
    stranger: Option<&'static str>,
    hearing: Hearing,
    out: Outbox,
}

impl Rig {
    fn new(others: &[ParticipantInfo]) -> Rig {
        let mut room = Room::new();
        let moved = RoomMoved {
            room: RoomInfo::default(),
            token: None,
            participant: participant("us", false),
            other_participants: others.to_vec(),
        };
        room.apply_moved(&moved, &mut |_| {});
        Rig {
            room,
            carried: Vec::new(),
            has_signal: true,
            stranger: None,
            hearing: Hearing::new(true, "microphones".parse().expect("a policy"), 100, 200).expect("memory"),
            out: Outbox::default(),
        }
    }

    fn act<R>(&mut self, act: impl FnOnce(&mut Hearing, &HearingInput<'_>, &mut Outbox) -> R) -> R {
        let is_admitted = |who: &Participant| Some(who.identity.as_str()) != self.stranger;
        let input = HearingInput {
            room: &self.room,
            carried: &self.carried,
            has_signal: self.has_signal,
            is_admitted: &is_admitted,
        };
        act(&mut self.hearing, &input, &mut self.out)
    }

    /// The requests and events since the last call, the events by name and track.
    fn take(&mut self) -> (Vec<Vec<u8>>, Vec<String>) {
        let requests = std::iter::from_fn(|| self.out.poll_action()).map(|action| match action {
            Action::Send(bytes) => bytes,
            other => panic!("{other:?}"),
        });
        let requests = requests.collect();
        let events = std::iter::from_fn(|| self.out.poll_event()).map(|event| match *event {
            Event::TrackSubscribed(facts) => format!("+{}", facts.sid),
            Event::TrackUnsubscribed(facts) => format!("-{}", facts.sid),
            Event::Warning { text } => text,
            other => panic!("{other:?}"),
        });
        (requests, events.collect())
    }

    fn insert(&mut self, track: &str, sequence: u64, now: Instant) -> bool {
        self.hearing.insert(&RtpArrival {
            track: sid(track),
            ssrc: 1,
            sequence,
            rtp_time: sequence * 960,
            arrival: now,
            is_red: false,
            payload: &[0xf8, 0xff, 0xfe],
        })
    }
}

fn subscription(track: &str, subscribe: bool) -> Vec<u8> {
    Request::Subscription { sids: vec![sid(track)], subscribe }.encode()
}

#[test]
fn a_track_is_requested_then_carried_then_ends() {
    let mut rig = Rig::new(&[participant("anna", false)]);
    rig.act(Hearing::update);
    assert_eq!(rig.take(), (vec![subscription("TR_anna", true)], vec![]));
    assert_eq!(
        (rig.hearing.wanted(), rig.hearing.is_subscribed(sid("TR_anna"))),
        (&[sid("TR_anna")][..], false)
    );
    // The server offers a track before it names the publisher.
    rig.carried = vec![sid("TR_anna"), sid("TR_unknown")];
    rig.act(Hearing::update);
    rig.act(Hearing::update);
    assert_eq!(rig.take(), (vec![], vec!["+TR_anna".to_owned()]), "once");
    rig.act(|hearing, _, out| hearing.session_lost(out));
    assert_eq!(rig.take(), (vec![], vec!["-TR_anna".to_owned()]));
    assert!(rig.hearing.wanted().is_empty());
}

#[test]
fn who_is_not_admitted_is_neither_requested_nor_played() {
    let mut rig = Rig::new(&[participant("anna", false), participant("bert", false)]);
    rig.carried = vec![sid("TR_anna"), sid("TR_bert")];
    rig.act(Hearing::update);
    rig.take();
    // A rule takes effect while the server is away; the request follows.
    (rig.stranger, rig.has_signal) = (Some("bert"), false);
    rig.act(Hearing::forget_wanted);
    assert_eq!(rig.take(), (vec![], vec!["-TR_bert".to_owned()]));
    rig.insert("TR_bert", 1, an_instant());
    assert_eq!(rig.hearing.take_stats(&rig.room), []);
    rig.has_signal = true;
    rig.act(Hearing::resumed);
    assert_eq!(rig.take(), (vec![subscription("TR_bert", false)], vec![]));
}

#[test]
fn commands_wait_for_the_server_and_refuse_what_is_no_audio_track() {
    let mut rig = Rig::new(&[participant("anna", false)]);
    rig.has_signal = false;
    rig.act(|hearing, input, out| hearing.set_wanted("anna", false, input, out)).expect("an identity");
    assert_eq!(rig.take(), (vec![], vec![]));
    rig.has_signal = true;
    rig.act(Hearing::update);
    assert_eq!(rig.take(), (vec![], vec![]), "not wanted");
    rig.act(|hearing, input, out| hearing.set_wanted("TR_anna", true, input, out)).expect("a track");
    assert_eq!(rig.take().0, [subscription("TR_anna", true)]);
    rig.act(|hearing, input, out| hearing.set_paused("TR_anna", true, input, out)).expect("a track");
    assert_eq!(rig.hearing.paused(), [sid("TR_anna")]);
    rig.act(|hearing, input, out| hearing.set_paused("TR_gone", true, input, out))
        .expect_err("no such track");
}

#[test]
fn an_encrypted_track_is_warned_of_once() {
    let mut rig = Rig::new(&[participant("anna", true)]);
    rig.act(Hearing::update);
    rig.act(Hearing::update);
    let (requests, events) = rig.take();
    assert!(requests.is_empty() && events.len() == 1 && events[0].starts_with("anna speaks end-to-end"));
}

#[test]
fn eight_talk_and_a_ninth_waits_for_a_slot() {
    let names: Vec<String> = (0..=TALKERS_MAX).map(|number| format!("{number}")).collect();
    let others: Vec<ParticipantInfo> = names.iter().map(|name| participant(name, false)).collect();
    let mut rig = Rig::new(&others);
    rig.carried = names.iter().map(|name| sid(&format!("TR_{name}"))).collect();
    rig.act(Hearing::update);
    let start = an_instant();
    let mut heard = |sequence, now| -> Vec<bool> {
        names.iter().map(|name| rig.insert(&format!("TR_{name}"), sequence, now)).collect()
    };
    let first = heard(1, start);
    assert!(first[..TALKERS_MAX].iter().all(|is_heard| *is_heard) && !first[TALKERS_MAX]);
    // When the others pause for longer than DTX does, one of their slots is free.
    assert!(rig.insert(&format!("TR_{TALKERS_MAX}"), 2, start + Duration::from_secs(2)));
    assert_eq!(rig.hearing.take_stats(&rig.room).len(), TALKERS_MAX);
}

#[test]
fn a_prompt_is_played_at_the_output_volume() {
    let mut rig = Rig::new(&[]);
    let (prompt, mut out) = (Block([0.5; crate::media::block::BLOCK_FRAMES]), Block::SILENCE);
    rig.hearing.output_volume().set_percent(50);
    for _ in 0..2 {
        rig.hearing.playback(Some(&prompt), &mut out, an_instant());
    }
    assert_eq!(out.0.last(), Some(&0.25));
    rig.hearing.playback(None, &mut out, an_instant());
    assert_eq!(out.0.first(), Some(&0.0));
}
