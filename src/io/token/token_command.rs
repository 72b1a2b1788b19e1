//! A program that prints a token, run to its end by a thread that may wait.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::io::host::{program, signals};
use crate::io::runtime::blocking;
use crate::limits::TOKEN_COMMAND_BYTES_MAX;

/// It ends within this, or is killed: less than the session waits for a token.
const PATIENCE: Duration = Duration::from_secs(25);

/// What `program` writes to standard output.
///
/// # Errors
/// In words: it cannot be run, fails (with the last line of its standard error), hangs or prints too much.
pub(super) fn run(program: &mut Command) -> Result<String, String> {
    let name = program.get_program().to_string_lossy().into_owned();
    let piped = program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let child = signals::unblocked_in(piped).spawn();
    let mut child = child.map_err(|error| format!("cannot run {name}: {error}"))?;
    let ended = ends_within(&child, PATIENCE);
    if !matches!(ended, Ok(true)) {
        program::end(&mut child);
    }
    if !ended.map_err(|error| format!("{name}: {error}"))? {
        return Err(format!("{name} did not end within {} s, and was killed", PATIENCE.as_secs()));
    }
    let status = child.wait().map_err(|error| format!("{name}: {error}"))?;
    if !status.success() {
        let said = child.stderr.take().map(what_is_there).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        return Err(format!("{status} {}", said.lines().last().unwrap_or_default()));
    }
    let said = child.stdout.take().map(what_is_there).unwrap_or_default();
    if said.len() > TOKEN_COMMAND_BYTES_MAX {
        return Err(format!("{name} prints more than {TOKEN_COMMAND_BYTES_MAX} bytes"));
    }
    String::from_utf8(said).map_err(|_| "its output is not text".to_owned())
}

/// Waits for the end of a program; `false` if it does not come in time.
fn ends_within(child: &Child, patience: Duration) -> io::Result<bool> {
    blocking::wait_readable(pidfd_open(Pid::from_child(child), PidfdFlags::empty())?, patience)
}

/// What was written to a pipe up to now, and one byte more than it may be: something that the program has started may hold the
/// pipe open for ever.
fn what_is_there(pipe: impl Read + AsFd) -> Vec<u8> {
    let mut said = Vec::new();
    if rustix::io::ioctl_fionbio(pipe.as_fd(), true).is_ok() {
        // What was read before an error is there; WouldBlock is the usual one.
        let _: io::Result<usize> = pipe.take(TOKEN_COMMAND_BYTES_MAX as u64 + 1).read_to_end(&mut said);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<String, String> {
        run(Command::new("sh").arg("-c").arg(script))
    }

    #[test]
    fn what_it_says_and_why_it_does_not() {
        assert_eq!(shell("echo token; echo noise >&2").as_deref(), Ok("token\n"));
        assert_eq!(shell("sleep 30 & echo token").as_deref(), Ok("token\n"), "its child keeps the pipe open");
        let error = shell("echo first >&2; echo why >&2; exit 3").expect_err("failed");
        assert!(error.ends_with("3 why"), "{error}");
        // As much as a pipe holds, or it would wait for a reader.
        let error = shell("head -c 40000 /dev/zero").expect_err("too much");
        assert!(error.contains("more than"), "{error}");
        assert!(run(&mut Command::new("/no/such/program")).expect_err("none").contains("/no/such/program"));
    }

    #[test]
    fn signals_reach_it() {
        // SIGTERM: SIGHUP and SIGINT may be ignored where the tests run in the background.
        let _signals = signals::Signals::termination().expect("a descriptor");
        let killed = shell("kill -TERM $$; echo alive").expect_err("ended by it");
        assert!(killed.contains("signal: 15"), "{killed}");
    }
}
