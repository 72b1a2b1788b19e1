//! A lamp that shows the state of the box, also for people who cannot hear it.
//!
//! | state | lamp |
//! | --- | --- |
//! | no server | two short flashes every two seconds |
//! | no sound card, and not ringing | three short flashes every two seconds |
//! | idle | off |
//! | ringing | half a second on, half a second off |
//! | talking | on |
//! | talking, muted | on, with a short gap each second |
//! | idle, muted | one short flash every four seconds |

use std::time::{Duration, Instant};

/// A state that a lamp can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shows {
    /// The server cannot be reached.
    #[default]
    Trouble,
    /// The card of the microphone or the loudspeaker is missing.
    NoSound,
    /// No call.
    Idle,
    /// No call, and the microphone is muted.
    IdleMuted,
    /// A call rings, at the box or at a party.
    Ringing,
    /// A call, or an always open microphone: sound is sent.
    Talking,
    /// A call, and no sound is sent.
    TalkingMuted,
}

/// The repeating pattern: milliseconds on, off, on, off, and so on. An empty pattern is off; one entry is always on.
const fn pattern(shows: Shows) -> &'static [u64] {
    match shows {
        Shows::Trouble => &[100, 200, 100, 1600],
        Shows::NoSound => &[100, 200, 100, 200, 100, 1300],
        Shows::Idle => &[],
        Shows::IdleMuted => &[60, 3940],
        Shows::Ringing => &[500, 500],
        Shows::Talking => &[1000],
        Shows::TalkingMuted => &[900, 100],
    }
}

/// A lamp, and the state that it shows.
#[derive(Debug)]
pub struct Lamp {
    shows: Shows,
    since: Instant,
}

impl Lamp {
    /// Creates a lamp that shows [`Shows::Trouble`] from `now` until the first other state.
    pub fn new(now: Instant) -> Lamp {
        Lamp { shows: Shows::default(), since: now }
    }

    /// Shows this state from `now` on. A pattern that is already shown continues without interruption.
    pub fn show(&mut self, shows: Shows, now: Instant) {
        if self.shows != shows {
            (self.shows, self.since) = (shows, now);
        }
    }

    /// Whether the lamp is on at `now`.
    pub fn is_lit(&self, now: Instant) -> bool {
        self.place(now).is_some_and(|(index, _)| index.is_multiple_of(2))
    }

    /// Returns when [`Lamp::is_lit`] changes next. A call of [`Lamp::show`] may change the result.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let (_, left) = self.place(now)?;
        (pattern(self.shows).len() > 1).then(|| now + left)
    }

    /// Returns the index of the pattern entry at `now`, and its remaining duration.
    fn place(&self, now: Instant) -> Option<(usize, Duration)> {
        let pattern = pattern(self.shows);
        let whole = Duration::from_millis(pattern.iter().sum()).as_nanos();
        let elapsed = now.saturating_duration_since(self.since).as_nanos().checked_rem(whole)?;
        let mut end = 0;
        for (index, part_ms) in pattern.iter().enumerate() {
            end += Duration::from_millis(*part_ms).as_nanos();
            if elapsed < end {
                // It is shorter than the pattern, which takes seconds.
                return Some((index, Duration::from_nanos((end - elapsed) as u64)));
            }
        }
        None
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]
mod tests {
    use super::*;

    /// Returns the changes (ms, is lit) of a lamp that shows `shows` for four seconds, polled only at its own
    /// deadlines.
    fn changes(shows: Shows) -> Vec<(u128, bool)> {
        let start = Instant::now();
        let mut lamp = Lamp::new(start);
        lamp.show(shows, start);
        let mut seen = vec![(0, lamp.is_lit(start))];
        let mut now = start;
        while let Some(at) = lamp.poll_timeout(now).filter(|at| *at < start + Duration::from_secs(4)) {
            assert!(at > now, "a deadline is in the future");
            now = at;
            seen.push(((now - start).as_millis(), lamp.is_lit(now)));
        }
        seen
    }

    #[test]
    fn each_state_looks_different() {
        assert_eq!(changes(Shows::Idle), [(0, false)]);
        assert_eq!(changes(Shows::Talking), [(0, true)]);
        assert_eq!(changes(Shows::IdleMuted), [(0, true), (60, false)]);
        let ringing = changes(Shows::Ringing);
        assert_eq!(ringing[..3], [(0, true), (500, false), (1000, true)]);
        assert_eq!(ringing.len(), 8);
        let trouble = changes(Shows::Trouble);
        assert_eq!(trouble[..5], [(0, true), (100, false), (300, true), (400, false), (2000, true)]);
        let no_sound = changes(Shows::NoSound);
        assert_eq!(no_sound[3..7], [(400, false), (600, true), (700, false), (2000, true)], "a third flash");
        assert_eq!(changes(Shows::TalkingMuted)[..3], [(0, true), (900, false), (1000, true)]);
    }

    #[test]
    fn the_same_state_does_not_restart_the_pattern() {
        let start = Instant::now();
        let mut lamp = Lamp::new(start);
        lamp.show(Shows::Ringing, start);
        let later = start + Duration::from_millis(700);
        lamp.show(Shows::Ringing, later);
        assert!(!lamp.is_lit(later));
        lamp.show(Shows::Talking, later);
        assert!(lamp.is_lit(later));
    }
}
