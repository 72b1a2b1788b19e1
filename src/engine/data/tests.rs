//! [`Data`] by itself: two of them, and a server that stamps packets and passes them on.

use std::time::Duration;

use super::*;
use crate::command::message::{Address, DataMessage, FileMessage, RpcAnswer, RpcCommand, TextMessage};
use crate::command::{Answer, Reply};
use crate::engine::port::{Action, FileOrder};
use crate::event::ParticipantKind;
use crate::limits::{LOSSY_WAITING_MAX, STREAM_CHUNK_BYTES};
use crate::signal::join::{RoomInfo, RoomMoved};
use crate::signal::leave::DisconnectReason;
use crate::signal::participant::{ParticipantInfo, ParticipantState, Permission};

#[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
fn base() -> Instant {
    Instant::now()
}

fn participant(name: &str) -> ParticipantInfo {
    ParticipantInfo {
        sid: Sid::new(&format!("PA_{name}")).expect("a SID"),
        identity: name.into(),
        state: ParticipantState::Active,
        tracks: Vec::new(),
        name: String::new(),
        metadata: String::new(),
        attributes: Default::default(),
        version: 0,
        joined_at_ms: 0,
        permission: Permission { data: true, ..Permission::default() },
        kind: ParticipantKind::Standard,
        disconnect_reason: DisconnectReason::Unknown,
    }
}

/// One client: its messages, its room, and the channels as far as its SCTP goes.
struct Client {
    name: &'static str,
    data: Data,
    room: Room,
    out: Outbox,
    random: fastrand::Rng,
    is_whole: bool,
    is_open: bool,
    now: Instant,
}

impl Client {
    fn new(name: &'static str, others: &[&str]) -> Client {
        let mut room = Room::new();
        let moved = RoomMoved {
            room: RoomInfo::default(),
            token: None,
            participant: participant(name),
            other_participants: others.iter().map(|other| participant(other)).collect(),
        };
        room.apply_moved(&moved, &mut |_| {});
        Client {
            name,
            data: Data::new(true, vec!["open".to_owned()]),
            room,
            out: Outbox::default(),
            random: fastrand::Rng::with_seed(1),
            is_whole: true,
            is_open: true,
            now: base(),
        }
    }

    fn act<R>(&mut self, act: impl FnOnce(&mut Data, &mut DataContext<'_>, Instant, &mut Outbox) -> R) -> R {
        let Client { data, room, random, now, out, .. } = self;
        let mut context = DataContext { may_send: Ok(()), server: "LiveKit 1.13.5", room, random };
        act(data, &mut context, *now, out)
    }

    fn send(&mut self, topic: &str, is_lossy: bool) -> Answer {
        let address = Address { topic: topic.to_owned(), to: Vec::new() };
        let message = DataMessage { address, payload: b"hello".to_vec(), is_lossy };
        self.act(|data, context, _, out| data.send_data(message, context, out))
    }

    /// What SCTP takes now, as others get it from the server.
    fn write(&mut self) -> Vec<(Channel, Vec<u8>)> {
        let (mut written, is_open) = (Vec::new(), self.is_open);
        let mut write = |channel, bytes: &[u8]| match is_open {
            true => {
                written.push((channel, bytes.to_vec()));
                Written::Taken
            }
            false => Written::NotOpen,
        };
        while self.data.write(self.is_whole, &mut write, self.now, &mut self.out) {}
        for (_, bytes) in &mut written {
            let sid = format!("PA_{}", self.name);
            // `participant_identity` (4) and `participant_sid` (17) of `DataPacket`.
            bytes.extend([0x22, self.name.len() as u8]);
            bytes.extend(self.name.bytes());
            bytes.extend([0x8a, 0x01, sid.len() as u8]);
            bytes.extend(sid.bytes());
        }
        written
    }

    fn hear(&mut self, packets: Vec<(Channel, Vec<u8>)>) {
        for (channel, bytes) in packets {
            assert!(self.data.keep(channel, bytes));
        }
        self.data.handle_arrived(&self.room, self.now, &mut self.out);
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.out.poll_event()).map(|event| *event).collect()
    }

    /// Orders about files since the last call.
    fn orders(&mut self) -> Vec<(FileKey, FileOrder)> {
        let order = |action| match action {
            Action::File(key, order) => Some((key, order)),
            _ => None,
        };
        std::iter::from_fn(|| self.out.poll_action()).filter_map(order).collect()
    }

    fn handle_file(&mut self, key: FileKey, notice: FileNotice) {
        self.data.handle_file(key, notice, &self.room, self.now, &mut self.out);
    }
}

fn pair() -> (Client, Client) {
    (Client::new("door", &["hall"]), Client::new("hall", &["door"]))
}

#[test]
fn messages_wait_for_the_channel_and_the_session_and_leave_in_order() {
    let (mut door, mut hall) = pair();
    (door.is_open, door.is_whole) = (false, false);
    assert!(!door.data.wants_publisher() && !door.data.take_queued());
    for topic in ["first", "second"] {
        assert!(door.send(topic, false).is_ok());
    }
    assert!(door.send("lossy", true).is_ok());
    assert!(door.data.wants_publisher() && door.data.take_queued() && !door.data.take_queued());
    assert!(door.write().is_empty() && door.data.has_unsent());
    door.is_open = true;
    let lossy = door.write();
    assert_eq!(lossy.iter().map(|(channel, _)| *channel).collect::<Vec<_>>(), [Channel::Lossy]);
    door.is_whole = true;
    let written = door.write();
    assert_eq!((written.len(), door.data.unsent().len(), door.data.moved_at()), (2, 2, Some(door.now)));
    door.data.confirmed(0, door.now);
    assert!(!door.data.has_unsent() && !door.data.has_waiting());
    // The same numbers again are reported once.
    hall.hear(written.clone());
    hall.hear(written);
    let topics = hall.events().into_iter().map(|event| match event {
        Event::Data(DataFacts { topic, identity, .. }) => (topic, identity),
        other => panic!("{other:?}"),
    });
    assert_eq!(topics.collect::<Vec<_>>(), ["first", "second"].map(|topic| (topic.into(), "door".into())));
    assert_eq!((hall.out.counters().data_repeated, hall.data.received().len()), (2, 1));
}

#[test]
fn packets_that_cannot_be_read_or_kept_are_counted() {
    let (mut door, mut hall) = pair();
    for _ in 0..3 {
        hall.hear(vec![(Channel::Reliable, vec![0xff; 10])]);
    }
    assert_eq!((hall.events().len(), hall.out.counters().data_refused), (1, 3));
    door.is_open = false;
    for _ in 0..LOSSY_WAITING_MAX + 2 {
        assert!(door.send("lossy", true).is_ok());
    }
    assert_eq!(door.out.counters().data_lost, 2);
}

#[test]
fn who_may_not_send_sends_nothing() {
    let (mut door, _) = pair();
    let mut context = DataContext {
        may_send: Err(CommandError::refused("not in the room at the moment")),
        server: "",
        room: &door.room,
        random: &mut door.random,
    };
    assert!(door.data.send_dtmf("1", &context).is_err());
    let message = TextMessage { address: Address::default(), text: "hello".into() };
    assert!(door.data.send_text(message.clone(), &mut context, door.now).is_err());
    let room = Room::new();
    context = DataContext { may_send: Ok(()), room: &room, ..context };
    let error = door.data.send_text(message, &mut context, door.now).expect_err("without a permission");
    assert!(error.message.contains("canPublishData"), "{error}");
    assert!(!door.data.take_queued());
}

#[test]
fn chat_goes_out_twice_and_is_reported_once() {
    let (mut door, mut hall) = pair();
    door.act(|data, context, now, _| data.send_chat("ready".into(), context, now)).expect("it may");
    let written = door.write();
    assert_eq!(written.len(), 4, "header, chunk, trailer, and the packet for older clients");
    hall.hear(written);
    let events = hall.events();
    assert!(
        matches!(&events[..], [Event::Chat { identity, text, .. }] if identity == "door" && text == "ready"),
        "{events:?}"
    );
}

#[test]
fn a_call_is_answered_or_runs_out_of_time() {
    let (mut door, mut hall) = pair();
    let call = RpcCommand { to: "hall".into(), method: "open".into(), payload: "now".into() };
    let call_it = |door: &mut Client, call: RpcCommand| match door
        .act(|data, context, now, out| data.call(call, context, now, out))
    {
        Reply::Later(ticket) => ticket,
        Reply::Now(answer) => panic!("{answer:?}"),
    };
    let ticket = call_it(&mut door, call.clone());
    hall.hear(door.write());
    let Some(Event::RpcInvoked(invoked)) = hall.events().pop() else { panic!("it is invoked") };
    let answer = RpcAnswer { id: invoked.id.clone(), result: Ok("open".into()) };
    assert!(hall.data.answer_call(answer.clone()).is_ok());
    assert!(hall.data.answer_call(answer).is_err(), "once");
    door.hear(hall.write());
    assert_eq!(door.out.poll_answer(), Some((ticket, Ok(serde_json::json!({ "payload": "open" })))));
    assert!(matches!(&door.events()[..], [Event::RpcAnswered(answered)] if answered.code.is_none()));
    assert_eq!(door.data.poll_timeout(), None);

    // The callee does not acknowledge it.
    let ticket = call_it(&mut door, call.clone());
    let (at, reason) = door.data.poll_timeout().expect("a deadline");
    assert_eq!((at, reason), (door.now + Duration::from_secs(7), Reason::Call));
    door.data.handle_timeout(at, &mut door.out);
    let (answered, answer) = door.out.poll_answer().expect("an answer");
    assert!(answered == ticket && answer.is_err_and(|error| error.message.starts_with("1501 ")));
    // A call of a participant that is not there.
    call_it(&mut door, RpcCommand { to: "attic".into(), ..call });
    let (_, answer) = door.out.poll_answer().expect("an answer");
    assert!(answer.is_err_and(|error| error.message.starts_with("1401 ")));
}

#[test]
fn calls_and_streams_end_with_the_one_who_left() {
    let (mut door, mut hall) = pair();
    let call = RpcCommand { to: "hall".into(), method: "open".into(), payload: String::new() };
    door.act(|data, context, now, out| data.call(call, context, now, out));
    let message = TextMessage { address: Address::default(), text: "hello".into() };
    door.act(|data, context, now, _| data.send_text(message, context, now)).expect("it may");
    let mut written = door.write();
    written.pop();
    hall.hear(written);
    hall.events();
    let left = Room::new();
    let sid = participant("door").sid;
    hall.data.participant_left(sid, "door", &left, &mut hall.out);
    let events = hall.events();
    assert!(
        matches!(&events[..], [Event::Warning { text }] if text.ends_with("its sender left")),
        "{events:?}"
    );
    assert_eq!(hall.data.poll_timeout(), None, "no caller waits for the answer");
    // A newer session of the one that was called is in the room.
    door.data.participant_left(participant("hall").sid, "hall", &door.room, &mut door.out);
    assert_eq!(door.events(), []);
    door.data.participant_left(participant("hall").sid, "hall", &left, &mut door.out);
    assert!(matches!(&door.events()[..], [Event::RpcAnswered(answered)] if answered.code == Some(1503)));
}

#[test]
fn a_file_is_read_in_pieces_and_stored_at_the_other_end() {
    let (mut door, mut hall) = pair();
    let bytes = vec![7; STREAM_CHUNK_BYTES];
    let message = FileMessage { address: Address::default(), path: "/a/b.wav".into(), is_text: false };
    let reply = door.act(|data, context, _, out| data.send_file(message, context, out));
    let Reply::Later(ticket) = reply else { panic!("{reply:?}") };
    let [(key, FileOrder::Read { .. })] = door.orders()[..] else { panic!("it is read") };
    door.handle_file(key, FileNotice::Opened { name: "b.wav".into(), bytes: 2 * bytes.len() as u64 });
    for _ in 0..2 {
        assert_eq!(door.orders(), [(key, FileOrder::ReadMore)]);
        door.handle_file(key, FileNotice::Chunk(bytes.clone()));
    }
    assert_eq!(door.orders(), [(key, FileOrder::ReadMore)]);
    assert!(door.data.has_unsent());
    door.handle_file(key, FileNotice::End);
    let (answered, answer) = door.out.poll_answer().expect("an answer");
    assert_eq!((answered, &answer.expect("it is on its way")["bytes"]), (ticket, &(2 * bytes.len()).into()));
    hall.hear(door.write());
    let orders = hall.orders();
    let [(key, FileOrder::Create { name }), (_, FileOrder::Write(written)), (_, FileOrder::Keep)] =
        &orders[..]
    else {
        panic!("{orders:?}")
    };
    assert_eq!((name.as_str(), written.len()), ("b.wav", 2 * bytes.len()));
    hall.handle_file(*key, FileNotice::Stored("/x/b.wav".into()));
    let events = hall.events();
    assert!(
        matches!(&events[..], [Event::ByteStream(facts)] if facts.path.as_deref() == Some("/x/b.wav")),
        "{events:?}"
    );
}

#[test]
fn a_file_that_cannot_be_read_ends_its_stream() {
    let (mut door, mut hall) = pair();
    let message = FileMessage { address: Address::default(), path: "/a/b".into(), is_text: true };
    door.act(|data, context, _, out| data.send_file(message, context, out));
    let key = door.orders()[0].0;
    door.handle_file(key, FileNotice::Opened { name: "b".into(), bytes: 3 });
    door.handle_file(key, FileNotice::Chunk(b"\xff\xff\xff".to_vec()));
    let (_, answer) = door.out.poll_answer().expect("an answer");
    assert_eq!(answer, Err(CommandError::refused("it is not text (UTF-8)")));
    assert_eq!(door.orders().pop(), Some((key, FileOrder::Discard)));
    hall.hear(door.write());
    assert!(matches!(&hall.events()[..], [Event::Warning { text }] if text.contains("did not come whole")));
}

#[test]
fn a_recording_is_cut_short_where_it_becomes_private() {
    let (mut door, _) = pair();
    let track = Sid::new("TR_door").expect("a SID");
    let pcm = vec![0; 20 * STREAM_CHUNK_BYTES];
    door.act(|data, context, now, out| {
        data.send_recording((track, pcm), vec!["hall".into()], context, now, out)
    });
    assert!(matches!(&door.events()[..], [Event::Log { .. }]));
    // Not all of it waits at once, and SCTP has the first packets only.
    let (mut written, mut room) = (0, 2);
    let mut write = |_, _: &[u8]| {
        room -= 1;
        written += u32::from(room >= 0);
        if room >= 0 { Written::Taken } else { Written::NoRoom }
    };
    assert!(door.data.write(true, &mut write, door.now, &mut door.out));
    assert_eq!(written, 2);
    door.data.cut_recording();
    assert!(door.data.holds_withdrawn(), "the two would be sent again");
    let rest = door.write();
    let [(_, end)] = &rest[..] else { panic!("{} packets instead of the end", rest.len()) };
    let end = Packet::decode(end).expect("a packet").content;
    assert!(matches!(end, Content::StreamTrailer { reason, .. } if !reason.is_empty()));
    door.data.send_more(&mut door.out);
    assert!(door.write().is_empty(), "nothing more of it");
}

#[test]
fn a_lost_session_takes_everything_along_and_says_so() {
    let (mut door, _) = pair();
    door.is_open = false;
    assert!(door.send("news", false).is_ok());
    let message = FileMessage { address: Address::default(), path: "/a/b".into(), is_text: true };
    door.act(|data, context, _, out| data.send_file(message, context, out));
    let call = RpcCommand { to: "hall".into(), method: "open".into(), payload: String::new() };
    door.act(|data, context, now, out| data.call(call, context, now, out));
    door.data.session_lost(&door.room, &mut door.out);
    let answers = std::iter::from_fn(|| door.out.poll_answer());
    assert_eq!(answers.filter(|(_, answer)| answer.is_err()).count(), 2);
    let events = door.events();
    let [Event::DataUnconfirmed { topic, count: 1 }, Event::RpcAnswered(_)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(topic, "news");
    assert!(!door.data.has_unsent() && !door.data.wants_publisher() && !door.data.take_queued());
    assert_eq!(door.data.poll_timeout(), None);
}

#[test]
fn the_time_is_the_servers() {
    let (mut door, _) = pair();
    let now = door.now;
    assert_eq!(door.data.unix_ms(now), 0);
    door.data.set_server_time(1_000_000, now);
    door.data.set_server_time(0, now);
    assert_eq!(door.data.unix_ms(now + Duration::from_secs(2)), 1_002_000);
}
