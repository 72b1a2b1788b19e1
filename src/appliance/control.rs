//! The control socket: one command in, one line of JSON out, for each of up to eight clients.
//!
//! ```text
//!   mute          ─► {"ok":true}
//!   dance         ─► {"ok":false,"error":{"code":"unknown","message":"…"}}
//!   participants  ─► {"ok":true,"result":[…]}
//!   watch         ─► {"ok":true}, then one event per line until the client disconnects
//! ```
//!
//! A command is a line of words or a JSON array of them ([`line`](mod@line)). A client that does not read does not
//! block others: its events are lost, and it is disconnected if it has read nothing for ten seconds. One place is
//! reserved for clients that do not watch, so that commands remain possible. A ninth client receives an error and is
//! disconnected. A client that can open the socket can do everything that the box can.

#![expect(clippy::indexing_slicing, reason = "the index is a count that a write has returned")]

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde::Serialize;
use serde_json::Value;

use super::event_broadcast::{EventBroadcast, Watcher};
use super::inbox::{Inbox, Input};
use crate::command::{Answer, Command, CommandError, line};
use crate::event::escaped;
use crate::io::client::Commands;
use crate::io::clock;
use crate::io::mailbox::Mailbox;
use crate::io::reactor::{AsyncFd, Interest, Reactor};
use crate::limits::{CONTROL_CLIENTS_MAX, CONTROL_LINE_BYTES_MAX, WATCHERS_MAX};

/// Mode of the socket: the owner and the group `kinglet` may use it, others may not.
const MODE: u32 = 0o660;

/// Time until the next accept if no file descriptor was available.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A client that reads nothing of its answer or its events for this long is disconnected.
const STUCK: Duration = Duration::from_secs(10);

/// Creates the socket, and replaces one that a crash has left behind.
///
/// # Errors
/// Another process listens there, or the folder is not writable.
pub(super) fn bind(path: &Path) -> io::Result<UnixListener> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if UnixStream::connect(path).is_ok() {
                return Err(error);
            }
            std::fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        other => other?,
    };
    listener.set_nonblocking(true)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE))?;
    Ok(listener)
}

/// Serves clients for as long as the box runs.
pub(super) async fn serve(
    listener: UnixListener,
    commands: Commands,
    inbox: Rc<Inbox>,
    broadcast: Rc<EventBroadcast>,
) {
    let reactor = commands.reactor().clone();
    let Ok(listener) = AsyncFd::new(&reactor, listener) else { return };
    let mut clients = FuturesUnordered::new();
    loop {
        let accepted = {
            let accepting = std::pin::pin!(accept(&listener, &reactor));
            match select(accepting, clients.next()).await {
                Either::Left((stream, _)) => Some(stream),
                Either::Right((None, accepting)) => Some(accepting.await),
                Either::Right((Some(()), _)) => None,
            }
        };
        let Some(stream) = accepted else { continue };
        if clients.len() >= CONTROL_CLIENTS_MAX {
            refuse(&stream);
            continue;
        }
        clients.push(attend(stream, &reactor, &commands, &inbox, &broadcast));
    }
}

/// Accepts the next client. If no file descriptor is available, the client waits in the kernel's queue.
async fn accept(listener: &AsyncFd<UnixListener>, reactor: &Reactor) -> UnixStream {
    loop {
        let accepted = std::future::poll_fn(|context| {
            listener.poll_with(context, Interest::Read, |listener| listener.accept())
        });
        let taken = accepted.await.and_then(|(stream, _)| stream.set_nonblocking(true).map(|()| stream));
        match taken {
            Ok(stream) => return stream,
            Err(_) => reactor.sleep_until(clock::now() + ACCEPT_AGAIN, clock::now).await,
        }
    }
}

fn refuse(mut stream: &UnixStream) {
    let message = format!("too many clients: the limit is {CONTROL_CLIENTS_MAX}");
    let _ = io::Write::write(&mut stream, reply(Err(CommandError { code: "busy", message })).as_bytes());
}

/// Serves one client until it disconnects. Faults of the client are not errors of the box.
async fn attend(
    stream: UnixStream,
    reactor: &Rc<Reactor>,
    commands: &Commands,
    inbox: &Rc<Inbox>,
    broadcast: &Rc<EventBroadcast>,
) {
    let Ok(stream) = AsyncFd::new(reactor, stream) else { return };
    let mut unread = Vec::new();
    while let Some(words) = read_line(&stream, &mut unread).await {
        if words.is_empty() {
            continue;
        }
        let answer = if words.len() >= CONTROL_LINE_BYTES_MAX {
            Err(CommandError::usage(format!("the line is longer than {CONTROL_LINE_BYTES_MAX} bytes")))
        } else if line::is_word(&words, "watch") {
            match broadcast.watch() {
                Some(watcher) => return watch(&stream, reactor, watcher).await,
                None => {
                    let message =
                        format!("too many watchers: the limit is {WATCHERS_MAX}; one place is for commands");
                    let busy = CommandError { code: "busy", message };
                    // The client is disconnected: it would only occupy the reserved place.
                    let _ = write(&stream, reactor, &reply(Err(busy))).await;
                    return;
                }
            }
        } else {
            carry_out(&words, commands, inbox).await
        };
        if write(&stream, reactor, &reply(answer)).await.is_err() {
            return;
        }
    }
}

async fn carry_out(words: &str, commands: &Commands, inbox: &Inbox) -> Answer {
    let command = line::parse(words)?;
    match command {
        Command::Reload => {
            let slot = Rc::new(Mailbox::new());
            inbox.send(Input::Reload(Some(slot.clone()))).await;
            slot.receive().await
        }
        // Commands that the box decides on go through the inbox, all others to the client.
        Command::Ring(_)
        | Command::Answer
        | Command::HangUp
        | Command::Pulse(_)
        | Command::Mute
        | Command::Unmute
        | Command::Talk(_)
        | Command::Leave
        | Command::Status
        | Command::Metrics => {
            let slot = Rc::new(Mailbox::new());
            inbox.send(Input::Asked(command, slot.clone())).await;
            slot.receive().await
        }
        command => commands.give(command).await,
    }
}

async fn watch(stream: &AsyncFd<UnixStream>, reactor: &Reactor, watcher: Watcher) {
    let mut is_there = write(stream, reactor, &reply(Ok(Value::Null))).await.is_ok();
    while is_there {
        let gone = std::pin::pin!(gone(stream));
        let next = std::pin::pin!(watcher.next());
        let Either::Left((line, _)) = select(next, gone).await else { return };
        is_there = write(stream, reactor, &line).await.is_ok();
    }
}

/// Resolves when the client has closed the connection. Input of a watching client is ignored.
async fn gone(stream: &AsyncFd<UnixStream>) {
    let mut piece = [0; 256];
    while read(stream, &mut piece).await.is_ok_and(|count| count > 0) {}
}

/// Returns the next line without its line end; `None` if the client has disconnected.
async fn read_line(stream: &AsyncFd<UnixStream>, unread: &mut Vec<u8>) -> Option<String> {
    let mut piece = [0; 1024];
    loop {
        if let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = unread.drain(..=end).collect();
            return Some(String::from_utf8_lossy(&line).trim().to_owned());
        }
        if unread.len() > CONTROL_LINE_BYTES_MAX {
            // Truncated, so that the line is refused as too long and the rest of it is dropped.
            unread.truncate(CONTROL_LINE_BYTES_MAX);
        }
        let count = read(stream, &mut piece).await.ok().filter(|count| *count > 0)?;
        unread.extend_from_slice(piece.get(..count).unwrap_or_default());
    }
}

async fn read(stream: &AsyncFd<UnixStream>, piece: &mut [u8]) -> io::Result<usize> {
    std::future::poll_fn(|context| {
        stream.poll_with(context, Interest::Read, |mut stream| io::Read::read(&mut stream, piece))
    })
    .await
}

/// Writes all of `text`, unless the client disconnects or does not read.
async fn write(stream: &AsyncFd<UnixStream>, reactor: &Reactor, text: &str) -> io::Result<()> {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let writing = std::future::poll_fn(|context| {
            stream.poll_with(context, Interest::Write, |mut stream| io::Write::write(&mut stream, rest))
        });
        let stuck = std::pin::pin!(reactor.sleep_until(clock::now() + STUCK, clock::now));
        rest = match select(writing, stuck).await {
            Either::Left((written, _)) => &rest[written?..],
            Either::Right(_) => return Err(io::ErrorKind::TimedOut.into()),
        };
    }
    Ok(())
}

#[derive(Serialize)]
struct Line {
    ok: bool,
    #[serde(skip_serializing_if = "Value::is_null")]
    result: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<CommandError>,
}

fn reply(answer: Answer) -> String {
    let line = match answer {
        Ok(result) => Line { ok: true, result, error: None },
        Err(error) => Line { ok: false, result: Value::Null, error: Some(error) },
    };
    // Plain values can always be serialised.
    escaped(serde_json::to_string(&line).unwrap_or_default()) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_lines_of_json() {
        assert_eq!(reply(Ok(Value::Null)), "{\"ok\":true}\n");
        assert_eq!(reply(Ok(serde_json::json!([1]))), "{\"ok\":true,\"result\":[1]}\n");
        let refused = reply(Err(CommandError::refused("why\nnot")));
        assert_eq!(refused, "{\"ok\":false,\"error\":{\"code\":\"refused\",\"message\":\"why\\nnot\"}}\n");
    }

    #[test]
    fn a_socket_left_behind_is_replaced_and_one_in_use_is_not() {
        let path = std::env::temp_dir().join(format!("kinglet-control-{}", std::process::id()));
        let first = bind(&path).expect("free");
        assert_eq!(bind(&path).expect_err("in use").kind(), io::ErrorKind::AddrInUse);
        drop(first);
        drop(bind(&path).expect("left behind"));
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        std::fs::remove_file(&path).expect("there");
    }
}
