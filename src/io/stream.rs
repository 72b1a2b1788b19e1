//! A TCP connection for the datagrams of a peer connection (ICE-TCP), framed by `rtc::framing`.
//!
//! ```text
//!   dial ─► connecting ─► open ─► read: frames … write: frames ─► ended
//!                 └────────────── failed ────────────────────────►┘
//! ```

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, RawFd};

use super::reactor::Interest;
use super::tcp;
use crate::rtc::Peer;
use crate::rtc::framing::{Deframer, FrameQueue};

/// A connection, from its first SYN on.
pub struct MediaStream {
    /// The peer connection that it serves.
    pub peer: Peer,
    /// The server's address.
    pub remote: SocketAddr,
    socket: TcpStream,
    state: State,
    deframer: Box<Deframer>,
    queue: Box<FrameQueue>,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The SYN is on its way.
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
    /// There is no way to that address at all.
    pub fn dial(peer: Peer, remote: SocketAddr) -> io::Result<Self> {
        let socket = tcp::begin(remote)?;
        super::udp::mark_expedited(&socket, remote.ip());
        let state = State::Connecting;
        Ok(Self { peer, remote, socket, state, deframer: Box::default(), queue: Box::default() })
    }

    /// The descriptor to watch.
    pub fn raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// What to watch it for.
    pub fn interest(&self) -> Interest {
        match self.state {
            State::Connecting => Interest::Write,
            _ if self.queue.unwritten().is_empty() => Interest::Read,
            _ => Interest::Both,
        }
    }

    /// How far it has come by now.
    pub fn poll_state(&mut self) -> State {
        if self.state == State::Connecting {
            match tcp::is_connected(&self.socket).and_then(|()| self.socket.local_addr()) {
                Ok(local) => self.state = State::Open(local),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => self.state = State::Ended,
            }
        }
        self.write();
        self.state
    }

    /// The next datagram, if there is one: its length.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Option<usize> {
        loop {
            if let Some(len) = self.deframer.take(buffer) {
                return Some(len);
            }
            if !matches!(self.state, State::Open(_)) {
                return None;
            }
            match self.socket.read(self.deframer.space()) {
                Ok(0) => self.state = State::Ended,
                Ok(count) => self.deframer.filled(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(_) => self.state = State::Ended,
            }
        }
    }

    /// Sends a datagram; `false` if it was lost, because too much waits already.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        let is_taken = matches!(self.state, State::Open(_)) && self.queue.push(bytes);
        self.write();
        is_taken
    }

    fn write(&mut self) {
        while matches!(self.state, State::Open(_)) && !self.queue.unwritten().is_empty() {
            match self.socket.write(self.queue.unwritten()) {
                Ok(0) => self.state = State::Ended,
                Ok(count) => self.queue.written(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.state = State::Ended,
            }
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
        let reactor = crate::io::reactor::Reactor::new().expect("a poller");
        for _ in 0..400 {
            if let Some(done) = attempt() {
                return done;
            }
            let now = crate::io::clock::now();
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
            State::Open(local) => Some(local),
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
            (ours.poll_state() == State::Ended).then_some(())
        });
    }

    #[test]
    fn who_does_not_read_costs_datagrams_and_not_memory() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let mut ours =
            MediaStream::dial(Peer::Publisher, listener.local_addr().expect("an address")).expect("dials");
        let _theirs = listener.accept().expect("accepted");
        until(|| matches!(ours.poll_state(), State::Open(_)).then_some(()));
        let lost = (0..20_000).filter(|_| !ours.send(&[1; 1000])).count();
        assert!(lost > 5_000, "the kernel takes a few megabytes, we no more than the queue: {lost} lost");
        assert_eq!(ours.interest(), Interest::Both);
    }

    #[test]
    fn a_port_where_nobody_listens_is_the_end_of_it() {
        let address =
            TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("bound");
        let Ok(mut ours) = MediaStream::dial(Peer::Subscriber, address) else { return };
        until(|| (ours.poll_state() == State::Ended).then_some(()));
    }
}
