//! Tests of the whole room: stories as tables of messages and expected events, and random messages
//! with two checks beside them: a mirror that knows the events only, and a plain model of the rules.

use std::collections::{BTreeMap, HashMap};

use crate::event::{ParticipantKind, Quality, TrackKind, TrackSource};
use crate::room::*;
use crate::signal::join::{Configuration, ServerInfo};
use crate::signal::leave::DisconnectReason;
use crate::signal::participant::{ParticipantState, Permission, TrackInfo};
use crate::signal::tests::samples::Seeded;

pub(in crate::room) fn track(sid: &str, kind: TrackKind, muted: bool) -> TrackInfo {
    let source = TrackSource::Microphone;
    TrackInfo { sid: Sid::new(sid).unwrap(), kind, source, name: "mic".into(), muted, encrypted: false }
}

fn person(identity: &str, sid: &str, version: u32, tracks: &[TrackInfo]) -> ParticipantInfo {
    ParticipantInfo {
        sid: Sid::new(sid).unwrap(),
        identity: identity.into(),
        state: ParticipantState::Active,
        tracks: tracks.to_vec(),
        name: String::new(),
        metadata: String::new(),
        attributes: BTreeMap::new(),
        version,
        joined_at_ms: 0,
        permission: Permission { publish: true, microphone: true, subscribe: true, data: true },
        kind: ParticipantKind::Standard,
        disconnect_reason: DisconnectReason::Unknown,
    }
}

fn gone(info: ParticipantInfo) -> ParticipantInfo {
    ParticipantInfo { state: ParticipantState::Disconnected, ..info }
}

fn join(own: ParticipantInfo, others: &[ParticipantInfo]) -> Join {
    Join {
        room: RoomInfo { name: "house".into(), ..RoomInfo::default() },
        participant: own,
        other_participants: others.to_vec(),
        ice_servers: Vec::new(),
        subscriber_primary: true,
        fast_publish: false,
        ping_interval: Default::default(),
        ping_timeout: Default::default(),
        configuration: Configuration::default(),
        server: ServerInfo::default(),
    }
}

fn mic(sid: &str) -> TrackInfo {
    track(sid, TrackKind::Audio, false)
}

/// Two words an event: enough to compare stories.
fn words(event: &Event) -> String {
    match event {
        Event::ParticipantJoined(facts) => format!("+{} {}", facts.identity, facts.sid),
        Event::ParticipantLeft(left) => format!("-{} {}", left.who.identity, left.who.sid),
        Event::ParticipantActive { identity } => format!("active {identity}"),
        Event::ParticipantChanged(facts) => format!("~{} {}", facts.identity, facts.name),
        Event::TrackPublished(facts) => format!("+{} {}", facts.identity, facts.sid),
        Event::TrackUnpublished(facts) => format!("-{} {}", facts.identity, facts.sid),
        Event::TrackMuted(facts) => format!("muted {}", facts.sid),
        Event::Speakers { speakers } => {
            speakers.iter().fold("speak".into(), |line, who| format!("{line} {} {}", who.identity, who.level))
        }
        Event::ConnectionQuality { identity, quality } => format!("{identity} {quality:?}"),
        Event::PermissionsChanged { publish, .. } => format!("publish {publish}"),
        Event::RoomChanged { metadata, .. } => format!("room {metadata}"),
        other => panic!("{other:?}"),
    }
}

/// A room that we ("me", `PA_me`) have joined, and what it said last.
struct Story {
    room: Room,
    said: Vec<String>,
}

impl Story {
    fn begin(participants_max: usize, others: &[ParticipantInfo]) -> Story {
        let mut story = Story { room: Room::with_capacity(participants_max), said: Vec::new() };
        story.tell(|room, mut sink| room.apply_join(&join(person("me", "PA_me", 1, &[]), others), &mut sink));
        story
    }

    fn tell(&mut self, step: impl FnOnce(&mut Room, &mut dyn FnMut(Event))) -> &[String] {
        self.said.clear();
        let said = &mut self.said;
        step(&mut self.room, &mut |event| said.push(words(&event)));
        &self.said
    }

    fn update(&mut self, infos: &[ParticipantInfo]) -> &[String] {
        self.tell(|room, mut sink| room.apply_update(infos, &mut sink))
    }
}

#[test]
fn updates_one_by_one() {
    let mut story = Story::begin(8, &[person("ann", "PA_a1", 5, &[mic("TR_a1")])]);
    assert_eq!(story.said, ["+ann PA_a1", "active ann", "+ann TR_a1"]);

    let named = ParticipantInfo { name: "Ann".into(), ..person("ann", "PA_a1", 6, &[mic("TR_a1")]) };
    let steps: &[(&str, ParticipantInfo, &[&str])] = &[
        ("a name", named.clone(), &["~ann Ann"]),
        ("the same again", named.clone(), &[]),
        ("something older", person("ann", "PA_a1", 5, &[]), &[]),
        ("a stranger who left", gone(person("eve", "PA_e1", 1, &[])), &[]),
        (
            "a second session",
            person("ann", "PA_a2", 1, &[mic("TR_a2")]),
            &["-ann TR_a1", "-ann PA_a1", "+ann PA_a2", "active ann", "+ann TR_a2"],
        ),
        ("the end of the first", gone(named), &[]),
        ("the end of the second", gone(person("ann", "PA_a2", 2, &[])), &["-ann TR_a2", "-ann PA_a2"]),
        ("our own track", person("me", "PA_me", 2, &[mic("TR_me")]), &[]),
    ];
    for (step, info, expected) in steps {
        assert_eq!(story.update(std::slice::from_ref(info)), *expected, "{step}");
    }
    let own = story.room.own().expect("joined");
    assert!(own.tracks().map(|track| track.info.sid).eq([Sid::new("TR_me").unwrap()]));
    assert_eq!(story.room.track(Sid::new("TR_me").unwrap()), None, "ours is not remote");
}

#[test]
fn a_session_that_began_earlier_does_not_come_back() {
    let at = |sid, joined_at_ms| ParticipantInfo { joined_at_ms, ..person("ann", sid, 1, &[]) };
    let mut story = Story::begin(8, &[at("PA_a2", 2000)]);
    assert_eq!(story.update(&[at("PA_a1", 1000)]), [""; 0]);
    assert_eq!(story.update(&[at("PA_a3", 3000)]), ["-ann PA_a2", "+ann PA_a3", "active ann"]);
}

#[test]
fn who_connects_is_told_once_and_before_its_tracks() {
    let at = |state, version, tracks: &[TrackInfo]| ParticipantInfo {
        state,
        ..person("ann", "PA_a", version, tracks)
    };
    let mut story = Story::begin(8, &[]);
    assert_eq!(story.update(&[at(ParticipantState::Joining, 1, &[])]), ["+ann PA_a"]);
    assert_eq!(story.update(&[at(ParticipantState::Joined, 2, &[])]), [""; 0]);
    let tracks = [mic("TR_a")];
    assert_eq!(story.update(&[at(ParticipantState::Active, 3, &tracks)]), ["active ann", "+ann TR_a"]);
    assert_eq!(story.update(&[at(ParticipantState::Active, 4, &tracks)]), [""; 0]);
    // A new session of ours tells the state again.
    let again = join(person("me", "PA_me2", 1, &[]), &[at(ParticipantState::Active, 1, &tracks)]);
    assert_eq!(story.tell(|room, mut sink| room.apply_join(&again, &mut sink)), [""; 0]);
}

#[test]
fn who_leaves_has_a_reason() {
    let left = |info: ParticipantInfo| {
        let mut story = Story::begin(8, &[person("ann", "PA_a", 1, &[])]);
        let mut reasons = Vec::new();
        story.room.apply_update(&[info], &mut |event| match event {
            Event::ParticipantLeft(left) => reasons.push(left.reason),
            Event::ParticipantJoined(_) | Event::ParticipantActive { .. } => {}
            other => panic!("{other:?}"),
        });
        reasons
    };
    for (reason, expected) in [
        (DisconnectReason::UserRejected, "user_rejected"),
        (DisconnectReason::UserUnavailable, "user_unavailable"),
        (DisconnectReason::SipTrunkFailure, "sip_trunk_failure"),
        (DisconnectReason::ClientInitiated, "client_initiated"),
        (DisconnectReason::Unknown, "unknown_reason"),
    ] {
        let ann = person("ann", "PA_a", 2, &[]);
        assert_eq!(left(gone(ParticipantInfo { disconnect_reason: reason, ..ann })), [expected]);
    }
    assert_eq!(
        left(person("ann", "PA_a2", 1, &[])),
        ["unknown_reason"],
        "in the place of the session before"
    );
}

#[test]
fn our_permissions() {
    let mut story = Story::begin(8, &[]);
    let mut me = person("me", "PA_me", 2, &[]);
    me.permission.publish = false;
    assert_eq!(story.update(&[me.clone()]), ["publish false"]);
    assert_eq!(story.update(&[me.clone()]), [""; 0]);
    assert!(!story.room.own().unwrap().permission.publish);

    let elsewhere = person("me", "PA_other", 9, &[]);
    assert_eq!(story.update(&[elsewhere, gone(me)]), [""; 0]);
    assert_eq!(story.room.own().unwrap().sid, "PA_me");
}

#[test]
fn a_new_session_tells_the_difference_only() {
    let ann = person("ann", "PA_a", 7, &[mic("TR_a1"), mic("TR_a2")]);
    let mut story = Story::begin(8, &[ann, person("bob", "PA_b", 1, &[]), person("cat", "PA_c", 1, &[])]);
    let speaker = SpeakerInfo { sid: Sid::new("PA_a").unwrap(), level: 0.5, active: true };
    story.tell(|room, mut sink| room.apply_speakers(&[speaker], &mut sink));

    let others = [person("ann", "PA_a", 1, &[mic("TR_a2")]), person("cat", "PA_c2", 1, &[])];
    let again = join(person("me", "PA_me2", 1, &[]), &others);
    let said = story.tell(|room, mut sink| room.apply_join(&again, &mut sink));
    assert_eq!(said, ["speak", "-bob PA_b", "-ann TR_a1", "-cat PA_c", "+cat PA_c2", "active cat"]);
    assert_eq!(story.room.own().unwrap().sid, "PA_me2");
}

#[test]
fn a_full_room_prefers_those_with_sound() {
    let silent = |identity: &str| person(identity, &format!("PA_{identity}"), 1, &[]);
    let heard =
        |identity: &str| person(identity, &format!("PA_{identity}"), 2, &[mic(&format!("TR_{identity}"))]);
    let mut story = Story::begin(2, &[silent("ann"), heard("bob")]);
    assert_eq!(story.said, ["+bob PA_bob", "active bob", "+bob TR_bob", "+ann PA_ann", "active ann"]);

    assert_eq!(story.update(&[silent("cat")]), [""; 0]);
    assert_eq!(story.update(&[heard("cat")]), ["-ann PA_ann", "+cat PA_cat", "active cat", "+cat TR_cat"]);
    assert_eq!(story.update(&[heard("dan")]), [""; 0]);
    assert_eq!(story.room.counters(), RoomCounters { refused: 2, evicted: 1 });
}

#[test]
fn speakers_are_told_whole_and_by_name() {
    let mut story = Story::begin(8, &[person("ann", "PA_a", 1, &[]), person("bob", "PA_b", 1, &[])]);
    let change = |sid, level, active| SpeakerInfo { sid: Sid::new(sid).unwrap(), level, active };
    let mut speak = |changes: &[SpeakerInfo]| {
        story.tell(|room, mut sink| room.apply_speakers(changes, &mut sink)).to_vec()
    };
    assert_eq!(speak(&[change("PA_b", 0.25, true)]), ["speak bob 0.25"]);
    assert_eq!(speak(&[change("PA_a", 0.5, true), change("PA_x", 1.0, true)]), ["speak ann 0.5 bob 0.25"]);
    assert_eq!(speak(&[change("PA_a", 0.5, true)]), [""; 0]);
    assert_eq!(speak(&[change("PA_me", 0.25, true)]), ["speak ann 0.5 bob 0.25 me 0.25"]);
    assert_eq!(speak(&[change("PA_b", 0.0, false)]), ["speak ann 0.5 me 0.25"]);
    assert_eq!(story.update(&[gone(person("ann", "PA_a", 2, &[]))]), ["-ann PA_a", "speak me 0.25"]);
}

#[test]
fn quality_and_room_are_told_once() {
    let mut story = Story::begin(8, &[person("ann", "PA_a", 1, &[])]);
    let qualities = ["PA_a", "PA_me", "PA_x"]
        .map(|sid| QualityInfo { sid: Sid::new(sid).unwrap(), quality: Quality::Good });
    let info = RoomInfo { sid: Sid::new("RM_1"), metadata: "quiet".into(), ..RoomInfo::default() };
    for (quality, room) in [(&["ann Good", "me Good"][..], &["room quiet"][..]), (&[], &[])] {
        assert_eq!(story.tell(|room, mut sink| room.apply_quality(&qualities, &mut sink)), quality);
        assert_eq!(story.tell(|room, mut sink| room.apply_room(&info, &mut sink)), room);
    }
    assert_eq!((story.room.info().sid, story.room.info().name.as_str()), (Sid::new("RM_1"), "house"));
}

/// The room rebuilt from nothing but its events: identity → (SID, name, track SID → muted).
#[derive(Debug, Default, PartialEq)]
struct Mirror(BTreeMap<String, (String, String, BTreeMap<String, bool>)>);

impl Mirror {
    fn see(&mut self, event: Event) {
        match event {
            Event::ParticipantJoined(facts) => {
                let fresh = self.0.insert(facts.identity, (facts.sid, facts.name, BTreeMap::new()));
                assert!(fresh.is_none(), "joined twice");
            }
            Event::ParticipantLeft(left) => {
                let (sid, _, tracks) = self.0.remove(&left.who.identity).expect("left without having joined");
                assert_eq!((sid, tracks.len()), (left.who.sid, 0));
            }
            Event::ParticipantChanged(facts) => self.0.get_mut(&facts.identity).unwrap().1 = facts.name,
            Event::TrackPublished(facts) => {
                let tracks = &mut self.0.get_mut(&facts.identity).unwrap().2;
                assert_eq!(tracks.insert(facts.sid, facts.muted), None, "published twice");
            }
            Event::TrackUnpublished(facts) => {
                let tracks = &mut self.0.get_mut(&facts.identity).unwrap().2;
                assert!(tracks.remove(&facts.sid).is_some(), "unpublished without having been published");
            }
            Event::TrackMuted(facts) | Event::TrackUnmuted(facts) => {
                let muted = self.0.get_mut(&facts.identity).unwrap().2.get_mut(&facts.sid).unwrap();
                assert_ne!(std::mem::replace(muted, facts.muted), facts.muted, "told without a change");
            }
            Event::ParticipantActive { identity } => {
                assert!(self.0.contains_key(&identity), "active without having joined");
            }
            Event::RoomChanged { .. } | Event::PermissionsChanged { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    fn of(room: &Room) -> Mirror {
        let facts = |other: &Participant| {
            let tracks = other.tracks().map(|track| (track.info.sid.to_string(), track.info.muted)).collect();
            (other.identity.clone(), (other.sid.to_string(), other.name.clone(), tracks))
        };
        Mirror(room.participants().map(facts).collect())
    }
}

/// The rules of an update without tables, limits and differences.
fn apply_plainly(model: &mut HashMap<String, ParticipantInfo>, info: &ParticipantInfo) {
    let is_gone = info.state == ParticipantState::Disconnected;
    let known = model.get(&info.identity).map(|known| (known.sid == info.sid, known.version));
    match known {
        Some((true, _)) if is_gone => drop(model.remove(&info.identity)),
        Some((true, version)) if info.version < version => {}
        _ if is_gone => {}
        _ => drop(model.insert(info.identity.clone(), info.clone())),
    }
}

fn random_person(seeded: &mut Seeded) -> ParticipantInfo {
    let who = seeded.below(6);
    let session = seeded.below(3);
    let mut tracks = Vec::new();
    for number in 0..3 {
        let kind = if number == 0 { TrackKind::Audio } else { TrackKind::Video };
        if seeded.below(2) == 0 {
            tracks.push(track(&format!("TR_{who}_{session}_{number}"), kind, seeded.below(2) == 0));
        }
    }
    let mut info =
        person(&format!("id-{who}"), &format!("PA_{who}_{session}"), seeded.below(5) as u32, &tracks);
    info.name = format!("name {}", seeded.below(3));
    if seeded.below(4) == 0 { gone(info) } else { info }
}

#[test]
fn random_updates_agree_with_both_models() {
    for seed in 0..60 {
        let mut seeded = Seeded(seed);
        // Six people exist: four places are too few, eight are enough for the plain model to be right.
        let participants_max = if seed % 2 == 0 { 4 } else { 8 };
        let mut room = Room::with_capacity(participants_max);
        let mut mirror = Mirror::default();
        let mut model = HashMap::new();
        room.apply_join(&join(person("me", "PA_me", 1, &[]), &[]), &mut |event| mirror.see(event));
        for step in 0..400 {
            let infos: Vec<_> = (0..seeded.below(3)).map(|_| random_person(&mut seeded)).collect();
            if seeded.below(20) == 0 {
                let mut others: HashMap<_, _> =
                    infos.iter().map(|info| (info.identity.clone(), info.clone())).collect();
                others.retain(|_, info| info.state != ParticipantState::Disconnected);
                let list: Vec<_> = others.values().cloned().collect();
                room.apply_join(&join(person("me", "PA_me", 1, &[]), &list), &mut |event| mirror.see(event));
                model = others;
            } else {
                room.apply_update(&infos, &mut |event| mirror.see(event));
                infos.iter().for_each(|info| apply_plainly(&mut model, info));
            }
            assert_eq!(mirror, Mirror::of(&room), "seed {seed}, step {step}");
            assert!(mirror.0.len() <= participants_max, "seed {seed}, step {step}");
            if participants_max == 8 {
                let mut known: Vec<_> =
                    room.participants().map(|other| (&other.identity, other.sid)).collect();
                let mut expected: Vec<_> = model.values().map(|info| (&info.identity, info.sid)).collect();
                known.sort();
                expected.sort();
                assert_eq!(known, expected, "seed {seed}, step {step}");
                for track in model.values().flat_map(|info| &info.tracks) {
                    assert_eq!(room.track(track.sid).map(|found| found.info), Some(track), "seed {seed}");
                }
            }
        }
    }
}
