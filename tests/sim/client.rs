//! A client in the world: the real engine, over simulated ports.
//!
//! With its ports, this is the only file that knows the engine's API. It runs [`turn`], the same loop body that the io ring
//! runs over sockets and cards, over [`SimulatedPorts`].

use crate::acoustics::Place;
use crate::alloc::meter::Meter;
use crate::card::{Loudspeaker, Sound};
use crate::link::Quality;
use crate::nat::{self};
use crate::ports::SimulatedPorts;
use crate::random::Random;
use crate::server::token::Claims;
use kinglet::command::{Answer, Command, Reply, Ticket};
use kinglet::engine::turn::turn;
use kinglet::engine::{Engine, PublishSettings, Settings};
use kinglet::event::Event;
use kinglet::local::policy::SubscriptionPolicy;
use kinglet::media::prompt::Recording;
use kinglet::media::send::adapt::Redundancy;
use kinglet::media::send::audio_processor::Duplex;
use kinglet::media::send::profile::AudioProfile;
use kinglet::session::recovery::{Outcome, Retry};
use kinglet::signal::endpoint::Access;
use kinglet::signal::parameters::JoinParameters;
use kinglet::signal::secret::Secret;
use std::net::IpAddr;
use std::time::Instant;

/// A client as a story orders it.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    /// Who it is.
    pub identity: &'a str,
    /// Where it dials.
    pub url: &'a str,
    /// What its microphone hears at first; `None` is a client without a microphone.
    pub sound: Option<Sound>,
    /// How much too fast its card's crystal is.
    pub ppm: f64,
    /// How much too fast the crystal of its loudspeaker's card is, where that is another card.
    pub loudspeaker_ppm: Option<f64>,
    /// Where its microphone hears its loudspeaker, and how loud.
    pub air: Option<(Place, f32)>,
    /// The path to the server.
    pub up: Quality,
    /// The path from the server.
    pub down: Quality,
    /// Whether silence is not sent.
    pub dtx: bool,
    /// Whether its packets carry earlier ones again.
    pub redundancy: Redundancy,
    /// Whether what it hears on its way into the room is kept.
    pub keeps_early_sound: bool,
    /// What its send path is good at.
    pub profile: AudioProfile,
    /// What is done to the microphone's sound.
    pub duplex: Duplex,
    /// Sound that waits in its card in front of a block that is given to it, in milliseconds.
    pub ahead_ms: u32,
    /// Whether it starts muted.
    pub is_muted: bool,
    /// When it comes back.
    pub retry: Retry,
    /// Methods that it answers.
    pub rpc_methods: &'a [&'a str],
    /// Whether it stores the files that it gets.
    pub stores_files: bool,
    /// Whether it is an agent.
    pub is_agent: bool,
}

impl<'a> Setup<'a> {
    /// A listener on a good line, 5 ms from the server.
    pub fn listener(identity: &'a str) -> Setup<'a> {
        let (up, down) = (Quality::delay(5.0), Quality::delay(5.0));
        Setup {
            identity,
            url: "ws://10.0.0.1",
            sound: None,
            ppm: 0.0,
            loudspeaker_ppm: None,
            air: None,
            up,
            down,
            dtx: false,
            redundancy: Redundancy::Auto,
            keeps_early_sound: false,
            profile: AudioProfile::Default,
            duplex: Duplex::Untouched,
            ahead_ms: 0,
            is_muted: false,
            retry: Retry::AfterFirst,
            rpc_methods: &[],
            stores_files: false,
            is_agent: false,
        }
    }

    /// A talker on the same line.
    pub fn talker(identity: &'a str, sound: Sound) -> Setup<'a> {
        Setup { sound: Some(sound), ..Setup::listener(identity) }
    }
}

/// One client.
pub struct Client {
    /// Who it is.
    pub identity: String,
    /// What it said, and when.
    pub events: Vec<(Instant, Event)>,
    /// Answers that came later.
    pub answers: Vec<(Ticket, Answer)>,
    /// How often it asked for a new token; it always gets one.
    pub tokens_asked: u32,
    engine: Engine,
    ports: SimulatedPorts,
}

impl Client {
    /// A client at 10.0.1.`number`, which dials at once.
    pub fn new(setup: Setup<'_>, number: u8, random: &Random, now: Instant) -> Client {
        let mut random = random.fork(&format!("{} {number}", setup.identity));
        let settings = Settings {
            url: setup.url.parse().expect("a URL"),
            parameters: JoinParameters::default(),
            token: Secret::new(Claims::token_of_kind(
                "hall",
                setup.identity,
                if setup.is_agent { "agent" } else { "standard" },
            )),
            renews_token: true,
            publish: setup.sound.map(|_| PublishSettings {
                name: "microphone".to_string(),
                is_muted: setup.is_muted,
                is_required: false,
                dtx: setup.dtx,
                redundancy: setup.redundancy,
                keeps_early_sound: setup.keeps_early_sound,
                profile: setup.profile,
                duplex: setup.duplex,
            }),
            listens: true,
            hears: SubscriptionPolicy::default(),
            retry: setup.retry,
            rpc_methods: setup.rpc_methods.iter().map(|method| method.to_string()).collect(),
            stores_files: setup.stores_files,
            volume_percent: 100,
            attributes: Default::default(),
        };
        let ports = SimulatedPorts::new(&setup, number, &mut random, now);
        let engine = Engine::new(settings, random.next(), now).expect("memory for a codec");
        Client {
            identity: setup.identity.to_string(),
            events: Vec::new(),
            answers: Vec::new(),
            tokens_asked: 0,
            engine,
            ports,
        }
    }

    /// Its ports, to look at and to break.
    pub fn ports(&mut self) -> &mut SimulatedPorts {
        &mut self.ports
    }

    /// Forgets what it played and said so far.
    pub fn forget(&mut self) {
        self.ports.loudspeaker.forget();
        self.events.clear();
    }

    /// What its loudspeaker played.
    pub fn loudspeaker(&self) -> &Loudspeaker {
        &self.ports.loudspeaker
    }

    /// From now on its microphone hears this.
    pub fn hear(&mut self, sound: Sound) {
        if let Some(microphone) = &mut self.ports.microphone {
            microphone.hear(sound);
        }
    }

    /// Asks it for something. What it said is the answer, or follows among [`Client::answers`].
    pub fn command(&mut self, command: Command, now: Instant) -> Reply {
        let reply = self.engine.handle_command(command, now);
        self.turn(now);
        reply
    }

    /// How it ended, if it has.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.engine.outcome()
    }

    /// The first event for which `choose` gives something.
    pub fn event<T>(&self, choose: impl Fn(&Event) -> Option<T>) -> Option<(Instant, T)> {
        self.events.iter().find_map(|(at, event)| choose(event).map(|chosen| (*at, chosen)))
    }

    /// Whether a new session took a lost one's place.
    pub fn has_reconnected(&self) -> bool {
        self.event(|event| matches!(event, Event::Reconnected { .. }).then_some(())).is_some()
    }

    /// Its address becomes another one, and it is told so, as netlink does.
    pub fn move_to(&mut self, address: IpAddr, now: Instant) {
        self.ports.move_to(address);
        self.engine.handle_network(&[address], now);
        self.turn(now);
    }

    /// Both its cards are pulled out, or put back; what they missed is told as the io ring does.
    pub fn plug(&mut self, is_there: bool, now: Instant) {
        let ports = &mut self.ports;
        ports.is_unplugged = !is_there;
        if is_there {
            let missed = ports.loudspeaker.wanted(now) as u64;
            ports.loudspeaker.underrun(missed);
            self.engine.restart_playback();
            if let Some(microphone) = &mut ports.microphone {
                let missed = microphone.due(now);
                microphone.overrun(missed);
                self.engine.skip_capture(missed as u32);
            }
        }
        self.turn(now);
    }

    /// Something about its networks has changed, but not its address.
    pub fn tell_network(&mut self, now: Instant) {
        let address = self.ports.address;
        self.engine.handle_network(&[address], now);
        self.turn(now);
    }

    /// A token, and where the server is where its source says so.
    pub fn give_token(&mut self, now: Instant) {
        let token = Secret::new(Claims::token("hall", &self.identity));
        let server = self.ports.cloud.named.as_ref().map(|url| url.parse().expect("a URL"));
        self.engine.handle_token(Ok(Access { token, server }), now);
        while turn(&mut self.engine, &mut self.ports, now) {}
    }

    /// Serves all that is due. The world calls it when [`Client::poll_timeout`] says so.
    pub fn turn(&mut self, now: Instant) {
        self.ports.now = now;
        self.ports.receive(now);
        let Client { engine, ports, .. } = self;
        if ports.is_metered {
            Meter::around(|| while turn(engine, ports, now) {});
        } else {
            while turn(engine, ports, now) {}
        }
        if std::mem::take(&mut self.ports.wants_token) {
            self.tokens_asked += 1;
            self.give_token(now);
        }
        while let Some(list) = self.ports.cloud.answers.pop_front() {
            self.engine.handle_regions(Some(list.as_bytes()), now);
            while turn(&mut self.engine, &mut self.ports, now) {}
        }
        while let Some(ticket) = self.ports.disk.loading.pop_front() {
            let recording = Recording::new(&self.ports.disk.recording).ok_or("no sound in it".to_string());
            self.engine.handle_recording(ticket, recording, now);
            while turn(&mut self.engine, &mut self.ports, now) {}
        }
        while let Some((host, port)) = self.ports.lookups.pop_front() {
            self.engine.handle_resolved(&host, port, &nat::look_up(port), now);
            while turn(&mut self.engine, &mut self.ports, now) {}
        }
        self.answers.extend(std::iter::from_fn(|| self.engine.poll_answer()));
        while let Some((key, notice)) = self.ports.disk.notices.pop_front() {
            self.engine.handle_file(key, notice, now);
            while turn(&mut self.engine, &mut self.ports, now) {}
        }
        self.events.extend(std::iter::from_fn(|| self.engine.poll_event()).map(|event| (now, *event)));
    }

    /// When something happens to it or in it.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.outcome().is_some() {
            return self.ports.last_words();
        }
        let engine = self.engine.poll_timeout().map(|(at, _)| at);
        engine.into_iter().chain(self.ports.poll_timeout()).min()
    }
}
