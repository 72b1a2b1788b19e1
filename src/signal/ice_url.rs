//! Where a STUN or TURN server is: [`IceUrl`], as the server's `ice_servers` name it.
//!
//! ```text
//! stun:host[:port]     turn:host[:port][?transport=udp|tcp]     turns:host[:port][?transport=tcp]
//! ```
//!
//! RFC 7064 and RFC 7065. URLs that are not supported here (`stuns:`, DTLS) are refused.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// RFC 8489 §18.6 and RFC 8656 §19: the usual ports, without and with TLS.
const PORT: u16 = 3478;
const PORT_TLS: u16 = 5349;

/// What is spoken to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IceProtocol {
    /// STUN over UDP.
    Stun,
    /// TURN over UDP. Such a server answers STUN too.
    TurnUdp,
    /// TURN over TCP.
    TurnTcp,
    /// TURN over TLS.
    TurnTls,
}

/// One URL of a STUN or TURN server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceUrl {
    /// What is spoken.
    pub protocol: IceProtocol,
    /// A name, or an IP address without brackets.
    pub host: String,
    /// Written or usual.
    pub port: u16,
}

/// A text that is not the URL of a usable server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotUsable;

impl IceUrl {
    /// Its address, where no look-up is needed.
    pub fn address(&self) -> Option<SocketAddr> {
        self.host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, self.port))
    }
}

impl IceProtocol {
    /// Whether a binding request by UDP is answered.
    pub fn answers_stun(self) -> bool {
        matches!(self, IceProtocol::Stun | IceProtocol::TurnUdp)
    }
}

impl FromStr for IceUrl {
    type Err = NotUsable;

    fn from_str(text: &str) -> Result<IceUrl, NotUsable> {
        let (scheme, rest) = text.split_once(':').ok_or(NotUsable)?;
        let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
        let protocol = match (scheme.to_ascii_lowercase().as_str(), query) {
            ("stun", None) => IceProtocol::Stun,
            ("turn", None | Some("transport=udp")) => IceProtocol::TurnUdp,
            ("turn", Some("transport=tcp")) => IceProtocol::TurnTcp,
            ("turns", None | Some("transport=tcp")) => IceProtocol::TurnTls,
            _ => return Err(NotUsable),
        };
        let usual = if protocol == IceProtocol::TurnTls { PORT_TLS } else { PORT };
        let (host, port) = host_and_port(place)?;
        Ok(IceUrl { protocol, host, port: port.unwrap_or(usual) })
    }
}

fn host_and_port(place: &str) -> Result<(String, Option<u16>), NotUsable> {
    let (host, port) = match place.strip_prefix('[') {
        Some(bracketed) => {
            let (address, after) = bracketed.split_once(']').ok_or(NotUsable)?;
            let address: Ipv6Addr = address.parse().map_err(|_| NotUsable)?;
            let port = if after.is_empty() { None } else { Some(after.strip_prefix(':').ok_or(NotUsable)?) };
            (address.to_string(), port)
        }
        None => {
            let (name, port) = place.split_once(':').map_or((place, None), |(name, port)| (name, Some(port)));
            let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            // RFC 1035 §2.3.4.
            if name.is_empty() || name.len() > 253 || !name.bytes().all(is_of_name) {
                return Err(NotUsable);
            }
            (name.to_owned(), port)
        }
    };
    let port = match port {
        None => None,
        Some(digits) => Some(digits.parse().ok().filter(|port| *port != 0).ok_or(NotUsable)?),
    };
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_name() {
        let cases = [
            ("stun:stun.example:19302", IceProtocol::Stun, "stun.example", 19302),
            ("STUN:192.0.2.1", IceProtocol::Stun, "192.0.2.1", 3478),
            ("turn:192.0.2.1:3479?transport=udp", IceProtocol::TurnUdp, "192.0.2.1", 3479),
            ("turn:turn.example", IceProtocol::TurnUdp, "turn.example", 3478),
            ("turn:[2001:DB8::1]:80?transport=tcp", IceProtocol::TurnTcp, "2001:db8::1", 80),
            ("turns:turn.example:443?transport=tcp", IceProtocol::TurnTls, "turn.example", 443),
            ("turns:[::1]", IceProtocol::TurnTls, "::1", 5349),
        ];
        for (text, protocol, host, port) in cases {
            let expected = IceUrl { protocol, host: host.to_owned(), port };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        assert!("turn:[::1]".parse::<IceUrl>().unwrap().address().unwrap().is_ipv6());
    }

    #[test]
    fn what_cannot_be_used() {
        let texts = [
            "",
            "stun",
            "stun:",
            "stuns:host",
            "stun:host?transport=udp",
            "turn:host?transport=sctp",
            "turns:host?transport=udp",
            "turn:host:0",
            "turn:host:65536",
            "turn:::1",
            "turn:[::1",
            "turn:[::1]80",
            "turn:me@host",
            "https://host",
            "turn://host",
        ];
        for text in texts {
            assert_eq!(text.parse::<IceUrl>(), Err(NotUsable), "{text}");
        }
    }
}
