//! A connection for the datagrams of a peer connection, framed by `rtc::framing`: by TCP to the LiveKit server
//! (ICE-TCP), by TCP or TLS to a TURN server.
//!
//! ```text
//!   dial ─► connecting, securing ─► open ─► read: frames … write: frames ─► ended
//!                 └────────────── failed ────────────────────────►┘
//! ```

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::io::runtime::reactor::Interest;
use crate::io::signal::tcp;
use crate::limits::DATAGRAM_BYTES_MAX;
use crate::rtc::framing::{Deframer, FrameQueue, Framing};
use crate::rtc::{Peer, Protocol};

/// Bytes of a connection that wait outside of our queue, in the kernel or in TLS: two datagrams.
const UNSENT_BYTES_MAX: usize = 2 * DATAGRAM_BYTES_MAX;

/// A connection, from its first SYN on.
pub struct MediaStream {
    /// The peer connection that it serves.
    pub peer: Peer,
    /// What it carries datagrams as.
    pub protocol: Protocol,
    /// The server's address.
    pub remote: SocketAddr,
    socket: Socket,
    /// Our address, once TCP is up.
    local: Option<SocketAddr>,
    state: StreamState,
    deframer: Box<Deframer>,
    queue: Box<FrameQueue>,
}

enum Socket {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamState {
    /// The SYN is on its way, or the keys are being agreed on.
    Connecting,
    /// It is there; our address of it.
    Open(SocketAddr),
    /// It failed or ended.
    Ended,
}

impl MediaStream {
    /// Begins to connect.
    ///
    /// # Errors
    /// There is no route to that address.
    pub fn dial(peer: Peer, remote: SocketAddr) -> io::Result<Self> {
        Ok(Self::new(peer, remote, Socket::Plain(tcp::begin(remote)?), Protocol::Tcp))
    }

    /// Begins to connect to a TURN server, with TLS where a name is given that its certificate must have.
    ///
    /// # Errors
    /// There is no route to that address, or the name cannot be in a certificate.
    pub fn dial_relay(
        peer: Peer,
        remote: SocketAddr,
        tls: Option<(&str, Arc<ClientConfig>)>,
    ) -> io::Result<Self> {
        let tcp = tcp::begin(remote)?;
        let socket = match tls {
            None => Socket::Plain(tcp),
            Some((name, config)) => {
                let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
                let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
                Socket::Tls(Box::new(StreamOwned::new(connection, tcp)))
            }
        };
        Ok(Self::new(peer, remote, socket, Protocol::Turn))
    }

    fn new(peer: Peer, remote: SocketAddr, socket: Socket, protocol: Protocol) -> Self {
        super::udp::mark_expedited(socket.tcp(), remote.ip());
        // What waits is late, and has to be discarded when the microphone is muted: so it waits in our queue, and not in
        // the kernel.
        super::udp::set_option(
            socket.tcp(),
            libc::IPPROTO_TCP,
            libc::TCP_NOTSENT_LOWAT,
            UNSENT_BYTES_MAX as i32,
        );
        let framing = if protocol == Protocol::Turn { Framing::Turn } else { Framing::Lengths };
        Self {
            peer,
            protocol,
            remote,
            socket,
            local: None,
            state: StreamState::Connecting,
            deframer: Box::new(Deframer::new(framing)),
            queue: Box::new(FrameQueue::new(framing)),
        }
    }

    /// The descriptor to watch.
    pub fn raw_fd(&self) -> RawFd {
        self.socket.tcp().as_raw_fd()
    }

    /// What to watch it for.
    pub fn interest(&self) -> Interest {
        match self.state {
            StreamState::Connecting if self.local.is_none() => Interest::Write,
            _ if self.queue.unwritten().is_empty() && !self.socket.wants_write() => Interest::Read,
            _ => Interest::Both,
        }
    }

    /// How far it has come by now.
    pub fn poll_state(&mut self) -> StreamState {
        if self.state == StreamState::Connecting {
            match self.connect() {
                Ok(local) => self.state = StreamState::Open(local),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => self.state = StreamState::Ended,
            }
        }
        self.write();
        self.state
    }

    fn connect(&mut self) -> io::Result<SocketAddr> {
        let local = match self.local {
            Some(local) => local,
            None => {
                tcp::is_connected(self.socket.tcp())?;
                *self.local.insert(self.socket.tcp().local_addr()?)
            }
        };
        if let Socket::Tls(stream) = &mut self.socket {
            // Continues the handshake as far as possible.
            stream.flush()?;
            if stream.conn.is_handshaking() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        Ok(local)
    }

    /// The next datagram, if there is one: its length.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Option<usize> {
        loop {
            if let Some(len) = self.deframer.take(buffer) {
                return Some(len);
            }
            if !matches!(self.state, StreamState::Open(_)) {
                return None;
            }
            match self.socket.read(self.deframer.space()) {
                Ok(0) => self.state = StreamState::Ended,
                Ok(count) => self.deframer.filled(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(_) => self.state = StreamState::Ended,
            }
        }
    }

    /// Sends a datagram; `false` if it was lost, because too much waits already.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        let is_taken = matches!(self.state, StreamState::Open(_)) && self.queue.push(bytes);
        self.write();
        is_taken
    }

    /// Discards the sound that waits.
    pub fn discard_sound(&mut self) {
        self.queue.discard_sound();
    }

    fn write(&mut self) {
        while matches!(self.state, StreamState::Open(_)) && !self.queue.unwritten().is_empty() {
            let unwritten = self.queue.unwritten();
            match self.socket.write(unwritten.get(..UNSENT_BYTES_MAX).unwrap_or(unwritten)) {
                Ok(0) => self.state = StreamState::Ended,
                Ok(count) => self.queue.written(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.state = StreamState::Ended,
            }
        }
        // What TLS has taken may still wait in it; an error shows at the next read.
        if matches!(self.state, StreamState::Open(_)) && self.socket.wants_write() {
            let _ = self.socket.flush();
        }
    }
}

impl Socket {
    fn tcp(&self) -> &TcpStream {
        match self {
            Socket::Plain(tcp) => tcp,
            Socket::Tls(stream) => &stream.sock,
        }
    }

    fn wants_write(&self) -> bool {
        matches!(self, Socket::Tls(stream) if stream.conn.wants_write())
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(tcp) => tcp.read(buffer),
            Socket::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(tcp) => tcp.write(bytes),
            Socket::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Socket::Plain(_) => Ok(()),
            Socket::Tls(stream) => stream.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::time::Duration;

    /// Loopback is quick, but not instantaneous.
    fn until<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
        let reactor = crate::io::runtime::reactor::Reactor::new().expect("a poller");
        for _ in 0..400 {
            if let Some(done) = attempt() {
                return done;
            }
            let now = crate::io::runtime::clock::now();
            reactor.wait(Some(now + Duration::from_millis(5)), now).expect("waits");
        }
        panic!("nothing came");
    }

    #[test]
    fn datagrams_go_both_ways_until_the_other_side_ends_it() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let mut ours =
            MediaStream::dial(Peer::Publisher, listener.local_addr().expect("an address")).expect("dials");
        let (mut theirs, from) = listener.accept().expect("accepted");
        let local = until(|| match ours.poll_state() {
            StreamState::Open(local) => Some(local),
            _ => None,
        });
        assert_eq!(local, from);
        assert!(ours.send(b"one") && ours.send(b"three"));
        let mut bytes = [0; 12];
        theirs.read_exact(&mut bytes).expect("read");
        assert_eq!(&bytes, b"\0\x03one\0\x05three");
        theirs.write_all(b"\0\x02hi\0\x03you\0").expect("written");
        let mut buffer = [0; 100];
        assert_eq!(until(|| ours.receive(&mut buffer)), 2);
        assert_eq!(ours.receive(&mut buffer), Some(3));
        assert_eq!(&buffer[..3], b"you");
        assert_eq!(ours.receive(&mut buffer), None);
        drop(theirs);
        until(|| {
            ours.receive(&mut buffer);
            (ours.poll_state() == StreamState::Ended).then_some(())
        });
    }

    #[test]
    fn who_does_not_read_costs_datagrams_and_not_memory() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let mut ours =
            MediaStream::dial(Peer::Publisher, listener.local_addr().expect("an address")).expect("dials");
        let _theirs = listener.accept().expect("accepted");
        until(|| matches!(ours.poll_state(), StreamState::Open(_)).then_some(()));
        let lost = (0..20_000).filter(|_| !ours.send(&[1; 1000])).count();
        assert!(lost > 5_000, "the kernel takes a few megabytes, we no more than the queue: {lost} lost");
        assert_eq!(ours.interest(), Interest::Both);
    }

    #[test]
    fn sound_that_a_slow_connection_has_not_taken_can_be_discarded() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        // Of a small window, as a slow line has it.
        crate::io::net::udp::set_option(&listener, libc::SOL_SOCKET, libc::SO_RCVBUF, 4096);
        let mut ours =
            MediaStream::dial(Peer::Publisher, listener.local_addr().expect("an address")).expect("dials");
        let (mut theirs, _) = listener.accept().expect("accepted");
        until(|| matches!(ours.poll_state(), StreamState::Open(_)).then_some(()));
        // 128: the first byte of RTP.
        while ours.send(&[128; 200]) {}
        ours.discard_sound();
        assert!(ours.queue.unwritten().len() < 202, "but for what is partly written");
        assert!(ours.send(b"\x16key"));
        let mut came = Vec::new();
        theirs.set_read_timeout(Some(Duration::from_millis(20))).expect("set");
        until(|| {
            ours.poll_state();
            let mut buffer = [0; 4096];
            while let Ok(count) = theirs.read(&mut buffer) {
                came.extend_from_slice(&buffer[..count]);
            }
            came.ends_with(b"\0\x04\x16key").then_some(())
        });
        println!("{} bytes were in the kernel", came.len());
        assert!(came.len() < 32 * 1024, "{} bytes", came.len());
    }

    #[test]
    fn a_port_where_nobody_listens_is_the_end_of_it() {
        let address =
            TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("bound");
        let Ok(mut ours) = MediaStream::dial(Peer::Subscriber, address) else { return };
        until(|| (ours.poll_state() == StreamState::Ended).then_some(()));
    }
}
