//! The only place that keeps str0m's contract: one change, then poll until it returns a timeout.
//!
//! - A fresh connection does nothing until it has seen one timeout, so [`Connection::new`] feeds one.
//! - Each change is followed by a drain. In RTP mode a skipped drain loses packets (str0m keeps one).
//! - A written packet leaves only after `Input::Timeout(now)`: [`Connection::advance`] feeds it.
//! - An `Err` is final: the connection is dead and reports it once.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::net::Receive;
use str0m::{Event, Input, Output as Polled, Rtc, RtcConfig};

use super::admission::{Admission, is_stun};
use super::{Datagram, Protocol};
use crate::limits::CHANNELS_MAX;

/// Passes of "a timeout is due already" in one drain. DTLS and SCTP need up to four in a handshake;
/// what is left is done at the next wake-up.
const DUE_PASSES_MAX: usize = 16;

/// The path that datagrams take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carrier {
    /// What carries them.
    pub protocol: Protocol,
    /// Our end: an address of this device, or one on a TURN server.
    pub ours: SocketAddr,
    /// The server's end.
    pub server: SocketAddr,
}

/// One datagram to send.
pub struct Transmit {
    /// What is to carry it.
    pub protocol: Protocol,
    /// Our address that it must leave from.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    contents: str0m::net::DatagramSend,
}

impl Transmit {
    /// One that is not str0m's.
    pub(super) fn new(
        protocol: Protocol,
        source: SocketAddr,
        destination: SocketAddr,
        bytes: Vec<u8>,
    ) -> Self {
        Self { protocol, source, destination, contents: bytes.into() }
    }

    /// The bytes of the datagram.
    pub fn bytes(&self) -> &[u8] {
        &self.contents
    }
}

/// The results of a drain: datagrams for the network, events for the owner of the connection.
pub enum Output<E> {
    /// A datagram to send.
    Transmit(Transmit),
    /// An event of the connection.
    Event(E),
}

/// Why a peer connection is dead. Only a new one helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(pub String);

/// A datagram that may reach str0m, see [`Connection::admit`].
pub(super) struct Admitted<'d>(Receive<'d>);

/// A str0m session with its drain contract kept.
pub(super) struct Connection {
    rtc: Box<Rtc>,
    deadline: Instant,
    failed: bool,
    /// Data channels that were ever opened on it, by either side.
    channels: usize,
    admission: Admission,
    carrier: Option<Carrier>,
}

impl Connection {
    /// Builds the session and wakes its ICE agent. Costs about 11 M instructions.
    pub(super) fn new(config: RtcConfig, now: Instant) -> Self {
        let mut connection = Self {
            rtc: Box::new(config.build(now)),
            deadline: now,
            failed: false,
            channels: 0,
            admission: Admission::default(),
            carrier: None,
        };
        connection.advance(now, &mut |_| {}).ok();
        connection
    }

    /// The session itself, for one change. [`Connection::advance`] must follow.
    pub(super) fn rtc(&mut self) -> &mut Rtc {
        &mut self.rtc
    }

    /// Whether ICE and DTLS are up. Nothing may be written before: str0m would queue without bound.
    pub(super) fn is_connected(&self) -> bool {
        !self.failed && self.rtc.is_connected()
    }

    /// Lets time pass and drains.
    ///
    /// # Errors
    /// The connection is dead.
    pub(super) fn advance(
        &mut self,
        now: Instant,
        sink: &mut dyn FnMut(Output<Event>),
    ) -> Result<(), Failure> {
        self.feed(Input::Timeout(now), sink)?;
        for _ in 0..DUE_PASSES_MAX {
            if self.deadline > now {
                return Ok(());
            }
            self.feed(Input::Timeout(now), sink)?;
        }
        // Still due: come back soon instead of spinning here while sound waits.
        self.deadline = now + Duration::from_millis(1);
        Ok(())
    }

    /// Takes one datagram, or nothing if it is neither a good check nor from an address that sent one, or no STUN,
    /// DTLS, RTP or RTCP.
    pub(super) fn admit<'d>(&mut self, datagram: &Datagram<'d>, now: Instant) -> Option<Admitted<'d>> {
        let Datagram { protocol, source, destination, bytes } = *datagram;
        let transport = match protocol {
            Protocol::Udp => str0m::net::Protocol::Udp,
            Protocol::Tcp => str0m::net::Protocol::Tcp,
            // Meant for the TURN client: what comes through it comes by UDP.
            Protocol::Turn => return None,
        };
        let is_check = is_stun(bytes);
        if !is_check && !self.admission.is_validated(protocol, source) {
            return None;
        }
        let input = Input::Receive(now, Receive::new(transport, source, destination, bytes).ok()?);
        if is_check && !self.rtc.accepts(&input) {
            return None;
        }
        if is_check {
            self.admission.validate(protocol, source);
        } else {
            self.carrier = Some(Carrier { protocol, ours: destination, server: source });
        }
        match input {
            Input::Receive(_, receive) => Some(Admitted(receive)),
            Input::Timeout(_) => None,
        }
    }

    /// Feeds one datagram and drains.
    ///
    /// # Errors
    /// The connection is dead.
    pub(super) fn receive(
        &mut self,
        Admitted(receive): Admitted<'_>,
        now: Instant,
        sink: &mut dyn FnMut(Output<Event>),
    ) -> Result<(), Failure> {
        self.feed(Input::Receive(now, receive), sink)?;
        if self.deadline <= now { self.advance(now, sink) } else { Ok(()) }
    }

    /// What carried the last datagram that was no check.
    pub(super) fn carrier(&self) -> Option<Carrier> {
        self.carrier
    }

    /// When [`Connection::advance`] is due; changes with each call of it and of `receive`.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        (!self.failed).then_some(self.deadline)
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut dyn FnMut(Output<Event>)) -> Result<(), Failure> {
        if self.failed {
            return Ok(());
        }
        let result = self.rtc.handle_input(input);
        // Also after an error: what is queued (close_notify) still goes out.
        let drained = self.drain(sink);
        let failure = match (result, drained) {
            (Ok(()), Ok(())) if self.channels <= CHANNELS_MAX => return Ok(()),
            (Ok(()), Ok(())) => Failure("the server opens one data channel after the other".to_owned()),
            (Err(error), _) | (_, Err(error)) => Failure(error.to_string()),
        };
        self.failed = true;
        Err(failure)
    }

    fn drain(&mut self, sink: &mut dyn FnMut(Output<Event>)) -> Result<(), str0m::error::RtcError> {
        loop {
            match self.rtc.poll_output()? {
                Polled::Timeout(at) => {
                    self.deadline = at;
                    return Ok(());
                }
                Polled::Transmit(transmit) => sink(Output::Transmit(Transmit {
                    // Nothing but UDP and TCP candidates is ever added.
                    protocol: match transmit.proto {
                        str0m::net::Protocol::Udp => Protocol::Udp,
                        _ => Protocol::Tcp,
                    },
                    source: transmit.source,
                    destination: transmit.destination,
                    contents: transmit.contents,
                })),
                Polled::Event(event) => {
                    self.channels += usize::from(matches!(event, Event::ChannelOpen(..)));
                    sink(Output::Event(event));
                }
            }
        }
    }
}
