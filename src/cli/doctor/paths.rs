//! Whether sound can reach the server: compares the addresses that the server has announced with the one by which it is
//! reached, and shows the path that was found.
//!
//! The server announces the addresses that it *believes* to have. In a container, behind a NAT, or configured for one
//! machine, these are wrong, and everything works except the sound. This check shows that before any timeout.

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;

use super::finding::Finding;

/// The addresses that the server has announced for sound, and the path.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Paths {
    pub udp: Vec<SocketAddr>,
    pub tcp: Vec<SocketAddr>,
    pub path: Option<Path>,
}

/// A path that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// `udp`, `tcp` or `turn`.
    pub by: String,
    pub server: SocketAddr,
}

/// From where an address is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Reach {
    /// Reachable on this machine only.
    Machine,
    /// Containers on this machine (Docker's first network), or one cable.
    Link,
    /// Reachable in a private network.
    Site,
    World,
}

impl Paths {
    /// Reads the answer of `paths`: the connection that the server offers on, since each box has it.
    pub fn read(value: &Value) -> Paths {
        let subscriber = &value["subscriber"];
        let addresses = |name: &str| {
            let list = subscriber[name].as_array().into_iter().flatten();
            list.filter_map(|address| address.as_str()?.parse().ok()).collect()
        };
        let path = &subscriber["path"];
        let path = path["server"]
            .as_str()
            .and_then(|server| server.parse().ok())
            .map(|server| Path { by: path["by"].as_str().unwrap_or_default().to_owned(), server });
        Paths { udp: addresses("udp"), tcp: addresses("tcp"), path }
    }

    /// The findings; `reached` is the server's address of the signal connection, if that is known.
    pub fn judge(&self, reached: Option<IpAddr>) -> Vec<Finding> {
        let named = |addresses: &[SocketAddr], by: &str| -> Vec<String> {
            addresses.iter().map(|address| format!("{address} ({by})")).collect()
        };
        let told = [named(&self.udp, "UDP"), named(&self.tcp, "TCP")].concat().join(", ");
        let mut all = self.udp.iter().chain(&self.tcp);
        let mut findings = Vec::new();
        if told.is_empty() {
            findings.push(Finding::failed(
                "addresses",
                "the server has announced none for sound: check `rtc` in its configuration (udp_port, port_range_start, tcp_port)",
            ));
        } else if let Some(reached) = reached
            && all.all(|address| reach(address.ip()) < reach(reached))
        {
            let text = format!(
                "the server offers only {told}, and is reached at {reached}: set rtc.node_ip in its configuration to an \
                 address that devices reach (or rtc.use_external_ip: true, where it is behind a NAT)"
            );
            findings.push(match self.path {
                // Its own checks come from its true address, and are answered.
                Some(_) => Finding::warning(
                    "addresses",
                    format!("{text}; it has found this device, as it would not behind a NAT"),
                ),
                None => Finding::failed("addresses", text),
            });
        } else {
            findings.push(Finding::ok("addresses", format!("the server offers {told}")));
        }
        findings.push(self.judge_path());
        findings
    }

    fn judge_path(&self) -> Finding {
        let udp = list(&self.udp);
        match &self.path {
            Some(Path { by, server }) if by == "udp" => {
                Finding::ok("path", format!("sound flows by UDP to {server}"))
            }
            Some(Path { by, server }) if by == "tcp" => Finding::warning(
                "path",
                format!(
                    "sound flows by TCP to {server}, where each loss stops it for a while: UDP to {udp} does not get \
                     through; open it in the firewall"
                ),
            ),
            Some(Path { server, .. }) => Finding::warning(
                "path",
                format!(
                    "sound flows through the TURN server, a way round to {server}: UDP to {udp} does not get through; \
                     open it in the firewall"
                ),
            ),
            None => Finding::failed(
                "path",
                format!(
                    "no sound gets through, neither by UDP to {udp} nor by TCP to {}: open these in the firewall, here \
                     and at the server",
                    list(&self.tcp)
                ),
            ),
        }
    }
}

fn list(addresses: &[SocketAddr]) -> String {
    match addresses {
        [] => "nowhere".to_owned(),
        addresses => addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn reach(address: IpAddr) -> Reach {
    match address.to_canonical() {
        address if address.is_loopback() || address.is_unspecified() => Reach::Machine,
        IpAddr::V4(address) if address.is_link_local() || address.octets().starts_with(&[172, 17]) => {
            Reach::Link
        }
        IpAddr::V4(address) if address.is_private() || is_shared(address.octets()) => Reach::Site,
        IpAddr::V6(address) if address.is_unicast_link_local() => Reach::Link,
        IpAddr::V6(address) if address.is_unique_local() => Reach::Site,
        _ => Reach::World,
    }
}

/// Between a provider and its customers (RFC 6598).
fn is_shared(octets: [u8; 4]) -> bool {
    octets[0] == 100 && octets[1] & 0xC0 == 64
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    fn paths(udp: &[&str], tcp: &[&str], path: Option<(&str, &str)>) -> Paths {
        let parsed = |list: &[&str]| list.iter().map(|address| address.parse().expect("address")).collect();
        let path = path.map(|(by, server)| Path { by: by.into(), server: server.parse().expect("address") });
        Paths { udp: parsed(udp), tcp: parsed(tcp), path }
    }

    #[test]
    fn what_the_server_believes_to_be_is_held_against_where_it_is() {
        let table = [
            (&["127.0.0.1:7882"][..], "192.168.1.5", "node_ip"),
            (&["172.17.0.2:7882"], "192.168.1.5", "node_ip"),
            (&["172.17.0.2:7882", "127.0.0.1:7882"], "198.51.100.7", "node_ip"),
            (&["10.0.0.5:7882"], "198.51.100.7", "node_ip"),
            (&["100.64.0.5:7882"], "198.51.100.7", "node_ip"),
            (&["[fe80::1]:7882"], "2001:db8::1", "node_ip"),
            (&["10.0.0.5:7882"], "10.0.0.5", "offers 10.0.0.5:7882"),
            (&["127.0.0.1:7882"], "127.0.0.1", "offers 127.0.0.1:7882"),
            (&["172.17.0.2:7882"], "172.17.0.2", "offers 172.17.0.2:7882"),
            (&["10.0.0.5:7882", "198.51.100.7:7882"], "198.51.100.7", "offers 10.0.0.5:7882 (UDP), 198"),
            (&["198.51.100.9:7882"], "10.0.0.5", "offers 198.51.100.9:7882"),
            (&[], "10.0.0.5", "rtc"),
        ];
        for (udp, reached, expected) in table {
            let found = &paths(udp, &[], None).judge(Some(reached.parse().expect("address")))[0];
            assert!(found.text.contains(expected), "{udp:?} {reached}: {found}");
            assert_eq!(found.state == State::Ok, expected.starts_with("offers"), "{found}");
        }
    }

    #[test]
    fn a_path_by_another_way_is_one_and_none_is_none() {
        let (udp, tcp) = (&["10.0.0.5:7882"][..], &["10.0.0.5:7881"][..]);
        for (path, state, part) in [
            (Some(("udp", "10.0.0.5:7882")), State::Ok, "by UDP"),
            (Some(("tcp", "10.0.0.5:7881")), State::Warning, "open it in the firewall"),
            (Some(("turn", "10.0.0.5:7882")), State::Warning, "TURN"),
            (None, State::Failed, "nor by TCP to 10.0.0.5:7881"),
        ] {
            let found = paths(udp, tcp, path).judge_path();
            assert!(found.state == state && found.text.contains(part), "{found}");
        }
        let wrong = paths(&["127.0.0.1:7882"], &[], Some(("udp", "10.0.0.5:7882")));
        let reached = "10.0.0.5".parse().expect("address");
        assert_eq!(wrong.judge(Some(reached))[0].state, State::Warning, "here it works");
        assert_eq!(wrong.judge(None)[0].state, State::Ok, "behind a proxy it is unknown");
    }

    #[test]
    fn reads_what_the_engine_writes() {
        let value = serde_json::json!({ "publisher": null, "subscriber": {
            "udp": ["127.0.0.1:7882", "nonsense"], "tcp": ["127.0.0.1:7881"],
            "path": { "by": "udp", "ours": "127.0.0.1:4000", "server": "127.0.0.1:7882" },
        } });
        let expected = paths(&["127.0.0.1:7882"], &["127.0.0.1:7881"], Some(("udp", "127.0.0.1:7882")));
        assert_eq!(Paths::read(&value), expected);
        assert_eq!(Paths::read(&Value::Null), Paths::default());
    }
}
