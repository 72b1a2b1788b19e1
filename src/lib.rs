//! kinglet puts a small Linux device into a [LiveKit](https://livekit.io) room as a voice.
//!
//! # The house
//!
//! Three rings. The *core* knows the protocol, the *media* ring the sound; neither has a clock, a
//! socket or a device. The *io* ring has all of them and decides nothing.
//!
//! ```text
//!              capture side                                              playback side
//!  mic ─ io/sound ─► media/send ─► rtc/publisher ─► io/net ─► server
//!                     encode        RTP, level                  │
//!  spk ◄ io/sound ◄─ media/mix ◄─ media/receive ◄─ rtc/subscriber ◄ io/net
//!                     limiter       ring, decode     mid → track
//!  server ◄─► io/signal ◄─► signal ◄─► engine ◄─► room, local, session ─► event ─► application
//! ```
//!
//! | folder | what it is |
//! | --- | --- |
//! | [`signal`] | messages ⇄ bounded types |
//! | [`room`], [`local`] | the participants and tracks of the room; what we publish and subscribe to |
//! | [`rtc`] | the two peer connections: everything that touches str0m |
//! | [`session`] | recovery of the session: the table cause → action |
//! | [`data`] | data channels: messages, calls, streams |
//! | [`media`] | blocks and packets |
//! | [`engine`] | the whole client without IO |
//! | [`device`] | a box at a door: its calls, buttons, lamp, outputs |
//! | [`config`] | configuration files |
//! | [`appliance`] | the service of a box: joins device, configuration and client |
//! | [`io`] | descriptors, the clock, `unsafe`; [`io::client::run`] is the asynchronous interface |
//!
//! # The drive contract
//!
//! [`Engine`](engine::Engine) is driven from outside; [`engine::turn::turn`] does it over any
//! [`Ports`](engine::turn::Ports), so the io ring and the simulation run the same code:
//!
//! 1. Feed what there is: `handle_notice`, `handle_datagram`, `handle_command`, `capture`,
//!    `playback`. Each takes `now`, which never goes back.
//! 2. After each of them, drain: `poll_transmit` and `poll_action` until both give `None`. An
//!    `Action::OpenSockets` is answered at once by `handle_sockets`.
//! 3. Take events with `poll_event` when convenient; their table is bounded, and what does not fit
//!    is counted. Take late answers to commands with `poll_answer`.
//! 4. Wait for the first of: an input, or the deadline of `poll_timeout`, which carries its
//!    reason. When it is due, call `handle_timeout`, and drain again.
//! 5. When `outcome` returns a value, the client has ended.
//!
//! # Example
//!
//! A program that joins and prints the other participants:
//!
//! ```no_run
//! use kinglet::engine::{PublishSettings, Settings};
//! use kinglet::event::Event;
//! use kinglet::io::sound::setup::SoundSetup;
//! use kinglet::io::{client, process, tls};
//! use kinglet::media::send::audio_processor::Duplex;
//! use kinglet::session::recovery::Retry;
//! use kinglet::signal::secret::Secret;
//!
//! let microphone = PublishSettings { dtx: true, duplex: Duplex::ALL, ..PublishSettings::default() };
//! let options = client::Options {
//!     settings: Settings {
//!         url: "wss://intercom.example.com".parse()?,
//!         parameters: process::join_parameters(),
//!         renews_token: false,
//!         token: Secret::new(std::fs::read_to_string("/etc/kinglet/token")?),
//!         publish: Some(microphone),
//!         listens: true,
//!         hears: "microphones".parse()?,
//!         retry: Retry::Forever,
//!         rpc_methods: Vec::new(),
//!         stores_files: false,
//!         volume_percent: 100,
//!         attributes: Default::default(),
//!     },
//!     token_source: None,
//!     tls: tls::client_config(None)?,
//!     proxies: Default::default(),
//!     input: "auto".parse()?,
//!     output: "auto".parse()?,
//!     sound: SoundSetup::default(),
//!     loops_input: false,
//!     duration: None,
//!     stats_interval: None,
//!     handlers: Vec::new(),
//!     files: None,
//! };
//! let outcome = client::run(options, |mut events, _commands| async move {
//!     while let Some(event) = events.next().await {
//!         if let Event::ParticipantJoined(who) = event {
//!             println!("{} is here", who.identity);
//!         }
//!     }
//! })?;
//! println!("{}", outcome.text);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![deny(missing_docs, unsafe_code)]
// Nothing that comes from outside can end the program. Exceptions name their reason where they are.
#![deny(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::todo,
    clippy::unreachable,
    clippy::unwrap_used
)]
#![cfg_attr(not(test), deny(clippy::string_slice))]

// The command sees the library as any other program does. It is compiled with it, since the program itself is compiled at
// another level (cross/README.md).
extern crate self as kinglet;

pub mod appliance;
#[doc(hidden)]
pub mod cli;
pub mod command;
pub mod config;
pub mod data;
pub mod device;
pub mod engine;
pub mod error;
pub mod event;
#[allow(unsafe_code, reason = "descriptors: each use says why it is sound")]
pub mod io;
pub mod limits;
pub mod local;
pub mod media;
pub mod room;
pub mod rtc;
pub mod session;
pub mod signal;
pub mod time;
