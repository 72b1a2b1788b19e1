//! A button on a line or a key: levels that bounce → what a hand meant.
//!
//! ```text
//!   raw   ────┐ ┌┐┌──────────────────┐┌┐
//!             └─┘└┘                  └┘└────────
//!   told      Pressed    Held        Released       (Held once, HOLD after the press)
//! ```
//!
//! A press is reported at its first edge, because a talk key must not wait. The bounces that follow are ignored during
//! the settling time. If the line then rests at the other level, that is reported too: no press is lost and none is
//! counted twice.
//!
//! Only edges act. A button begins with the level that its line has: one that is down then (held at power-on, stuck, or
//! wired the other way round) does nothing until it has been up. A line that chatters is held back (`presses.rs`).

use std::time::{Duration, Instant};

use super::presses::Presses;

/// Contacts of cheap push-buttons settle within 5 to 20 ms; no hand presses twice within 30.
pub const SETTLING: Duration = Duration::from_millis(30);

/// A press becomes a hold, as on phones and intercoms.
pub const HOLD: Duration = Duration::from_millis(800);

/// What a hand did, or what became of a line that no hand moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ButtonEvent {
    /// It went down.
    Pressed,
    /// It is down for [`HOLD`] now.
    Held,
    /// It went up.
    Released,
    /// It goes down more often than a hand presses: nothing is reported from now on.
    Chatters,
    /// It has been still for long enough: presses are reported again.
    Quiet,
}

/// A button or key: debounces its line, and distinguishes a short press from a long one.
#[derive(Debug, Default)]
pub struct Button {
    /// The line as it was last seen.
    is_down: bool,
    /// The state that was reported last.
    is_pressed: bool,
    /// It was down when its line began to be watched, and has not been up since.
    is_stuck: bool,
    settles_at: Option<Instant>,
    hold_at: Option<Instant>,
    was_held: bool,
    presses: Presses,
}

impl Button {
    /// The line is watched from `now` on and has this level, which is neither a press nor a release. A line that is
    /// gone counts as released.
    pub fn begin(&mut self, is_down: bool, now: Instant) {
        (self.is_down, self.is_pressed, self.is_stuck) = (is_down, false, is_down);
        (self.hold_at, self.was_held) = (None, false);
        // It may be bouncing at this moment.
        self.settles_at = Some(now + SETTLING);
    }

    /// The line has this level since `now`; what that means, if anything yet.
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

    /// When [`Button::handle_timeout`] may report something.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.settles_at, self.hold_at, self.presses.poll_timeout()].into_iter().flatten().min()
    }

    /// What is due at `now`; call it until it gives `None`.
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

    /// Whether the button is pressed, as it was reported last.
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

    /// Runs levels (milliseconds, is down) of a button that begins up; returns each action and when it came.
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
    fn a_hold_is_told_once() {
        let expected = [(10, ButtonEvent::Pressed), (810, ButtonEvent::Held), (2000, ButtonEvent::Released)];
        assert_eq!(told(&[(10, true), (2000, false)]), expected);
    }

    #[test]
    fn one_that_begins_down_does_nothing_until_it_was_up() {
        assert_eq!(told_from(true, &[]), [], "neither a press nor a hold");
        let levels = [(1000, false), (1005, true), (1010, false), (1500, true), (1600, false)];
        assert_eq!(told_from(true, &levels), [(1500, ButtonEvent::Pressed), (1600, ButtonEvent::Released)]);
    }

    /// A press at the moment at which it begins: its bounces are not a release.
    #[test]
    fn one_that_bounces_while_it_begins_is_what_it_comes_to_rest_at() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut button = Button::default();
        button.begin(true, start);
        let bounces = [(5, false), (10, true)].map(|(ms, is_down)| button.handle_level(is_down, at(ms)));
        assert_eq!((bounces, button.handle_timeout(at(30))), ([None; 2], None));
        assert_eq!(button.handle_level(false, at(500)), None, "the hand that was there at the beginning");
        assert_eq!(button.handle_level(true, at(700)), Some(ButtonEvent::Pressed));
    }

    /// A line that hangs in the air, beside mains.
    #[test]
    fn one_that_chatters_is_told_once_and_heard_again_when_it_is_quiet() {
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
        // What it does after that is a press again.
        let again = [levels, vec![(20_000, true), (20_200, false)]].concat();
        let last = [(20_000, ButtonEvent::Pressed), (20_200, ButtonEvent::Released)];
        assert_eq!(told_for(30_000, &again)[told.len()..], last);
    }

    #[test]
    fn two_presses_are_two() {
        let levels = [(10, true), (100, false), (150, true), (260, false)];
        assert_eq!(told(&levels).len(), 4);
    }

    #[test]
    fn what_is_told_always_alternates_and_ends_where_the_line_rests() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let mut at = 0;
            // No more presses than a hand may make at once.
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
