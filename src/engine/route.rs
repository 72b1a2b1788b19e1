//! What an output of one part means for the others.

use std::time::Instant;

use serde_json::Value;

use super::Engine;
use super::audio::hearing::Hearing;
use super::port::Notice;
use super::session::{Dropped, Due, Ending, Facts, Loss, Noticed, Pending};
use crate::command::Reply;
use crate::room::Room;
use crate::session::cause::Cause;
use crate::session::recovery::{Mend, Outcome};
use crate::signal::endpoint::Access;
use crate::signal::join::Reconnect;
use crate::signal::request::{Request, SyncState};

impl Engine {
    /// What happened to the signal connection.
    pub fn handle_notice(&mut self, notice: Notice, now: Instant) {
        match self.session.handle_notice(notice, now) {
            Noticed::Nothing => {}
            Noticed::Reached => self.open_peers(now),
            Noticed::ReachedAgain => self.transports.open_sockets_again(&mut self.out),
            Noticed::Message(bytes) => self.message(&bytes, now),
            Noticed::Lost(cause) => self.lost(cause, now),
        }
    }

    /// A new token, or why there is none; the answer to [`Action::RenewToken`](super::Action::RenewToken).
    pub fn handle_token(&mut self, access: Result<Access, String>, now: Instant) {
        self.session.handle_token(access, now, &mut self.out);
    }

    /// The answer to [`Action::AskRegions`](super::Action::AskRegions).
    pub fn handle_regions(&mut self, answer: Option<&[u8]>, now: Instant) {
        if let Some(cause) = self.session.handle_regions(answer, now) {
            self.lost(cause, now);
        }
    }

    /// Leaves and ends, as asked; messages that are under way go first. It may be asked for any number of times.
    pub fn end(&mut self, now: Instant) {
        self.leave(Some(Outcome::as_asked()), now);
    }

    /// Goes into the room; nothing where we are there, or on the way.
    pub(super) fn enter(&mut self, now: Instant) {
        if self.session.enter(now, &mut self.out) {
            self.local.enter(now);
        }
    }

    /// Something is lost: what follows for every part.
    pub(super) fn lost(&mut self, cause: Cause, now: Instant) {
        let facts = self.facts(now);
        match self.session.lost(cause, &facts, now, &mut self.out) {
            Loss::Nothing => {}
            Loss::Resuming => self.transports.signal_lost(),
            Loss::Ending(ending) => self.session_ended(ending, now),
            Loss::Farewell => {
                let unsent = self.data.unsent();
                if let Some(ending) = self.session.farewell_lost(unsent, &mut self.out) {
                    self.session_ended(ending, now);
                }
            }
        }
    }

    /// Does what is due in the session.
    pub(super) fn attend_session(&mut self, now: Instant) {
        while self.session.is_due(now) {
            let facts = self.facts(now);
            match self.session.handle_timeout(&facts, now, &mut self.out) {
                Some(Due::Lost(cause)) => self.lost(cause, now),
                Some(Due::Ending(ending)) => self.session_ended(ending, now),
                Some(Due::Farewell) => self.hang_up(now),
                None => return,
            }
        }
    }

    pub(super) fn ping(&mut self, now: Instant) {
        let sound_flows = self.transports.has_paths();
        if let Some(cause) = self.session.ping(sound_flows, now, &mut self.out) {
            self.lost(cause, now);
        }
    }

    /// Leaves the room, and ends with `outcome`; without one we are only outside of the room then.
    pub(super) fn leave(&mut self, outcome: Option<Outcome>, now: Instant) {
        // The end of a file is no secret: what waits of it is sent.
        let is_required = self.settings.publish.as_ref().is_some_and(|publish| publish.is_required);
        if !self.session.is_leaving() && !is_required {
            self.with_local(now, |local, _, out, _| local.close_microphone(out));
        }
        let pending = self.pending();
        if let Some(ending) = self.session.leave(outcome, pending, now, &mut self.out) {
            self.session_ended(ending, now);
        }
    }

    /// The same by a command, which is answered when all messages have arrived, or with those that have not.
    pub(super) fn leave_by_command(&mut self, outcome: Option<Outcome>, now: Instant) -> Reply {
        self.leave(outcome, now);
        match self.session.await_farewell(&mut self.out) {
            Some(ticket) => Reply::Later(ticket),
            None => Ok(Value::Null).into(),
        }
    }

    /// Messages have moved: perhaps they were the last before we leave.
    pub(super) fn farewell_moves(&mut self, now: Instant) {
        let pending = self.pending();
        if self.session.messages_moved(pending, now) {
            self.hang_up(now);
        }
    }

    /// Messages before the hang-up have arrived, or had their time.
    fn hang_up(&mut self, now: Instant) {
        let unsent = self.data.unsent();
        if let Some(ending) = self.session.hang_up(unsent, now, &mut self.out) {
            self.session_ended(ending, now);
        }
    }

    fn pending(&mut self) -> Pending {
        let lossy = self.transports.buffered_lossy_bytes();
        let is_unconfirmed = self.data.has_unsent() || lossy > 0;
        Pending { is_unconfirmed, moved_at: self.data.moved_at() }
    }

    fn facts(&mut self, now: Instant) -> Facts {
        // An exchange that was cut in two (a track or a first offer without its answer) cannot be taken up again.
        let is_half_offered = self.transports.awaits_connection();
        Facts {
            own_sid: self.room.own().map(|own| own.sid),
            // SCTP would send again what has become private.
            is_whole: !self.local.is_half_published() && !is_half_offered && !self.data.holds_withdrawn(),
            has_paths: self.transports.has_paths(),
            can_use_tcp: self.transports.can_use_tcp(),
            is_home_gone: self.transports.is_home_gone(),
            unix_s: u64::try_from(self.data.unix_ms(now) / 1000).unwrap_or(0),
        }
    }

    /// The session has ended: every part drops what belonged to it, then the next thing begins. The room stays, to be
    /// compared with the next join.
    fn session_ended(&mut self, ending: Ending, now: Instant) {
        self.drop_session(now);
        match self.session.dropped(ending, now, &mut self.out) {
            Dropped::Nothing => {}
            Dropped::Left { enters_again } => {
                self.local.left();
                self.room = Room::new();
                if enters_again {
                    self.enter(now);
                }
            }
        }
    }

    fn drop_session(&mut self, now: Instant) {
        self.transports.close(now, &mut self.out);
        self.data.session_lost(&self.room, &mut self.out);
        self.local.session_lost(&mut self.out);
        self.own.session_lost(&mut self.out);
        self.hearing.session_lost(&mut self.out);
        self.with_room(|room, mut sink| room.forget_speakers(&mut sink));
    }

    /// `reconnect`: the server has taken us back.
    pub(super) fn taken_back(&mut self, reconnect: &Reconnect, now: Instant) {
        let Some(mend) = self.session.taken_back(reconnect, now) else { return };
        self.data.resumed(reconnect.last_message_seq);
        self.with_room(|room, mut sink| room.forget_speakers(&mut sink));
        self.hearing.speakers_changed(&self.room);
        self.with_transports(now, |transports, ctx| {
            transports.set_relay_only(reconnect.configuration.relay_only, ctx);
            transports.set_ice_servers(&reconnect.ice_servers, ctx);
        });
        let sync_state = self.sync_state();
        self.out.request(&Request::SyncState(Box::new(sync_state)));
        self.with_local(now, |local, input, out, _| local.resumed(input, out));
        self.with_hearing(Hearing::resumed);
        self.admission.restate_audience(&self.room, self.session.has_signal(), &mut self.out);
        // An offer whose answer was lost with the connection is made anew, too.
        let is_unanswered = self.transports.awaits_answer();
        if mend == Mend::Path || is_unanswered {
            self.with_transports(now, |transports, ctx| transports.restart(ctx));
        }
        if mend == Mend::Path {
            self.transports.expect_restart();
        }
        self.session.caught_up(now);
        self.resumed_if_complete(now);
    }

    /// Looks whether everything is back; called whenever something has come back.
    pub(super) fn resumed_if_complete(&mut self, now: Instant) {
        let has_paths = self.transports.has_paths();
        if !self.session.resumed_if_complete(has_paths, now, &mut self.out) {
            return;
        }
        if self.data.wants_publisher() && !self.transports.was_offered() {
            // The first message came while the server was away.
            self.offer(now);
        }
        self.send_more(now);
    }

    fn sync_state(&self) -> SyncState {
        let (offer, answer) = self.transports.last_exchange();
        SyncState {
            offer: offer.to_owned(),
            answer: answer.to_owned(),
            subscribed: self.hearing.wanted().to_vec(),
            paused: self.hearing.paused().to_vec(),
            published: self.local.published_tracks(),
            received: self.data.received().to_vec(),
        }
    }
}
