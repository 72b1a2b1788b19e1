//! An output, such as a door opener: a line that is driven for one pulse, and then rests.
//!
//! ```text
//!   request (who, which message) ─► allowed? ─► seen before? ─► driven until `pulse` is over
//!                                     │ no          │ yes               └─► resting
//!                                     └─► refused   └─► confirmed, not driven again
//! ```
//!
//! A door must open once for each request, but data messages are repeated by retries and replayed after a resume, and a
//! DTMF tone may arrive in several packets. So each request has a key, and keys are remembered. A request while the
//! line is driven does not extend the pulse: the line is never driven for longer than one pulse. A request that failed
//! because the line could not be driven is forgotten.

use std::time::{Duration, Instant};

use super::allow::Allow;
use crate::event::ParticipantKind;
use crate::limits::OUTPUT_WISHES_REMEMBERED;

/// The shortest and the longest pulse that can be configured, in milliseconds. A relay needs 20 ms; no door has to be
/// held for longer than half a minute, and no coil should be driven for longer.
pub const PULSE_MS: std::ops::RangeInclusive<u64> = 20..=30_000;

/// How long a request is remembered. A resume replays nothing older than 15 s, and a person at the door presses again
/// later than a retry.
const REMEMBERED: Duration = Duration::from_secs(60);

/// The result of a permitted request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granted {
    /// The line is to be driven now.
    Driven,
    /// The output is driven already, for an earlier request.
    Already,
    /// The same request was granted before.
    Repeated,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputRefused {
    /// The participant is not on the list.
    NotAllowed,
}

/// An output that a request drives for the length of its pulse.
#[derive(Debug)]
pub struct Output {
    pulse: Duration,
    allow: Allow,
    driven_until: Option<Instant>,
    /// Whether the output was last driven for the last remembered request.
    is_by_wish: bool,
    wishes: heapless::Deque<(u64, Instant), OUTPUT_WISHES_REMEMBERED>,
}

impl Output {
    /// Creates an output that is driven for `pulse` (clamped to [`PULSE_MS`]), for participants on the list.
    pub fn new(pulse: Duration, allow: Allow) -> Output {
        let shortest = Duration::from_millis(*PULSE_MS.start());
        let longest = Duration::from_millis(*PULSE_MS.end());
        Output {
            pulse: pulse.clamp(shortest, longest),
            allow,
            driven_until: None,
            is_by_wish: false,
            wishes: heapless::Deque::new(),
        }
    }

    /// Requests a pulse for `identity`, of this kind. `wish` is the number of the message, the same for each copy of
    /// it; `None` if there are no copies.
    ///
    /// # Errors
    /// The participant is not on the list.
    pub fn ask(
        &mut self,
        (identity, kind): (&str, ParticipantKind),
        wish: Option<u64>,
        now: Instant,
    ) -> Result<Granted, OutputRefused> {
        if !self.allow.permits(identity, kind) {
            return Err(OutputRefused::NotAllowed);
        }
        if let Some(wish) = wish {
            if self.is_remembered(wish, now) {
                return Ok(Granted::Repeated);
            }
            self.remember(wish, now);
        }
        let granted = self.drive(now);
        self.is_by_wish = wish.is_some() && granted == Granted::Driven;
        Ok(granted)
    }

    /// Starts a pulse without checking the list, for `ctl pulse` on the device.
    pub fn drive(&mut self, now: Instant) -> Granted {
        if self.is_driven(now) {
            return Granted::Already;
        }
        (self.driven_until, self.is_by_wish) = (Some(now + self.pulse), false);
        Granted::Driven
    }

    /// Reports that the line could not be driven. The next request is granted again.
    pub fn not_driven(&mut self) {
        self.driven_until = None;
        if std::mem::take(&mut self.is_by_wish) {
            self.wishes.pop_back();
        }
    }

    /// Whether the line is to be driven at `now`.
    pub fn is_driven(&self, now: Instant) -> bool {
        self.driven_until.is_some_and(|until| now < until)
    }

    /// Returns when the line is to rest again.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.driven_until
    }

    /// Ends a pulse that is over. Until then [`Output::poll_timeout`] returns its end.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.driven_until.take_if(|until| *until <= now);
    }

    fn is_remembered(&self, wish: u64, now: Instant) -> bool {
        self.wishes
            .iter()
            .any(|(known, at)| *known == wish && now.saturating_duration_since(*at) < REMEMBERED)
    }

    fn remember(&mut self, wish: u64, now: Instant) {
        if self.wishes.is_full() {
            self.wishes.pop_front();
        }
        // There is room now.
        let _ = self.wishes.push_back((wish, now));
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn door() -> (Output, Instant) {
        let allow = Allow::new(["flat-*".to_owned()]).expect("usable");
        (Output::new(3 * SECOND, allow), Instant::now())
    }

    #[test]
    fn opens_once_for_each_request_and_only_for_participants_on_the_list() {
        let (mut door, start) = door();
        assert_eq!(
            door.ask(("stranger", ParticipantKind::Standard), Some(1), start),
            Err(OutputRefused::NotAllowed)
        );
        assert!(!door.is_driven(start));
        assert_eq!(door.ask(("flat-1", ParticipantKind::Standard), Some(1), start), Ok(Granted::Driven));
        assert_eq!(door.poll_timeout(), Some(start + 3 * SECOND));
        door.handle_timeout(start + 3 * SECOND);
        assert_eq!(
            door.ask(("flat-1", ParticipantKind::Standard), Some(1), start + 5 * SECOND),
            Ok(Granted::Repeated)
        );
        assert!(!door.is_driven(start + 5 * SECOND));
        assert_eq!(
            door.ask(("flat-1", ParticipantKind::Standard), Some(2), start + 5 * SECOND),
            Ok(Granted::Driven)
        );
    }

    /// The line is never driven for longer than one pulse without a rest, whatever is requested.
    #[test]
    fn is_never_driven_for_longer_than_its_pulse() {
        let mut random = fastrand::Rng::with_seed(3);
        let (mut door, start) = door();
        let mut driven_since = None;
        for ms in (0..600_000).step_by(10) {
            let now = start + Duration::from_millis(ms);
            if random.u8(..) < 40 {
                let _ = door.ask(("flat-1", ParticipantKind::Standard), Some(random.u64(..50)), now);
            }
            if random.u8(..) == 0 {
                door.drive(now);
            }
            door.handle_timeout(now);
            driven_since = door.is_driven(now).then(|| driven_since.unwrap_or(now));
            // It may be driven again in the round in which it came to rest.
            if door.poll_timeout().is_some_and(|until| until == now + 3 * SECOND) {
                driven_since = Some(now);
            }
            assert!(driven_since.is_none_or(|since| now - since < 3 * SECOND), "at {ms} ms");
        }
    }

    #[test]
    fn a_pulse_has_a_shortest_and_a_longest_length() {
        let now = Instant::now();
        for (asked_ms, given_ms) in [(0, 20), (1_000_000, 30_000), (3000, 3000)] {
            let mut output = Output::new(Duration::from_millis(asked_ms), Allow::default());
            assert_eq!(output.drive(now), Granted::Driven);
            assert_eq!(output.poll_timeout(), Some(now + Duration::from_millis(given_ms)));
        }
    }

    #[test]
    fn a_flood_of_requests_uses_bounded_memory() {
        let (mut door, start) = door();
        for wish in 0..10_000 {
            let _ = door.ask(("flat-1", ParticipantKind::Standard), Some(wish), start);
        }
        assert_eq!(
            door.ask(("flat-1", ParticipantKind::Standard), Some(9_999), start),
            Ok(Granted::Repeated)
        );
    }
}
