//! Values of options.

use std::time::Duration;

use lexopt::{Parser, ValueExt};

use crate::cli::Failed;

/// The longest `--duration` and `--stats`: a year, so that no sum of times overflows.
const SECONDS_MAX: f64 = 366.0 * 86_400.0;

/// What `lexopt` found wrong.
pub(super) fn usage(error: lexopt::Error) -> Failed {
    Failed::usage(format!("{error} (kinglet --help)"))
}

/// The value of an option.
pub(super) fn text(parser: &mut Parser) -> Result<String, Failed> {
    parser.value().map_err(usage)?.string().map_err(usage)
}

/// The value of an option, made something of.
pub(super) fn parsed<T: std::str::FromStr>(parser: &mut Parser, option: &str) -> Result<Option<T>, Failed>
where
    T::Err: std::fmt::Display,
{
    let word = text(parser)?;
    word.parse().map(Some).map_err(|error| Failed::usage(format!("{option} {word}: {error}")))
}

/// The value of an option that is one of few words.
pub(super) fn one_of<T: Copy>(parser: &mut Parser, option: &str, choices: &[(&str, T)]) -> Result<T, Failed> {
    let word = text(parser)?;
    let chosen = choices.iter().find(|(name, _)| *name == word).map(|&(_, value)| value);
    chosen.ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        Failed::usage(format!("{option} {word}: it must be {}", names.join(" or ")))
    })
}

/// Parses a volume in percent.
pub(super) fn percent(parser: &mut Parser) -> Result<Option<u8>, Failed> {
    let word = text(parser)?;
    let number = word.trim_end_matches('%').parse().ok().filter(|number| *number <= 150);
    number
        .map(Some)
        .ok_or_else(|| Failed::usage(format!("--volume {word}: it must be a number from 0 to 150")))
}

/// A length of time.
pub(super) fn seconds(parser: &mut Parser, option: &str) -> Result<Duration, Failed> {
    let word = text(parser)?;
    let number = word.parse::<f64>().ok().filter(|number| *number > 0.0 && *number <= SECONDS_MAX);
    let wrong = || Failed::usage(format!("{option} {word}: it must be a number of seconds above 0"));
    number.map(Duration::from_secs_f64).ok_or_else(wrong)
}
