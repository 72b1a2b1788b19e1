//! Permissions: a list of patterns for participants.
//!
//! | pattern | matches |
//! | --- | --- |
//! | `flat-*` | identities of participants of any kind; `*` is any run of characters, `?` one |
//! | `sip:PATTERN`, `agent:PATTERN` | the same, participants of this kind only |
//! | `sip_*`, `sip_+4930*` | SIP participants only: LiveKit's SIP service names callers like this, but another participant may have such a name |
//! | `sip:+4930*` | SIP participants named `+4930…` or, as the SIP service names them, `sip_+4930…` |
//!
//! Identities come from the access tokens that the operator's server issues, so they can be trusted as far as that
//! server can. Many servers let a guest choose its name; the kind of a participant is set by the key holder alone. `*`
//! matches every kind. An empty list permits no participant.

use super::glob;
use crate::event::ParticipantKind;
use crate::limits::{ALLOW_PATTERN_BYTES_MAX, ALLOW_PATTERNS_MAX};

/// A list of patterns for participants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allow {
    patterns: Vec<Pattern>,
}

/// Identities, of participants of one kind or of any.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    kind: Option<ParticipantKind>,
    identity: String,
}

/// Why a list is invalid.
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
        let patterns: Vec<Pattern> = patterns.into_iter().map(Pattern::new).collect();
        let is_usable = |pattern: &Pattern| (1..=ALLOW_PATTERN_BYTES_MAX).contains(&pattern.identity.len());
        match patterns.iter().all(is_usable) {
            true => Ok(Allow { patterns }),
            false => Err(AllowError::Length),
        }
    }

    /// A list that permits every participant.
    pub fn everybody() -> Allow {
        Allow { patterns: vec![Pattern::new("*".to_owned())] }
    }

    /// Whether the list permits every participant, of any kind.
    pub fn is_everybody(&self) -> bool {
        self.unlimited() == Some(None)
    }

    /// Full identities on the list, for any kind.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let is_name = |pattern: &&Pattern| pattern.kind.is_none() && !pattern.identity.contains(['*', '?']);
        self.patterns.iter().filter(is_name).map(|pattern| pattern.identity.as_str())
    }

    /// Whether the list permits no participant.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether the participant is on the list. An empty identity never is.
    pub fn permits(&self, identity: &str, kind: ParticipantKind) -> bool {
        let is_of_kind = |pattern: &&Pattern| pattern.kind.is_none_or(|wanted| wanted == kind);
        !identity.is_empty()
            && self.patterns.iter().filter(is_of_kind).any(|pattern| pattern.matches(identity))
    }

    /// Whether the list permits a participant with this identity if it has the right kind: for a participant who is not
    /// in the room yet.
    pub fn may_permit(&self, identity: &str) -> bool {
        !identity.is_empty() && self.patterns.iter().any(|pattern| pattern.matches(identity))
    }

    /// Whether it permits every identity of some kind: the kind, or none if it is all kinds.
    pub fn unlimited(&self) -> Option<Option<ParticipantKind>> {
        let kinds = self.patterns.iter().filter(|pattern| pattern.is_any()).map(|pattern| pattern.kind);
        // All kinds include each of them.
        kinds.min_by_key(Option::is_some)
    }

    /// Whether every pattern is for this kind.
    pub fn is_of(&self, kind: ParticipantKind) -> bool {
        !self.patterns.is_empty() && self.patterns.iter().all(|pattern| pattern.kind == Some(kind))
    }

    /// Patterns of this list that match none of the other list: as they were written, and the kind that each is for.
    pub fn apart_from<'l>(
        &'l self,
        other: &'l Allow,
    ) -> impl Iterator<Item = (String, Option<ParticipantKind>)> + 'l {
        let kinds = [ParticipantKind::Standard, ParticipantKind::Agent, ParticipantKind::Sip];
        let is_apart = move |pattern: &&Pattern| {
            let alone = Allow { patterns: vec![(*pattern).clone()] };
            !kinds.into_iter().any(|kind| alone.intersects(other, kind))
        };
        self.patterns.iter().filter(is_apart).map(|pattern| (pattern.to_string(), pattern.kind))
    }

    /// How many patterns it has.
    pub fn len(&self) -> usize {
        self.patterns.len()
    }

    /// Whether a participant of this kind can be on both lists.
    pub fn intersects(&self, other: &Allow, kind: ParticipantKind) -> bool {
        let of_kind = |list: &Allow| -> Vec<Pattern> {
            list.patterns
                .iter()
                .filter(|pattern| pattern.kind.is_none_or(|own| own == kind))
                .cloned()
                .collect()
        };
        let theirs = of_kind(other);
        of_kind(self).iter().any(|ours| theirs.iter().any(|theirs| ours.intersects(theirs)))
    }
}

impl Pattern {
    fn new(text: String) -> Pattern {
        let kinds = [("sip:", ParticipantKind::Sip), ("agent:", ParticipantKind::Agent)];
        let named = kinds.into_iter().find_map(|(word, kind)| Some((kind, text.strip_prefix(word)?)));
        match named {
            Some((kind, identity)) => Pattern { kind: Some(kind), identity: identity.to_owned() },
            None if text.starts_with(CALLER) => Pattern { kind: Some(ParticipantKind::Sip), identity: text },
            None => Pattern { kind: None, identity: text },
        }
    }

    fn matches(&self, identity: &str) -> bool {
        let number = identity.strip_prefix(CALLER).filter(|_| self.is_number());
        glob::matches(&self.identity, identity)
            || number.is_some_and(|number| glob::matches(&self.identity, number))
    }

    /// `sip:+4930…`: a name that callers choose themselves, like `flat-1`, must not pass for another.
    fn is_number(&self) -> bool {
        self.kind == Some(ParticipantKind::Sip)
            && self.identity.starts_with(|first: char| first == '+' || first.is_ascii_digit())
    }

    fn is_any(&self) -> bool {
        let rest =
            if self.kind == Some(ParticipantKind::Sip) { self.identity.strip_prefix(CALLER) } else { None };
        let rest = rest.unwrap_or(&self.identity);
        !rest.is_empty() && rest.bytes().all(|byte| byte == b'*')
    }

    /// Whether an identity matches both.
    fn intersects(&self, other: &Pattern) -> bool {
        let forms = |pattern: &Pattern| {
            let caller = pattern.is_number().then(|| format!("{CALLER}{}", pattern.identity));
            [Some(pattern.identity.clone()), caller].into_iter().flatten()
        };
        forms(self).any(|ours| forms(other).any(|theirs| glob::have_common_text(&ours, &theirs)))
    }
}

impl std::fmt::Display for Pattern {
    /// As it may be written.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.kind {
            Some(ParticipantKind::Sip) if !self.identity.starts_with(CALLER) => "sip:",
            Some(ParticipantKind::Agent) => "agent:",
            _ => "",
        })?;
        f.write_str(&self.identity)
    }
}

/// How LiveKit's SIP service begins the identity of a caller: the number follows.
const CALLER: &str = "sip_";

/// As it is written in a configuration, separated by spaces.
impl std::fmt::Display for Allow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words: Vec<String> = self.patterns.iter().map(Pattern::to_string).collect();
        f.write_str(&words.join(" "))
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

#[cfg(test)]
mod tests {
    use super::ParticipantKind::{Agent, Sip, Standard, Unknown};
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
            assert_eq!(allow(&[pattern]).permits(identity, Sip), expected, "{pattern} {identity}");
        }
    }

    #[test]
    fn a_pattern_may_name_a_kind() {
        for (pattern, identity, kind, expected) in [
            ("flat-*", "flat-1", Sip, true),
            ("flat-*", "flat-1", Unknown, true),
            ("*", "sip_+1555", Sip, true),
            ("*", "x", Unknown, true),
            // Any participant can have the name of a caller.
            ("sip_*", "sip_+1555", Sip, true),
            ("sip_*", "sip_+1555", Standard, false),
            ("sip_*", "sip_+1555", Agent, false),
            ("sip_*", "sip_+1555", Unknown, false),
            ("sip:*", "flat-1", Sip, true),
            ("sip:*", "flat-1", Standard, false),
            ("sip:+49*", "sip_+4930", Sip, true),
            ("sip:+49*", "+4930", Sip, true),
            ("sip:+49*", "sip_+4930", Standard, false),
            ("sip:+49*", "sip_sip_+4930", Sip, false),
            // A caller with the name `flat-1` has the identity `sip_flat-1`.
            ("sip:flat-*", "sip_flat-1", Sip, false),
            ("agent:*", "concierge", Agent, true),
            ("agent:*", "concierge", Standard, false),
            ("agent:7*", "sip_7", Agent, false),
        ] {
            assert_eq!(allow(&[pattern]).permits(identity, kind), expected, "{pattern} {identity} {kind:?}");
            assert!(!expected || allow(&[pattern]).may_permit(identity), "{pattern} {identity}");
        }
        assert!(allow(&["sip_*"]).may_permit("sip_1") && !allow(&["sip_*"]).may_permit("flat-1"));
        for empty in ["sip:", "agent:"] {
            assert_eq!(Allow::new([empty.to_owned()]), Err(AllowError::Length));
        }
    }

    #[test]
    fn names_in_full_are_known() {
        let list = allow(&["flat-1", "flat-*", "sip_1", "agent:helper", "flat-?", "concierge"]);
        assert_eq!(list.names().collect::<Vec<_>>(), ["flat-1", "concierge"]);
    }

    #[test]
    fn a_list_without_limit_is_known() {
        for (patterns, expected) in [
            (&["flat-*", "**"][..], Some(None)),
            (&["sip_*"], Some(Some(Sip))),
            (&["agent:*", "*"], Some(None)),
            (&["sip:sip_*"], Some(Some(Sip))),
            (&["sip_?*", "flat-*"], None),
            (&[], None),
        ] {
            assert_eq!(allow(patterns).unlimited(), expected, "{patterns:?}");
        }
    }

    #[test]
    fn lists_that_have_nobody_in_common_are_known() {
        for (one, other, kind, expected) in [
            ("flat-*", "flat-1", Standard, true),
            ("flat-*", "*-1", Standard, true),
            ("flat-*", "reception", Standard, false),
            ("sip_*", "agent:*", Sip, false),
            ("sip_*", "agent:*", Agent, false),
            ("sip_*", "*", Sip, true),
            ("sip_*", "*", Standard, false),
            ("sip:flat-*", "flat-1?", Sip, true),
            ("sip:+49*", "sip_+4930", Sip, true),
            ("sip:+49*", "sip_+1*", Sip, false),
            ("?", "??", Standard, false),
            ("", "*", Standard, false),
        ] {
            let lists = [one, other].map(|pattern| allow(Some(pattern).filter(|p| !p.is_empty()).as_slice()));
            assert_eq!(lists[0].intersects(&lists[1], kind), expected, "{one} {other} {kind:?}");
            assert_eq!(lists[1].intersects(&lists[0], kind), expected, "{other} {one} {kind:?}");
        }
    }

    #[test]
    fn an_empty_list_permits_nobody_and_nobody_is_nameless() {
        assert!(!Allow::default().permits("flat-1", Standard));
        assert!(!Allow::everybody().permits("", Standard));
        assert!(Allow::everybody().permits("x", Standard));
    }

    #[test]
    fn patterns_that_match_nobody_on_another_list_are_named() {
        let (list, other) =
            (allow(&["flat-*", "sip_*", "sip:+1*", "agent:x"]), allow(&["flat-1", "agent:*"]));
        let apart: Vec<_> = list.apart_from(&other).collect();
        assert_eq!(apart, [("sip_*".to_owned(), Some(Sip)), ("sip:+1*".to_owned(), Some(Sip))]);
        assert_eq!(allow(&["agent:y"]).apart_from(&list).next(), Some(("agent:y".to_owned(), Some(Agent))));
    }

    #[test]
    fn lists_are_bounded() {
        let many = (0..=ALLOW_PATTERNS_MAX).map(|number| number.to_string());
        assert_eq!(Allow::new(many), Err(AllowError::TooMany));
        for bad in [String::new(), "x".repeat(ALLOW_PATTERN_BYTES_MAX + 1)] {
            assert_eq!(Allow::new([bad]), Err(AllowError::Length));
        }
    }

    /// `"*a".repeat(n)` takes exponential time if every star is tried again.
    #[test]
    fn no_pattern_is_slow() {
        let pattern = format!("{}b", "*a".repeat(ALLOW_PATTERN_BYTES_MAX / 2 - 1));
        assert!(!allow(&[&pattern]).permits(&"a".repeat(4096), Standard));
    }
}
