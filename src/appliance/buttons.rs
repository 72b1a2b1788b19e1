//! Watches buttons and keys, and sends their levels to the inbox: first the level when watching starts (at start, after
//! a reload, or when a keyboard comes back), which is not a press; then each edge. A key that is missing or unplugged
//! is reported once, and searched for.

use std::rc::Rc;
use std::time::Duration;

use super::inbox::{Inbox, Input, Taken};
use crate::device::button::SETTLING;
use crate::event::Event;
use crate::io::clock;
use crate::io::gpio::InputLine;
use crate::io::keys::{Key, KeyError};
use crate::io::reactor::{AsyncFd, Interest, Reactor};

/// Time between two searches for a key whose device is missing.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// The most edges that are read within the settling time of a button; bouncing contacts make ten. A line with more
/// edges is read once per settling time, so that a line that chatters costs no more than one that bounces.
const EDGES_MAX: u32 = 16;

/// Watches a line: sends its current level, then each edge. Ends with the line.
pub(super) async fn watch_line(line: InputLine, number: usize, reactor: Rc<Reactor>, inbox: Rc<Inbox>) {
    let Ok(source) = AsyncFd::new(&reactor, line) else { return };
    let Ok(is_active) = source.get_ref().is_active() else { return };
    inbox.send(Input::Begins(number, is_active)).await;
    let (mut edges, mut since) = (0, clock::now());
    loop {
        let edge =
            std::future::poll_fn(|context| source.poll_with(context, Interest::Read, InputLine::read_edge));
        let Ok(mut is_active) = edge.await else { return };
        let now = clock::now();
        if now.saturating_duration_since(since) >= SETTLING {
            (edges, since) = (0, now);
        }
        edges += 1;
        if edges > EDGES_MAX {
            reactor.sleep_until(now + SETTLING, clock::now).await;
            let Ok(level) = source.get_ref().is_active() else { return };
            is_active = level;
        }
        inbox.send(Input::Level(number, is_active)).await;
    }
}

/// Watches a key for as long as the box runs. `key` is `None` if its keyboard or headset is missing at the start.
pub(super) async fn watch_key(
    key: Option<Key>,
    name: String,
    number: usize,
    reactor: Rc<Reactor>,
    inbox: Rc<Inbox>,
) {
    let say = |event| inbox.send(Input::Happened(Some(event), Taken::default()));
    let mut next = key;
    loop {
        match next.take() {
            Some(key) => {
                follow(key, number, &reactor, &inbox).await;
                // A key that is gone is not held down, and was not released either.
                inbox.send(Input::Begins(number, false)).await;
                say(Event::Warning {
                    text: format!("the device with the key {name} is disconnected; searching for it"),
                })
                .await;
            }
            None => {
                let error = KeyError::NoDevice(name.clone());
                say(Event::Warning { text: format!("{error}; searching for it") }).await;
            }
        }
        let key = loop {
            reactor.sleep_until(clock::now() + LOOK_AGAIN, clock::now).await;
            if let Ok(key) = Key::open(&name) {
                break key;
            }
        };
        say(Event::Log { text: format!("found the key {name}") }).await;
        next = Some(key);
    }
}

async fn follow(key: Key, number: usize, reactor: &Rc<Reactor>, inbox: &Inbox) {
    inbox.send(Input::Begins(number, key.is_down())).await;
    let Ok(source) = AsyncFd::new(reactor, key) else { return };
    loop {
        let change = std::future::poll_fn(|context| source.poll_with(context, Interest::Read, Key::read));
        let Ok(is_down) = change.await else { return };
        inbox.send(Input::Level(number, is_down)).await;
    }
}
