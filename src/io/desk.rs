//! What lies between the driver and the program: two bounded boxes, and the answers that are awaited.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::mailbox::Mailbox;
use crate::command::{Answer, Command, CommandError, Reply, Ticket};
use crate::engine::Engine;
use crate::event::Event;
use crate::limits::{ANSWERS_MAX, COMMANDS_MAX, DATA_EVENT_BYTES_MAX, EVENTS_MAX};

/// Where one answer is put. Whoever has asked may have stopped waiting.
pub(super) type Slot = Rc<Mailbox<Answer, 1>>;

/// The boxes of one client.
#[derive(Default)]
pub(super) struct Desk {
    /// `None` is the end. Each by itself: room for all would be 90 kB, which passes over the stack when it is made.
    events: Mailbox<Option<Box<Event>>, EVENTS_MAX>,
    /// Others' content in `events`.
    pub(super) content_bytes: Cell<usize>,
    pub(super) commands: Mailbox<(Command, Slot), COMMANDS_MAX>,
    awaited: RefCell<heapless::Vec<(Ticket, Slot), ANSWERS_MAX>>,
}

impl Desk {
    /// The engine's reply to a command: put into its slot, or awaited.
    pub(super) fn reply(&self, reply: Reply, slot: Slot) {
        match reply {
            Reply::Now(answer) => _ = slot.post(answer),
            // As many places as the engine has tickets.
            Reply::Later(ticket) => _ = self.awaited.borrow_mut().push((ticket, slot)),
        }
    }

    /// Whether an event of the engine can be posted: a program that does not take them costs no memory.
    pub(super) fn has_room(&self) -> bool {
        !self.events.is_full() && self.content_bytes.get() < DATA_EVENT_BYTES_MAX
    }

    /// Posts an event of the engine; [`Desk::has_room`] was asked before.
    pub(super) fn post(&self, event: Event) {
        self.content_bytes.set(self.content_bytes.get() + event.content_bytes());
        self.tell(event);
    }

    /// Posts an event of our own; lost where there is no room.
    pub(super) fn tell(&self, event: Event) {
        let _ = self.events.post(Some(Box::new(event)));
    }

    /// Posts the end; `false` where there is no room yet.
    pub(super) fn tell_end(&self) -> bool {
        self.events.post(None).is_ok()
    }

    /// The next event, for the program.
    pub(super) async fn next_event(&self) -> Option<Event> {
        let event = self.events.receive().await.map(|event| *event);
        let content_bytes = event.as_ref().map_or(0, Event::content_bytes);
        self.content_bytes.set(self.content_bytes.get().saturating_sub(content_bytes));
        event
    }

    /// The client has ended: nothing is carried out any more, and who waits is told. `true` if somebody did.
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
    fn who_asks_after_the_end_is_told() {
        let desk = Desk::default();
        assert!(!desk.refuse_commands(), "nobody asks");
        let (given, awaited) = (Slot::default(), Slot::default());
        assert!(desk.commands.post((Command::Status, given.clone())).is_ok());
        desk.reply(Reply::Later(Ticket(7)), awaited.clone());
        assert!(desk.refuse_commands());
        for slot in [given, awaited] {
            let answer = slot.take().expect("an answer");
            assert_eq!(answer.expect_err("refused").message, "the client has ended");
        }
        assert!(!desk.refuse_commands());
    }
}
