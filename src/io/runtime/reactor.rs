//! Descriptors and timers: the one place where the program waits.
//!
//! smol's own reactor (`async-io`) starts a second thread and allocates at each wake-up (measured:
//! 15 % of all CPU, 350–450 allocations a second in a call). This one has fixed places on top of
//! smol's `polling`, and serves two kinds of users:
//!
//! - *The driver's* descriptors (UDP, sound cards, termination) are watched all the time, by level: readiness ends the
//!   wait, and the driver then serves cards and timers itself; for all others it asks whether they were ready, since
//!   each look is a system call (7 in 8 found nothing).
//! - *Tasks'* descriptors (the signal connection, the control input) are armed once per wait with the waker of their
//!   task.
//!
//! ```text
//!   task ── would block ──► arm(slot, waker) ─┐
//!   driver ── watch(fd) ──────────────────────┼─► Reactor::wait(until) ─► wakers, or just return
//!   other thread ── notifier ─────────────────┘
//! ```

#![expect(
    clippy::indexing_slicing,
    reason = "places come from a search of the same table, or number its fixed entries"
)]

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use polling::{Event, Events, PollMode, Poller};

use crate::limits::CONFIG_SECTIONS_MAX;

/// Descriptors of tasks at a time: signal connection, a second one while dialling, control input, one
/// look-up; the control socket and its 8 clients; 32 lines and as many keys; three of each of 16 commands.
const TASK_SLOTS: usize = 128;

/// Sleeping tasks at a time: one for each key that is looked for, and as many others.
const TIMERS: usize = 2 * CONFIG_SECTIONS_MAX;

/// The driver's descriptors are registered under this key and their number.
const DRIVER_KEYS: usize = TASK_SLOTS;

/// The longest wait, so that a lost wake-up is a hiccup and not a stop.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The program's only waiting place. Shared by reference counting within one thread.
pub struct Reactor {
    poller: Arc<Poller>,
    events: RefCell<Events>,
    slots: RefCell<[Option<Slot>; TASK_SLOTS]>,
    timers: RefCell<[Option<(Instant, Waker)>; TIMERS]>,
}

struct Slot {
    fd: RawFd,
    read: Option<Waker>,
    write: Option<Waker>,
}

impl Reactor {
    /// Makes the poller.
    ///
    /// # Errors
    /// The kernel has no descriptor left.
    pub fn new() -> io::Result<Rc<Self>> {
        Ok(Rc::new(Self {
            poller: Arc::new(Poller::new()?),
            events: RefCell::new(Events::new()),
            slots: RefCell::new(std::array::from_fn(|_| None)),
            timers: RefCell::new([const { None }; TIMERS]),
        }))
    }

    /// Ends a wait from another thread.
    pub fn notifier(&self) -> Arc<Poller> {
        self.poller.clone()
    }

    /// Watches one of the driver's descriptors until [`Reactor::unwatch`].
    ///
    /// # Errors
    /// The descriptor cannot be polled (a regular file) or is watched already.
    pub fn watch(&self, fd: RawFd, interest: Interest) -> io::Result<()> {
        let event = match interest {
            Interest::Read => Event::readable(driver_key(fd)),
            Interest::Write => Event::writable(driver_key(fd)),
            Interest::Both => Event::all(driver_key(fd)),
        };
        // SAFETY: ports.rs unwatches each descriptor before it closes it, or forgets it when a card has closed it (epoll drops it then).
        unsafe { self.poller.add_with_mode(fd, event, PollMode::Level) }
    }

    /// Ends a watch. A descriptor that is closed already has left by itself.
    pub fn unwatch(&self, fd: RawFd) {
        // SAFETY: `delete` only names the descriptor to the kernel, which checks it.
        let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
        let _ = self.poller.delete(borrowed);
    }

    /// Whether the last wait found one of the driver's descriptors ready.
    pub fn was_ready(&self, fd: RawFd) -> bool {
        let key = driver_key(fd);
        self.events.borrow().iter().any(|event| event.key == key)
    }

    /// Waits until something is ready or `until` is reached, and wakes the tasks concerned.
    ///
    /// # Errors
    /// The kernel refuses to wait, which only a programming error brings about.
    pub fn wait(&self, until: Option<Instant>, now: Instant) -> io::Result<()> {
        let timer = self.timers.borrow().iter().flatten().map(|&(at, _)| at).min();
        let until = [until, timer].into_iter().flatten().min();
        let timeout = until.map_or(WAIT_MAX, |at| at.saturating_duration_since(now)).min(WAIT_MAX);
        let mut events = self.events.borrow_mut();
        events.clear();
        match self.poller.wait(&mut events, Some(timeout)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => _ = other?,
        }
        for event in events.iter().filter(|event| event.key < TASK_SLOTS) {
            self.wake_slot(event);
        }
        Ok(())
    }

    /// Wakes the tasks whose time has come.
    pub fn wake_timers(&self, now: Instant) {
        for timer in self.timers.borrow_mut().iter_mut() {
            if let Some((_, waker)) = timer.take_if(|(at, _)| *at <= now) {
                waker.wake();
            }
        }
    }

    /// Resolves at `at`. With more sleepers than places the last one has no rest: it is asked again in each turn.
    pub fn sleep_until(&self, at: Instant, clock: fn() -> Instant) -> Sleep<'_> {
        Sleep { reactor: self, at, clock, place: None }
    }

    fn wake_slot(&self, event: Event) {
        let mut slots = self.slots.borrow_mut();
        let Some(slot) = slots[event.key].as_mut() else { return };
        if event.readable
            && let Some(waker) = slot.read.take()
        {
            waker.wake();
        }
        if event.writable
            && let Some(waker) = slot.write.take()
        {
            waker.wake();
        }
        // Oneshot: what still waits must be armed again; what does not must not, since a hang-up is
        // reported even without an interest.
        if slot.read.is_some() || slot.write.is_some() {
            let _ = arm(&self.poller, event.key, slot);
        }
    }
}

/// Waits for a time; gives up its place when it is dropped.
pub struct Sleep<'r> {
    reactor: &'r Reactor,
    at: Instant,
    clock: fn() -> Instant,
    place: Option<usize>,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if (self.clock)() >= self.at {
            return Poll::Ready(());
        }
        let mut timers = self.reactor.timers.borrow_mut();
        let Some(place) = self.place.or_else(|| timers.iter().position(Option::is_none)) else {
            context.waker().wake_by_ref();
            return Poll::Pending;
        };
        timers[place] = Some((self.at, context.waker().clone()));
        drop(timers);
        self.place = Some(place);
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        // After it was woken, the place may be another sleeper's already: only its own time is its own.
        let Some(place) = self.place else { return };
        self.reactor.timers.borrow_mut()[place].take_if(|(at, _)| *at == self.at);
    }
}

/// What the driver waits for on a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Something can be read.
    Read,
    /// Something can be written.
    Write,
    /// Either, for the driver; a task waits for one of them.
    Both,
}

/// A descriptor that a task waits on. A file can be registered once at a time.
pub struct AsyncFd<T: AsFd> {
    inner: T,
    key: usize,
    reactor: Rc<Reactor>,
}

impl<T: AsFd> AsyncFd<T> {
    /// Registers `inner`, which must not block.
    ///
    /// # Errors
    /// All places are taken, or the descriptor cannot be polled.
    pub fn new(reactor: &Rc<Reactor>, inner: T) -> io::Result<Self> {
        let mut slots = reactor.slots.borrow_mut();
        let key = slots.iter().position(Option::is_none).ok_or(io::ErrorKind::QuotaExceeded)?;
        let fd = inner.as_fd().as_raw_fd();
        // SAFETY: `Drop` deletes it before `inner` closes the descriptor.
        unsafe { reactor.poller.add_with_mode(fd, Event::none(key), PollMode::Oneshot)? };
        slots[key] = Some(Slot { fd, read: None, write: None });
        drop(slots);
        Ok(Self { inner, key, reactor: reactor.clone() })
    }

    /// The file itself.
    pub fn get_ref(&self) -> &T {
        &self.inner
    }

    /// Runs `operation` until it does not return `WouldBlock`.
    pub fn poll_with<R>(
        &self,
        context: &mut Context<'_>,
        interest: Interest,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            match operation(&self.inner) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
        match self.register(context.waker(), interest) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn register(&self, waker: &Waker, interest: Interest) -> io::Result<()> {
        let mut slots = self.reactor.slots.borrow_mut();
        let Some(slot) = slots[self.key].as_mut() else { return Ok(()) };
        let place = match interest {
            Interest::Read => &mut slot.read,
            Interest::Write | Interest::Both => &mut slot.write,
        };
        *place = Some(waker.clone());
        arm(&self.reactor.poller, self.key, slot)
    }
}

impl<T: AsFd> Drop for AsyncFd<T> {
    fn drop(&mut self) {
        let _ = self.reactor.poller.delete(self.inner.as_fd());
        self.reactor.slots.borrow_mut()[self.key] = None;
    }
}

fn driver_key(fd: RawFd) -> usize {
    DRIVER_KEYS + fd as usize
}

fn arm(poller: &Poller, key: usize, slot: &Slot) -> io::Result<()> {
    let mut event = Event::none(key);
    event.readable = slot.read.is_some();
    event.writable = slot.write.is_some();
    // SAFETY: the slot lives no longer than the descriptor (`AsyncFd::drop`).
    let fd = unsafe { BorrowedFd::borrow_raw(slot.fd) };
    poller.modify_with_mode(fd, event, PollMode::Oneshot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::runtime::clock;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_task_is_woken_when_its_descriptor_is_ready_and_only_then() {
        let reactor = Reactor::new().expect("a poller");
        let executor = async_executor::LocalExecutor::new();
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        ours.set_nonblocking(true).expect("non-blocking");
        let source = AsyncFd::new(&reactor, ours).expect("a place");
        let task = executor.spawn(async move {
            let mut byte = [0];
            let read = std::future::poll_fn(|context| {
                source.poll_with(context, Interest::Read, |mut stream| stream.read(&mut byte))
            })
            .await;
            (read.expect("readable"), byte[0])
        });
        while executor.try_tick() {}
        let now = clock::now();
        reactor.wait(Some(now + Duration::from_millis(5)), now).expect("waits");
        assert!(!executor.try_tick(), "nothing to read yet");
        theirs.write_all(&[7]).expect("written");
        reactor.wait(None, clock::now()).expect("waits");
        while executor.try_tick() {}
        assert!(task.is_finished());
        assert!(reactor.slots.borrow().iter().all(Option::is_none), "the place is free again");
    }

    #[test]
    fn a_sleeper_wakes_at_its_time() {
        let reactor = Reactor::new().expect("a poller");
        let executor = async_executor::LocalExecutor::new();
        let at = clock::now() + Duration::from_millis(20);
        let sleeper = reactor.clone();
        let task = executor.spawn(async move { sleeper.sleep_until(at, clock::now).await });
        while executor.try_tick() {}
        reactor.wait(None, clock::now()).expect("waits");
        assert!(clock::now() >= at, "waited for the timer");
        reactor.wake_timers(clock::now());
        while executor.try_tick() {}
        assert!(task.is_finished());
    }
}
