//! The real ports of the engine: sockets, cards, files, and the signal connection's task.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_executor::{LocalExecutor, Task};
use rustls::ClientConfig;
use serde_json::Value;

use super::async_requests::AsyncRequests;
use super::reactor::{Interest, Reactor};
use crate::engine::turn::{Arrived, Ports};
use crate::engine::{Action, Engine, FileKey, FileNotice, Notice, StreamNotice};
use crate::event::{Event, Metrics, Stats};
use crate::io::host::files::Files;
use crate::io::net::sockets::Sockets;
use crate::io::signal::dial::Dial;
use crate::io::signal::proxy::ProxySettings;
use crate::io::signal::websocket::{Order, Wire, run as run_websocket};
use crate::io::sound::pair::{Descriptors, Pair};
use crate::io::sound::status::Captured;
use crate::io::token::credentials::Source;
use crate::limits::LOCAL_ADDRESSES_MAX;
use crate::media::block::{BLOCK_MS, Block, SAMPLE_RATE_HZ};
use crate::rtc::{Peer, Transmit};
use crate::signal::secret::Secret;
use crate::signal::url::ServerUrl;

/// Silence sent after the end of a file before we leave: the listeners' jitter buffers (up to
/// ~200 ms) play out what they hold before the track ends under them.
const TAIL: Duration = Duration::from_millis(400);

/// Everything outside, for real.
pub(super) struct RealPorts<'e, 'r> {
    executor: &'e LocalExecutor<'r>,
    reactor: &'e Rc<Reactor>,
    signal: SignalPort,
    /// What is asked beside the call.
    pub(super) requests: AsyncRequests<'e, 'r>,
    sockets: Sockets,
    sound: Pair,
    watched: Descriptors,
    /// Openings of the cards when they were last looked at.
    openings: u32,
    grid: Option<Instant>,
    ends_with_input: bool,
    tail: Option<Tail>,
    files: Files,
}

/// The silence after the end of the input.
struct Tail {
    began: Instant,
    blocks: u32,
}

/// How servers are reached.
#[derive(Clone)]
pub(super) struct DialOptions {
    /// Settings of TLS.
    pub(super) tls: Arc<ClientConfig>,
    /// What may be between: which of them, the server that is dialled decides.
    pub(super) proxies: ProxySettings,
}

struct SignalPort {
    dial_options: DialOptions,
    connection: Option<(Rc<Wire>, Task<()>)>,
}

impl DialOptions {
    fn dial(&self, url: ServerUrl, target: String, token: Secret) -> Dial {
        Dial { url, target, token, tls: self.tls.clone(), proxies: self.proxies.clone() }
    }
}

impl<'e, 'r> RealPorts<'e, 'r> {
    /// Ports over what is open already. `ends_with_input`: the end of a file or pipe is ours too.
    pub(super) fn new(
        executor: &'e LocalExecutor<'r>,
        reactor: &'e Rc<Reactor>,
        (dial_options, token_source): (DialOptions, Option<Source>),
        sound: Pair,
        ends_with_input: bool,
        files: Files,
    ) -> Self {
        Self {
            executor,
            reactor,
            signal: SignalPort { dial_options, connection: None },
            requests: AsyncRequests::new(executor, reactor, token_source),
            sockets: Sockets::new(reactor),
            sound,
            watched: Descriptors::new(),
            openings: 0,
            grid: None,
            ends_with_input,
            tail: None,
            files,
        }
    }

    /// Starts files and pipes when they can be heard, or hear. Searches for lost cards, and reports to the engine the
    /// time without them.
    pub(super) fn attend_sound(&mut self, engine: &mut Engine, in_call: bool, now: Instant) {
        let is_woken = self.sound.watch_fd().is_some_and(|fd| self.reactor.was_ready(fd));
        self.sound.attend(is_woken, in_call, now);
        if let Some(is_of_card) = self.sound.take_volume_change() {
            engine.set_volume_by_card(is_of_card);
        }
        let begin = self.on_grid(now);
        if engine.takes_sound() {
            self.sound.microphone.start(begin);
        }
        if engine.was_connected() {
            self.sound.loudspeaker.start(begin);
        }
        let missed_blocks = self.sound.microphone.take_missed(now);
        if missed_blocks > 0 {
            engine.skip_capture(missed_blocks);
        }
        if self.sound.loudspeaker.take_return() {
            engine.restart_playback();
        }
    }

    /// Sets the volume by the card's mixer where it can; the engine does the rest.
    pub(super) fn set_volume(&mut self, engine: &mut Engine, percent: u8) {
        engine.set_volume_by_card(self.sound.set_volume(percent));
    }

    /// The next multiple of 10 ms since the first call: what runs by our clock is due together, which
    /// saves half the wake-ups.
    fn on_grid(&mut self, now: Instant) -> Instant {
        let grid = *self.grid.get_or_insert(now);
        let elapsed_us = now.saturating_duration_since(grid).as_micros() as u64;
        grid + Duration::from_micros(elapsed_us.next_multiple_of(u64::from(BLOCK_MS) * 1000))
    }

    /// A reopened card has other descriptors: what is watched follows.
    pub(super) fn watch_sound(&mut self) {
        let wanted = self.sound.descriptors();
        let openings = std::mem::replace(&mut self.openings, self.sound.openings());
        let is_as_before = openings == self.openings && wanted.len() == self.watched.len();
        let same = |a: &libc::pollfd, b: &libc::pollfd| a.fd == b.fd && a.events == b.events;
        if is_as_before && wanted.iter().zip(&self.watched).all(|(a, b)| same(a, b)) {
            return;
        }
        // A lost card has closed its descriptors, whose numbers may be a socket's by now.
        for old in self.watched.iter().filter(|old| !self.sockets.holds(old.fd)) {
            self.reactor.unwatch(old.fd);
        }
        for new in &wanted {
            let interest = if new.events & libc::POLLOUT != 0 { Interest::Write } else { Interest::Read };
            // What cannot be watched is served by the timer.
            let _ = self.reactor.watch(new.fd, interest);
        }
        self.watched = wanted;
    }

    /// After a wait: what it has found.
    pub(super) fn note_ready(&mut self) {
        self.sockets.note_ready();
    }

    /// What has become of cards, files and pipes since the last call, each change once.
    pub(super) fn sound_changes(&mut self, tell: impl FnMut(Event)) {
        self.sound.changes(tell);
    }

    /// Where the cards stand.
    pub(super) fn sound_status(&self) -> Value {
        self.sound.status()
    }

    /// Adds what the cards have counted.
    pub(super) fn add_counters(&mut self, stats: &mut Stats) {
        self.sound.add_counters(stats);
    }

    /// Adds what the cards have counted since the start.
    pub(super) fn write_metrics(&self, metrics: &mut Metrics) {
        self.sound.write_metrics(metrics);
    }

    /// Whether the signal connection, a file or a request has a result.
    pub(super) fn has_notices(&self) -> bool {
        self.requests.has_answers()
            || self.files.has_notices()
            || self.signal.connection.as_ref().is_some_and(|(wire, _)| wire.notices.has_items())
    }

    /// Whether the input has ended, and everything of it has been sent.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.tail.as_ref().is_some_and(|tail| now >= tail.began + TAIL)
    }

    /// The next time at which something is due without a descriptor.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        let tail = self.tail.as_ref().map(Tail::next_due);
        let due = [self.sound.next_due(now), tail];
        due.into_iter().flatten().min()
    }

    /// Files are made whole, descriptors are left.
    pub(super) fn finish(&mut self) {
        self.sound.loudspeaker.finish();
        self.signal.connection = None;
        self.sockets.finish();
        for old in &self.watched {
            self.reactor.unwatch(old.fd);
        }
    }

    fn dial(&mut self, dial: Dial) {
        let wire = Rc::new(Wire::default());
        let task = self.executor.spawn(run_websocket(dial, wire.clone(), self.reactor.clone()));
        self.signal.connection = Some((wire, task));
    }

    /// The next result for a file, if there is one.
    pub(super) fn take_file_notice(&mut self) -> Option<(FileKey, FileNotice)> {
        self.files.take_notice()
    }

    fn order(&mut self, order: Order) {
        let Some((wire, _)) = &self.signal.connection else { return };
        if wire.orders.post(order).is_err() {
            // A server that takes nothing any more: the pings will notice, but this is sooner.
            let _ = wire.notices.post(Notice::Closed("the server accepts no more messages".to_owned()));
        }
    }
}

impl Tail {
    fn next_due(&self) -> Instant {
        self.began + Duration::from_millis(u64::from(self.blocks * BLOCK_MS))
    }
}

impl Ports for RealPorts<'_, '_> {
    fn wanted(&mut self, now: Instant) -> usize {
        self.sound.loudspeaker.wanted(now)
    }

    fn play(&mut self, block: &Block, now: Instant) {
        self.sound.loudspeaker.write(block, now);
    }

    fn captured(&mut self, block: &mut Block, now: Instant) -> bool {
        match self.sound.microphone.read(block, now) {
            Captured::Block => true,
            Captured::NotYet => false,
            Captured::End if self.ends_with_input => {
                let tail = self.tail.get_or_insert(Tail { began: now, blocks: 0 });
                *block = Block::SILENCE;
                let is_due = tail.next_due() <= now;
                tail.blocks += u32::from(is_due);
                is_due
            }
            Captured::End => false,
        }
    }

    fn lag(&mut self) -> Option<f32> {
        let lag_ms = self.sound.loudspeaker.delay_ms() + self.sound.microphone.delay_ms();
        self.sound.has_both_cards().then_some(lag_ms * (SAMPLE_RATE_HZ / 1000) as f32)
    }

    fn received(&mut self, buffer: &mut [u8]) -> Option<Arrived> {
        self.sockets.receive(buffer)
    }

    fn stream_changed(&mut self) -> Option<StreamNotice> {
        self.sockets.stream_changed()
    }

    fn noticed(&mut self) -> Option<Notice> {
        self.signal.connection.as_ref().and_then(|(wire, _)| wire.notices.take())
    }

    fn transmit(&mut self, peer: Peer, transmit: &Transmit) {
        self.sockets.transmit(peer, transmit);
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Dial { url, target, token } => {
                self.dial(self.signal.dial_options.dial(url, target, token))
            }
            Action::AskRegions { url, target, token } => {
                self.requests.request_regions(self.signal.dial_options.dial(url, target, token));
            }
            Action::Send(bytes) => self.order(Order::Send(bytes)),
            Action::HangUp => self.order(Order::HangUp),
            Action::Drop => self.signal.connection = None,
            Action::CloseSockets(peer) => self.sockets.close(peer),
            Action::DialStream(peer, remote) => self.sockets.dial_stream(peer, remote),
            Action::CloseStream(peer, protocol) => self.sockets.close_stream(peer, protocol),
            Action::DiscardSound(peer) => self.sockets.discard_sound(peer),
            Action::DialRelay { peer, address, tls_name } => {
                let tls = tls_name.as_deref().map(|name| (name, self.signal.dial_options.tls.clone()));
                self.sockets.dial_relay(peer, address, tls);
            }
            Action::RenewToken => self.requests.renew_token(),
            Action::Resolve { host, port } => self.requests.resolve(host, port),
            Action::LoadRecording { ticket, path } => self.requests.load_recording(ticket, path),
            Action::File(key, order) => self.files.order(self.executor, self.reactor, key, order),
            // `turn` opens sockets itself, because the engine wants the addresses.
            Action::OpenSockets(_) => {}
        }
    }

    fn open_sockets(&mut self, peer: Peer) -> heapless::Vec<SocketAddr, LOCAL_ADDRESSES_MAX> {
        let local = self.signal.connection.as_ref().and_then(|(wire, _)| wire.local_address.get());
        self.sockets.open(peer, local)
    }
}
