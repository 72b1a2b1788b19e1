//! One line ⇄ one [`Command`]: the grammar of `join --control -` and `kinglet ctl`.
//!
//! A line holds words, or is a JSON array of them ([`Words`]). `kinglet ctl` sends arrays, so that nothing in an
//! argument ends or splits a word; plain lines are for people, and for clients of version 0.1.0.

use std::collections::BTreeMap;

use super::message::{DataMessage, FileMessage, TextMessage};
use super::usage::{USAGE, usage};
use super::words::{NotJson, Words};
use super::{Command, CommandError, message_line};

/// A talker may be made this much louder: 12 dB, what a far voice lacks.
const TALKER_PERCENT_MAX: u16 = 400;

/// Parses `line`, which is words or a JSON array of them.
///
/// # Errors
/// Why it is not a command, with the correct usage.
pub fn parse(line: &str) -> Result<Command, CommandError> {
    let list;
    let words = match line.starts_with('[') {
        true => {
            list = array(line)?;
            Words::List(&list)
        }
        false => Words::Line(line),
    };
    let command = command(words)?;
    match names(&command).iter().any(|name| name.contains(char::is_control)) {
        true => Err(CommandError::usage(
            "an identity, a SID, a topic, a method, the name of an output or of an attribute has no control characters",
        )),
        false => Ok(command),
    }
}

/// Whether `line` is this one word, plain or as an array.
pub fn is_word(line: &str, word: &str) -> bool {
    line == word || line.starts_with('[') && array(line).is_ok_and(|words| words == [word])
}

/// The command's own name in `line`, without what follows it; empty if it cannot be read.
pub fn name(line: &str) -> String {
    match line.strip_prefix('[') {
        Some(_) => array(line).ok().and_then(|words| words.into_iter().next()).unwrap_or_default(),
        None => line.split_whitespace().next().unwrap_or_default().to_owned(),
    }
}

fn array(line: &str) -> Result<Vec<String>, CommandError> {
    serde_json::from_str(line).map_err(|error| {
        CommandError::usage(format!("a line that begins with [ is a JSON array of strings: {error}"))
    })
}

fn command(mut words: Words<'_>) -> Result<Command, CommandError> {
    let word = words.take().map_err(not_json)?.unwrap_or_default();
    let word = word.as_ref();
    let rest = words;
    // What the commands need that need something.
    let text = || match rest.text() {
        text if text.is_empty() => Err(usage(word)),
        text => Ok(text),
    };
    match word {
        "status" => Ok(Command::Status),
        "participants" => Ok(Command::Participants),
        "paths" => Ok(Command::Paths),
        "stats" => Ok(Command::Stats),
        "metrics" => Ok(Command::Metrics),
        "mute" => Ok(Command::Mute),
        "unmute" => Ok(Command::Unmute),
        "talk" => match rest.text().as_str() {
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
        "talker-volume" => talker_volume(rest)?.ok_or_else(|| usage(word)),
        "heard-by" => match rest.all().map_err(not_json)? {
            whom if whom.is_empty() => Err(usage(word)),
            whom => Ok(Command::HeardBy(whom)),
        },
        "name" => text().map(Command::Name),
        "metadata" => text().map(Command::Metadata),
        "attributes" => attributes(rest)?.map(Command::Attributes).ok_or_else(|| usage(word)),
        "ring" => Ok(Command::Ring(text().ok())),
        "answer" => Ok(Command::Answer),
        "hangup" => Ok(Command::HangUp),
        "pulse" => text().map(Command::Pulse),
        "play" => text().map(Command::Play),
        "announce" => text().map(Command::Announce),
        "quiet" => Ok(Command::Quiet),
        "reload" => Ok(Command::Reload),
        "reconnect" => Ok(Command::Reconnect),
        // For tests, so not among the words that help names.
        "simulate" => Ok(Command::Simulate(rest.text())),
        "leave" => Ok(Command::Leave),
        "volume" => match rest.text().trim_end_matches('%').parse() {
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

/// An identity may have blanks in it; the percentage is the last word.
fn talker_volume(mut words: Words<'_>) -> Result<Option<Command>, CommandError> {
    let (whom, percent) = match words {
        Words::Line(line) if !line.starts_with('"') => match line.trim_end().rsplit_once(char::is_whitespace)
        {
            Some((whom, percent)) => (whom.trim().to_owned(), percent.to_owned()),
            None => return Ok(None),
        },
        Words::Line(_) => {
            let whom = words.take().map_err(not_json)?.unwrap_or_default().into_owned();
            (whom, words.text())
        }
        Words::List([whom @ .., percent]) => (whom.join(" "), percent.clone()),
        Words::List([]) => return Ok(None),
    };
    let percent = percent.trim_end_matches('%').parse().ok().filter(|percent| *percent <= TALKER_PERCENT_MAX);
    Ok(percent.filter(|_| !whom.is_empty()).map(|percent| Command::TalkerVolume { whom, percent }))
}

/// `K=V` pairs, or a JSON object.
fn attributes(words: Words<'_>) -> Result<Option<BTreeMap<String, String>>, CommandError> {
    let text = words.text();
    let pairs: Option<BTreeMap<String, String>> = if text.starts_with('{') {
        serde_json::from_str(&text).ok()
    } else {
        let pairs = words.all().map_err(not_json)?;
        let pair = |pair: String| pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        pairs.into_iter().map(pair).collect()
    };
    Ok(pairs.filter(|pairs| !pairs.is_empty() && !pairs.contains_key("")))
}

pub(super) fn not_json(_: NotJson) -> CommandError {
    CommandError::usage(
        "a word that begins with a quotation mark is a JSON string: it ends with one, and has \\\" and \\\\ inside",
    )
}

/// What it names: texts in which control characters make no sense.
fn names(command: &Command) -> Vec<&str> {
    match command {
        Command::Subscribe(whom)
        | Command::Unsubscribe(whom)
        | Command::Pause(whom)
        | Command::Resume(whom)
        | Command::TalkerVolume { whom, .. }
        | Command::Hear(whom)
        | Command::Ring(Some(whom))
        | Command::Pulse(whom)
        | Command::Simulate(whom) => vec![whom],
        Command::HeardBy(whom) => whom.iter().map(String::as_str).collect(),
        Command::Attributes(pairs) => pairs.keys().map(String::as_str).collect(),
        Command::Rpc(call) => vec![&call.to, &call.method],
        Command::Data(DataMessage { address, .. })
        | Command::Text(TextMessage { address, .. })
        | Command::File(FileMessage { address, .. }) => {
            std::iter::once(&address.topic).chain(&address.to).map(String::as_str).collect()
        }
        _ => Vec::new(),
    }
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
            (r#"talker-volume "Front \"2\" door" 250%"#, talker_volume("Front \"2\" door", 250)),
            (r#"["talker-volume","Front door","250%"]"#, talker_volume("Front door", 250)),
            (r#"subscribe "a \"b\" c""#, Command::Subscribe(r#"a "b" c"#.into())),
            (r#"["subscribe","a \"b\" c"]"#, Command::Subscribe(r#"a "b" c"#.into())),
            (r#"heard-by "the hall" attic"#, Command::HeardBy(vec!["the hall".into(), "attic".into()])),
            (r#"["heard-by","the hall","attic"]"#, Command::HeardBy(vec!["the hall".into(), "attic".into()])),
            (r#"["chat","hello\nunmute"]"#, Command::Chat("hello\nunmute".into())),
            (r#"["chat","\"hello\"","you"]"#, Command::Chat("\"hello\" you".into())),
            (r#"chat "hello\nunmute""#, Command::Chat("hello\nunmute".into())),
            (r#"["name","Front","door"]"#, Command::Name("Front door".into())),
            (
                r#"["attributes","lock=open","note=back at = 5"]"#,
                pairs(&[("lock", "open"), ("note", "back at = 5")]),
            ),
            (r#"attributes lock=open "note=back at 5""#, pairs(&[("lock", "open"), ("note", "back at 5")])),
            (r#"["attributes","{\"a\":\"b\"}"]"#, pairs(&[("a", "b")])),
            (r#"["volume","50%"]"#, Command::Volume(50)),
            (r#" ["ring"]"#.trim(), Command::Ring(None)),
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
            (r#"["dance"]"#, "unknown"),
            (r#"[" mute"]"#, "unknown"),
            (r#"["volume 50"]"#, "unknown"),
            (r#"["mute"] x"#, "usage"),
            (r#"["volume",50]"#, "usage"),
            (r#"["ring","x\nunmute"]"#, "usage"),
            (r#"["pulse","door\u0007"]"#, "usage"),
            (r#"["rpc","flat\n1","open"]"#, "usage"),
            (r#"["data","--topic","a\tb","x"]"#, "usage"),
            (r#"heard-by "x\u001b""#, "usage"),
            (r#"talker-volume "door 50"#, "usage"),
            (r#"["talker-volume","50"]"#, "usage"),
        ] {
            assert_eq!(parse(line).map_err(|error| error.code), Err(code), "{line}");
        }
    }

    #[test]
    fn one_word_is_known_in_both_forms() {
        assert!(is_word("watch", "watch") && is_word(r#"["watch"]"#, "watch"));
        assert!(
            !is_word(r#"["watch","x"]"#, "watch")
                && !is_word("watch x", "watch")
                && !is_word("[watch]", "watch")
        );
    }

    #[test]
    fn every_command_of_the_usage_is_one() {
        for (line, _) in USAGE {
            let word = line.split(' ').next().unwrap_or_default();
            assert_ne!(parse(word).map_err(|error| error.code), Err("unknown"), "{word}");
        }
    }
}
