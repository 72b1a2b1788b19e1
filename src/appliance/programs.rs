//! Programs that are started at events, as configured in `[on]`: ten seconds each, without a shell.
//!
//! ```text
//!   event ─► occasion ─► its place: one runs, one waits, more are refused
//! ```
//!
//! Each occasion has its own place, so that none blocks another. Calls that a participant begins have a separate place,
//! so that no caller can block the program of the bell. The output of a program is ignored; a failure causes a warning.

#![expect(
    clippy::indexing_slicing,
    reason = "each index is the result of a search in the same table, or the number of a fixed entry"
)]

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::config::hooks::{Hooks, Occasion, Words};
use crate::event::{CallFacts, Event};
use crate::io::environment::Environment;
use crate::io::mailbox::Mailbox;
use crate::io::program::{Program, run};
use crate::io::reactor::Reactor;
use crate::limits::PROGRAMS_MAX;
use crate::signal::argument;

/// The longest run time of a program. A program that sends a message does so within this time, or it is too late
/// anyway.
const PATIENCE: Duration = Duration::from_secs(10);

/// The amount of output after which a program is ended. The output itself is ignored.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;

/// The place of programs for calls that participants begin; it follows those of the occasions.
const RUNG_BY_OTHERS: usize = PROGRAMS_MAX - 1;

const _: () = assert!(Occasion::Disconnected as usize + 1 == RUNG_BY_OTHERS, "each occasion has a place");

/// The programs of one box.
pub(super) struct Programs {
    hooks: Hooks,
    variable: fn(&str) -> Option<String>,
    places: Rc<[Place; PROGRAMS_MAX]>,
}

/// The place of one occasion, whose programs run one after the other.
#[derive(Default)]
struct Place {
    /// Full while a program runs.
    running: Mailbox<(), 1>,
    has_waiting: Cell<bool>,
}

/// The occasion for a program, its place, and its data.
struct Cause<'e> {
    occasion: Occasion,
    place: usize,
    identity: &'e str,
    output: &'e str,
}

impl Programs {
    /// Creates the programs. `variable` returns the variables of our environment.
    pub(super) fn new(hooks: Hooks, variable: fn(&str) -> Option<String>) -> Programs {
        Programs { hooks, variable, places: Rc::default() }
    }

    /// Replaces the programs, from the next event on.
    pub(super) fn replace(&mut self, hooks: Hooks) {
        self.hooks = hooks;
    }

    /// Returns a future that runs the program for `event`, if there is one. The future returns a warning on failure.
    pub(super) fn start(
        &self,
        event: &Event,
        reactor: &Rc<Reactor>,
    ) -> Option<impl Future<Output = Option<String>> + 'static> {
        let Cause { occasion, place, identity, output } = cause(event)?;
        let words = self.hooks.program(occasion, Words { identity, output })?;
        let environment = Environment::listed(self.hooks.environment(), self.variable)
            .with("KINGLET_EVENT", occasion.word().to_owned())
            .with("KINGLET_IDENTITY", argument::variable(identity))
            .with("KINGLET_OUTPUT", output.to_owned());
        let (places, reactor) = (self.places.clone(), reactor.clone());
        Some(async move {
            let (name, place) = (words.first().cloned().unwrap_or_default(), &places[place]);
            if place.running.is_full() && place.has_waiting.replace(true) {
                return Some(format!("{name} was not started: one is running and another is waiting"));
            }
            place.running.send(()).await;
            place.has_waiting.set(false);
            let program = Program {
                words: &words,
                environment: &environment,
                input: &[],
                output_bytes_max: OUTPUT_BYTES_MAX,
                patience: PATIENCE,
            };
            let result = run(&reactor, program).await;
            place.running.take();
            result.err().map(|error| format!("{name}: {error}"))
        })
    }
}

fn cause(event: &Event) -> Option<Cause<'_>> {
    let of = |occasion, identity| Some(Cause { occasion, place: occasion as usize, identity, output: "" });
    match event {
        // A participant begins the call. For calls of the box, the reason is their origin, such as `button`.
        Event::Ringing(CallFacts { identity, reason: "rpc", .. }) => {
            Some(Cause { occasion: Occasion::Ring, place: RUNG_BY_OTHERS, identity, output: "" })
        }
        Event::Ringing(call) => of(Occasion::Ring, &call.identity),
        Event::CallAnswered(call) => of(Occasion::Answered, &call.identity),
        Event::CallEnded(call) => of(Occasion::Ended, &call.identity),
        Event::CallMissed(call) => of(Occasion::Missed, &call.identity),
        Event::Button { action: "pressed", name } => of(Occasion::Button, name),
        Event::OutputPulsed { name, by } => Some(Cause { output: name, ..of(Occasion::Output, by)? }),
        Event::Connected { .. } | Event::Reconnected { .. } => of(Occasion::Connected, ""),
        Event::Disconnected { .. } => of(Occasion::Disconnected, ""),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::io::clock;
    use futures_util::future::{FutureExt, LocalBoxFuture};

    /// Programs that write their arguments and environment to a file of the test.
    struct Bench {
        programs: Programs,
        reactor: Rc<Reactor>,
        file: std::path::PathBuf,
    }

    fn call(identity: &str, reason: &'static str) -> CallFacts {
        CallFacts { identity: identity.to_owned(), reason, seconds: 0 }
    }

    fn ours(name: &str) -> Option<String> {
        match name {
            "PATH" => Some("/usr/bin:/bin".to_owned()),
            name => Some(format!("secret {name}")),
        }
    }

    impl Bench {
        fn new(name: &str, on: &str) -> Bench {
            let file = std::env::temp_dir().join(format!("kinglet-programs-{name}-{}", std::process::id()));
            let _ = std::fs::remove_file(&file);
            let text = format!(
                "[server]\nurl = 'wss://h'\nroom = 'r'\nidentity = 'i'\ntoken = {{ file = '/t' }}\n[on]\n{}",
                on.replace("FILE", &file.display().to_string())
            );
            let (config, problems) = Config::read(&text);
            assert_eq!(problems, []);
            let programs = Programs::new(config.expect("valid").hooks, ours);
            Bench { programs, reactor: Reactor::new().expect("a poller"), file }
        }

        fn start(&self, event: &Event) -> LocalBoxFuture<'static, Option<String>> {
            self.programs.start(event, &self.reactor).expect("configured").boxed_local()
        }

        /// Runs all tasks until `count` lines are written. Returns the lines, and the warnings.
        fn lines(
            &self,
            work: Vec<LocalBoxFuture<'static, Option<String>>>,
            count: usize,
        ) -> (Vec<String>, Vec<String>) {
            let executor = async_executor::LocalExecutor::new();
            let said = Rc::new(std::cell::RefCell::new(Vec::new()));
            let tasks: Vec<_> = work
                .into_iter()
                .map(|work| {
                    let said = said.clone();
                    executor.spawn(async move {
                        let warning = work.await;
                        said.borrow_mut().extend(warning);
                    })
                })
                .collect();
            let deadline = clock::now() + Duration::from_secs(20);
            loop {
                while executor.try_tick() {}
                let text = std::fs::read_to_string(&self.file).unwrap_or_default();
                if text.lines().count() >= count {
                    drop(tasks);
                    let _ = std::fs::remove_file(&self.file);
                    let said = said.borrow().clone();
                    return (text.lines().map(str::to_owned).collect(), said);
                }
                assert!(clock::now() < deadline, "{text}");
                let soon = clock::now() + Duration::from_millis(20);
                self.reactor.wait(Some(soon), clock::now()).expect("waits");
                self.reactor.wake_timers(clock::now());
            }
        }
    }

    #[test]
    fn a_program_sees_data_and_the_usual_variables() {
        let on = r#"output = ["/bin/sh", "-c", "echo \"$1|$KINGLET_OUTPUT|$KINGLET_IDENTITY|$KINGLET_EVENT\" > FILE; env | grep -c secret >> FILE", "sh", "{identity}"]"#;
        let bench = Bench::new("data", on);
        let pulsed = Event::OutputPulsed { name: "door".into(), by: "-x\ny".into() };
        let (lines, _) = bench.lines(vec![bench.start(&pulsed)], 2);
        assert_eq!(lines[0], "%2Dx%0Ay|door|%2Dx%0Ay|output");
        // The other fourteen usual variables, but no secrets such as LIVEKIT_API_SECRET.
        assert_eq!(lines[1], "14");
        let more = Bench::new("more", &format!("environment = ['LIVEKIT_URL']\n{on}"));
        assert_eq!(more.lines(vec![more.start(&pulsed)], 2).0[1], "15");
    }

    #[test]
    fn slow_programs_of_other_occasions_do_not_block_those_of_the_bell() {
        let slow = |key| format!("{key} = ['/bin/sleep', '9']\n");
        let all = ["answered", "ended", "missed", "output", "connected", "disconnected"].map(slow).concat();
        let ring = "ring = ['/bin/sh', '-c', 'echo $KINGLET_IDENTITY >> FILE; case $KINGLET_IDENTITY in flat-*) sleep 9;; esac']";
        let bench = Bench::new("slow", &format!("{all}{ring}"));
        let others = [
            Event::CallAnswered(call("flat-1", "rpc")),
            Event::CallEnded(call("flat-1", "remote")),
            Event::CallMissed(call("flat-1", "left")),
            Event::OutputPulsed { name: "door".into(), by: "flat-1".into() },
            Event::Disconnected { reason: String::new(), will_retry: true, retry_in_ms: 0 },
            Event::Ringing(call("flat-1", "rpc")),
            Event::Ringing(call("flat-2", "rpc")),
            Event::Ringing(call("flat-3", "rpc")),
        ];
        let mut work: Vec<_> = others.iter().map(|event| bench.start(event)).collect();
        work.push(bench.start(&Event::Ringing(call("bell", "button"))));
        work.push(bench.start(&Event::Ringing(call("again", "button"))));
        let (mut lines, said) = bench.lines(work, 3);
        lines.sort();
        assert_eq!(lines, ["again", "bell", "flat-1"], "the second bell runs after the first");
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("one is running and another is waiting"), "{said:?}");
    }
}
