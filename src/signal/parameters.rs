//! The client's description of itself when it joins or resumes: the query of the WebSocket request
//! ([`JoinParameters`]).

use std::fmt::Write;

use super::sid::Sid;

/// The client's description of itself when it joins or resumes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JoinParameters {
    /// Version of this program.
    pub version: String,
    /// Version of the operating system, as it calls itself; may be empty.
    pub os_version: String,
    /// What the machine is, as it calls itself; may be empty.
    pub device_model: String,
    /// Come back to this session; none for a new one.
    pub resume: Option<Resume>,
}

/// A session to come back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resume {
    /// Our SID in it.
    pub participant_sid: Sid,
    /// What was lost.
    pub reason: ResumeReason,
}

/// Why a session is resumed (`ReconnectReason`). A failed peer connection is never given as the reason: within the
/// first 90 seconds it makes the server offer TCP only from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResumeReason {
    /// Nothing in particular.
    Unknown,
    /// The signal connection.
    SignalLost,
    /// The publisher's path, while the signal connection lived.
    PublisherFailed,
    /// The subscriber's path, while the signal connection lived.
    SubscriberFailed,
}

/// Protocol version that we speak: leave actions (> 12), answers to requests (> 14), moved rooms (> 15).
/// One more would allow the server to append trailers to packets, which only video needs.
const PROTOCOL: u32 = 16;

/// What we call ourselves. The server does not know the name and takes us as we are: known names switch
/// on workarounds for bugs of those programs (`go`: padding packets, no ICE-TCP; `rust`: held back
/// messages), and what an unknown one goes without, SCTP without checksums and codecs that change in the
/// middle of a track, we do not use.
const SDK: &str = "kinglet";

impl JoinParameters {
    /// The query, without its `?`.
    ///
    /// Flat parameters, not one `join_request`, make a session with two peer connections. Subscribing is
    /// ours (`auto_subscribe=0`): the server would offer video too, which ends in one reconnect after the
    /// other where the client has no video codec.
    pub fn query(&self) -> String {
        let mut query = format!("protocol={PROTOCOL}&auto_subscribe=0&adaptive_stream=0");
        let texts = [
            ("sdk", SDK),
            ("version", &self.version),
            ("os", "linux"),
            ("os_version", &self.os_version),
            ("device_model", &self.device_model),
        ];
        for (name, value) in texts.into_iter().filter(|(_, value)| !value.is_empty()) {
            query.push_str(&format!("&{name}="));
            push_encoded(&mut query, value);
        }
        if let Some(resume) = self.resume {
            query.push_str("&reconnect=1&sid=");
            push_encoded(&mut query, resume.participant_sid.as_str());
            query.push_str(&format!("&reconnect_reason={}", resume.reason.number()));
        }
        query
    }
}

impl ResumeReason {
    fn number(self) -> u8 {
        match self {
            ResumeReason::Unknown => 0,
            ResumeReason::SignalLost => 1,
            ResumeReason::PublisherFailed => 2,
            ResumeReason::SubscriberFailed => 3,
        }
    }
}

/// Percent-encodes all but the unreserved characters of RFC 3986 §2.3.
fn push_encoded(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_asks_for_what_an_audio_client_needs() {
        let parameters = JoinParameters {
            version: "0.1.0".into(),
            os_version: "Debian GNU/Linux 13".into(),
            device_model: "Raspberry Pi Zero 2 W Rev 1.0 & ü".into(),
            resume: None,
        };
        assert_eq!(
            parameters.query(),
            "protocol=16&auto_subscribe=0&adaptive_stream=0&sdk=kinglet&version=0.1.0&os=linux\
             &os_version=Debian%20GNU%2FLinux%2013&device_model=Raspberry%20Pi%20Zero%202%20W%20Rev%201.0%20%26%20%C3%BC"
        );
    }

    #[test]
    fn a_resume_names_the_session() {
        let resume =
            Some(Resume { participant_sid: Sid::new("PA_x").unwrap(), reason: ResumeReason::SignalLost });
        let query = JoinParameters { resume, ..JoinParameters::default() }.query();
        assert!(query.ends_with("&sdk=kinglet&os=linux&reconnect=1&sid=PA_x&reconnect_reason=1"), "{query}");
    }
}
