//! The client without IO: [`Engine`].
//!
//! The engine joins the core (signal, room, local, session, rtc) with the sound (media). Datagrams, blocks of sound,
//! messages, commands and `now` come in. Datagrams, blocks, events, actions and one deadline with its reason go out. The io
//! ring and the simulation drive it in the same way, with [`turn`](turn::turn).
//!
//! ```text
//!   notice, file, token ─┐                              ┌─► session      state of the session: dial, resume, leave
//!   datagram, stream ────┼─► mod.rs ──────┐             ├─► transports   peer connections: sockets, ICE-TCP, STUN, TURN
//!   block, deadline ─────┘     │          │             ├─► room         participants and tracks, as the server reports them
//!   message of the server ─────┴► signal.rs ─► route.rs ┼─► local        own tracks: microphone, mute, announcements
//!   command ───────────────► commands.rs ─┘             ├─► hearing, admission, prompts   what is heard, and by whom
//!                                                       ├─► data, own    messages, streams, files, RPC; own attributes
//!                                                       └─► out          events, actions, datagrams, answers
//! ```
//!
//! `Engine` is the coordinator. Each part owns its state and knows no other part. A part returns what concerns another part,
//! and writes what leaves the engine to the outbox. `route.rs` gives each part what it needs to know of the others, and
//! carries out what follows. Calls go in the direction of the arrows only: `cargo test --test tidy engine` checks that.

#![forbid(unsafe_code)]

mod audio;
mod commands;
mod counters;
mod data;
mod outbox;
pub mod port;
mod report;
mod route;
mod session;
mod settings;
mod signal;
mod start;
mod transport;
pub mod turn;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::command::Ticket;
use crate::event::{Event, Metrics, Stats};
use crate::media::block::Block;
use crate::media::prompt::Recording;
use crate::media::receive::delay_target::TARGET_MS_MAX;
use crate::room::Room;
use crate::rtc::{Datagram, Peer, Transmit};
use crate::session::recovery::{Outcome, Retry};
use crate::signal::endpoint::Access;
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
use report::{Report, StatsInterval};
use session::{Due, Noticed, Session};
pub use settings::{PublishSettings, Settings};
pub use start::StartError;
use transport::Transports;

/// The client, driven from outside.
pub struct Engine {
    settings: Settings,
    random: fastrand::Rng,
    session: Session,
    transports: Transports,
    room: Room,
    local: LocalTracks,
    hearing: Hearing,
    admission: Admission,
    prompts: Prompts,
    data: Box<Data>,
    own: OwnProfile,
    stats: StatsInterval,
    out: Outbox,
}

impl Engine {
    /// A client that will join with `settings`. `seed` makes every random choice (sequence numbers,
    /// jitter of retries); the io ring takes it from the operating system, the simulation from the test.
    ///
    /// # Errors
    /// The codec cannot be created, which only a lack of memory causes.
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
            stats: StatsInterval::new(now),
            out: Outbox::default(),
            settings,
        };
        if engine.settings.retry != Retry::Service {
            engine.enter(now);
        }
        Ok(engine)
    }

    /// The next event for the application. Every call except the other `poll_` functions may add events.
    ///
    /// It stays on the heap, where it was put when it happened.
    pub fn poll_event(&mut self) -> Option<Box<Event>> {
        self.out.poll_event()
    }

    /// Whether [`Engine::poll_event`] returns an event.
    pub fn has_events(&self) -> bool {
        self.out.has_events()
    }

    /// The next action for the io ring. Every call except the other `poll_` functions may add actions.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.out.poll_action()
    }

    /// The next datagram to send. Every call except the other `poll_` functions may add datagrams.
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

    /// Does everything that is due at `now`. To be called when [`Engine::poll_timeout`] is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.own.handle_timeout(now, &mut self.out);
        self.data.handle_timeout(now, &mut self.out);
        self.send_queued(now);
        self.handle_session_timeout(now);
        while self.with_local(now, |local, input, out, send| local.handle_timeout(input, send, out)) {}
        let sound_flows = self.transports.has_paths();
        if let Some(cause) = self.session.ping(sound_flows, now, &mut self.out) {
            self.lost(cause, now);
        }
        self.with_transports(now, |transports, ctx| transports.handle_timeout(ctx));
    }

    /// Handles a change of the signal connection.
    pub fn handle_notice(&mut self, notice: Notice, now: Instant) {
        match self.session.handle_notice(notice, now) {
            Noticed::Nothing => {}
            Noticed::Reached => self.open_peers(now),
            Noticed::ReachedAgain => self.transports.open_sockets_again(&mut self.out),
            Noticed::Message(bytes) => self.message(&bytes, now),
            Noticed::Lost(cause) => self.lost(cause, now),
        }
    }

    /// Handles a new token, or the reason why there is none: the answer to [`Action::RenewToken`].
    pub fn handle_token(&mut self, access: Result<Access, String>, now: Instant) {
        self.session.handle_token(access, now, &mut self.out);
    }

    /// Handles the answer to [`Action::AskRegions`].
    pub fn handle_regions(&mut self, answer: Option<&[u8]>, now: Instant) {
        if let Some(cause) = self.session.handle_regions(answer, now) {
            self.lost(cause, now);
        }
    }

    /// Handles one datagram that arrived on a socket of `peer`, at `arrival` by the clock of the kernel or the caller.
    pub fn handle_datagram(&mut self, peer: Peer, datagram: Datagram<'_>, arrival: Instant) {
        self.with_transports(arrival, |transports, ctx| transports.handle_datagram(peer, datagram, ctx));
    }

    /// Handles a change of a TCP connection that [`Action::DialStream`] or [`Action::DialRelay`] requested.
    pub fn handle_stream(&mut self, notice: StreamNotice, now: Instant) {
        self.with_transports(now, |transports, ctx| transports.handle_stream(notice, ctx));
    }

    /// Handles the addresses of all open sockets of `peer`: the answer to [`Action::OpenSockets`].
    /// Addresses that come after the first description has left are trickled to the server.
    pub fn handle_sockets(&mut self, peer: Peer, addresses: &[SocketAddr], now: Instant) {
        self.with_transports(now, |transports, ctx| transports.handle_sockets(peer, addresses, ctx));
    }

    /// Handles the answer to [`Action::Resolve`]; `addresses` is empty if the name has none.
    pub fn handle_resolved(&mut self, host: &str, port: u16, addresses: &[SocketAddr], now: Instant) {
        self.with_transports(now, |transports, ctx| transports.handle_resolved(host, port, addresses, ctx));
    }

    /// Handles a change of this device's networks; `addresses` are its addresses from now on.
    pub fn handle_network(&mut self, addresses: &[IpAddr], now: Instant) {
        self.transports.addresses_changed(addresses);
        self.session.network_changed(now);
    }

    /// Handles the result of an [`Action::File`].
    pub fn handle_file(&mut self, key: FileKey, notice: FileNotice, now: Instant) {
        self.data.handle_file(key, notice, &self.room, now, &mut self.out);
        self.send_queued(now);
        if matches!(key, FileKey::Sent(_)) {
            self.farewell_moves(now);
        }
    }

    /// Handles the answer to [`Action::LoadRecording`]: the sound, or in words why there is none.
    pub fn handle_recording(&mut self, ticket: Ticket, loaded: Result<Recording, String>, now: Instant) {
        if let Some((ticket, recording)) = self.prompts.handle_recording(ticket, loaded, &mut self.out) {
            self.with_local(now, |local, input, out, send| {
                local.announce(ticket, recording, input, send, out)
            });
        }
    }

    /// Takes the duration of the turn that began at `now`. After too many slow turns, audio processing is reduced.
    pub fn handle_turn(&mut self, took: Duration, now: Instant) {
        self.local.handle_turn(took, now, &mut self.out);
    }

    /// Takes the next 10 ms from the microphone. Before the track is published they are kept or dropped, as the settings
    /// say. `lag` is the number of samples (at 48 kHz) that wait at this moment in the loudspeaker's card, to be heard, and
    /// in the microphone's behind this block, to be read; `None` if they are not cards.
    pub fn capture(&mut self, block: &Block, lag: Option<f32>, now: Instant) {
        if self.takes_sound() {
            self.with_local(now, |local, input, out, send| local.capture(block, lag, input, send, out));
        }
    }

    /// Takes note that `blocks` blocks of time have passed without a microphone, whose card was away. No packets are
    /// sent for them, as while muted; RTP time continues, so that listeners hear a pause.
    pub fn skip_capture(&mut self, blocks: u32) {
        self.local.skip_capture(blocks);
    }

    /// Fills `out` with the next 10 ms to play: always the whole block, exact zeros if nothing is heard.
    pub fn playback(&mut self, out: &mut Block, now: Instant) {
        let mut prompt = Block::SILENCE;
        let prompt = self.prompts.pull(&mut prompt).then_some(&prompt);
        self.hearing.playback(prompt, out, now);
        self.local.played(out);
    }

    /// Takes note that the loudspeaker's card was away and is back. The buffers have kept the newest packets; what is
    /// older is not played.
    pub fn restart_playback(&mut self) {
        self.hearing.restart_playback();
    }

    /// Whether the card's mixer has been set to the volume, as far as its range allows; otherwise the samples are scaled.
    pub fn set_volume_by_card(&mut self, is_by_card: bool) {
        self.hearing.output_volume().set_by_card(is_by_card);
    }

    /// Leaves the room and ends, as requested; messages that are under way are sent first. Further calls change nothing.
    pub fn end(&mut self, now: Instant) {
        self.leave(Some(Outcome::as_asked()), now);
    }

    /// How the client ended, once it has. Nothing happens afterwards.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.session.outcome()
    }

    /// Whether sound that is captured now is used: it is sent, or kept on the way into the room.
    pub fn takes_sound(&self) -> bool {
        !self.session.is_leaving() && self.local.takes_sound(self.transports.is_connected())
    }

    /// Whether sound that is captured now reaches the server: files and pipes start then.
    pub fn is_publishing(&self) -> bool {
        self.local.is_publishing(self.transports.is_connected())
    }

    /// Whether the event `connected` has been reported.
    pub fn was_connected(&self) -> bool {
        self.session.was_connected()
    }

    /// Counters since the last call, and the present state. The io ring adds cards, CPU and memory.
    pub fn take_stats(&mut self, now: Instant) -> Stats {
        let (rtt_ms, microphone) = (self.report().round_trip_ms(), self.local.microphone_status());
        let tracks = self.hearing.take_stats(&self.room);
        self.stats.take(microphone, Stats { rtt_ms, tracks, ..Stats::default() }, now)
    }

    /// Writes the totals since the start, and the present state. The io ring adds cards, CPU and memory.
    pub fn write_metrics(&self, metrics: &mut Metrics) {
        self.report().write_metrics(metrics);
    }

    /// Losses and omissions since the start.
    pub fn counters(&self) -> Counters {
        self.out.counters()
    }

    /// A view of the parts, for what the client reports of itself.
    fn report(&self) -> Report<'_> {
        let Self { session, transports, room, local, hearing, admission, .. } = self;
        Report { session, transports, room, local, hearing, admission, counters: self.counters() }
    }

    fn handle_session_timeout(&mut self, now: Instant) {
        while self.session.is_due(now) {
            let facts = self.facts(now);
            match self.session.handle_timeout(&facts, now, &mut self.out) {
                Some(Due::Lost(cause)) => self.lost(cause, now),
                Some(Due::Ending(ending)) => self.session_ended(ending, now),
                Some(Due::Farewell) => self.hang_up(now),
                None => return,
            }
        }
    }
}
