//! Which tracks we hear by default: [`SubscriptionPolicy`].
//!
//! ```text
//!   "microphones" (the default) | "all" (every audio track) | "none" (by command only)
//!   | identities: "hall panel-*" those only · "!tv" all but that one · "panel-* !panel-7" both
//! ```

use std::str::FromStr;

use crate::command::glob;
use crate::limits::{IDENTITY_BYTES_MAX, PATTERNS_MAX};

/// Which tracks are subscribed by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionPolicy {
    sources: Sources,
    /// Where there are any, only identities that match one of these patterns.
    allowed: Vec<String>,
    denied: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sources {
    Microphones,
    AllAudio,
    None,
}

/// Why a text is not a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyError {
    /// The text has no words.
    Empty,
    /// More than [`PATTERNS_MAX`] identities, or one longer than an identity can be.
    TooLong,
}

impl SubscriptionPolicy {
    /// Whether a track of `identity` is heard.
    pub fn admits(&self, identity: &str, is_microphone: bool) -> bool {
        let is_kind = match self.sources {
            Sources::Microphones => is_microphone,
            Sources::AllAudio => true,
            Sources::None => false,
        };
        let is_named = |patterns: &[String]| patterns.iter().any(|pattern| glob::matches(pattern, identity));
        is_kind && (self.allowed.is_empty() || is_named(&self.allowed)) && !is_named(&self.denied)
    }
}

impl Default for SubscriptionPolicy {
    fn default() -> Self {
        Self { sources: Sources::Microphones, allowed: Vec::new(), denied: Vec::new() }
    }
}

impl FromStr for SubscriptionPolicy {
    type Err = PolicyError;

    /// Words are separated by spaces or commas.
    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let words: Vec<&str> =
            text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()).collect();
        let mut policy = SubscriptionPolicy::default();
        match words[..] {
            [] => return Err(PolicyError::Empty),
            ["microphones"] => {}
            ["all"] => policy.sources = Sources::AllAudio,
            ["none"] => policy.sources = Sources::None,
            _ if words.len() > PATTERNS_MAX || words.iter().any(|word| word.len() > IDENTITY_BYTES_MAX) => {
                return Err(PolicyError::TooLong);
            }
            _ => {
                for word in words {
                    match word.strip_prefix('!') {
                        Some(denied) => policy.denied.push(denied.to_owned()),
                        None => policy.allowed.push(word.to_owned()),
                    }
                }
            }
        }
        Ok(policy)
    }
}

impl std::fmt::Display for SubscriptionPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let allowed = self.allowed.iter().cloned();
        let denied = self.denied.iter().map(|pattern| format!("!{pattern}"));
        let words: Vec<String> = allowed.chain(denied).collect();
        match self.sources {
            _ if !words.is_empty() => f.write_str(&words.join(" ")),
            Sources::Microphones => f.write_str("microphones"),
            Sources::AllAudio => f.write_str("all"),
            Sources::None => f.write_str("none"),
        }
    }
}

impl std::fmt::Display for PolicyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PolicyError::Empty => {
                f.write_str("allowed are microphones, all, none or identities (!identity: all but that one)")
            }
            PolicyError::TooLong => write!(f, "more than {PATTERNS_MAX} identities, or one that is too long"),
        }
    }
}

impl std::error::Error for PolicyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_decide() {
        // policy; participant, microphone, heard.
        let table: &[(&str, &str, bool, bool)] = &[
            ("microphones", "door", true, true),
            ("microphones", "tv", false, false),
            ("all", "tv", false, true),
            ("none", "door", true, false),
            ("hall door", "door", true, true),
            ("hall,door", "attic", true, false),
            ("panel-*", "panel-12", true, true),
            ("panel-?", "panel-12", true, false),
            ("!tv", "door", true, true),
            ("!tv", "tv", true, false),
            ("panel-* !panel-7", "panel-7", true, false),
            ("panel-* !panel-7", "panel-8", true, true),
        ];
        for (words, identity, is_microphone, heard) in table {
            let policy: SubscriptionPolicy = words.parse().expect("a policy");
            assert_eq!(policy.admits(identity, *is_microphone), *heard, "{words}: {identity}");
            assert_eq!(policy.to_string().parse(), Ok(policy), "{words}");
        }
        assert_eq!(" , ".parse::<SubscriptionPolicy>(), Err(PolicyError::Empty));
        assert_eq!("x ".repeat(PATTERNS_MAX + 1).parse::<SubscriptionPolicy>(), Err(PolicyError::TooLong));
    }
}
