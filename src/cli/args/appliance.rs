//! Words of `kinglet run`, `kinglet ctl`, `kinglet devices` and `kinglet doctor` → checked options.

use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

use super::values::usage;
use crate::cli::command::Command;
use crate::cli::doctor::Wishes;
use crate::cli::{Failed, help};

pub(super) fn run(parser: &mut Parser) -> Result<Command, Failed> {
    let (mut config, mut checks, mut verbosity) = (None, false, 0_u8);
    while let Some(arg) = parser.next().map_err(usage)? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help(help::RUN.into())),
            Arg::Long("config") => config = Some(PathBuf::from(parser.value().map_err(usage)?)),
            Arg::Long("check") => checks = true,
            Arg::Short('v') => verbosity = verbosity.saturating_add(1),
            other => return Err(usage(other.unexpected())),
        }
    }
    let config = config.ok_or_else(|| Failed::usage("kinglet run needs --config FILE"))?;
    Ok(Command::Run { config, checks, verbosity })
}

pub(super) fn wait_idle(parser: &mut Parser) -> Result<Command, Failed> {
    let mut config = None;
    while let Some(arg) = parser.next().map_err(usage)? {
        match arg {
            Arg::Long("config") => config = Some(PathBuf::from(parser.value().map_err(usage)?)),
            other => return Err(usage(other.unexpected())),
        }
    }
    Ok(Command::WaitIdle { config })
}

pub(super) fn ctl(parser: &mut Parser) -> Result<Command, Failed> {
    let (mut socket, mut json, mut words) = (PathBuf::from(kinglet::config::SOCKET), false, Vec::new());
    while let Some(arg) = parser.next().map_err(usage)? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help(help::ctl())),
            Arg::Long("socket") => socket = parser.value().map_err(usage)?.into(),
            Arg::Long("json") => json = true,
            Arg::Value(word) => {
                words.push(word.string().map_err(usage)?);
                // All that follows is the command's own, also where it looks like an option.
                for word in parser.raw_args().map_err(usage)? {
                    words.push(word.string().map_err(usage)?);
                }
            }
            other => return Err(usage(other.unexpected())),
        }
    }
    match words.is_empty() {
        true => Err(Failed::usage("kinglet ctl needs a command (kinglet ctl --help)")),
        false => Ok(Command::Ctl { socket, json, words }),
    }
}

pub(super) fn devices(parser: &mut Parser) -> Result<Command, Failed> {
    let mut json = false;
    while let Some(arg) = parser.next().map_err(usage)? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help(help::DEVICES.into())),
            Arg::Long("json") => json = true,
            other => return Err(usage(other.unexpected())),
        }
    }
    Ok(Command::Devices { json })
}

pub(super) fn doctor(parser: &mut Parser) -> Result<Command, Failed> {
    let mut wishes = Wishes { config: None, plays: false, json: false };
    while let Some(arg) = parser.next().map_err(usage)? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help(help::DOCTOR.into())),
            Arg::Long("config") => wishes.config = Some(PathBuf::from(parser.value().map_err(usage)?)),
            Arg::Long("tone") => wishes.plays = true,
            Arg::Long("json") => wishes.json = true,
            other => return Err(usage(other.unexpected())),
        }
    }
    Ok(Command::Doctor(wishes))
}
