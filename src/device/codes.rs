//! The door codes of a box: checks the digits that the party of a call enters.
//!
//! ```text
//!   digit ─► Keypad ─► entry ─► locked out? ─ yes ─► Verdict::LockedOut
//!                                  │ no
//!                                  ├─ the code of a permitted output ─► Verdict::Opens
//!                                  └─ any other: counted against each of them ─► Verdict::Wrong
//! ```
//!
//! A wrong entry may have been meant for any output that its sender may open by a code. So it counts against each of
//! them, and against the box. While an output is locked out, its correct code is refused like a wrong one, so that an
//! attacker cannot tell that it is correct.

use std::time::Instant;

use super::keypad::{Entered, Keypad};
use super::lockout::LockOut;
use crate::limits::{WRONG_CODES_MAX, WRONG_CODES_OF_BOX_MAX};

/// An output that the sender may open: its number, and its code.
pub(super) type Candidate<'s> = (usize, &'s str);

/// The result of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The entry opens the output with this number.
    Opens(usize),
    /// The entry is not a code that the sender may use.
    Wrong,
    /// No code is accepted at the moment.
    LockedOut,
}

/// The current entry, and the counts of wrong codes.
#[derive(Debug)]
pub(super) struct Codes {
    keypad: Keypad,
    /// The wrong codes for each output, by its number.
    of_outputs: Vec<LockOut>,
    of_box: LockOut,
}

impl Codes {
    /// Creates the state for this number of outputs.
    pub(super) fn new(outputs: usize) -> Codes {
        Codes {
            keypad: Keypad::default(),
            of_outputs: vec![LockOut::new(WRONG_CODES_MAX); outputs],
            of_box: LockOut::new(WRONG_CODES_OF_BOX_MAX),
        }
    }

    /// Returns the state for a new list of outputs. `before` gives the old number of each output. Wrong codes still
    /// count.
    pub(super) fn renumbered(&self, before: impl Iterator<Item = Option<usize>>) -> Codes {
        let known = |number: Option<usize>| number.and_then(|number| self.of_outputs.get(number)).copied();
        let of_outputs =
            before.map(|number| known(number).unwrap_or(LockOut::new(WRONG_CODES_MAX))).collect();
        Codes { keypad: Keypad::default(), of_outputs, of_box: self.of_box }
    }

    /// Takes a digit of the party. `candidates` are the outputs that it may open by a code.
    pub(super) fn press(
        &mut self,
        digit: char,
        candidates: &[Candidate<'_>],
        now: Instant,
    ) -> Option<Verdict> {
        let codes: Vec<&str> = candidates.iter().map(|(_, code)| *code).collect();
        let entered = self.keypad.press(digit, &codes, now)?;
        Some(self.judge(entered, candidates, now))
    }

    /// Returns when the entry ends because no further digit has come.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.keypad.poll_timeout()
    }

    /// Ends the entry if it is due at `now`.
    pub(super) fn handle_timeout(&mut self, candidates: &[Candidate<'_>], now: Instant) -> Option<Verdict> {
        if self.keypad.poll_timeout().is_none_or(|at| now < at) {
            return None;
        }
        let entered = self.end(candidates)?;
        Some(self.judge(entered, candidates, now))
    }

    /// Ends the entry with the call: a wrong code counts, but no output opens.
    pub(super) fn hang_up(&mut self, candidates: &[Candidate<'_>], now: Instant) -> Option<Verdict> {
        let entered = self.end(candidates).filter(|entered| *entered == Entered::Wrong);
        // The next call starts without the digits of this one.
        self.keypad = Keypad::default();
        Some(self.judge(entered?, candidates, now))
    }

    fn end(&mut self, candidates: &[Candidate<'_>]) -> Option<Entered> {
        let codes: Vec<&str> = candidates.iter().map(|(_, code)| *code).collect();
        self.keypad.end(&codes)
    }

    fn judge(&mut self, entered: Entered, candidates: &[Candidate<'_>], now: Instant) -> Verdict {
        let is_locked = |codes: &Codes, number: usize| {
            codes.of_box.is_locked(now) || codes.of_outputs.get(number).is_some_and(|own| own.is_locked(now))
        };
        if let Entered::Code(place) = entered
            && let Some((number, _)) = candidates.get(place)
            && !is_locked(self, *number)
        {
            self.of_box.right();
            if let Some(own) = self.of_outputs.get_mut(*number) {
                own.right();
            }
            return Verdict::Opens(*number);
        }
        let accepting: Vec<usize> =
            candidates.iter().map(|(number, _)| *number).filter(|number| !is_locked(self, *number)).collect();
        if accepting.is_empty() {
            return Verdict::LockedOut;
        }
        self.of_box.wrong(now);
        for number in accepting {
            if let Some(own) = self.of_outputs.get_mut(number) {
                own.wrong(now);
            }
        }
        Verdict::Wrong
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]
mod tests {
    use std::time::Duration;

    use super::*;

    const DOOR: Candidate<'static> = (0, "4711");
    const GATE: Candidate<'static> = (1, "0815");

    /// Returns the result of the last entry of `digits`.
    fn enter(codes: &mut Codes, digits: &str, candidates: &[Candidate<'_>], now: Instant) -> Option<Verdict> {
        digits.chars().fold(None, |_, digit| codes.press(digit, candidates, now))
    }

    fn minutes(count: u64) -> Duration {
        Duration::from_secs(60 * count)
    }

    #[test]
    fn after_five_wrong_codes_the_right_one_is_refused_for_a_minute() {
        let (mut codes, now) = (Codes::new(2), Instant::now());
        for wrong in ["0000", "1111", "2222", "3333", "4444"] {
            assert_eq!(enter(&mut codes, wrong, &[DOOR], now), Some(Verdict::Wrong), "{wrong}");
        }
        assert_eq!(enter(&mut codes, "4711", &[DOOR], now), Some(Verdict::LockedOut));
        assert_eq!(
            enter(&mut codes, "0815", &[GATE], now),
            Some(Verdict::Opens(1)),
            "the gate is not locked out"
        );
        // An entry during the lock-out changes nothing.
        let before = now + minutes(1) - Duration::from_millis(1);
        assert_eq!(enter(&mut codes, "5555", &[DOOR], before), Some(Verdict::LockedOut));
        assert_eq!(enter(&mut codes, "4711", &[DOOR], now + minutes(1)), Some(Verdict::Opens(0)));
        assert_eq!(enter(&mut codes, "5555", &[DOOR], now + minutes(1)), Some(Verdict::Wrong), "reset");
    }

    #[test]
    fn a_right_code_looks_like_a_wrong_one_while_its_output_is_locked_out() {
        let (mut codes, now) = (Codes::new(2), Instant::now());
        for _ in 0..5 {
            enter(&mut codes, "0000", &[DOOR], now);
        }
        assert_eq!(enter(&mut codes, "4711", &[DOOR, GATE], now), Some(Verdict::Wrong));
        assert_eq!(enter(&mut codes, "0815", &[DOOR, GATE], now), Some(Verdict::Opens(1)));
    }

    /// A hundred outputs do not allow a hundred times as many attempts.
    #[test]
    fn wrong_codes_count_against_the_box() {
        let (mut codes, now) = (Codes::new(32), Instant::now());
        let verdicts: Vec<_> =
            (0..32).map(|number| enter(&mut codes, "0000", &[(number, "4711")], now)).collect();
        let wrong = verdicts.iter().filter(|verdict| **verdict == Some(Verdict::Wrong)).count();
        assert_eq!(wrong, WRONG_CODES_OF_BOX_MAX as usize);
        assert_eq!(verdicts[31], Some(Verdict::LockedOut));
    }

    #[test]
    fn hanging_up_clears_digits_but_not_wrong_codes() {
        let (mut codes, now) = (Codes::new(2), Instant::now());
        let two = [(0, "4711"), (1, "123456")];
        for _ in 0..5 {
            assert_eq!(enter(&mut codes, "0000", &two, now), None, "a longer code could follow");
            assert_eq!(codes.hang_up(&two, now), Some(Verdict::Wrong));
        }
        assert_eq!(enter(&mut codes, "4711", &two, now), Some(Verdict::LockedOut));
        let mut codes = Codes::new(1);
        enter(&mut codes, "471", &[DOOR], now);
        assert_eq!(codes.hang_up(&[DOOR], now), None);
        assert_eq!(enter(&mut codes, "1", &[DOOR], now), None, "another call");
        // A code that waits for more digits does not open when the call ends.
        let prefix = [(0, "12"), (0, "1234")];
        let mut codes = Codes::new(1);
        enter(&mut codes, "12", &prefix, now);
        assert_eq!(codes.hang_up(&prefix, now), None);
    }

    #[test]
    fn renumbered_outputs_keep_their_wrong_codes() {
        let (mut codes, now) = (Codes::new(1), Instant::now());
        for _ in 0..5 {
            enter(&mut codes, "0000", &[DOOR], now);
        }
        let mut codes = codes.renumbered([None, Some(0)].into_iter());
        assert_eq!(enter(&mut codes, "0815", &[(0, "0815")], now), Some(Verdict::Opens(0)));
        assert_eq!(enter(&mut codes, "4711", &[(1, "4711")], now), Some(Verdict::LockedOut));
    }
}
