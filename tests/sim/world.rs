//! The world: clients, links, one server, one clock. It always runs the earliest event.
//!
//! ```text
//!  Client ══ up ══► Sfu ══ down ══► Client        datagrams, over links with loss, delay, jitter
//!  Client ── signal_up ──► Sfu ── signal_down ──► Client      one WebSocket each, over TCP: reliable, in order
//! ```
//!
//! A story that fails prints its seed; `KINGLET_SIM_SEED` runs all stories with another one.

use crate::card::Played;
use crate::client::{Client, Setup};
use crate::clock::Clock;
use crate::nat::{Nat, asks_for_allocation, stun_answer};
use crate::ports::{ToClient, ToServer};
use crate::random::Random;
use crate::server::Sfu;
use crate::turn::Turn;
use kinglet::command::{Command, Reply};
use kinglet::engine::port::Notice;
use kinglet::rtc::Protocol;
use kinglet::signal::refusal::Refusal;
use std::time::{Duration, Instant};

/// The seed of a story that names none.
const SEED: u64 = 0x6b69_6e67_6c65_7401;

/// Rounds at one instant before the world counts as stuck.
const ROUNDS_MAX: usize = 10_000;

/// Everything there is.
pub struct World {
    /// Virtual time.
    pub clock: Clock,
    /// The server.
    pub sfu: Sfu,
    /// Requests for an allocation that have come to the TURN server's address.
    pub allocations_asked: u32,
    /// Who answers them, if anybody.
    pub turn: Option<Turn>,
    clients: Vec<Client>,
    seed: u64,
    random: Random,
    is_serving: bool,
}

impl World {
    /// A world with a server and nobody in it.
    pub fn new() -> World {
        let given = std::env::var("KINGLET_SIM_SEED").ok().and_then(|seed| seed.parse().ok());
        World::with_seed(given.unwrap_or(SEED))
    }

    /// The same, every random choice following from `seed`.
    pub fn with_seed(seed: u64) -> World {
        let clock = Clock::new();
        let sfu = Sfu::new(seed, clock.now());
        World {
            clock,
            sfu,
            allocations_asked: 0,
            turn: None,
            clients: Vec::new(),
            seed,
            random: Random::new(seed),
            is_serving: true,
        }
    }

    /// A client enters, and dials. Returns its number.
    pub fn enter(&mut self, setup: Setup<'_>) -> usize {
        let number = self.clients.len();
        let now = self.clock.now();
        self.clients.push(Client::new(setup, number as u8 + 2, &self.random, now));
        self.clients[number].turn(now);
        number
    }

    /// The same, behind a router.
    pub fn enter_behind(&mut self, nat: Nat, setup: Setup<'_>) -> usize {
        let number = self.clients.len();
        let now = self.clock.now();
        self.clients.push(Client::new(setup, number as u8 + 2, &self.random, now));
        self.clients[number].ports().nat = Some(nat);
        self.clients[number].turn(now);
        number
    }

    /// One of the clients.
    pub fn client(&mut self, number: usize) -> &mut Client {
        &mut self.clients[number]
    }

    /// What a client's loudspeaker played in the last `ms` milliseconds.
    pub fn lately(&self, number: usize, ms: u64) -> &[Played] {
        let end = self.clock.now();
        self.clients[number].loudspeaker().between(end - Duration::from_millis(ms), end)
    }

    /// A client is asked for something that it can do at once.
    pub fn command(&mut self, number: usize, command: Command) {
        match self.ask(number, command) {
            Reply::Now(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }

    /// A client is asked for something.
    pub fn ask(&mut self, number: usize, command: Command) -> Reply {
        let now = self.clock.now();
        self.clients[number].command(command, now)
    }

    /// The value of `kinglet_dropped_total{what="…"}` in the metrics of a client.
    pub fn dropped(&mut self, number: usize, what: &str) -> u64 {
        let Reply::Now(Ok(metrics)) = self.ask(number, Command::Metrics) else { panic!("no metrics") };
        let begin = format!("kinglet_dropped_total{{what=\"{what}\"}} ");
        let value = |line: &str| line.strip_prefix(&begin)?.parse::<f64>().ok();
        metrics.as_str().and_then(|text| text.lines().find_map(value)).expect("a counter") as u64
    }

    /// Lets a client look at what was put into its ports.
    pub fn poke(&mut self, number: usize) {
        let now = self.clock.now();
        self.clients[number].turn(now);
    }

    /// Lets time pass.
    pub fn run_ms(&mut self, ms: u64) {
        let end = self.clock.now() + Duration::from_millis(ms);
        self.run_until(end, |_| false);
    }

    /// Lets this much time pass.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.clock.now() + time;
        self.run_until(end, |_| false);
    }

    /// Lets time pass until `done`, but no longer than this; whether it was done.
    pub fn run_until_done(&mut self, ms_max: u64, done: impl Fn(&mut World) -> bool) -> bool {
        let end = self.clock.now() + Duration::from_millis(ms_max);
        self.run_until(end, done)
    }

    /// Forgets what was played, said and received so far: hours of it are much memory.
    pub fn forget(&mut self) {
        self.sfu.log.tracks.clear();
        self.clients.iter_mut().for_each(Client::forget);
    }

    /// Plugs the whole network of a client in or out.
    pub fn set_network(&mut self, client: usize, up: bool) {
        let now = self.clock.now();
        self.clients[client].ports().set_network(up, now);
    }

    /// The server dies: connections are refused, datagrams are lost, what it knew is forgotten.
    pub fn stop_server(&mut self) {
        self.is_serving = false;
        let now = self.clock.now();
        for client in &mut self.clients {
            let ports = client.ports();
            if let Some((number, _)) = ports.connection.take() {
                let notice = Notice::Closed("connection reset".to_string());
                ports.signal_down.send(ToClient { number, notice }, now);
            }
        }
        self.sfu = Sfu::new(self.random.next(), now);
    }

    /// It is there again, with empty rooms.
    pub fn start_server(&mut self) {
        self.is_serving = true;
    }

    fn run_until(&mut self, end: Instant, done: impl Fn(&mut World) -> bool) -> bool {
        let mut rounds = 0;
        loop {
            if done(self) {
                return true;
            }
            let clients = self.clients.iter().filter_map(Client::poll_timeout);
            let next = clients.chain(self.sfu.poll_timeout()).min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.clock.advance_to(end);
                return false;
            };
            rounds = if next <= self.clock.now() { rounds + 1 } else { 0 };
            assert!(
                rounds < ROUNDS_MAX,
                "time stands still at {} ms, seed {}",
                self.clock.elapsed_ms(),
                self.seed
            );
            self.clock.advance_to(next);
            self.step();
        }
    }

    fn step(&mut self) {
        let now = self.clock.now();
        let mut relayed = Vec::new();
        for client in &mut self.clients {
            let ports = client.ports();
            while let Some(datagram) = ports.up.receive(now).or_else(|| ports.stream_up.receive(now)) {
                self.allocations_asked += u32::from(asks_for_allocation(&datagram));
                if let Some(answer) = stun_answer(&datagram) {
                    ports.down.send(answer, now);
                } else if let Some(turn) = self.turn.as_mut().filter(|_| Turn::is_at(datagram.destination)) {
                    relayed.extend(turn.handle(datagram, now));
                } else if self.is_serving {
                    self.sfu.handle_datagram(datagram, now);
                }
            }
            while let Some(word) = client.ports().signal_up.receive(now) {
                serve(&mut self.sfu, client, word, self.is_serving, now);
            }
        }
        if self.sfu.poll_timeout().is_some_and(|due| due <= now) {
            self.sfu.handle_timeout(now);
        }
        // What the TURN server sends goes to the SFU, or to a client.
        let (to_clients, to_sfu): (Vec<_>, Vec<_>) = relayed.into_iter().partition(|datagram| {
            self.clients.iter_mut().any(|client| client.ports().is_at(datagram.destination))
        });
        for datagram in to_sfu {
            self.sfu.handle_datagram(datagram, now);
        }
        let mut outgoing = to_clients;
        while let Some(datagram) = self.sfu.poll_transmit() {
            match self.turn.as_mut().filter(|_| Turn::is_at(datagram.destination)) {
                Some(turn) => outgoing.extend(turn.handle(datagram, now)),
                None => outgoing.push(datagram),
            }
        }
        for datagram in outgoing {
            let mut clients = self.clients.iter_mut().map(Client::ports);
            let receiver = clients.find(|ports| ports.is_at(datagram.destination));
            match (receiver, datagram.protocol) {
                (Some(ports), Protocol::Udp) => ports.down.send(datagram, now),
                (Some(ports), Protocol::Tcp | Protocol::Turn) => ports.stream_down.send(datagram, now),
                (None, _) => {}
            }
        }
        while let Some(address) = self.sfu.poll_ended_stream() {
            for client in &mut self.clients {
                client.ports().end_stream(address, now);
            }
        }
        for client in &mut self.clients {
            deliver(&mut self.sfu, client, now);
            if client.outcome().is_none() && client.poll_timeout().is_some_and(|due| due <= now) {
                client.turn(now);
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (seed, ms) = (self.seed, self.clock.elapsed_ms());
            eprintln!("at {ms:.1} ms of a world with KINGLET_SIM_SEED={seed}");
            for complaint in &self.sfu.log.complaints {
                eprintln!("server: {complaint}");
            }
            for client in &self.clients {
                for (at, event) in &client.events {
                    let ms = at.duration_since(self.clock.at_ms(0)).as_millis();
                    eprintln!("{:>8} ms {}: {event:?}", ms, client.identity);
                }
            }
        }
    }
}

/// The server's end of one WebSocket.
fn serve(sfu: &mut Sfu, client: &mut Client, word: ToServer, is_serving: bool, now: Instant) {
    let ports = client.ports();
    let current = ports.connection;
    match word {
        ToServer::Connect(number) => {
            let refused = || Notice::Unreachable("connection refused".to_string());
            let notice = if is_serving && !ports.cloud.is_gone() { Notice::Reached } else { refused() };
            ports.signal_down.send(ToClient { number, notice }, now);
        }
        ToServer::Upgrade { number, .. } if !is_serving => {
            let notice = Notice::Closed("connection reset".to_string());
            ports.signal_down.send(ToClient { number, notice }, now);
        }
        ToServer::Upgrade { number, target, token } => {
            let notice = match sfu.connect(&target, &token, now) {
                Ok(connection) => {
                    ports.connection = Some((number, connection));
                    Notice::Opened
                }
                Err((status, body)) => Notice::Refused(Refusal::new(status, body.as_bytes())),
            };
            ports.signal_down.send(ToClient { number, notice }, now);
        }
        ToServer::Message(number, bytes) => {
            if let Some((_, connection)) = current.filter(|(open, _)| *open == number) {
                sfu.handle_message(connection, &bytes, now);
            }
        }
        ToServer::Close(number) => {
            if let Some((_, connection)) = ports.connection.take_if(|(open, _)| *open == number) {
                sfu.disconnect(connection, now);
                let notice = Notice::Closed("closed".to_string());
                ports.signal_down.send(ToClient { number, notice }, now);
            }
        }
    }
}

/// What the server has for a client goes on its way.
fn deliver(sfu: &mut Sfu, client: &mut Client, now: Instant) {
    let ports = client.ports();
    let Some((number, connection)) = ports.connection else { return };
    while let Some(bytes) = sfu.poll_message(connection) {
        ports.signal_down.send(ToClient { number, notice: Notice::Message(bytes) }, now);
    }
    if !sfu.is_open(connection) {
        ports.connection = None;
        sfu.disconnect(connection, now);
        let notice = Notice::Closed("closed by the server, code 1000".to_string());
        ports.signal_down.send(ToClient { number, notice }, now);
    }
}
