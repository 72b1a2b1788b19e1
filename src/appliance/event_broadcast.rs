//! Sends events to all watching clients. Each event is serialised once.
//!
//! ```text
//!   Appliance ─► tell ─► [ lines, ≤ 512, ≤ 1 MiB ] ◄─ next ─ Watcher … Watcher
//!                        oldest lines are dropped first; a slow client receives the number of lost events
//! ```

#![expect(
    clippy::indexing_slicing,
    reason = "each index is the result of a search in the same table, or the number of a fixed entry"
)]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::event::Event;
use crate::limits::{WATCHED_BYTES_MAX, WATCHED_EVENTS_MAX, WATCHERS_MAX};

/// Lines that not every client has read yet.
#[derive(Default)]
pub(super) struct EventBroadcast {
    inner: RefCell<Inner>,
}

#[derive(Default)]
struct Inner {
    lines: VecDeque<Rc<str>>,
    bytes: usize,
    /// The number of the first line in `lines`.
    first: u64,
    readers: heapless::Vec<Reader, WATCHERS_MAX>,
    readers_since_start: u32,
}

struct Reader {
    key: u32,
    /// The number of the next line for this client.
    next: u64,
    waker: Option<Waker>,
}

/// A watching client. It is removed when dropped.
pub(super) struct Watcher {
    broadcast: Rc<EventBroadcast>,
    key: u32,
}

impl EventBroadcast {
    /// Sends an event to all watching clients.
    pub(super) fn tell(&self, event: &Event) {
        let mut inner = self.inner.borrow_mut();
        if !inner.readers.is_empty() {
            inner.push(line(event));
        }
    }

    /// Adds a watching client; `None` if the limit is reached.
    pub(super) fn watch(self: &Rc<EventBroadcast>) -> Option<Watcher> {
        let mut inner = self.inner.borrow_mut();
        let key = inner.readers_since_start;
        let next = inner.end();
        inner.readers.push(Reader { key, next, waker: None }).ok()?;
        inner.readers_since_start = key.wrapping_add(1);
        Some(Watcher { broadcast: self.clone(), key })
    }
}

impl Watcher {
    /// Waits for the next line. If lines were lost because the client read too slowly, returns a warning about that.
    pub(super) async fn next(&self) -> Rc<str> {
        std::future::poll_fn(|context| match self.broadcast.inner.borrow_mut().take(self.key) {
            Ok(line) => Poll::Ready(line),
            Err(waker) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut inner = self.broadcast.inner.borrow_mut();
        inner.readers.retain(|reader| reader.key != self.key);
        inner.forget_read();
    }
}

impl Inner {
    fn end(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    fn push(&mut self, line: Rc<str>) {
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.lines.len() > WATCHED_EVENTS_MAX || self.bytes > WATCHED_BYTES_MAX && self.lines.len() > 1
        {
            self.forget_first();
        }
        self.readers.iter_mut().filter_map(|reader| reader.waker.take()).for_each(Waker::wake);
    }

    /// Returns the next line of a reader, or the place for its waker if there is none.
    fn take(&mut self, key: u32) -> Result<Rc<str>, &mut Option<Waker>> {
        let (first, end) = (self.first, self.end());
        // A reader is in the list for as long as its watcher exists.
        let place = self.readers.iter().position(|reader| reader.key == key).unwrap_or_default();
        let reader = &mut self.readers[place];
        let lost = first.saturating_sub(reader.next);
        if lost > 0 {
            reader.next = first;
            let text = format!("{lost} events were lost: this client reads too slowly");
            return Ok(line(&Event::Warning { text }));
        }
        if reader.next == end {
            return Err(&mut self.readers[place].waker);
        }
        reader.next += 1;
        let line = self.lines[(reader.next - 1 - first) as usize].clone();
        self.forget_read();
        Ok(line)
    }

    /// Drops the lines that every client has read.
    fn forget_read(&mut self) {
        let next = self.readers.iter().map(|reader| reader.next).min().unwrap_or(self.end());
        while self.first < next {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(line) = self.lines.pop_front() {
            self.bytes -= line.len();
            self.first += 1;
        }
        if self.lines.is_empty() {
            self.lines.shrink_to_fit();
        }
    }
}

fn line(event: &Event) -> Rc<str> {
    (event.to_json() + "\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn warning(text: &str) -> Event {
        Event::Warning { text: text.to_owned() }
    }

    fn next(watcher: &Watcher) -> Option<Rc<str>> {
        watcher.next().now_or_never()
    }

    #[test]
    fn a_line_is_kept_once_until_all_clients_have_read_it() {
        let broadcast = Rc::new(EventBroadcast::default());
        broadcast.tell(&warning("nobody watches"));
        let (first, second) = (broadcast.watch().expect("room"), broadcast.watch().expect("room"));
        broadcast.tell(&warning("one"));
        let line = next(&first).expect("told");
        assert_eq!(&*line, "{\"event\":\"warning\",\"text\":\"one\"}\n");
        assert!(Rc::ptr_eq(&line, &next(&second).expect("told")));
        assert!(next(&first).is_none() && next(&second).is_none());
        assert_eq!((broadcast.inner.borrow().bytes, broadcast.inner.borrow().lines.len()), (0, 0));
        broadcast.tell(&warning("two"));
        drop(first);
        assert!(next(&second).expect("told").contains("two"));
        drop(second);
        broadcast.tell(&warning("three"));
        assert_eq!(broadcast.inner.borrow().lines.len(), 0, "no client watches any more");
    }

    #[test]
    fn clients_that_do_not_read_use_bounded_memory_and_receive_the_number_of_lost_events() {
        let broadcast = Rc::new(EventBroadcast::default());
        let watchers: Vec<Watcher> = std::iter::from_fn(|| broadcast.watch()).collect();
        assert_eq!(watchers.len(), WATCHERS_MAX);
        for _ in 0..1_000 {
            broadcast.tell(&warning(&"x".repeat(20_000)));
            assert!(broadcast.inner.borrow().bytes <= WATCHED_BYTES_MAX);
        }
        let lines: Vec<Rc<str>> = std::iter::from_fn(|| next(&watchers[3])).collect();
        let missed = format!("{} events were lost", 1_000 - (lines.len() - 1));
        assert!(lines[0].contains(&missed) && lines.len() > 40, "{}", lines[0]);
        for _ in 0..10_000 {
            broadcast.tell(&warning("again"));
        }
        assert_eq!(std::iter::from_fn(|| next(&watchers[3])).count(), WATCHED_EVENTS_MAX + 1);
        broadcast.tell(&warning(&"y".repeat(2 * WATCHED_BYTES_MAX)));
        assert!(
            next(&watchers[3]).is_some_and(|line| line.len() > WATCHED_BYTES_MAX),
            "a single line always fits"
        );
        drop(watchers);
        assert_eq!(broadcast.inner.borrow().bytes, 0);
    }
}
