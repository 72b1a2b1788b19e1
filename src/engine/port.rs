//! The border between the engine and the io ring: what is told ([`Notice`]) and asked ([`Action`]).

use std::net::SocketAddr;

use crate::rtc::Peer;
use crate::signal::secret::Secret;

/// What happened to the signal connection, in order. A new one begins with each [`Action::Dial`].
///
/// ```text
/// Reached ─► Opened ─► Message … ─► Closed          Unreachable | Refused end it earlier
/// ```
#[derive(Debug)]
pub enum Notice {
    /// TCP (and TLS) are up; the upgrade is asked for. Sockets can be opened: the address that
    /// reaches the server is known.
    Reached,
    /// The server took the upgrade.
    Opened,
    /// One protobuf message.
    Message(Vec<u8>),
    /// The server answered the upgrade with another status.
    Refused {
        /// HTTP status.
        status: u16,
        /// Beginning of the body.
        body: Vec<u8>,
    },
    /// There is no connection, and why.
    Unreachable(String),
    /// The connection ended, and how.
    Closed(String),
}

/// What happened to the TCP connection of a peer connection. A new one begins with each
/// [`Action::DialStream`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamNotice {
    /// It is there.
    Opened {
        /// Whose it is.
        peer: Peer,
        /// Our address of it.
        local: SocketAddr,
    },
    /// It ended, or could not be made.
    Closed {
        /// Whose it was.
        peer: Peer,
    },
}

/// What the io ring must do, in order.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Connect to the server; an older connection is dropped.
    Dial {
        /// Path and query of the request.
        target: String,
        /// The access token.
        token: Secret,
    },
    /// Ask the source of tokens again, and tell by `handle_token`; only where the settings say that it
    /// can be asked.
    RenewToken,
    /// Write a message.
    Send(Vec<u8>),
    /// Write what is queued, then close.
    HangUp,
    /// Drop the connection.
    Drop,
    /// Open sockets on our addresses and tell them by `handle_sockets`; older ones of this peer
    /// connection are closed.
    OpenSockets(Peer),
    /// Close the sockets of this peer connection, its TCP connection too.
    CloseSockets(Peer),
    /// Connect this peer connection to an address by TCP (ICE-TCP) and tell by `handle_stream`; an older
    /// connection is closed, about which nothing more is told.
    DialStream(Peer, SocketAddr),
    /// Close that connection, or give it up while it is being made; nothing more is told.
    CloseStream(Peer),
}
