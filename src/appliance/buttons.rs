//! Hands at buttons and keys → levels in the station's inbox. A key that is not there, or is unplugged, is told once and
//! looked for.

use std::rc::Rc;
use std::time::Duration;

use super::inbox::{Inbox, Input};
use crate::event::Event;
use crate::io::clock;
use crate::io::gpio::InputLine;
use crate::io::keys::{Key, KeyError};
use crate::io::reactor::{Interest, Reactor, Source};

/// Between two looks for a key whose device is not there.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Watches a line: its level now, then each edge. Ends with the line.
pub(super) async fn watch_line(line: InputLine, number: usize, reactor: Rc<Reactor>, inbox: Rc<Inbox>) {
    let Ok(source) = Source::new(&reactor, line) else { return };
    if source.get_ref().is_active().unwrap_or(false) {
        inbox.send(Input::Level(number, true)).await;
    }
    loop {
        let edge =
            std::future::poll_fn(|context| source.poll_with(context, Interest::Read, InputLine::read_edge));
        let Ok(is_active) = edge.await else { return };
        inbox.send(Input::Level(number, is_active)).await;
    }
}

/// Watches a key for as long as the box runs; none: its keyboard or headset was not there at first.
pub(super) async fn watch_key(
    key: Option<Key>,
    name: String,
    number: usize,
    reactor: Rc<Reactor>,
    inbox: Rc<Inbox>,
) {
    let say = |event| inbox.send(Input::Happened(Some(event)));
    let mut next = key;
    loop {
        match next.take() {
            Some(key) => {
                follow(key, number, &reactor, &inbox).await;
                // A key that is gone is not held down.
                inbox.send(Input::Level(number, false)).await;
                say(Event::Warning {
                    text: format!("the device with the key {name} is gone; it is looked for"),
                })
                .await;
            }
            None => {
                let error = KeyError::NoDevice(name.clone());
                say(Event::Warning { text: format!("{error}; it is looked for") }).await;
            }
        }
        let key = loop {
            reactor.sleep_until(clock::now() + LOOK_AGAIN, clock::now).await;
            if let Ok(key) = Key::open(&name) {
                break key;
            }
        };
        say(Event::Log { text: format!("the key {name} is there") }).await;
        next = Some(key);
    }
}

async fn follow(key: Key, number: usize, reactor: &Rc<Reactor>, inbox: &Inbox) {
    if key.is_down() {
        inbox.send(Input::Level(number, true)).await;
    }
    let Ok(source) = Source::new(reactor, key) else { return };
    loop {
        let change = std::future::poll_fn(|context| source.poll_with(context, Interest::Read, Key::read));
        let Ok(is_down) = change.await else { return };
        inbox.send(Input::Level(number, is_down)).await;
    }
}
