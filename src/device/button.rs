//! A button or key: turns the bouncing levels of its line into presses, holds and releases.
//!
//! ```text
//!   raw   ────┐ ┌┐┌──────────────────┐┌┐
//!             └─┘└┘                  └┘└────────
//!   event     Pressed    Held        Released       (Held once, HOLD after the press)
//! ```
//!
//! A press is reported at its first edge, because a talk key must not wait. The bounces that follow are ignored during
//! the settling time. If the line has settled at the other level by then, that is reported too: no press is lost, and
//! none is counted twice.
//!
//! Only edges count. A button starts with the level of its line. A button that is down at the start (held at power-on,
//! stuck, or wired with inverted polarity) does nothing until it has been up. A line that chatters is ignored for a
//! while (`presses.rs`).

use std::time::{Duration, Instant};

use super::presses::Presses;

/// The settling time. Contacts of cheap push-buttons settle within 5 to 20 ms; nobody presses twice within 30 ms.
pub const SETTLING: Duration = Duration::from_millis(30);

/// The time after which a press becomes a hold, as on phones and intercoms.
pub const HOLD: Duration = Duration::from_millis(800);

/// A change of a button, or of the state of its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ButtonEvent {
    /// The button went down.
    Pressed,
    /// The button has been down for [`HOLD`].
    Held,
    /// The button went up.
    Released,
    /// The line changes more often than a person presses a button. Nothing is reported until [`ButtonEvent::Quiet`].
    Chatters,
    /// The line has been still for long enough. Presses are reported again.
    Quiet,
}

/// A button or key: debounces its line, and distinguishes a short press from a long one.
#[derive(Debug, Default)]
pub struct Button {
    /// The last known level of the line.
    is_down: bool,
    /// The last reported state.
    is_pressed: bool,
    /// The button was down when watching started, and has not been up since.
    is_stuck: bool,
    settles_at: Option<Instant>,
    hold_at: Option<Instant>,
    was_held: bool,
    presses: Presses,
}

impl Button {
    /// Starts watching the line at `now`, with this level, which is neither a press nor a release. A line that is gone
    /// counts as released.
    pub fn begin(&mut self, is_down: bool, now: Instant) {
        (self.is_down, self.is_pressed, self.is_stuck) = (is_down, false, is_down);
        (self.hold_at, self.was_held) = (None, false);
        // The contacts may be bouncing at this moment.
        self.settles_at = Some(now + SETTLING);
    }

    /// Takes a new level of the line. Returns the event, if there is one yet.
    pub fn handle_level(&mut self, is_down: bool, now: Instant) -> Option<ButtonEvent> {
        self.is_down = is_down;
        if self.presses.is_held_back() {
            self.presses.handle_edge(now);
            return None;
        }
        self.tell(now)
    }

    /// Whether the last press has become a hold.
    pub fn was_held(&self) -> bool {
        self.was_held
    }

    /// Returns when [`Button::handle_timeout`] must be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.settles_at, self.hold_at, self.presses.poll_timeout()].into_iter().flatten().min()
    }

    /// Returns the next event that is due at `now`. Call it until it returns `None`.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<ButtonEvent> {
        if self.presses.handle_timeout(now) {
            self.begin(self.is_down, now);
            return Some(ButtonEvent::Quiet);
        }
        if self.settles_at.take_if(|at| *at <= now).is_some()
            && !self.presses.is_held_back()
            && let Some(action) = self.tell(now)
        {
            return Some(action);
        }
        self.hold_at.take_if(|at| *at <= now)?;
        self.was_held = true;
        Some(ButtonEvent::Held)
    }

    /// Whether the last reported state is pressed.
    pub fn is_pressed(&self) -> bool {
        self.is_pressed
    }

    fn tell(&mut self, now: Instant) -> Option<ButtonEvent> {
        let is_moved = self.is_down != (self.is_pressed || self.is_stuck);
        if !is_moved || self.settles_at.is_some_and(|at| now < at) {
            return None;
        }
        self.settles_at = Some(now + SETTLING);
        if self.is_stuck {
            self.is_stuck = false;
            return None;
        }
        if self.is_down && !self.presses.take(now) {
            self.settles_at = None;
            return Some(ButtonEvent::Chatters);
        }
        self.is_pressed = self.is_down;
        self.hold_at = self.is_pressed.then_some(now + HOLD);
        self.was_held &= !self.is_pressed;
        Some(if self.is_pressed { ButtonEvent::Pressed } else { ButtonEvent::Released })
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]
mod tests {
    use super::*;

    /// Runs the levels (milliseconds, is down) of a button that starts up. Returns each event with its time in ms.
    fn told(levels: &[(u64, bool)]) -> Vec<(u64, ButtonEvent)> {
        told_from(false, levels)
    }

    fn told_from(is_down: bool, levels: &[(u64, bool)]) -> Vec<(u64, ButtonEvent)> {
        run(is_down, 3000, levels)
    }

    fn told_for(ms: u64, levels: &[(u64, bool)]) -> Vec<(u64, ButtonEvent)> {
        run(false, ms, levels)
    }

    fn run(is_down: bool, until_ms: u64, levels: &[(u64, bool)]) -> Vec<(u64, ButtonEvent)> {
        let start = Instant::now();
        let mut button = Button::default();
        button.begin(is_down, start - SETTLING);
        let mut told = Vec::new();
        for ms in 0..until_ms {
            let now = start + Duration::from_millis(ms);
            while button.poll_timeout().is_some_and(|at| at <= now) {
                let Some(action) = button.handle_timeout(now) else { break };
                told.push((ms, action));
            }
            for (_, is_down) in levels.iter().filter(|(at, _)| *at == ms) {
                told.extend(button.handle_level(*is_down, now).map(|action| (ms, action)));
            }
        }
        told
    }

    #[test]
    fn a_bouncing_press_is_one_press_at_its_first_edge() {
        let bounce = [
            (10, true),
            (12, false),
            (13, true),
            (15, false),
            (16, true),
            (200, false),
            (203, true),
            (204, false),
        ];
        assert_eq!(told(&bounce), [(10, ButtonEvent::Pressed), (200, ButtonEvent::Released)]);
    }

    #[test]
    fn a_tap_shorter_than_the_bounces_is_still_pressed_and_released() {
        assert_eq!(
            told(&[(10, true), (15, false)]),
            [(10, ButtonEvent::Pressed), (40, ButtonEvent::Released)]
        );
    }

    #[test]
    fn a_hold_is_reported_once() {
        let expected = [(10, ButtonEvent::Pressed), (810, ButtonEvent::Held), (2000, ButtonEvent::Released)];
        assert_eq!(told(&[(10, true), (2000, false)]), expected);
    }

    #[test]
    fn a_button_that_starts_down_does_nothing_until_it_has_been_up() {
        assert_eq!(told_from(true, &[]), [], "neither a press nor a hold");
        let levels = [(1000, false), (1005, true), (1010, false), (1500, true), (1600, false)];
        assert_eq!(told_from(true, &levels), [(1500, ButtonEvent::Pressed), (1600, ButtonEvent::Released)]);
    }

    /// A press at the start: its bounces are not a release.
    #[test]
    fn a_button_that_bounces_at_the_start_takes_its_settled_level() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut button = Button::default();
        button.begin(true, start);
        let bounces = [(5, false), (10, true)].map(|(ms, is_down)| button.handle_level(is_down, at(ms)));
        assert_eq!((bounces, button.handle_timeout(at(30))), ([None; 2], None));
        assert_eq!(button.handle_level(false, at(500)), None, "the release of a press from before the start");
        assert_eq!(button.handle_level(true, at(700)), Some(ButtonEvent::Pressed));
    }

    /// A floating line beside mains wiring.
    #[test]
    fn chatter_is_reported_once_and_presses_count_again_when_it_stops() {
        let levels: Vec<(u64, bool)> = (0..200).map(|index| (10 * index, index % 2 == 0)).collect();
        let told = told_for(30_000, &levels);
        let presses = told.iter().filter(|(_, action)| *action == ButtonEvent::Pressed).count();
        assert!(presses <= super::super::presses::BURST as usize, "{told:?}");
        let others: Vec<ButtonEvent> = told
            .iter()
            .map(|(_, action)| *action)
            .filter(|a| matches!(a, ButtonEvent::Chatters | ButtonEvent::Quiet))
            .collect();
        assert_eq!(others, [ButtonEvent::Chatters, ButtonEvent::Quiet]);
        // Afterwards, a press counts again.
        let again = [levels, vec![(20_000, true), (20_200, false)]].concat();
        let last = [(20_000, ButtonEvent::Pressed), (20_200, ButtonEvent::Released)];
        assert_eq!(told_for(30_000, &again)[told.len()..], last);
    }

    #[test]
    fn two_presses_are_reported_as_two() {
        let levels = [(10, true), (100, false), (150, true), (260, false)];
        assert_eq!(told(&levels).len(), 4);
    }

    #[test]
    fn reported_events_alternate_and_end_at_the_level_of_the_line() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let mut at = 0;
            // No more presses than the allowed burst.
            let levels: Vec<(u64, bool)> = (0..random.usize(1..2 * super::super::presses::BURST as usize))
                .map(|_| {
                    at += random.u64(0..60);
                    (at, random.bool())
                })
                .collect();
            let told = told(&levels);
            let edges: Vec<ButtonEvent> = told
                .into_iter()
                .map(|(_, action)| action)
                .filter(|action| *action != ButtonEvent::Held)
                .collect();
            for (index, action) in edges.iter().enumerate() {
                let expected = if index % 2 == 0 { ButtonEvent::Pressed } else { ButtonEvent::Released };
                assert_eq!(*action, expected);
            }
            let rests_down = levels.last().is_some_and(|(_, is_down)| *is_down);
            assert_eq!(edges.last() == Some(&ButtonEvent::Pressed), rests_down);
        }
    }
}
