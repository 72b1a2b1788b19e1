//! The border between the engine and the io ring: what is told ([`Notice`]) and asked ([`Action`]).

use std::net::SocketAddr;

use crate::command::Ticket;
use crate::rtc::{Peer, Protocol};
use crate::signal::refusal::Refusal;
use crate::signal::secret::Secret;
use crate::signal::url::ServerUrl;

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
    Refused(Refusal),
    /// There is no connection, and why.
    Unreachable(String),
    /// The connection ended, and how.
    Closed(String),
}

/// What happened to a connection of a peer connection, to the server or to a TURN server. A new one begins with
/// each [`Action::DialStream`] and [`Action::DialRelay`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamNotice {
    /// It is there.
    Opened {
        /// Whose it is.
        peer: Peer,
        /// What it carries datagrams as.
        protocol: Protocol,
        /// Our address of it.
        local: SocketAddr,
    },
    /// It ended, or could not be made.
    Closed {
        /// Whose it was.
        peer: Peer,
        /// What it carried datagrams as.
        protocol: Protocol,
    },
}

/// What the io ring must do, in order.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Connect to the server; an older connection is dropped.
    Dial {
        /// The server.
        url: ServerUrl,
        /// Path and query of the request.
        target: String,
        /// The access token.
        token: Secret,
    },
    /// Ask a server for the regions of its cloud by `GET`, and tell the answer's body by `handle_regions`, nothing where
    /// there is none.
    AskRegions {
        /// The server.
        url: ServerUrl,
        /// Path of the request.
        target: String,
        /// The access token.
        token: Secret,
    },
    /// Ask the source of tokens again, and tell by `handle_token`; only where the settings say that it
    /// can be asked.
    RenewToken,
    /// Look up a host's addresses and tell them by `handle_resolved`, none where there are none.
    Resolve {
        /// Its name.
        host: String,
        /// What the addresses are to be completed with.
        port: u16,
    },
    /// Write a message.
    Send(Vec<u8>),
    /// Write what is queued, then close.
    HangUp,
    /// Drop the connection.
    Drop,
    /// Open sockets on our addresses and tell them by `handle_sockets`. Those of this peer connection that
    /// are open already stay where the address is still ours, and are closed where it is not.
    OpenSockets(Peer),
    /// Close the sockets of this peer connection, its TCP connection too.
    CloseSockets(Peer),
    /// Do something with a file, and tell by `handle_file` what there is to tell.
    File(FileKey, FileOrder),
    /// Read a WAV file whole, and tell by `handle_recording`.
    LoadRecording {
        /// Which answer it belongs to.
        ticket: Ticket,
        /// Where it is.
        path: String,
    },
    /// Connect this peer connection to an address by TCP (ICE-TCP) and tell by `handle_stream`; an older
    /// connection is closed, about which nothing more is told.
    DialStream(Peer, SocketAddr),
    /// Connect this peer connection to a TURN server and tell by `handle_stream`; as with `DialStream`.
    DialRelay {
        /// Whose it will be.
        peer: Peer,
        /// The TURN server's.
        address: SocketAddr,
        /// With TLS: the name that its certificate must have.
        tls_name: Option<String>,
    },
    /// Discard the sound (RTP) that waits in connections of this peer connection: it has become private.
    DiscardSound(Peer),
    /// Close such a connection, or give it up while it is being made; nothing more is told.
    CloseStream(Peer, Protocol),
}

/// Which file an order is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKey {
    /// One that we send.
    Sent(u32),
    /// One that a stream of somebody else is stored in.
    Received(u32),
}

/// What is to be done with a file.
///
/// ```text
/// Read ─► ReadMore … (─► Discard)              Create ─► Write … ─► Keep | Discard
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileOrder {
    /// Open it, and tell its name and length.
    Read {
        /// Where it is.
        path: String,
    },
    /// Read the next chunk, of at most [`STREAM_CHUNK_BYTES`](crate::limits::STREAM_CHUNK_BYTES).
    ReadMore,
    /// Make a new one.
    Create {
        /// What its sender calls it: of no trustworthy form.
        name: String,
    },
    /// Add to it.
    Write(Vec<u8>),
    /// It is whole: give it its name, and tell it.
    Keep,
    /// It is of no use: close it, and remove it if it was made.
    Discard,
}

impl FileOrder {
    /// Whether it is the first one of its file.
    pub fn is_first(&self) -> bool {
        matches!(self, FileOrder::Read { .. } | FileOrder::Create { .. })
    }
}

/// What has become of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileNotice {
    /// It is open.
    Opened {
        /// The last part of its path.
        name: String,
        /// How long it is.
        bytes: u64,
    },
    /// The next bytes of it.
    Chunk(Vec<u8>),
    /// It has no more.
    End,
    /// It is stored here.
    Stored(String),
    /// It cannot be read or written, and why; nothing follows.
    Failed(String),
}
