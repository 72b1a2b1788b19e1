//! `kinglet ctl`: one command to the box that runs on this device, and its answer.
//!
//! The arguments go out as one JSON array, so that nothing in them ends or splits a word. A service of version 0.1.0, which
//! may still run after an update, knows lines of words only: it gets one where that means the same.

#![expect(clippy::indexing_slicing, reason = "serde_json: a member that is missing is null")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use kinglet::command::usage::USAGE;
use kinglet::error::ExitStatus;
use kinglet::event::escaped;
use kinglet::signal::text::one_line;
use serde_json::Value;

use super::Failed;

/// The box answers at once, or after the server has; the longest of all waits is for a minute that is announced.
const PATIENCE: Duration = Duration::from_secs(90);

/// Members of `status` that a person cannot use.
const STATUS_IDS: [&str; 3] = ["room_sid", "sid", "track"];

/// A value of an answer, on one line.
const VALUE_BYTES_MAX: usize = 400;

/// Gives the command and prints the answer; `watch` prints events until it is interrupted.
///
/// # Errors
/// No service listens, or the command is refused.
pub fn run(socket: &Path, json: bool, words: &[String]) -> Result<ExitStatus, Failed> {
    let refused = |text: String| Failed { status: ExitStatus::Refused, text };
    let silent = |error: std::io::Error| refused(format!("{}: {error}", socket.display()));
    let stream = UnixStream::connect(socket).map_err(|error| {
        refused(format!("{}: {error}: is the service running, and are you in its group?", socket.display()))
    })?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(silent)?;
    let mut lines = BufReader::new(stream);
    let mut give = |line: String| -> Result<(String, Value), Failed> {
        lines.get_mut().write_all((line + "\n").as_bytes()).map_err(silent)?;
        let mut answer = String::new();
        lines.read_line(&mut answer).map_err(silent)?;
        let value = serde_json::from_str(&answer).map_err(|_| refused("the service went away".to_owned()))?;
        Ok((answer, value))
    };
    let (mut line, mut answer) = give(Value::from(words).to_string())?;
    if answer["error"]["code"] == "unknown" && is_known(words) {
        let plain = plain_line(words).ok_or_else(|| {
            refused("the service is of an older version, which cannot be given this: restart it".to_owned())
        })?;
        (line, answer) = give(plain)?;
    }
    if json {
        print!("{}", escaped(line));
    }
    if answer["ok"] != Value::Bool(true) {
        return Err(refused(one_line(
            answer["error"]["message"].as_str().unwrap_or("refused"),
            VALUE_BYTES_MAX,
        )));
    }
    if words.first().is_some_and(|word| word == "watch") {
        lines.get_ref().set_read_timeout(None).map_err(silent)?;
        for event in lines.lines().map_while(Result::ok) {
            println!("{}", escaped(event));
        }
    } else if let (false, Some("metrics"), Some(text)) =
        (json, words.first().map(String::as_str), answer["result"].as_str())
    {
        // Our own figures, in the collector's own lines.
        print!("{text}");
    } else if !json {
        let mut result = answer["result"].take();
        if let (Some("status"), Some(members)) = (words.first().map(String::as_str), result.as_object_mut()) {
            // These identify things to the server, and a screen has 24 lines: --json shows them.
            members.retain(|name, _| !STATUS_IDS.contains(&name.as_str()));
        }
        show(&result, 0);
    }
    Ok(ExitStatus::AsAsked)
}

/// Whether this version has the command.
fn is_known(words: &[String]) -> bool {
    let names = USAGE.iter().filter_map(|(line, _)| line.split(' ').next());
    names.chain(["watch", "simulate"]).any(|name| words.first().is_some_and(|word| word == name))
}

/// The line of words that means the same to version 0.1.0, where there is one: it joins the last words to one text,
/// and splits all others at blanks.
fn plain_line(words: &[String]) -> Option<String> {
    let (last, others) = words.split_last()?;
    let is_one_word =
        |word: &String| !word.is_empty() && !word.contains(char::is_whitespace) && !word.starts_with('"');
    let name = words.first().map(String::as_str).unwrap_or_default();
    let splits_last = ["heard-by", "attributes", "talker-volume"].contains(&name)
        || name == "rpc" && words.len() < 4
        || others.iter().any(|word| word.starts_with("--"));
    let has_control = words.iter().any(|word| word.contains(char::is_control));
    let is_same = !has_control && others.iter().all(is_one_word) && (is_one_word(last) || !splits_last);
    is_same.then(|| words.join(" "))
}

/// A value for a person: a line for each member, indented below its name. What is empty is left out, and what may or
/// may not be done is a line of what may.
fn show(value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    let plain = |value: &Value| match value {
        Value::String(text) => one_line(text, VALUE_BYTES_MAX),
        other => other.to_string(),
    };
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (name, value) in members.iter().filter(|(_, value)| !is_empty(value)) {
                match value {
                    Value::Object(inner) if inner.values().all(Value::is_boolean) => {
                        let names = inner.iter().filter(|(_, may)| **may == Value::Bool(true));
                        let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
                        println!("{indent}{name:<14} {}", names.join(" "));
                    }
                    Value::Object(inner) if !inner.is_empty() => {
                        println!("{indent}{name}");
                        show(value, depth + 1);
                    }
                    Value::Array(items) if items.iter().any(Value::is_object) => {
                        println!("{indent}{name}");
                        show(value, depth + 1);
                    }
                    value => println!("{indent}{name:<14} {}", plain(value)),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| {
            show(item, depth);
            println!();
        }),
        value => println!("{indent}{}", plain(value)),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_service_gets_a_line_only_where_it_means_the_same() {
        let line = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert!(is_known(&words));
            plain_line(&words)
        };
        assert_eq!(line(&["mute"]).as_deref(), Some("mute"));
        assert_eq!(line(&["chat", "good morning"]).as_deref(), Some("chat good morning"));
        assert_eq!(line(&["rpc", "flat-1", "open", "{ }"]).as_deref(), Some("rpc flat-1 open { }"));
        for words in [
            &["chat", "hello\nunmute"][..],
            &["ring", "x\r"],
            &["heard-by", "hall attic"],
            &["rpc", "front door", "open"],
            &["rpc", "front", "open door"],
            &["data", "--to", "a b", "x"],
            &["data", "--to", "a b"],
            &["rpc", "\"x\"", "open"],
        ] {
            assert_eq!(line(words), None, "{words:?}");
        }
        assert!(!is_known(&["dance".to_owned()]) && !is_known(&[" mute".to_owned()]));
    }
}
