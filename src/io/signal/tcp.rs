//! A TCP connection for the signal task, with or without TLS: plain `AsyncRead` and `AsyncWrite`
//! over our reactor, which is all that async-tungstenite and rustls ask for.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use futures_util::future::{Either, select};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use crate::io::runtime::clock;
use crate::io::runtime::reactor::{AsyncFd, Interest, Reactor};

/// One address is given this long before the next is tried: a SYN, and its repetition after 1 s.
const ADDRESS_PATIENCE: Duration = Duration::from_secs(2);

/// A connected socket.
pub struct Tcp(AsyncFd<TcpStream>);

impl Tcp {
    /// Connects to the first of `addresses` that answers.
    ///
    /// # Errors
    /// The last address's error.
    pub async fn connect(reactor: &Rc<Reactor>, addresses: &[SocketAddr]) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for &address in addresses {
            let attempt = std::pin::pin!(connect_one(reactor, address));
            let patience = std::pin::pin!(reactor.sleep_until(clock::now() + ADDRESS_PATIENCE, clock::now));
            match select(attempt, patience).await {
                Either::Left((Ok(stream), _)) => return Ok(stream),
                Either::Left((Err(error), _)) => last = error,
                Either::Right(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(last)
    }

    /// The server's address of this connection.
    pub fn remote_address(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().peer_addr()
    }

    /// Our address of this connection: the one that reaches the server.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().local_addr()
    }
}

async fn connect_one(reactor: &Rc<Reactor>, address: SocketAddr) -> io::Result<Tcp> {
    let source = AsyncFd::new(reactor, begin(address)?)?;
    std::future::poll_fn(|context| source.poll_with(context, Interest::Write, is_connected)).await?;
    Ok(Tcp(source))
}

/// Data that was sent and is not acknowledged for this long ends the connection. A slow connection with progress
/// continues; the kernel alone would try for a quarter of an hour. It is as long as the server's own ping timeout.
const UNACKNOWLEDGED_MS_MAX: u32 = 15_000;

/// Begins to connect, without waiting; [`is_connected`] reports when it is done.
///
/// # Errors
/// There is no route to that address.
pub(in crate::io) fn begin(address: SocketAddr) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    let stream = TcpStream::from(socket);
    // Messages and datagrams are small, and each is waited for.
    stream.set_nodelay(true)?;
    rustix::net::sockopt::set_tcp_user_timeout(&stream, UNACKNOWLEDGED_MS_MAX)?;
    Ok(stream)
}

/// Whether a connection that was begun is there.
///
/// # Errors
/// `WouldBlock` while it is not; any other error is its end.
pub(in crate::io) fn is_connected(stream: &TcpStream) -> io::Result<()> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error),
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_with(context, Interest::Read, |mut stream| io::Read::read(&mut stream, buffer))
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_with(context, Interest::Write, |mut stream| io::Write::write(&mut stream, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.get_ref().shutdown(std::net::Shutdown::Write))
    }
}

/// A connection to the server, with TLS if the URL requires it.
pub enum Stream {
    /// `ws://`
    Plain(Tcp),
    /// `wss://`
    Tls(Box<TlsStream<Tcp>>),
}

impl Stream {
    /// Puts TLS on a connection. `host` is what the certificate must name.
    ///
    /// # Errors
    /// rustls's error, inside an [`io::Error`].
    pub async fn secure(tcp: Tcp, host: &str, config: Arc<ClientConfig>) -> io::Result<Self> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(Stream::Tls(Box::new(TlsConnector::from(config).connect(name, tcp).await?)))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Stream::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Stream::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_close(context),
            Stream::Tls(tls) => Pin::new(tls).poll_close(context),
        }
    }
}
