//! Who may do what: a list of identities, with `*` for any run of characters and `?` for one.
//!
//! Identities come from the access tokens that the operator's server hands out, so they can be
//! trusted as far as that server can. An empty list permits nobody.

use crate::limits::{ALLOW_PATTERN_BYTES_MAX, ALLOW_PATTERNS_MAX};

/// A list of patterns for identities.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allow {
    patterns: Vec<String>,
}

/// Why a list is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowError {
    /// More than [`ALLOW_PATTERNS_MAX`] patterns.
    TooMany,
    /// A pattern of no or more than [`ALLOW_PATTERN_BYTES_MAX`] bytes.
    Length,
}

impl Allow {
    /// A list of `patterns`.
    ///
    /// # Errors
    /// Too many of them, or one is empty or too long.
    pub fn new(patterns: impl IntoIterator<Item = String>) -> Result<Allow, AllowError> {
        let patterns: Vec<String> = patterns.into_iter().take(ALLOW_PATTERNS_MAX + 1).collect();
        if patterns.len() > ALLOW_PATTERNS_MAX {
            return Err(AllowError::TooMany);
        }
        if patterns.iter().any(|pattern| pattern.is_empty() || pattern.len() > ALLOW_PATTERN_BYTES_MAX) {
            return Err(AllowError::Length);
        }
        Ok(Allow { patterns })
    }

    /// A list that permits everybody.
    pub fn everybody() -> Allow {
        Allow { patterns: vec!["*".to_owned()] }
    }

    /// Whether `identity` is on the list. Nobody is nameless: an empty identity never is.
    pub fn permits(&self, identity: &str) -> bool {
        !identity.is_empty() && self.patterns.iter().any(|pattern| matches(pattern, identity))
    }
}

impl std::fmt::Display for AllowError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AllowError::TooMany => write!(f, "more than {ALLOW_PATTERNS_MAX} patterns"),
            AllowError::Length => write!(f, "a pattern has 1 to {ALLOW_PATTERN_BYTES_MAX} bytes"),
        }
    }
}

impl std::error::Error for AllowError {}

/// Linear but for one step back to the last `*`: no pattern makes it slow.
fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut last_star = None;
    loop {
        let before = (pattern.clone(), text.clone());
        match (pattern.next(), text.next()) {
            (Some('*'), _) => {
                // Nothing for it at first; what follows it is tried one character later each time.
                text = before.1;
                last_star = Some((pattern.clone(), text.clone()));
            }
            (Some('?'), Some(_)) => {}
            (Some(wanted), Some(found)) if wanted == found => {}
            (None, None) => return true,
            (_, None) => return false,
            (_, Some(_)) => {
                let Some((after_star, mut from)) = last_star.take() else { return false };
                if from.next().is_none() {
                    return false;
                }
                (pattern, text) = (after_star.clone(), from.clone());
                last_star = Some((after_star, from));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(patterns: &[&str]) -> Allow {
        Allow::new(patterns.iter().map(|pattern| pattern.to_string())).expect("usable")
    }

    #[test]
    fn patterns_match_whole_identities() {
        for (pattern, identity, expected) in [
            ("flat-*", "flat-12", true),
            ("flat-*", "flat-", true),
            ("flat-*", "a-flat-12", false),
            ("flat-?", "flat-1", true),
            ("flat-?", "flat-12", false),
            ("*", "anybody", true),
            ("sip_*@*.example", "sip_1@home.example", true),
            ("sip_*@*.example", "sip_1@home.example.org", false),
            ("a*a*a", "aaaa", true),
            ("a*a*a", "aa", false),
            ("door", "Door", false),
            ("tür-*", "tür-2", true),
            ("*?", "", false),
        ] {
            assert_eq!(allow(&[pattern]).permits(identity), expected, "{pattern} {identity}");
        }
    }

    #[test]
    fn an_empty_list_permits_nobody_and_nobody_is_nameless() {
        assert!(!Allow::default().permits("flat-1"));
        assert!(!Allow::everybody().permits(""));
        assert!(Allow::everybody().permits("x"));
    }

    #[test]
    fn lists_are_bounded() {
        let many = (0..=ALLOW_PATTERNS_MAX).map(|number| number.to_string());
        assert_eq!(Allow::new(many), Err(AllowError::TooMany));
        for bad in [String::new(), "x".repeat(ALLOW_PATTERN_BYTES_MAX + 1)] {
            assert_eq!(Allow::new([bad]), Err(AllowError::Length));
        }
    }

    /// `"*a".repeat(n)` takes exponential time where every star is tried anew.
    #[test]
    fn no_pattern_is_slow() {
        let pattern = format!("{}b", "*a".repeat(ALLOW_PATTERN_BYTES_MAX / 2 - 1));
        assert!(!allow(&[&pattern]).permits(&"a".repeat(4096)));
    }

    #[test]
    fn agrees_with_the_definition_on_random_words() {
        fn plainly(pattern: &[u8], text: &[u8]) -> bool {
            match (pattern.split_first(), text.split_first()) {
                (None, None) => true,
                (Some((b'*', rest)), _) => {
                    plainly(rest, text) || text.split_first().is_some_and(|(_, text)| plainly(pattern, text))
                }
                (Some((b'?', rest)), Some((_, text))) => plainly(rest, text),
                (Some((a, rest)), Some((b, text))) => a == b && plainly(rest, text),
                _ => false,
            }
        }
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..20_000 {
            let mut word = |letters: &[u8], shortest| -> String {
                (0..random.usize(shortest..7))
                    .map(|_| letters[random.usize(..letters.len())] as char)
                    .collect()
            };
            let (pattern, text) = (word(b"ab*?", 1), word(b"ab", 1));
            let expected = plainly(pattern.as_bytes(), text.as_bytes());
            assert_eq!(allow(&[&pattern]).permits(&text), expected, "{pattern} {text}");
        }
    }
}
