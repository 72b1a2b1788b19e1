//! How something that we asked for went.

use super::wire;

/// Why a subscription failed (`SubscriptionError`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionError {
    /// The server does not give a reason.
    Unknown,
    /// We do not have its codec.
    CodecUnsupported,
    /// No such track any more.
    TrackNotFound,
}

/// Which request an answer is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestAbout {
    /// Our track, by the name that we gave it.
    AddTrack {
        /// Our own name of the track.
        cid: String,
    },
    /// Muting of this track; the SID is as we sent it.
    Mute {
        /// SID of the track.
        sid: String,
    },
    /// An ICE candidate that we trickled.
    Trickle,
    /// Any other request.
    Other,
}

/// How a request went (`RequestResponse.Reason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the protocol's")]
pub enum RequestReason {
    Ok,
    NotFound,
    NotAllowed,
    LimitExceeded,
    /// The same `cid` is still published; `TrackPublished` follows when the old one is gone.
    Queued,
    UnsupportedType,
    Other,
}

impl SubscriptionError {
    /// For a person.
    pub fn words(self) -> &'static str {
        match self {
            SubscriptionError::Unknown => "the server gives no reason",
            SubscriptionError::CodecUnsupported => "it is in a codec that we do not have",
            SubscriptionError::TrackNotFound => "the track does not exist any more",
        }
    }

    pub(super) fn from_wire(number: i32) -> SubscriptionError {
        match wire::SubscriptionError::try_from(number) {
            Ok(wire::SubscriptionError::SeCodecUnsupported) => SubscriptionError::CodecUnsupported,
            Ok(wire::SubscriptionError::SeTrackNotfound) => SubscriptionError::TrackNotFound,
            Ok(wire::SubscriptionError::SeUnknown) | Err(_) => SubscriptionError::Unknown,
        }
    }
}

impl RequestAbout {
    /// The request in words, for a message.
    pub fn words(&self) -> &'static str {
        match self {
            RequestAbout::AddTrack { .. } => "to add a track",
            RequestAbout::Mute { .. } => "to mute a track",
            RequestAbout::Trickle => "to use an ICE candidate",
            RequestAbout::Other => "a request",
        }
    }

    pub(super) fn from_wire(wire: Option<wire::request_response::Request>) -> RequestAbout {
        match wire {
            Some(wire::request_response::Request::AddTrack(add)) => RequestAbout::AddTrack { cid: add.cid },
            Some(wire::request_response::Request::Mute(mute)) => RequestAbout::Mute { sid: mute.sid },
            Some(wire::request_response::Request::Trickle(_)) => RequestAbout::Trickle,
            None => RequestAbout::Other,
        }
    }
}

impl RequestReason {
    /// For a person.
    pub fn words(self) -> &'static str {
        match self {
            RequestReason::Ok => "done",
            RequestReason::NotFound => "not found",
            RequestReason::NotAllowed => "not allowed",
            RequestReason::LimitExceeded => "past a limit of the server",
            RequestReason::Queued => "queued",
            RequestReason::UnsupportedType => "not supported",
            RequestReason::Other => "refused",
        }
    }

    pub(super) fn from_wire(number: i32) -> RequestReason {
        use wire::request_response::Reason;
        match Reason::try_from(number) {
            Ok(Reason::Ok) => RequestReason::Ok,
            Ok(Reason::NotFound) => RequestReason::NotFound,
            Ok(Reason::NotAllowed) => RequestReason::NotAllowed,
            Ok(Reason::LimitExceeded) => RequestReason::LimitExceeded,
            Ok(Reason::Queued) => RequestReason::Queued,
            Ok(Reason::UnsupportedType) => RequestReason::UnsupportedType,
            Ok(_) | Err(_) => RequestReason::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_newer_servers_have_a_word() {
        assert_eq!(RequestReason::from_wire(4), RequestReason::Queued);
        assert_eq!(RequestReason::from_wire(11), RequestReason::Other);
        assert_eq!(RequestReason::from_wire(99), RequestReason::Other);
        assert_eq!(SubscriptionError::from_wire(2), SubscriptionError::TrackNotFound);
        assert_eq!(SubscriptionError::from_wire(99), SubscriptionError::Unknown);
        assert_eq!(RequestAbout::from_wire(None), RequestAbout::Other);
    }
}
