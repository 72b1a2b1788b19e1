//! Words of the command line → checked options. Nothing is opened here.

mod appliance;
mod details;
mod join;
mod token;
mod values;

use std::ffi::OsString;

use lexopt::{Arg, Parser};

use self::values::usage;
use super::command::Command;
use super::{Failed, help};

/// Reads the command line. `environment` gives variables.
///
/// # Errors
/// What is wrong, and what is allowed there.
pub fn parse(
    words: impl IntoIterator<Item = OsString>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Command, Failed> {
    let mut parser = Parser::from_args(words);
    let command = match parser.next().map_err(usage)? {
        None | Some(Arg::Short('h') | Arg::Long("help")) => return Ok(Command::Help(help::MAIN.into())),
        Some(Arg::Short('V') | Arg::Long("version")) => {
            return Ok(Command::Help(concat!("kinglet ", env!("CARGO_PKG_VERSION"), "\n").into()));
        }
        Some(Arg::Value(word)) => word,
        Some(other) => return Err(usage(other.unexpected())),
    };
    match command.to_str() {
        Some("join") => join::join(&mut parser, environment),
        Some("run") => appliance::run(&mut parser),
        Some("ctl") => appliance::ctl(&mut parser),
        Some("token") => token::token(&mut parser, environment),
        Some("devices") => appliance::devices(&mut parser),
        Some("doctor") => appliance::doctor(&mut parser),
        // Not for people: the unit's ExecStopPost=.
        Some("rest-outputs") => Ok(Command::RestOutputs),
        // Nor this: the package's postinst.
        Some("wait-idle") => appliance::wait_idle(&mut parser),
        Some("help") => Ok(Command::Help(help::MAIN.into())),
        _ => Err(Failed::usage(format!(
            "unknown command {:?}; there are join, run, ctl, token, devices and doctor (kinglet --help)",
            command.to_string_lossy()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kinglet::io::credentials::Source;
    use kinglet::media::send::audio_processor::Duplex;
    use kinglet::media::send::profile::AudioProfile;
    use kinglet::session::recovery::Retry;

    use super::*;
    use crate::cli::events::Events;

    fn parse_words(line: &str) -> Result<Command, Failed> {
        let environment = |name: &str| match name {
            "LIVEKIT_API_KEY" | "LIVEKIT_API_SECRET" => Some("x".to_owned()),
            _ => None,
        };
        parse(line.split_whitespace().map(OsString::from), &environment)
    }

    #[test]
    fn a_whole_line_is_understood() {
        let line = "join wss://example.com/livekit --room house --identity door --input wav:a.wav --output raw:- \
                    --duration 2.5 --events json:e.jsonl --stats 1 --retry never --dtx off --volume 80% --muted -v --profile low-latency \
                    --half-duplex";
        let Ok(Command::Join(join)) = parse_words(line) else { panic!("understood") };
        assert_eq!(join.duration, Some(Duration::from_millis(2500)));
        assert_eq!(join.events, Events { json: true, file: Some("e.jsonl".into()) });
        assert_eq!((join.volume_percent, join.dtx, join.is_muted), (80, Some(false), true));
        assert_eq!(join.retry, Retry::Never);
        assert_eq!((join.profile, join.duplex), (AudioProfile::LowLatency, Duplex::Half));
    }

    #[test]
    fn an_agent_and_attributes_go_into_the_token() {
        let words = "--agent hotel --job-metadata {} --deployment blue --attribute a=1 --attribute b=x=y --metadata m";
        let Ok(Command::Token(_, grant)) = parse_words(&format!("token --room r --identity i {words}"))
        else {
            panic!("understood")
        };
        let Ok(Command::Join(join)) = parse_words(&format!("join ws://h --room r {words}")) else {
            panic!("understood")
        };
        let Source::Made { grant: joined, .. } = join.credentials else { panic!("made here") };
        let agent = grant.details.agent.clone().expect("named");
        assert_eq!((agent.name.as_str(), agent.metadata.as_deref()), ("hotel", Some("{}")));
        assert_eq!(agent.deployment.as_deref(), Some("blue"));
        assert_eq!(grant.details.attributes["b"], "x=y");
        assert_eq!((joined.details, join.attributes.len()), (grant.details, 2));
        let Ok(Command::Join(join)) =
            parse_words("join ws://h --room r --token-endpoint https://e --agent a")
        else {
            panic!("understood")
        };
        let Source::Endpoint(endpoint) = join.credentials else { panic!("asked for") };
        assert!(endpoint.request.details.agent.is_some());
        let Ok(Command::Join(join)) = parse_words("join ws://h --token t --attribute a=1") else {
            panic!("after the join")
        };
        assert_eq!(join.attributes["a"], "1");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("dance", "dance"),
            ("join", "LIVEKIT_URL"),
            ("join ws://h", "credentials"),
            ("join nonsense --room r", "wss://"),
            ("join ws://h --room r eyJhbGci.eyJzdWIi.c2ln", "***"),
            ("join ws://h --identity i --token t", "--room"),
            ("join ws://h --token-endpoint ws://x", "--token-endpoint"),
            ("join ws://h --token t --token-header-file f", "--token-endpoint"),
            ("join ws://h --room r --volume 200", "150"),
            ("join ws://h --room r --duration -1", "--duration"),
            ("join ws://h --room r --input video", "--input"),
            ("join ws://h --room r --retry often", "forever or never"),
            ("join ws://h --room r --input raw:- --control -", "stdin"),
            ("join ws://h --room r --profile fast", "low-latency"),
            ("join ws://h --room r --red maybe", "auto or on or off"),
            ("join ws://h --room r --frob", "frob"),
            ("token --room r", "--identity"),
            ("token --room r --identity i --job-metadata x", "--agent is missing"),
            ("token --room r --identity i --deployment x", "--agent is missing"),
            ("token --room r --identity i --attribute x", "KEY=VALUE"),
            ("join ws://h --room r --attribute =x", "KEY=VALUE"),
            ("join ws://h --token t --agent a", "--agent"),
            ("join ws://h --token-file f --metadata a", "--metadata"),
        ];
        for (line, named) in cases {
            let Err(failed) = parse_words(line) else { panic!("{line} is wrong") };
            assert!(failed.text.contains(named), "{line}: {}", failed.text);
            assert!(!failed.text.contains('\n'));
            assert_eq!(failed.status.code(), 2, "{line}");
        }
    }
}
