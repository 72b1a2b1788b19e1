//! The loop: tasks, one turn of the engine over real ports, then wait. No decisions.
//!
//! ```text
//!   loop { executor.try_tick … ─► engine::turn(ports) ─► events to the program ─► reactor.wait }
//! ```

#![expect(clippy::indexing_slicing, reason = "serde_json: a member that is missing is null")]

use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_executor::{LocalExecutor, Task};

use super::client_queue::ClientQueue;
use super::options::{Options, StartError};
use super::ports::{DialOptions, RealPorts};
use super::reactor::{Interest, Reactor};
use super::{clock, handlers};
use crate::command::{Command, Reply};
use crate::engine::Engine;
use crate::engine::turn::turn;
use crate::event::{Event, Metrics, RpcCallFacts, Stats};
use crate::io::host::files::Files;
use crate::io::host::process::Usage;
use crate::io::host::signals::Termination;
use crate::io::host::{process, realtime};
use crate::io::net::netlink::Netlink;
use crate::io::net::udp;
use crate::io::sound::pair::Pair;
use crate::media::send::audio_processor::Duplex;
use crate::session::recovery::Outcome;

/// Tasks run between two turns. Each is a message or an event; what is left comes after the sound.
const TASKS_PER_TURN: usize = 64;

/// The program gets at most this long after the end to take its last events and to finish what it began:
/// an SD card that is busy takes seconds to have a file on it.
const FAREWELL: Duration = Duration::from_secs(5);

/// Runs a client to its end, with `program` beside it.
pub(super) fn drive(
    options: Options,
    termination: &Termination,
    reactor: &Rc<Reactor>,
    queue: &Rc<ClientQueue>,
    program: impl Future<Output = ()>,
) -> Result<Outcome, StartError> {
    reactor.watch(termination.raw_fd(), Interest::Read)?;
    // If the kernel does not report network changes, losses are noticed by silence.
    let mut netlink = Netlink::new().ok();
    if let Some(netlink) = &netlink {
        reactor.watch(netlink.raw_fd(), Interest::Read)?;
    }
    let sound = Pair::open(&options.input, options.loops_input, &options.output, options.sound)?;
    if sound.has_card() {
        queue.post(Box::new(Event::Log { text: realtime::claim().to_string() }));
    }
    let seed = process::random_seed();
    let volume_percent = options.settings.volume_percent;
    let mut settings = options.settings;
    if let Some(publish) = &mut settings.publish
        && !sound.has_both_cards()
    {
        publish.duplex = Duplex::Untouched;
    }
    let mut engine = Engine::new(settings, seed, clock::now())?;

    let executor = LocalExecutor::new();
    let program = executor.spawn(program);
    let ends_with_input = options.duration.is_none() && !options.loops_input;
    let dial_options = DialOptions { tls: options.tls, proxies: options.proxies };
    let files = Files::new(options.files);
    let mut ports = RealPorts::new(
        &executor,
        reactor,
        (dial_options, options.token_source),
        sound,
        ends_with_input,
        files,
    );
    let (duration, stats_interval) = (options.duration, options.stats_interval);
    let mut schedule = Schedule { duration, stats_interval, ..Schedule::default() };
    let mut usage = Usage::since(clock::now());
    // Left unchanged unless a volume was requested.
    if volume_percent != 100 {
        ports.set_volume(&mut engine, volume_percent);
    }

    let outcome = loop {
        if let Some(outcome) = engine.outcome() {
            break outcome.clone();
        }
        tick(&executor);
        let now = clock::now();
        if reactor.was_ready(termination.raw_fd()) {
            termination.take();
        }
        let asked_to_end = termination.is_asked() || program.is_finished() || ports.is_over(now);
        if schedule.is_over(&engine, now) || asked_to_end {
            engine.end(now);
        }
        while let Some((command, slot)) = queue.commands.take() {
            if let Command::Volume(percent) = command {
                ports.set_volume(&mut engine, percent);
            }
            let reply = match command {
                Command::Stats => {
                    // Plain numbers and texts: they always serialise.
                    let stats = measure(&mut engine, &mut ports, &mut usage, now);
                    Ok(serde_json::to_value(stats).unwrap_or_default()).into()
                }
                Command::Metrics => Ok(metrics(&engine, &ports).into()).into(),
                Command::Status => match engine.handle_command(Command::Status, now) {
                    Reply::Now(Ok(mut status)) => {
                        status["sound"] = ports.sound_status();
                        Ok(status).into()
                    }
                    reply => reply,
                },
                command => engine.handle_command(command, now),
            };
            queue.reply(reply, slot);
        }
        let has_news = |netlink: &mut Netlink| reactor.was_ready(netlink.raw_fd()) && netlink.take();
        if netlink.as_mut().is_some_and(has_news) {
            engine.handle_network(&udp::all_addresses(), now);
        }
        if let Some(token) = ports.requests.take_token() {
            engine.handle_token(token, now);
        }
        if let Some(answer) = ports.requests.take_regions() {
            engine.handle_regions(answer.as_deref(), now);
        }
        while let Some(found) = ports.requests.take_resolved() {
            engine.handle_resolved(&found.host, found.port, &found.addresses, now);
        }
        while let Some((key, notice)) = ports.take_file_notice() {
            engine.handle_file(key, notice, now);
        }
        while let Some((ticket, loaded)) = ports.requests.take_recording() {
            engine.handle_recording(ticket, loaded, now);
        }
        let in_call = queue.in_call.get().unwrap_or_else(|| engine.was_connected());
        ports.attend_sound(&mut engine, in_call, now);
        let more = turn(&mut engine, &mut ports, now);
        engine.handle_turn(clock::now().saturating_duration_since(now), now);
        ports.watch_sound();
        // A full table costs the line, not the sound. It is reported later if there is no room: a lamp may show the
        // state of a card.
        if queue.has_room() {
            ports.sound_changes(|event| queue.post(Box::new(event)));
        }
        if schedule.stats_due(now) {
            let stats = measure(&mut engine, &mut ports, &mut usage, now);
            queue.post(Box::new(Event::Stats(stats)));
        }
        queue.deliver_answers(&mut engine);
        deliver(&mut engine, queue, |call| {
            handlers::answer(&executor, reactor, queue, &options.handlers, call)
        });
        if engine.outcome().is_some() {
            continue;
        }
        // Tasks may have posted something, or want to continue: then there is no time to wait. Readiness is checked all
        // the same: a flood on one socket must not hide the others.
        let is_busy = more
            || !tick(&executor)
            || ports.has_notices()
            || queue.commands.has_items()
            || engine.has_events() && queue.has_room();
        let until = match is_busy {
            true => Some(now),
            false => {
                let until = [engine.poll_timeout().map(|(at, _)| at), ports.next_due(now), schedule.next()];
                until.into_iter().flatten().min()
            }
        };
        if let Err(error) = reactor.wait(until, clock::now()) {
            ports.finish();
            return Err(error.into());
        }
        ports.note_ready();
        reactor.wake_timers(clock::now());
    };
    ports.finish();
    farewell(&mut engine, reactor, queue, &executor, &program, termination);
    Ok(outcome)
}

/// Counters since the last time: of the engine, the cards and this process.
fn measure(engine: &mut Engine, ports: &mut RealPorts<'_, '_>, usage: &mut Usage, now: Instant) -> Stats {
    let mut stats = engine.take_stats(now);
    ports.add_counters(&mut stats);
    usage.add_to(&mut stats, now);
    stats
}

/// Totals since the start: of the engine, the cards and this process.
fn metrics(engine: &Engine, ports: &RealPorts<'_, '_>) -> String {
    let mut metrics = Metrics::default();
    engine.write_metrics(&mut metrics);
    ports.write_metrics(&mut metrics);
    process::write_metrics(&mut metrics);
    metrics.into_text()
}

/// Runs tasks that can go on, up to a bound; `true` if none is left.
fn tick(executor: &LocalExecutor<'_>) -> bool {
    (0..TASKS_PER_TURN).any(|_| !executor.try_tick())
}

/// Events that the program has no room for stay with the engine, whose table counts what is lost.
fn deliver(engine: &mut Engine, queue: &ClientQueue, mut answer: impl FnMut(&RpcCallFacts)) {
    while queue.has_room()
        && let Some(event) = engine.poll_event()
    {
        if let Event::RpcInvoked(call) = &*event {
            answer(call);
        }
        queue.post(event);
    }
}

/// Results and events that are still on their way come before the end, and so does what the program
/// still waits for: a file that has to be on the disk. Its commands are refused from now on.
fn farewell(
    engine: &mut Engine,
    reactor: &Reactor,
    queue: &ClientQueue,
    executor: &LocalExecutor<'_>,
    program: &Task<()>,
    termination: &Termination,
) {
    let deadline = clock::now() + FAREWELL;
    let mut is_told = false;
    while clock::now() < deadline && !program.is_finished() {
        let is_idle = tick(executor);
        deliver(engine, queue, |_| {});
        let has_refused = queue.refuse_commands();
        if !is_idle || has_refused || program.is_finished() {
            continue;
        }
        if !is_told && !engine.has_events() {
            is_told = queue.tell_end();
            if is_told {
                continue;
            }
        }
        if reactor.wait(Some(deadline), clock::now()).is_err() {
            return;
        }
        // Remembered for the next client of the program.
        if reactor.was_ready(termination.raw_fd()) {
            termination.take();
        }
        reactor.wake_timers(clock::now());
    }
}

/// What ends or repeats by time.
#[derive(Default)]
struct Schedule {
    duration: Option<Duration>,
    leave_at: Option<Instant>,
    stats_interval: Option<Duration>,
    stats_at: Option<Instant>,
}

impl Schedule {
    fn is_over(&mut self, engine: &Engine, now: Instant) -> bool {
        if self.leave_at.is_none() && engine.was_connected() {
            self.leave_at = self.duration.map(|duration| now + duration);
        }
        let is_over = self.leave_at.is_some_and(|at| at <= now);
        if is_over {
            (self.leave_at, self.duration) = (None, None);
        }
        is_over
    }

    fn stats_due(&mut self, now: Instant) -> bool {
        let Some(interval) = self.stats_interval else { return false };
        let at = *self.stats_at.get_or_insert(now + interval);
        let is_due = at <= now;
        if is_due {
            self.stats_at = Some(now + interval);
        }
        is_due
    }

    fn next(&self) -> Option<Instant> {
        [self.leave_at, self.stats_at].into_iter().flatten().min()
    }
}
