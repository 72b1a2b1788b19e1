//! `kinglet ctl`: one command to the box that runs on this device, and its answer.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use kinglet::error::ExitStatus;
use kinglet::signal::text::one_line;
use serde_json::Value;

use super::Failed;

/// The box answers at once, or after the server has; the longest of all waits is for a minute that is announced.
const PATIENCE: Duration = Duration::from_secs(90);

/// A value of an answer, on one line.
const VALUE_BYTES_MAX: usize = 400;

/// Gives the command and prints the answer; `watch` prints events until it is interrupted.
///
/// # Errors
/// Nobody listens, or the command is refused.
pub fn run(socket: &Path, json: bool, words: &[String]) -> Result<ExitStatus, Failed> {
    let refused = |text: String| Failed { status: ExitStatus::Refused, text };
    let silent = |error: std::io::Error| refused(format!("{}: {error}", socket.display()));
    let mut stream = UnixStream::connect(socket).map_err(|error| {
        refused(format!("{}: {error}: is the service running, and are you in its group?", socket.display()))
    })?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(silent)?;
    stream.write_all((words.join(" ") + "\n").as_bytes()).map_err(silent)?;
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    lines.read_line(&mut line).map_err(silent)?;
    let answer: Value =
        serde_json::from_str(&line).map_err(|_| refused("the service went away".to_owned()))?;
    if json {
        print!("{line}");
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
            println!("{event}");
        }
    } else if let (false, Some("metrics"), Some(text)) =
        (json, words.first().map(String::as_str), answer["result"].as_str())
    {
        // Our own figures, in the collector's own lines.
        print!("{text}");
    } else if !json {
        show(&answer["result"], 0);
    }
    Ok(ExitStatus::AsAsked)
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
