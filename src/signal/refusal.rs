//! The server's refusal to open the signal connection: an HTTP status and a line of text.
//!
//! The server prepares the session before it upgrades the connection, so nearly every fault is reported here (livekit
//! `pkg/service/rtcservice.go`, `auth.go`).
//!
//! Others on the path can answer HTTP, too: a proxy whose server is down, the login page of a hotel, a firewall. So a
//! status alone is no information about the token or the room. Only LiveKit's own texts are, in the answer itself or in
//! that of `/rtc/validate`; every other answer counts as a temporary fault of the path.

use std::fmt;

use super::text::one_line;
use super::url::ServerUrl;
use crate::error::ExitStatus;
use crate::limits::{REFUSAL_BODY_BYTES_MAX, SERVER_TEXT_BYTES_MAX};

/// What `/rtc/validate` answers where all is well.
const VALID: &str = "success";

/// Beginnings of the server's refusals, in lower case (`pkg/service/auth.go`, `rtcservice.go`, `utils.go`, `errors.go`,
/// `roomallocator.go`; `pkg/rtc/errors.go`).
const LIVEKITS_WORDS: [&str; 21] = [
    // 401
    "invalid authorization header",
    "invalid authorization token",
    "invalid api key",
    "invalid token: ",
    "permissions denied",
    "no permissions to access the room",
    // 404
    "requested room does not exist",
    // 400
    "identity cannot be empty",
    "participant identity",
    "no room name",
    "room name",
    "name length exceeds limits",
    "metadata size exceeds limits",
    "attribute size exceeds limits",
    "unknown room configuration",
    "no connect request",
    "join_request is required",
    "join request too large",
    "cannot decode attributes",
    "cannot base64 decode wrapped join request",
    "cannot unmarshal",
];

/// The server's own leeway (livekit `protocol/auth/verifier.go`).
const CLOCK_SLACK_S: u64 = 60;

/// An HTTP answer other than 101. Displays as one line: what is wrong, what to do, the server's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status of the answer.
    pub status: u16,
    /// The answer's text: one line, no control characters, at most [`SERVER_TEXT_BYTES_MAX`] bytes.
    pub text: String,
    /// How far this machine's clock is behind the server's, in seconds; 0 if that is not known.
    pub clock_behind_s: i64,
    /// The server takes the request; what was refused is the upgrade.
    pub is_upgrade_only: bool,
    /// Host and port that it redirects to; empty if it does not.
    pub redirects_to: String,
}

/// Whose fault a refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The token's: another one may be accepted.
    Credentials,
    /// This machine's clock, by which the token seems to be of another time.
    Clock,
    /// Something before the server lets requests through, and no WebSocket.
    NoUpgrade,
    /// The room does not exist and the server does not make it.
    NoSuchRoom,
    /// Not LiveKit's words: a proxy, portal or firewall on the way, or the URL leads elsewhere.
    NotLiveKit,
    /// The server's, or that of something before it: later it may work.
    Server,
}

impl Refusal {
    /// `body` may be cut anywhere; only its first [`REFUSAL_BODY_BYTES_MAX`] bytes are read.
    pub fn new(status: u16, body: &[u8]) -> Refusal {
        let body = body.get(..REFUSAL_BODY_BYTES_MAX).unwrap_or(body);
        let text = one_line(&String::from_utf8_lossy(body), SERVER_TEXT_BYTES_MAX);
        Refusal { status, text, clock_behind_s: 0, is_upgrade_only: false, redirects_to: String::new() }
    }

    /// Adds how far the server's clock is ahead of ours.
    pub fn with_clock_behind(self, clock_behind_s: i64) -> Refusal {
        Refusal { clock_behind_s, ..self }
    }

    /// Adds the `Location` header.
    pub fn with_location(self, location: &str) -> Refusal {
        let url = location.split(['?', '#']).next().unwrap_or_default().parse::<ServerUrl>();
        Refusal { redirects_to: url.map(|url| url.authority()).unwrap_or_default(), ..self }
    }

    /// Whether it is the answer of `/rtc/validate` where all is well, and no refusal.
    pub fn is_success(&self) -> bool {
        self.status == 200 && self.text == VALID
    }

    /// Whether the server itself refuses the token or the room: the only refusals that end anything.
    pub fn is_livekits(&self) -> bool {
        matches!(self.fault(), Fault::Credentials | Fault::Clock | Fault::NoSuchRoom)
    }

    /// Whether the text does not explain the refusal: no text, a page, or not LiveKit's words.
    pub fn is_unexplained(&self) -> bool {
        self.text.is_empty() || self.text.starts_with('<') || self.fault() == Fault::NotLiveKit
    }

    /// The same, with what the server answers to the request without the upgrade.
    pub fn explained_by(self, status: u16, body: &[u8]) -> Refusal {
        let explanation = Refusal::new(status, body).with_clock_behind(self.clock_behind_s);
        match () {
            () if explanation.is_success() => Refusal { is_upgrade_only: true, ..self },
            () if explanation.is_livekits() => explanation,
            // The same machine has answered this as the upgrade.
            () => self,
        }
    }

    /// Whether another token, or another time, may help.
    pub fn is_about_token(&self) -> bool {
        matches!(self.fault(), Fault::Credentials | Fault::Clock)
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self.status {
            _ if self.is_upgrade_only => Fault::NoUpgrade,
            // 408 and 429 pass; 511 is a portal's (RFC 6585 §6).
            408 | 429 | 500..=510 | 512.. => Fault::Server,
            _ if !self.has_livekits_words() => Fault::NotLiveKit,
            401 if self.clock_behind_s.unsigned_abs() > CLOCK_SLACK_S => Fault::Clock,
            // 400: the token has no room or no usable identity; the URL's parameters are ours and right.
            400 | 401 | 403 => Fault::Credentials,
            404 => Fault::NoSuchRoom,
            _ => Fault::NotLiveKit,
        }
    }

    fn has_livekits_words(&self) -> bool {
        let text = self.text.to_ascii_lowercase();
        LIVEKITS_WORDS.iter().any(|words| text.starts_with(words))
    }

    /// How the program ends if this is the last word.
    pub fn exit_status(&self) -> ExitStatus {
        match self.fault() {
            Fault::Credentials | Fault::Clock => ExitStatus::Credentials,
            Fault::NoSuchRoom | Fault::NotLiveKit | Fault::NoUpgrade | Fault::Server => {
                ExitStatus::Unreachable
            }
        }
    }

    fn words(&self) -> &'static str {
        match (self.fault(), self.status) {
            (Fault::Credentials, 400) => {
                "the server cannot use the token; it must name a room and an identity"
            }
            (Fault::Credentials, 403) => "the token does not permit this; make one with the room-join grant",
            (Fault::Credentials, _) => {
                "the server refuses the token; check its key, secret, room grant and expiry, and this machine's clock"
            }
            (Fault::Clock, _) => "the token is invalid by this machine's clock, which is wrong: set it",
            (Fault::NoUpgrade, _) => {
                "the server would take us, but something before it does not let WebSocket through; check the proxy"
            }
            (Fault::NoSuchRoom, _) => {
                "no such room; rooms are created by the server's API, or at the first join where it allows that"
            }
            (Fault::NotLiveKit, 511) => {
                "a captive portal requires a login on this network: log in with a browser, or have this device let through"
            }
            (Fault::NotLiveKit, 200..300) => {
                "a web page answers instead of a LiveKit server: a captive portal, proxy or firewall on the way, or another \
                 server at this URL"
            }
            (Fault::NotLiveKit, 300..=399) => {
                "a redirect answers instead of a LiveKit server: a captive portal or proxy on the way, or not the URL of \
                 the LiveKit server itself"
            }
            (Fault::NotLiveKit, 401 | 403) => {
                "not LiveKit refuses this, but a proxy, captive portal or firewall on the way, or another server at this \
                 URL; check the network, and host, port and path of the URL"
            }
            (Fault::NotLiveKit, 407) => "a proxy on the way wants a user name and password",
            (Fault::NotLiveKit, 404) => {
                "not a LiveKit server at this address, or a proxy on the way does not pass requests on to it; check host, \
                 port and path of the URL"
            }
            (Fault::NotLiveKit, _) => {
                "the answer is not one of a LiveKit server: a proxy or firewall on the way, or another server; check host, \
                 port and path of the URL"
            }
            (Fault::Server, 429) => "the server asks for fewer attempts; try again later",
            (Fault::Server, 503) => "the server is overloaded or not ready; try again later",
            (Fault::Server, 408 | 502 | 504) => {
                "the server does not answer its proxy; check that it runs and try again later"
            }
            (Fault::Server, _) => "the server failed to start the session; see its log",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (HTTP {}", self.words(), self.status)?;
        if self.fault() == Fault::Clock {
            let (by, way) = (self.clock_behind_s.unsigned_abs(), self.clock_behind_s.signum());
            write!(f, ", {by} s {} the server's clock", if way > 0 { "behind" } else { "ahead of" })?;
        }
        if !self.redirects_to.is_empty() {
            write!(f, " to {}", self.redirects_to)?;
        }
        // Proxies answer with whole pages, which add nothing to the status.
        if !self.text.is_empty() && !self.text.starts_with('<') {
            write!(f, ": {}", self.text)?;
        }
        f.write_str(")")
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_fault_and_exit() {
        use ExitStatus::*;
        let cases: &[(u16, &str, Fault, ExitStatus)] = &[
            (400, "identity cannot be empty", Fault::Credentials, Credentials),
            (401, "invalid authorization token: expired", Fault::Credentials, Credentials),
            (401, "no permissions to access the room", Fault::Credentials, Credentials),
            (401, "", Fault::NotLiveKit, Unreachable),
            (401, "Unauthorized", Fault::NotLiveKit, Unreachable),
            (401, "<html>invalid token: ", Fault::NotLiveKit, Unreachable),
            (400, "<html>400 Bad Request", Fault::NotLiveKit, Unreachable),
            (403, "permissions denied", Fault::Credentials, Credentials),
            (403, "", Fault::NotLiveKit, Unreachable),
            (403, "RBAC: access denied", Fault::NotLiveKit, Unreachable),
            (407, "", Fault::NotLiveKit, Unreachable),
            (511, "<html>login", Fault::NotLiveKit, Unreachable),
            (404, "requested room does not exist", Fault::NoSuchRoom, Unreachable),
            (404, "404 page not found", Fault::NotLiveKit, Unreachable),
            (200, "<html>", Fault::NotLiveKit, Unreachable),
            (301, "", Fault::NotLiveKit, Unreachable),
            (405, "", Fault::NotLiveKit, Unreachable),
            (429, "", Fault::Server, Unreachable),
            (500, "could not start", Fault::Server, Unreachable),
            (502, "", Fault::Server, Unreachable),
            (503, "", Fault::Server, Unreachable),
            (999, "", Fault::Server, Unreachable),
        ];
        for (status, body, fault, exit_status) in cases {
            let refusal = Refusal::new(*status, body.as_bytes());
            assert_eq!((refusal.fault(), refusal.exit_status()), (*fault, *exit_status), "{status} {body}");
            assert!(!refusal.to_string().contains('\n'));
        }
    }

    #[test]
    fn a_clock_that_is_wrong_is_to_blame_for_a_token_that_is() {
        let refused = |behind_s| {
            Refusal::new(401, b"invalid token: x, error: token is expired").with_clock_behind(behind_s)
        };
        assert_eq!(refused(60).fault(), Fault::Credentials);
        assert_eq!((refused(61).fault(), refused(-61).fault()), (Fault::Clock, Fault::Clock));
        assert!(refused(7200).is_about_token());
        assert!(refused(7200).to_string().contains("7200 s behind the server's clock"), "{}", refused(7200));
        assert!(refused(-90).to_string().contains("90 s ahead of the server's clock"));
        assert_eq!(
            Refusal::new(404, b"requested room does not exist").with_clock_behind(900).fault(),
            Fault::NoSuchRoom
        );
    }

    #[test]
    fn what_the_server_answers_without_the_upgrade_explains_it() {
        let page = || Refusal::new(404, b"404 page not found");
        assert!(page().is_unexplained() && Refusal::new(502, b"<html>").is_unexplained());
        assert!(!Refusal::new(401, b"invalid API key").is_unexplained());
        assert_eq!(page().explained_by(200, b"success").fault(), Fault::NoUpgrade);
        assert_eq!(page().explained_by(200, b"<html>hello").fault(), Fault::NotLiveKit);
        assert_eq!(page().explained_by(404, b"404 page not found"), page());
        let refused = Refusal::new(400, b"").explained_by(401, b"invalid API key");
        assert_eq!((refused.status, refused.fault()), (401, Fault::Credentials));
        // What a portal answers to everything explains nothing.
        for (status, body) in [(200, &b"<html>"[..]), (401, b"no"), (403, b""), (302, b""), (511, b"<html>")]
        {
            assert_eq!(page().explained_by(status, body), page(), "{status}");
        }
    }

    #[test]
    fn who_is_on_the_way_is_named_and_not_the_token() {
        for (status, word) in [
            (200, "captive portal"),
            (302, "captive portal"),
            (401, "proxy"),
            (403, "firewall"),
            (404, "proxy"),
            (511, "login"),
        ] {
            let line = Refusal::new(status, b"<html>Sign in").to_string();
            assert!(line.contains(word) && !line.contains("token") && !line.contains("Sign in"), "{line}");
        }
        let redirected = |to: &str| Refusal::new(302, b"").with_location(to).to_string();
        assert!(
            redirected("https://portal.example:8443/login?u=s3cret")
                .ends_with("(HTTP 302 to portal.example:8443)")
        );
        for location in ["/login", "https://u:p@portal.example/", "https://a\u{1b}[2J/", ""] {
            assert!(redirected(location).ends_with("(HTTP 302)"), "{location:?}");
        }
    }

    #[test]
    fn one_line_with_the_servers_words() {
        let line = Refusal::new(401, b"invalid API key\n").to_string();
        assert!(line.ends_with("this machine's clock (HTTP 401: invalid API key)"), "{line}");
        let line = Refusal::new(502, b"<html>\r\n<head><title>502 Bad Gateway</title>").to_string();
        assert!(line.ends_with("later (HTTP 502)"), "{line}");
    }
}
