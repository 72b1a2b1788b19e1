//! A lamp that shows the state of the box, also to people who cannot hear it.
//!
//! | state | lamp |
//! | --- | --- |
//! | no server | two short flashes every two seconds |
//! | no sound card, and it does not ring | three short flashes every two seconds |
//! | idle | dark |
//! | ringing | half a second on, half a second off |
//! | talking | lit |
//! | talking, muted | lit with a short gap each second |
//! | idle, muted for good | one short flash every four seconds |

use std::time::{Duration, Instant};

/// What a lamp can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shows {
    /// The server is not reached.
    #[default]
    Trouble,
    /// The microphone's or the loudspeaker's card is not there.
    NoSound,
    /// No call.
    Idle,
    /// Privacy: nothing would be heard of this box.
    IdleMuted,
    /// A call rings, here or there.
    Ringing,
    /// Sound goes out.
    Talking,
    /// A call, and nothing goes out.
    TalkingMuted,
}

/// Milliseconds on, off, on, off …; begins with on, repeats. Empty is dark, a single one is lit.
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

/// A lamp, and the pattern that it shows.
#[derive(Debug)]
pub struct Lamp {
    shows: Shows,
    since: Instant,
}

impl Lamp {
    /// A lamp that shows trouble since `now`, until the first other state.
    pub fn new(now: Instant) -> Lamp {
        Lamp { shows: Shows::default(), since: now }
    }

    /// Shows this state from now on. A pattern that is already shown continues without interruption.
    pub fn show(&mut self, shows: Shows, now: Instant) {
        if self.shows != shows {
            (self.shows, self.since) = (shows, now);
        }
    }

    /// Whether it is lit at `now`.
    pub fn is_lit(&self, now: Instant) -> bool {
        self.place(now).is_some_and(|(index, _)| index.is_multiple_of(2))
    }

    /// When [`Lamp::is_lit`] changes next. Changes with every call of [`Lamp::show`].
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let (_, left) = self.place(now)?;
        (pattern(self.shows).len() > 1).then(|| now + left)
    }

    /// The part of the pattern at `now`, and its remaining duration.
    fn place(&self, now: Instant) -> Option<(usize, Duration)> {
        let pattern = pattern(self.shows);
        let whole = Duration::from_millis(pattern.iter().sum()).as_nanos();
        let elapsed = now.saturating_duration_since(self.since).as_nanos().checked_rem(whole)?;
        let mut end = 0;
        for (index, part_ms) in pattern.iter().enumerate() {
            end += Duration::from_millis(*part_ms).as_nanos();
            if elapsed < end {
                // Shorter than a pattern: seconds.
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

    /// The instants (ms) at which a lamp that shows `shows` changes within four seconds, followed only by
    /// its own deadlines.
    fn changes(shows: Shows) -> Vec<(u128, bool)> {
        let start = Instant::now();
        let mut lamp = Lamp::new(start);
        lamp.show(shows, start);
        let mut seen = vec![(0, lamp.is_lit(start))];
        let mut now = start;
        while let Some(at) = lamp.poll_timeout(now).filter(|at| *at < start + Duration::from_secs(4)) {
            assert!(at > now, "time moves on");
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
        assert_eq!(no_sound[3..7], [(400, false), (600, true), (700, false), (2000, true)], "one more");
        assert_eq!(changes(Shows::TalkingMuted)[..3], [(0, true), (900, false), (1000, true)]);
    }

    #[test]
    fn the_same_state_again_does_not_begin_anew() {
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
