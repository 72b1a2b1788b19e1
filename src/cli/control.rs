//! `--control -`: commands on standard input, one a line; each is answered by `command_result`.
//!
//! The end of the input ends nothing. A line that is too long, or not a command, is answered like
//! any other that cannot be carried out.

use std::future::Future;

use futures_util::future::{Either, select};
use kinglet::event::{Command, CommandError, Event};
use kinglet::io::client::Commands;
use kinglet::io::stdin::Stdin;
use kinglet::limits::CONTROL_LINE_BYTES_MAX;

/// Serves the commands while `printing` runs.
pub async fn beside(printing: impl Future<Output = ()>, commands: Commands) {
    let printing = std::pin::pin!(printing);
    let serving = std::pin::pin!(serve(commands));
    if let Either::Right(((), printing)) = select(printing, serving).await {
        printing.await;
    }
}

async fn serve(mut commands: Commands) {
    let mut stdin = match Stdin::open(commands.reactor()) {
        Ok(stdin) => stdin,
        Err(error) => {
            commands.report(Event::Warning { text: format!("stdin cannot be read for commands: {error}") });
            return;
        }
    };
    let mut line = Vec::new();
    while stdin.read_line(&mut line, CONTROL_LINE_BYTES_MAX).await {
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        if text.is_empty() {
            continue;
        }
        let result = match parse(&text) {
            Ok(command) => commands.give(command).await.map_err(|why| error("refused", why)),
            Err(error) => Err(error),
        };
        commands.report(Event::CommandResult {
            command: text,
            ok: result.is_ok(),
            result: None,
            error: result.err(),
        });
    }
}

fn parse(line: &str) -> Result<Command, CommandError> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let whom = || match rest {
        "" => Err(error("usage", &format!("{word} needs an identity or a track SID"))),
        whom => Ok(whom.to_owned()),
    };
    match word {
        "mute" => Ok(Command::Mute),
        "unmute" => Ok(Command::Unmute),
        "leave" => Ok(Command::Leave),
        "subscribe" => whom().map(Command::Subscribe),
        "unsubscribe" => whom().map(Command::Unsubscribe),
        "volume" => match rest.trim_end_matches('%').parse() {
            Ok(percent) if percent <= 150 => Ok(Command::Volume(percent)),
            _ => Err(error("usage", "volume needs a number from 0 to 150")),
        },
        _ => Err(error("unknown", "the commands are mute, unmute, volume, subscribe, unsubscribe and leave")),
    }
}

fn error(code: &str, message: &str) -> CommandError {
    CommandError { code: code.to_owned(), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_commands_or_say_why_not() {
        assert_eq!(parse("mute"), Ok(Command::Mute));
        assert_eq!(parse("volume 50%"), Ok(Command::Volume(50)));
        assert_eq!(parse("subscribe  door "), Ok(Command::Subscribe("door".into())));
        for (line, code) in [("volume loud", "usage"), ("subscribe", "usage"), ("dance", "unknown")] {
            assert_eq!(parse(line).map_err(|error| error.code), Err(code.to_owned()), "{line}");
        }
    }
}
