//! What we read from the server's offers ourselves: which m-line carries which track, by which SSRC.
//!
//! str0m negotiates; but when the server gives a used m-line to another track, str0m keeps the old track's name (its
//! `Media::track_id` is set once). So each raw offer is read for `a=mid`, `a=msid`, `a=ssrc` and direction (RFC 8829
//! §5.2, RFC 8830). The subscriber's RTP carries no MID extension, hence packets are distinguished by SSRC alone.
//!
//! Lenient and bounded: unknown lines are skipped; a description with more m-lines, SSRCs or candidates
//! than make sense is not even shown to str0m, which would keep them all. Nothing panics.

use crate::limits::{CANDIDATES_MAX, M_LINES_MAX, SDP_BYTES_MAX, SSRCS_PER_LINE_MAX};

/// One m-line of a description, borrowed from its text.
#[derive(Debug, Default, Clone)]
pub(super) struct MediaLine<'a> {
    /// Value of `a=mid`.
    pub(super) mid: &'a str,
    /// Audio, as opposed to data (and video, which is never subscribed).
    pub(super) is_audio: bool,
    /// The port is not 0: the line was not refused (RFC 3264 §6).
    pub(super) is_accepted: bool,
    /// It is accepted and the other side sends on it (`sendonly` or `sendrecv`).
    pub(super) is_sending: bool,
    /// Second token of `a=msid`: the track.
    pub(super) track: &'a str,
    /// `a=ssrc` identifiers, each once.
    pub(super) ssrcs: heapless::Vec<u32, SSRCS_PER_LINE_MAX>,
}

/// The relevant lines of one description.
#[derive(Debug, Default)]
pub(super) struct Description<'a> {
    /// The other side answers checks only (RFC 8445 §2.5).
    pub(super) is_ice_lite: bool,
    /// The first `a=ice-ufrag`: all m-lines share one transport.
    pub(super) ufrag: &'a str,
    /// The `a=candidate` lines, without `a=`.
    pub(super) candidates: heapless::Vec<&'a str, CANDIDATES_MAX>,
    /// Its m-lines, in order.
    pub(super) lines: heapless::Vec<MediaLine<'a>, M_LINES_MAX>,
}

/// What a description has too much of, to be even handed to str0m.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SdpError {
    /// Longer than [`SDP_BYTES_MAX`].
    Length,
    /// More m-lines than [`M_LINES_MAX`].
    MediaLines,
    /// More SSRCs on one m-line than [`SSRCS_PER_LINE_MAX`].
    Ssrcs,
    /// More candidates than [`CANDIDATES_MAX`].
    Candidates,
}

impl std::fmt::Display for SdpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SdpError::Length => write!(f, "a session description of more than {SDP_BYTES_MAX} bytes"),
            SdpError::MediaLines => write!(f, "a session description of more than {M_LINES_MAX} m-lines"),
            SdpError::Ssrcs => write!(f, "an m-line of more than {SSRCS_PER_LINE_MAX} SSRCs"),
            SdpError::Candidates => {
                write!(f, "a session description of more than {CANDIDATES_MAX} candidates")
            }
        }
    }
}

/// Reads a description.
///
/// # Errors
/// It is longer than we accept.
pub(super) fn read(sdp: &str) -> Result<Description<'_>, SdpError> {
    if sdp.len() > SDP_BYTES_MAX {
        return Err(SdpError::Length);
    }
    let mut description = Description::default();
    for line in sdp.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            let mut words = media.split(' ');
            let kind = words.next().unwrap_or_default();
            let is_open = words.next() != Some("0");
            // RFC 8866 §6.7: without a direction attribute a line is sendrecv.
            let line = MediaLine {
                is_audio: kind == "audio",
                is_accepted: is_open,
                is_sending: is_open,
                ..MediaLine::default()
            };
            description.lines.push(line).map_err(|_| SdpError::MediaLines)?;
        } else if line == "a=ice-lite" {
            description.is_ice_lite = true;
        } else if let Some(ufrag) = line.strip_prefix("a=ice-ufrag:") {
            if description.ufrag.is_empty() {
                description.ufrag = ufrag.trim();
            }
        } else if let Some(attribute) = line.strip_prefix("a=").filter(|line| line.starts_with("candidate:"))
        {
            description.candidates.push(attribute.trim()).map_err(|_| SdpError::Candidates)?;
        } else if let Some(current) = description.lines.last_mut() {
            read_attribute(line, current)?;
        }
    }
    Ok(description)
}

fn read_attribute<'a>(line: &'a str, current: &mut MediaLine<'a>) -> Result<(), SdpError> {
    let Some(attribute) = line.strip_prefix("a=") else { return Ok(()) };
    let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
    match name {
        "mid" => current.mid = value.trim(),
        "msid" => current.track = value.split_whitespace().nth(1).unwrap_or_default(),
        "recvonly" | "inactive" => current.is_sending = false,
        "ssrc" => {
            let number = value.split(' ').next().and_then(|word| word.parse().ok());
            if let Some(ssrc) = number
                && !current.ssrcs.contains(&ssrc)
            {
                current.ssrcs.push(ssrc).map_err(|_| SdpError::Ssrcs)?;
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\na=ice-lite\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n\
        a=ice-ufrag:uF\r\na=candidate:1 1 tcp 9 192.0.2.1 7881 typ host tcptype passive\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=sendrecv\r\na=msid:PA_x|TR_y TR_y\r\n\
        a=ssrc:77 cname:c\r\na=ssrc:77 msid:PA_x|TR_y TR_y\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:2\r\na=recvonly\r\na=msid:PA_x|TR_z TR_z\r\n";

    #[test]
    fn reads_what_carries_which_track() {
        let description = read(OFFER).expect("valid");
        assert!(description.is_ice_lite);
        assert_eq!((description.ufrag, description.candidates.len()), ("uF", 1));
        assert!(description.candidates[0].starts_with("candidate:1 1 tcp"));
        let [data, live, ended] = description.lines.as_slice() else { panic!("three lines") };
        assert!(!data.is_audio);
        assert_eq!((live.mid, live.track, live.is_sending), ("1", "TR_y", true));
        assert_eq!(live.ssrcs.as_slice(), [77]);
        assert!(!ended.is_sending && ended.is_audio);
    }

    #[test]
    fn refuses_what_is_too_large() {
        assert_eq!(read(&"a".repeat(SDP_BYTES_MAX + 1)).unwrap_err(), SdpError::Length);
        assert_eq!(read(&"m=audio 9\n".repeat(M_LINES_MAX + 1)).unwrap_err(), SdpError::MediaLines);
        let candidates = "a=candidate:1 1 udp 1 10.0.0.1 1 typ host\n".repeat(CANDIDATES_MAX + 1);
        assert_eq!(read(&candidates).unwrap_err(), SdpError::Candidates);
        let ssrcs = (0..=SSRCS_PER_LINE_MAX).map(|ssrc| format!("a=ssrc:{ssrc} cname:x\n"));
        let line = format!("m=audio 9\n{}", ssrcs.collect::<String>());
        assert_eq!(read(&line).unwrap_err(), SdpError::Ssrcs);
    }

    #[test]
    fn survives_any_bytes() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..20_000 {
            let mut bytes = OFFER.as_bytes().to_vec();
            for _ in 0..random.usize(1..20) {
                let at = random.usize(0..bytes.len());
                bytes[at] = random.u8(..);
            }
            let _ = read(&String::from_utf8_lossy(&bytes));
        }
    }
}
