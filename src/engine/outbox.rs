//! Everything that leaves the engine: [`Outbox`], the one sink that all parts write to.
//!
//! ```text
//!   emit, warn ────► ≤ 512 events, ≤ 4 MiB ─► poll_event       no room: lost, counted, and reported once
//!   act, request ──► actions ───────────────► poll_action      no room: lost, counted
//!   transmit ──────► datagrams ─────────────► poll_transmit    no room: lost, counted
//!   take_ticket ─► … answer ─► answers ─────► poll_answer      as many places as tickets
//! ```
//!
//! No part reads what another one has written.

use super::counters::Counters;
use super::port::Action;
use crate::command::{Answer, CommandError, Ticket};
use crate::event::Event;
use crate::limits::{ACTIONS_MAX, ANSWERS_MAX, EVENT_BYTES_MAX, EVENTS_MAX, TRANSMITS_MAX};
use crate::rtc::{Peer, Transmit};
use crate::signal::request::Request;
use crate::signal::truncated::Truncated;

/// The outputs of the engine, each in a bounded queue.
#[derive(Default)]
pub(super) struct Outbox {
    events: Events,
    /// On the heap, like the datagrams: 14 kB less in an engine that is moved when it is made, and 30 kB less of stack.
    actions: Box<heapless::Deque<Action, ACTIONS_MAX>>,
    transmits: Box<heapless::Deque<(Peer, Transmit), TRANSMITS_MAX>>,
    answers: Answers,
    counters: Counters,
}

impl Outbox {
    /// Reports an event to the application.
    pub(super) fn emit(&mut self, event: Event) {
        self.events.put(event);
    }

    /// Reports a warning to the application.
    pub(super) fn warn(&mut self, text: impl Into<String>) {
        self.emit(Event::Warning { text: text.into() });
    }

    /// Queues an action for the io ring.
    pub(super) fn act(&mut self, action: Action) {
        if self.actions.push_back(action).is_err() {
            self.count(|counters| &mut counters.actions_lost, 1);
        }
    }

    /// Sends a request to the server, on the signal connection.
    pub(super) fn request(&mut self, request: &Request) {
        self.act(Action::Send(request.encode()));
    }

    /// Sends a datagram from a socket of `peer`.
    pub(super) fn transmit(&mut self, peer: Peer, transmit: Transmit) {
        if self.transmits.push_back((peer, transmit)).is_err() {
            self.count(|counters| &mut counters.transmits_lost, 1);
        }
    }

    /// Drops the datagrams that have not left yet.
    pub(super) fn clear_transmits(&mut self) {
        self.transmits.clear();
    }

    /// A ticket for a command whose answer comes later: the owner of the ticket brings the answer, by
    /// [`Outbox::answer`], after a bounded time.
    ///
    /// # Errors
    /// [`ANSWERS_MAX`] commands wait already.
    pub(super) fn take_ticket(&mut self) -> Result<Ticket, CommandError> {
        self.answers.take_ticket()
    }

    /// The answer that `ticket` waits for. Later answers for the same ticket are ignored.
    pub(super) fn answer(&mut self, ticket: Ticket, answer: Answer) {
        self.answers.answer(ticket, answer);
    }

    /// Adds `count` to a counter; `true` if these are the first, which is the time for a warning: what fails once often
    /// fails again and again.
    pub(super) fn count(&mut self, counter: impl FnOnce(&mut Counters) -> &mut u64, count: u64) -> bool {
        let total = counter(&mut self.counters);
        let is_first = *total == 0 && count > 0;
        *total = total.saturating_add(count);
        is_first
    }

    /// Counts what was left out of a message; `true` if these are the first.
    pub(super) fn count_truncated(&mut self, truncated: Truncated) -> bool {
        let is_first = self.counters.truncated.is_empty() && !truncated.is_empty();
        self.counters.truncated += truncated;
        is_first
    }

    /// The next event.
    pub(super) fn poll_event(&mut self) -> Option<Box<Event>> {
        self.events.take()
    }

    /// Whether [`Outbox::poll_event`] has one.
    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// The next action.
    pub(super) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The next datagram.
    pub(super) fn poll_transmit(&mut self) -> Option<(Peer, Transmit)> {
        self.transmits.pop_front()
    }

    /// The next answer to a command that was answered with [`Reply::Later`](crate::command::Reply::Later).
    pub(super) fn poll_answer(&mut self) -> Option<(Ticket, Answer)> {
        self.answers.ready.pop_front()
    }

    /// What was lost or left out since the start.
    pub(super) fn counters(&self) -> Counters {
        Counters { events_lost: self.events.lost(), ..self.counters }
    }
}

/// Tickets that are out, and answers that were not taken yet.
#[derive(Debug, Default)]
struct Answers {
    last_ticket: u32,
    awaited: heapless::Vec<Ticket, ANSWERS_MAX>,
    ready: heapless::Deque<(Ticket, Answer), ANSWERS_MAX>,
}

impl Answers {
    fn take_ticket(&mut self) -> Result<Ticket, CommandError> {
        if self.awaited.len() + self.ready.len() >= ANSWERS_MAX {
            return Err(CommandError::refused(format!(
                "{ANSWERS_MAX} commands already wait for their answers"
            )));
        }
        self.last_ticket = self.last_ticket.wrapping_add(1);
        let ticket = Ticket(self.last_ticket);
        // There is room, see above.
        let _ = self.awaited.push(ticket);
        Ok(ticket)
    }

    fn answer(&mut self, ticket: Ticket, answer: Answer) {
        if let Some(place) = self.awaited.iter().position(|awaited| *awaited == ticket) {
            self.awaited.swap_remove(place);
            // As many places as tickets.
            let _ = self.ready.push_back((ticket, answer));
        }
    }
}

/// A queue that is bounded in events and in bytes, for events of any source.
#[derive(Default)]
struct Events {
    /// With their sizes. Each by itself: there are few, and room for all would be 90 kB, which passes over the stack
    /// when it is made.
    events: heapless::Deque<(usize, Box<Event>), EVENTS_MAX>,
    bytes: usize,
    lost: u64,
    reported_lost: u64,
}

impl Events {
    /// Queues an event. Without room it is lost and counted; a single event always fits.
    fn put(&mut self, event: Event) {
        let bytes = event.bytes();
        let fits = self.events.is_empty() || self.bytes + bytes <= EVENT_BYTES_MAX;
        if fits && self.events.push_back((bytes, Box::new(event))).is_ok() {
            self.bytes += bytes;
        } else {
            self.lost += 1;
        }
    }

    /// The next one. What was lost meanwhile becomes a warning behind it.
    fn take(&mut self) -> Option<Box<Event>> {
        let event = self.events.pop_front().map(|(bytes, event)| {
            self.bytes -= bytes;
            event
        });
        let lost = self.lost - std::mem::replace(&mut self.reported_lost, self.lost);
        if lost > 0 {
            let text = format!("{lost} events were lost: more happened at once than this program keeps");
            self.put(Event::Warning { text });
        }
        event
    }

    /// Whether there are no events.
    fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// How many did not fit, since the start.
    fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ParticipantKind;
    use crate::limits::METADATA_BYTES_MAX;
    use crate::room::Room;
    use crate::signal::leave::DisconnectReason;
    use crate::signal::participant::{ParticipantInfo, ParticipantState, Permission};
    use crate::signal::sid::Sid;

    fn anna() -> ParticipantInfo {
        ParticipantInfo {
            sid: Sid::new("PA_anna").expect("a SID"),
            identity: "anna".into(),
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
        }
    }

    #[test]
    fn what_the_room_puts_in_comes_out_and_leaves_nothing_behind() {
        let (mut room, mut outbox) = (Room::new(), Events::default());
        let mut took = 0;
        for round in 0..3_u32 {
            for number in 0..1_000 {
                let metadata = format!("{round} {number} ") + &"m".repeat(METADATA_BYTES_MAX - 20);
                let version = round * 1_000 + number;
                let info = ParticipantInfo { metadata, version, ..anna() };
                room.apply_update(&[info], &mut |event| outbox.put(event));
                assert!(outbox.bytes <= EVENT_BYTES_MAX);
            }
            assert!(
                outbox.bytes > EVENT_BYTES_MAX / 2 && outbox.lost() > 0,
                "participants count their metadata"
            );
            took += std::iter::from_fn(|| outbox.take()).count();
            assert_eq!((outbox.bytes, outbox.is_empty()), (0, true));
        }
        assert!(took > 300);
    }

    #[test]
    fn what_is_lost_is_counted_and_said_once() {
        let mut outbox = Events::default();
        let warning = |text: &str| Event::Warning { text: text.to_owned() };
        for _ in 0..EVENTS_MAX + 7 {
            outbox.put(warning("x"));
        }
        assert_eq!(outbox.lost(), 7);
        let last = std::iter::from_fn(|| outbox.take()).last();
        let last = last.map(|event| *event);
        assert!(matches!(last, Some(Event::Warning { text }) if text.starts_with("7 events were lost")));
        assert_eq!((outbox.bytes, outbox.lost()), (0, 7));
        outbox.put(warning(&"y".repeat(EVENT_BYTES_MAX)));
        assert_eq!(outbox.lost(), 7, "a single one fits, of any size");
        outbox.put(warning("z"));
        assert_eq!(outbox.lost(), 8);
        assert!(outbox.take().is_some());
        assert!(outbox.take().is_some_and(|event| event.bytes() < 200) && outbox.bytes == 0);
    }
}
