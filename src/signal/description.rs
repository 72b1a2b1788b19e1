//! Session descriptions and candidates, which the peers exchange through the server.

use serde::{Deserialize, Serialize};

use super::sid::Sid;
use super::wire;
use crate::limits::{CANDIDATE_BYTES_MAX, SDP_BYTES_MAX};

/// Which of our two peer connections a message is about (`SignalTarget`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// The one that we offer, and send on.
    Publisher,
    /// The one that the server offers, and sends on.
    Subscriber,
}

/// An offer or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The SDP, at most [`SDP_BYTES_MAX`] bytes, not parsed.
    pub sdp: String,
    /// The offerer's number of the exchange, repeated by the answer; 0 from old servers.
    pub id: u32,
    /// Which track each m-line carries, by its `a=mid`: more reliable than the m-line's `a=msid`, which
    /// stays behind when an m-line is used again.
    pub mid_to_track: Vec<(String, Sid)>,
}

/// A candidate, as it is trickled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trickle {
    /// The bare attribute, `candidate:…`, not parsed, at most [`CANDIDATE_BYTES_MAX`] bytes.
    pub candidate: String,
    /// Whose it is.
    pub target: Target,
    /// The server has no more of them.
    pub is_final: bool,
}

impl Target {
    pub(super) fn from_wire(number: i32) -> Option<Target> {
        match wire::SignalTarget::try_from(number).ok()? {
            wire::SignalTarget::Publisher => Some(Target::Publisher),
            wire::SignalTarget::Subscriber => Some(Target::Subscriber),
        }
    }

    pub(super) fn to_wire(self) -> wire::SignalTarget {
        match self {
            Target::Publisher => wire::SignalTarget::Publisher,
            Target::Subscriber => wire::SignalTarget::Subscriber,
        }
    }
}

impl Description {
    /// `None` without an SDP, or with one past the limit.
    pub(super) fn from_wire(wire: wire::SessionDescription) -> Option<Description> {
        if wire.sdp.is_empty() || wire.sdp.len() > SDP_BYTES_MAX {
            return None;
        }
        let mut mid_to_track: Vec<_> =
            wire.mid_to_track_id.into_iter().filter_map(|(mid, sid)| Some((mid, Sid::new(&sid)?))).collect();
        mid_to_track.sort();
        Some(Description { sdp: wire.sdp, id: wire.id, mid_to_track })
    }
}

impl Trickle {
    /// `None` for an end-of-candidates mark, for what is not the JSON of a candidate, and for targets
    /// that do not exist: a connection lives without any one candidate.
    pub(super) fn from_wire(wire: &wire::TrickleRequest) -> Option<Trickle> {
        let init: CandidateInit = serde_json::from_str(&wire.candidate_init).ok()?;
        let candidate =
            init.candidate.filter(|text| !text.is_empty() && text.len() <= CANDIDATE_BYTES_MAX)?;
        Some(Trickle { candidate, target: Target::from_wire(wire.target)?, is_final: wire.r#final })
    }

    pub(super) fn to_wire(&self) -> wire::TrickleRequest {
        let init = CandidateInit {
            candidate: Some(self.candidate.clone()),
            sdp_mid: Some("0".to_owned()),
            sdp_m_line_index: Some(0),
            username_fragment: None,
        };
        wire::TrickleRequest {
            candidate_init: serde_json::to_string(&init).unwrap_or_default(),
            target: self.target.to_wire() as i32,
            r#final: self.is_final,
        }
    }
}

/// `RTCIceCandidateInit` of the WebRTC API. All m-lines are bundled, so the first one is named when sending, and only
/// the candidate is needed when receiving: other fields that a server adds or omits do not matter.
#[derive(Serialize, Deserialize)]
struct CandidateInit {
    candidate: Option<String>,
    #[serde(rename = "sdpMid", skip_deserializing)]
    sdp_mid: Option<String>,
    #[serde(rename = "sdpMLineIndex", skip_deserializing)]
    sdp_m_line_index: Option<u16>,
    #[serde(rename = "usernameFragment", skip_deserializing)]
    username_fragment: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const UDP: &str = "candidate:2878742611 1 udp 2130706431 127.0.0.1 7882 typ host ufrag kXyZ";

    fn trickle(candidate_init: &str) -> Option<Trickle> {
        Trickle::from_wire(&wire::TrickleRequest {
            candidate_init: candidate_init.into(),
            target: 1,
            r#final: true,
        })
    }

    #[test]
    fn reads_candidates_leniently() {
        let expected = Trickle { candidate: UDP.into(), target: Target::Subscriber, is_final: true };
        for rest in [
            r#","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":null"#,
            r#","sdpMid":"","sdpMLineIndex":null"#,
            r#","sdpMid":7,"new":{"a":[]}"#,
            "",
        ] {
            let json = format!(r#"{{"candidate":"{UDP}"{rest}}}"#);
            assert_eq!(trickle(&json).as_ref(), Some(&expected), "{json}");
        }
    }

    #[test]
    fn leaves_out_marks_and_garbage() {
        let long = format!(r#"{{"candidate":"{}"}}"#, "x".repeat(CANDIDATE_BYTES_MAX + 1));
        for json in ["", "null", "[]", "{}", r#"{"candidate":""}"#, r#"{"candidate":null}"#, "{", &long] {
            assert_eq!(trickle(json), None, "{json}");
        }
    }

    #[test]
    fn writes_what_the_server_parses() {
        let wire = Trickle { candidate: UDP.into(), target: Target::Publisher, is_final: false }.to_wire();
        let expected =
            format!(r#"{{"candidate":"{UDP}","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":null}}"#);
        assert_eq!((wire.candidate_init, wire.target, wire.r#final), (expected, 0, false));
    }

    #[test]
    fn maps_mids_to_usable_sids_only() {
        let mid_to_track_id =
            [("1", "TR_b"), ("0", "TR_a"), ("2", "")].map(|(mid, sid)| (mid.into(), sid.into())).into();
        let wire =
            wire::SessionDescription { sdp: "v=0".into(), id: 7, mid_to_track_id, ..Default::default() };
        let description = Description::from_wire(wire).unwrap();
        let tracks: Vec<_> =
            description.mid_to_track.iter().map(|(mid, sid)| (mid.as_str(), sid.as_str())).collect();
        assert_eq!(tracks, [("0", "TR_a"), ("1", "TR_b")]);
        assert_eq!(Description::from_wire(wire::SessionDescription::default()), None);
    }
}
