//! Session descriptions as text: what LiveKit writes differently from str0m, and what is read out of the client's.
//!
//! LiveKit's descriptions are pion's: the fingerprint stands at session level, the first one carries no candidates (they
//! are trickled), a live line of the subscriber has `a=msid:PA_x|TR_y TR_y` and four `a=ssrc` lines, and a line whose
//! track has ended is `recvonly` and has neither.

/// A description cut at its m-lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The lines before the first m-line.
    pub session: Vec<String>,
    /// Each m-line with its attributes.
    pub sections: Vec<Section>,
}

/// One m-line with its attributes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Section {
    /// `m=…` first, then the rest in order.
    pub lines: Vec<String>,
}

/// What a subscriber's line carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Msid {
    /// `PA_x|TR_y`.
    pub stream: String,
    /// `TR_y`.
    pub track: String,
}

impl Description {
    /// Cuts a description.
    pub fn read(text: &str) -> Description {
        let mut description = Description { session: Vec::new(), sections: Vec::new() };
        for line in text.lines().filter(|line| !line.is_empty()) {
            if line.starts_with("m=") {
                description.sections.push(Section::default());
            }
            let lines = match description.sections.last_mut() {
                Some(section) => &mut section.lines,
                None => &mut description.session,
            };
            lines.push(line.to_string());
        }
        description
    }

    /// The text again.
    pub fn write(&self) -> String {
        let lines = self.session.iter().chain(self.sections.iter().flat_map(|section| &section.lines));
        lines.flat_map(|line| [line.as_str(), "\r\n"]).collect()
    }

    /// Moves the fingerprint to session level, where pion has it.
    pub fn hoist_fingerprint(&mut self) {
        let found = self.sections.iter().find_map(|section| section.attribute("fingerprint"));
        let Some(fingerprint) = found.map(|value| format!("a=fingerprint:{value}")) else { return };
        self.sections.iter_mut().for_each(|section| section.drop_attribute("fingerprint"));
        self.session.push(fingerprint);
    }

    /// The ICE user name, the same in each line.
    pub fn ufrag(&self) -> &str {
        self.sections.iter().find_map(|section| section.attribute("ice-ufrag")).unwrap_or_default()
    }

    /// Takes the candidates out, for a description after which they are trickled.
    pub fn drop_candidates(&mut self) {
        self.sections.iter_mut().for_each(|section| section.drop_attribute("candidate"));
    }

    /// Sets the DTLS role of every line.
    pub fn set_setup(&mut self, role: &str) {
        for section in &mut self.sections {
            let had = section.attribute("setup").is_some();
            section.drop_attribute("setup");
            if had {
                section.lines.push(format!("a=setup:{role}"));
            }
        }
    }

    /// Gives each sound line of an offer what it carries, `None` where its track has ended.
    pub fn set_msids(&mut self, msid_of: impl Fn(&str) -> Option<Msid>) {
        for section in self.sections.iter_mut().filter(|section| section.is_audio()) {
            let ssrc = section.ssrc();
            section.drop_attribute("msid");
            section.drop_attribute("ssrc");
            let (Some(Msid { stream, track }), Some(ssrc)) = (msid_of(section.mid()), ssrc) else { continue };
            section.lines.push(format!("a=msid:{stream} {track}"));
            section.lines.push(format!("a=ssrc:{ssrc} cname:{stream}"));
            section.lines.push(format!("a=ssrc:{ssrc} msid:{stream} {track}"));
            section.lines.push(format!("a=ssrc:{ssrc} mslabel:{stream}"));
            section.lines.push(format!("a=ssrc:{ssrc} label:{track}"));
        }
    }

    /// Advises the client's encoder to use DTX (`participant_sdp.go:configurePublisherAnswer`).
    pub fn advise_dtx(&mut self) {
        for section in &mut self.sections {
            let Some(opus) = section.payload_type("opus") else { continue };
            let start = format!("a=fmtp:{opus} ");
            for line in section.lines.iter_mut().filter(|line| line.starts_with(&start)) {
                line.push_str(";usedtx=1");
            }
        }
    }
}

impl Section {
    /// The value of the first attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'))
    }

    /// The values of all attributes of this name.
    pub fn attributes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines
            .iter()
            .filter_map(move |line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'))
    }

    /// `a=mid`.
    pub fn mid(&self) -> &str {
        self.attribute("mid").unwrap_or_default()
    }

    /// Whether it is a line for sound.
    pub fn is_audio(&self) -> bool {
        self.lines.first().is_some_and(|line| line.starts_with("m=audio "))
    }

    /// Whether its writer sends on it.
    pub fn sends(&self) -> bool {
        self.lines.iter().any(|line| line == "a=sendrecv" || line == "a=sendonly")
    }

    /// The first SSRC that its writer announces.
    pub fn ssrc(&self) -> Option<u32> {
        self.attribute("ssrc")?.split(' ').next()?.parse().ok()
    }

    /// The second token of `a=msid`, or its only one (`P:sdp/sdp.go:ExtractStreamID`).
    pub fn track_id(&self) -> Option<&str> {
        self.attribute("msid")?.split(' ').next_back()
    }

    /// The payload type of a codec, if the line has it.
    pub fn payload_type(&self, codec: &str) -> Option<&str> {
        self.attributes("rtpmap").find_map(|map| {
            let (payload_type, encoding) = map.split_once(' ')?;
            encoding.split('/').next()?.eq_ignore_ascii_case(codec).then_some(payload_type)
        })
    }

    fn drop_attribute(&mut self, name: &str) {
        self.lines.retain(|line| {
            !line
                .strip_prefix("a=")
                .and_then(|line| line.strip_prefix(name))
                .is_some_and(|rest| rest.starts_with(':'))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\ns=-\r\nm=audio 9 UDP/TLS/RTP/SAVPF 63 111\r\na=candidate:1 1 udp 1 10.0.0.1 1 typ host\r\n\
        a=fingerprint:sha-256 AA\r\na=setup:actpass\r\na=mid:q\r\na=sendrecv\r\na=msid:old old\r\na=rtpmap:111 opus/48000/2\r\n\
        a=fmtp:111 minptime=10\r\na=rtpmap:63 red/48000/2\r\na=ssrc:7 cname:old\r\n";

    #[test]
    fn a_live_line_names_its_track() {
        let mut offer = Description::read(OFFER);
        assert_eq!(offer.write(), OFFER);
        offer.hoist_fingerprint();
        offer.drop_candidates();
        offer
            .set_msids(|mid| (mid == "q").then(|| Msid { stream: "PA_x|TR_y".into(), track: "TR_y".into() }));
        let section = &offer.sections[0];
        assert_eq!((section.track_id(), section.ssrc()), (Some("TR_y"), Some(7)));
        assert_eq!(section.attribute("candidate"), None);
        assert!(offer.session.contains(&"a=fingerprint:sha-256 AA".to_string()));
        assert_eq!((section.payload_type("red"), section.sends()), (Some("63"), true));
    }

    #[test]
    fn an_ended_line_names_nothing() {
        let mut offer = Description::read(OFFER);
        offer.set_msids(|_| None);
        assert_eq!((offer.sections[0].track_id(), offer.sections[0].ssrc()), (None, None));
    }

    #[test]
    fn an_answer_is_made_the_server_s() {
        let mut answer = Description::read(OFFER);
        answer.advise_dtx();
        answer.set_setup("active");
        assert!(answer.write().contains("a=fmtp:111 minptime=10;usedtx=1\r\n"));
        assert_eq!(answer.sections[0].attribute("setup"), Some("active"));
    }
}
