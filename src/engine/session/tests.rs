//! The session by itself: notices, deadlines and facts in; actions, events and endings out.

use std::time::{Duration, Instant};

use super::*;
use crate::engine::port::Action;
use crate::error::ExitStatus;
use crate::event::ParticipantKind;
use crate::signal::join::{Configuration, RoomInfo, ServerInfo};
use crate::signal::leave::DisconnectReason;
use crate::signal::participant::{ParticipantInfo, ParticipantState, Permission};

#[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
fn base() -> Instant {
    Instant::now()
}

/// A session that is driven alone: the other parts have nothing to drop.
struct Driven {
    session: Session,
    out: Outbox,
    facts: Facts,
    now: Instant,
}

impl Driven {
    fn new(retry: Retry) -> Driven {
        let now = base();
        let settings = settings(retry);
        let facts = Facts {
            own_sid: Sid::new("PA_own"),
            is_whole: true,
            has_paths: true,
            can_use_tcp: true,
            is_home_gone: false,
            unix_s: 0,
        };
        Driven { session: Session::new(&settings, 1, now), out: Outbox::default(), facts, now }
    }

    /// In the room, as after a `join` and the primary connection.
    fn connected(retry: Retry) -> Driven {
        let mut driven = Driven::new(retry);
        assert!(driven.session.enter(driven.now, &mut driven.out));
        driven.arrive();
        driven.drain();
        driven
    }

    fn arrive(&mut self) {
        let (session, out) = (&mut self.session, &mut self.out);
        assert!(matches!(session.handle_notice(Notice::Reached, self.now), Noticed::Reached));
        session.joined(&join(), self.now);
        session.connected(&Room::new(), self.now, out);
        assert_eq!(session.words(), "connected");
    }

    fn lost(&mut self, cause: Cause) -> Loss {
        let loss = self.session.lost(cause, &self.facts, self.now, &mut self.out);
        match loss {
            Loss::Ending(ending) => {
                self.session.dropped(ending, self.now, &mut self.out);
                Loss::Nothing
            }
            other => other,
        }
    }

    /// Lets `ms` pass, deadline by deadline.
    fn pass(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some((at, _)) = self.session.poll_timeout().filter(|&(at, _)| at <= end) {
            self.now = self.now.max(at);
            match self.session.handle_timeout(&self.facts, self.now, &mut self.out) {
                Some(Due::Lost(cause)) => _ = self.lost(cause),
                Some(Due::Ending(ending)) => _ = self.session.dropped(ending, self.now, &mut self.out),
                // The coordinator hangs up.
                Some(Due::Farewell) => break,
                None => {}
            }
            if let Some(cause) = self.session.ping(self.facts.has_paths, self.now, &mut self.out) {
                self.lost(cause);
            }
        }
        self.now = end;
    }

    /// Actions since the last call, without pings; events are dropped.
    fn drain(&mut self) -> Vec<&'static str> {
        while self.out.poll_event().is_some() {}
        let name = |action| match action {
            Action::Dial { target, .. } if target.contains("reconnect=1") => Some("resume"),
            Action::Dial { .. } => Some("dial"),
            Action::Drop => Some("drop"),
            Action::RenewToken => Some("token"),
            Action::AskRegions { .. } => Some("regions"),
            Action::HangUp => Some("hang up"),
            _ => None,
        };
        std::iter::from_fn(|| self.out.poll_action()).filter_map(name).collect()
    }

    /// Names of the events since the last call.
    fn events(&mut self) -> Vec<String> {
        let name =
            |event| serde_json::to_value(event).expect("serialises")["event"].as_str().map(str::to_owned);
        std::iter::from_fn(|| self.out.poll_event()).filter_map(|event| name(*event)).collect()
    }
}

fn settings(retry: Retry) -> Settings {
    Settings {
        url: "ws://127.0.0.1:7880".parse().expect("a URL"),
        parameters: JoinParameters::default(),
        token: Secret::new("x.y.z".into()),
        renews_token: false,
        publish: None,
        listens: true,
        hears: Default::default(),
        retry,
        rpc_methods: Vec::new(),
        stores_files: false,
        volume_percent: 100,
        attributes: Default::default(),
    }
}

fn join() -> Join {
    Join {
        room: RoomInfo::default(),
        participant: ParticipantInfo {
            sid: Sid::new("PA_own").expect("a SID"),
            identity: "door".into(),
            state: ParticipantState::Active,
            tracks: Vec::new(),
            name: String::new(),
            metadata: String::new(),
            attributes: Default::default(),
            version: 0,
            joined_at_ms: 0,
            permission: Permission::default(),
            kind: ParticipantKind::Standard,
            disconnect_reason: DisconnectReason::Unknown,
        },
        other_participants: Vec::new(),
        ice_servers: Vec::new(),
        subscriber_primary: true,
        fast_publish: false,
        ping_interval: Duration::ZERO,
        ping_timeout: Duration::ZERO,
        configuration: Configuration::default(),
        server: ServerInfo::default(),
    }
}

#[test]
fn a_lost_signal_connection_is_resumed_at_once_and_dialled_again() {
    let mut driven = Driven::connected(Retry::AfterFirst);
    assert!(matches!(driven.lost(Cause::SignalLost("reset".into())), Loss::Resuming));
    assert_eq!(driven.drain(), ["drop", "resume"]);
    assert!(matches!(driven.lost(Cause::Unreachable("refused".into())), Loss::Nothing));
    driven.pass(1_000);
    assert_eq!(driven.drain(), ["drop", "drop", "resume"]);
    let reconnect = Reconnect {
        ice_servers: Vec::new(),
        configuration: Configuration::default(),
        server: ServerInfo::default(),
        last_message_seq: 0,
    };
    assert_eq!(driven.session.taken_back(&reconnect, driven.now), Some(Mend::Signal));
    driven.session.caught_up(driven.now);
    assert!(driven.session.resumed_if_complete(false, driven.now, &mut driven.out));
    assert_eq!(driven.events(), ["resumed"]);
}

#[test]
fn a_session_that_is_not_whole_is_joined_anew() {
    let mut driven = Driven::connected(Retry::AfterFirst);
    driven.facts.is_whole = false;
    driven.pass(20_000);
    driven.drain();
    driven.lost(Cause::SignalLost("reset".into()));
    assert_eq!(driven.events(), ["reconnecting", "disconnected"]);
    assert_eq!(driven.session.words(), "waiting");
    driven.pass(0);
    assert_eq!(driven.drain(), ["drop", "dial"], "it lasted: there is nothing to wait for");
}

#[test]
fn the_first_connection_is_tried_once_and_later_ones_for_ever() {
    let mut driven = Driven::new(Retry::AfterFirst);
    driven.session.enter(driven.now, &mut driven.out);
    driven.pass(15_000);
    let status = driven.session.outcome().map(|outcome| outcome.status);
    assert_eq!(status, Some(ExitStatus::Unreachable));
    assert_eq!(driven.session.poll_timeout(), None);

    let mut driven = Driven::connected(Retry::AfterFirst);
    driven.lost(Cause::ToldToRejoin(DisconnectReason::StateMismatch));
    let mut dials = 0;
    for _ in 0..60 {
        driven.pass(10_000);
        dials += driven.drain().iter().filter(|action| **action == "dial").count();
    }
    assert!((40..200).contains(&dials), "{dials} in ten minutes");
}

#[test]
fn we_leave_when_messages_have_arrived() {
    let mut driven = Driven::connected(Retry::Service);
    let pending = Pending { is_unconfirmed: true, moved_at: None };
    assert!(driven.session.leave(None, pending, driven.now, &mut driven.out).is_none());
    assert!(driven.session.is_leaving() && driven.drain().is_empty());
    assert!(driven.session.may_send().is_err(), "no new ones");
    let moved_at = Some(driven.now);
    assert!(!driven.session.messages_moved(Pending { is_unconfirmed: false, moved_at }, driven.now));
    driven.pass(250);
    assert!(driven.session.hang_up(Vec::new(), driven.now, &mut driven.out).is_none());
    assert_eq!(driven.drain(), ["hang up"]);
    // Entered meanwhile: at once after the hang-up.
    driven.session.enter(driven.now, &mut driven.out);
    let Loss::Ending(ending) =
        driven.session.lost(Cause::SignalLost(String::new()), &driven.facts, driven.now, &mut driven.out)
    else {
        panic!("a closed connection ends the leave")
    };
    assert_eq!(
        driven.session.dropped(ending, driven.now, &mut driven.out),
        Dropped::Left { enters_again: true }
    );
}

#[test]
fn another_network_is_used_once_it_has_settled() {
    let mut driven = Driven::connected(Retry::AfterFirst);
    driven.session.network_changed(driven.now);
    driven.pass(100);
    assert!(driven.drain().is_empty(), "sound flows over the address that is still there");
    driven.facts.is_home_gone = true;
    driven.session.network_changed(driven.now);
    driven.pass(100);
    assert_eq!(driven.drain(), ["drop", "resume"]);
}
