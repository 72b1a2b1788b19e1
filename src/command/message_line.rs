//! The words of messages: `chat`, `data`, `text`, `file`, `text-file`, `rpc`, `dtmf`.
//!
//! Options come first, then the text: the rest of the line as it stands, or the other elements of the array.

use super::line::not_json;
use super::message::{Address, DataMessage, FileMessage, RpcCommand, TextMessage};
use super::usage::usage;
use super::words::Words;
use super::{Command, CommandError};

/// The command that begins with `word`; `None` for a word of another module.
pub(super) fn parse(word: &str, rest: Words<'_>) -> Option<Result<Command, CommandError>> {
    let text = |rest: Words<'_>| match rest.text() {
        text if text.is_empty() => Err(usage(word)),
        text => Ok(text),
    };
    Some(match word {
        "chat" => text(rest).map(Command::Chat),
        "dtmf" => text(rest).map(Command::Dtmf),
        "data" => options(word, rest).and_then(|(address, is_lossy, rest)| {
            Ok(Command::Data(DataMessage { address, payload: text(rest)?.into_bytes(), is_lossy }))
        }),
        "text" => options(word, rest).and_then(|(address, is_lossy, rest)| match is_lossy {
            true => Err(usage(word)),
            false => Ok(Command::Text(TextMessage { address, text: text(rest)? })),
        }),
        "file" | "text-file" => options(word, rest).and_then(|(address, is_lossy, rest)| match is_lossy {
            true => Err(usage(word)),
            false => {
                let is_text = word == "text-file";
                Ok(Command::File(FileMessage { address, path: text(rest)?, is_text }))
            }
        }),
        "rpc" => call(word, rest).map(Command::Rpc),
        _ => return None,
    })
}

fn call(word: &str, mut rest: Words<'_>) -> Result<RpcCommand, CommandError> {
    let mut name = || {
        let name = rest.take().map_err(not_json)?.unwrap_or_default();
        if name.is_empty() { Err(usage(word)) } else { Ok(name.into_owned()) }
    };
    let (to, method) = (name()?, name()?);
    Ok(RpcCommand { to, method, payload: rest.text() })
}

/// Options and what follows them.
fn options<'l>(word: &str, mut rest: Words<'l>) -> Result<(Address, bool, Words<'l>), CommandError> {
    let (mut address, mut is_lossy) = (Address::default(), false);
    while rest.has_option() {
        let option = rest.take().map_err(not_json)?.unwrap_or_default();
        let mut value = || match rest.take().map_err(not_json)? {
            Some(value) => Ok(value.into_owned()),
            None => Err(usage(word)),
        };
        match option.as_ref() {
            "--topic" => address.topic = value()?,
            "--to" => address.to.push(value()?),
            "--lossy" => is_lossy = true,
            "--" => break,
            _ => return Err(usage(word)),
        }
    }
    address.check()?;
    Ok((address, is_lossy, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, CommandError> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        parse(word, Words::Line(rest)).expect("a word of ours")
    }

    #[test]
    fn options_come_first_and_the_rest_stays_as_it_is() {
        let line = r#"data --topic door --to anna --to "front door" --lossy  {"open": 1}  x"#;
        let address = Address { topic: "door".into(), to: vec!["anna".into(), "front door".into()] };
        let payload = br#"{"open": 1}  x"#.to_vec();
        let expected = Command::Data(DataMessage { address, payload, is_lossy: true });
        assert_eq!(parsed(line), Ok(expected));
        let address = Address::default();
        assert_eq!(parsed("text -- --to"), Ok(Command::Text(TextMessage { address, text: "--to".into() })));
        assert_eq!(parsed("chat --to be sure"), Ok(Command::Chat("--to be sure".into())));
    }

    #[test]
    fn a_call_names_whom_and_what() {
        let call = |to: &str, method: &str, payload: &str| {
            let (to, method, payload) = (to.to_owned(), method.to_owned(), payload.to_owned());
            Ok(Command::Rpc(RpcCommand { to, method, payload }))
        };
        assert_eq!(parsed("rpc door open"), call("door", "open", ""));
        assert_eq!(
            parsed(r#"rpc "front door" open {"for": 5}"#),
            call("front door", "open", r#"{"for": 5}"#)
        );
        assert!(parsed("rpc door").is_err() && parsed("rpc").is_err());
    }

    #[test]
    fn what_cannot_be_sent_says_how_it_should_read() {
        for line in
            ["chat", "data", "data --topic", "data --topic t", "text --lossy x", "data --frob x", "dtmf"]
        {
            assert_eq!(parsed(line).map_err(|error| error.code), Err("usage"), "{line}");
        }
        assert!(parsed(&format!("data --topic {} x", "t".repeat(300))).is_err());
        assert!(parsed(r#"data --to "" x"#).is_err());
        assert!(parsed(r#"data --to "x"#).is_err());
    }
}
