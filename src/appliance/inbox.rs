//! What the parts of a box tell it while it runs.
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
    /// Of the room; none: the client has ended. The next one comes when this is taken: events wait where their bytes are
    /// counted.
    Happened(Option<Event>, Taken),
    /// A button or key, by its number, is watched from now on, and is down or up; or it is gone, and up.
    Begins(usize, bool),
    /// It went down, or up.
    Level(usize, bool),
    /// Somebody at the control socket asks, and waits for the answer.
    Asked(Command, AnswerSlot),
    /// The configuration is to be read anew, for whoever waits for the answer.
    Reload(Option<AnswerSlot>),
    /// It was read.
    Planned(Box<Result<Plan, RunError>>, Option<AnswerSlot>),
}

/// Told when an event was taken.
pub(super) type Taken = Rc<Mailbox<(), 1>>;

/// The inputs that wait for the appliance.
pub(super) type Inbox = Mailbox<Input, APPLIANCE_INPUTS_MAX>;
