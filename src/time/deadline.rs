//! Deadlines in a table indexed by their reason; the next wake-up is the earliest of them.
//!
//! A deadline without a reason cannot be debugged, so [`Deadlines::next`] returns both, and the log names why the
//! program woke up.

#![expect(
    clippy::indexing_slicing,
    reason = "places come from a search of the same table, or number its fixed entries"
)]

use std::time::Instant;

/// Declares [`Reason`] and the list of its variants together, so that none can be missing from the list.
macro_rules! reasons {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// Why the program wants to be woken.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(usize)]
        pub enum Reason {
            $($(#[$doc])+ $name,)+
        }

        const REASONS: &[Reason] = &[$(Reason::$name,)+];
    };
}

reasons! {
    /// The session must be up by then, or this attempt has failed.
    Join,
    /// A ping is due, or the silence of the server has lasted too long.
    Ping,
    /// The publisher must be connected by then, or we cannot be heard.
    PublisherConnection,
    /// An offer of ours must be answered by then.
    PublisherAnswer,
    /// The next attempt to reach the server.
    Redial,
    /// The path of a resumed session must be found by then, or the resume is tried again.
    Path,
    /// A lost peer connection must have come back by then.
    Recovery,
    /// The reports about a new network have settled.
    Network,
    /// UDP, or a TCP address, has had its time to give a path.
    Fallback,
    /// A STUN server is asked again.
    Bindings,
    /// The TURN client, or the next TURN server.
    Relay,
    /// A released talk key counts as a mute.
    TalkHold,
    /// A request to the server must be answered by then.
    Answer,
    /// A call between participants must be heard of or answered by then.
    Call,
    /// Messages that were given before we leave have had their time.
    Farewell,
    /// The next block of an announcement is due.
    Announcement,
    /// Captions that came as packets have waited for a stream.
    Captions,
    /// ICE, DTLS, SCTP or RTCP of the publisher.
    Publisher,
    /// ICE, DTLS, SCTP or RTCP of the subscriber.
    Subscriber,
}

/// At most one deadline for each [`Reason`].
#[derive(Debug, Default)]
pub struct Deadlines {
    at: [Option<Instant>; REASONS.len()],
}

impl Deadlines {
    /// Sets or replaces the deadline of `reason`.
    pub fn set(&mut self, reason: Reason, at: Instant) {
        self.at[reason as usize] = Some(at);
    }

    /// Removes the deadline of `reason`.
    pub fn clear(&mut self, reason: Reason) {
        self.at[reason as usize] = None;
    }

    /// Whether `reason` has a deadline.
    pub fn is_set(&self, reason: Reason) -> bool {
        self.at[reason as usize].is_some()
    }

    /// The earliest deadline. Changes after each `set`, `clear` and `take_due`.
    pub fn next(&self) -> Option<(Instant, Reason)> {
        REASONS
            .iter()
            .filter_map(|&reason| self.at[reason as usize].map(|at| (at, reason)))
            .min_by_key(|&(at, _)| at)
    }

    /// Removes and returns the earliest deadline that has passed; call it until it gives `None`.
    pub fn take_due(&mut self, now: Instant) -> Option<Reason> {
        let (at, reason) = self.next()?;
        if at > now {
            return None;
        }
        self.clear(reason);
        Some(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_reason_has_its_own_place() {
        for (index, &reason) in REASONS.iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
    fn the_earliest_comes_first_and_only_once() {
        let base = Instant::now();
        let mut deadlines = Deadlines::default();
        deadlines.set(Reason::Ping, base + Duration::from_secs(2));
        deadlines.set(Reason::Join, base + Duration::from_secs(1));
        deadlines.set(Reason::Join, base + Duration::from_secs(3));
        assert_eq!(deadlines.next(), Some((base + Duration::from_secs(2), Reason::Ping)));
        assert_eq!(deadlines.take_due(base + Duration::from_secs(1)), None);
        let late = base + Duration::from_secs(9);
        assert_eq!(deadlines.take_due(late), Some(Reason::Ping));
        assert_eq!(deadlines.take_due(late), Some(Reason::Join));
        assert_eq!(deadlines.take_due(late), None);
    }
}
