//! Messages of the parts of a box while it runs.
//!
//! ```text
//!   buttons::watch_line, watch_key ─┐
//!   the room's events ──────────────┼─► Inbox ─► Appliance
//!   control::serve ─────────────────┤
//!   SIGHUP, a plan that was read ───┘
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
    /// An event of the room; `None` if the client has ended. The next one follows when this one is taken: events wait
    /// in the client's queue, where their bytes are counted.
    Happened(Option<Event>, Taken),
    /// A button or key, by its number, is watched from now on, and is down or up; or it is gone, and up.
    Begins(usize, bool),
    /// It went down, or up.
    Level(usize, bool),
    /// A client at the control socket gives a command, and waits for the answer.
    Asked(Command, AnswerSlot),
    /// The configuration must be read again; the answer slot is that of the client that waits for the result.
    Reload(Option<AnswerSlot>),
    /// It was read.
    Planned(Box<Result<Plan, RunError>>, Option<AnswerSlot>),
}

/// Signalled when an event was taken.
pub(super) type Taken = Rc<Mailbox<(), 1>>;

/// The inputs that wait for the appliance.
pub(super) type Inbox = Mailbox<Input, APPLIANCE_INPUTS_MAX>;
