//! Requests beside the call: each is a task of its own, or a thread where it can only block, and ends by itself.
//! Its answer waits here until the driver takes it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use async_executor::{LocalExecutor, Task};

use super::blocking::unblock;
use super::clock;
use super::mailbox::Mailbox;
use super::reactor::Reactor;
use crate::command::Ticket;
use crate::io::signal::dial::{self, Dial};
use crate::io::signal::dns;
use crate::io::sound::recording;
use crate::io::token::credentials::Source;
use crate::limits::{ICE_SERVERS_MAX, RECORDINGS_LOADING_MAX, REGIONS_BYTES_MAX};
use crate::media::prompt::Recording;
use crate::signal::endpoint::Access;

/// Requests under way, and answers that were not taken yet.
pub(super) struct AsyncRequests<'e, 'r> {
    executor: &'e LocalExecutor<'r>,
    reactor: &'e Rc<Reactor>,
    source: Option<Source>,
    tokens: Rc<Mailbox<Result<Access, String>, 1>>,
    /// The question for a token that is under way.
    asking_token: Option<Task<()>>,
    regions: Rc<Mailbox<Option<Vec<u8>>, 1>>,
    resolved: Rc<Mailbox<Resolved, ICE_SERVERS_MAX>>,
    recordings: Rc<Recordings>,
}

/// Files that wait to be loaded, one at a time: ten tones of a minute each, loaded together, would take 140 MB.
#[derive(Default)]
struct Recordings {
    waiting: Mailbox<(Ticket, String), RECORDINGS_LOADING_MAX>,
    /// The next one is loaded when this one has been taken.
    loaded: Mailbox<(Ticket, Result<Recording, String>), 1>,
    is_loading: Cell<bool>,
}

/// The addresses of a host and port that were looked up.
pub(super) struct Resolved {
    /// The host name that was looked up.
    pub(super) host: String,
    /// The port of the addresses.
    pub(super) port: u16,
    /// What was found.
    pub(super) addresses: Vec<SocketAddr>,
}

impl<'e, 'r> AsyncRequests<'e, 'r> {
    /// Nothing is asked yet. Tokens come from `source`.
    pub(super) fn new(
        executor: &'e LocalExecutor<'r>,
        reactor: &'e Rc<Reactor>,
        source: Option<Source>,
    ) -> AsyncRequests<'e, 'r> {
        AsyncRequests {
            executor,
            reactor,
            source,
            tokens: Rc::default(),
            asking_token: None,
            regions: Rc::default(),
            resolved: Rc::default(),
            recordings: Rc::default(),
        }
    }

    /// Whether an answer can be taken.
    pub(super) fn has_answers(&self) -> bool {
        self.tokens.has_items()
            || self.regions.has_items()
            || self.resolved.has_items()
            || self.recordings.loaded.has_items()
    }

    /// The regions of the server of `dial`.
    pub(super) fn request_regions(&self, dial: Dial) {
        let (reactor, answers) = (self.reactor.clone(), self.regions.clone());
        let asking = async move {
            let answer = dial::get(&dial, &dial.target, REGIONS_BYTES_MAX, &reactor).await;
            let list = answer.filter(|answer| answer.status == 200).map(|answer| answer.body);
            // An older answer that was not taken is as good.
            let _ = answers.post(list);
        };
        self.executor.spawn(asking).detach();
    }

    /// A new token from its source.
    pub(super) fn renew_token(&mut self) {
        // One at a time: its answer is the answer, however late.
        let is_asked = self.asking_token.as_ref().is_some_and(|task| !task.is_finished());
        let Some(source) = self.source.clone().filter(|_| !is_asked) else { return };
        let (reactor, answers) = (self.reactor.clone(), self.tokens.clone());
        let asking = async move {
            let asked = unblock(&reactor, "kinglet-token", move || source.get(clock::unix_time_s())).await;
            let token = match asked {
                Ok(token) => token.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            answers.send(token).await;
        };
        self.asking_token = Some(self.executor.spawn(asking));
    }

    /// The addresses of a host.
    pub(super) fn resolve(&self, host: String, port: u16) {
        let (reactor, answers) = (self.reactor.clone(), self.resolved.clone());
        let asking = async move {
            let addresses = dns::resolve(&reactor, &host, port).await.unwrap_or_default();
            answers.send(Resolved { host, port, addresses }).await;
        };
        self.executor.spawn(asking).detach();
    }

    /// The answer to the engine's question for regions, when it has come.
    pub(super) fn take_regions(&mut self) -> Option<Option<Vec<u8>>> {
        self.regions.take()
    }

    /// The answer to a look-up, when one has come.
    pub(super) fn take_resolved(&mut self) -> Option<Resolved> {
        self.resolved.take()
    }

    /// The answer to the engine's request for a new token, when it has come.
    pub(super) fn take_token(&mut self) -> Option<Result<Access, String>> {
        self.tokens.take()
    }

    /// The recording in a file.
    pub(super) fn load_recording(&self, ticket: Ticket, path: String) {
        // As many places as the engine has recordings under way.
        let _ = self.recordings.waiting.post((ticket, path));
        if self.recordings.is_loading.replace(true) {
            return;
        }
        let (reactor, recordings) = (self.reactor.clone(), self.recordings.clone());
        let loading = async move {
            while let Some((ticket, path)) = recordings.waiting.take() {
                let read = unblock(&reactor, "kinglet-wav", move || recording::load(path.as_ref())).await;
                let result = match read {
                    Ok(recording) => recording.map_err(|error| error.to_string()),
                    Err(error) => Err(error.to_string()),
                };
                recordings.loaded.send((ticket, result)).await;
            }
            recordings.is_loading.set(false);
        };
        self.executor.spawn(loading).detach();
    }

    /// A recording that was read, when there is one.
    pub(super) fn take_recording(&mut self) -> Option<(Ticket, Result<Recording, String>)> {
        self.recordings.loaded.take()
    }
}
