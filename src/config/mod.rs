//! Files that people write: TOML → checked types, or all that is wrong with line, key and what is allowed.
//!
//! [`Config::read`] is the appliance's file; every key of it stands with a comment in the example that the
//! package installs, `cross/package/kinglet.toml`, which a test reads.

#![forbid(unsafe_code)]

mod advice;
mod agent;
pub mod audio;
pub mod board;
pub mod call;
pub mod gpio;
pub mod hooks;
mod near;
mod problem;
pub mod section;
pub mod server;
mod value;

use std::path::PathBuf;

use audio::AudioConfig;
use call::CallConfig;
use gpio::Wiring;
use hooks::Hooks;
pub use problem::{Problem, Severity};
use server::ServerConfig;

use crate::signal::token_details::TokenDetails;

/// The configuration of a box.
#[derive(Debug, Clone)]
pub struct Config {
    /// Name or path of a board file; none: the cards decide.
    pub board: Option<String>,
    /// The server and our place on it.
    pub server: ServerConfig,
    /// The agent that is called, and our attributes.
    pub agent: TokenDetails,
    /// Settings of the sound.
    pub audio: AudioConfig,
    /// Settings of calls.
    pub call: CallConfig,
    /// Buttons, lamps, outputs, keys.
    pub wiring: Wiring,
    /// Programs to start.
    pub hooks: Hooks,
    /// The control socket.
    pub socket: PathBuf,
}

/// Where `kinglet ctl` looks for the service.
pub const SOCKET: &str = "/run/kinglet/control";

impl Config {
    /// Reads the text of a file. The configuration, where the file can be used, and all that is wrong with it:
    /// without a [`Severity::Wrong`] there is one.
    pub fn read(text: &str) -> (Option<Config>, Vec<Problem>) {
        let (config, problems) = section::read(text, |root| {
            let board = root.text("board");
            let server = root.section("server", ServerConfig::read).flatten();
            if server.is_none() && !root.has("server") {
                root.missing("server", "a table [server] with url and token");
            }
            let token = server.as_ref().map(|server| &server.token);
            let agent = root.section("agent", |section| {
                agent::check_source(section, token);
                agent::read(section)
            });
            let agent = agent.unwrap_or_default();
            let audio = root.section("audio", AudioConfig::read).unwrap_or_default();
            let call = root.section("call", CallConfig::read).unwrap_or_default();
            let wiring = Wiring::read(root, &call);
            let hooks = root.section("on", Hooks::read).unwrap_or_default();
            let socket = root.section("control", |control| control.text("socket")).flatten();
            let socket = PathBuf::from(socket.as_deref().unwrap_or(SOCKET));
            Some(Config { board, server: server?, agent, audio, call, wiring, hooks, socket })
        });
        let is_usable = problems.iter().all(|problem| problem.severity != Severity::Wrong);
        (config.filter(|_| is_usable), problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../cross/package/kinglet.toml");

    #[test]
    fn the_example_can_be_used_as_it_is() {
        let (config, problems) = Config::read(EXAMPLE);
        assert_eq!(problems, []);
        assert!(config.is_some());
    }

    /// With every commented key put in, nothing is unknown and nothing is wrong.
    #[test]
    fn every_commented_key_of_the_example_is_one() {
        // An agent is called by a token that is asked for, or made.
        let example = EXAMPLE
            .replace("{ file = \"/etc/kinglet/token\" }\n", "{ endpoint = \"https://a.example/token\" }\n");
        let uncommented: String = example
            .lines()
            .map(|line| line.strip_prefix("#").filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
            .map(|line| format!("{line}\n"))
            .collect();
        let (config, problems) = Config::read(&uncommented);
        assert_eq!(problems, [], "{uncommented}");
        let config = config.expect("usable");
        assert_eq!(config.wiring.outputs.len(), 1);
        assert!(config.board.is_some() && config.audio.volume_percent.is_some());
    }

    #[test]
    fn the_sketch_of_a_door_phone_is_read() {
        let text = "board = \"zero2w-respeaker2mic\"\n[server]\nurl = \"wss://intercom.example.com\"\n\
            token = { endpoint = \"https://intercom.example.com/token\", header_file = \"/etc/kinglet/auth\" }\n\
            room = \"house-12\"\nidentity = \"door-{serial}\"\n[call]\njoin = \"on-ring\"\nring_timeout_s = 30\n\
            max_call_s = 300\n[gpio]\nbell = { line = \"GPIO23\", press = \"ring\" }\n\
            lamp = { line = \"GPIO24\", shows = \"state\" }\n\
            door = { line = \"GPIO26\", pulse_ms = 3000, rpc = \"open\", dtmf = \"4711\", allow = [\"flat-*\", \"sip_+4930*\"] }\n\
            [on]\nring = [\"curl\", \"-fsSm5\", \"https://intercom.example.com/ring?from={identity}\"]\n";
        let (config, problems) = Config::read(text);
        assert_eq!(problems, []);
        assert_eq!(config.expect("usable").wiring.outputs[0].name, "door");
    }

    #[test]
    fn an_agent_needs_a_token_that_can_name_it() {
        let text = "[server]\nurl = 'wss://a.example'\ntoken = { file = '/t' }\n[agent]\nname = 'hotel'\n";
        let (config, problems) = Config::read(text);
        assert!(config.is_none());
        assert!(
            problems[0].to_string().contains("line 5: agent.name: is for server.token"),
            "{}",
            problems[0]
        );
        let made = text.replace("{ file = '/t' }", "{ key_file = '/k' }\nroom = 'r'\nidentity = 'i'");
        assert!(Config::read(&made).0.expect("usable").agent.agent.is_some());
        let attributes = text.replace("name = 'hotel'", "attributes = { floor = '2' }");
        assert_eq!(Config::read(&attributes).0.expect("usable").agent.attributes.len(), 1);
    }

    #[test]
    fn an_unknown_key_does_not_make_a_file_useless_but_a_wrong_one_does() {
        let text =
            "[server]\nurl = 'wss://a.example'\ntoken = { file = '/t' }\nnew_in_the_next_version = 1\n";
        let (config, problems) = Config::read(text);
        assert!(config.is_some());
        assert_eq!(problems.len(), 1);
        let (config, problems) = Config::read(&text.replace("wss://a.example", "a.example"));
        assert!(config.is_none());
        assert_eq!(problems.len(), 2);
    }
}
