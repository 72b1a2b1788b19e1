//! A program started beside us: its words given as they are (no shell), a bounded input and output, a
//! deadline, and nothing that waits.
//!
//! ```text
//!   run ─► start ─► write input ─┐
//!                   read output ─┼─► ended (pidfd): status and output
//!                   deadline ────┘   too late, or too much: killed with all it has started
//! ```
//!
//! A pidfd (Linux 5.3) reports the end of a process, so there is no SIGCHLD and no thread. To start one takes about a
//! millisecond of this thread, less than the capture buffer holds.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::environment::Environment;
use super::signals;
use crate::io::runtime::clock;
use crate::io::runtime::reactor::{AsyncFd, Interest, Reactor};

/// What is to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program<'a> {
    /// The program and its arguments.
    pub words: &'a [String],
    /// All its variables.
    pub environment: &'a Environment,
    /// What it reads from standard input.
    pub input: &'a [u8],
    /// What it may write to standard output.
    pub output_bytes_max: usize,
    /// How long it may run.
    pub patience: Duration,
}

/// Why a program gave no output.
#[derive(Debug)]
pub enum ProgramError {
    /// It cannot be started.
    Start(io::Error),
    /// It ended with another status than 0, or by a signal; in words.
    Failed(String),
    /// It did not end in time, and was killed.
    TooLate,
    /// It wrote more than it may, and was killed.
    TooMuch,
}

impl std::fmt::Display for ProgramError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ProgramError::Start(error) => write!(f, "cannot be started: {error}"),
            ProgramError::Failed(how) => f.write_str(how),
            ProgramError::TooLate => f.write_str("did not end in time, and was killed"),
            ProgramError::TooMuch => f.write_str("wrote too much, and was killed"),
        }
    }
}

impl std::error::Error for ProgramError {}

/// Runs a program to its end; what it wrote.
///
/// # Errors
/// It failed, and how.
pub async fn run(reactor: &Rc<Reactor>, program: Program<'_>) -> Result<Vec<u8>, ProgramError> {
    let mut running = RunningProgram::start(reactor, &program).map_err(ProgramError::Start)?;
    let deadline = clock::now() + program.patience;
    let mut late = std::pin::pin!(reactor.sleep_until(deadline, clock::now));
    std::future::poll_fn(|context| {
        if let Poll::Ready(result) = running.poll(context, program.output_bytes_max) {
            return Poll::Ready(result);
        }
        if late.as_mut().poll(context).is_ready() && clock::now() >= deadline {
            return Poll::Ready(Err(ProgramError::TooLate));
        }
        Poll::Pending
    })
    .await
}

/// A program under way. Dropped before its end, it is killed.
struct RunningProgram {
    child: Child,
    ended: AsyncFd<OwnedFd>,
    stdin: Option<AsyncFd<ChildStdin>>,
    input: Vec<u8>,
    stdout: Option<AsyncFd<ChildStdout>>,
    output: Vec<u8>,
    is_over: bool,
}

impl RunningProgram {
    fn start(reactor: &Rc<Reactor>, program: &Program<'_>) -> io::Result<Self> {
        let (name, arguments) = program.words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(name);
        command
            .args(arguments)
            .env_clear()
            .envs(program.environment.iter())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Standard error may carry our events.
            .stderr(Stdio::null())
            // A group of its own, so that what it starts can be killed with it.
            .process_group(0);
        let mut child = signals::unblocked_in(&mut command).spawn()?;
        let watched = Self::watch(reactor, &mut child);
        let (ended, stdin, stdout) = watched.inspect_err(|_| end(&mut child))?;
        let input = program.input.to_vec();
        let (stdin, stdout) = (Some(stdin), Some(stdout));
        Ok(Self { child, ended, stdin, input, stdout, output: Vec::new(), is_over: false })
    }

    #[allow(clippy::type_complexity, reason = "three ends of one process, named by the caller")]
    fn watch(
        reactor: &Rc<Reactor>,
        child: &mut Child,
    ) -> io::Result<(AsyncFd<OwnedFd>, AsyncFd<ChildStdin>, AsyncFd<ChildStdout>)> {
        let ended = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (Some(stdin), Some(stdout)) = (stdin, stdout) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        rustix::io::ioctl_fionbio(stdin.as_fd(), true)?;
        rustix::io::ioctl_fionbio(stdout.as_fd(), true)?;
        Ok((AsyncFd::new(reactor, ended)?, AsyncFd::new(reactor, stdin)?, AsyncFd::new(reactor, stdout)?))
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
        output_bytes_max: usize,
    ) -> Poll<Result<Vec<u8>, ProgramError>> {
        self.write_input(context);
        // Asked first, read afterwards: what it wrote before its end is all there then.
        let status = self.ended.poll_with(context, Interest::Read, |_| match self.child.try_wait()? {
            Some(status) => Ok(status),
            None => Err(io::ErrorKind::WouldBlock.into()),
        });
        self.read_output(context, output_bytes_max);
        if self.output.len() > output_bytes_max {
            return Poll::Ready(Err(ProgramError::TooMuch));
        }
        let status = match status {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(ProgramError::Start(error))),
            Poll::Ready(Ok(status)) => status,
        };
        self.is_over = true;
        Poll::Ready(match (status.code(), status.signal()) {
            (Some(0), _) => Ok(std::mem::take(&mut self.output)),
            (Some(code), _) => Err(ProgramError::Failed(format!("ended with status {code}"))),
            (None, signal) => {
                Err(ProgramError::Failed(format!("was terminated by signal {}", signal.unwrap_or_default())))
            }
        })
    }

    fn write_input(&mut self, context: &mut Context<'_>) {
        let Self { stdin, input, .. } = self;
        while let Some(pipe) = stdin {
            let written = match input.is_empty() {
                true => Poll::Ready(Ok(0)),
                false => pipe.poll_with(context, Interest::Write, |pipe| Ok(rustix::io::write(pipe, input)?)),
            };
            match written {
                Poll::Pending => return,
                Poll::Ready(Ok(count)) if count > 0 => drop(input.drain(..count)),
                // All is written, or the program does not want it: either way that is the end.
                Poll::Ready(_) => *stdin = None,
            }
        }
    }

    fn read_output(&mut self, context: &mut Context<'_>, output_bytes_max: usize) {
        let mut buffer = [0; 4096];
        while let Some(pipe) = &self.stdout
            && self.output.len() <= output_bytes_max
        {
            match pipe.poll_with(context, Interest::Read, |pipe| Ok(rustix::io::read(pipe, &mut buffer)?)) {
                Poll::Pending => return,
                Poll::Ready(Ok(count)) if count > 0 => {
                    self.output.extend_from_slice(buffer.get(..count).unwrap_or_default())
                }
                Poll::Ready(_) => self.stdout = None,
            }
        }
    }
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        if !self.is_over {
            end(&mut self.child);
        }
    }
}

/// Kills a program with all that it has started, and takes its status. SIGKILL cannot be refused: the wait
/// is as long as the kernel needs to take its memory down.
pub(in crate::io) fn end(child: &mut Child) {
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_words(words: &[&str], input: &[u8], patience_ms: u64) -> Result<Vec<u8>, ProgramError> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let reactor = Reactor::new().expect("a poller");
        let executor = async_executor::LocalExecutor::new();
        let (input, running) = (input.to_vec(), reactor.clone());
        let task = executor.spawn(async move {
            let program = Program {
                words: &words,
                environment: &Environment::default().with("KINGLET_TEST", "yes".to_owned()),
                input: &input,
                output_bytes_max: 20_000,
                patience: Duration::from_millis(patience_ms),
            };
            run(&running, program).await
        });
        loop {
            while executor.try_tick() {}
            if task.is_finished() {
                return futures_util::FutureExt::now_or_never(task).expect("finished");
            }
            reactor.wait(None, clock::now()).expect("waits");
            reactor.wake_timers(clock::now());
        }
    }

    #[test]
    fn what_it_writes_comes_back() {
        let input = vec![b'x'; 15_000];
        assert_eq!(run_words(&["cat"], &input, 20_000).expect("runs"), input);
        let output = run_words(&["sh", "-c", "printf %s \"$KINGLET_TEST$CARGO_MANIFEST_DIR\""], b"", 20_000);
        assert_eq!(output.expect("runs"), b"yes", "nothing of our own environment");
        // One that does not read its input, and whose child keeps its output open.
        assert_eq!(run_words(&["sh", "-c", "sleep 3 & echo done"], &input, 20_000).expect("runs"), b"done\n");
    }

    #[test]
    fn every_way_to_fail_has_its_words() {
        let failure = |words: &[&str], patience_ms| run_words(words, b"", patience_ms).expect_err("fails");
        assert!(matches!(failure(&["/no/such/program"], 20_000), ProgramError::Start(_)));
        assert!(matches!(failure(&[], 20_000), ProgramError::Start(_)));
        assert_eq!(failure(&["sh", "-c", "exit 3"], 20_000).to_string(), "ended with status 3");
        assert_eq!(failure(&["sh", "-c", "kill -9 $$"], 20_000).to_string(), "was terminated by signal 9");
        assert!(matches!(failure(&["sleep", "20"], 50), ProgramError::TooLate));
        assert!(matches!(failure(&["cat", "/dev/zero"], 20_000), ProgramError::TooMuch));
    }
}
