//! Codes that the other party of a call enters on its telephone keypad.
//!
//! ```text
//!   digit ─► entry: 4 7 1 1 ─┬─ is a code, and no code continues it ─► that code
//!                            ├─ as long as the longest code ─────────► wrong
//!                            └─ `#`, 4 s without a digit, call over ─► a code, wrong, or too short to be one
//! ```
//!
//! An entry is checked as a whole: further digits cannot correct a wrong entry, and the next entry begins with the
//! digit after it. So each attempt takes a whole code (no digit sequence can test one code per digit), and an attacker
//! cannot tell which digit was wrong. If one code is a prefix of another (12 and 1234), the shorter one waits for `#`
//! or for the pause.
//!
//! Each packet is one press: LiveKit's SIP service reports a tone once, and copies of a packet are removed on arrival
//! by their number in the sender's session. Arrival times cannot distinguish copies from presses, because delayed
//! packets arrive together.

use std::time::{Duration, Instant};

use crate::limits::DIGITS_MAX;

/// The longest pause between two digits of an entry, as at telephone exchanges.
pub(super) const DIGIT_PATIENCE: Duration = Duration::from_secs(4);

/// The result of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entered {
    /// The code at this index of the list.
    Code(usize),
    /// Not a code of the list.
    Wrong,
}

/// The digits of one entry.
#[derive(Debug, Default)]
pub(super) struct Keypad {
    digits: heapless::String<DIGITS_MAX>,
    /// When the last digit was entered.
    last: Option<Instant>,
}

impl Keypad {
    /// Adds a digit; `codes` are the codes that the sender may use. Returns a result if the entry is complete.
    pub(super) fn press(&mut self, digit: char, codes: &[&str], now: Instant) -> Option<Entered> {
        self.last = Some(now);
        if digit == '#' && !codes.iter().any(|code| code.contains('#')) {
            return self.end(codes);
        }
        // An entry ends at the length of the longest code, so there is room.
        let _ = self.digits.push(digit);
        let entry = self.digits.as_str();
        let goes_on = codes.iter().any(|code| code.len() > entry.len() && code.starts_with(entry));
        let is_code = codes.contains(&entry);
        let is_long = codes.iter().all(|code| code.len() <= entry.len());
        if is_long || (is_code && !goes_on) { self.end(codes) } else { None }
    }

    /// Ends the entry: at `#`, after the pause, or with the call.
    pub(super) fn end(&mut self, codes: &[&str]) -> Option<Entered> {
        let entry = std::mem::take(&mut self.digits);
        match codes.iter().position(|code| *code == entry.as_str()) {
            Some(place) => Some(Entered::Code(place)),
            // An entry shorter than every code is a key pressed by accident, not an attempt.
            None => codes.iter().any(|code| code.len() <= entry.len()).then_some(Entered::Wrong),
        }
    }

    /// Returns when the pause ends the entry.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let last = self.last.filter(|_| !self.digits.is_empty())?;
        Some(last + DIGIT_PATIENCE)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]
mod tests {
    use super::*;

    struct Telephone {
        keypad: Keypad,
        codes: &'static [&'static str],
        now: Instant,
    }

    impl Telephone {
        fn new(codes: &'static [&'static str]) -> Telephone {
            Telephone { keypad: Keypad::default(), codes, now: Instant::now() }
        }

        /// Presses `keys` (`.` is a long pause). Returns the result of each entry, in order.
        fn enters(&mut self, keys: &str) -> String {
            let mut came_to = String::new();
            for key in keys.chars() {
                let entered = match key {
                    '.' => {
                        let at = self.keypad.poll_timeout();
                        self.now = at.unwrap_or(self.now + DIGIT_PATIENCE);
                        at.and_then(|_| self.keypad.end(self.codes))
                    }
                    digit => {
                        self.now += Duration::from_millis(300);
                        self.keypad.press(digit, self.codes, self.now)
                    }
                };
                came_to += &match entered {
                    Some(Entered::Code(place)) => self.codes[place].to_owned() + " ",
                    Some(Entered::Wrong) => "wrong ".to_owned(),
                    None => String::new(),
                };
            }
            came_to.trim_end().to_owned()
        }
    }

    #[test]
    fn an_entry_is_right_or_wrong_as_a_whole() {
        for (codes, keys, expected) in [
            (&["4711"][..], "4711", "4711"),
            (&["4711"], "47114711", "4711 4711"),
            // There is no sliding window: a wrong entry has its full length.
            (&["4711"], "04711", "wrong"),
            (&["4711"], "0000471", "wrong"),
            (&["4711"], "4.711.", ""),
            (&["4711"], "471.4711", "4711"),
            (&["4711"], "4711#", "4711"),
            (&["4711"], "471#4711", "4711"),
            (&["4711"], "##..#", ""),
            (&["5"], "75", "wrong 5"),
            // The first wrong digit does not end the entry: that would show which digit is wrong.
            (&["4711", "123456"], "47120", ""),
            (&["4711", "123456"], "4712.", "wrong"),
            (&["4711", "123456"], "471200", "wrong"),
            (&["4711", "123456"], "123456", "123456"),
            (&["4711", "123456"], "12.", ""),
            // One code is a prefix of the other.
            (&["12", "1234"], "12.", "12"),
            (&["12", "1234"], "12#", "12"),
            (&["12", "1234"], "1234", "1234"),
            (&["12", "1234"], "1239", "wrong"),
            (&["5", "51"], "5.51", "5 51"),
            // A code may contain `#`, which ends an entry otherwise.
            (&["1#2", "4711"], "1#2", "1#2"),
            (&["1#2", "4711"], "471#", "wrong"),
            (&[], "4711", ""),
        ] {
            assert_eq!(Telephone::new(codes).enters(keys), expected, "{codes:?} {keys}");
        }
    }

    /// A program sends all digits at once, and delayed packets arrive at once.
    #[test]
    fn the_same_digit_twice_counts_twice_at_any_speed() {
        let (mut keypad, now) = (Keypad::default(), Instant::now());
        let entered = "1122".chars().map(|digit| keypad.press(digit, &["1122"], now)).collect::<Vec<_>>();
        assert_eq!(entered, [None, None, None, Some(Entered::Code(0))]);
    }

    /// A sequence that contains every two-digit code (101 keys) tests 50 codes, not 100.
    #[test]
    fn a_de_bruijn_sequence_tries_no_more_than_its_length() {
        let mut sequence = String::new();
        for first in 0..10 {
            sequence += &first.to_string();
            for second in first + 1..10 {
                sequence += &format!("{first}{second}");
            }
        }
        let found = (0..100).filter(|code| {
            let code: &'static str = Box::leak(format!("{code:02}").into_boxed_str());
            let codes: &'static [&'static str] = Box::leak(Box::new([code]));
            Telephone::new(codes).enters(&sequence).contains(code)
        });
        assert!(sequence.len() >= 100 && found.count() <= 50, "{sequence}");
    }
}
