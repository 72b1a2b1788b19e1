//! How others see our sockets: binding requests to STUN servers (RFC 8489), over the media sockets themselves.
//!
//! ```text
//!   ask(socket, server) ─► [ pending, ≤ 16 ] ─► request at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s ─► given up at 39.5 s
//!                               │
//!   response: its number, its sender, its form ─► XOR-MAPPED-ADDRESS ─► the server-reflexive address
//! ```
//!
//! A full-ICE server waits a second before it nominates an address that it does not know, and half of that for one that
//! it was given: so mapped addresses shorten the join. A response is accepted only from the address that was asked, on
//! the socket that asked, with the 96 random bits of the request: an attacker who can read those could do worse.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::{Datagram, Protocol, Transmit};
use crate::limits::BINDINGS_MAX;

/// RFC 8489 §6.2.1: the first wait, doubled with each request; so many requests; and the wait after the last
/// one, in first waits.
const RTO: Duration = Duration::from_millis(500);
const REQUESTS_MAX: u32 = 7;
const LAST_WAIT: u32 = 16;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;
const MAGIC_COOKIE: [u8; 4] = 0x2112_a442_u32.to_be_bytes();
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
/// Attributes below must be understood, or the response is ignored (RFC 8489 §6.3.3).
const COMPREHENSION_OPTIONAL: u16 = 0x8000;
/// Those below that a binding response may have (RFC 8489 §18.3): the older MAPPED-ADDRESS, MESSAGE-INTEGRITY and its
/// successor, for which there is no key.
const HARMLESS: [u16; 3] = [0x0001, 0x0008, 0x001c];

/// The transaction id, which distinguishes requests.
pub(super) type TransactionId = [u8; 12];

/// The binding requests of one peer connection.
#[derive(Debug, Default)]
pub struct Bindings {
    pending: heapless::Vec<Binding, BINDINGS_MAX>,
}

/// The mapped address of one of our sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// Local address of the socket.
    pub local: SocketAddr,
    /// The address that the STUN server saw.
    pub mapped: SocketAddr,
}

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindingResult {
    /// It is not a response of ours.
    Nothing,
    /// It is a response without a result.
    Useless,
    /// It is a response with this result.
    Mapping(Mapping),
}

#[derive(Debug)]
struct Binding {
    local: SocketAddr,
    server: SocketAddr,
    id: TransactionId,
    sent: u32,
    next_at: Instant,
}

impl Bindings {
    /// Asks `server` for the mapped address of the socket `local`; does nothing if it cannot be reached from there, or
    /// the table is full.
    pub fn ask(&mut self, local: SocketAddr, server: SocketAddr, now: Instant) {
        let mut id = TransactionId::default();
        let is_asked = self.pending.iter().any(|other| other.local == local && other.server == server);
        if local.is_ipv4() != server.is_ipv4() || is_asked || aws_lc_rs::rand::fill(&mut id).is_err() {
            return;
        }
        let _ = self.pending.push(Binding { local, server, id, sent: 0, next_at: now });
    }

    /// Drops all requests: their results are not needed any more.
    pub fn clear(&mut self) {
        self.pending.clear();
    }

    /// The next request that is due.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        self.pending.retain(|binding| binding.sent < REQUESTS_MAX || binding.next_at > now);
        let binding = self.pending.iter_mut().find(|binding| binding.next_at <= now)?;
        let doubled = 1 << binding.sent;
        binding.sent += 1;
        binding.next_at = now + RTO * if binding.sent == REQUESTS_MAX { LAST_WAIT } else { doubled };
        let mut request = Vec::with_capacity(20);
        request.extend(BINDING_REQUEST.to_be_bytes());
        request.extend([0, 0]);
        request.extend(MAGIC_COOKIE);
        request.extend(binding.id);
        Some(Transmit::new(Protocol::Udp, binding.local, binding.server, request))
    }

    /// When a request is due, or given up.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.pending.iter().map(|binding| binding.next_at).min()
    }

    /// Takes a datagram if it is a response. After an answer the socket sends no further requests.
    pub fn handle(&mut self, datagram: &Datagram<'_>) -> BindingResult {
        let Some((kind, id, attributes)) = parse(datagram.bytes) else { return BindingResult::Nothing };
        let is_asked = |binding: &Binding| {
            (binding.local, binding.server, binding.id) == (datagram.destination, datagram.source, id)
        };
        let Some(place) = self.pending.iter().position(is_asked) else { return BindingResult::Nothing };
        let local = self.pending.remove(place).local;
        match mapped_address(attributes, &id) {
            Some(mapped) if kind == BINDING_SUCCESS && is_usable(mapped, local) => {
                self.pending.retain(|other| other.local != local);
                BindingResult::Mapping(Mapping { local, mapped })
            }
            _ => BindingResult::Useless,
        }
    }
}

/// Whether a datagram is STUN (RFC 7983 §7).
pub(super) fn is_stun(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| *first <= 3)
}

/// Whether it answers a request, well or badly.
pub(super) fn is_response(bytes: &[u8]) -> bool {
    parse(bytes).is_some()
}

/// The number of a binding request.
pub(super) fn request_id(bytes: &[u8]) -> Option<TransactionId> {
    let [k0, k1, _, _, c0, c1, c2, c3, id @ ..] = *bytes.first_chunk::<20>()?;
    (u16::from_be_bytes([k0, k1]) == BINDING_REQUEST && [c0, c1, c2, c3] == MAGIC_COOKIE).then_some(id)
}

/// The number of a binding success response, and the address in it.
pub(super) fn success(bytes: &[u8]) -> Option<(TransactionId, SocketAddr)> {
    let (kind, id, attributes) = parse(bytes)?;
    Some((id, mapped_address(attributes, &id).filter(|_| kind == BINDING_SUCCESS)?))
}

fn is_usable(mapped: SocketAddr, local: SocketAddr) -> bool {
    let ip = mapped.ip();
    mapped.is_ipv4() == local.is_ipv4() && mapped.port() != 0 && !ip.is_unspecified() && !ip.is_multicast()
}

/// Kind, number and attributes of a response (RFC 8489 §5).
fn parse(bytes: &[u8]) -> Option<(u16, TransactionId, &[u8])> {
    let (header, attributes) = bytes.split_first_chunk::<20>()?;
    let [k0, k1, l0, l1, c0, c1, c2, c3, id @ ..] = *header;
    let kind = u16::from_be_bytes([k0, k1]);
    let is_response = matches!(kind, BINDING_SUCCESS | BINDING_ERROR);
    let is_whole = usize::from(u16::from_be_bytes([l0, l1])) == attributes.len();
    (is_response && is_whole && [c0, c1, c2, c3] == MAGIC_COOKIE).then_some((kind, id, attributes))
}

fn mapped_address(mut rest: &[u8], id: &TransactionId) -> Option<SocketAddr> {
    let mut mapped = None;
    while let [t0, t1, l0, l1, after @ ..] = rest {
        let kind = u16::from_be_bytes([*t0, *t1]);
        let len = usize::from(u16::from_be_bytes([*l0, *l1]));
        let value = after.get(..len)?;
        match kind {
            // Only the first one counts (RFC 8489 §14).
            XOR_MAPPED_ADDRESS if mapped.is_none() => mapped = Some(xored_address(value, id)?),
            XOR_MAPPED_ADDRESS | COMPREHENSION_OPTIONAL.. => {}
            kind if HARMLESS.contains(&kind) => {}
            _ => return None,
        }
        rest = after.get(len.next_multiple_of(4)..)?;
    }
    mapped.filter(|_| rest.is_empty())
}

/// RFC 8489 §14.2.
fn xored_address(value: &[u8], id: &TransactionId) -> Option<SocketAddr> {
    let [_, family, p0, p1, address @ ..] = value else { return None };
    let mut pad = [0; 16];
    pad[..4].copy_from_slice(&MAGIC_COOKIE);
    pad[4..].copy_from_slice(id);
    let port = u16::from_be_bytes([p0 ^ pad[0], p1 ^ pad[1]]);
    let ip = match family {
        1 => IpAddr::from(xor(<[u8; 4]>::try_from(address).ok()?, &pad)),
        2 => IpAddr::from(xor(<[u8; 16]>::try_from(address).ok()?, &pad)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn xor<const N: usize>(mut address: [u8; N], pad: &[u8; 16]) -> [u8; N] {
    for (byte, other) in address.iter_mut().zip(pad) {
        *byte ^= other;
    }
    address
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A binding request without attributes.
    pub(in crate::rtc) fn request(id: TransactionId) -> Vec<u8> {
        [&BINDING_REQUEST.to_be_bytes()[..], &[0, 0], &MAGIC_COOKIE, &id].concat()
    }

    /// The success response that names an IPv4 address.
    pub(in crate::rtc) fn success(id: TransactionId, mapped: SocketAddr) -> Vec<u8> {
        let IpAddr::V4(ip) = mapped.ip() else { panic!("{mapped} is not of IPv4") };
        let [p0, p1] = mapped.port().to_be_bytes();
        let [c0, c1, ..] = MAGIC_COOKIE;
        let address = xor(ip.octets(), &std::array::from_fn(|i| MAGIC_COOKIE[i % 4]));
        let value = [&[0, 1, p0 ^ c0, p1 ^ c1][..], &address].concat();
        response(BINDING_SUCCESS, id, &[(XOR_MAPPED_ADDRESS, &value)])
    }

    const LOCAL: &str = "10.0.1.2:40000";
    const SERVER: &str = "192.0.2.9:3478";

    type Attribute<'a> = (u16, &'a [u8]);

    #[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
    fn base() -> Instant {
        Instant::now()
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn asked(now: Instant) -> (Bindings, TransactionId) {
        let mut bindings = Bindings::default();
        bindings.ask(at(LOCAL), at(SERVER), now);
        let request = bindings.poll_transmit(now).expect("due at once");
        let id = request.bytes()[8..].try_into().expect("a header and no more");
        (bindings, id)
    }

    fn response(kind: u16, id: TransactionId, attributes: &[Attribute<'_>]) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, value) in attributes {
            body.extend(kind.to_be_bytes());
            body.extend((value.len() as u16).to_be_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let head = [&kind.to_be_bytes()[..], &(body.len() as u16).to_be_bytes(), &MAGIC_COOKIE, &id, &body];
        head.concat()
    }

    fn heard(bindings: &mut Bindings, from: &str, to: &str, bytes: &[u8]) -> BindingResult {
        let (source, destination) = (at(from), at(to));
        bindings.handle(&Datagram { protocol: Protocol::Udp, source, destination, bytes })
    }

    #[test]
    fn requests_are_repeated_as_the_rfc_says_and_end() {
        let now = base();
        let mut bindings = Bindings::default();
        bindings.ask(at(LOCAL), at(SERVER), now);
        bindings.ask(at(LOCAL), at(SERVER), now);
        bindings.ask(at(LOCAL), at("[2001:db8::1]:3478"), now);
        let mut sent = Vec::new();
        while let Some(due) = bindings.poll_timeout() {
            while let Some(request) = bindings.poll_transmit(due) {
                assert_eq!((request.source, request.destination), (at(LOCAL), at(SERVER)));
                sent.push((due - now).as_millis());
            }
        }
        assert_eq!(sent, [0, 500, 1500, 3500, 7500, 15_500, 31_500]);
    }

    #[test]
    fn the_vectors_of_rfc_5769() {
        let now = base();
        let id = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];
        let v4: &[u8] = &[0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        let v6: &[u8] = &[
            0, 2, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe,
            0xd2, 0xb9, 0xd9,
        ];
        let cases = [
            (v4, LOCAL, SERVER, "192.0.2.1:32853"),
            (v6, "[2001:db8::5]:1", "[2001:db8::9]:2", "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
        ];
        for (value, local, server, mapped) in cases {
            let mut bindings = Bindings::default();
            bindings.ask(at(local), at(server), now);
            bindings.pending[0].id = id;
            let software = (0x8022, &b"test vector"[..]);
            let bytes = response(BINDING_SUCCESS, id, &[software, (XOR_MAPPED_ADDRESS, value)]);
            let expected = BindingResult::Mapping(Mapping { local: at(local), mapped: at(mapped) });
            assert_eq!(heard(&mut bindings, server, local, &bytes), expected);
            assert_eq!(bindings.poll_timeout(), None);
        }
    }

    #[test]
    fn only_the_response_to_what_was_asked_counts() {
        let now = base();
        let (mut bindings, id) = asked(now);
        let value = &[0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43][..];
        let good = response(BINDING_SUCCESS, id, &[(XOR_MAPPED_ADDRESS, value)]);
        let mut other = id;
        other[11] ^= 1;
        let forged = response(BINDING_SUCCESS, other, &[(XOR_MAPPED_ADDRESS, value)]);
        let none = BindingResult::Nothing;
        assert_eq!(heard(&mut bindings, SERVER, LOCAL, &forged), none);
        assert_eq!(heard(&mut bindings, "192.0.2.8:3478", LOCAL, &good), none);
        assert_eq!(heard(&mut bindings, SERVER, "10.0.1.2:40001", &good), none);
        assert_eq!(heard(&mut bindings, SERVER, LOCAL, &response(BINDING_REQUEST, id, &[])), none);
        assert!(bindings.poll_timeout().is_some(), "still asking");
        assert!(matches!(heard(&mut bindings, SERVER, LOCAL, &good), BindingResult::Mapping(_)));
        assert_eq!(heard(&mut bindings, SERVER, LOCAL, &good), none, "once");
    }

    #[test]
    fn a_response_of_no_use_ends_the_question() {
        let value = &[0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43][..];
        let cases: &[(u16, &[Attribute<'_>])] = &[
            (BINDING_ERROR, &[(XOR_MAPPED_ADDRESS, value)]),
            (BINDING_SUCCESS, &[]),
            (BINDING_SUCCESS, &[(XOR_MAPPED_ADDRESS, &value[..7])]),
            (BINDING_SUCCESS, &[(XOR_MAPPED_ADDRESS, &[0, 3, 1, 2, 3, 4, 5, 6])]),
            (BINDING_SUCCESS, &[(XOR_MAPPED_ADDRESS, value), (0x7fff, &[])]),
            // Port 0, and nowhere.
            (BINDING_SUCCESS, &[(XOR_MAPPED_ADDRESS, &[0, 1, 0x21, 0x12, 1, 2, 3, 4])]),
            (BINDING_SUCCESS, &[(XOR_MAPPED_ADDRESS, &[0, 1, 1, 1, 0x21, 0x12, 0xa4, 0x42])]),
        ];
        for (kind, attributes) in cases {
            let (mut bindings, id) = asked(base());
            let bytes = response(*kind, id, attributes);
            assert_eq!(heard(&mut bindings, SERVER, LOCAL, &bytes), BindingResult::Useless, "{attributes:?}");
            assert_eq!(bindings.poll_timeout(), None);
        }
    }

    #[test]
    fn random_bytes_do_no_harm() {
        let (mut bindings, id) = asked(base());
        let value = &[0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43][..];
        let good = response(BINDING_SUCCESS, id, &[(0x8022, b"x"), (XOR_MAPPED_ADDRESS, value)]);
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..20_000 {
            let mut bytes = good[..random.usize(0..=good.len())].to_vec();
            for _ in 0..random.usize(0..4) {
                if let Some(byte) = random.choice(bytes.iter_mut()) {
                    *byte = random.u8(..);
                }
            }
            heard(&mut bindings, SERVER, LOCAL, &bytes);
            bindings.ask(at(LOCAL), at(SERVER), base());
        }
    }
}
