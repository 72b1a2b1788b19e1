//! The whole client without IO: [`Engine`].
//!
//! It joins the core (signal, room, local, session, rtc) with the sound (media). Bytes, blocks and
//! `now` come in; bytes, blocks, events and one deadline with its reason go out. The io ring and
//! the simulation drive it in the same way, by [`turn`](turn::turn).
//!
//! ```text
//!   Notice, message ───► signal.rs ───┐              ┌─► session     the life of the session: dial, resume, leave
//!   Command ───────────► commands.rs ─┤              ├─► transports  peer connections, sockets, ICE-TCP, STUN, TURN
//!   datagram, stream ─┐               ├─► route*.rs ─┼─► local       our tracks: microphone, mute, announcements
//!   block, deadline ──┴──► mod.rs ────┘      ▲       ├─► hearing, admission, prompts   what is heard, and by whom
//!                                            │       ├─► data, own   messages, streams, files, calls, attributes
//!                                            └───────┴─  outputs of one part for another
//!                                     all of them ─────► out         events, actions, datagrams, answers
//! ```
//!
//! `Engine` is the coordinator: each part owns its state, returns what concerns another part, and writes what leaves the
//! engine to the outbox.
//! `tests/tidy/calls.py` counts the calls between these files.

#![forbid(unsafe_code)]

mod audio;
mod commands;
mod counters;
mod data;
mod outbox;
pub mod port;
mod report;
mod route;
mod route_data;
mod route_hearing;
mod route_local;
mod route_transport;
mod session;
mod settings;
mod signal;
mod start;
mod stats;
mod transport;
pub mod turn;

use std::time::{Duration, Instant};

use crate::event::Event;
use crate::media::receive::delay_target::TARGET_MS_MAX;
use crate::room::Room;
use crate::rtc::{Peer, Transmit};
use crate::session::recovery::{Outcome, Retry};
use crate::time::deadline::Reason;

use audio::admission::Admission;
use audio::hearing::Hearing;
use audio::local::LocalTracks;
use audio::prompts::Prompts;
pub use counters::Counters;
use data::Data;
use data::profile::OwnProfile;
use outbox::Outbox;
pub use port::{Action, FileKey, FileNotice, FileOrder, Notice, StreamNotice};
use session::Session;
pub use settings::{PublishSettings, Settings};
pub use start::StartError;
use transport::Transports;

/// The whole client, driven from outside.
pub struct Engine {
    settings: Settings,
    random: fastrand::Rng,
    epoch: Instant,
    session: Session,
    transports: Transports,
    room: Room,
    local: LocalTracks,
    hearing: Hearing,
    admission: Admission,
    prompts: Prompts,
    data: Box<Data>,
    own: OwnProfile,
    reported: stats::Reported,
    out: Outbox,
}

impl Engine {
    /// A client that will join with `settings`. `seed` makes every random choice (sequence numbers,
    /// jitter of retries); the io ring takes it from the operating system, the simulation from the test.
    ///
    /// # Errors
    /// The codec cannot be created, which only a lack of memory brings about.
    pub fn new(settings: Settings, seed: u64, now: Instant) -> Result<Self, StartError> {
        let mut random = fastrand::Rng::with_seed(seed);
        let cid = format!("kinglet-{:08x}", random.u32(..));
        let waits_ms_max =
            settings.publish.as_ref().map_or(TARGET_MS_MAX, |publish| publish.profile.target_ms_max());
        let mut engine = Self {
            session: Session::new(&settings, random.u64(..), now),
            transports: Transports::default(),
            room: Room::new(),
            local: LocalTracks::new(cid, settings.publish.as_ref(), now)?,
            hearing: Hearing::new(
                settings.listens,
                settings.hears.clone(),
                settings.volume_percent,
                waits_ms_max,
            )?,
            admission: Admission::default(),
            prompts: Prompts::default(),
            data: Box::new(Data::new(settings.stores_files, settings.rpc_methods.clone())),
            own: OwnProfile::new(settings.attributes.clone()),
            random,
            epoch: now,
            reported: stats::Reported::default(),
            out: Outbox::default(),
            settings,
        };
        if engine.settings.retry != Retry::Service {
            engine.enter(now);
        }
        Ok(engine)
    }

    /// Next thing that happened, for the application. Anything but the other `poll_` calls may add some.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.out.poll_event()
    }

    /// Whether [`Engine::poll_event`] has something.
    pub fn has_events(&self) -> bool {
        self.out.has_events()
    }

    /// Next thing that the io ring must do. Anything but the other `poll_` calls may add some.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.out.poll_action()
    }

    /// Next datagram to send. Anything but the other `poll_` calls may add some.
    pub fn poll_transmit(&mut self) -> Option<(Peer, Transmit)> {
        self.out.poll_transmit()
    }

    /// When [`Engine::handle_timeout`] is due, and why. Changes with every call.
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        [
            self.own.poll_timeout(),
            self.data.poll_timeout(),
            self.local.poll_timeout(),
            self.session.poll_timeout(),
            self.transports.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|&(at, _)| at)
    }

    /// Lets time pass: call it when [`Engine::poll_timeout`] is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.attend_data(now);
        self.attend_session(now);
        self.attend_local(now);
        self.ping(now);
        self.with_transports(now, |transports, ctx| transports.handle_timeout(ctx));
    }

    /// How it ended, once it has. Nothing happens afterwards.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.session.outcome()
    }

    /// Whether sound that is captured now reaches the server: files and pipes start then.
    pub fn is_publishing(&self) -> bool {
        self.local.is_publishing(self.transports.is_connected())
    }

    /// Whether `connected` was reached.
    pub fn was_connected(&self) -> bool {
        self.session.was_connected()
    }

    /// What was lost or left out since the start.
    pub fn counters(&self) -> Counters {
        self.out.counters()
    }

    fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.epoch)
    }
}
