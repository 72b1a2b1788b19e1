//! What an output of one part means for the others, and what each part needs to know of the others.
//!
//! | function | gives to | carries out |
//! | --- | --- | --- |
//! | `with_transports` | transports | [`TransportEvent`]s: connected, path lost, feedback, closed … |
//! | `with_local` | own tracks | [`LocalOutput`]s: offer, packets sent, recording for agents … |
//! | `with_hearing` | hearing | nothing: requests go to the outbox |
//! | `with_data` | data | writes queued messages to the data channels |
//! | `with_room` | room | events go to the outbox |
//! | `lost`, `leave`, `session_ended` | session | what the end of a session means for every part |

use std::time::Instant;

use super::Engine;
use super::audio::admission::who;
use super::audio::hearing::{Hearing, HearingInput};
use super::audio::local::{LocalInput, LocalOutput, LocalTracks, PreconnectRecording, SendPacket};
use super::data::{Data, DataContext};
use super::outbox::Outbox;
use super::session::{Dropped, Ending, Facts, Loss, Pending};
use super::transport::{TransportContext, TransportEvent, TransportEvents, Transports};
use crate::event::Event;
use crate::limits::{M_LINES_MAX, TALKERS_MAX};
use crate::room::{Participant, Room};
use crate::rtc::{Channel, Peer, RtpArrival};
use crate::session::cause::Cause;
use crate::session::recovery::Outcome;
use crate::signal::sid::Sid;

impl Engine {
    /// Enters the room; does nothing if we are in the room or on the way.
    pub(super) fn enter(&mut self, now: Instant) {
        if self.session.enter(now, &mut self.out) {
            self.local.enter(now);
        }
    }

    /// Makes both peer connections while the server works on the upgrade: no sound is played now, and the first offer
    /// is answered without delay.
    pub(super) fn open_peers(&mut self, now: Instant) {
        if self.local.has_microphone() {
            self.open_publisher(now);
        }
        self.transports.open_subscriber(now, &mut self.out);
    }

    /// Leaves the room, and ends with `outcome`; with `None` the client stays, outside of the room.
    pub(super) fn leave(&mut self, outcome: Option<Outcome>, now: Instant) {
        // The end of a file is not private: what waits of it is sent.
        let is_required = self.settings.publish.as_ref().is_some_and(|publish| publish.is_required);
        if !self.session.is_leaving() && !is_required {
            self.with_local(now, |local, _, out, _| local.close_microphone(out));
        }
        let pending = self.pending();
        if let Some(ending) = self.session.leave(outcome, pending, now, &mut self.out) {
            self.session_ended(ending, now);
        }
    }

    /// Something is lost: decides between a resume and the end of the session, and carries it out in every part.
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

    /// Messages have moved: hangs up if they were the last before we leave.
    pub(super) fn farewell_moves(&mut self, now: Instant) {
        let pending = self.pending();
        if self.session.messages_moved(pending, now) {
            self.hang_up(now);
        }
    }

    /// The messages before the hang-up have arrived, or had their time.
    pub(super) fn hang_up(&mut self, now: Instant) {
        let unsent = self.data.unsent();
        if let Some(ending) = self.session.hang_up(unsent, now, &mut self.out) {
            self.session_ended(ending, now);
        }
    }

    /// The session has ended: every part drops what belonged to it, then the next step begins. The room stays, to be
    /// compared with the next join.
    pub(super) fn session_ended(&mut self, ending: Ending, now: Instant) {
        self.transports.close(now, &mut self.out);
        self.data.session_lost(&self.room, &mut self.out);
        self.local.session_lost(&mut self.out);
        self.own.session_lost(&mut self.out);
        self.hearing.session_lost(&mut self.out);
        self.with_room(|room, mut sink| room.forget_speakers(&mut sink));
        match self.session.dropped(ending, now, &mut self.out) {
            Dropped::Nothing => {}
            Dropped::Left { enters_again } => {
                self.local.left();
                self.room.leave();
                if enters_again {
                    self.enter(now);
                }
            }
        }
    }

    /// Ends a resume if everything is back. To be called when something has come back.
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

    /// What a session needs to know to decide about a loss.
    pub(super) fn facts(&mut self, now: Instant) -> Facts {
        // An exchange that was cut in two (a track or a first offer without its answer) cannot be resumed.
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

    /// Offers what is to be published; `AddTrack` must have been sent before.
    pub(super) fn offer(&mut self, now: Instant) {
        let publishes = self.local.cids().iter().any(Option::is_some);
        if !self.transports.needs_offer(publishes || self.data.wants_publisher()) {
            return;
        }
        if !self.transports.is_open(Peer::Publisher) {
            // The publisher is primary because the token forbids subscribing: it is the only connection.
            self.open_publisher(now);
        }
        // A track is on its line, or the line is silent.
        if self.transports.offer(self.local.cids(), now, &mut self.out) {
            self.with_transports(now, |transports, ctx| transports.drive(Peer::Publisher, ctx));
        }
    }

    /// Sends the messages that were queued, if there are any.
    pub(super) fn send_queued(&mut self, now: Instant) {
        if !self.data.take_queued() {
            return;
        }
        if self.session.has_signal() && !self.transports.was_offered() {
            self.offer(now);
        }
        self.write_data(now);
    }

    /// Calls `act` with what the transports need to know, and carries out what follows.
    pub(super) fn with_transports<R>(
        &mut self,
        now: Instant,
        act: impl FnOnce(&mut Transports, &mut TransportContext<'_>) -> R,
    ) -> R {
        let has_signal = self.session.has_signal();
        let primary = self.transports.primary();
        let (mut unheard, mut refused) = (0, 0);
        let Self { transports, hearing, data, out, .. } = self;
        let mut ctx = TransportContext {
            now,
            has_signal,
            out,
            packets: &mut |packet: RtpArrival<'_>| unheard += u64::from(!hearing.insert(&packet)),
            // The server writes on the primary connection only.
            messages: &mut |peer: Peer, channel: Channel, bytes: Vec<u8>| {
                refused += u64::from(peer == primary && !data.keep(channel, bytes));
            },
            events: TransportEvents::new(),
        };
        let result = act(transports, &mut ctx);
        let events = ctx.events;
        self.out.count(|counters| &mut counters.data_refused, refused);
        if self.out.count(|counters| &mut counters.packets_unheard, unheard) {
            self.out.warn(format!(
                "more than {TALKERS_MAX} participants speak at once; the others are counted but not played"
            ));
        }
        for (peer, event) in events {
            self.transport_event(peer, event, now);
        }
        result
    }

    /// Calls `act` with what our tracks need to know, and carries out what follows.
    pub(super) fn with_local<R>(
        &mut self,
        now: Instant,
        act: impl FnOnce(&mut LocalTracks, &LocalInput<'_>, &mut Outbox, &mut SendPacket<'_>) -> R,
    ) -> R {
        let has_signal = self.session.has_signal();
        let Self { transports, room, local, admission, out, .. } = self;
        let may_hear = |participant: &Participant| admission.may_hear(who(participant));
        let input = LocalInput {
            now,
            room,
            has_signal,
            is_connected: transports.is_connected(),
            takes_red: transports.takes_red(),
            may_hear: &may_hear,
        };
        let result = act(local, &input, out, &mut |line, packet| transports.send(line, packet, now));
        while let Some(output) = self.local.poll_output() {
            self.local_output(output, now);
        }
        result
    }

    /// Calls `act` with what decides which tracks are heard.
    pub(super) fn with_hearing<R>(
        &mut self,
        act: impl FnOnce(&mut Hearing, &HearingInput<'_>, &mut Outbox) -> R,
    ) -> R {
        let has_signal = self.session.has_signal();
        let Self { transports, room, hearing, admission, out, .. } = self;
        let carried: heapless::Vec<Sid, M_LINES_MAX> = transports.tracks().take(M_LINES_MAX).collect();
        let is_admitted = |participant: &Participant| admission.is_heard(who(participant));
        act(hearing, &HearingInput { room, carried: &carried, has_signal, is_admitted: &is_admitted }, out)
    }

    /// Calls `act` with what commands need, and sends what they have queued.
    pub(super) fn with_data<R>(
        &mut self,
        now: Instant,
        act: impl FnOnce(&mut Data, &mut DataContext<'_>, &mut Outbox) -> R,
    ) -> R {
        let Self { session, room, data, random, out, .. } = self;
        let (may_send, server) = (session.may_send(), session.server());
        let result = act(data, &mut DataContext { may_send, server, room, random }, out);
        self.send_queued(now);
        result
    }

    /// Calls `change` with a sink for the events of the room.
    pub(super) fn with_room(&mut self, change: impl FnOnce(&mut Room, &mut dyn FnMut(Event))) {
        let Self { room, out, .. } = self;
        change(room, &mut |event| out.emit(event));
    }

    fn transport_event(&mut self, peer: Peer, event: TransportEvent, now: Instant) {
        match event {
            TransportEvent::Connected => {
                if self.transports.primary() == peer {
                    self.session.connected(&self.room, now, &mut self.out);
                }
            }
            TransportEvent::PathFound => {
                if peer == Peer::Publisher {
                    self.local.path_changed();
                }
                self.resumed_if_complete(now);
            }
            TransportEvent::PathLost => self.lost(Cause::PathLost(peer), now),
            TransportEvent::PathMoved => self.lost(Cause::PathMoved(peer), now),
            TransportEvent::RoundTrip(round_trip) => {
                self.local.round_trip(round_trip, self.transports.takes_red(), now);
            }
            TransportEvent::Feedback { loss_permille } => {
                self.local.feedback(loss_permille, self.transports.takes_red());
            }
            // The server ends both connections when it ends the participant, and usually gives the reason on the signal
            // connection. If it does not within the time of a resend, the session is lost.
            TransportEvent::Closed => self.session.peer_closed(now),
            TransportEvent::Failed(text) => self.lost(Cause::PeerDead(peer, text), now),
            TransportEvent::Driven => {
                self.data.handle_arrived(&self.room, now, &mut self.out);
                self.send_queued(now);
                if peer == Peer::Publisher {
                    self.publisher_driven(now);
                }
            }
        }
    }

    fn local_output(&mut self, output: LocalOutput, now: Instant) {
        match output {
            LocalOutput::PacketsSent => {
                self.with_transports(now, |transports, ctx| transports.drive(Peer::Publisher, ctx));
            }
            LocalOutput::Offer => self.offer(now),
            LocalOutput::SoundDiscarded => {
                self.data.cut_recording();
                self.send_queued(now);
            }
            LocalOutput::Recording(PreconnectRecording { pcm, track, destinations }) => {
                self.with_data(now, |data, context, out| {
                    data.send_recording((track, pcm), destinations, context, now, out);
                });
            }
            LocalOutput::Leave(outcome) => self.leave(Some(outcome), now),
        }
    }

    /// The publisher has been driven: messages may have arrived at the server, and others may follow.
    fn publisher_driven(&mut self, now: Instant) {
        if self.data.has_waiting() {
            // A channel that the server has closed holds nothing, which is no confirmation.
            if let Some(buffered) = self.transports.buffered_bytes() {
                self.data.confirmed(buffered, now);
            }
            self.send_more(now);
        }
        self.farewell_moves(now);
    }

    /// Sends waiting messages, and the next parts of streams and files.
    fn send_more(&mut self, now: Instant) {
        self.write_data(now);
        self.data.send_more(&mut self.out);
        self.send_queued(now);
    }

    /// Writes messages to the data channels until SCTP takes no more.
    fn write_data(&mut self, now: Instant) {
        loop {
            let is_whole = self.session.is_whole();
            let Self { transports, data, out, .. } = self;
            if !data.write(is_whole, &mut |channel, bytes| transports.write(channel, bytes), now, out) {
                return;
            }
            self.with_transports(now, |transports, ctx| transports.send_written(ctx));
        }
    }

    fn open_publisher(&mut self, now: Instant) {
        let offers_red = self.local.may_repeat();
        self.transports.open_publisher(&mut self.random, offers_red, now, &mut self.out);
    }

    fn pending(&mut self) -> Pending {
        let lossy = self.transports.buffered_lossy_bytes();
        let is_unconfirmed = self.data.has_unsent() || lossy > 0;
        Pending { is_unconfirmed, moved_at: self.data.moved_at() }
    }
}
