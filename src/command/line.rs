//! One line of words ⇄ one [`Command`]: the grammar of `join --control -` and `kinglet ctl`.

use std::collections::BTreeMap;

use super::usage::{USAGE, usage};
use super::{Command, CommandError, message_line};

/// A talker may be made this much louder: 12 dB, what a far voice lacks.
const TALKER_PERCENT_MAX: u16 = 400;

/// The command that `line` asks for.
///
/// # Errors
/// Why it is none, and what would be.
pub fn parse(line: &str) -> Result<Command, CommandError> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    // What the commands need that need something.
    let text = || match rest {
        "" => Err(usage(word)),
        text => Ok(text.to_owned()),
    };
    match word {
        "status" => Ok(Command::Status),
        "participants" => Ok(Command::Participants),
        "paths" => Ok(Command::Paths),
        "stats" => Ok(Command::Stats),
        "metrics" => Ok(Command::Metrics),
        "mute" => Ok(Command::Mute),
        "unmute" => Ok(Command::Unmute),
        "talk" => match rest {
            "on" => Ok(Command::Talk(true)),
            "off" => Ok(Command::Talk(false)),
            _ => Err(usage(word)),
        },
        "publish" => Ok(Command::Publish),
        "unpublish" => Ok(Command::Unpublish),
        "hear" => text().map(Command::Hear),
        "subscribe" => text().map(Command::Subscribe),
        "unsubscribe" => text().map(Command::Unsubscribe),
        "pause" => text().map(Command::Pause),
        "resume" => text().map(Command::Resume),
        "talker-volume" => talker_volume(rest).ok_or_else(|| usage(word)),
        "heard-by" => {
            text().map(|words| Command::HeardBy(words.split_whitespace().map(str::to_owned).collect()))
        }
        "name" => text().map(Command::Name),
        "metadata" => text().map(Command::Metadata),
        "attributes" => attributes(rest).map(Command::Attributes).ok_or_else(|| usage(word)),
        "ring" => Ok(Command::Ring(Some(rest.to_owned()).filter(|whom| !whom.is_empty()))),
        "answer" => Ok(Command::Answer),
        "hangup" => Ok(Command::HangUp),
        "pulse" => text().map(Command::Pulse),
        "play" => text().map(Command::Play),
        "announce" => text().map(Command::Announce),
        "quiet" => Ok(Command::Quiet),
        "reload" => Ok(Command::Reload),
        "reconnect" => Ok(Command::Reconnect),
        // For tests, so not among the words that help names.
        "simulate" => Ok(Command::Simulate(rest.to_owned())),
        "leave" => Ok(Command::Leave),
        "volume" => match rest.trim_end_matches('%').parse() {
            Ok(percent) if percent <= 150 => Ok(Command::Volume(percent)),
            _ => Err(usage(word)),
        },
        _ => message_line::parse(word, rest).unwrap_or_else(|| {
            let words = USAGE.iter().filter_map(|(line, _)| line.split(' ').next());
            Err(CommandError {
                code: "unknown",
                message: format!("no such command; there are: {}", words.collect::<Vec<_>>().join(", ")),
            })
        }),
    }
}

/// An identity may have spaces in it; the percentage is the last word.
fn talker_volume(words: &str) -> Option<Command> {
    let (whom, percent) = words.rsplit_once(char::is_whitespace)?;
    let percent =
        percent.trim_end_matches('%').parse().ok().filter(|percent| *percent <= TALKER_PERCENT_MAX)?;
    Some(Command::TalkerVolume { whom: whom.trim().to_owned(), percent })
}

/// `K=V` pairs, or a JSON object where a value has spaces.
fn attributes(words: &str) -> Option<BTreeMap<String, String>> {
    let pairs = if words.starts_with('{') {
        serde_json::from_str(words).ok()?
    } else {
        let pairs = words.split_whitespace().map(|pair| pair.split_once('='));
        pairs
            .map(|pair| pair.map(|(key, value)| (key.to_owned(), value.to_owned())))
            .collect::<Option<_>>()?
    };
    let pairs: BTreeMap<String, String> = pairs;
    (!pairs.is_empty() && !pairs.contains_key("")).then_some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_commands_or_say_why_not() {
        let pairs = |pairs: &[(&str, &str)]| {
            Command::Attributes(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
        };
        let talker_volume = |whom: &str, percent| Command::TalkerVolume { whom: whom.to_owned(), percent };
        for (line, command) in [
            ("mute", Command::Mute),
            ("volume 50%", Command::Volume(50)),
            ("subscribe  door ", Command::Subscribe("door".into())),
            ("talk off", Command::Talk(false)),
            ("hear panel-* !panel-7", Command::Hear("panel-* !panel-7".into())),
            ("heard-by hall  attic", Command::HeardBy(vec!["hall".into(), "attic".into()])),
            ("talker-volume Front  door 250%", talker_volume("Front  door", 250)),
            ("play /srv/a b.wav", Command::Play("/srv/a b.wav".into())),
            ("announce /srv/a.wav", Command::Announce("/srv/a.wav".into())),
            ("name Front door", Command::Name("Front door".into())),
            ("attributes lock=open note=", pairs(&[("lock", "open"), ("note", "")])),
            (r#"attributes {"note":"back at = 5"}"#, pairs(&[("note", "back at = 5")])),
        ] {
            assert_eq!(parse(line), Ok(command), "{line}");
        }
        for (line, code) in [
            ("volume loud", "usage"),
            ("talker-volume 50", "usage"),
            ("talker-volume door 401", "usage"),
            ("volume 151", "usage"),
            ("subscribe", "usage"),
            ("talk", "usage"),
            ("play", "usage"),
            ("attributes lock", "usage"),
            ("attributes {\"a\":1}", "usage"),
            ("dance", "unknown"),
        ] {
            assert_eq!(parse(line).map_err(|error| error.code), Err(code), "{line}");
        }
    }

    #[test]
    fn every_command_of_the_usage_is_one() {
        for (line, _) in USAGE {
            let word = line.split(' ').next().unwrap_or_default();
            assert_ne!(parse(word).map_err(|error| error.code), Err("unknown"), "{word}");
        }
    }
}
