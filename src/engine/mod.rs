//! The whole client without IO: [`Engine`].
//!
//! It joins the core (signal, room, local, session, rtc) with the sound (media). Bytes, blocks and
//! `now` come in; bytes, blocks, events and one deadline with its reason go out. The io ring and
//! the simulation drive it in the same way, by [`turn`](turn::turn).
//!
//! ```text
//!             Notice ─► signal.rs ─┬─► room ─► Event ─► application
//!  (messages, refusals)            ├─► publish.rs ─► publisher ─┐
//!             capture ─► speak.rs ─┘                            ├─► Transmit, Action
//!            playback ◄─ Mixer ◄─ listen.rs ◄─ subscriber ──────┘
//!                   fallback.rs: TCP where UDP does not get through · reflexive.rs: how others see us · relay.rs: TURN
//!                   session.rs: dial, lose, dial again, leave · resume.rs: mend what is lost · regions.rs: somewhere else
//! ```

#![forbid(unsafe_code)]

mod access;
mod admission;
mod announce;
mod cards;
mod commands;
mod counters;
mod data;
mod early;
mod fallback;
mod farewell;
mod files;
mod ice_servers;
mod listen;
mod listener;
mod mute;
mod outbox;
mod paths;
mod phase;
pub mod port;
mod profile;
mod prompts;
mod publish;
mod reflexive;
mod regions;
mod relay;
mod report;
mod resume;
mod roaming;
mod rpc;
mod session;
mod settings;
mod signal;
mod speak;
mod start;
mod stats;
mod streams;
mod subscribe;
mod transport;
pub mod turn;

use std::time::{Duration, Instant};

use crate::event::Event;
use crate::limits::{ACTIONS_MAX, SUBSCRIPTIONS_MAX, TRANSMITS_MAX};
use crate::local::profile::Profile;
use crate::local::publication::Publication;
use crate::local::subscription::Subscriptions;
use crate::local::wishes::Wishes;
use crate::media::receive::target::TARGET_MS_MAX;
use crate::room::Room;
use crate::rtc::{Peer, Publisher, Subscriber, Transmit};
use crate::session::recovery::{Outcome, Retry};
use crate::signal::ice_url::IceUrl;
use crate::signal::leave::DisconnectReason;
use crate::signal::ping::Pinger;
use crate::signal::request::Request;
use crate::signal::secret::Secret;
use crate::signal::sid::Sid;
use crate::time::backoff::Backoff;
use crate::time::deadline::{Deadlines, Reason};

use admission::Admission;
use announce::Announcements;
pub use counters::Counters;
use data::Data;
use fallback::Fallback;
use farewell::Farewell;
use ice_servers::IceServers;
use listener::Listener;
use outbox::Outbox;
use phase::Phase;
pub use port::{Action, FileKey, FileNotice, FileOrder, Notice, StreamNotice};
use profile::ProfileRequests;
use reflexive::Reflexive;
use regions::Detour;
use relay::Relaying;
use resume::Resuming;
use roaming::Whereabouts;
pub use settings::{PublishSettings, Settings};
use speak::Microphone;
pub use start::StartError;

/// The whole client, driven from outside.
pub struct Engine {
    settings: Settings,
    random: fastrand::Rng,
    epoch: Instant,
    phase: Phase,
    deadlines: Deadlines,
    backoff: Backoff,
    token: Secret,
    detour: Detour,

    room: Room,
    publication: Publication,
    subscriptions: Subscriptions,
    pinger: Option<Pinger>,
    ping_interval: Duration,
    ping_timeout: Duration,
    is_resume_disabled: bool,
    resuming: Option<Resuming>,
    resumed_at: Option<Instant>,
    brief_resumes: u32,
    publisher: Option<Publisher>,
    subscriber: Option<Subscriber>,
    /// Of publisher and subscriber.
    fallbacks: [Fallback; 2],
    /// The same.
    reflexive: [Reflexive; 2],
    relays: [Relaying; 2],
    ice_servers: IceServers,
    /// The server allows no other paths than through relays.
    is_relay_only: bool,
    /// The TURN server through which sound has gone.
    relay_worked: Option<IceUrl>,
    whereabouts: Whereabouts,
    is_subscriber_primary: bool,
    /// Edition and version of the server, for people.
    server: String,

    microphone: Option<Box<Microphone>>,
    /// Whether we were allowed a microphone when we last looked.
    may_speak: bool,
    /// The application has ended our track, and has not asked for it again.
    is_unpublished: bool,
    admission: Admission,
    profile: Profile,
    profile_requests: ProfileRequests,
    listener: Listener,
    /// Of single talkers, in percent.
    talker_volumes: Wishes<u16>,
    warned_encrypted: heapless::Vec<Sid, SUBSCRIPTIONS_MAX>,
    volume: cards::Volume,
    data: Box<Data>,
    announcements: Box<Announcements>,

    session_began: Option<Instant>,
    /// When the last dial began: waits count from there.
    attempt_began: Instant,
    /// When the last new session was dialled.
    join_began: Instant,
    /// When the upgrade was asked for: the `join` comes a round trip later.
    reached_at: Option<Instant>,
    lost_at: Option<Instant>,
    told_cause: String,
    told_reason: Option<DisconnectReason>,
    /// It is to be asked for before the next dial.
    token_is_refused: bool,
    /// When its source has last said where the server is, or was asked again.
    server_named_at: Option<Instant>,
    token_came_at: Option<Instant>,
    /// Told to enter the room while the hang-up is on its way.
    enters_again: bool,
    was_connected: bool,
    outcome: Option<Outcome>,
    farewell: Option<Farewell>,

    events: Outbox,
    /// Elsewhere, like the next: 14 kB less in an engine that is moved when it is made, and 30 kB less of stack for ever.
    actions: Box<heapless::Deque<Action, ACTIONS_MAX>>,
    transmits: Box<heapless::Deque<(Peer, Transmit), TRANSMITS_MAX>>,
    counters: Counters,
    answers: commands::Answers,
    reported: stats::Reported,
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
        let announcements = Box::new(Announcements::new(format!("{cid}-announcement")));
        let (name, muted) = match &settings.publish {
            Some(publish) => (publish.name.clone(), publish.is_muted),
            None => (String::new(), true),
        };
        let microphone =
            settings.publish.as_ref().map(|publish| Microphone::new(publish).map(Box::new)).transpose()?;
        let waits_ms_max =
            settings.publish.as_ref().map_or(TARGET_MS_MAX, |publish| publish.profile.target_ms_max());
        let volume = cards::Volume::new(settings.volume_percent);
        let mut engine = Self {
            token: settings.token.clone(),
            backoff: Backoff::new(random.u64(..)),
            random,
            epoch: now,
            phase: Phase::Idle,
            detour: Detour::default(),
            deadlines: Deadlines::default(),
            room: Room::new(),
            publication: Publication::new(cid, name, muted),
            subscriptions: Subscriptions::new(settings.hears.clone()),
            pinger: None,
            ping_interval: Duration::ZERO,
            ping_timeout: Duration::ZERO,
            is_resume_disabled: false,
            resuming: None,
            resumed_at: None,
            brief_resumes: 0,
            publisher: None,
            subscriber: None,
            fallbacks: Default::default(),
            reflexive: Default::default(),
            relays: Default::default(),
            ice_servers: IceServers::new(),
            is_relay_only: false,
            relay_worked: None,
            whereabouts: Whereabouts::default(),
            is_subscriber_primary: true,
            server: String::new(),
            microphone,
            may_speak: false,
            is_unpublished: false,
            admission: Admission::default(),
            profile: Profile::with_attributes(settings.attributes.clone()),
            profile_requests: ProfileRequests::default(),
            listener: Listener::new(waits_ms_max)?,
            talker_volumes: Wishes::default(),
            warned_encrypted: heapless::Vec::new(),
            volume,
            data: Box::default(),
            announcements,
            session_began: None,
            attempt_began: now,
            join_began: now,
            reached_at: None,
            lost_at: None,
            told_cause: String::new(),
            told_reason: None,
            token_is_refused: false,
            server_named_at: None,
            token_came_at: None,
            enters_again: false,
            was_connected: false,
            outcome: None,
            farewell: None,
            events: Outbox::default(),
            actions: Box::default(),
            transmits: Box::default(),
            counters: Counters::default(),
            answers: commands::Answers::default(),
            reported: stats::Reported::default(),
            settings,
        };
        if engine.settings.retry != Retry::Service {
            engine.enter(now);
        }
        Ok(engine)
    }

    /// Next thing that happened, for the application. Anything but the other `poll_` calls may add some.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.take()
    }

    /// Whether [`Engine::poll_event`] has something.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Next thing that the io ring must do. Anything but the other `poll_` calls may add some.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Next datagram to send. Anything but the other `poll_` calls may add some.
    pub fn poll_transmit(&mut self) -> Option<(Peer, Transmit)> {
        self.transmits.pop_front()
    }

    /// When [`Engine::handle_timeout`] is due, and why. Changes with every call.
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        let publisher = self.publisher.as_ref().and_then(Publisher::poll_timeout);
        let subscriber = self.subscriber.as_ref().and_then(Subscriber::poll_timeout);
        let ping = self.pinger.as_ref().and_then(Pinger::poll_timeout);
        [
            self.deadlines.next(),
            publisher.map(|at| (at, Reason::Publisher)),
            subscriber.map(|at| (at, Reason::Subscriber)),
            ping.map(|at| (at, Reason::Ping)),
            self.fallback_timeout().map(|at| (at, Reason::Fallback)),
            self.bindings_timeout().map(|at| (at, Reason::Bindings)),
            self.relay_timeout().map(|at| (at, Reason::Relay)),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|&(at, _)| at)
    }

    /// How it ended, once it has. Nothing happens afterwards.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref().filter(|_| self.phase == Phase::Ended)
    }

    /// Whether sound that is captured now reaches the server: files and pipes start then.
    pub fn is_publishing(&self) -> bool {
        self.publication.sid().is_some() && self.publisher.as_ref().is_some_and(Publisher::is_connected)
    }

    /// Whether `connected` was reached.
    pub fn was_connected(&self) -> bool {
        self.was_connected
    }

    /// What was lost or left out since the start.
    pub fn counters(&self) -> Counters {
        Counters { events_lost: self.events.lost(), ..self.counters }
    }

    fn emit(&mut self, event: Event) {
        self.events.put(event);
    }

    fn warn(&mut self, text: impl Into<String>) {
        self.emit(Event::Warning { text: text.into() });
    }

    fn act(&mut self, action: Action) {
        if self.actions.push_back(action).is_err() {
            self.counters.actions_lost += 1;
        }
    }

    fn request(&mut self, request: &Request) {
        self.act(Action::Send(request.encode()));
    }

    fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.epoch)
    }
}
