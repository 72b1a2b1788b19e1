//! The border between the engine and the io ring: results ([`Notice`]) and orders ([`Action`]).

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
    /// The connection could not be made, and why.
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
        /// URL of the server.
        url: ServerUrl,
        /// Path and query of the request.
        target: String,
        /// The access token.
        token: Secret,
    },
    /// Get the regions of a server's cloud by `GET`, and pass the body to `handle_regions`, or `None` if there is none.
    AskRegions {
        /// URL of the server.
        url: ServerUrl,
        /// Path of the request.
        target: String,
        /// The access token.
        token: Secret,
    },
    /// Get a new token from the source, and pass it to `handle_token`; only if the settings allow that.
    RenewToken,
    /// Look up the addresses of a host, and pass them to `handle_resolved`; an empty list if there are none.
    Resolve {
        /// Name of the host.
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
    /// Open sockets on our addresses, and pass all to `handle_sockets`. Open sockets of this peer connection stay if
    /// the address is still ours, and are closed otherwise.
    OpenSockets(Peer),
    /// Close the sockets of this peer connection, its TCP connection too.
    CloseSockets(Peer),
    /// Carry out an order on a file, and pass the result, if there is one, to `handle_file`.
    File(FileKey, FileOrder),
    /// Read a whole WAV file, and pass it to `handle_recording`.
    LoadRecording {
        /// Which answer it belongs to.
        ticket: Ticket,
        /// Where it is.
        path: String,
    },
    /// Connect this peer connection to an address by TCP (ICE-TCP), and pass the result to `handle_stream`. An older
    /// connection is closed without a notice.
    DialStream(Peer, SocketAddr),
    /// Connect this peer connection to a TURN server, and pass the result to `handle_stream`, as with `DialStream`.
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
    /// Close such a connection, or stop connecting; no notice follows.
    CloseStream(Peer, Protocol),
}

/// Which file an order is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKey {
    /// One that we send.
    Sent(u32),
    /// A file for a stream of another participant.
    Received(u32),
}

/// What is to be done with a file.
///
/// ```text
/// Read ─► ReadMore … (─► Discard)              Create ─► Write … ─► Keep | Discard
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileOrder {
    /// Open the file, and return its name and length.
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
    /// The file is complete: give it its name, and return that.
    Keep,
    /// The file is not needed: close it, and remove it if it was made.
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
