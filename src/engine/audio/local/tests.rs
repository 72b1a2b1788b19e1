//! Tests of [`LocalTracks`] alone: blocks, the server's messages and commands go in; packets, requests, events and
//! outputs come out.

use super::*;
use crate::command::CommandError;
use crate::engine::port::Action;
use crate::event::{Event, ParticipantKind, TrackKind, TrackSource};
use crate::local::mute::TALK_HOLD;
use crate::media::block::{BLOCK_FRAMES, BLOCK_MS};
use crate::media::prompt::Recording;
use crate::media::receive::tests::simulated_call::an_instant;
use crate::room::Room;
use crate::rtc::Peer;
use crate::signal::join::{RoomInfo, RoomMoved};
use crate::signal::leave::DisconnectReason;
use crate::signal::participant::{ParticipantInfo, ParticipantState, Permission, TrackInfo};
use crate::signal::request::{AddTrack, Request};
use crate::signal::response::RequestReason;

const CID: &str = "cid";

fn sid(text: &str) -> Sid {
    Sid::new(text).expect("a SID")
}

fn participant(name: &str, kind: ParticipantKind) -> ParticipantInfo {
    ParticipantInfo {
        sid: sid(&format!("PA_{name}")),
        identity: name.into(),
        state: ParticipantState::Active,
        tracks: Vec::new(),
        name: String::new(),
        metadata: String::new(),
        attributes: Default::default(),
        version: 1,
        joined_at_ms: 0,
        permission: Permission { publish: true, microphone: true, subscribe: true, data: true },
        kind,
        disconnect_reason: DisconnectReason::Unknown,
    }
}

/// Our tracks, and everything that they are given.
struct Rig {
    now: Instant,
    own: ParticipantInfo,
    room: Room,
    has_signal: bool,
    is_connected: bool,
    takes_red: bool,
    local: LocalTracks,
    out: Outbox,
    /// Line, RTP time and whether it is RED, of each packet since the last look.
    sent: Vec<(Line, u64, bool)>,
    outputs: Vec<LocalOutput>,
}

impl Rig {
    fn new(settings: PublishSettings) -> Rig {
        let now = an_instant();
        let mut rig = Rig {
            now,
            own: participant("us", ParticipantKind::Standard),
            room: Room::new(),
            has_signal: true,
            is_connected: true,
            takes_red: true,
            local: LocalTracks::new(CID.to_owned(), Some(&settings), now).expect("memory"),
            out: Outbox::default(),
            sent: Vec::new(),
            outputs: Vec::new(),
        };
        rig.move_room(&[]);
        rig
    }

    /// In the room, published as `TR_mic`.
    fn published() -> Rig {
        let mut rig = Rig::new(PublishSettings::default());
        rig.act(|local, input, out, _| local.joined(input, out));
        rig.act(|local, input, out, _| local.published(CID, sid("TR_mic"), input, out));
        rig.take();
        rig
    }

    /// The room becomes another one, with these others in it.
    fn move_room(&mut self, others: &[ParticipantInfo]) {
        let moved = RoomMoved {
            room: RoomInfo::default(),
            token: None,
            participant: self.own.clone(),
            other_participants: others.to_vec(),
        };
        self.room.apply_moved(&moved, &mut |_| {});
    }

    fn act<R>(
        &mut self,
        act: impl FnOnce(&mut LocalTracks, &LocalInput<'_>, &mut Outbox, &mut SendPacket<'_>) -> R,
    ) -> R {
        let input = LocalInput {
            now: self.now,
            room: &self.room,
            has_signal: self.has_signal,
            is_connected: self.is_connected,
            takes_red: self.takes_red,
            may_hear: &|who| who.identity != "stranger",
        };
        let (is_connected, sent) = (self.is_connected, &mut self.sent);
        let result = act(&mut self.local, &input, &mut self.out, &mut |line, packet| {
            if is_connected {
                sent.push((line, packet.sample_time, packet.is_red));
            }
            is_connected
        });
        self.outputs.extend(std::iter::from_fn(|| self.local.poll_output()));
        result
    }

    /// Captures so much sound; how many packets were sent.
    fn speak(&mut self, ms: u32) -> usize {
        for _ in 0..ms / BLOCK_MS {
            let block = Block([0.1; BLOCK_FRAMES]);
            self.act(|local, input, out, send| local.capture(&block, None, input, send, out));
            self.now += Duration::from_millis(u64::from(BLOCK_MS));
        }
        std::mem::take(&mut self.sent).len()
    }

    /// Lets time pass, as far as something is due.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, _)) = self.local.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            assert!(self.act(|local, input, out, send| local.handle_timeout(input, send, out)));
        }
        self.now = end;
    }

    /// What came out since the last call, in words: actions, events, outputs.
    fn take(&mut self) -> Vec<String> {
        let actions = std::iter::from_fn(|| self.out.poll_action()).map(|action| match action {
            Action::Send(bytes) => {
                let mute = |muted| Request::Mute { sid: sid("TR_mic"), muted }.encode();
                match bytes {
                    bytes if bytes == mute(true) => "mute".to_owned(),
                    bytes if bytes == mute(false) => "unmute".to_owned(),
                    _ => "request".to_owned(),
                }
            }
            Action::DiscardSound(Peer::Publisher) => "discard".to_owned(),
            other => panic!("{other:?}"),
        });
        let mut words: Vec<String> = actions.collect();
        let events = std::iter::from_fn(|| self.out.poll_event()).map(|event| match *event {
            Event::LocalTrackPublished { sid, .. } => format!("+{sid}"),
            Event::LocalTrackUnpublished { sid, by, .. } => format!("-{sid} by {by:?}"),
            Event::LocalTrackRefused { .. } => "refused".to_owned(),
            Event::LocalMuted { by, .. } => format!("muted by {by:?}"),
            Event::LocalUnmuted { by, .. } => format!("unmuted by {by:?}"),
            Event::HeardBy { .. } => "heard".to_owned(),
            Event::Warning { text } => text,
            other => panic!("{other:?}"),
        });
        words.extend(events);
        let outputs = self.outputs.drain(..).map(|output| match output {
            LocalOutput::PacketsSent => "sent".to_owned(),
            LocalOutput::Offer => "offer".to_owned(),
            LocalOutput::SoundDiscarded => "withdraw".to_owned(),
            LocalOutput::Recording(recording) => format!("recording for {:?}", recording.destinations),
            LocalOutput::Leave(outcome) => format!("leave: {}", outcome.text),
        });
        words.extend(outputs);
        words
    }
}

#[test]
fn a_track_is_announced_published_ended_and_published_again() {
    let mut rig = Rig::new(PublishSettings::default());
    rig.act(|local, input, out, _| local.joined(input, out));
    let add_track = AddTrack {
        cid: CID.to_owned(),
        name: "microphone".to_owned(),
        no_dtx: true,
        no_red: !rig.local.may_repeat(),
        auto_gain_control: Default::default(),
        ..AddTrack::default()
    };
    let asked = rig.out.poll_action();
    let duplex = crate::media::send::audio_processor::Duplex::default();
    let add_track = AddTrack {
        auto_gain_control: duplex.controls_level(),
        echo_cancellation: duplex.cancels_echo(),
        noise_suppression: duplex.suppresses_noise(),
        ..add_track
    };
    assert_eq!(asked, Some(Action::Send(Request::AddTrack(add_track).encode())));
    assert_eq!(rig.take(), ["offer"]);
    assert_eq!((rig.local.cids(), rig.local.is_half_published()), ([Some(CID), None], true));
    assert_eq!(rig.speak(100), 0, "it cannot be sent yet");
    rig.act(|local, input, out, _| local.published("other", sid("TR_other"), input, out));
    rig.act(|local, input, out, _| local.published(CID, sid("TR_mic"), input, out));
    assert_eq!(rig.take(), ["+TR_mic"]);
    assert_eq!((rig.local.is_half_published(), rig.local.published_tracks().len()), (false, 1));
    assert_eq!(rig.speak(100), 5);
    assert!(rig.take().iter().all(|word| word == "sent"));
    rig.act(|local, input, out, _| local.unpublished_by_server(sid("TR_mic"), input, out));
    assert_eq!(rig.take(), ["discard", "-TR_mic by Server", "withdraw", "offer"]);
    assert_eq!(rig.speak(100), 0);
    // The server still shows the one before; then it has forgotten it.
    rig.own.tracks = vec![TrackInfo {
        sid: sid("TR_mic"),
        kind: TrackKind::Audio,
        source: TrackSource::Microphone,
        name: "microphone".into(),
        muted: false,
        encrypted: false,
    }];
    rig.move_room(&[]);
    assert_eq!(rig.act(|local, input, out, _| local.publish(input, out)), Ok(serde_json::Value::Null));
    assert_eq!(rig.take(), ["offer"]);
    rig.own.tracks.clear();
    rig.move_room(&[]);
    rig.act(|local, input, out, _| local.own_tracks_changed(input, out));
    assert_eq!(rig.take(), ["request", "offer"]);
}

#[test]
fn who_may_not_speak_only_listens_or_leaves() {
    for (is_required, expected) in [
        (false, "the token does not allow a microphone: listening only"),
        (true, "leave: nothing can be played into the room: the token does not allow a microphone"),
    ] {
        let mut rig = Rig::new(PublishSettings { is_required, ..PublishSettings::default() });
        rig.own.permission.microphone = false;
        rig.move_room(&[]);
        rig.act(|local, input, out, _| local.joined(input, out));
        assert_eq!(rig.take(), [expected, "offer"]);
        rig.own.permission.microphone = true;
        rig.move_room(&[]);
        rig.act(|local, input, out, _| local.permissions_changed(input, out));
        assert_eq!(rig.take(), ["request", "offer"], "the permission came");
        let refused = RequestReason::NotAllowed;
        assert!(rig.act(|local, input, out, _| local.answered(CID, refused, "no", input, out)));
        let said = rig.take();
        assert_eq!((said[0].as_str(), said.last().map(String::as_str)), ("refused", Some("offer")));
    }
}

#[test]
fn a_mute_closes_at_once_and_a_key_is_told_when_it_rests() {
    let mut rig = Rig::published();
    rig.speak(30);
    rig.take();
    assert_eq!(
        rig.act(|local, input, out, _| local.set_muted(true, input, out)),
        Ok(serde_json::Value::Null)
    );
    assert_eq!(rig.take(), ["discard", "mute", "muted by Us", "withdraw"]);
    rig.speak(200);
    assert_eq!(rig.speak(100), 0);
    rig.act(|local, input, out, _| local.set_muted(false, input, out)).expect("there is a microphone");
    rig.take();
    let talk = rig.act(|local, input, out, _| local.talk(false, input, out)).expect("the same");
    assert_eq!(talk, serde_json::json!({ "sending": false }));
    assert_eq!(rig.take(), ["discard", "withdraw"], "a pause between two words is not reported");
    assert_eq!(rig.local.poll_timeout(), Some((rig.now + TALK_HOLD, Reason::TalkHold)));
    rig.wait(TALK_HOLD);
    assert_eq!(rig.take(), ["mute", "muted by Us"]);
    rig.act(|local, input, out, _| local.talk(true, input, out)).expect("the same");
    assert_eq!(rig.take(), ["unmute", "unmuted by Us"]);
    rig.act(|local, input, out, _| local.muted_by_server(sid("TR_other"), true, input, out));
    rig.act(|local, input, out, _| local.muted_by_server(sid("TR_mic"), true, input, out));
    assert_eq!(rig.take(), ["discard", "muted by Server", "withdraw"], "the server knows");
    let mut silent = Rig::published();
    silent.local = LocalTracks::new(CID.to_owned(), None, silent.now).expect("memory");
    let answer = silent.act(|local, input, out, _| local.set_muted(true, input, out));
    assert_eq!(answer, Err(CommandError::refused("there is no input to mute")));
}

#[test]
fn an_announcement_has_a_track_of_its_own_and_ends_with_it() {
    let mut rig = Rig::published();
    rig.act(|local, input, out, _| local.set_muted(true, input, out)).expect("there is a microphone");
    rig.take();
    let ticket = rig.out.take_ticket().expect("a place");
    let recording = Recording::new(&[1000; 48_000 / 2]).expect("short");
    rig.act(|local, input, out, send| local.announce(ticket, recording.clone(), input, send, out));
    assert_eq!(rig.take(), ["request", "offer"]);
    let cid = rig.local.cids()[1].expect("asked for").to_owned();
    rig.act(|local, input, out, _| local.published(&cid, sid("TR_ann"), input, out));
    rig.act(|local, _, out, _| local.heard(sid("TR_mic"), an_instant(), out));
    assert_eq!(rig.take(), ["+TR_ann", "heard"]);
    let may = rig.act(|local, input, _, _| local.may_announce(input));
    assert!(may.is_err_and(|why| why.starts_with("another announcement")));
    rig.wait(Duration::from_secs(3));
    assert!(rig.sent.len() >= 25, "{} packets of 20 ms", rig.sent.len());
    assert!(rig.sent.iter().all(|(line, _, is_red)| *line == Line::Announcement && *is_red));
    let said = rig.take();
    assert!(said.contains(&"-TR_ann by Us".to_owned()) && said.last().is_some_and(|last| last == "offer"));
    assert!(rig.out.poll_answer().is_some_and(|(other, answer)| other == ticket && answer.is_ok()));
    // The next one is cut short.
    let ticket = rig.out.take_ticket().expect("a place");
    rig.act(|local, input, out, send| local.announce(ticket, recording, input, send, out));
    rig.act(|local, input, out, _| local.published(&cid, sid("TR_ann2"), input, out));
    rig.take();
    rig.act(|local, input, out, _| local.muted_by_server(sid("TR_ann2"), true, input, out));
    assert_eq!(rig.take(), ["-TR_ann2 by Server", "offer"]);
    let answer = rig.out.poll_answer().expect("an answer").1;
    assert_eq!(answer, Err(CommandError::refused("a moderator has muted it")));
}

#[test]
fn what_is_said_before_waits_for_people_and_is_recorded_for_agents() {
    let keeps = PublishSettings { keeps_early_sound: true, ..PublishSettings::default() };
    for agent in [None, Some("agent"), Some("stranger")] {
        let mut rig = Rig::new(keeps.clone());
        let others: Vec<_> = agent.iter().map(|name| participant(name, ParticipantKind::Agent)).collect();
        rig.move_room(&others);
        rig.local.enter(rig.now);
        assert!(rig.local.takes_sound(false));
        rig.act(|local, input, out, _| local.joined(input, out));
        assert_eq!(rig.speak(400), 0);
        rig.act(|local, input, out, _| local.published(CID, sid("TR_mic"), input, out));
        assert_eq!(rig.speak(100), 0, "it has no subscriber yet");
        rig.act(|local, input, out, _| local.heard(sid("TR_mic"), input.now, out));
        rig.take();
        let packets = rig.speak(100);
        let said = rig.take();
        let is_recorded = said.iter().any(|word| word == r#"recording for ["agent"]"#);
        assert_eq!((is_recorded, packets), (agent == Some("agent"), 5), "{agent:?}: {said:?}");
        rig.act(|local, _, out, _| local.close_microphone(out));
        assert_eq!(rig.take(), ["discard", "withdraw"]);
        assert!(!rig.local.takes_sound(false), "nothing more is kept");
    }
}

#[test]
fn a_lost_session_takes_tracks_and_outputs_with_it() {
    let mut rig = Rig::published();
    let ticket = rig.out.take_ticket().expect("a place");
    let recording = Recording::new(&[1000; 48_000]).expect("short");
    rig.act(|local, input, out, send| local.announce(ticket, recording, input, send, out));
    rig.act(|local, input, out, _| local.talk(false, input, out)).expect("there is a microphone");
    rig.take();
    rig.act(|local, _, out, _| {
        local.discard_sound(out);
        local.session_lost(out);
    });
    assert_eq!(rig.take(), ["discard", "-TR_mic by Us"]);
    assert_eq!((rig.local.poll_timeout(), rig.local.cids()), (None, [None, None]));
    assert!(!rig.act(|local, input, out, send| local.handle_timeout(input, send, out)));
    rig.act(|local, input, out, _| local.joined(input, out));
    assert_eq!(rig.take(), ["request", "offer"]);
}
