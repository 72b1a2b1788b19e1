//! The signal connection as a task: it is dialled and upgraded, then messages go both ways.
//!
//! It decides nothing. What happens goes to the engine as [`Notice`]s, in order; what the engine
//! wants written comes as [`Order`]s. Dropping the task closes the socket.
//!
//! ```text
//!   Reached ─► Opened ─► Message … ─► Closed          Unreachable | Refused | Closed end it
//! ```

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;

use async_tungstenite::tungstenite::handshake::client::Request;
use async_tungstenite::tungstenite::protocol::WebSocketConfig;
use async_tungstenite::tungstenite::{Error, Message};
use async_tungstenite::{WebSocketReceiver, WebSocketSender, client_async_with_config};
use futures_util::StreamExt;
use futures_util::future::{Either, select};

use super::dial::{Dial, USER_AGENT, reach};
use super::tcp::Stream;
use super::validate;
use crate::engine::Notice;
use crate::io::runtime::clock;
use crate::io::runtime::mailbox::Mailbox;
use crate::io::runtime::reactor::Reactor;
use crate::limits::{
    MESSAGE_BYTES_MAX, SIGNAL_MAILBOX_MESSAGES, SIGNAL_MESSAGE_LARGE_BYTES, WRITE_BUFFER_BYTES_MAX,
};
use crate::signal::refusal::Refusal;
use crate::time::date::UnixTime;

/// One read of the socket. Messages are a few hundred bytes; a full room's join is read in pieces.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// What the engine wants.
pub enum Order {
    /// Write this message.
    Send(Vec<u8>),
    /// Write what is queued, then close.
    HangUp,
}

/// Both queues of one connection.
#[derive(Default)]
pub struct Wire {
    /// To the engine.
    pub notices: Mailbox<Notice, SIGNAL_MAILBOX_MESSAGES>,
    /// Our address that reaches the server, from `Reached` on.
    pub local_address: Cell<Option<IpAddr>>,
    /// From the engine.
    pub orders: Mailbox<Order, SIGNAL_MAILBOX_MESSAGES>,
}

/// Runs one connection to its end.
pub async fn run(dial: Dial, wire: Rc<Wire>, reactor: Rc<Reactor>) {
    let last = match open(&dial, &wire, &reactor).await {
        Ok(socket) => {
            wire.notices.send(Notice::Opened).await;
            let (sender, receiver) = socket.split();
            let reading = std::pin::pin!(read(receiver, &wire));
            let writing = std::pin::pin!(write(sender, &wire));
            match select(reading, writing).await {
                Either::Left((how, _)) | Either::Right((how, _)) => Notice::Closed(how),
            }
        }
        Err(notice) => notice,
    };
    wire.notices.send(last).await;
}

async fn open(
    dial: &Dial,
    wire: &Wire,
    reactor: &Rc<Reactor>,
) -> Result<async_tungstenite::WebSocketStream<Stream>, Notice> {
    let (stream, local) = reach(dial, reactor).await?;
    wire.local_address.set(Some(local));
    wire.notices.send(Notice::Reached).await;
    let request = request(dial).map_err(|error| Notice::Unreachable(error.to_string()))?;
    match client_async_with_config(request, stream, Some(config())).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => {
            let date = response.headers().get("Date").and_then(|date| date.to_str().ok());
            let date = date.and_then(UnixTime::of_http_date).unwrap_or(UnixTime(clock::unix_time_s()));
            let behind_s = date.0 as i64 - clock::unix_time_s() as i64;
            let status = response.status().as_u16();
            let location = response.headers().get("Location").and_then(|location| location.to_str().ok());
            let location = location.unwrap_or_default().to_owned();
            let body = response.into_body().unwrap_or_default();
            let refusal = Refusal::new(status, &body).with_clock_behind(behind_s).with_location(&location);
            Err(Notice::Refused(validate::explain(refusal, dial, reactor).await))
        }
        Err(error) => {
            let (host, port) = (dial.url.host(), dial.url.port());
            Err(Notice::Unreachable(format!("{host}:{port} does not speak WebSocket: {error}")))
        }
    }
}

fn request(dial: &Dial) -> Result<Request, async_tungstenite::tungstenite::http::Error> {
    let scheme = if dial.url.is_secure() { "wss" } else { "ws" };
    let authority = dial.url.authority();
    Request::builder()
        .uri(format!("{scheme}://{authority}{}", dial.target))
        .header("Host", authority)
        .header("Authorization", format!("Bearer {}", dial.token.reveal()))
        .header("User-Agent", USER_AGENT)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", async_tungstenite::tungstenite::handshake::client::generate_key())
        .body(())
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        // Written at once: each message is waited for.
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
}

async fn read(mut receiver: WebSocketReceiver<Stream>, wire: &Wire) -> String {
    loop {
        match receiver.next().await {
            Some(Ok(Message::Binary(bytes))) => {
                let is_large = bytes.len() > SIGNAL_MESSAGE_LARGE_BYTES;
                wire.notices.send(Notice::Message(bytes.into())).await;
                if is_large {
                    wire.notices.drained().await;
                }
            }
            // Pings are answered by the library; text would be JSON, which we never asked for.
            Some(Ok(Message::Close(_))) => return "the server closed the signal connection".to_owned(),
            Some(Ok(_)) => {}
            Some(Err(error)) => return format!("signal connection lost: {error}"),
            None => return "the signal connection ended".to_owned(),
        }
    }
}

async fn write(mut sender: WebSocketSender<Stream>, wire: &Wire) -> String {
    loop {
        let sent = match wire.orders.receive().await {
            Order::Send(bytes) => sender.send(Message::Binary(bytes.into())).await,
            Order::HangUp => {
                // Both frames are flushed when this returns.
                let _ = sender.close(None).await;
                return "hung up".to_owned();
            }
        };
        if let Err(error) = sent {
            return format!("signal connection lost: {error}");
        }
    }
}
