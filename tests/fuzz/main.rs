//! Every parser of outside bytes, and the engine as a whole, fed with hostile input.
//!
//! ```text
//!  corpus/<target>/* ─► as it is ─► body ─► no panic, and what is said to be bounded is bounded    cargo test --test fuzz
//!                    └► damaged: cut, flipped, doubled, mixed with a second file
//!                    └► libFuzzer, guided by coverage ─► body                                      tests/fuzz/run MINUTES
//! ```
//!
//! A target is a name, a folder of the corpus and a body; to add one, add a line to [`TARGETS`] and a file to its folder.
//! Inputs that once broke something stay there. The same bodies run on stable Rust in every test run, and under libFuzzer
//! (`--cfg coverage`, see `coverage/Cargo.toml`), where `KINGLET_FUZZ_TARGET` names the target.

#![cfg_attr(coverage, no_main)]
#![cfg_attr(coverage, allow(dead_code, reason = "the simulation has more than the engine's target uses"))]

mod cursor;
mod device;
mod engine;
mod files;
mod media;
mod messages;
mod parsers;
#[cfg(not(coverage))]
mod replay;
mod sdp;

/// The simulated world of the engine's target; `tests/sim` describes it.
#[allow(dead_code, reason = "stories use more of the simulation")]
#[path = "../sim"]
mod simulation {
    pub mod acoustics;
    #[path = "../alloc/mod.rs"]
    pub mod alloc;
    pub mod card;
    pub mod client;
    pub mod clock;
    pub mod cloud;
    pub mod disk;
    pub mod link;
    pub mod nat;
    pub mod ports;
    pub mod random;
    pub mod server;
    pub mod turn;
    pub mod world;
}
// The simulation's files name each other from the root of the crate.
use simulation::{
    acoustics, alloc, card, client, clock, cloud, disk, link, nat, ports, random, server, turn, world,
};

/// A function that takes one input of a target. It panics if the input breaks a rule.
pub type Body = fn(&[u8]);

/// Name, which is the folder of the corpus, and body of every target.
pub const TARGETS: &[(&str, Body)] = &[
    ("signal_response", parsers::signal_response),
    ("subscriber_offer", parsers::subscriber_offer),
    ("publisher_answer", parsers::publisher_answer),
    ("sdp", sdp::offer_and_answer),
    ("candidate", parsers::candidate),
    ("datagram", parsers::datagram),
    ("framing", parsers::framing),
    ("data_packet", parsers::data_packet),
    ("binding", parsers::binding),
    ("turn", parsers::turn),
    ("refusal", parsers::refusal),
    ("regions", parsers::regions),
    ("token", parsers::token),
    ("token_answer", parsers::token_answer),
    ("endpoint_url", parsers::endpoint_url),
    ("ice_url", parsers::ice_url),
    ("server_url", parsers::server_url),
    ("command_line", parsers::command_line),
    ("configuration", files::configuration),
    ("board", files::board),
    ("wav", files::wav),
    ("media", media::received),
    ("device", device::intercom),
    ("engine", engine::session),
];

#[cfg(coverage)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    static BODY: std::sync::OnceLock<Body> = std::sync::OnceLock::new();
    let body = BODY.get_or_init(|| {
        let name = std::env::var("KINGLET_FUZZ_TARGET").expect("KINGLET_FUZZ_TARGET names the target");
        let target = TARGETS.iter().find(|(target, _)| *target == name);
        target.unwrap_or_else(|| panic!("there is no target {name}")).1
    });
    body(bytes);
});
