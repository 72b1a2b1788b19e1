//! The inputs of a running box.
//!
//! ```text
//!   buttons::watch_line, watch_key ─┐
//!   the room's events ──────────────┼─► Inbox ─► Appliance
//!   control::serve ─────────────────┤
//!   SIGHUP, a new plan ─────────────┘
//! ```

use std::rc::Rc;

use super::RunError;
use super::plan::Plan;
use crate::command::Command;
use crate::event::Event;
use crate::io::mailbox::{AnswerSlot, Mailbox};
use crate::limits::APPLIANCE_INPUTS_MAX;

/// An input of the appliance.
pub(super) enum Input {
    /// An event of the room; `None` if the client has ended. The next event follows when this one is taken: events wait
    /// in the queue of the client, where their bytes are counted.
    Happened(Option<Event>, Taken),
    /// Watching of a button or key starts: its number, and whether it is down. One that is gone is up.
    Begins(usize, bool),
    /// A level of a button or key: its number, and whether it is down.
    Level(usize, bool),
    /// A command of a client at the control socket, which waits for the answer.
    Asked(Command, AnswerSlot),
    /// A request to reload the configuration, with the answer slot of the client that waits for the result, if any.
    Reload(Option<AnswerSlot>),
    /// The configuration was read for a reload.
    Planned(Box<Result<Plan, RunError>>, Option<AnswerSlot>),
}

/// Signalled when an event was taken.
pub(super) type Taken = Rc<Mailbox<(), 1>>;

/// The inputs that wait for the appliance.
pub(super) type Inbox = Mailbox<Input, APPLIANCE_INPUTS_MAX>;
