//! The async face of the client: [`run`] drives everything on this thread, the program runs beside it.
//!
//! ```text
//!   run(options, program) ── opens cards and files ── loop { tasks · turn · wait } ─► Outcome
//!                                        Events ─► program ─► Commands
//! ```
//!
//! The program is a future on the same thread, so it must not block: while it computes, no sound
//! moves. It ends the client by leaving, or by returning.

use std::rc::Rc;

use super::client_queue::ClientQueue;
use super::driver;
use super::mailbox::AnswerSlot;
pub use super::options::{Options, StartError};
use super::reactor::Reactor;
use crate::command::{Answer, Command};
use crate::event::Event;
use crate::io::host::signals::Termination;
use crate::session::recovery::Outcome;

/// Joins the room and stays until it ends; `program` sees the events and gives commands.
///
/// # Errors
/// A card, file or descriptor could not be had; the server was not asked anything yet.
pub fn run<F>(options: Options, program: impl FnOnce(Events, Commands) -> F) -> Result<Outcome, StartError>
where
    F: Future<Output = ()>,
{
    run_until(options, &Termination::new()?, program)
}

/// The same for programs that run one client after the other: `termination` applies to all of them.
///
/// # Errors
/// As of [`run`].
pub(crate) fn run_until<F>(
    options: Options,
    termination: &Termination,
    program: impl FnOnce(Events, Commands) -> F,
) -> Result<Outcome, StartError>
where
    F: Future<Output = ()>,
{
    let reactor = Reactor::new()?;
    let queue = Rc::new(ClientQueue::default());
    let commands = Commands { queue: queue.clone(), reactor: reactor.clone() };
    let program = program(Events { queue: queue.clone() }, commands);
    driver::drive(options, termination, &reactor, &queue, program)
}

/// What happens, in order.
pub struct Events {
    queue: Rc<ClientQueue>,
}

impl Events {
    /// The next event; `None` when the client has ended.
    pub async fn next(&mut self) -> Option<Event> {
        self.queue.next_event().await
    }
}

/// A handle for commands. Clones are independent: one may wait while another continues.
#[derive(Clone)]
pub struct Commands {
    queue: Rc<ClientQueue>,
    reactor: Rc<Reactor>,
}

impl Commands {
    /// Gives a command, and waits until it is carried out or refused.
    ///
    /// # Errors
    /// Why it is refused.
    pub async fn give(&self, command: Command) -> Answer {
        self.begin(command).await.await
    }

    /// Gives a command in its turn, and does not wait for what becomes of it: that is the answer's future.
    pub async fn begin(&self, command: Command) -> impl Future<Output = Answer> + use<> {
        let slot = AnswerSlot::default();
        self.queue.commands.send((command, slot.clone())).await;
        async move { slot.receive().await }
    }

    /// Puts an event of the program's own into the stream that [`Events`] gives; lost where that is full.
    pub fn report(&self, event: Event) {
        self.queue.post(Box::new(event));
    }

    /// Sets whether a conversation is in progress. During one, `auto` moves to other cards only if one of its own is
    /// lost; without this call it counts from `connected` on.
    pub fn set_in_call(&self, in_call: bool) {
        self.queue.in_call.set(Some(in_call));
    }

    /// Where the program can wait for descriptors of its own.
    pub fn reactor(&self) -> &Rc<Reactor> {
        &self.reactor
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ExitStatus;
    use crate::io::runtime::clock;
    use crate::io::sound::spec::{InputSpec, OutputSpec};
    use crate::signal::secret::Secret;
    use std::time::Duration;

    /// Tries for ever to reach a server that is not there.
    fn options() -> Options {
        let url = "ws://127.0.0.1:9".parse().expect("a URL");
        let mut options = Options::new(url, Secret::default()).expect("usable");
        (options.input, options.output) = (InputSpec::None, OutputSpec::None);
        options
    }

    #[test]
    fn who_was_told_to_end_begins_no_other_client() {
        let termination = Termination::new().expect("a descriptor");
        let ended = run_until(options(), &termination, |mut events, _commands| async move {
            // SAFETY: a plain libc call; the signal is blocked in this thread, to which alone it goes (raise(3)).
            unsafe { libc::raise(libc::SIGTERM) };
            while events.next().await.is_some() {}
        });
        assert_eq!(ended.expect("started").status, ExitStatus::AsAsked);
        assert!(termination.is_asked(), "it was this client that took the signal");
        let next = run_until(options(), &termination, |mut events, _commands| async move {
            while events.next().await.is_some() {}
        });
        assert_eq!(next.expect("started").status, ExitStatus::AsAsked, "at once, or it would try for ever");
    }

    #[test]
    fn who_is_told_to_end_while_it_ends_is_told_all_the_same() {
        let termination = Termination::new().expect("a descriptor");
        let ended = run_until(options(), &termination, |mut events, commands| async move {
            commands.give(Command::Leave).await.expect("carried out");
            while events.next().await.is_some() {}
            // SAFETY: as above.
            unsafe { libc::raise(libc::SIGTERM) };
            // As a file that is being written.
            let soon = clock::now() + Duration::from_millis(100);
            commands.reactor().sleep_until(soon, clock::now).await;
        });
        assert_eq!(ended.expect("started").status, ExitStatus::AsAsked);
        assert!(termination.is_asked());
    }
}
