//! One line of words ⇄ one [`Command`]: the grammar of `join --control -` and `kinglet ctl`.

use super::{Command, CommandError};

/// The first words of all commands.
const WORDS: &[&str] = &["mute", "unmute", "volume", "subscribe", "unsubscribe", "leave"];

/// The command that `line` asks for.
///
/// # Errors
/// Why it is none, and what would be.
pub fn parse(line: &str) -> Result<Command, CommandError> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let whom = || match rest {
        "" => Err(CommandError::usage(format!("{word} needs an identity or a track SID"))),
        whom => Ok(whom.to_owned()),
    };
    match word {
        "mute" => Ok(Command::Mute),
        "unmute" => Ok(Command::Unmute),
        // For tests, so not among the words that help names.
        "simulate" => Ok(Command::Simulate(rest.to_owned())),
        "leave" => Ok(Command::Leave),
        "subscribe" => whom().map(Command::Subscribe),
        "unsubscribe" => whom().map(Command::Unsubscribe),
        "volume" => match rest.trim_end_matches('%').parse() {
            Ok(percent) if percent <= 150 => Ok(Command::Volume(percent)),
            _ => Err(CommandError::usage("volume needs a number from 0 to 150")),
        },
        _ => Err(CommandError {
            code: "unknown",
            message: format!("no such command; there are: {}", WORDS.join(", ")),
        }),
    }
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
            assert_eq!(parse(line).map_err(|error| error.code), Err(code), "{line}");
        }
    }
}
