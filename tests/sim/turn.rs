//! A TURN server (RFC 8656) beside the SFU, by `turn-server-proto`: addresses on it are relayed to whoever asked for them.
//!
//! ```text
//!   client ══ UDP to 10.0.0.9:3478 ══► Turn ── from 10.0.0.9:50001 … ──► Sfu          no delay of its own
//! ```

use crate::link::Datagram;
use crate::nat::STUN_SERVER;
use kinglet::rtc::Protocol;
use livekit_protocol::IceServer;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;
use turn_server_proto::api::{Transmit, TurnServerApi, TurnServerPollRet};
use turn_server_proto::server::TurnServer;
use turn_server_proto::types::prelude::DelayedTransmitBuild;
use turn_server_proto::types::{Instant as TurnInstant, TransportType};

const USER: &str = "panel";
const PASSWORD: &str = "a password for simulations";

/// The server and the addresses that it has given out.
pub struct Turn {
    server: TurnServer,
    epoch: Instant,
    next_port: u16,
    /// Addresses that were given out.
    pub allocations: u16,
    /// Datagrams that went through it to the SFU.
    pub relayed: u64,
}

impl Turn {
    /// A server that knows one user.
    pub fn new(now: Instant) -> Turn {
        let mut server =
            TurnServer::new(TransportType::Udp, SocketAddr::from(STUN_SERVER), "simulation".to_owned());
        server.add_user(USER.to_owned(), PASSWORD.to_owned());
        Turn { server, epoch: now, next_port: 50_000, allocations: 0, relayed: 0 }
    }

    /// How clients are told of it.
    pub fn ice_server() -> IceServer {
        let (ip, port) = (IpAddr::from(STUN_SERVER.0), STUN_SERVER.1);
        IceServer {
            urls: vec![format!("turn:{ip}:{port}?transport=udp")],
            username: USER.to_owned(),
            credential: PASSWORD.to_owned(),
        }
    }

    /// Whether the world finds it, or who is behind it, there.
    pub fn is_at(address: SocketAddr) -> bool {
        address.ip() == IpAddr::from(STUN_SERVER.0)
    }

    /// Takes a datagram of a client or of the SFU; what it makes it send.
    pub fn handle(&mut self, datagram: Datagram, now: Instant) -> Vec<Datagram> {
        let time = TurnInstant::from_nanos(now.saturating_duration_since(self.epoch).as_nanos() as i64);
        let Datagram { source, destination, bytes, .. } = datagram;
        let message = Transmit::new(bytes, TransportType::Udp, source, destination);
        let mut sent: Vec<Transmit<Vec<u8>>> = Vec::new();
        sent.extend(self.server.recv(message, time).map(|passed| {
            let (transport, from, to) = (passed.transport, passed.from, passed.to);
            Transmit::new(passed.data.build(), transport, from, to)
        }));
        loop {
            match self.server.poll(time) {
                TurnServerPollRet::AllocateSocket {
                    transport,
                    listen_addr,
                    client_addr,
                    allocation_transport,
                    family,
                } => {
                    self.next_port += 1;
                    self.allocations += 1;
                    let address = SocketAddr::new(STUN_SERVER.0.into(), self.next_port);
                    self.server.allocated_socket(
                        transport,
                        listen_addr,
                        client_addr,
                        allocation_transport,
                        family,
                        Ok(address),
                        time,
                    );
                }
                TurnServerPollRet::SocketClose { .. } => {}
                _ => break,
            }
        }
        sent.extend(std::iter::from_fn(|| self.server.poll_transmit(time)));
        self.relayed += sent.iter().filter(|transmit| !Self::listens_at(transmit.from)).count() as u64;
        let datagram = |transmit: Transmit<Vec<u8>>| Datagram {
            protocol: Protocol::Udp,
            source: transmit.from,
            destination: transmit.to,
            bytes: transmit.data,
        };
        sent.into_iter().map(datagram).collect()
    }

    fn listens_at(address: SocketAddr) -> bool {
        address == SocketAddr::from(STUN_SERVER)
    }
}
