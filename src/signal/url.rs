//! Where the server is: [`ServerUrl`].
//!
//! The token is not in the URL: it goes in an `Authorization` header, which proxies do not log.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::parameters::JoinParameters;

/// The address of a LiveKit server: `wss://host[:port][/path]`. `https` and `http` are taken as `wss`
/// and `ws`. Displays as a person would write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl {
    is_secure: bool,
    host: Host,
    port: u16,
    /// Empty, or beginning and not ending with `/`.
    path: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    /// ASCII, lower case.
    Name(String),
    V6(Ipv6Addr),
}

/// Why a text is not the address of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlError {
    /// No `wss://` or the like before it.
    Scheme,
    /// A user name or password in it.
    Credentials,
    /// No host, or one that cannot exist.
    Host,
    /// A port outside 1 to 65535.
    Port,
    /// A character in the path that must be percent-encoded.
    Path,
    /// A query or fragment after it.
    Query,
}

impl ServerUrl {
    /// Whether TLS is spoken.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// The host as DNS, TLS and the address parser want it: a name or an IP address without brackets.
    pub fn host(&self) -> String {
        match &self.host {
            Host::Name(name) => name.clone(),
            Host::V6(address) => address.to_string(),
        }
    }

    /// The host where it is an IP address and needs no DNS.
    pub fn address(&self) -> Option<IpAddr> {
        match &self.host {
            Host::Name(name) => name.parse().ok(),
            Host::V6(address) => Some(IpAddr::V6(*address)),
        }
    }

    /// The port, written or usual: 443 with TLS, 80 without.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of the HTTP `Host` header (RFC 9110 §7.2): the port only where it is not the usual one.
    pub fn authority(&self) -> String {
        let host = match &self.host {
            Host::Name(name) => name.clone(),
            Host::V6(address) => format!("[{address}]"),
        };
        if self.port == usual_port(self.is_secure) { host } else { format!("{host}:{}", self.port) }
    }

    /// Host and port as a proxy is asked for them (RFC 9110 §9.3.6): the port always.
    pub fn tunnel(&self) -> String {
        match &self.host {
            Host::Name(name) => format!("{name}:{}", self.port),
            Host::V6(address) => format!("[{address}]:{}", self.port),
        }
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        let is_name = matches!(&self.host, Host::Name(name) if name == "localhost");
        is_name || self.address().is_some_and(|address| address.is_loopback())
    }

    /// Whether it is LiveKit Cloud, which serves a room from several regions: by its domains, as the official SDKs judge.
    pub fn has_regions(&self) -> bool {
        let Host::Name(name) = &self.host else { return false };
        [".livekit.cloud", ".livekit.run"].iter().any(|cloud| name.ends_with(cloud))
    }

    /// Path where the cloud lists its regions.
    pub fn regions_target(&self) -> String {
        format!("{}/settings/regions", self.path)
    }

    /// Path and query of the WebSocket request: `/rtc` is the door for two peer connections.
    pub fn join_target(&self, parameters: &JoinParameters) -> String {
        format!("{}/rtc?{}", self.path, parameters.query())
    }
}

/// Where the server explains why it refuses a request with this path and query.
pub fn validate_target(target: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    format!("{path}/validate?{query}")
}

impl FromStr for ServerUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<ServerUrl, UrlError> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(UrlError::Scheme)?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "wss" | "https" => true,
            "ws" | "http" => false,
            _ => return Err(UrlError::Scheme),
        };
        if rest.contains(['?', '#']) {
            return Err(UrlError::Query);
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(UrlError::Credentials);
        }
        let (host, port) = host_and_port(authority)?;
        let port = match port {
            None => usual_port(is_secure),
            // `parse` would take a sign.
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|port| *port != 0).ok_or(UrlError::Port)?
            }
            Some(_) => return Err(UrlError::Port),
        };
        let path = path.trim_end_matches('/');
        if !path.bytes().all(is_path_byte) {
            return Err(UrlError::Path);
        }
        Ok(ServerUrl { is_secure, host, port, path: path.to_owned() })
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UrlError::Scheme => "the server's URL must begin with wss:// (or ws:// without TLS)",
            UrlError::Credentials => {
                "the server's URL must not hold a user name or password; give the token by itself"
            }
            UrlError::Host => "the server's URL has no usable host name or address",
            UrlError::Port => "the port in the server's URL must be between 1 and 65535",
            UrlError::Path => "the path of the server's URL holds a character that must be percent-encoded",
            UrlError::Query => "the server's URL must not have a ? or # part; the program adds its own",
        })
    }
}

impl std::error::Error for UrlError {}

fn usual_port(is_secure: bool) -> u16 {
    if is_secure { 443 } else { 80 }
}

fn host_and_port(authority: &str) -> Result<(Host, Option<&str>), UrlError> {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let (address, after) = bracketed.split_once(']').ok_or(UrlError::Host)?;
        let port = match after {
            "" => None,
            _ => Some(after.strip_prefix(':').ok_or(UrlError::Host)?),
        };
        return Ok((Host::V6(address.parse().map_err(|_| UrlError::Host)?), port));
    }
    let (name, port) = match authority.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (authority, None),
    };
    // RFC 1035 §2.3.4: 253 characters, labels of 63; an underscore is seen in local networks. A dot may
    // end a full name.
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if name.len() > 253 || !name.strip_suffix('.').unwrap_or(name).split('.').all(is_label) {
        return Err(UrlError::Host);
    }
    Ok((Host::Name(name.to_ascii_lowercase()), port))
}

/// RFC 3986 §3.3, with `/` and `%`.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_good() {
        let cases = [
            ("wss://house.example", "wss://house.example", "house.example", 443, "house.example"),
            ("https://House.Example/", "wss://house.example", "house.example", 443, "house.example"),
            ("ws://127.0.0.1:7880", "ws://127.0.0.1:7880", "127.0.0.1", 7880, "127.0.0.1:7880"),
            ("http://box:80", "ws://box", "box", 80, "box"),
            (
                "wss://[2001:DB8::1]:7443/a/",
                "wss://[2001:db8::1]:7443/a",
                "2001:db8::1",
                7443,
                "[2001:db8::1]:7443",
            ),
            (" WSS://a_b.example./x%20y ", "wss://a_b.example./x%20y", "a_b.example.", 443, "a_b.example."),
        ];
        for (text, shown, host, port, authority) in cases {
            let url: ServerUrl = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            let found = (url.to_string(), url.host(), url.port(), url.authority());
            assert_eq!(found, (shown.into(), host.into(), port, authority.into()), "{text}");
            assert_eq!(shown.parse(), Ok(url), "{text}");
        }
    }

    #[test]
    fn addresses_that_are_not() {
        let cases = [
            ("", UrlError::Scheme),
            ("house.example", UrlError::Scheme),
            ("ftp://house", UrlError::Scheme),
            ("wss://", UrlError::Host),
            ("wss:///path", UrlError::Host),
            ("wss://a..b", UrlError::Host),
            ("wss://ho use", UrlError::Host),
            ("wss://hüs", UrlError::Host),
            ("wss://[::1", UrlError::Host),
            ("wss://[fe80::1%25eth0]", UrlError::Host),
            ("wss://[::1]7880", UrlError::Host),
            ("wss://::1", UrlError::Host),
            ("wss://house:", UrlError::Port),
            ("wss://house:0", UrlError::Port),
            ("wss://house:+80", UrlError::Port),
            ("wss://house:65536", UrlError::Port),
            ("wss://me:secret@house", UrlError::Credentials),
            ("wss://house?access_token=x", UrlError::Query),
            ("wss://house/#top", UrlError::Query),
            ("wss://house/a b", UrlError::Path),
            ("wss://house/a\r\nHost: evil", UrlError::Path),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<ServerUrl>(), Err(error), "{text}");
        }
    }

    #[test]
    fn ip_addresses_need_no_dns() {
        let address = |text: &str| text.parse::<ServerUrl>().unwrap().address();
        assert_eq!(address("ws://10.0.0.1"), Some([10, 0, 0, 1].into()));
        assert_eq!(address("ws://[::1]"), Some(Ipv6Addr::LOCALHOST.into()));
        assert_eq!(address("ws://box"), None);
    }

    #[test]
    fn livekit_cloud_is_known_by_its_domains() {
        for (url, is_cloud) in [
            ("wss://house.livekit.cloud", true),
            ("wss://House.EU.LiveKit.Cloud:443/a", true),
            ("wss://house.livekit.run", true),
            ("wss://livekit.cloud", false),
            ("wss://evillivekit.cloud", false),
            ("wss://house.livekit.cloud.evil.example", false),
            ("wss://house.livekit.cloud.", false),
            ("wss://evil.example/house.livekit.cloud", false),
            ("ws://127.0.0.1", false),
            ("ws://[::1]", false),
        ] {
            assert_eq!(url.parse::<ServerUrl>().expect(url).has_regions(), is_cloud, "{url}");
        }
    }

    #[test]
    fn this_machine() {
        for (url, is_here) in [
            ("ws://127.0.0.1", true),
            ("ws://127.8.9.1:1", true),
            ("ws://[::1]", true),
            ("ws://localhost", true),
            ("ws://localhost.example", false),
            ("ws://10.0.0.1", false),
        ] {
            assert_eq!(url.parse::<ServerUrl>().expect(url).is_loopback(), is_here, "{url}");
        }
    }

    #[test]
    fn the_door_is_below_the_path() {
        let target = |text: &str| text.parse::<ServerUrl>().unwrap().join_target(&JoinParameters::default());
        assert!(target("wss://house.example/livekit/").starts_with("/livekit/rtc?protocol="));
        assert!(target("ws://box:7880").starts_with("/rtc?protocol="));
        assert!(validate_target(&target("ws://box/live")).starts_with("/live/rtc/validate?protocol="));
    }
}
