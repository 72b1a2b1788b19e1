//! The queues between the driver and the program: events, commands, and the answers that are awaited.

use std::cell::{Cell, RefCell};

use super::mailbox::{AnswerSlot, Mailbox};
use crate::command::{Command, CommandError, Reply, Ticket};
use crate::engine::Engine;
use crate::event::Event;
use crate::limits::{ANSWERS_MAX, CLIENT_QUEUE_EVENT_BYTES_MAX, COMMANDS_MAX, EVENTS_MAX};

/// The queues of one client.
#[derive(Default)]
pub(super) struct ClientQueue {
    /// With their sizes; `None` is the end. Each event is allocated by itself: room for all would be 90 kB, which
    /// passes over the stack when it is made.
    events: Mailbox<Option<(usize, Box<Event>)>, EVENTS_MAX>,
    event_bytes: Cell<usize>,
    pub(super) commands: Mailbox<(Command, AnswerSlot), COMMANDS_MAX>,
    awaited: RefCell<heapless::Vec<(Ticket, AnswerSlot), ANSWERS_MAX>>,
    /// Whether people talk, where the program knows; `auto` goes to other cards before or afterwards.
    pub(super) in_call: Cell<Option<bool>>,
}

impl ClientQueue {
    /// The engine's reply to a command: put into its slot, or awaited.
    pub(super) fn reply(&self, reply: Reply, slot: AnswerSlot) {
        match reply {
            Reply::Now(answer) => _ = slot.post(answer),
            // As many places as the engine has tickets.
            Reply::Later(ticket) => _ = self.awaited.borrow_mut().push((ticket, slot)),
        }
    }

    /// Whether an event can be posted: a program that does not take them costs no memory.
    pub(super) fn has_room(&self) -> bool {
        !self.events.is_full() && self.event_bytes.get() < CLIENT_QUEUE_EVENT_BYTES_MAX
    }

    /// Posts an event; it is lost if there is no room. The driver checks [`ClientQueue::has_room`] before it takes one from
    /// the engine.
    pub(super) fn post(&self, event: Box<Event>) {
        let bytes = event.bytes();
        if self.has_room() && self.events.post(Some((bytes, event))).is_ok() {
            self.event_bytes.set(self.event_bytes.get() + bytes);
        }
    }

    /// Posts the end; returns `false` if there is no room yet.
    pub(super) fn tell_end(&self) -> bool {
        self.events.post(None).is_ok()
    }

    /// The next event, for the program.
    pub(super) async fn next_event(&self) -> Option<Event> {
        let (bytes, event) = self.events.receive().await?;
        self.event_bytes.set(self.event_bytes.get() - bytes);
        Some(*event)
    }

    /// The client has ended: commands are refused from now on, and waiting callers get an error. Returns `true` if
    /// there was one.
    pub(super) fn refuse_commands(&self) -> bool {
        let awaited = std::mem::take(&mut *self.awaited.borrow_mut());
        let given = std::iter::from_fn(|| self.commands.take()).map(|(_, slot)| slot);
        let mut has_refused = false;
        for slot in awaited.into_iter().map(|(_, slot)| slot).chain(given) {
            let _ = slot.post(Err(CommandError::refused("the client has ended")));
            has_refused = true;
        }
        has_refused
    }

    /// Answers that have come meanwhile.
    pub(super) fn deliver_answers(&self, engine: &mut Engine) {
        while let Some((ticket, answer)) = engine.poll_answer() {
            let mut awaited = self.awaited.borrow_mut();
            if let Some(place) = awaited.iter().position(|(other, _)| *other == ticket) {
                let (_, slot) = awaited.swap_remove(place);
                let _ = slot.post(answer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_takes_nothing_costs_a_bounded_number_of_bytes() {
        let queue = ClientQueue::default();
        let mut posted = 0;
        while queue.has_room() {
            queue.post(Box::new(Event::Warning { text: "x".repeat(50_000) }));
            posted += 1;
        }
        assert!(posted <= CLIENT_QUEUE_EVENT_BYTES_MAX / 50_000 + 1);
        queue.post(Box::new(Event::Log { text: "lost".into() }));
        assert!(queue.tell_end(), "the end always has a place");
        let executor = async_executor::LocalExecutor::new();
        let taking = executor.spawn(async move {
            let mut taken = 0;
            while queue.next_event().await.is_some() {
                taken += 1;
            }
            (taken, queue.event_bytes.get())
        });
        while executor.try_tick() {}
        assert_eq!(futures_util::FutureExt::now_or_never(taking), Some((posted, 0)));
    }

    #[test]
    fn who_asks_after_the_end_is_told() {
        let queue = ClientQueue::default();
        assert!(!queue.refuse_commands(), "nobody asks");
        let (given, awaited) = (AnswerSlot::default(), AnswerSlot::default());
        assert!(queue.commands.post((Command::Status, given.clone())).is_ok());
        queue.reply(Reply::Later(Ticket(7)), awaited.clone());
        assert!(queue.refuse_commands());
        for slot in [given, awaited] {
            let answer = slot.take().expect("an answer");
            assert_eq!(answer.expect_err("refused").message, "the client has ended");
        }
        assert!(!queue.refuse_commands());
    }
}
