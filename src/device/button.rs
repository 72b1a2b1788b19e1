//! A button on a line or a key: levels that bounce → what a hand meant.
//!
//! ```text
//!   raw   ────┐ ┌┐┌──────────────────┐┌┐
//!             └─┘└┘                  └┘└────────
//!   told      Pressed    Held        Released       (Held once, HOLD after the press)
//! ```
//!
//! A press is told at its first edge, because a talk key must not wait; the bounces that follow are
//! held back for the settling time. If the line then rests elsewhere, that is told too: no press is
//! lost and none is doubled.

use std::time::{Duration, Instant};

/// Contacts of cheap push-buttons settle within 5 to 20 ms; no hand presses twice within 30.
pub const SETTLING: Duration = Duration::from_millis(30);

/// A press becomes a hold, as on phones and intercoms.
pub const HOLD: Duration = Duration::from_millis(800);

/// What a hand did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It went down.
    Pressed,
    /// It is down for [`HOLD`] now.
    Held,
    /// It went up.
    Released,
}

/// One button.
#[derive(Debug, Default)]
pub struct Button {
    /// The line as it was last seen.
    is_down: bool,
    /// What was told.
    is_pressed: bool,
    settles_at: Option<Instant>,
    hold_at: Option<Instant>,
    was_held: bool,
}

impl Button {
    /// The line has this level since `now`; what that means, if anything yet.
    pub fn handle_level(&mut self, is_down: bool, now: Instant) -> Option<Action> {
        self.is_down = is_down;
        self.tell(now)
    }

    /// Whether the last press has become a hold.
    pub fn was_held(&self) -> bool {
        self.was_held
    }

    /// When [`Button::handle_timeout`] may have something to tell.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.settles_at, self.hold_at].into_iter().flatten().min()
    }

    /// What is due at `now`; call it until it gives `None`.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Action> {
        if self.settles_at.is_some_and(|at| at <= now) {
            self.settles_at = None;
            if let Some(action) = self.tell(now) {
                return Some(action);
            }
        }
        self.hold_at.take_if(|at| *at <= now)?;
        self.was_held = true;
        Some(Action::Held)
    }

    /// Whether it is pressed, as was told.
    pub fn is_pressed(&self) -> bool {
        self.is_pressed
    }

    fn tell(&mut self, now: Instant) -> Option<Action> {
        if self.is_down == self.is_pressed || self.settles_at.is_some_and(|at| now < at) {
            return None;
        }
        self.is_pressed = self.is_down;
        self.settles_at = Some(now + SETTLING);
        self.hold_at = self.is_pressed.then_some(now + HOLD);
        self.was_held &= !self.is_pressed;
        Some(if self.is_pressed { Action::Pressed } else { Action::Released })
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]
mod tests {
    use super::*;

    /// Runs levels (milliseconds, is down) and gives what was told, when.
    fn told(levels: &[(u64, bool)]) -> Vec<(u64, Action)> {
        let start = Instant::now();
        let mut button = Button::default();
        let mut told = Vec::new();
        for ms in 0..3000 {
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
        assert_eq!(told(&bounce), [(10, Action::Pressed), (200, Action::Released)]);
    }

    #[test]
    fn a_tap_shorter_than_the_bounces_is_still_pressed_and_released() {
        assert_eq!(told(&[(10, true), (15, false)]), [(10, Action::Pressed), (40, Action::Released)]);
    }

    #[test]
    fn a_hold_is_told_once() {
        let expected = [(10, Action::Pressed), (810, Action::Held), (2000, Action::Released)];
        assert_eq!(told(&[(10, true), (2000, false)]), expected);
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
            let levels: Vec<(u64, bool)> = (0..random.usize(1..40))
                .map(|_| {
                    at += random.u64(0..60);
                    (at, random.bool())
                })
                .collect();
            let told = told(&levels);
            let edges: Vec<Action> =
                told.into_iter().map(|(_, action)| action).filter(|action| *action != Action::Held).collect();
            for (index, action) in edges.iter().enumerate() {
                let expected = if index % 2 == 0 { Action::Pressed } else { Action::Released };
                assert_eq!(*action, expected);
            }
            let rests_down = levels.last().is_some_and(|(_, is_down)| *is_down);
            assert_eq!(edges.last() == Some(&Action::Pressed), rests_down);
        }
    }
}
