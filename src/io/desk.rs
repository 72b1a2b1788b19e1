//! What lies between the driver and the program: three bounded boxes.

use super::mailbox::Mailbox;
use crate::command::{Answer, Command};
use crate::event::Event;
use crate::limits::{COMMANDS_MAX, EVENTS_MAX};

/// The boxes of one client.
#[derive(Default)]
pub(super) struct Desk {
    /// `None` is the end.
    pub(super) events: Mailbox<Option<Event>, EVENTS_MAX>,
    pub(super) commands: Mailbox<Command, COMMANDS_MAX>,
    pub(super) results: Mailbox<Answer, COMMANDS_MAX>,
}
